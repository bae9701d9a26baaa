# Copyright (c) 2026, ironrack.cluster contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

from pathlib import Path

import pytest
import yaml
from ansible_collections.ironrack.cluster.lab import inventory, settings
from ansible_collections.ironrack.cluster.lab.shell import LabError

INVENTORIES = settings.REPOSITORY / "inventories"
VARS = {"lab_subnet": "10.77.0.0/24", "lab_gateway": "10.77.0.1", "lab_dns": "10.77.0.5"}


def parse(children, variables=None):
    return inventory.parse({"all": {"vars": VARS if variables is None else variables, "children": children}}, Path("hosts.yml"))


def test_the_default_topology():
    topology = inventory.load(INVENTORIES / "lab")
    assert {host.name: (host.address, host.zone) for host in topology.hosts.values()} == {
        "ops1": ("10.77.0.5", "a"), "lb1": ("10.77.0.11", "a"), "lb2": ("10.77.0.12", "b"),
        "cp1": ("10.77.0.21", "a"), "cp2": ("10.77.0.22", "b"), "cp3": ("10.77.0.23", "c"),
        "gpu1": ("10.77.0.31", "a"), "gpu2": ("10.77.0.32", "b"), "gpu3": ("10.77.0.33", "c")}
    assert topology.hosts["cp1"].groups == ("etcd", "control_plane")
    assert topology.hosts["gpu1"].groups == ("workers", "gpu_workers")
    assert topology.memory_gib == 12.0
    assert topology.hosts["cp1"].mac == "02:00:0a:4d:00:15"


def test_the_small_topologies():
    assert list(inventory.load(INVENTORIES / "lab-small").hosts) == ["ops1", "cp1", "gpu1"]
    own_etcd = inventory.load(INVENTORIES / "lab-etcd")
    assert [host.name for host in own_etcd.select(["etcd"])] == ["etcd1", "etcd2", "etcd3"]
    assert own_etcd.hosts["cp1"].groups == ("control_plane",)
    assert own_etcd.memory_gib < 12


@pytest.mark.parametrize("name", ["lab", "lab-small", "lab-own", "lab-etcd", "lab-ipv6", "lab-releases", "lab-opensearch", "lab-whole"])
def test_every_lab_inventory_has_the_same_network_and_group_vars(name):
    data = yaml.safe_load((INVENTORIES / name / "hosts.yml").read_text())
    assert {key: data["all"]["vars"][key] for key in VARS} == VARS
    assert (INVENTORIES / name / "group_vars" / "all" / "connection.yml").resolve() == INVENTORIES / "lab" / "group_vars" / "all" / "connection.yml"


def test_hosts_of_the_ipv6_lab_have_both_addresses():
    topology = inventory.load(INVENTORIES / "lab-ipv6")
    assert topology.gateway6 == "fd00:77::1/64"
    assert {name: (host.address, host.address6) for name, host in topology.hosts.items()}["cp1"] == ("10.77.0.21", "fd00:77::21")
    assert inventory.load(INVENTORIES / "lab").hosts["cp1"].address6 == ""


def test_the_inventory_names_the_user_of_the_image():
    connection = yaml.safe_load((INVENTORIES / "lab" / "group_vars" / "all" / "connection.yml").read_text())
    assert connection["ansible_user"] == settings.USER
    assert f" {settings.USER};" in (settings.REPOSITORY / "lab" / "image" / "Containerfile").read_text()


def test_select_takes_hosts_and_groups_in_the_inventory_order():
    topology = inventory.load(INVENTORIES / "lab")
    assert [host.name for host in topology.select(["gpu1", "load_balancers", "ops1"])] == ["ops1", "lb1", "lb2", "gpu1"]
    assert len(topology.select([])) == 9
    with pytest.raises(LabError, match="w9: no such host or group"):
        topology.select(["w9"])


def test_every_fault_of_an_inventory_is_named_at_once():
    with pytest.raises(LabError) as raised:
        parse({"workers": {"hosts": {"w1": {"ansible_host": "10.78.0.1", "zone": "a"}, "w2": {"ansible_host": "10.77.0.9"},
                                     "w3": {"ansible_host": "10.77.0.9", "zone": "c", "cluster_node_address": "fd00::9"}}}})
    assert "w1: 10.78.0.1 is outside" in str(raised.value)
    assert "w2 lacks zone" in str(raised.value)
    assert "w3 and w2 both have 10.77.0.9" in str(raised.value)
    assert "w3 has a cluster_node_address, and all.vars lacks lab_gateway6" in str(raised.value)


def test_an_inventory_without_the_lab_network_is_refused():
    with pytest.raises(LabError, match="lacks lab_subnet, lab_gateway, lab_dns, so it is no lab inventory"):
        parse({}, {})


def test_a_missing_inventory_is_named(tmp_path):
    with pytest.raises(LabError, match="no lab inventory there"):
        inventory.load(tmp_path)
