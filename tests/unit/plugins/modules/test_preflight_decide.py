# Copyright (c) 2026, ironrack.cluster contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Preflight on a host: recorded probes and what they lead to."""
from __future__ import annotations

import copy

import pytest

from ansible_collections.ironrack.cluster.plugins.module_utils._preflight.decide import CHECKS, Wants, decide, disk_folders, ports

PARTS = ("mirror", "load_balancers", "etcd", "control_plane", "workers", "gpu_workers", "pki")
WANTS = Wants("192.0.2.21", PARTS, "standard", 6443, 7443, ("192.0.2.10:7443", "192.0.2.21:6443"), False)
GOOD = {
    "time": 1.0, "hostname": "cp1", "machine_id": "a", "machine": "x86_64", "kernel": "6.1.0-28-amd64", "python": [3, 11, 2], "uid": 0,
    "os": {"ID": "debian", "VERSION_ID": "12", "PRETTY_NAME": "Debian GNU/Linux 12 (bookworm)"}, "init": "systemd", "memory_mib": 16000,
    "disks": {folder: {"size_mib": 100000, "free_mib": 50000} for folder in disk_folders(PARTS)},
    "cgroup": {"version": 2, "controllers": ["cpu", "cpuset", "hugetlb", "io", "memory", "pids"]},
    "features": {"overlay": True, "vxlan": None, "nf_tables": True}, "listening": [], "addresses": ["127.0.0.1", "192.0.2.21", "::1"],
    "kubelet_server": "", "kubernetes_other": [], "etcd_manifest": False, "etcd_foreign_data": "", "runtimes": [],
    "openssl": "/usr/bin/openssl",
}
# check, what differs from the good probe, and what the problem must say
CASES = [
    ("root", {"uid": 1000}, "uid 1000"),
    ("operating_system", {"os": {"ID": "debian", "VERSION_ID": "11"}}, "debian 11"),
    ("operating_system", {"os": {"ID": "rocky", "VERSION_ID": "8.9"}}, "rocky 8.9"),
    ("operating_system", {"os": {"ID": "fedora", "VERSION_ID": "44"}}, "fedora"),
    ("operating_system", {"os": {}}, "an unknown system"),
    ("machine", {"machine": "aarch64"}, "aarch64"),
    ("python", {"python": [3, 7, 3]}, "3.7.3"),
    ("systemd", {"init": "init"}, "init"),
    ("memory", {"memory_mib": 2000}, "2000 MiB"),
    ("disk", {"disks": {"/var/lib/etcd": {"size_mib": 4000, "free_mib": 3000}}}, "/var/lib/etcd has 4000"),
    ("disk", {"disks": {"/var/lib/containerd": {"size_mib": 40000, "free_mib": 100}}}, "100 MiB free"),
    ("cgroups", {"cgroup": {"version": 2, "controllers": ["cpu", "cpuset", "pids"]}}, "memory"),
    ("cgroups", {"cgroup": {"version": 1, "controllers": ["cpu", "cpuset", "memory", "pids"]}}, "cgroup v1"),
    ("kernel", {"features": {"overlay": True, "vxlan": False}}, "vxlan"),
    ("free_ports", {"listening": [{"port": 2379, "address": "0.0.0.0", "process": "python3", "pid": "8"}]}, "held by python3 (pid 8)"),
    ("free_ports", {"listening": [{"port": 7443, "address": "::", "process": "kube-apiserver", "pid": "8"}]}, "or nginx"),
    ("free_ports", {"listening": [{"port": 10250, "address": "::", "process": "", "pid": ""}]}, "an unknown process"),
    ("own_address", {"addresses": ["127.0.0.1", "192.0.2.99"]}, "(192.0.2.99)"),
    ("foreign_cluster", {"kubelet_server": "198.51.100.1:6443"}, "198.51.100.1:6443"),
    ("foreign_cluster", {"kubernetes_other": ["/etc/rancher/k3s/k3s.yaml"]}, "k3s"),
    ("foreign_etcd", {"etcd_manifest": True}, "static pod"),
    ("foreign_etcd", {"etcd_foreign_data": "/var/lib/etcd/member"}, "/var/lib/etcd/member"),
    ("container_runtime", {"runtimes": ["crio", "dockerd"]}, "CRI-O and docker"),
    ("openssl", {"openssl": ""}, "no openssl"),
]


def probe(**differences):
    return dict(copy.deepcopy(GOOD), **differences)


def test_a_good_host_has_no_problem():
    assert decide(probe(), WANTS) == []


@pytest.mark.parametrize("check, differences, words", CASES, ids=["%s-%d" % (case[0], number) for number, case in enumerate(CASES)])
def test_a_bad_host_is_told(check, differences, words):
    found = decide(probe(**differences), WANTS)
    assert [problem["check"] for problem in found] == [check]
    assert words in found[0]["what"] + found[0]["expected"]
    assert found[0]["mend"]


def test_every_check_has_a_case():
    assert {check.__name__ for check in CHECKS} == {case[0] for case in CASES}


def test_a_built_host_passes():
    held = [{"port": port, "address": "0.0.0.0", "process": names[0], "pid": "9"} for port, names in ports(WANTS).items()]
    assert decide(probe(listening=held, kubelet_server="192.0.2.10:7443"), WANTS) == []
    assert decide(probe(listening=held, kubelet_server="192.0.2.21:6443"), WANTS) == []


def test_a_balancer_needs_no_node():
    bare = probe(cgroup={"version": 1, "controllers": []}, features={"overlay": False}, runtimes=["dockerd"], openssl="", memory_mib=800,
                 kubelet_server="198.51.100.1:6443",
                 listening=[{"port": 10250, "address": "::", "process": "x", "pid": "1"}])
    assert decide(bare, WANTS._replace(parts=("load_balancers",))) == []


@pytest.mark.parametrize("system", [("debian", "13"), ("ubuntu", "22.04"), ("ubuntu", "24.04"), ("rhel", "9.6"), ("almalinux", "9")])
def test_known_systems(system):
    assert decide(probe(os={"ID": system[0], "VERSION_ID": system[1]}), WANTS) == []


def test_the_lab_is_content_with_less():
    small = probe(memory_mib=3000, disks={"/var": {"size_mib": 3000, "free_mib": 300}})
    assert {problem["check"] for problem in decide(small, WANTS)} == {"memory", "disk"}
    assert decide(small, WANTS._replace(profile="lab")) == []


def test_cgroup_v1_where_the_kubelet_is_told_to_take_it():
    old = probe(cgroup={"version": 1, "controllers": ["cpu", "cpuset", "memory", "pids"]})
    assert decide(old, WANTS._replace(cgroup_v1=True)) == []
