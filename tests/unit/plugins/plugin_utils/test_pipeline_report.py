# Copyright (c) 2026, ironrack.cluster contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""One report over all stages: a pass is one of production, by the record, and what was not reached is told as that."""
from __future__ import annotations

import json
from unittest import mock

import pytest
from ansible_collections.ironrack.cluster.plugins.action import llm_pipeline_report
from ansible_collections.ironrack.cluster.plugins.plugin_utils._pipeline.data import collect, production
from ansible_collections.ironrack.cluster.plugins.plugin_utils._pipeline.html import page

GOOD = [{"stage": name, "verdict": "pass", "why": "", "began": 100, "ended": 130.7, "checks": [{"test": "load", "name": "p95", "verdict": "pass", "why": "ok"}]}
        for name in ("validation", "testing", "staging")]
NONE = {"stage": "staging", "verdict": "skipped", "why": "the service describes none"}
BEFORE = {"stable": "v1", "rollouts": 4, "last": {"rollout": 4, "candidate": "v2", "result": "rolled_back", "why": "old"}, "rollout": None}


def after(result="promoted", **more):
    return dict(BEFORE, stable="v2" if result == "promoted" else "v1", rollouts=5,
                last={"rollout": 5, "candidate": "v2", "result": result, "why": "gate weight 5 failed"}, **more)


def report(stages=None, after_it=None, began=True):
    return collect("chat", "v2", "canary", "why", GOOD if stages is None else stages, BEFORE, after() if after_it is None else after_it, began)


@pytest.mark.parametrize("record, verdict, words", (
    (after(), "pass", "promoted"),
    (after("rolled_back"), "fail", "rolled back: gate weight 5 failed"),
    (BEFORE, "inconclusive", "the record has no end of it"),
    ({}, "inconclusive", "the record has no end of it"),
    (dict(BEFORE, rollouts=5, rollout={"number": 5, "phase": "forward"}), "inconclusive", "rollout 5 is under way, and goes forward"),
    (dict(after(), last=dict(after()["last"], candidate="v3")), "inconclusive", "the record has no end of it"),
))
def test_production_is_what_the_record_says(record, verdict, words):
    found = production(BEFORE, record, "v2")
    assert found["verdict"] == verdict and words in found["why"]


def test_an_end_of_before_is_none_of_this_one():
    assert production(BEFORE, dict(BEFORE, stable="v2"), "v2")["verdict"] == "inconclusive"
    assert production({}, {"last": {"rollout": 1, "candidate": "v2", "result": "promoted"}}, "v2")["verdict"] == "pass"


def test_a_rollout_that_was_refused_is_a_fail_with_its_reasons():
    assert production(BEFORE, BEFORE, "v2", "the gate has no metric") == {"stage": "production", "verdict": "fail", "why": "the gate has no metric"}
    # What the record says of an end counts more than how whoever drove it ended; and one that others drive on is not at its end.
    assert production(BEFORE, after(), "v2", "cut off")["verdict"] == "pass"
    driven = production(BEFORE, dict(BEFORE, rollout={"number": 5, "phase": "forward"}), "v2", "ann has the lock")
    assert driven["verdict"] == "inconclusive" and "ann has the lock" in driven["why"]


def test_a_release_that_got_to_its_end_is_a_pass():
    data = report()
    assert (data["verdict"], data["headline"], data["stable_before"], data["stable_after"]) == ("pass", "chat serves v2", "v1", "v2")
    assert report([*GOOD[:2], NONE])["verdict"] == "pass"
    assert [one["seconds"] for one in data["stages"]] == [30, 30, 30, None]


@pytest.mark.parametrize("stages, record, began, verdict, headline", (
    ([dict(GOOD[0], verdict="fail", why="no room")], {}, False, "fail", "v2 was not released: validation: failed; chat serves v1"),
    ([GOOD[0], dict(GOOD[1], verdict="inconclusive")], {}, False, "inconclusive", "v2 was not released: testing: not proved; chat serves v1"),
    ([GOOD[0], dict(GOOD[1], verdict="wonderful")], {}, False, "inconclusive", "v2 was not released: testing: not proved; chat serves v1"),
    (GOOD, after("rolled_back"), True, "fail", "v2 was not released: production: failed; chat serves v1"),
    (GOOD, BEFORE, True, "inconclusive", "v2 was not released: production: not proved; chat serves v1"),
    ([], {}, False, "inconclusive", "v2 was not released: it did not get to production; chat serves v1"),
    ([GOOD[0]], after(), True, "inconclusive", "v2 was not released: it did not get to production; chat serves v2"),
))
def test_anything_less_is_none(stages, record, began, verdict, headline):
    data = report(stages, record, began)
    assert (data["verdict"], data["headline"]) == (verdict, headline)


def test_the_page_says_what_is_wrong_first_and_escapes_what_others_wrote():
    checks = [{"test": "load", "name": "fine", "verdict": "pass", "why": ""}, {"test": "functional", "name": "<b>", "verdict": "fail", "why": "a & b"}]
    text = page(dict(report([GOOD[0], dict(GOOD[1], verdict="fail", why="<script>", checks=checks)], {}, False), made_at="now"))
    assert text.startswith("<!DOCTYPE html>") and "<script>" not in text and "a &amp; b" in text and "&lt;b&gt;" in text
    assert text.index("&lt;b&gt;") < text.index("load fine") and "http" not in text.split("<body>")[1]
    assert "a stage before it did not pass" in text and "30 s" in text


def run(check_mode=False, **arguments):
    arguments = dict({"service": "chat", "release": "v2", "strategy": "canary", "stages": GOOD, "before": BEFORE, "after": after(), "began": True}, **arguments)
    task = mock.Mock(args=arguments, check_mode=check_mode, async_val=0, action="x", environment=None, diff=False)
    action = llm_pipeline_report.ActionModule(
        task=task, connection=mock.Mock(), play_context=mock.Mock(), loader=None, templar=None, shared_loader_obj=None)
    with mock.patch.object(llm_pipeline_report.Display, "display", lambda self, text, *rest, **options: None):
        return action.run(task_vars={})


def test_the_report_is_written_and_fails_after_it_where_it_is_no_pass(tmp_path):
    good = run(path=str(tmp_path / "new" / "a"))
    assert (good["verdict"], good["changed"], good.get("failed", False)) == ("pass", False, False)
    assert json.loads((tmp_path / "new" / "a.json").read_text())["headline"] == "chat serves v2"
    bad = run(path=str(tmp_path / "b"), after=after("rolled_back"))
    assert bad["failed"] and "- production: fail, rolled back: gate weight 5 failed" in bad["msg"] and (tmp_path / "b.html").exists()
    assert "failed" not in run(path=str(tmp_path / "b"), after=BEFORE, fail=False)
    assert run(path=str(tmp_path / "c"), stages=[], began=False)["msg"].endswith("- not all stages were done")


def test_a_check_run_writes_nothing_and_does_not_fail(tmp_path):
    assert "failed" not in run(check_mode=True, path=str(tmp_path / "a"), after=BEFORE) and list(tmp_path.iterdir()) == []
    assert "it is refused" in run(check_mode=True, path=str(tmp_path / "a"), after=BEFORE, failure="it is refused")["msg"] and list(tmp_path.iterdir()) == []
