# Copyright (c) 2026, ironrack.cluster contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Verdicts: a pass is proved, a failure is proved, and all else is inconclusive."""
from __future__ import annotations

import math

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from ansible_collections.ironrack.cluster.plugins.module_utils._health.verdict import overall
from ansible_collections.ironrack.cluster.plugins.module_utils._slo import gate, spec
from ansible_collections.ironrack.cluster.plugins.module_utils._slo.counters import Count, unknown
from ansible_collections.ironrack.cluster.plugins.module_utils._slo.statistics import at_least, upper_bound

ERRORS = {"name": "errors", "kind": "errors", "metric": "tries", "limit": 0.05}
QUERY = {"name": "memory", "kind": "query", "metric": "memory_bytes", "query": "max(memory_bytes)", "at_most": 80, "fail_over": 90, "at_least": 1}


def made(description, **changed):
    gates, problems = spec.parse([dict(description, **changed)], "chat", "v2", "v1", 20)
    assert problems == []
    return gates[0]


def judge(candidate, baseline=None, end_of_step=True, looks=20, **changed):
    def count(one):
        return one if one is None or isinstance(one, Count) else Count(one[0], one[1], [])
    return gate.judge_counts(made(ERRORS, **changed), count(candidate), count(baseline), looks, end_of_step)


@pytest.mark.parametrize("limit, needed", [(0.05, 59), (0.01, 299)])
def test_a_pass_takes_59_clean_requests_for_5_percent_and_299_for_1_percent(limit, needed):
    short = judge((0, needed - 1), limit=limit)
    assert (short["verdict"], short["requests_needed"]) == ("inconclusive", 1)
    assert "it takes 1 more requests" in short["reasons"][0]
    assert judge((0, needed), limit=limit)["verdict"] == "pass"


def test_no_pass_before_the_end_of_the_step():
    early = judge((0, 10000), end_of_step=False)
    assert (early["verdict"], early["reasons"]) == ("inconclusive", ["the step is not over: 0 of 10000 bad so far"])


def test_three_errors_and_a_small_p_fail_at_any_look():
    failed = judge((10, 50), end_of_step=False)
    assert failed["verdict"] == "fail" and "20 % bad: over the limit of 5 %" in failed["reasons"][0]
    assert failed["p_limit"] == pytest.approx(at_least(10, 50, 0.05)) and failed["p_limit"] < failed["alarm"] == 0.01 / 20
    # two of two is rare as well, and still no proof
    assert judge((2, 2), fail_limit=0.06)["verdict"] == "inconclusive"
    # the same counts are no proof where more looks are planned
    assert [judge((8, 50), looks=looks)["verdict"] for looks in (1, 20)] == ["fail", "inconclusive"]


def test_a_candidate_is_compared_with_its_baseline():
    failed = judge((8, 250), (10, 4750))
    assert failed["verdict"] == "fail" and "3.2 % bad, the baseline 0.211 %: more than 2 times as many" in failed["reasons"][0]
    assert failed["p_baseline"] < 0.0005 < failed["p_limit"]
    assert judge((8, 250), (10, 4750), ratio=20)["verdict"] == "inconclusive"


def test_a_lost_host_is_not_blamed_on_the_candidate_where_the_baseline_suffers_alike():
    alike = judge((100, 500), (1900, 9500))
    assert alike["verdict"] == "inconclusive" and "it is not proved to be worse than the baseline: 1900 of 9500" in alike["reasons"][0]
    assert judge((100, 500), (2, 9500))["verdict"] == "fail"
    # Beside a baseline that hardly had a request nobody knows; the step is extended, and then rolled back.
    assert judge((100, 500), (0, 3))["verdict"] == "inconclusive"
    assert judge((100, 500))["verdict"] == "fail"


def test_what_is_missing_is_told_and_no_pass():
    assert judge(unknown(["no answer"]))["reasons"] == ["the release: no answer"]
    assert judge((0, 0))["reasons"] == ["the release had no request since the step began"]
    without = judge((0, 10000), unknown(["no answer"]))
    assert (without["verdict"], without["reasons"]) == ("inconclusive", ["the baseline: no answer"])
    assert judge((0, 10000), (0, 0))["verdict"] == "inconclusive"
    # errors over the limit need no baseline
    assert judge((100, 500), unknown(["no answer"]))["verdict"] == "fail"


def test_reports_get_numbers():
    passed = judge((1, 1000), (20, 19000))
    assert passed["verdict"] == "pass"
    assert passed["candidate"] == {"bad": 1, "total": 1000, "share": 0.001} and passed["baseline"]["total"] == 19000
    assert passed["upper_bound"] == pytest.approx(upper_bound(1, 1000)) and passed["requests_needed"] == 0 and passed["ratio"] == 2


COUNT = st.one_of(st.builds(lambda total, share: Count(int(total * share), total, []), st.integers(0, 10 ** 6), st.floats(0, 1)),
                  st.just(unknown(["no answer"])))


@given(COUNT, st.none() | COUNT, st.booleans(), st.integers(1, 500))
@example(Count(0, 59, []), None, True, 1)
@settings(deadline=None)
def test_a_pass_and_a_failure_are_always_proved(candidate, baseline, end_of_step, looks):
    judged = judge(candidate, baseline, end_of_step, looks)
    assert judged["reasons"]
    if judged["verdict"] == "pass":
        assert end_of_step and not candidate.problems and upper_bound(candidate.bad, candidate.total) < 0.05
        assert baseline is None or (not baseline.problems and baseline.total)
    if judged["verdict"] == "fail":
        assert candidate.bad >= 3 and min(judged["p_limit"], 1 if judged["p_baseline"] is None else judged["p_baseline"]) < 0.01 / looks


@pytest.mark.parametrize("value, end_of_step, verdict", [
    (50, True, "pass"), (50, False, "inconclusive"), (85, True, "inconclusive"), (90, True, "inconclusive"), (90.5, False, "fail"), (0.5, True, "fail"),
    (math.nan, True, "inconclusive"), (math.inf, True, "inconclusive"), (None, True, "inconclusive")])
def test_a_number_is_judged_by_its_limits(value, end_of_step, verdict):
    judged = gate.judge_value(made(QUERY), value, [], end_of_step)
    assert judged["verdict"] == verdict and judged["reasons"]


def test_a_number_in_doubt_is_none():
    judged = gate.judge_value(made(QUERY), 50, ["it is stale"], True)
    assert (judged["verdict"], judged["value"], judged["reasons"]) == ("inconclusive", None, ["it is stale"])


def test_all_gates_together():
    passed, doubtful, failed = judge((0, 100)), judge((0, 10)), judge((50, 50))
    assert overall([passed, passed]) == "pass"
    assert overall([passed, doubtful]) == "inconclusive"
    assert overall([passed, doubtful, failed]) == "fail"
    assert overall([]) == "inconclusive"
