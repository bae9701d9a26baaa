# Copyright (c) 2026, ironrack.cluster contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The action cluster_model, in ansible-playbook runs: real inventories, templates, limits, and hosts that nobody can reach."""
from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[4]
PLAY = """
- hosts: all
  gather_facts: false
  tasks:
    - ironrack.cluster.cluster_model:
      run_once: true
      register: cluster
    - ansible.builtin.copy:
        content: "{{ cluster | to_json }}"
        dest: "{{ out }}"
      delegate_to: localhost
      run_once: true
      vars: {ansible_connection: local, ansible_python_interpreter: "{{ ansible_playbook_python }}"}
"""


@pytest.fixture(name="collections", scope="module")
def fixture_collections(tmp_path_factory):
    """The collection where Ansible looks for it, whatever folder the checkout is in."""
    root = tmp_path_factory.mktemp("collections")
    (root / "ansible_collections" / "ironrack").mkdir(parents=True)
    (root / "ansible_collections" / "ironrack" / "cluster").symlink_to(ROOT)
    return root


def run(collections, folder, inventory, *arguments):
    (folder / "play.yml").write_text(PLAY)
    (folder / "ansible.cfg").write_text("[defaults]\n")
    out = folder / "out.json"
    environment = dict(os.environ, ANSIBLE_COLLECTIONS_PATH=str(collections), ANSIBLE_CONFIG=str(folder / "ansible.cfg"), ANSIBLE_NOCOLOR="1")
    done = subprocess.run(
        [str(Path(sys.executable).with_name("ansible-playbook")), "-i", str(inventory), str(folder / "play.yml"), "-e", "out=%s" % out,
         *arguments], env=environment, cwd=folder, capture_output=True, text=True, check=False, timeout=120)
    text = done.stdout + done.stderr
    return text, json.loads(out.read_text()) if out.exists() else None


@pytest.mark.parametrize(("name", "kubeconfig"), [("onprem", "~/.ironrack/"), ("lab", "/artifacts/kubeconfig")])
def test_the_inventories_that_we_ship_are_good(collections, tmp_path, name, kubeconfig):
    text, model = run(collections, tmp_path, ROOT / "inventories" / name)
    assert model, text
    assert (len(model["hosts"]), model["limited"], model["endpoint"]["kind"]) == (9, False, "vip")
    assert kubeconfig in model["kubeconfig"]
    assert model["release"]["version"] == model["kubernetes_version"]


def test_a_limit_to_a_host_that_is_off(collections, tmp_path):
    text, model = run(collections, tmp_path, ROOT / "inventories" / "onprem", "--limit", "gpu3")
    assert model, text
    assert model["limited"] is True and len(model["hosts"]) == 9


def test_templates_groups_extra_variables_and_vault(collections, tmp_path):
    (tmp_path / "hosts.yml").write_text("""
all:
  vars:
    site: r1
    cluster_name: "{{ site }}-x"
    cluster_registry: {url: "https://{{ site }}.example.com", username: me, password: "{{ nobody_defined_this }}"}
  hosts: {printer: {}}
  children:
    control_plane:
      vars: {cluster_mtu: 1400}
      hosts: {cp1: {ansible_host: "{{ net }}.1", net: 192.0.2, zone: "{{ inventory_hostname }}"}}
    etcd: {hosts: {cp1: {}}}
""")
    text, model = run(collections, tmp_path, tmp_path / "hosts.yml", "-e", "cluster_api_port=7443")
    assert model, text
    assert (model["name"], model["network"]["mtu"], model["endpoint"]["address"]) == ("r1-x", 1400, "192.0.2.1:7443")
    assert model["hosts"]["cp1"]["zone"] == "cp1"
    assert model["registry"]["url"] == "https://r1.example.com"
    assert "printer" in text


def test_every_problem_is_told_at_once(collections, tmp_path):
    (tmp_path / "hosts.yml").write_text("""
all:
  vars: {cluster_vip: "{{ nothing }}", cluster_kubernetes_version: "1.36.9", cluster_pod_cidrr: x}
  children:
    control_plane: {hosts: {cp1: {ansible_host: cp1.example.com}}}
    etcd: {hosts: {cp1: {}, cp2: {ansible_host: 192.0.2.2}}}
""")
    text, model = run(collections, tmp_path, tmp_path / "hosts.yml")
    assert model is None
    for words in ("cluster_vip: its template cannot be evaluated", "did you mean 1.36.4", "did you mean cluster_pod_cidr",
                  "set cluster_node_address", "less safe than 1"):
        assert words in text
