# Copyright (c) 2026, ironrack.cluster contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Counts what a run of a playbook really costs: every result that is not skipped, loop items and delegated ones too.

Set ANSIBLE_CALLBACK_PLUGINS to this folder, ANSIBLE_CALLBACKS_ENABLED=executed_tasks and EXECUTED_TASKS_FILE=PATH. The JSON file has

- ``hosts``: for each host ``connection`` (what ran over its connection, for itself or on behalf of another host), ``controller`` (what ran on
  the controller for it), ``delegated`` (what ran elsewhere on its behalf) and ``total`` (the three together);
- ``most``: the largest ``connection`` and the largest ``total`` of all hosts, to compare with a budget;
- ``changed`` and ``failed``: sorted [host, task] pairs, so that a check run can be compared with the real one;
- ``tasks``: for each host the tasks counted, in their order, as [task, where].
"""
from __future__ import annotations

import json
import os

from ansible.plugins.callback import CallbackBase

DOCUMENTATION = """
name: executed_tasks
type: aggregate
short_description: Count executed tasks per host
description: Counts, per host, every result that is not skipped, and writes the counts as JSON.
options:
  path:
    description: The file that is written at the end of the run.
    required: true
    env:
      - name: EXECUTED_TASKS_FILE
"""

#: Actions that never open a connection. A module that is missing here is counted as one that did: the count errs to the strict side.
CONTROLLER_ACTIONS = frozenset(
    ["ansible.builtin." + name for name in (
        "add_host", "assert", "debug", "fail", "group_by", "import_playbook", "import_role", "import_tasks", "include_role", "include_tasks",
        "include_vars", "meta", "pause", "set_fact", "set_stats", "validate_argument_spec")]
    + ["ironrack.cluster." + name for name in ("cluster_model", "cluster_summary", "health_report")])
LOCAL_CONNECTIONS = ("local", "ansible.builtin.local")
LOCAL_HOSTS = ("localhost", "127.0.0.1", "::1")


class CallbackModule(CallbackBase):
    """The counter."""

    CALLBACK_VERSION = 2.0
    CALLBACK_TYPE = "aggregate"
    CALLBACK_NAME = "executed_tasks"
    CALLBACK_NEEDS_ENABLED = True

    def __init__(self, *args, **kwargs):
        super().__init__(*args, **kwargs)
        self.tally = Tally()

    def v2_runner_on_ok(self, result):
        self._count(result)

    def v2_runner_on_failed(self, result, ignore_errors=False):
        self._count(result, failed=True)

    def v2_runner_on_unreachable(self, result):
        self._count(result, failed=True)

    def v2_runner_item_on_ok(self, result):
        self._count(result, item=True)

    def v2_runner_item_on_failed(self, result):
        self._count(result, item=True, failed=True)

    def v2_playbook_on_stats(self, stats):
        folder = os.path.dirname(self.get_option("path"))
        os.makedirs(folder or ".", exist_ok=True)
        with open(self.get_option("path"), "w", encoding="utf-8") as stream:
            json.dump(self.tally.report(), stream, indent=1)

    def _count(self, result, item=False, failed=False):
        task, host, outcome = result.task, result.host.get_name(), result.result
        delegate = _delegate(task, outcome)
        self.tally.add(
            host, task.get_name(), action=getattr(task, "resolved_action", None) or task.action, delegate=delegate,
            local=_is_local(task, outcome, delegate), item=item, loop=bool(task.loop or task.loop_with),
            changed=bool(outcome.get("changed")), failed=failed)


def _delegate(task, outcome):
    """:returns: the host that a task was delegated to. In a loop its name was a template, and the result alone knows what became of it."""
    named = (outcome.get("_ansible_delegated_vars") or {}).get("ansible_delegated_host")
    return str(named or task.delegate_to or "")


def _is_local(task, outcome, delegate):
    if delegate in LOCAL_HOSTS:
        return True
    return not delegate and task.connection in LOCAL_CONNECTIONS


class Tally:
    """The counts. It knows nothing of Ansible."""

    def __init__(self):
        self._counts, self._tasks = {}, {}
        self._changed, self._failed = set(), set()

    def add(self, host, task, action, delegate="", local=False, item=False, loop=False, changed=False, failed=False):
        """Count one result.

        :param host: for whom it ran.
        :param delegate: where it ran instead; empty for the host itself.
        :param local: whether it ran on the controller.
        :param item: whether it is one item of a loop; a loop's own result is the sum of its items and is not counted again.
        """
        if changed:
            self._changed.add((host, task))
        if failed:
            self._failed.add((host, task))
        if loop and not item:
            return
        if local or action in CONTROLLER_ACTIONS:
            self._put(host, "controller", task)
        elif delegate and delegate != host:
            self._put(host, "delegated", task)
            self._put(delegate, "connection", task)
        else:
            self._put(host, "connection", task)

    def _put(self, host, where, task):
        self._counts.setdefault(host, {"connection": 0, "controller": 0, "delegated": 0})[where] += 1
        self._tasks.setdefault(host, []).append([task, where])

    def report(self):
        """:returns: what the JSON file says."""
        hosts = {host: dict(counts, total=sum(counts.values())) for host, counts in sorted(self._counts.items())}
        return {
            "hosts": hosts,
            "most": {what: max((one[what] for one in hosts.values()), default=0) for what in ("connection", "total")},
            "changed": sorted(map(list, self._changed)),
            "failed": sorted(map(list, self._failed)),
            "tasks": self._tasks,
        }
