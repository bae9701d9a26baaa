# Copyright (c) 2026, ironrack.cluster contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""When kube-bench's word is a pass: on small reports that a test makes red one by one."""
from __future__ import annotations

import json
from pathlib import Path

import pytest

from ansible_collections.ironrack.cluster.tests.scenarios import cis, hardening
from ansible_collections.ironrack.cluster.tests.scenarios.common import NotProved

GOOD_ETCD = "600 root:root /etc/systemd/system/etcd.service\n600 root:root /etc/etcd/etcd.env\n700 etcd:etcd /var/lib/etcd/data\n"


def check(number, status="PASS", scored=True, **more):
    return dict({"test_number": number, "test_desc": "Ensure %s" % number, "status": status, "scored": scored, "actual_value": "seen " + number}, **more)


def report(target, *checks):
    half = len(checks) // 2
    return json.dumps({"Controls": [{"id": "1", "version": "cis-1.10", "node_type": target, "tests": [
        {"section": "1.1", "results": list(checks[:half])}, {"section": "1.2", "results": list(checks[half:])}]}], "Totals": {"total_pass": 1}})


def whole(target):
    """A report of a target with everything that is promised, filled up to its floor."""
    checks = [check(number, scored=False) for number in cis.PROMISED[target]]
    return checks + [check("9.%d" % number) for number in range(cis.FLOOR[target] - len(checks))] + [check("8.1", "WARN", scored=False)]


def judged(target, checks, answered=()):
    return cis.problems(target, cis.read(report(target, *checks)).get(target, []), answered)


@pytest.mark.parametrize("target", sorted(cis.FLOOR))
def test_what_is_promised_passes(target):
    assert judged(target, whole(target)) == []


def test_a_failure_is_named_with_what_was_seen():
    found = judged("etcd", whole("etcd") + [check("2.1", "FAIL")])
    assert found == ["2.1 fails: Ensure 2.1 (seen: seen 2.1)"]


def test_what_does_not_apply_may_fail_where_it_is_answered_and_nowhere_else():
    checks = whole("master") + [check("1.1.7", "FAIL"), check("1.1.8", "FAIL")]
    assert judged("master", checks, cis.OF_ETCDS_POD) == []
    assert len(judged("master", checks)) == 2
    assert len(judged("master", checks + [check("1.1.11", "FAIL")], cis.OF_ETCDS_POD)) == 1


@pytest.mark.parametrize("text", ["", "{}", "[]", '{"Controls": [{"node_type": "node"}]}', "unable to determine benchmark version"])
def test_what_is_no_report_is_no_pass(text):
    with pytest.raises(ValueError, match="no report of kube-bench"):
        cis.read(text)


def test_nothing_is_no_pass():
    assert cis.read('{"Controls": []}') == {}
    assert cis.problems("node", []) == ["node: no check was made"]
    assert cis.problems("policies", [check("5.1.1")]) == ["policies: nobody has said what is promised of this target"]


def test_fewer_answers_than_on_plain_kubeadm_are_no_pass():
    checks = whole("node")
    lost = next(number for number, one in enumerate(checks) if one["test_number"].startswith("9."))
    found = judged("node", checks[:lost] + checks[lost + 1:])
    assert found == ["node: only 17 checks have an answer, and on plain kubeadm 18 have"]


def test_a_pass_that_became_a_warning_is_no_pass():
    checks = [dict(one, status="WARN") if one["test_number"] == "4.2.4" else one for one in whole("node")] + [check("9.99")]
    assert judged("node", checks) == ["4.2.4 does not pass, although it is promised"]


@pytest.mark.parametrize("status", ["WARN", "INFO"])
def test_an_automatic_check_that_was_not_made_is_no_pass(status):
    assert judged("etcd", whole("etcd") + [check("2.3", status)]) == ["2.3 is automatic and ended as %s: Ensure 2.3" % status]


def test_what_is_left_to_a_person():
    assert cis.warnings(cis.read(report("etcd", *whole("etcd")))["etcd"]) == [("8.1", "Ensure 8.1")]


def test_the_files_of_etcd():
    assert cis.files_of_etcd("cp1", GOOD_ETCD) == []
    assert len(cis.files_of_etcd("cp1", "")) == 3
    assert cis.files_of_etcd("cp1", GOOD_ETCD.replace("700 etcd:etcd", "755 root:root")) == [
        "cp1: /var/lib/etcd/data has mode 755, and 700 is the most", "cp1: /var/lib/etcd/data belongs to root:root and not to etcd:etcd"]
    assert cis.files_of_etcd("cp1", GOOD_ETCD.replace("600 root:root /etc/sys", "644 root:root /etc/sys")) == [
        "cp1: /etc/systemd/system/etcd.service has mode 644, and 600 is the most"]


def test_answers_are_rows_of_a_table():
    assert cis.answers("| check | answer |\n| --- | --- |\n| 1.2.1 | Five paths only. |\n| 4.1.3 |  |\ntext 1.2.20 | no |\n") == {"1.2.1": "Five paths only."}


def test_the_page_answers_what_does_not_apply():
    answers = cis.answers((Path(__file__).resolve().parents[2] / "docs" / "security.md").read_text())
    assert set(cis.OF_ETCDS_POD + cis.OF_ETCDS_DATA) <= set(answers)
    promised = {number for numbers in cis.PROMISED.values() for number in numbers}
    assert len(answers) > 50 and not promised & set(answers), "a check that passes needs no answer"


@pytest.mark.parametrize("hosts, chosen", [
    ({"control_plane": ["cp1", "cp2"], "etcd": ["cp1", "cp2"], "workers": ["gpu1"]},
     [("cp1", ("master", "controlplane", "node", "etcd")), ("gpu1", ("node",))]),
    ({"control_plane": ["cp1"], "etcd": ["e1", "e2"], "workers": ["cp1", "gpu1"]},
     [("cp1", ("master", "controlplane", "node")), ("e1", ("etcd",)), ("gpu1", ("node",))]),
    ({"control_plane": ["one"], "etcd": ["one"], "workers": ["one"]}, [("one", ("master", "controlplane", "node", "etcd"))])])
def test_one_host_of_each_kind(hosts, chosen):
    assert hardening.kinds(hosts) == chosen


def test_a_cluster_without_a_worker_proves_nothing_of_workers():
    with pytest.raises(NotProved, match="group workers has no host"):
        hardening.kinds({"control_plane": ["cp1"], "etcd": ["cp1"], "workers": []})
