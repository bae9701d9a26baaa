# Copyright (c) 2026, ironrack.cluster contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Keeps the garbage collector of Ansible's workers away from the memory that they share with the process that they are forked from.

Every task is a fork for each host. A worker whose collector looks through what it inherited writes to all of it, so that the kernel copies the
inventory of all hosts page by page, for nothing: it ends a moment later, and all of its memory with it. So its collector is off, and what is frozen is
passed over by the collector of the process that forks (gc.freeze of Python, made for this).

It stands in this folder because Ansible loads callbacks from beside a playbook by itself.
"""
from __future__ import annotations

import gc
import os

from ansible.plugins.callback import CallbackBase

DOCUMENTATION = """
name: frozen_heap
type: aggregate
short_description: Keep the garbage collector of workers away from shared memory
description: Freezes what the controlling process has before each task, and lets no worker collect garbage, so that none copies it. It prints nothing.
"""


class CallbackModule(CallbackBase):
    """Freezes the heap; called in the process that forks. Workers are forked from it and are told nothing."""

    CALLBACK_VERSION = 2.0
    CALLBACK_TYPE = "aggregate"
    CALLBACK_NAME = "frozen_heap"

    def __init__(self):
        super().__init__()
        os.register_at_fork(after_in_child=gc.disable)

    def v2_playbook_on_play_start(self, play):
        self._freeze()

    def v2_playbook_on_task_start(self, task, is_conditional):
        self._freeze()

    def v2_playbook_on_handler_task_start(self, task):
        self._freeze()

    @staticmethod
    def _freeze():
        # What is frozen is never freed, so that the garbage goes first. What was frozen before is not looked through again.
        gc.collect()
        gc.freeze()
