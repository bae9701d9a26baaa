# Copyright (c) 2026, ironrack.cluster contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A run is killed with all that it started, where it was to be, and a kill that hits nothing is told."""
from __future__ import annotations

import json
import os
import subprocess
import sys
import time

import pytest
from ansible_collections.ironrack.cluster.tests.scenarios import common, kill_chain, kill_points, midway

# A run as ansible-playbook is one: it writes the record, and its worker leads a session of its own.
RUN = """
import json, os, subprocess, sys, time
stream = open(os.environ["RECORDED_RUN_FILE"], "w")
def say(event, **fields):
    stream.write(json.dumps(dict(fields, event=event, at=time.monotonic())) + chr(10))
    stream.flush()
say("begin")
worker = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)"], start_new_session=True)
open(os.environ["RECORDED_RUN_FILE"] + ".worker", "w").write(str(worker.pid))
for name, seconds in json.loads(sys.argv[1]):
    say("task", name=name, action="a")
    time.sleep(seconds)
worker.kill()
say("end")
"""


@pytest.fixture
def run(tmp_path, monkeypatch):
    """:returns: a function that kills a run of the given tasks, (name, seconds), at a point."""
    def begin(tasks, name, delay):
        def prepared(_inventory, _name, _words, record, _variables):
            followed = tmp_path / (record + ".jsonl")
            return ([sys.executable, "-c", RUN, json.dumps(tasks)], dict(os.environ, RECORDED_RUN_FILE=str(followed)), tmp_path / "log",
                    tmp_path / "counts", followed)
        monkeypatch.setattr(kill_chain, "prepared", prepared)
        inside = kill_chain.killed("inventory", kill_points.Point(name, 1, "x", delay), [("last", 1)], "kill")
        return inside, int((tmp_path / "kill.jsonl.worker").read_text()), (tmp_path / "kill.jsonl").read_text()
    return begin


def is_alive(process):
    try:
        with open("/proc/%d/stat" % process) as stream:
            return stream.read().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


def test_a_run_is_killed_inside_of_a_task_with_its_worker(run):
    inside, worker, text = run([("one", 0.2), ("two", 30)], "two", 0.3)
    assert inside
    assert kill_points.steps(text)[-1].name == "two"
    limit = time.monotonic() + 5
    while is_alive(worker) and time.monotonic() < limit:
        time.sleep(0.05)
    assert not is_alive(worker)


def test_a_task_that_was_over_sooner_is_told(run):
    inside, _worker, text = run([("one", 0.2), ("two", 30)], "one", 10)
    assert not inside
    assert kill_points.steps(text)[-1].name == "two"


def test_a_task_that_nothing_included_this_time_is_told(run):
    inside, _worker, text = run([("one", 0.2), ("last", 30)], "two", 10)
    assert not inside
    assert kill_points.steps(text)[-1].name == "last"


@pytest.mark.parametrize("name, words", [("two", "never came there"), ("one", "ended before")])
def test_a_kill_that_hits_nothing_is_red(run, name, words):
    with pytest.raises(common.NotProved, match=words):
        run([("one", 0.1)], name, 20)


def test_the_machine_knows_its_own_family():
    child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)"], start_new_session=True)
    try:
        assert child.pid in kill_points.family(kill_chain.parents(), os.getpid())
    finally:
        child.kill()
        child.wait()


def failed(host, message):
    return (host, "a task", message)


def test_one_clear_error():
    midway.told("full disk", [failed("gpu1", "x could not be downloaded: [Errno 28] No space left on device"), failed("cp1", "node gpu1 is missing")],
                "gpu1", ["No space left on device"], ["gpu1"])


@pytest.mark.parametrize("seen", [
    [failed("gpu1", "MODULE FAILURE")],
    [failed("gpu1", "No space left on device"), failed("cp1", "etcd does not answer")],
    [failed("cp1", "No space left on device")],
])
def test_an_error_that_is_not_clear(seen):
    with pytest.raises(common.NotProved):
        midway.told("full disk", seen, "gpu1", ["No space left on device"], ["gpu1"])


def test_a_fault_strikes_once_after_its_delay(tmp_path):
    record, struck = tmp_path / "record", []
    striker = midway.Striker(record, kill_points.Point("one", 1, "x", 0.2), lambda: struck.append(time.monotonic()))
    striker.start()
    begun = time.monotonic()
    record.write_text(json.dumps({"event": "task", "name": "one", "action": "a", "at": begun}) + "\n")
    striker.join(timeout=5)
    assert striker.struck
    assert len(struck) == 1 and struck[0] - begun >= 0.2


def test_a_fault_that_finds_no_run_gives_up(tmp_path):
    striker = midway.Striker(tmp_path / "none", kill_points.Point("one", 1, "x", 0.2), lambda: None)
    striker.start()
    striker.end()
    assert not striker.struck and not striker.is_alive()


def test_a_real_run_dies_with_its_workers(tmp_path, monkeypatch):
    """Since core 2.19 each worker of Ansible leads a session, and so a process group, of its own."""
    (tmp_path / "play.yml").write_text(
        "- hosts: one,two\n  gather_facts: false\n  tasks:\n    - name: short\n      ansible.builtin.debug: {msg: x}\n"
        "    - name: long\n      ansible.builtin.command: {argv: [sleep, '61.75']}\n")
    (tmp_path / "hosts").write_text(
        "one ansible_connection=local\ntwo ansible_connection=local\n[all:vars]\nansible_python_interpreter=%s\n" % sys.executable)
    (tmp_path / "ansible.cfg").touch()
    monkeypatch.setenv("ANSIBLE_CONFIG", str(tmp_path / "ansible.cfg"))
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setattr(common, "OUTPUT", tmp_path / "state" / "artifacts")

    def prepared(inventory, name, words, record, variables):
        _argv, environment, log, counts, followed = common.prepared(inventory, name, words, record, variables)
        playbook = os.path.join(os.path.dirname(sys.executable), "ansible-playbook")
        return [playbook, "-i", str(tmp_path / "hosts"), str(tmp_path / "play.yml")], environment, log, counts, followed

    monkeypatch.setattr(kill_chain, "prepared", prepared)
    # Two seconds: until the worker has started the module and that the command.
    assert kill_chain.killed("inventory", kill_points.Point("long", 1, "x", 2.0), [], "kill")
    end = time.monotonic() + 10     # a process that was sent SIGKILL ends when it is next given a processor
    while [entry for entry in os.listdir("/proc") if entry.isdigit() and sleeps(entry)]:
        assert time.monotonic() < end
        time.sleep(0.05)


def sleeps(process):
    try:
        with open("/proc/%s/cmdline" % process, "rb") as stream:
            return stream.read().split(b"\0")[:2] == [b"sleep", b"61.75"]
    except OSError:
        return False
