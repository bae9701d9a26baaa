# Copyright (c) 2026, ironrack.cluster contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Preflight on a host: texts of kernels and systems."""
from __future__ import annotations

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
