# Copyright (c) 2026, ironrack.cluster contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The actions that run on the controller: what they write, print and return."""
from __future__ import annotations

import json
from unittest import mock

import pytest

from ansible_collections.ironrack.cluster.plugins.action import cluster_summary, health_report

MODEL = {"name": "lab", "kubernetes_version": "1.36.4", "kubeconfig": "/site/lab.kubeconfig", "client_host": "localhost",
         "promises": {"kept": [], "not_kept": []}, "endpoint": {"url": "https://10.77.0.10:6443", "vip": "10.77.0.10"},
         "hosts": {"cp1": {"name": "cp1", "address": "10.77.0.21", "zone": "a"}}}
GREEN = {"conditions": [{"name": "nodes_ready", "verdict": "pass", "seen": "1 of 1", "expected": "1 of 1", "how_to_mend": ""}]}
RED = {"conditions": [{"name": "nodes_ready", "verdict": "fail", "seen": "0 of 1", "expected": "1 of 1", "how_to_mend": "Look."}]}


def run(module, check_mode=False, **arguments):
    task = mock.Mock(args=dict(arguments, cluster=MODEL), check_mode=check_mode, async_val=0, action="x", environment=None, diff=False)
    action = module.ActionModule(task=task, connection=mock.Mock(), play_context=mock.Mock(), loader=None, templar=None, shared_loader_obj=None)
    printed = []
    with mock.patch.object(module.Display, "display", lambda self, text, *rest, **options: printed.append(text)):
        return action.run(task_vars={}), printed


def test_a_report_of_a_healthy_cluster_is_written(tmp_path):
    result = run(health_report, results=[GREEN, {"skipped": True}], path=str(tmp_path / "new" / "lab-health"))[0]
    assert (result["ok"], result["changed"], result.get("failed", False)) == (True, False, False)
    assert json.loads((tmp_path / "new" / "lab-health.json").read_text())["verdict"] == "pass"
    assert (tmp_path / "new" / "lab-health.html").read_text().startswith("<!DOCTYPE html>")


def test_a_red_condition_fails_after_the_report_is_written(tmp_path):
    result = run(health_report, results=[RED], path=str(tmp_path / "lab"))[0]
    assert result["failed"] and "nodes_ready (fail): seen: 0 of 1; expected: 1 of 1. Look." in result["msg"]
    assert (tmp_path / "lab.html").exists()
    assert "failed" not in run(health_report, results=[RED], path=str(tmp_path / "lab"), fail=False)[0]


@pytest.mark.parametrize("results", [[], [{}], [{"conditions": []}]])
def test_no_condition_at_all_fails(tmp_path, results):
    assert run(health_report, results=results, path=str(tmp_path / "lab"))[0]["failed"]


def test_check_mode_writes_nothing(tmp_path):
    run(health_report, check_mode=True, results=[GREEN], path=str(tmp_path / "new" / "lab"))
    assert list(tmp_path.iterdir()) == []


def test_the_summary_is_printed_and_returned():
    result, printed = run(cluster_summary, results=[RED])
    assert printed == [result["text"]]
    assert "nodes_ready: 0 of 1" in result["text"] and "kubectl get nodes" in result["text"]
    result, printed = run(cluster_summary, format="json")
    assert json.loads(printed[0])["cluster"] == "lab"
