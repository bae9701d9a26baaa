# Copyright (c) 2026, ironrack.cluster contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Keeps the garbage collector of Ansible's workers away from the memory that they share with the process that they are forked from.

Every task is a fork for each host. A worker whose collector looks through what it inherited writes to all of it, so that the kernel copies the
inventory of all hosts page by page, for nothing: it ends a moment later. What is frozen is passed over (gc.freeze of Python, made for this).

It stands in this folder because Ansible loads callbacks from beside a playbook by itself.
"""
from __future__ import annotations

import gc

from ansible.plugins.callback import CallbackBase

DOCUMENTATION = """
name: frozen_heap
type: aggregate
short_description: Keep the garbage collector of workers away from shared memory
description: Freezes what the controlling process has before each task, so that workers do not copy it. It prints nothing.
"""


class CallbackModule(CallbackBase):
    """Freezes the heap; called in the process that forks."""

    CALLBACK_VERSION = 2.0
    CALLBACK_TYPE = "aggregate"
    CALLBACK_NAME = "frozen_heap"

    def v2_playbook_on_play_start(self, play):
        # What is frozen is never freed, so that the garbage goes first. Once a play: looking through everything takes a while.
        gc.collect()
        gc.freeze()

    def v2_playbook_on_task_start(self, task, is_conditional):
        gc.freeze()

    def v2_playbook_on_handler_task_start(self, task):
        gc.freeze()
