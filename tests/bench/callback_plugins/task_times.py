# Copyright (c) 2026, ironrack.cluster contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Says how long each task of a run took by the clock, over all hosts.

Set ANSIBLE_CALLBACK_PLUGINS to this folder, ANSIBLE_CALLBACKS_ENABLED=task_times and TASK_TIMES_FILE=PATH. The JSON file is a list of
[task, seconds, results that were not skipped, results that were], in the order of the tasks.
"""
from __future__ import annotations

import json
import time

from ansible.plugins.callback import CallbackBase

DOCUMENTATION = """
name: task_times
type: aggregate
short_description: Time tasks
description: Measures each task from its start to the start of the next one, and writes the times as JSON.
options:
  path:
    description: The file that is written at the end of the run.
    required: true
    env:
      - name: TASK_TIMES_FILE
"""


class CallbackModule(CallbackBase):
    """The clock."""

    CALLBACK_VERSION = 2.0
    CALLBACK_TYPE = "aggregate"
    CALLBACK_NAME = "task_times"
    CALLBACK_NEEDS_ENABLED = True

    def __init__(self, *args, **kwargs):
        super().__init__(*args, **kwargs)
        self._tasks = []
        self._last = time.monotonic()

    def v2_playbook_on_play_start(self, play):
        self._begin("PLAY " + play.get_name())

    def v2_playbook_on_task_start(self, task, is_conditional):
        self._begin(task.get_name())

    def v2_runner_on_ok(self, result):
        self._tasks[-1][2] += 1

    def v2_runner_on_failed(self, result, ignore_errors=False):
        self._tasks[-1][2] += 1

    def v2_runner_on_skipped(self, result):
        self._tasks[-1][3] += 1

    def v2_playbook_on_stats(self, stats):
        self._end()
        with open(self.get_option("path"), "w", encoding="utf-8") as stream:
            json.dump(self._tasks, stream, indent=1)

    def _begin(self, name):
        self._end()
        self._tasks.append([name, 0.0, 0, 0])

    def _end(self):
        now = time.monotonic()
        if self._tasks:
            self._tasks[-1][1] = round(now - self._last, 3)
        self._last = now
