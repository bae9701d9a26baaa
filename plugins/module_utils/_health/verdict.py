# Copyright (c) 2026, ironrack.cluster contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Verdicts: what a condition found, what it expected, and how to mend it.

This is a private module_utils package: it may change in any release.
"""
from __future__ import annotations

from collections import namedtuple

PASS, FAIL, INCONCLUSIVE = "pass", "fail", "inconclusive"
#: Not a verdict of its own: what was not tried, because it is check mode.
SKIPPED = "skipped"

#: What a judge says: whether the condition holds, what was seen, what was expected (all in words).
Finding = namedtuple("Finding", ("holds", "seen", "expected"))

#: A named condition: ``judge(observation, expected)`` returns a :class:`Finding` or raises :class:`Unknown`;
#: ``applies(expected)`` says whether this cluster has what the condition is about.
Condition = namedtuple("Condition", ("name", "judge", "how_to_mend", "applies"))


class Unknown(Exception):
    """A condition cannot be judged, because what it looks at could not be read."""


class Observation:
    """What was read of a cluster, each part with its value or with the reason why it could not be read.

    :param values: part -> value.
    :param errors: part -> reason.
    """

    def __init__(self, values=None, errors=None):
        self.values = dict(values or {})
        self.errors = dict(errors or {})

    def get(self, part):
        """:returns: the part's value. :raises Unknown: with the reason why there is none."""
        if part in self.errors:
            raise Unknown(self.errors[part])
        if part not in self.values:
            raise Unknown("%s was not read" % part)
        return self.values[part]


def verdict(name, outcome, seen, expected, how_to_mend=""):
    """:returns: one judged condition, as modules return it."""
    return {"name": name, "verdict": outcome, "seen": seen, "expected": expected,
            "how_to_mend": "" if outcome == PASS else how_to_mend}


def judge(conditions, observation, expected):
    """Judge every condition that applies, in order. One that cannot be judged is inconclusive, never a pass."""
    judged = []
    for condition in conditions:
        if not condition.applies(expected):
            continue
        try:
            finding = condition.judge(observation, expected)
        except Unknown as reason:
            judged.append(verdict(condition.name, INCONCLUSIVE, str(reason), "to be judged", condition.how_to_mend))
        else:
            judged.append(verdict(condition.name, PASS if finding.holds else FAIL, finding.seen, finding.expected, condition.how_to_mend))
    return judged


def overall(judged):
    """:returns: fail where one failed, pass where all (and at least one) passed, else inconclusive."""
    outcomes = {one["verdict"] for one in judged}
    if FAIL in outcomes:
        return FAIL
    return PASS if outcomes == {PASS} else INCONCLUSIVE


def red(judged):
    """The conditions that are not green, for a person: those that could not be judged for one and the same reason are told as one.

    :returns: conditions, of which some stand for several.
    """
    same = {}
    for one in judged:
        if one["verdict"] == INCONCLUSIVE:
            same.setdefault(one["seen"], []).append(one)
    told = []
    for one in judged:
        alike = same.get(one["seen"], [one]) if one["verdict"] == INCONCLUSIVE else [one]
        if one["verdict"] in (PASS, SKIPPED) or one is not alike[0]:
            continue
        told.append(one if len(alike) == 1 else dict(one, name="%s and %d more" % (one["name"], len(alike) - 1), how_to_mend=""))
    return told


def explain(judged):
    """:returns: the conditions that are not green in words, one line each, for a failure message."""
    lines = ["%s (%s): seen: %s; expected: %s. %s" % (one["name"], one["verdict"], one["seen"], one["expected"], one["how_to_mend"])
             for one in red(judged)]
    return "\n".join(lines).rstrip() or "no condition was judged"


def enforced(enforce, check_mode):
    """:returns: whether a result that is not green fails the task.

    :param enforce: always, not_in_check_mode or never.
    """
    return enforce == "always" or (enforce == "not_in_check_mode" and not check_mode)


def listing(names, limit=6):
    """:returns: names in words, shortened, for a person; 'none' where there are none."""
    names = sorted(names)
    if not names:
        return "none"
    more = len(names) - limit
    return ", ".join(names[:limit]) + (" and %d more" % more if more > 0 else "")
