# Copyright (c) 2026, ironrack.cluster contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The modules' results, their failures and their check mode, without a cluster."""
from __future__ import annotations

import json

import pytest
from ansible.module_utils.testing import patch_module_args

from ansible_collections.ironrack.cluster.plugins.module_utils._common.errors import IronrackError
from ansible_collections.ironrack.cluster.plugins.module_utils._health.verdict import Observation
from ansible_collections.ironrack.cluster.plugins.modules import cluster_health_info, network_check

EXPECTED = {"name": "lab", "kubernetes_version": "1.36.4", "domain": "cluster.local", "endpoint": "10.77.0.10:6443", "api_servers": [],
            "nodes": [], "etcd_members": [], "balancers": []}


def run(module, capsys, check_mode=False, **arguments):
    arguments = dict({"kubeconfig": "/nonexistent/lab.kubeconfig", "expected": EXPECTED}, **arguments)
    with patch_module_args(dict(arguments, _ansible_check_mode=check_mode)):
        with pytest.raises(SystemExit) as ended:
            module.main()
    return ended.value.code, json.loads(capsys.readouterr().out)


def test_without_a_kubeconfig_everything_is_inconclusive_and_the_task_fails(capsys):
    code, result = run(cluster_health_info, capsys)
    assert code == 1
    assert result["ok"] is False
    assert {one["verdict"] for one in result["conditions"]} == {"inconclusive"}
    assert "api_endpoint_answers and 15 more (inconclusive): seen: there is no kubeconfig at /nonexistent/lab.kubeconfig" in result["msg"]


def test_a_plan_of_a_cluster_that_is_not_built_yet_does_not_fail(capsys):
    code, result = run(cluster_health_info, capsys, check_mode=True, enforce="not_in_check_mode", wait=60)
    assert (code, result["verdict"], result["changed"]) == (0, "inconclusive", False)
    code, result = run(cluster_health_info, capsys, check_mode=True)
    assert code == 1


def test_a_time_out_is_a_failure_that_says_what_was_seen_last(capsys, monkeypatch):
    looks = []
    monkeypatch.setattr(cluster_health_info, "look", lambda params, expected: looks.append(1) or Observation({"endpoint": {"status": 500}}))
    code, result = run(cluster_health_info, capsys, wait=1, interval=0.3)
    assert code == 1
    assert len(looks) >= 3
    assert "/readyz answered 500 at 10.77.0.10:6443" in result["msg"]


def test_news_end_the_wait(capsys, monkeypatch):
    seen = [{"status": 500}, {"status": 500}, {"status": 200}, {"status": 500}]
    monkeypatch.setattr(cluster_health_info, "look", lambda params, expected: Observation({"endpoint": seen.pop(0)}))
    result = run(cluster_health_info, capsys, wait=30, interval=0, known=[], enforce="never")[1]
    assert [one["name"] for one in result["conditions"] if one["verdict"] == "pass"] == ["api_endpoint_answers"]
    assert len(seen) == 1


def test_nodes_are_described(capsys, monkeypatch):
    node = {"metadata": {"name": "cp1", "labels": {"topology.kubernetes.io/zone": "a"}},
            "status": {"nodeInfo": {"kubeletVersion": "v1.36.4"}, "conditions": [{"type": "Ready", "status": "True"}]}}
    monkeypatch.setattr(cluster_health_info, "look", lambda params, expected: Observation({"nodes": [node]}))
    assert run(cluster_health_info, capsys, enforce="never")[1]["nodes"] == [{"name": "cp1", "version": "v1.36.4", "ready": True, "zone": "a"}]


def test_a_network_check_is_not_made_in_check_mode(capsys, monkeypatch):
    monkeypatch.setattr(network_check, "check", None)
    code, result = run(network_check, capsys, check_mode=True)
    assert (code, result["verdict"], result["changed"]) == (0, "skipped", False)


def test_a_network_that_fails_fails_the_task(capsys, monkeypatch):
    red = {"name": "pod_to_pod", "verdict": "fail", "seen": "0 of 6 came through", "expected": "6 of 6 come through", "how_to_mend": "Look."}
    monkeypatch.setattr(network_check, "check", lambda params, namespace: [red])
    code, result = run(network_check, capsys)
    assert code == 1
    assert "0 of 6 came through" in result["msg"]
    assert run(network_check, capsys, enforce="never")[0] == 0


def test_a_network_check_that_breaks_off_is_never_green(capsys, monkeypatch):
    def check(params, namespace):
        raise IronrackError("the network check broke off")
    monkeypatch.setattr(network_check, "check", check)
    assert run(network_check, capsys)[0] == 1
    code, result = run(network_check, capsys, enforce="never")
    assert (code, result["ok"], result["verdict"]) == (0, False, "inconclusive")


def test_a_missing_kubeconfig_ends_the_network_check_with_a_reason(capsys):
    code, result = run(network_check, capsys)
    assert code == 1
    assert "there is no kubeconfig at" in result["msg"]
