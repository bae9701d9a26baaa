# Copyright (c) 2026, ironrack.cluster contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Run cluster_health_info until every condition is green, and print each of them at the moment it turns."""
from __future__ import annotations

from ansible.errors import AnsibleActionFail
from ansible.plugins.action import ActionBase

from ansible_collections.ironrack.cluster.plugins.module_utils._health.expected import best_etcd_view, expectations
from ansible_collections.ironrack.cluster.plugins.plugin_utils._report.progress import look_until_green


class ActionModule(ActionBase):
    """Looks, prints what is new, looks again."""

    def run(self, tmp=None, task_vars=None):
        super().run(tmp, task_vars)
        arguments = dict(self._task.args)
        try:
            arguments["expected"] = expectations(arguments["expected"])
        except (KeyError, TypeError) as error:
            raise AnsibleActionFail("cluster_health_info needs expected, the model: %r" % error)
        if arguments.get("etcd") is not None:
            arguments["etcd"] = [best_etcd_view(arguments["etcd"])]

        def look(arguments):
            return self._execute_module(module_name="ironrack.cluster.cluster_health_info", module_args=arguments, task_vars=task_vars)

        return look_until_green(look, arguments, self._task.check_mode)
