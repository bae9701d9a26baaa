# Copyright (c) 2026, ironrack.cluster contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The counter of executed tasks, by itself and in a real run of a playbook."""
from __future__ import annotations

import importlib.util
import json
import os
import subprocess
import sys

CALLBACKS = os.path.join(os.path.dirname(os.path.dirname(os.path.abspath(__file__))), "callbacks")

PLAYBOOK = """
- hosts: one,two
  gather_facts: false
  tasks:
    - name: over the connection
      ansible.builtin.command: {argv: ["true"]}
      when: inventory_hostname == 'one'
    - name: two items, one skipped
      ansible.builtin.command: {argv: ["true"]}
      loop: [1, 2, 3]
      when: inventory_hostname == 'one' and item != 2
      changed_when: false
    - name: on the controller
      ansible.builtin.debug: {msg: hello}
    - name: delegated
      ansible.builtin.command: {argv: ["true"]}
      loop: [two, dead]
      delegate_to: "{{ item }}"
      when: inventory_hostname == ansible_play_hosts[0]
      ignore_unreachable: true
      changed_when: false
    - name: delegated to the controller
      ansible.builtin.command: {argv: ["true"]}
      delegate_to: localhost
      run_once: true
"""
# A connection that is neither ssh nor counted as local: every command runs here, under the name of another plugin.
CONNECTION = """
from ansible.plugins.connection.local import Connection as Local
from ansible.plugins.connection.local import DOCUMENTATION as Local_documentation
DOCUMENTATION = Local_documentation.replace('name: local', 'name: pretended')
class Connection(Local):
    transport = 'pretended'
"""


def counter():
    spec = importlib.util.spec_from_file_location("executed_tasks", os.path.join(CALLBACKS, "executed_tasks.py"))
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_a_loop_counts_its_items_and_not_itself():
    tally = counter().Tally()
    for dummy in range(3):
        tally.add("one", "loop", "ansible.builtin.command", item=True, loop=True, changed=True)
    tally.add("one", "loop", "ansible.builtin.command", loop=True, changed=True)
    assert tally.report()["hosts"]["one"] == {"connection": 3, "controller": 0, "delegated": 0, "total": 3}
    assert tally.report()["changed"] == [["one", "loop"]]


def test_a_delegated_task_counts_for_both():
    tally = counter().Tally()
    tally.add("one", "ask", "ironrack.cluster.etcd_cluster_info", delegate="two")
    report = tally.report()
    assert report["hosts"]["one"]["total"] == report["hosts"]["two"]["connection"] == 1
    assert report["hosts"]["one"]["connection"] == 0
    assert report["most"] == {"connection": 1, "total": 1}


def test_nothing_ran():
    assert counter().Tally().report()["most"] == {"connection": 0, "total": 0}


def test_a_real_run_is_counted(tmp_path):
    (tmp_path / "play.yml").write_text(PLAYBOOK)
    (tmp_path / "ansible.cfg").touch()
    (tmp_path / "connections").mkdir()
    (tmp_path / "connections" / "pretended.py").write_text(CONNECTION)
    (tmp_path / "hosts").write_text(
        "one ansible_connection=pretended\ntwo ansible_connection=pretended\ndead ansible_connection=ssh ansible_host=127.0.0.1 ansible_port=1\n"
        "[all:vars]\nansible_python_interpreter=%s\n" % sys.executable)
    environment = dict(
        os.environ, HOME=str(tmp_path), ANSIBLE_CONFIG=str(tmp_path / "ansible.cfg"),
        ANSIBLE_CALLBACK_PLUGINS=CALLBACKS, ANSIBLE_CALLBACKS_ENABLED="executed_tasks",
        ANSIBLE_CONNECTION_PLUGINS=str(tmp_path / "connections"), EXECUTED_TASKS_FILE=str(tmp_path / "out" / "tasks.json"),
        ANSIBLE_LOCAL_TEMP=str(tmp_path / "tmp"), ANSIBLE_REMOTE_TEMP=str(tmp_path / "remote"))
    playbook = os.path.join(os.path.dirname(sys.executable), "ansible-playbook")
    done = subprocess.run([playbook, "-i", str(tmp_path / "hosts"), str(tmp_path / "play.yml")], env=environment,
                          capture_output=True, text=True, check=False, cwd=str(tmp_path))
    assert done.returncode == 0, done.stdout + done.stderr
    report = json.loads((tmp_path / "out" / "tasks.json").read_text())
    assert report["hosts"] == {
        # over the connection: the command and two items; for it elsewhere: two delegated items; on the controller: debug and the last task
        "one": {"connection": 3, "controller": 2, "delegated": 2, "total": 7},
        "two": {"connection": 1, "controller": 1, "delegated": 0, "total": 2},
        "dead": {"connection": 1, "controller": 0, "delegated": 0, "total": 1},
    }
    assert report["most"] == {"connection": 3, "total": 7}
    assert report["changed"] == [["one", "delegated to the controller"], ["one", "over the connection"]]
