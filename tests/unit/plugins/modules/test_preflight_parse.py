# Copyright (c) 2026, ironrack.cluster contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Preflight on a host: texts of kernels and systems."""
from __future__ import annotations

import json
import sys

import pytest

from ansible_collections.ironrack.cluster.plugins.module_utils._preflight import parse, read
from ansible_collections.ironrack.cluster.plugins.module_utils._preflight.decide import Wants, decide

TCP = """  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode
   0: 0100007F:094B 00000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 1592 1 00000000efeccd13 100 0 0 10 0
   1: 0100007F:D431 0100007F:094B 01 00000000:00000000 00:00000000 00000000     0        0 1593 1 00000000efeccd13 20 4 30 10 -1
"""
TCP6 = """  sl  local_address                         remote_address                        st tx_queue rx_queue tr tm->when retrnsmt   uid
   0: 00000000000000000000000001000000:192B 00000000000000000000000000000000:0000 0A 00000000:00000000 00:00000000 00000000 0 0 777 1 0
"""
FIB = """Local:
  +-- 0.0.0.0/0 3 0 5
        |-- 10.77.0.0
           /32 link BROADCAST
           |-- 10.77.0.21
              /32 host LOCAL
           |-- 127.0.0.1
              /32 host LOCAL
Local:
           |-- 10.77.0.21
              /32 host LOCAL
"""


def test_listeners():
    assert parse.listeners(TCP) == [("127.0.0.1", 2379, "1592")]
    assert parse.listeners(TCP6) == [("::1", 6443, "777")]
    assert parse.listeners("") == []


def test_addresses():
    assert parse.local_ipv4(FIB) == ["10.77.0.21", "127.0.0.1"]
    assert parse.local_ipv6("20010db8000000000000000000000021 02 40 00 80 eth0\n") == ["2001:db8::21"]


def test_os_release():
    assert parse.os_release('# no\nID=debian\nVERSION_ID="12"\n\n') == {"ID": "debian", "VERSION_ID": "12"}


def test_memory():
    assert parse.memory_mib("MemTotal:       24684472 kB\nMemFree: 1 kB\n") == 24105
    assert parse.memory_mib("") == 0


def test_cgroups():
    assert parse.cgroup_v1_controllers("#subsys_name\thierarchy\tnum_cgroups\tenabled\ncpu\t2\t1\t1\nmemory\t4\t2\t0\n") == ["cpu"]


def test_kernel():
    config = parse.kernel_config("CONFIG_A=y\nCONFIG_B=m\n# CONFIG_C is not set\nCONFIG_D=\"x\"\n")
    assert config == {"CONFIG_A": "y", "CONFIG_B": "m"}
    modules = parse.module_names("kernel/net/b-r.ko.xz: kernel/net/x.ko\n", "kernel/fs/overlay.ko\n")
    assert modules == {"b_r", "overlay"}


@pytest.mark.parametrize("config, modules, filesystems, expected", [
    ({"CONFIG_X": "y"}, set(), [], True), ({"CONFIG_X": "m"}, {"x"}, [], True), ({"CONFIG_X": "m"}, {"other"}, [], False),
    ({"CONFIG_X": "m"}, set(), [], None), ({"CONFIG_Y": "y"}, set(), [], False), ({}, set(), ["x"], True), ({}, {"other"}, [], False),
    ({}, set(), [], None)])
def test_features(config, modules, filesystems, expected):
    assert parse.features({"x": ("CONFIG_X", "x")}, config, modules, filesystems) == {"x": expected}


@pytest.mark.parametrize("text, server", [
    ("clusters:\n- cluster:\n    server: https://10.77.0.10:6443\n  name: x\n", "10.77.0.10:6443"),
    ('{"clusters": [{"cluster": {"server": "https://[2001:db8::1]:6443"}}]}', "[2001:db8::1]:6443"), ("", "")])
def test_kubeconfig_server(text, server):
    assert parse.kubeconfig_server(text) == server


def test_a_real_machine_can_be_read():
    wants = Wants("192.0.2.1", ("etcd", "control_plane", "mirror", "pki"), "lab", 6443, 6443, (), False)
    seen = read.probe(wants)
    assert seen["memory_mib"] > 0 and seen["disks"]["/var"]["size_mib"] > 0 and "127.0.0.1" in seen["addresses"]
    assert "own_address" in [problem["check"] for problem in decide(seen, wants)]


def test_who_listens_is_found(monkeypatch):
    import socket
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        monkeypatch.setattr(read, "ports", lambda wants: {port: ("etcd",)})
        seen = [entry for entry in read.probe(Wants("", (), "lab", 1, 1, (), False))["listening"] if entry["port"] == port]
    assert seen and seen[0]["address"] == "127.0.0.1" and seen[0]["process"]


RAISES, MAY_NOT = "CapBnd:\t000001ffffffffff\n", "CapBnd:\t000001fffeffffff\n"


@pytest.mark.parametrize("hard, status, nr_open, expected", [
    ("20000", MAY_NOT, "1048576\n", 20000), ("20000", RAISES, "1048576\n", 1048576), ("20000", RAISES, "", 20000), ("20000", "", "1048576", 20000),
    ("unlimited", MAY_NOT, "", sys.maxsize)])
def test_open_files(hard, status, nr_open, expected):
    limits = "Limit                     Soft Limit           Hard Limit           Units\nMax open files            1024                 %s      files\n" % hard
    assert parse.open_files(limits, status, nr_open) == expected


def test_open_files_that_nothing_tells():
    assert parse.open_files("", "", "") is None


@pytest.mark.parametrize("text, expected", [("2260\t0\t9223372036854775807\n", 9223372036854773547), ("900 0 1000", 100), ("", None), ("a b c", None)])
def test_free_files(text, expected):
    assert parse.free_files(text) == expected


@pytest.mark.parametrize("text, expected", [
    ("    image: registry.k8s.io/kube-apiserver:v1.36.4\n", "1.36.4"), ('{"image":"10.77.0.5:5000/kube-apiserver:v1.35.4"}', "1.35.4"),
    ("    image: registry.k8s.io/kube-scheduler:v1.36.4\n", ""), ("    image: registry.k8s.io/kube-apiserver@sha256:1.2.3\n", ""), ("", "")])
def test_image_version(text, expected):
    assert parse.image_version(text, "kube-apiserver") == expected


@pytest.mark.parametrize("text, expected", [
    ("/opt/ironrack/kubernetes/1.36.4/kubelet-v1.36.4", "1.36.4"), ("/usr/bin/kubelet", ""), ("/opt/1.2.3/kubelet-1.36.4-1.1", "1.36.4"), ("", "")])
def test_version_in(text, expected):
    assert parse.version_in(text) == expected


def need(name, port, parts):
    return {"name": name, "hosts": ["x"], "servers": ["127.0.0.1:1", "127.0.0.1:%d" % port], "parts": parts}


@pytest.mark.parametrize("made, parts, kubelet, asked", [
    ((), ["etcd"], "", ["etcd", "mirror"]), (("ETCD_FORMED",), ["etcd"], "", ["mirror"]), (("SERVICE_CA",), ["workers"], "", ["api"]),
    (("SERVICE_CA",), ["workers"], "192.0.2.1:6443", []), ((), ["workers"], "192.0.2.1:6443", ["mirror"]), ((), ["load_balancers"], "", []),
    (("SERVICE_CA",), ["control_plane"], "", ["etcd"])])
def test_only_what_a_bare_host_lacks_has_to_answer(monkeypatch, tmp_path, made, parts, kubelet, asked):
    for name in ("ETCD_FORMED", "SERVICE_CA"):
        monkeypatch.setattr(read, name, str(tmp_path / name))
        if name in made:
            (tmp_path / name).touch()
    needs = [need("etcd", 1, ["etcd", "control_plane"]), need("api", 1, ["workers"]), need("mirror", 1, ["etcd", "control_plane", "workers"])]
    assert [one["name"] for one in needs if read._lacks(one, parts, kubelet)] == asked


def test_one_server_that_answers_is_enough(monkeypatch, tmp_path):
    import socket
    monkeypatch.setattr(read, "SERVICE_CA", str(tmp_path / "absent"))
    with socket.create_server(("127.0.0.1", 0)) as server:
        wants = Wants("", ("etcd",), "lab", 1, 1, (), False, left_out=(need("mirror", server.getsockname()[1], ["etcd"]),))
        assert read.probe(wants)["no_answer"] == []
    assert read.probe(wants)["no_answer"] == ["mirror"]


def test_what_runs_is_read_where_a_kubelet_is(monkeypatch, tmp_path):
    (tmp_path / "kubelet-v1.36.4").touch()
    (tmp_path / "kubelet").symlink_to("kubelet-v1.36.4")
    monkeypatch.setattr(read, "KUBELETS", (str(tmp_path / "absent"), str(tmp_path / "kubelet")))
    conf = tmp_path / "kubelet.conf"
    monkeypatch.setattr(read, "KUBELET_CONF", str(conf))
    assert read.probe(Wants("", (), "lab", 1, 1, (), False))["versions"] == {}
    conf.write_text("server: https://192.0.2.1:6443\n")
    assert read.probe(Wants("", (), "lab", 1, 1, (), False))["versions"]["kubelet"] == "1.36.4"


def test_what_a_node_was_built_with(tmp_path):
    api = "    - --advertise-address=192.0.2.1\n    - --secure-port=6443\n    - --service-cluster-ip-range=10.96.0.0/16\n"
    manager = "    - --cluster-cidr=10.244.0.0/16\n    - --cluster-name=ironrack\n"
    # What follows the name in a certificate is a sequence, whose tag is the letter 0.
    certificate = b"\x30\x18\x0c\x0fsystem:node:cp1\x30\x59"
    found = parse.built({"kube-apiserver": api, "kube-controller-manager": manager}, "clusterDNS:\n- 10.96.0.10\nclusterDomain: cluster.local\n",
                        "", certificate)
    assert found == {
        "cluster_api_port": "6443", "cluster_service_cidr": "10.96.0.0/16", "cluster_pod_cidr": "10.244.0.0/16", "cluster_name": "ironrack",
        "cluster_domain": "cluster.local", "cluster_node_address": "192.0.2.1", "node name": "cp1"}
    worker = parse.built({}, "", 'KUBELET_KUBEADM_ARGS="--hostname-override=gpu1 --node-ip=192.0.2.7 --node-labels=a=b"', b"")
    assert worker == {"cluster_node_address": "192.0.2.7"}
    assert parse.built({}, "", "", b"") == {} and parse.node_name(b"system:node:x") == ""


def test_a_balancer_names_the_api_servers_that_the_inventory_lost(tmp_path, monkeypatch):
    config = tmp_path / "balancer-health.json"
    monkeypatch.setattr(read, "BALANCER", str(config))
    monkeypatch.setattr(read, "_answers", lambda servers: servers != ["192.0.2.4:6443"])
    assert read._removed(("192.0.2.1:6443",)) == []
    config.write_text(json.dumps({"servers": [{"name": "cp%d" % number, "address": "192.0.2.%d" % number, "port": 6443} for number in (1, 3, 4)]}))
    # One that answers nobody is gone: the balancer may forget it.
    assert read._removed(("192.0.2.1:6443",)) == [{"name": "cp3", "server": "192.0.2.3:6443"}]
    config.write_text("no json")
    assert read._removed(("192.0.2.1:6443",)) == []
