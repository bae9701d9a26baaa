# Copyright (c) 2026, ironrack.cluster contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Controller side of kubeadm_node: hosts that have something to roll out take turns; all others run side by side, as the first bring-up does."""
from __future__ import annotations

from ansible import constants
from ansible.errors import AnsibleActionFail
from ansible.plugins.action import ActionBase

from ansible_collections.ironrack.cluster.plugins.plugin_utils._rollout.turns import Stopped, Turns, most


class ActionModule(ActionBase):
    """Asks the host what there is to roll out, and lets it do so when it is its turn."""

    TRANSFERS_FILES = False
    _supports_check_mode = True

    def run(self, tmp=None, task_vars=None):
        """:returns: the module's result; of the second call, where there was something to roll out."""
        result = super().run(tmp, task_vars)
        arguments = dict(self._task.args)
        limit = self._limit(arguments)
        found = self._ask(dict(arguments, roll_out=False), task_vars)
        wanted = str(arguments.get("roll_out", True)).lower() not in ("false", "no", "0")
        if self._task.check_mode or not wanted or found.get("failed") or not (found.get("rollout") or {}).get("open"):
            return dict(result, **found)
        host = str(task_vars.get("inventory_hostname", arguments.get("node_name")))
        try:
            with Turns(constants.DEFAULT_LOCAL_TMP).turn(arguments.get("role"), host, self._zone(arguments), limit):
                done = self._ask(dict(arguments, roll_out=True), task_vars)
                if done.get("failed") or done.get("unreachable"):
                    raise _Failed(done)
        except _Failed as failed:
            return dict(result, **failed.result)
        except Stopped as stopped:
            return dict(result, failed=True, changed=found.get("changed", False), msg=str(stopped))
        if found.get("changed"):
            # The node was created by the first call, and that is what this task did.
            done = dict(found, rollout=done.get("rollout"))
        return dict(result, **done)

    def _ask(self, arguments, task_vars):
        return self._execute_module(module_name="ironrack.cluster.kubeadm_node", module_args=arguments, task_vars=task_vars)

    @staticmethod
    def _zone(arguments):
        # Control planes go one at a time, so their zones do not matter.
        return "" if arguments.get("role") == "control_plane" else str(arguments.get("zone") or "")

    @staticmethod
    def _limit(arguments):
        if arguments.get("role") == "control_plane":
            return 1
        words = arguments.get("max_unavailable", "10%")
        try:
            return most(words, int(arguments.get("hosts", 1)))
        except ValueError as error:
            raise AnsibleActionFail("max_unavailable is %r, and it has to be a number of hosts or a part like 10%%" % words) from error


class _Failed(Exception):
    def __init__(self, result):
        super().__init__(str(result.get("msg") or "it failed"))
        self.result = result
