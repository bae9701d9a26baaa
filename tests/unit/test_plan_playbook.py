# Copyright (c) 2026, ironrack.cluster contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The playbook of a plan, run for real on a stand-in for site.yml: whatever the options, it writes nothing, and it predicts what a run changes.

The stand-in has the plays of site.yml with all their keywords, and tasks that write files in place of the roles. It stands in a collection of
this one's name, whose other parts are this one's, so that the playbook is called by its full name as a user calls it.
"""
from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

ROOT = Path(__file__).resolve().parents[2]
PLAYBOOKS = ROOT / "playbooks"
SWITCHABLE = "{{ ansible_check_mode or cluster_plan | default(false) | bool }}"

TASKS = """
- name: Write
  ansible.builtin.copy: {content: x, dest: "{{ target }}/{{ inventory_hostname }}-{{ ansible_play_name }}"}
- name: Write three
  ansible.builtin.copy: {content: x, dest: "{{ target }}/{{ inventory_hostname }}-{{ ansible_play_name }}-{{ item }}"}
  loop: [a, b, c]
  when: inventory_hostname == 'gpu1'
- name: Write in silence
  ansible.builtin.copy: {content: "{{ secret }}", dest: "{{ target }}/{{ inventory_hostname }}-{{ ansible_play_name }}-silent"}
  no_log: true
- name: Write elsewhere
  ansible.builtin.copy: {content: x, dest: "{{ target }}/{{ ansible_play_name }}-elsewhere"}
  delegate_to: localhost
  run_once: true
- name: Write from an included file
  ansible.builtin.include_tasks: included.yml
- name: Warn
  ironrack.cluster.warn:
  when: inventory_hostname == 'gpu1'
- name: Fail
  ansible.builtin.fail: {msg: the disk is full}
  when: inventory_hostname == broken | default('')
"""
INCLUDED = """
- name: Write, included
  ansible.builtin.copy: {content: x, dest: "{{ target }}/{{ inventory_hostname }}-{{ ansible_play_name }}-included"}
"""
WARN = """
from ansible.module_utils.basic import AnsibleModule
module = AnsibleModule({}, supports_check_mode=True)
module.warn('this is not rolled out')
module.exit_json(changed=False)
"""
INVENTORY = {"all": {
    "vars": {"cluster_name": "site", "ansible_connection": "local", "ansible_become": False, "ansible_python_interpreter": sys.executable},
    "children": {
        "mirror": {"hosts": {"ops1": {"ansible_host": "192.0.2.5"}}},
        "etcd": {"hosts": {"cp1": {"ansible_host": "192.0.2.21"}}}, "control_plane": {"hosts": {"cp1": {}}},
        "workers": {"hosts": {"gpu1": {"ansible_host": "192.0.2.31"}}}}}}


def tasks_of(path):
    """:returns: every task of a file, those in blocks too."""
    found, waiting = [], list(yaml.safe_load(path.read_text()) or [])
    while waiting:
        task = waiting.pop()
        found.append(task)
        for part in ("block", "rescue", "always", "tasks", "pre_tasks", "post_tasks", "handlers"):
            waiting += task.get(part) or []
    return found


def stand_in():
    """:returns: site.yml with tasks that write in place of its own."""
    plays = yaml.safe_load((PLAYBOOKS / "site.yml").read_text())
    for play in plays:
        if "hosts" in play:
            play.pop("roles", None)
            # The last play is the long one; one task shows for each of the others that it is a plan as well.
            play["tasks"] = yaml.safe_load(TASKS)[:None if play is plays[-1] else 1]
    return plays


class Site:
    """A folder with the stand-in, an inventory, and what runs leave there."""

    def __init__(self, folder):
        self.folder, self.target = folder, folder / "target"
        collection = folder / "collections" / "ansible_collections" / "ironrack" / "cluster"
        collection.mkdir(parents=True)
        for name in ("meta", "roles", "galaxy.yml"):
            (collection / name).symlink_to(ROOT / name)
        for part in ("plugins", "playbooks"):
            (collection / part).mkdir()
            for path in (ROOT / part).iterdir():
                if path.name not in ("modules", "site.yml", "__pycache__"):
                    (collection / part / path.name).symlink_to(path)
        (collection / "plugins" / "modules").mkdir()
        for path in (ROOT / "plugins" / "modules").glob("*.py"):
            (collection / "plugins" / "modules" / path.name).symlink_to(path)
        (collection / "plugins" / "modules" / "warn.py").write_text(WARN)
        (collection / "playbooks" / "site.yml").write_text(yaml.safe_dump(stand_in(), sort_keys=False))
        (collection / "playbooks" / "included.yml").write_text(INCLUDED)
        (folder / "hosts.yml").write_text(yaml.safe_dump(INVENTORY))
        (folder / "ansible.cfg").touch()
        self.target.mkdir()

    def run(self, name, *words):
        """:returns: the finished process, and the (host, task) pairs that it changed or predicted."""
        counts = self.folder / (name + ".json")
        environment = {name: value for name, value in os.environ.items() if not name.startswith("ANSIBLE_") and name != "PYTHONPATH"}
        environment.update(
            HOME=str(self.folder), ANSIBLE_CONFIG=str(self.folder / "ansible.cfg"), ANSIBLE_COLLECTIONS_PATH=str(self.folder / "collections"),
            ANSIBLE_CALLBACK_PLUGINS=str(ROOT / "tests" / "callbacks"), ANSIBLE_CALLBACKS_ENABLED="executed_tasks", EXECUTED_TASKS_FILE=str(counts),
            ANSIBLE_LOCAL_TEMP=str(self.folder / "tmp"), ANSIBLE_REMOTE_TEMP=str(self.folder / "remote"), ANSIBLE_NOCOLOR="1")
        done = subprocess.run(
            [os.path.join(os.path.dirname(sys.executable), "ansible-playbook"), "-i", str(self.folder / "hosts.yml"), "ironrack.cluster." + name,
             "-e", "target=%s" % self.target, "-e", "cluster_kubeconfig=%s" % (self.folder / "out" / "kubeconfig"), "-e", "secret=swordfish", *words],
            cwd=self.folder, env=environment, capture_output=True, text=True, check=False)
        return done, json.loads(counts.read_text())["changed"]

    def written(self):
        """:returns: the names of what tasks have written."""
        return sorted(path.name for path in self.target.iterdir())


@pytest.fixture
def site(tmp_path):
    return Site(tmp_path)


def test_every_play_can_be_made_a_plan_and_no_task_of_the_site_opts_out():
    plays = [play for name in ("_model.yml", "site.yml") for play in yaml.safe_load((PLAYBOOKS / name).read_text()) if "hosts" in play]
    assert len(plays) > 3 and {play["check_mode"] for play in plays} == {SWITCHABLE}
    tasks = [task for path in sorted((ROOT / "roles").glob("*/tasks/*.yml")) for task in tasks_of(path)] + tasks_of(PLAYBOOKS / "site.yml")
    tasks += [task for path in sorted((PLAYBOOKS / "tasks").glob("*.yml")) for task in tasks_of(path)]
    assert len(tasks) > 60
    assert [task["name"] for task in tasks if "hosts" not in task and "check_mode" in task] == []


def test_a_plan_writes_nothing_and_predicts_what_a_run_changes(site):
    done, predicted = site.run("plan")
    assert done.returncode == 0, done.stdout + done.stderr
    assert site.written() == []
    plan = json.loads((site.folder / "out" / "site-plan.json").read_text())
    assert plan["changed"] == predicted and len(predicted) == 11
    assert plan["verdict"] == "changes" and plan["warnings"] == ["this is not rolled out"]
    assert ["gpu1", "Write three"] in predicted and ["cp1", "Write, included"] in predicted
    assert {one["where"] for one in plan["shared"]} == {"localhost"}
    assert "Plan for site" in done.stdout and (site.folder / "out" / "site-plan.html").exists()
    assert "swordfish" not in done.stdout + (site.folder / "out" / "site-plan.json").read_text()
    assert list((site.folder / "tmp").rglob("*plan*")) == []

    done, changed = site.run("site")
    assert done.returncode == 0, done.stdout + done.stderr
    assert len(site.written()) == 28
    assert changed == predicted
    assert "Plan for site" not in done.stdout


@pytest.mark.parametrize("words", [
    ["-e", "cluster_plan=false"],
    ["-e", "cluster_plan=", "--tags", "preflight"],
    ["-e", "cluster_plan=no", "--skip-tags", "always"],
    ["-e", "cluster_plan=false", "-e", "ansible_check_mode=false", "--start-at-task", "Write three"],
    ["-e", "cluster_plan=false", "--limit", "gpu1", "--skip-tags", "always"],
], ids=" ".join)
def test_no_option_makes_a_plan_write(site, words):
    done, changed = site.run("plan", *words)
    assert site.written() == [] and changed == []
    assert not (site.folder / "out").exists()
    if "--skip-tags" not in words and "--start-at-task" not in words:
        assert done.returncode != 0 and "to make the changes, run ironrack.cluster.site" in " ".join((done.stdout + done.stderr).split())


def test_a_template_that_says_yes_here_and_no_there_is_a_plan(site):
    done, changed = site.run("plan", "-e", """{"cluster_plan": "{{ inventory_hostname | default('') != '' }}"}""", "--limit", "gpu1")
    assert done.returncode == 0, done.stdout + done.stderr
    assert site.written() == [] and changed
    assert "--limit" in done.stdout


def test_a_host_that_fails_on_the_way_is_said_with_the_plan_of_the_others(site):
    done, predicted = site.run("plan", "-e", "broken=gpu1")
    assert done.returncode != 0 and site.written() == []
    plan = json.loads((site.folder / "out" / "site-plan.json").read_text())
    assert plan["verdict"] == "incomplete" and plan["changed"] == predicted
    assert [one["why"] for host in plan["hosts"] for one in host["unknown"] if host["name"] == "gpu1"] == ["the disk is full"]
