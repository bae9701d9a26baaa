# Copyright (c) 2026, ironrack.cluster contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Run opensearch_health_info until every condition is green, and print each of them at the moment it turns."""
from __future__ import annotations

from ansible.plugins.action import ActionBase

from ansible_collections.ironrack.cluster.plugins.plugin_utils._report.progress import look_until_green


class ActionModule(ActionBase):
    """Looks, prints what is new, looks again."""

    def run(self, tmp=None, task_vars=None):
        super().run(tmp, task_vars)

        def look(arguments):
            return self._execute_module(module_name="ironrack.cluster.opensearch_health_info", module_args=arguments, task_vars=task_vars)

        return look_until_green(look, self._task.args, self._task.check_mode)
