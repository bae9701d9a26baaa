# Copyright (c) 2026, ironrack.cluster contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Turns of the hosts of one run, with processes that are really side by side."""
from __future__ import annotations

import json
import multiprocessing
import time
from unittest import mock

import pytest
from ansible.errors import AnsibleActionFail

from ansible_collections.ironrack.cluster.plugins.action import kubeadm_node as action
from ansible_collections.ironrack.cluster.plugins.plugin_utils._rollout.turns import BOOK, Stopped, Turns, may_begin, most


@pytest.mark.parametrize("words, hosts, number", [("10%", 3, 1), ("10%", 100, 10), ("10%", 0, 1), ("2", 3, 2), (5, 3, 5), ("0", 9, 1), ("100%", 7, 7)])
def test_how_many_at_a_time(words, hosts, number):
    assert most(words, hosts) == number


@pytest.mark.parametrize("words", ["many", "-1", "", "%", "-5%", "1.5"])
def test_what_is_no_number(words):
    with pytest.raises(ValueError):
        most(words, 10)


@pytest.mark.parametrize("busy, zone, limit, waits", [
    ([], "a", 1, ""), (["a"], "a", 2, ""), (["a"], "a", 1, "h0 is at work"), (["a", "a"], "a", 2, "h0, h1 are at work"),
    (["a"], "b", 9, "hosts of zone a are at work"), ([""], "b", 9, r"hosts of zone (none) are at work")])
def test_who_may_begin(busy, zone, limit, waits):
    assert may_begin([{"host": "h%d" % number, "zone": one} for number, one in enumerate(busy)], zone, limit) == waits


def at_work(folder, host, zone, limit, log):
    with Turns(folder, sleep=lambda seconds: time.sleep(0.005)).turn("worker", host, zone, limit):
        log.put((time.monotonic_ns(), "begin", host, zone))
        time.sleep(0.03)
        log.put((time.monotonic_ns(), "end", host, zone))


def test_zones_and_batches_of_processes(tmp_path):
    context = multiprocessing.get_context("fork")
    log = context.Queue()
    hosts = [("h%d" % number, "abc"[number % 3]) for number in range(9)]
    processes = [context.Process(target=at_work, args=(str(tmp_path), host, zone, 2, log)) for host, zone in hosts]
    for process in processes:
        process.start()
    # By the clock that all of them have: each process has a thread that hands its events on, and a late one is no late event.
    events = sorted(log.get(timeout=20) for _event in range(18))
    for process in processes:
        process.join()
    busy = {}
    for _at, kind, host, zone in events:
        busy.pop(host) if kind == "end" else busy.update({host: zone})
        assert len(busy) <= 2 and len(set(busy.values())) <= 1
    assert json.loads((tmp_path / BOOK).read_text()) == {"busy": [], "failed": {}}


def test_nobody_begins_after_one_that_failed(tmp_path):
    turns = Turns(str(tmp_path))
    with pytest.raises(ValueError):
        with turns.turn("control_plane", "cp1", "", 1):
            raise ValueError("no such flag")
    with pytest.raises(Stopped, match="gpu1 was left as it is, because cp1 failed before it: no such flag"):
        with turns.turn("worker", "gpu1", "a", 1):
            raise AssertionError("it began")


def test_a_turn_that_was_killed_is_a_failure(tmp_path):
    (tmp_path / BOOK).write_text(json.dumps({"busy": [{"kind": "worker", "host": "gpu1", "zone": "a", "pid": 1}], "failed": {}}))
    with pytest.raises(Stopped, match="gpu1 failed before it: its turn was cut off"):
        with Turns(str(tmp_path), alive=lambda pid: False).turn("worker", "gpu2", "a", 2):
            raise AssertionError("it began")


def test_control_planes_do_not_wait_for_workers(tmp_path):
    turns = Turns(str(tmp_path), sleep=mock.Mock(side_effect=AssertionError("it waits")))
    with turns.turn("worker", "gpu1", "a", 1), turns.turn("control_plane", "cp1", "", 1):
        pass


def run(tmp_path, monkeypatch, answers, check_mode=False, **arguments):
    monkeypatch.setattr(action.constants, "DEFAULT_LOCAL_TMP", str(tmp_path))
    task = mock.Mock(args=dict({"role": "worker", "node_name": "gpu1"}, **arguments), check_mode=check_mode, async_val=0, action="x")
    runner = action.ActionModule(task=task, connection=mock.Mock(), play_context=mock.Mock(), loader=None, templar=None, shared_loader_obj=None)
    runner._execute_module = mock.Mock(side_effect=answers)
    result = runner.run(task_vars={"inventory_hostname": "gpu1"})
    return result, [call.kwargs["module_args"]["roll_out"] for call in runner._execute_module.call_args_list]


OPEN = {"changed": False, "action": "roll_out", "rollout": {"open": True, "steps": ["the kubelet restarts"]}}
DONE = {"changed": True, "action": "roll_out", "rollout": {"open": False, "steps": ["the kubelet restarts"]}}
NOTHING = {"changed": False, "action": "none", "rollout": {"open": False, "steps": []}}


def test_nothing_to_do_costs_one_call_and_no_turn(tmp_path, monkeypatch):
    assert run(tmp_path, monkeypatch, [NOTHING]) == (NOTHING, [False])
    assert not (tmp_path / BOOK).exists()


def test_what_is_open_is_done_in_a_turn(tmp_path, monkeypatch):
    assert run(tmp_path, monkeypatch, [OPEN, DONE]) == (DONE, [False, True])
    assert (tmp_path / BOOK).exists()


def test_a_check_run_takes_no_turn(tmp_path, monkeypatch):
    predicted = dict(OPEN, changed=True)
    assert run(tmp_path, monkeypatch, [predicted], check_mode=True) == (predicted, [False])
    assert run(tmp_path, monkeypatch, [OPEN], roll_out=False) == (OPEN, [False])


def test_a_join_stays_what_the_task_did(tmp_path, monkeypatch):
    joined = dict(OPEN, changed=True, action="join")
    result, _calls = run(tmp_path, monkeypatch, [joined, DONE])
    assert (result["action"], result["rollout"]) == ("join", DONE["rollout"])


def test_a_failure_is_told_and_stops_the_others(tmp_path, monkeypatch):
    result, _calls = run(tmp_path, monkeypatch, [OPEN, {"failed": True, "msg": "the kubelet is dead"}])
    assert result["failed"] and result["msg"] == "the kubelet is dead"
    result, calls = run(tmp_path, monkeypatch, [OPEN])
    assert result["failed"] and "gpu1 failed before it: the kubelet is dead" in result["msg"] and calls == [False]


def test_a_number_that_is_none_is_refused(tmp_path, monkeypatch):
    with pytest.raises(AnsibleActionFail, match="max_unavailable is 'some'"):
        run(tmp_path, monkeypatch, [NOTHING], max_unavailable="some")
