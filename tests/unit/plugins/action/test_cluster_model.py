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
INVENTORY = """
all:
  children:
    control_plane: {hosts: {cp1: {ansible_host: 192.0.2.1}}}
    etcd: {hosts: {cp1: {}}}
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


@pytest.mark.parametrize("name", sorted(path.name for path in (ROOT / "inventories").glob("lab-*")))
def test_the_other_labs_are_good(collections, tmp_path, name):
    text, model = run(collections, tmp_path, ROOT / "inventories" / name)
    assert model and model["profile"] == "lab", text


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


def test_secrets_in_the_files_of_an_inventory(collections, tmp_path):
    """Vault and templates pass; what is clear is named by file and line, in the inventory, beside it and beside the playbook, and never shown."""
    inventory = tmp_path / "site"
    for folder in ("group_vars/all", "host_vars"):
        (inventory / folder).mkdir(parents=True)
    (inventory / "hosts.yml").write_text(INVENTORY)
    (inventory / "group_vars" / "all" / "kept.yml").write_text("ansible_become_password: \"{{ lookup('env', 'SUDO') }}\"\n")
    (tmp_path / "vault-password").write_text("x")
    arguments = ("--vault-password-file", str(tmp_path / "vault-password"))
    vault = [str(Path(sys.executable).with_name("ansible-vault")), "encrypt", *arguments, "--output", str(inventory / "group_vars/all/vault.yml")]
    subprocess.run(vault, input="ansible_password: hunter1\n", text=True, check=True, capture_output=True, timeout=60)
    text, model = run(collections, tmp_path, inventory, *arguments)
    assert model, text
    (tmp_path / "out.json").unlink()
    (inventory / "group_vars" / "all" / "registry.yml").write_text("---\ncluster_registry:\n  url: https://r.example.com\n  password: hunter2\n")
    (inventory / "host_vars" / "cp1.yml").write_text("ansible_become_password: hunter3\n")
    (tmp_path / "group_vars").mkdir()
    (tmp_path / "group_vars" / "all.yml").write_text("ansible_ssh_pass: hunter4\n")
    text, model = run(collections, tmp_path, inventory, *arguments)
    assert model is None
    for words in ("site/group_vars/all/registry.yml line 4, cluster_registry.password", "site/host_vars/cp1.yml line 1, ansible_become_password",
                  "group_vars/all.yml line 1, ansible_ssh_pass", "3 things to mend"):
        assert words in text
    assert "hunter" not in text


def test_a_limit_that_leaves_no_host_of_the_cluster(collections, tmp_path):
    (tmp_path / "hosts.yml").write_text(INVENTORY + "    others: {hosts: {printer: {}}}\n")
    text, model = run(collections, tmp_path, tmp_path / "hosts.yml", "--limit", "printer")
    assert model is None
    assert "--limit: it leaves no host of this cluster (printer). Expected: at least one of cp1" in text


def test_what_is_set_for_roles_is_judged_with_the_rest_and_a_template_of_later_knowledge_is_left_alone(collections, tmp_path):
    inventory = tmp_path / "hosts.yml"
    inventory.write_text(INVENTORY + """
  vars:
    cluster_name: No Label
    load_balancer_missed_adverts: many
    host_sysctls: {a: 1}
    etcd_wait: "{{ cluster.later }}"
""")
    text, model = run(collections, tmp_path, inventory)
    assert model is None and "3 things to mend" in text, text
    for words in ("cluster_name", "load_balancer_missed_adverts (cp1)", "did you mean host_sysctl"):
        assert words in text
    assert "etcd_wait" not in text
