# Copyright (c) 2026, ironrack.cluster contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Runs the module pki_authority, and shows its error although the task is no_log: the result holds keys of probes."""
from __future__ import annotations

from ansible.plugins.action import ActionBase

from ansible_collections.ironrack.cluster.plugins.plugin_utils._secret.failure import shown


class ActionModule(ActionBase):
    """pki_authority on the host, its failure in the open."""

    TRANSFERS_FILES = False
    _supports_check_mode = True

    def run(self, tmp=None, task_vars=None):
        """:returns: the module's result."""
        result = super().run(tmp, task_vars)
        result.update(self._execute_module(module_name="ironrack.cluster.pki_authority", module_args=self._task.args, task_vars=task_vars))
        return shown(self, "pki_authority", result)
