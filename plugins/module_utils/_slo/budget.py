# Copyright (c) 2026, ironrack.cluster contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Error budgets: how much of one is used up, and what may still be released.

The budget of a window is the share of requests that may fail, 1 - objective. What of it is consumed is the share that did fail divided by it; the burn
rate is the same over a shorter time, so that 1 uses the budget up exactly at the window's end.

This is a private module_utils package: it may change in any release.
"""
from __future__ import annotations

import math
from collections import namedtuple

from .spec import DEFAULT_BAD, METRIC, Problem, is_number, name_problems, status_pattern

#: What was read. ``consumed``, ``burn`` and ``objective`` are shares of 1, ``window`` and ``oldest`` (how long ago the first data of the window is) are
#: seconds, ``covered`` is the share of the window's moments that have data; each is None where it is not known, and ``problems`` say why, in words.
Found = namedtuple("Found", ("consumed", "burn", "objective", "window", "oldest", "covered", "problems"))

GO, SLOW, FIXES, FROZEN, UNKNOWN = "go", "slow", "fixes", "frozen", "unknown"
#: Below which share of the budget consumed each is the policy, and what it says.
POLICY = ((0.5, GO, "releases go on"), (0.75, SLOW, "releases go on slowly, with a longer soak"), (1.0, FIXES, "only fixes are released"),
          (math.inf, FROZEN, "the budget is exhausted: nothing is released"))
#: How many moments of a window are looked at for the age and the holes of its history: one each hour of 30 days.
MOMENTS = 720
#: The share of these that has to have data. Less is a history with holes, of which nobody knows what was in them.
FEWEST_COVERED = 0.9
BURN_WINDOWS = ("5m", "30m", "1h", "2h", "6h", "1d", "3d")


def problems_of(params):
    """:returns: a :class:`~.spec.Problem` for each parameter of the module that cannot be used, those of the connection apart."""
    problems = name_problems({"service": params["service"]})
    if bool(params["slo"]) == bool(params["metric"]):
        problems.append(Problem("slo", "both slo and metric are there" if params["slo"] else "neither slo nor metric is there", "one of them",
                                "name the SLO where rules record it, else the counter"))
    if params["slo"]:
        problems += [Problem(name, "it is %r, beside slo" % params[name], "nothing: the SLO's own rules know it", "take it out")
                     for name in ("objective", "window") if params[name] is not None]
        problems += [] if '"' not in params["slo"] and "\\" not in params["slo"] else [
            Problem("slo", "it is %r" % params["slo"], "the name of an SLO", "correct it")]
        return problems
    if params["metric"] and not METRIC.fullmatch(params["metric"]):
        problems.append(Problem("metric", "it is %r" % params["metric"], "a plain name, without labels or functions", "correct it"))
    if params["metric"] and (not is_number(params["objective"]) or not 0 < params["objective"] < 1):
        problems.append(Problem("objective", "it is %r" % (params["objective"],), "a share above 0 and below 1, such as 0.999",
                                "say which share has to succeed"))
    if params["window"] is not None and params["window"] < 1:
        problems.append(Problem("window", "it is %r" % (params["window"],), "days, from 1", "correct it"))
    return (problems + status_pattern("bad_status", params["bad_status"], DEFAULT_BAD, vacuous=False)[1]
            + status_pattern("ignored_status", params["ignored_status"], DEFAULT_BAD, vacuous=True)[1])


def consumed_share(bad, total, objective):
    """:returns: the share of the budget that ``bad`` of ``total`` requests consume; None where there was no request.

    :param objective: above 0, below 1.
    """
    return bad / total / (1.0 - objective) if total else None


def _doubts(found):
    """:returns: why the budget is not known, in words."""
    if found.problems:
        return list(found.problems)
    doubts = []
    if found.objective is None or not 0 < found.objective < 1:
        doubts.append("the objective is %s, and no share" % found.objective)
    if found.consumed is None:
        doubts.append("there was no request in the window")
    elif not 0 <= found.consumed < math.inf:
        doubts.append("what is consumed is %s, and no share" % found.consumed)
    if found.window is None or not 0 < found.window < math.inf:
        return doubts + ["the window is %s, and no time" % found.window]
    # The moments that are looked at lie up to one step after the window's beginning, and data begin up to one step after their target.
    if found.oldest is None or found.oldest < found.window * (1 - 2.0 / MOMENTS):
        doubts.append("the history is %.1f days old, younger than the window of %.4g days" % ((found.oldest or 0) / 86400, found.window / 86400))
    if found.covered is None or found.covered < FEWEST_COVERED:
        doubts.append("only %.0f %% of the window has data" % (100 * (found.covered or 0)))
    return doubts


def judge(found):
    """From what was read to the policy. What is not known for sure is unknown, and never a go.

    :param found: a :class:`Found`.
    :returns: policy, reasons, and the numbers as the module returns them.
    """
    def finite(number):
        return number if number is not None and math.isfinite(number) else None

    def days(seconds):
        return None if finite(seconds) is None else seconds / 86400

    doubts = _doubts(found)
    consumed = finite(found.consumed)
    result = {"consumed": consumed, "remaining": None if consumed is None else 1.0 - consumed, "burn": finite(found.burn),
              "objective": finite(found.objective), "window_days": days(found.window), "history_days": days(found.oldest),
              "covered": finite(found.covered)}
    if doubts:
        return dict(result, policy=UNKNOWN, reasons=doubts)
    policy, says = next((policy, says) for below, policy, says in POLICY if found.consumed < below)
    return dict(result, policy=policy, reasons=["%.1f %% of the error budget of %.4g days is consumed: %s" % (
        100 * found.consumed, found.window / 86400, says)])
