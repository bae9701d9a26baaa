# Copyright (c) 2026, ironrack.cluster contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Verdicts of gates on what was counted since a step began: a pass is proved, a failure is proved, and all else is inconclusive.

Looks within a step are cumulative, and each step counts from its own beginning. Each comparison of each look may be wrong with a probability of ALARM
divided by all looks that the rollout plans, so the sum over a whole rollout stays below ALARM (C. E. Bonferroni, 1936), however the looks depend on
each other. Extending an inconclusive step, and rolling back after too many of them, is the caller's.

This is a private module_utils package: it may change in any release.
"""
from __future__ import annotations

import math

from .._health.verdict import FAIL, INCONCLUSIVE, PASS
from .statistics import at_least, more_than_ratio, requests_needed, upper_bound

#: The most that the probability of a false alarm may be over all looks, for each comparison of a gate.
ALARM = 0.01
#: How sure a pass is, one-sided.
CONFIDENCE = 0.95
#: Fewer errors than these are never a failure: one lost pod must not end a release.
FEWEST_ERRORS = 3


def _share(bad, total):
    return bad / total if total else None


def _percent(share):
    return "%.3g %%" % (100.0 * share)


def _told(count):
    """:returns: a count as reports carry it."""
    return {"bad": count.bad, "total": count.total, "share": None if count.problems else _share(count.bad, count.total)}


def judge_counts(gate, candidate, baseline, looks, end_of_step):
    """Judge a release by a gate that counts requests.

    It fails with at least FEWEST_ERRORS bad requests, and an exact p below ALARM / ``looks`` against ``ratio`` times the baseline's rate or against the
    gate's ``fail_limit``. Beside a baseline that it is not proved to be worse than, the limit is no failure of the candidate's: both suffer alike. It
    passes at the end of a step, where the upper bound of its rate lies under ``limit`` and all that was asked for is known.

    :param gate: a :class:`~.spec.CountGate`.
    :param candidate: the :class:`~.counters.Count` of the release.
    :param baseline: that of the baseline in the same time; None where there is none.
    :param looks: all looks that the rollout plans.
    :param end_of_step: whether the step is over, so that a pass may be.
    :returns: the judged gate as reports carry it: name, kind, verdict, reasons, and the numbers; those that are not known are None.
    :raises ValueError: for counts that are none.
    """
    result = {
        "name": gate.name, "kind": gate.kind, "limit": gate.limit, "fail_limit": gate.fail_limit, "bound": gate.bound,
        "ratio": None if baseline is None else gate.ratio, "alarm": ALARM / looks, "candidate": _told(candidate),
        "baseline": None if baseline is None else _told(baseline), "p_limit": None, "p_baseline": None,
        "p_alike": None, "upper_bound": None, "requests_needed": None}
    if candidate.problems:
        return dict(result, verdict=INCONCLUSIVE, reasons=["the release: %s" % problem for problem in candidate.problems])
    if not candidate.total:
        return dict(result, verdict=INCONCLUSIVE, reasons=["the release had no request since the step began"])
    bad, total = candidate.bad, candidate.total
    needed = max(0, requests_needed(bad, gate.limit, CONFIDENCE) - total)
    result.update(p_limit=at_least(bad, total, gate.fail_limit), upper_bound=upper_bound(bad, total, CONFIDENCE), requests_needed=needed)
    missing = _missing(baseline)
    if baseline is not None and not missing:
        result.update(p_baseline=more_than_ratio(bad, total, baseline.bad, baseline.total, gate.ratio),
                      p_alike=more_than_ratio(bad, total, baseline.bad, baseline.total, 1.0))
    worse, over = _failures(gate, result, bad)
    alike = bool(over) and result["p_alike"] is not None and result["p_alike"] >= result["alarm"]
    if worse or (over and not alike):
        return dict(result, verdict=FAIL, reasons=worse + ([] if alike else over))
    doubts = missing + (["%s; but it is not proved to be worse than the baseline: %d of %d" % (over[0], baseline.bad, baseline.total)] if alike else [])
    if not end_of_step:
        doubts.append("the step is not over: %d of %d bad so far" % (bad, total))
    if result["upper_bound"] >= gate.limit:
        doubts.append("%d of %d prove less than %s at most, not less than %s: it takes %d more requests without a bad one" % (
            bad, total, _percent(result["upper_bound"]), _percent(gate.limit), needed))
    if doubts:
        return dict(result, verdict=INCONCLUSIVE, reasons=doubts)
    return dict(result, verdict=PASS, reasons=["%d of %d prove less than %s; the limit is %s" % (
        bad, total, _percent(result["upper_bound"]), _percent(gate.limit))])


def _missing(baseline):
    if baseline is None:
        return []
    if baseline.problems:
        return ["the baseline: %s" % problem for problem in baseline.problems]
    return [] if baseline.total else ["the baseline had no request since the step began"]


def _failures(gate, result, bad):
    """:returns: (the reason to fail by the baseline, that by the limit), each a list of one or none."""
    worse, over = [], []
    if bad >= FEWEST_ERRORS and result["p_baseline"] is not None and result["p_baseline"] < result["alarm"]:
        worse = ["%s bad, the baseline %s: more than %g times as many (p = %.2g, below %.2g)" % (
            _percent(result["candidate"]["share"]), _percent(result["baseline"]["share"]), gate.ratio, result["p_baseline"], result["alarm"])]
    if bad >= FEWEST_ERRORS and result["p_limit"] < result["alarm"]:
        over = ["%s bad: over the limit of %s (p = %.2g, below %.2g)" % (
            _percent(result["candidate"]["share"]), _percent(gate.fail_limit), result["p_limit"], result["alarm"])]
    return worse, over


def judge_value(gate, value, problems, end_of_step):
    """Judge one number of a query.

    :param gate: a :class:`~.spec.QueryGate`.
    :param value: the number; None where there is none.
    :param problems: why it is none, or is not to be trusted, in words.
    :param end_of_step: whether the step is over, so that a pass may be.
    :returns: the judged gate as reports carry it.
    """
    result = {"name": gate.name, "kind": gate.kind, "value": None, "at_most": gate.at_most, "fail_over": gate.fail_over,
              "at_least": gate.at_least, "fail_under": gate.fail_under}
    reasons = list(problems)
    if not reasons and (value is None or not math.isfinite(value)):
        reasons = ["the query gives %s" % ("nothing" if value is None else value)]
    if reasons:
        return dict(result, verdict=INCONCLUSIVE, reasons=reasons)
    result["value"] = value
    if gate.fail_over is not None and value > gate.fail_over:
        return dict(result, verdict=FAIL, reasons=["%g is over %g" % (value, gate.fail_over)])
    if gate.fail_under is not None and value < gate.fail_under:
        return dict(result, verdict=FAIL, reasons=["%g is under %g" % (value, gate.fail_under)])
    doubts = [] if end_of_step else ["the step is not over: %g so far" % value]
    if gate.at_most is not None and value > gate.at_most:
        doubts.append("%g is over %g, and not over %g" % (value, gate.at_most, gate.fail_over))
    if gate.at_least is not None and value < gate.at_least:
        doubts.append("%g is under %g, and not under %g" % (value, gate.at_least, gate.fail_under))
    if doubts:
        return dict(result, verdict=INCONCLUSIVE, reasons=doubts)
    return dict(result, verdict=PASS, reasons=["%g lies within the limits" % value])
