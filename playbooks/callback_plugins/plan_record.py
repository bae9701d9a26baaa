# Copyright (c) 2026, ironrack.cluster contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Keeps every result of a plan for the action ironrack.cluster.plan_report.

It stands in this folder because Ansible loads callbacks from beside a playbook by itself: nobody has to enable anything for a plan to be
whole. In every other playbook of the folder it does nothing.
"""
from __future__ import annotations

import os

from ansible import constants
from ansible.plugins.callback import CallbackBase

from ansible_collections.ironrack.cluster.plugins.plugin_utils._plan import record

DOCUMENTATION = """
name: plan_record
type: aggregate
short_description: Keep every result of a plan
description: Keeps what the playbook C(plan) would change, until M(ironrack.cluster.plan_report) says it.
"""


class CallbackModule(CallbackBase):
    """The recorder."""

    CALLBACK_VERSION = 2.0
    CALLBACK_TYPE = "aggregate"
    CALLBACK_NAME = "plan_record"

    def v2_playbook_on_start(self, playbook):
        # -e cluster_plan=true makes any playbook a plan, but not one that says so: only the plays of plan.yml carry the variable themselves.
        if not any(play.vars.get(record.SWITCH) is True for play in playbook.get_plays()):
            self.disabled = True
            return
        self._path = record.journal(constants.DEFAULT_LOCAL_TMP)
        # Two plans in one call of ansible-playbook share the folder.
        if os.path.exists(self._path):
            os.unlink(self._path)
        record.append(self._path, {"outcome": "started"})

    def v2_runner_on_ok(self, result):
        # A loop's own result is the sum of its items, which were kept one by one.
        if not _is_loop(result.task):
            self._keep(result)

    def v2_runner_item_on_ok(self, result):
        self._keep(result)

    def v2_runner_on_failed(self, result, ignore_errors=False):
        if not ignore_errors:
            self._keep(result, record.FAILED)

    def v2_runner_on_unreachable(self, result):
        if not result.task.ignore_unreachable:
            self._keep(result, record.FAILED)

    def _keep(self, result, outcome=""):
        task, told = result.task, result.result
        delegate = (told.get("_ansible_delegated_vars") or {}).get("ansible_delegated_host") or task.delegate_to or ""
        line = record.entry(result.host.get_name(), task.get_name(), task.resolved_action or task.action, told, str(delegate),
                            check_mode=bool(task.check_mode), outcome=outcome)
        if line:
            record.append(self._path, line)


def _is_loop(task):
    return bool(task.loop or task.loop_with)
