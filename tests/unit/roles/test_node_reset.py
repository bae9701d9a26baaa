# Copyright (c) 2026, ironrack.cluster contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What reset.yml refuses, and that nothing of etcd is ever deleted."""
from __future__ import annotations

import os
import subprocess
import sys

import pytest
import yaml

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__)))))
INVENTORY = """
[etcd]
cp1 ansible_host=192.0.2.1
cp2 ansible_host=192.0.2.2
cp3 ansible_host=192.0.2.3
[control_plane:children]
etcd
[workers]
gpu1 ansible_host=192.0.2.4
[all:vars]
cluster_name=rack7
cluster_endpoint=192.0.2.9
cluster_source=upstream
"""


def reset(folder, *options):
    """Run reset.yml up to its questions: it opens no connection there, and the tag keeps it from going on."""
    assert "ANSIBLE_COLLECTIONS_PATH" in os.environ, "it has to lead to this collection; `make unit` sets it"
    (folder / "hosts").write_text(INVENTORY)
    (folder / "ansible.cfg").touch()
    command = [os.path.join(os.path.dirname(sys.executable), "ansible-playbook"), "-i", str(folder / "hosts"), "--tags", "none",
               os.path.join(ROOT, "playbooks", "reset.yml")]
    environment = dict(os.environ, HOME=str(folder), ANSIBLE_CONFIG=str(folder / "ansible.cfg"))
    done = subprocess.run(command + list(options), env=environment, capture_output=True, text=True, check=False, cwd=str(folder))
    return done.returncode, done.stdout + done.stderr


@pytest.mark.parametrize("options", [(), ("-e", "reset_confirm=rack8"), ("-e", "reset_confirm=true")])
def test_it_asks_for_the_clusters_name_first(tmp_path, options):
    code, text = reset(tmp_path, *options)
    assert code != 0
    assert "Nothing was touched. This would take the cluster 'rack7' apart on " in text
    assert "-e reset_confirm=rack7" in text


def test_a_part_of_the_etcd_members_is_refused(tmp_path):
    code, text = reset(tmp_path, "-e", "reset_confirm=rack7", "--limit", "cp1,gpu1")
    assert code != 0
    assert "Nothing was touched. This is limited to a part of the etcd members (cp1 of cp1, cp2, cp3)" in text


@pytest.mark.parametrize("limit", ["all", "workers", "etcd"])
def test_all_members_or_none_are_no_obstacle(tmp_path, limit):
    code, text = reset(tmp_path, "-e", "reset_confirm=rack7", "--limit", limit)
    assert code == 0, text


def test_data_and_certificates_are_moved_and_never_deleted():
    with open(os.path.join(ROOT, "roles", "node_reset", "tasks", "main.yml"), encoding="utf-8") as stream:
        tasks = yaml.safe_load(stream)
    deleted = [path for task in tasks if task.get("ansible.builtin.file", {}).get("state") == "absent"
               for path in task.get("loop", [task["ansible.builtin.file"]["path"]])]
    assert deleted == ["/etc/cni/net.d", "/var/lib/cni", "/run/flannel", "/etc/kubernetes", "/etc/etcd/formed"]
    moved = [task["ansible.builtin.command"]["removes"] for task in tasks if task.get("ansible.builtin.command", {}).get("argv", [""])[0] == "mv"]
    assert moved == ["/var/lib/etcd/data", "{{ cluster.pki.store }}"]
    # Check mode is exact because every command says what it takes away.
    assert all("removes" in task["ansible.builtin.command"] for task in tasks if "ansible.builtin.command" in task)
