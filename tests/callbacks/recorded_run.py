# Copyright (c) 2026, ironrack.cluster contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Records a run while it goes on: when each task starts, where it changes something, and what fails with which message. A run that is killed
leaves what it came to.

Set ANSIBLE_CALLBACK_PLUGINS to this folder, ANSIBLE_CALLBACKS_ENABLED=recorded_run and RECORDED_RUN_FILE=PATH. The file has one JSON object
a line: ``event`` (begin, task, changed, failed, end), ``at`` (seconds of the machine's monotonic clock, so that another process can compare),
for a task its ``name`` (with ``, by INCLUDE`` where an include brought it: one file may come twice) and ``action``, for a change ``host`` and
``task``, for a failure these, ``message``, and ``ignored`` where the task said so.

RECORDED_RUN_STOP=JSON, a list of tasks, each a name as recorded and which one of that name it is, has the run stop itself (SIGSTOP) at the start
of the first of them that it comes to, before anything of it has left for a host: somebody else, who looks now and then, would kill it when it is
under way already.
"""
from __future__ import annotations

import json
import os
import signal
import time

from ansible.playbook.task_include import TaskInclude
from ansible.plugins.callback import CallbackBase

DOCUMENTATION = """
name: recorded_run
type: aggregate
short_description: Record when each task starts, what changes and what fails
description: Writes a line for each task as it starts, each change and each failure, at once, so that somebody else can follow the run.
options:
  path:
    description: The file that is written.
    required: true
    env:
      - name: RECORDED_RUN_FILE
  stop:
    description: "As JSON: the tasks at whose start the run stops itself, each a name and which one of that name."
    type: str
    default: ""
    env:
      - name: RECORDED_RUN_STOP
"""


class CallbackModule(CallbackBase):
    """The recorder."""

    CALLBACK_VERSION = 2.0
    CALLBACK_TYPE = "aggregate"
    CALLBACK_NAME = "recorded_run"
    CALLBACK_NEEDS_ENABLED = True

    def __init__(self, *args, **kwargs):
        super().__init__(*args, **kwargs)
        self._stream = None
        self._counts = {}

    def v2_playbook_on_start(self, playbook):
        self._write("begin")

    def v2_playbook_on_task_start(self, task, is_conditional):
        name = name_of(task)
        self._counts[name] = self._counts.get(name, 0) + 1
        self._write("task", name=name, action=str(getattr(task, "resolved_action", None) or task.action))
        if self.get_option("stop") and [name, self._counts[name]] in json.loads(self.get_option("stop")):
            os.kill(os.getpid(), signal.SIGSTOP)

    def v2_playbook_on_handler_task_start(self, task):
        self.v2_playbook_on_task_start(task, False)

    def v2_runner_on_ok(self, result):
        if result.result.get("changed"):
            self._write("changed", host=result.host.get_name(), task=result.task.get_name())

    def v2_runner_on_failed(self, result, ignore_errors=False):
        self._failed(result, ignore_errors)

    def v2_runner_item_on_failed(self, result):
        self._failed(result, bool(result.task.ignore_errors))

    def v2_runner_on_unreachable(self, result):
        self._failed(result, bool(result.task.ignore_unreachable))

    def v2_playbook_on_stats(self, stats):
        self._write("end")

    def _failed(self, result, ignored):
        # Ansible has already taken the text out of a result that must not be seen.
        outcome = result.result
        words = [str(outcome.get(name) or "").strip() for name in ("msg", "module_stderr", "reason")]
        self._write("failed", host=result.host.get_name(), task=result.task.get_name(), message=" / ".join(word for word in words if word),
                    ignored=bool(ignored))

    def _write(self, event, **fields):
        if self._stream is None:
            folder = os.path.dirname(self.get_option("path"))
            os.makedirs(folder or ".", exist_ok=True)
            self._stream = open(self.get_option("path"), "w", encoding="utf-8")
        self._stream.write(json.dumps(dict(fields, event=event, at=time.monotonic())) + "\n")
        self._stream.flush()


def name_of(task):
    """:returns: a task's name, with that of the include that brought it."""
    parent = task._parent
    while parent is not None:
        if isinstance(parent, TaskInclude) and not parent.statically_loaded:
            return "%s, by %s" % (task.get_name(), parent.get_name())
        parent = parent._parent
    return task.get_name()
