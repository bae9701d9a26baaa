# Copyright (c) 2026, ironrack.cluster contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Every refusal of the model is turned red by one small change to a good inventory."""
from __future__ import annotations

import copy

import pytest

from ansible_collections.ironrack.cluster.plugins.plugin_utils._model.checks import CHECKS
from ansible_collections.ironrack.cluster.plugins.plugin_utils._model.model import derive
from ansible_collections.ironrack.cluster.plugins.plugin_utils._model.problems import report
from ansible_collections.ironrack.cluster.plugins.plugin_utils._model.variables import BY_NAME

RELEASES = {"1.36.4": {"version": "1.36.4", "components": {}, "images": []}, "1.35.4": {"version": "1.35.4"}}
HOSTS = {
    "ops1": ("10.77.0.5", "a", ["mirror"]), "lb1": ("10.77.0.11", "a", ["load_balancers"]), "lb2": ("10.77.0.12", "b", ["load_balancers"]),
    "cp1": ("10.77.0.21", "a", ["etcd", "control_plane"]), "cp2": ("10.77.0.22", "b", ["etcd", "control_plane"]),
    "cp3": ("10.77.0.23", "c", ["etcd", "control_plane"]), "gpu1": ("10.77.0.31", "a", ["workers", "gpu_workers"]),
    "gpu2": ("10.77.0.32", "b", ["workers", "gpu_workers"]), "gpu3": ("10.77.0.33", "c", ["workers", "gpu_workers"]),
}


class Inventory:
    """A good inventory that a case makes a bad one of."""

    def __init__(self):
        self.hosts = {name: {"ansible_host": address, "zone": zone} for name, (address, zone, dummy) in HOSTS.items()}
        self.groups = {"all": list(HOSTS)}
        for name, (dummy, dummy2, groups) in HOSTS.items():
            for group in groups:
                self.groups.setdefault(group, []).append(name)
        self.variables = {"cluster_vip": "10.77.0.10"}
        self.options = {}

    def drop(self, *names):
        for members in self.groups.values():
            members[:] = [name for name in members if name not in names]
        return self

    def set(self, **variables):
        self.variables.update(variables)
        return self

    def host(self, name, **variables):
        self.hosts[name].update(variables)
        return self

    def rename(self, old, new):
        self.hosts[new] = self.hosts.pop(old)
        for members in self.groups.values():
            members[:] = [new if name == old else name for name in members]
        return self

    def add(self, group, *names):
        self.groups.setdefault(group, []).extend(names)
        return self

    def derive(self):
        return derive(copy.deepcopy(self.hosts), copy.deepcopy(self.groups), self.variables, RELEASES, **self.options)


# check, what makes it red, and what its text must hold
CASES = [
    ("types", lambda i: i.set(cluster_api_port="https"), "a port number"),
    ("types", lambda i: i.set(cluster_kubernetes_version=1.36), "in quotes"),
    ("types", lambda i: i.set(cluster_pod_cidr="10.244.0.1/16"), "host bits zero"),
    ("types", lambda i: i.set(cluster_profile="prodution"), "did you mean production"),
    ("types", lambda i: i.set(cluster_registry={"url": "https://r", "pasword": "x"}), "did you mean password"),
    ("types", lambda i: i.host("cp1", zone=False), "put it in quotes"),
    ("types", lambda i: i.host("cp1", zone="room a"), "host cp1, zone"),
    ("types", lambda i: i.host("cp1", cluster_node_labels={"a/b/c": "d"}), "Kubernetes labels"),
    ("types", lambda i: i.host("gpu1", cluster_node_taints=["gpu:Never"]), "a taint"),
    ("types", lambda i: i.set(cluster_vip="10.77.0.300"), "an IP address"),
    ("types", lambda i: i.host("cp1", cluster_node_address="127.0.0.1"), "no loopback"),
    ("types", lambda i: i.set(cluster_ntp_servers=["ok.example.com", 5]), "entry 2"),
    ("types", lambda i: i.set(cluster_apiserver_extra_args={"--audit": "x"}), "without leading dashes"),
    ("unknown_variable", lambda i: i.set(cluster_kubernets_version="1.36.4"), "did you mean cluster_kubernetes_version"),
    ("unknown_variable", lambda i: i.host("cp1", cluster_node_adress="1.2.3.4"), "did you mean cluster_node_address"),
    ("unknown_variable", lambda i: i.set(cluster_vpi="10.77.0.10"), "did you mean cluster_vip"),
    ("unknown_variable", lambda i: i.set(cluster_version="1.36.4"), "did you mean cluster_kubernetes_version"),
    ("one_value", lambda i: i.host("cp1", cluster_mtu=1400).host("cp2", cluster_mtu=1500), "group_vars/all"),
    ("host_address", lambda i: i.host("cp1", ansible_host="cp1.example.com"), "set cluster_node_address"),
    ("host_names", lambda i: i.rename("gpu1", "GPU_1"), "name it gpu-1"),
    ("host_names", lambda i: i.rename("gpu1", "10.77.0.31"), "ansible_host"),
    ("group_names", lambda i: i.drop("gpu1").add("all", "gpu1").add("gpu-worker", "gpu1"), "the group gpu_workers"),
    ("group_names", lambda i: i.drop("gpu1").add("all", "gpu1").add("kube_node", "gpu1"), "the group workers"),
    ("address_family", lambda i: i.host("cp1", ansible_host="fd00::21"), "an IPv4 address"),
    ("address_family", lambda i: i.set(cluster_address_family="ipv6"), "an IPv6 address"),
    ("addresses_unique", lambda i: i.host("cp1", ansible_host="10.77.0.22"), "share the address 10.77.0.22"),
    ("control_plane_present", lambda i: i.groups.update(control_plane=[]), "Kubernetes API"),
    ("etcd_odd", lambda i: i.groups.update(etcd=[]), "it has no host"),
    ("etcd_odd", lambda i: i.groups.update(etcd=["cp1", "cp2"]), "less safe than 1"),
    ("etcd_odd", lambda i: i.groups.update(etcd=["cp1", "cp2", "cp3", "gpu1"]), "adds no safety"),
    ("release_known", lambda i: i.set(cluster_kubernetes_version="1.36.5"), "did you mean 1.36.4"),
    ("pod_and_service_networks_apart", lambda i: i.set(cluster_service_cidr="10.244.128.0/20"), "overlap"),
    ("host_networks_apart", lambda i: i.set(cluster_pod_cidr="10.64.0.0/10"), "holds the addresses of"),
    ("host_networks_apart", lambda i: i.set(cluster_service_cidr="10.77.0.128/26"), "overlaps the VIP's network"),
    ("pod_network_size", lambda i: i.set(cluster_pod_cidr="10.244.0.0/22"), "room for 4 nodes"),
    ("pod_network_size", lambda i: i.set(cluster_pod_cidr="128.0.0.0/3"), "at least /8"),
    ("service_network_size", lambda i: i.set(cluster_service_cidr="10.96.0.0/29"), "8 addresses"),
    ("vip_prefix_fits", lambda i: i.set(cluster_vip_prefix=64), "at most 30"),
    ("vip_free", lambda i: i.set(cluster_vip="10.77.0.21"), "address of host cp1"),
    ("vip_free", lambda i: i.set(cluster_vip="10.77.0.255"), "broadcast"),
    ("vip_in_balancers_network", lambda i: i.set(cluster_vip="10.78.0.10"), "lb1, lb2"),
    ("vip_has_balancers", lambda i: i.drop("lb1", "lb2"), "cluster_endpoint"),
    ("several_control_planes_have_an_endpoint", lambda i: i.drop("lb1", "lb2").set(cluster_vip=None), "3 hosts and nothing in front"),
    ("several_balancers_have_a_vip", lambda i: i.set(cluster_vip=""), "set cluster_vip"),
    ("balancer_port_free", lambda i: i.add("load_balancers", "cp1"), "port 6443"),
    ("api_port_free", lambda i: i.set(cluster_api_port="2379"), "the port of etcd"),
    ("pki_host_known", lambda i: i.set(cluster_pki_host="opss1"), "did you mean ops1"),
    ("mirror_present", lambda i: i.drop("ops1").set(cluster_source="mirror"), "group mirror has no host"),
    ("proxy_readable", lambda i: i.set(cluster_proxy={"http": "proxy:3128"}), "write the scheme"),
    ("proxy_readable", lambda i: i.set(cluster_proxy={"https": "http://me:hunter2@proxy:3128"}), "holds a login"),
    ("registry_readable", lambda i: i.set(cluster_registry={"username": "me"}), "it is missing"),
    ("own_authorities_complete", lambda i: i.set(cluster_pki_etcd_ca={"cert": "/a.crt"}), "key is missing"),
]


@pytest.mark.parametrize("check, spoil, words", CASES, ids=["%s-%d" % (case[0], number) for number, case in enumerate(CASES)])
def test_a_bad_inventory_is_refused(check, spoil, words):
    inventory = Inventory()
    spoil(inventory)
    derived = inventory.derive()
    assert derived.model is None
    assert check in [problem.check for problem in derived.problems]
    told = report([problem for problem in derived.problems if problem.check == check])
    assert words in told
    assert "hunter2" not in told


def test_every_check_has_a_case():
    assert {check.name for check in CHECKS} <= {case[0] for case in CASES}


def test_checks_need_variables_that_exist():
    assert {name for check in CHECKS for name in check.needs} <= set(BY_NAME)


def test_a_good_inventory_has_no_problem():
    derived = Inventory().derive()
    assert (derived.problems, derived.warnings) == ([], [])


def test_all_problems_come_at_once():
    inventory = Inventory().set(cluster_vip="nonsense", cluster_mtu="big", cluster_pod_cidr="10.96.0.0/12")
    inventory.groups["etcd"].pop()
    derived = inventory.derive()
    assert {problem.where for problem in derived.problems} >= {"cluster_vip", "cluster_mtu", "group etcd"}
    assert "4 things to mend" in report(derived.problems)


def test_a_wrong_value_raises_no_second_problem():
    assert len(Inventory().set(cluster_vip="10.77.0.300").derive().problems) == 1


@pytest.mark.parametrize("name", [
    "lonely_variable", "cluster_of_another_collection", "cluster_state", "cluster_exists", "cluster_summary", "cluster_health_wait",
    "cluster_addons_coredns_replicas"])
def test_other_variables_are_left_alone(name):
    assert Inventory().set(**{name: 1}).derive().problems == []


def test_hosts_of_no_group_are_told():
    derived = Inventory().add("all", "printer").derive()
    assert derived.problems == []
    assert "printer" in derived.warnings[0]
    assert "printer" not in derived.model["hosts"]


def test_text_of_surveys_is_read():
    model = Inventory().set(cluster_api_port="7443", cluster_packages_from_mirror="no", cluster_extra_sans="a.example.com, 192.0.2.9").derive().model
    assert model["endpoint"]["port"] == 7443
    assert model["packages_from_mirror"] is False
    assert {"a.example.com", "192.0.2.9"} <= set(model["apiserver_sans"])
