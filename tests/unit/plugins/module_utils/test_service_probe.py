# Copyright (c) 2026, ironrack.cluster contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Requests are a proof where all of them were asked and are good; none is never a pass."""
from __future__ import annotations

import json
import math

import pytest
from ansible_collections.ironrack.cluster.plugins.module_utils._service import probe
from ansible_collections.ironrack.cluster.plugins.module_utils._service.probe import FAIL, INCONCLUSIVE, PASS, Answer
from hypothesis import given, settings
from hypothesis import strategies as st

GOOD = {"functional": [{"path": "/v1/models", "json": [{"path": "data.0.id", "equals": "chat"}]}], "performance": {"p50": 0.1, "p95": 0.5},
        "load": {"requests": 100, "p95": 1}}


def test_what_can_be_meant_has_no_problem_and_gets_its_defaults():
    assert probe.problems(GOOD) == [] and probe.problems({}) == []
    tests = probe.complete(GOOD)
    assert tests["functional"][0]["status"] == 200 and tests["load"]["concurrency"] == 8 and tests["performance"]["error_share"] == 0.0
    assert probe.complete({"load": {}}).keys() == {"load"}


@pytest.mark.parametrize("tests, where", (
    ([], ["tests"]),
    ({"functionl": []}, ["tests.functionl"]),
    ({"functional": {}}, ["tests.functional"]),
    ({"functional": [{}] * 501}, ["tests.functional"]),
    ({"functional": ["a"], "load": 3}, ["tests.functional[0]", "tests.load"]),
    ({"functional": [{"path": "v1", "method": "get", "status": "200", "matches": "(", "json": [{"path": 1}, {"path": "a", "matches": "["}]}]},
     ["tests.functional[0].status", "tests.functional[0].path", "tests.functional[0].method", "tests.functional[0].matches", "tests.functional[0].json[0]",
      "tests.functional[0].json[1].matches"]),
    ({"functional": [{"json": {}}]}, ["tests.functional[0].json"]),
    ({"functional": [{"headers": {"a": "b\nc"}}, {"path": "/a b"}]}, ["tests.functional[0].headers", "tests.functional[1].path"]),
    ({"performance": {"p50": 2, "p95": 1, "concurrency": 3}}, ["tests.performance.concurrency", "tests.performance"]),
    ({"performance": {"p50": "2", "requests": 0, "seconds": True}}, ["tests.performance.requests", "tests.performance.seconds", "tests.performance.p50"]),
    ({"load": {"error_share": 1.5, "p95": 0, "concurrency": 1000}}, ["tests.load.concurrency", "tests.load.p95", "tests.load.error_share"]),
))
def test_all_that_is_wrong_is_told_at_once(tests, where):
    found = probe.problems(tests)
    assert [one["where"] for one in found] == where
    assert all(set(one) == {"where", "what", "expected", "mend"} and all(one.values()) for one in found)


def functional(answer, **test):
    (check,) = probe.judge_functional(probe.complete({"functional": [test]})["functional"], [answer])
    return check.verdict, check.why


def answer(body="", status=200, seconds=0.1, error=""):
    return Answer(status, seconds, body if isinstance(body, str) else json.dumps(body), error)


@pytest.mark.parametrize("test, given_answer, verdict, words", (
    ({}, answer(), PASS, ""),
    ({}, answer(status=None, error="refused"), FAIL, "no answer: refused"),
    ({}, answer("oops", status=500), FAIL, "status 500, expected 200: oops"),
    ({"status": 404}, answer(status=404), PASS, ""),
    ({}, answer(error="cut off"), FAIL, "a broken answer: cut off"),
    ({"matches": "o+k"}, answer("it is ook"), PASS, ""),
    ({"matches": "ok"}, answer("no"), FAIL, "nothing in it matches ok: no"),
    ({"json": [{"path": "a.1.b"}]}, answer({"a": [0, {"b": None}]}), PASS, ""),
    ({"json": [{"path": "a.2"}]}, answer({"a": [0]}), FAIL, "it has no a.2"),
    ({"json": [{"path": "a"}]}, answer("<html>"), FAIL, "it is no JSON: <html>"),
    ({"json": [{"path": "a", "equals": 1}]}, answer({"a": "1"}), FAIL, 'a is "1", expected 1'),
    ({"json": [{"path": "a", "matches": "^v[0-9]$"}]}, answer({"a": "v2"}), PASS, ""),
    ({"json": [{"path": "a", "matches": "^v$"}]}, answer({"a": "v2"}), FAIL, "a does not match ^v$: v2"),
    ({}, None, INCONCLUSIVE, "it was not asked: the time was up"),
))
def test_a_request_is_judged_by_status_text_and_values(test, given_answer, verdict, words):
    assert functional(given_answer, **test) == (verdict, words)


def timed(answers, **test):
    test = probe.complete({"load": test})["load"]
    return {check.name: check.verdict for check in probe.judge_timed("load", test, answers)}


def test_no_request_is_never_a_pass():
    assert probe.judge_functional([], [])[0].verdict == INCONCLUSIVE and probe.overall([]) == INCONCLUSIVE
    assert timed([], requests=10, p95=1) == {"errors": INCONCLUSIVE, "p95": INCONCLUSIVE}


def test_the_limits_of_errors_and_times():
    good, slow, bad = answer(), answer(seconds=3), answer(status=503)
    assert timed([good] * 100, requests=100, p95=1) == {"errors": PASS, "p95": PASS}
    assert timed([good] * 95 + [slow] * 5, requests=100, p95=1)["p95"] == PASS
    assert timed([good] * 94 + [slow] * 6, requests=100, p95=1)["p95"] == FAIL
    assert timed([good] * 99 + [bad], requests=100)["errors"] == PASS
    assert timed([good] * 98 + [bad] * 2, requests=100)["errors"] == FAIL
    # An error is slower than any limit: one that fails at once must not make the times look good.
    assert timed([good] * 94 + [bad] * 6, requests=100, p95=1, error_share=0.5) == {"errors": PASS, "p95": FAIL}
    # What was cut short fails where it is lost already, and says nothing else.
    assert timed([good] * 50, requests=100, p95=1) == {"errors": INCONCLUSIVE, "p95": INCONCLUSIVE}
    assert timed([good] * 50 + [bad] * 6, requests=100, p95=1) == {"errors": FAIL, "p95": FAIL}


@settings(max_examples=200, deadline=None)
@given(st.lists(st.tuples(st.booleans(), st.floats(0.01, 9)), max_size=40), st.integers(1, 40), st.floats(0.05, 5), st.floats(0, 1))
def test_a_verdict_is_what_the_numbers_say_whatever_they_are(results, planned, limit, share):
    answers = [answer(status=200 if good else 500, seconds=seconds) for good, seconds in results][:planned]
    found = timed(answers, requests=planned, p95=limit, error_share=share)
    errors = sum(1 for one in answers if one.status != 200)
    if found["errors"] == PASS:
        assert len(answers) == planned and errors <= share * planned + 1e-6
    if found["errors"] == FAIL:
        assert errors > share * planned - 1e-6
    times = sorted(math.inf if one.status != 200 else one.seconds for one in answers)
    if len(answers) == planned:
        assert (found["p95"] == PASS) == (times[math.ceil(0.95 * planned - 1e-9) - 1] <= limit)
    else:
        # However good the rest would have been.
        best = sorted(times + [0.0] * (planned - len(times)))
        assert (found["p95"] == FAIL) == (best[math.ceil(0.95 * planned - 1e-9) - 1] > limit)


def test_one_that_failed_decides():
    make = [probe.Check("load", "a", verdict, "", {}) for verdict in (PASS, INCONCLUSIVE, FAIL)]
    assert [probe.overall(make[:number]) for number in (1, 2, 3)] == [PASS, INCONCLUSIVE, FAIL]
