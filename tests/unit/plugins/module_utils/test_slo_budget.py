# Copyright (c) 2026, ironrack.cluster contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Error budgets: the policy at its edges, and nothing but unknown where something is not known."""
from __future__ import annotations

import math

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ansible_collections.ironrack.cluster.plugins.module_utils._slo import budget

DAY = 86400
WHOLE = budget.Found(consumed=0.3, burn=1.0, objective=0.999, window=30 * DAY, oldest=30 * DAY - 1800, covered=0.99, problems=[])


def judge(**changed):
    return budget.judge(WHOLE._replace(**changed))


@pytest.mark.parametrize("consumed, policy", [
    (0, "go"), (0.4999, "go"), (0.5, "slow"), (0.7499, "slow"), (0.75, "fixes"), (0.9999, "fixes"), (1.0, "frozen"), (7.5, "frozen")])
def test_the_policy_follows_what_is_consumed(consumed, policy):
    judged = judge(consumed=consumed)
    assert (judged["policy"], judged["remaining"]) == (policy, 1.0 - consumed)
    assert "%.1f %% of the error budget of 30 days is consumed" % (100 * consumed) in judged["reasons"][0]


@pytest.mark.parametrize("changed, why", [
    ({"oldest": 20 * DAY}, "the history is 20.0 days old, younger than the window of 30 days"), ({"oldest": None}, "0.0 days old"),
    ({"covered": 0.89}, "only 89 % of the window has data"), ({"covered": None}, "only 0 %"), ({"consumed": None}, "no request in the window"),
    ({"consumed": math.nan}, "nan, and no share"), ({"consumed": -0.1}, "-0.1, and no share"), ({"consumed": math.inf}, "inf, and no share"),
    ({"objective": 1.0}, "the objective is 1.0"), ({"window": math.nan}, "the window is nan"), ({"problems": ["no answer"]}, "no answer")])
def test_what_is_not_known_is_unknown(changed, why):
    judged = judge(**changed)
    assert judged["policy"] == "unknown" and why in judged["reasons"][0]
    # What Ansible gives on is JSON, which has no NaN.
    assert all(value is None or not isinstance(value, float) or math.isfinite(value) for value in judged.values())


def test_a_quiet_hour_has_no_burn_rate_and_stops_nothing():
    assert judge(burn=math.nan)["burn"] is None
    assert judge(burn=None)["policy"] == "go"


NUMBER = st.none() | st.floats() | st.sampled_from([0.0, 0.3, 0.999, 30.0 * DAY])


@given(st.builds(budget.Found, NUMBER, NUMBER, NUMBER, NUMBER, NUMBER, NUMBER, st.sampled_from([[], [], ["no answer"]])))
@settings(deadline=None)
def test_a_go_is_known(found):
    judged = budget.judge(found)
    assert judged["reasons"]
    if judged["policy"] != "unknown":
        assert not found.problems and found.consumed >= 0 and found.covered >= 0.9 and found.oldest > 0.99 * found.window > 0
    if judged["policy"] == "go":
        assert found.consumed < 0.5


def test_what_is_consumed():
    assert budget.consumed_share(5, 10000, 0.999) == pytest.approx(0.5)
    assert budget.consumed_share(0, 0, 0.999) is None


PARAMS = {"service": "chat", "slo": None, "metric": "tries", "objective": 0.999, "window": 30, "bad_status": "5..", "ignored_status": "429|499"}


@pytest.mark.parametrize("changed, where", [
    ({}, []), ({"slo": "availability", "metric": None, "objective": None, "window": None}, []),
    ({"slo": "availability"}, ["slo", "objective", "window"]), ({"metric": None, "objective": None}, ["slo"]),
    ({"slo": 'a"b', "metric": None, "objective": None, "window": None}, ["slo"]),
    ({"objective": None}, ["objective"]), ({"objective": 99.9}, ["objective"]), ({"objective": math.nan}, ["objective"]), ({"window": 0}, ["window"]),
    ({"metric": "rate(x)", "service": "Chat", "bad_status": "(", "ignored_status": "["}, ["service", "metric", "bad_status", "ignored_status"]),
    ({"bad_status": "5xx"}, ["bad_status"])])
def test_bad_input_is_refused_all_at_once(changed, where):
    assert [problem.where for problem in budget.problems_of(dict(PARAMS, **changed))] == where
