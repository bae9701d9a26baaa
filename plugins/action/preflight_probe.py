# Copyright (c) 2026, ironrack.cluster contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Runs preflight_probe, notes the controller's time around it, and makes 'it cannot run there' one result among the others.

A host that fails or is unreachable would leave the play before the verdict on all of them. `ignore_unreachable` is no way out: beside
`any_errors_fatal` core 2.19 ends the play there, with exit status 0 and the verdict never asked.
"""
from __future__ import annotations

import time

from ansible.errors import AnsibleConnectionFailure, AnsibleError
from ansible.plugins.action import ActionBase


class ActionModule(ActionBase):
    """The action behind ironrack.cluster.preflight_probe."""

    TRANSFERS_FILES = False
    _supports_check_mode = True

    def run(self, tmp=None, task_vars=None):
        """:returns: the module's result, or `silent` with the reason where the host does not answer; never a failure."""
        result = super().run(tmp, task_vars)
        before = time.time()
        try:
            found = self._execute_module(module_name="ironrack.cluster.preflight_probe", module_args=self._task.args, task_vars=task_vars)
        except AnsibleConnectionFailure as error:
            found = {"unreachable": True, "msg": str(error)}
        except AnsibleError as error:
            found = {"failed": True, "msg": str(error)}
        if found.get("unreachable"):
            found = {"probe": {}, "problems": [], "silent": str(found.get("msg") or "no answer")}
        elif found.get("failed"):
            words = [str(found.get(name) or "").strip() for name in ("msg", "module_stderr", "module_stdout")]
            found = {"probe": {}, "problems": [{
                "check": "probe", "what": "the probe cannot run: %s" % " / ".join(word for word in words if word)[:600],
                "expected": "Python 3.8 or newer, and a login that may become root",
                "mend": "see that ansible -b -m ansible.builtin.ping reaches it"}]}
        result.update(found, changed=False, controller_time=[before, time.time()])
        return result
