# Copyright (c) 2026, ironrack.cluster contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Before each fork nothing is left that a garbage collector would look through, and workers have none."""
from __future__ import annotations

import gc
import importlib.util
import multiprocessing
import weakref
from pathlib import Path

import pytest

PATH = Path(__file__).resolve().parents[2] / "playbooks" / "callback_plugins" / "frozen_heap.py"

EVENTS = [("v2_playbook_on_play_start", (None,)), ("v2_playbook_on_task_start", (None, False)), ("v2_playbook_on_handler_task_start", (None,))]


@pytest.fixture(name="callback")
def _callback():
    spec = importlib.util.spec_from_file_location("frozen_heap", PATH)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    yield module.CallbackModule()
    gc.unfreeze()


@pytest.mark.parametrize("event, arguments", EVENTS)
def test_what_is_there_is_frozen(callback, event, arguments):
    inventory = [{"host": number} for number in range(10000)]
    before = gc.get_freeze_count()
    getattr(callback, event)(*arguments)
    assert gc.get_freeze_count() >= before + len(inventory)
    assert not any(one is inventory for one in gc.get_objects())


@pytest.mark.parametrize("event, arguments", EVENTS)
def test_garbage_goes_before_it_is_frozen(callback, event, arguments):
    class Seen(dict):
        pass

    one = Seen()
    one["itself"] = one
    seen = weakref.ref(one)
    del one
    assert seen() is not None
    getattr(callback, event)(*arguments)
    assert seen() is None


def test_workers_collect_nothing_and_their_parent_does(callback):
    context = multiprocessing.get_context("fork")
    reading, writing = context.Pipe(duplex=False)
    worker = context.Process(target=lambda: writing.send(gc.isenabled()))
    worker.start()
    assert reading.poll(10) and reading.recv() is False
    worker.join(10)
    assert gc.isenabled()
