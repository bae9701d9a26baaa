# Copyright (c) 2026, ironrack.cluster contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The verdict over all hosts."""
from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from ansible_collections.ironrack.cluster.plugins.action.preflight_verdict import ARGUMENTS
from ansible_collections.ironrack.cluster.plugins.modules import preflight_verdict as documented
from ansible_collections.ironrack.cluster.plugins.plugin_utils._preflight.verdict import judge

ROOT = Path(__file__).resolve().parents[4]


def result(host, ahead=0.0, slow=0.1, problems=()):
    return {"probe": {"machine_id": "id-" + host, "time": 1000.0 + ahead}, "controller_time": [1000.0 - slow, 1000.0 + slow],
            "problems": list(problems)}


def hosts(**changed):
    return dict({name: result(name) for name in ("a", "b", "c")}, **changed)


PROBLEM = {"check": "memory", "what": "little", "expected": "more", "mend": "add"}


def test_good_hosts_pass_in_one_line():
    verdict = judge(hosts())
    assert (verdict.ok, verdict.text, verdict.warnings) == (True, "3 hosts are fit for their parts", [])


def test_problems_of_all_hosts_come_at_once():
    verdict = judge(hosts(a=result("a", problems=[PROBLEM]), b=result("b", problems=[PROBLEM, PROBLEM]),
                          d={"silent": "no route to host."}))
    assert not verdict.ok and len(verdict.problems) == 3
    assert "3 of 4 hosts" in verdict.text and "no route to host" in verdict.text and verdict.text.count("little [memory]") == 3


def test_accepted_problems_are_warnings():
    verdict = judge(hosts(a=result("a", problems=[PROBLEM])), ["memory"])
    assert verdict.ok and "little" in verdict.warnings[0]


def test_no_host_and_no_probe_are_no_pass():
    assert not judge({}).ok
    assert not judge({"a": None}).ok


def test_one_machine_under_two_names():
    verdict = judge(hosts(b=result("a")))
    assert {(host, problem["check"]) for host, problem in verdict.problems} == {("a", "same_machine"), ("b", "same_machine")}


@pytest.mark.parametrize("ahead, slow, told", [(2.5, 0.1, True), (-2.5, 0.1, True), (1.9, 0.1, False), (4.0, 3.0, False), (0.0, 30.0, False)])
def test_a_clock_apart(ahead, slow, told):
    verdict = judge(hosts(a=result("a", ahead, slow)))
    assert [host for host, dummy in verdict.problems] == (["a"] if told else [])


def test_the_controllers_clock_is_only_a_warning():
    verdict = judge({name: result(name, 100.0) for name in "abc"})
    assert verdict.ok and "100.0 s" in verdict.warnings[0]


def test_the_documented_choices_are_those_that_exist():
    documentation = yaml.safe_load(documented.DOCUMENTATION)["options"]["accept"]["choices"]
    role = yaml.safe_load((ROOT / "roles/preflight/meta/argument_specs.yml").read_text())
    assert documentation == ARGUMENTS["accept"]["choices"]
    assert role["argument_specs"]["main"]["options"]["preflight_accept"]["choices"] == documentation


def test_the_playbook_names_everything_at_once(tmp_path):
    """One host that answers (this machine, at an address that is not its own) and one that does not."""
    (tmp_path / "ansible_collections" / "ironrack").mkdir(parents=True)
    (tmp_path / "ansible_collections" / "ironrack" / "cluster").symlink_to(ROOT)
    (tmp_path / "ansible.cfg").write_text("[defaults]\n")
    (tmp_path / "hosts.yml").write_text("""
all:
  children:
    control_plane: {hosts: {cp1: {ansible_host: 192.0.2.1, ansible_connection: local, ansible_become: false,
                                  ansible_python_interpreter: "{{ ansible_playbook_python }}"}}}
    etcd: {hosts: {cp1: {}}}
    mirror: {hosts: {w1: {}}}
    workers: {hosts: {w1: {ansible_host: 127.0.0.1, ansible_port: 1, cluster_node_address: 192.0.2.2, ansible_ssh_common_args: -F none}}}
    others: {hosts: {printer: {ansible_host: 127.0.0.1, ansible_port: 1}}}
""")
    done = subprocess.run(
        [str(Path(sys.executable).with_name("ansible-playbook")), "-i", str(tmp_path / "hosts.yml"), str(ROOT / "playbooks/preflight.yml")],
        env=dict(os.environ, ANSIBLE_COLLECTIONS_PATH=str(tmp_path), ANSIBLE_CONFIG=str(tmp_path / "ansible.cfg"), ANSIBLE_NOCOLOR="1"),
        cwd=tmp_path, capture_output=True, text=True, check=False, timeout=120)
    text = done.stdout + done.stderr
    assert done.returncode != 0
    assert "2 of 2 hosts cannot take their part yet" in text
    assert "192.0.2.1 is none of its addresses" in text and "w1:\n  - it cannot be reached" in text
    assert "the bundle:\n  - mirror_bundle is not set [bundle]" in text
