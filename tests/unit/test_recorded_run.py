# Copyright (c) 2026, ironrack.cluster contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The recorder of a run, in a real run of a playbook."""
from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time

import pytest

CALLBACKS = os.path.join(os.path.dirname(os.path.dirname(os.path.abspath(__file__))), "callbacks")

PLAYBOOK = """
- hosts: one,dead
  gather_facts: false
  tasks:
    - name: skipped
      ansible.builtin.command: {argv: ["true"]}
      when: false
    - name: excused
      ansible.builtin.command: {argv: ["false"]}
      when: inventory_hostname == 'one'
      ignore_errors: true
    - name: away
      ansible.builtin.ping:
      when: inventory_hostname == 'dead'
    - name: secret
      ansible.builtin.fail: {msg: hidden}
      no_log: true
      ignore_errors: true
    - name: told
      ansible.builtin.fail: {msg: "in two\\nlines"}
- hosts: one
  gather_facts: false
  tasks:
    - name: told
      ansible.builtin.debug: {msg: never}
"""


STOPPED = """
- hosts: one
  gather_facts: false
  tasks:
    - name: other
      ansible.builtin.debug: {msg: x}
    - name: once
      ansible.builtin.include_tasks: touch.yml
      vars: {path: first}
    - name: twice
      ansible.builtin.include_role: {name: toucher, apply: {tags: [x]}}
      vars: {path: second}
    - name: static
      ansible.builtin.import_role: {name: toucher}
      vars: {path: last}
"""
TOUCH = """
- name: same
  ansible.builtin.file: {path: "{{ playbook_dir }}/{{ path }}", state: touch, mode: "0600"}
"""


def prepared(tmp_path, text, **variables):
    """:returns: (argv, environment, path of the record)."""
    (tmp_path / "play.yml").write_text(text)
    tasks = tmp_path / "roles" / "toucher" / "tasks"
    tasks.mkdir(parents=True)
    for path in (tmp_path / "touch.yml", tasks / "main.yml"):
        path.write_text(TOUCH)
    (tmp_path / "ansible.cfg").touch()
    (tmp_path / "hosts").write_text(
        "one ansible_connection=local\ndead ansible_connection=ssh ansible_host=127.0.0.1 ansible_port=1\n[all:vars]\nansible_python_interpreter=%s\n" % (
            sys.executable))
    record = tmp_path / "out" / "run.jsonl"
    environment = dict(
        os.environ, HOME=str(tmp_path), ANSIBLE_CONFIG=str(tmp_path / "ansible.cfg"), ANSIBLE_CALLBACK_PLUGINS=CALLBACKS,
        ANSIBLE_CALLBACKS_ENABLED="recorded_run", RECORDED_RUN_FILE=str(record), ANSIBLE_LOCAL_TEMP=str(tmp_path / "tmp"), **variables)
    playbook = os.path.join(os.path.dirname(sys.executable), "ansible-playbook")
    return [playbook, "-i", str(tmp_path / "hosts"), str(tmp_path / "play.yml")], environment, record


def test_a_run_is_recorded_while_it_goes_on(tmp_path):
    argv, environment, record = prepared(tmp_path, PLAYBOOK)
    done = subprocess.run(argv, env=environment, capture_output=True, text=True, check=False, cwd=str(tmp_path))
    assert done.returncode == 4, done.stdout + done.stderr
    lines = [json.loads(line) for line in record.read_text().splitlines()]
    assert lines[0]["event"] == "begin" and lines[-1]["event"] == "end"
    assert [line["at"] for line in lines] == sorted(line["at"] for line in lines)
    tasks = [(line["name"], line["action"]) for line in lines if line["event"] == "task"]
    assert tasks == [("skipped", "ansible.builtin.command"), ("excused", "ansible.builtin.command"), ("away", "ansible.builtin.ping"),
                     ("secret", "ansible.builtin.fail"), ("told", "ansible.builtin.fail")]
    assert not [line for line in lines if line["event"] == "changed"]
    failed = [line for line in lines if line["event"] == "failed"]
    assert [(line["host"], line["task"], line["ignored"]) for line in failed] == [
        ("one", "excused", True), ("dead", "away", False), ("one", "secret", True), ("one", "told", False)]
    assert failed[3]["message"] == "in two\nlines"
    assert "onnect" in failed[1]["message"]
    assert "hidden" not in record.read_text()


@pytest.mark.parametrize("stop, reached, made", [
    ([("same, by once", 1)], 3, set()), ([("nothing", 1), ("toucher : same, by twice", 1), ("toucher : same", 1)], 5, {"first"}),
    ([("toucher : same", 1)], 6, {"first", "second"}),
])
def test_a_run_stops_itself_at_the_start_of_a_task(tmp_path, stop, reached, made):
    argv, environment, record = prepared(tmp_path, STOPPED, RECORDED_RUN_STOP=json.dumps(stop))
    run = subprocess.Popen(argv, env=environment, cwd=str(tmp_path), stdout=subprocess.DEVNULL)
    try:
        limit = time.monotonic() + 60
        while os.waitid(os.P_PID, run.pid, os.WSTOPPED | os.WNOHANG) is None and time.monotonic() < limit:
            time.sleep(0.02)
        lines = [json.loads(line) for line in record.read_text().splitlines()]
        assert [line["name"] for line in lines if line["event"] == "task"] == [
            "other", "once", "same, by once", "twice", "toucher : same, by twice", "toucher : same"][:reached]
        assert [line["host"] for line in lines if line["event"] == "changed"] == ["one"] * len(made)
        assert {name for name in ("first", "second", "last") if (tmp_path / name).exists()} == made
    finally:
        run.send_signal(signal.SIGKILL)
        run.wait()
