# Copyright (c) 2026, ironrack.cluster contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""metric_gate and error_budget_info as Ansible calls them, without a Prometheus. With a real one: tests/real/test_prometheus.py."""
from __future__ import annotations

import json

import pytest
from ansible.module_utils.testing import patch_module_args
from ansible_collections.ironrack.cluster.plugins.modules import error_budget_info, metric_gate

NOBODY = "http://127.0.0.1:1"
ERRORS = {"name": "errors", "kind": "errors", "metric": "ironrack_upstream_tries_total", "limit": 0.01}
MEMORY = {"name": "memory", "kind": "query", "metric": "memory_bytes", "query": "max(memory_bytes)", "at_most": 1e9}
STEP = {"url": NOBODY, "service": "chat", "release": "v2", "baseline": "v1", "since": 1795312800.0, "looks": 20, "end_of_step": True,
        "gates": [ERRORS, MEMORY]}
BUDGET = {"url": NOBODY, "service": "chat", "slo": "availability"}


def call(module, capsys, **arguments):
    with patch_module_args(arguments), pytest.raises(SystemExit):
        module.main()
    return json.loads(capsys.readouterr().out)


@pytest.mark.parametrize("check_mode", [False, True])
def test_a_prometheus_that_is_down_is_inconclusive_and_no_failure(capsys, check_mode):
    judged = call(metric_gate, capsys, _ansible_check_mode=check_mode, **STEP)
    assert (judged["verdict"], judged["time"], judged["changed"]) == ("inconclusive", None, False)
    assert [gate["verdict"] for gate in judged["gates"]] == ["inconclusive"] * 2
    assert all("no answer from http://127.0.0.1:1/api/v1/query" in reason for reason in judged["reasons"]) and len(judged["reasons"]) == 2


def test_a_budget_of_a_prometheus_that_is_down_is_unknown(capsys):
    asked = call(error_budget_info, capsys, **BUDGET)
    assert (asked["policy"], asked["consumed"], asked["changed"]) == ("unknown", None, False)


def test_bad_input_fails_with_all_the_reasons_at_once(capsys):
    failed = call(metric_gate, capsys, **{**STEP, "url": "here", "baseline": "v2", "since": -1, "looks": 0, "max_age": 0, "gates": [
        dict(ERRORS, metric=None, fail_limit=0.001), dict(ERRORS, name="slow", kind="latency", metric="x_bucket", bound=2, buckets=[1, 3])]})
    assert failed["failed"] and [problem["where"] for problem in failed["problems"]] == [
        "url", "max_age", "since", "baseline", "looks", "gate errors, metric", "gate errors, fail_limit", "gate slow, bound"]
    assert "one of 1, 3" in failed["msg"] and failed["msg"].count("To mend it") == 8
    failed = call(error_budget_info, capsys, **{**BUDGET, "service": "Chat", "objective": 2, "timeout": 0})
    assert [problem["where"] for problem in failed["problems"]] == ["timeout", "service", "objective"]
