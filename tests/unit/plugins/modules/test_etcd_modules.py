# Copyright (c) 2026, ironrack.cluster contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The etcd modules as Ansible calls them, with a small program in etcdctl's place."""
from __future__ import annotations

import fcntl
import json

import pytest
from ansible.module_utils.testing import patch_module_args
from ansible_collections.ironrack.cluster.plugins.modules import etcd_cluster_info, etcd_member

ANSWERS = {
    "endpoint health": [{"endpoint": "https://a:2379", "health": True}, {"endpoint": "https://b:2379", "health": False, "error": "gone"}],
    "endpoint status": [{"Endpoint": "https://a:2379", "Status": {"header": {"member_id": 1}, "leader": 1, "version": "3.6.16"}}],
    "member list": {"header": {"cluster_id": 3}, "members": [
        {"ID": 1, "name": "a", "peerURLs": ["https://a:2380"], "clientURLs": ["https://a:2379"]},
        {"ID": 2, "name": "b", "peerURLs": ["https://b:2380"], "clientURLs": ["https://b:2379"]}]},
    "alarm list": {"alarms": [{"memberID": 1, "alarm": 1}]},
    "get /registry/": {"kvs": [{"key": "eA=="}], "count": 1},
    "get /none": {},
}


def call(capsys, module, **args):
    with patch_module_args(args), pytest.raises(SystemExit):
        module.main()
    return json.loads(capsys.readouterr().out)


@pytest.fixture
def args(tmp_path):
    for name in ("ca", "crt", "key"):
        (tmp_path / name).touch()
    (tmp_path / "etcdctl").write_text('#!/bin/sh\ncase "$*" in\n%s\nesac\n' % "\n".join(
        "*'%s'*) echo '%s';;" % (words, json.dumps(answer)) for words, answer in ANSWERS.items()))
    (tmp_path / "etcdctl").chmod(0o755)
    return {"endpoints": ["https://a:2379", "https://b:2379"], "etcdctl": str(tmp_path / "etcdctl"), "ca_file": str(tmp_path / "ca"),
            "cert_file": str(tmp_path / "crt"), "key_file": str(tmp_path / "key"), "keys": ["/registry/", "/none"]}


def test_info(capsys, args):
    result = call(capsys, etcd_cluster_info, **args)
    assert result["reachable"] and result["leader"] == "a" and result["keys"] == {"/registry/": True, "/none": False}
    assert result["errors"] == {"https://b:2379": "gone"} and result["alarms"][0]["alarm"] == "NOSPACE"


def test_info_waits_and_fails_with_what_it_saw(capsys, args):
    result = call(capsys, etcd_cluster_info, wait_healthy=1, expected_members=2, **args)
    assert result["failed"] and "1 of 2 expected members are healthy; b: gone" in result["msg"]
    assert not call(capsys, etcd_cluster_info, wait_healthy=1, expected_members=2, _ansible_check_mode=True, **args).get("failed")
    patient = call(capsys, etcd_cluster_info, wait_healthy=1, expected_members=2, fail_unhealthy=False, **args)
    assert not patient.get("failed") and patient["errors"] == {"https://b:2379": "gone"}


def test_info_fails_on_an_alarm(capsys, args):
    result = call(capsys, etcd_cluster_info, fail_on_alarm=True, **args)
    assert result["failed"] and "NOSPACE on a" in result["msg"]


def test_info_on_a_host_without_etcdctl(capsys, args):
    result = call(capsys, etcd_cluster_info, **dict(args, etcdctl="/nowhere/etcdctl"))
    assert not result["reachable"] and "not on this host" in result["errors"]["https://a:2379"]


def test_member_in_check_mode_on_a_fresh_host(capsys, tmp_path, monkeypatch):
    monkeypatch.setattr(etcd_member.Systemd, "show", lambda self, names: {names[0]: {"LoadState": "not-found", "ActiveState": "inactive"}})
    result = call(capsys, etcd_member, name="a", peer_url="https://127.0.0.1:1", members=[
        {"name": "a", "peer_url": "https://127.0.0.1:1", "client_url": "https://127.0.0.1:2", "address": "127.0.0.1"}],
        data_dir=str(tmp_path), etcdctl="/nowhere/etcdctl", formed_file=str(tmp_path / "formed"), unformed=["a"], _ansible_check_mode=True)
    assert result["changed"] and result["action"] == "bootstrap" and "because: no member" in result["diff"]["after"]


def test_a_member_module_that_a_killed_run_left_behind_is_waited_for(capsys, tmp_path, monkeypatch):
    monkeypatch.setattr(etcd_member, "RUN_DIR", str(tmp_path / "run"))
    (tmp_path / "run").mkdir()
    with open(tmp_path / "run" / "etcd.lock", "w") as left:
        fcntl.flock(left, fcntl.LOCK_EX)
        result = call(capsys, etcd_member, name="a", peer_url="https://127.0.0.1:1", wait=1, members=[
            {"name": "a", "peer_url": "https://127.0.0.1:1", "client_url": "https://127.0.0.1:2"}])
    assert result["failed"] and "etcd.lock; last seen: another run holds it" in result["msg"]
