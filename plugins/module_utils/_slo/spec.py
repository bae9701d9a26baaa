# Copyright (c) 2026, ironrack.cluster contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a gate may be: from a description to gates, or to all the reasons against it at once.

This is a private module_utils package: it may change in any release.
"""
from __future__ import annotations

import math
import re
from collections import namedtuple

from .._common.errors import IronrackError

#: ``metric`` with the labels service and release; a share of the counted requests over ``fail_limit`` fails, one under ``limit`` passes.
#: ``bound`` in seconds is of kind latency, ``bad_status`` and ``ignored_status`` (compiled) are of kind errors, and None in the other one.
CountGate = namedtuple("CountGate", ("name", "kind", "metric", "limit", "fail_limit", "ratio", "bound", "bad_status", "ignored_status"))

#: One number of any PromQL; ``metric`` selects the series that have to be fresh. Limits are None where there are none on that side.
QueryGate = namedtuple("QueryGate", ("name", "kind", "metric", "query", "at_most", "fail_over", "at_least", "fail_under"))

#: One reason to refuse an input, all of it in words.
Problem = namedtuple("Problem", ("where", "what", "expected", "mend"))

OPTIONS = {
    "errors": ("metric", "limit", "fail_limit", "ratio", "bad_status", "ignored_status"),
    "latency": ("metric", "limit", "fail_limit", "ratio", "bound", "buckets"),
    "query": ("metric", "query", "at_most", "fail_over", "at_least", "fail_under"),
}
DEFAULT_RATIO, DEFAULT_BAD, DEFAULT_IGNORED = 2.0, "5..", "429|499"
DNS_LABEL = re.compile(r"[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?")
METRIC = re.compile(r"[a-zA-Z_:][a-zA-Z0-9_:]*")


class BadInput(IronrackError):
    """What was asked for cannot be judged, whatever is measured. Its details carry ``problems``."""


def refuse(problems):
    """:raises BadInput: where ``problems`` holds any :class:`Problem`, with all of them."""
    if problems:
        lines = ["%s: %s; expected: %s. To mend it: %s." % problem for problem in problems]
        raise BadInput("nothing was judged:\n- %s" % "\n- ".join(lines), problems=[dict(problem._asdict()) for problem in problems])


def is_number(value):
    """:returns: whether a value is a finite number."""
    return isinstance(value, (int, float)) and not isinstance(value, bool) and math.isfinite(value)


def name_problems(names):
    """:returns: a problem for each of ``names`` (what it names -> the name) that is no DNS label."""
    return [Problem(where, "it is %r" % (name,), "a DNS label: lower-case letters, digits and '-', at most 63", "name it as its release is named")
            for where, name in names.items() if not isinstance(name, str) or not DNS_LABEL.fullmatch(name)]


def moment_problems(since):
    """:returns: a problem where ``since`` is neither None nor a moment in seconds of Unix time."""
    if since is None or (is_number(since) and since > 0):
        return []
    return [Problem("since", "it is %r" % (since,), "seconds of Unix time", "take the time that a look at the step's beginning returned")]


def no_bucket(where, bound, buckets):
    """:returns: the problem of a bound between the buckets of a histogram, all in seconds."""
    return Problem(where, "%g s is the bound of no bucket" % bound, "one of %s" % (", ".join("%g" % bucket for bucket in buckets) or "none at all"),
                   "choose one of them, or give the histogram that bucket: between two of them nothing is known")


def status_pattern(where, text, example, vacuous):
    """Read a regular expression for the whole HTTP status.

    :param where: the option, for the problem.
    :param example: one that would do, for the problem.
    :param vacuous: whether it may match no status at all.
    :returns: (the compiled expression or None, list of problems).
    """
    try:
        pattern = re.compile(text)
    except (re.error, TypeError) as error:
        return None, [Problem(where, "%r is no regular expression: %s" % (text, error), "one for the whole status, such as %r" % example, "correct it")]
    if not vacuous and not any(pattern.fullmatch(str(status)) for status in range(100, 600)):
        return None, [Problem(where, "%r matches no HTTP status" % text, "one for the whole status, such as %r" % example,
                              "correct it: as it is, no answer would ever be an error")]
    return pattern, []


def parse(items, service, release, baseline, looks):
    """Read the description of gates.

    :param items: list of dictionaries: ``name``, ``kind``, and what OPTIONS has for it; a value of None counts as left out.
    :param service: the service's name.
    :param release: the release that is judged.
    :param baseline: the release that it is compared with; empty where there is none.
    :param looks: how many times the whole rollout means to judge, extensions included.
    :returns: (gates, problems): a list of :class:`CountGate` and :class:`QueryGate`, and of :class:`Problem`.
    """
    problems = name_problems(dict({"service": service, "release": release}, **({"baseline": baseline} if baseline else {})))
    if baseline and baseline == release:
        problems.append(Problem("baseline", "it is the release %s that is to be judged" % release, "another release, which runs at the same time",
                                "name the stable one, or leave it empty where there is none"))
    if not isinstance(looks, int) or isinstance(looks, bool) or looks < 1:
        problems.append(Problem("looks", "it is %r" % (looks,), "a whole number from 1", "count all looks that the rollout plans, extensions included"))
    if not items:
        problems.append(Problem("gates", "there is none", "at least one", "describe what the release is judged by: without a gate everything would pass"))
    gates, names = [], set()
    for number, item in enumerate(items or ()):
        reader = _Reader(item, number)
        if reader.name and reader.name in names:
            reader.problem("name", "it is there twice", "a name for each gate", "rename one of them")
        names.add(reader.name)
        gate = reader.gate()
        problems += reader.problems
        if not reader.problems:
            gates.append(gate)
    return gates, problems


class _Reader:
    """One description, and what is wrong with it."""

    def __init__(self, item, number):
        self.problems = []
        self._given = {key: value for key, value in item.items() if value is not None} if isinstance(item, dict) else {}
        name = self._given.get("name")
        self.name = name if isinstance(name, str) else ""
        self._where = "gate %s" % self.name if self.name else "gate number %d" % (number + 1)
        if not self.name:
            self.problem("name", "it is %r" % (name,), "a text", "give the gate a name: reports need one")

    def problem(self, option, what, expected, mend):
        self.problems.append(Problem("%s, %s" % (self._where, option), what, expected, mend))

    def gate(self):
        """:returns: the gate; to be used only where ``problems`` stayed empty."""
        kind = self._given.get("kind")
        if not isinstance(kind, str) or kind not in OPTIONS:
            self.problem("kind", "it is %r" % (kind,), "errors, latency or query", "say what the gate judges")
            return None
        for option in sorted(set(self._given) - {"name", "kind"} - set(OPTIONS[kind])):
            self.problem(option, "gates of kind %s have no such option" % kind, "one of %s" % ", ".join(OPTIONS[kind]), "take it out")
        return self._query_gate() if kind == "query" else self._count_gate(kind)

    def _number(self, option, fits, expected, default=None):
        value = self._given.get(option, default)
        if value is None and option not in self._given:
            return None
        if not is_number(value) or not fits(value):
            self.problem(option, "it is %r" % (value,), expected, "correct it")
            return None
        return float(value)

    def _required(self, option, value, expected):
        if value is None and option not in self._given:
            self.problem(option, "it is missing", expected, "add it")

    def _text(self, option, expected):
        value = self._given.get(option)
        if not isinstance(value, str) or not value.strip():
            self.problem(option, "it is missing" if value is None else "it is %r" % (value,), expected, "name it: without one there is nothing to judge by")
            return ""
        return value

    def _count_gate(self, kind):
        metric = self._text("metric", "the name of a counter with the labels service and release")
        if metric and not METRIC.fullmatch(metric):
            self.problem("metric", "it is %r" % metric, "a plain name, without labels or functions", "take a gate of kind query for any other PromQL")
        share = "a share of the requests, above 0 and below 1"
        limit = self._number("limit", lambda value: 0 < value < 1, share)
        self._required("limit", limit, share)
        fail_limit = self._number("fail_limit", lambda value: 0 < value < 1, share, default=limit)
        if limit is not None and fail_limit is not None and fail_limit < limit:
            self.problem("fail_limit", "it is %g, under the limit %g of a pass" % (fail_limit, limit), "at least the limit",
                         "swap the two: what passes must not fail")
        ratio = self._number("ratio", lambda value: value >= 1, "a number from 1", default=DEFAULT_RATIO)
        if kind == "latency":
            return CountGate(self.name, kind, metric, limit, fail_limit, ratio, self._bound(metric), None, None)
        return CountGate(self.name, kind, metric, limit, fail_limit, ratio, None, self._statuses("bad_status", DEFAULT_BAD, vacuous=False),
                         self._statuses("ignored_status", DEFAULT_IGNORED, vacuous=True))

    def _bound(self, metric):
        if metric and not metric.endswith("_bucket"):
            self.problem("metric", "it is %r" % metric, "the buckets of a histogram: a name that ends in _bucket", "add _bucket")
        bound = self._number("bound", lambda value: value > 0, "seconds, above 0")
        self._required("bound", bound, "seconds, above 0")
        buckets = self._given.get("buckets")
        if buckets is not None and not (isinstance(buckets, (list, tuple)) and all(is_number(bucket) for bucket in buckets)):
            self.problem("buckets", "it is %r" % (buckets,), "a list of numbers, in seconds", "list the bounds that the histogram has")
        elif buckets is not None and bound is not None and bound not in [float(bucket) for bucket in buckets]:
            self.problems.append(no_bucket("%s, bound" % self._where, bound, buckets))
        return bound

    def _statuses(self, option, default, vacuous):
        pattern, problems = status_pattern("%s, %s" % (self._where, option), self._given.get(option, default), default, vacuous)
        self.problems += problems
        return pattern

    def _query_gate(self):
        metric = self._text("metric", "a selector of the series that the query reads, which have to be fresh")
        query = self._text("query", "PromQL that gives one number")
        values = {option: self._number(option, lambda value: True, "a number") for option in ("at_most", "fail_over", "at_least", "fail_under")}
        if "at_most" not in self._given and "at_least" not in self._given:
            self.problem("at_most", "neither it nor at_least is there", "one of them, or both", "say which values pass")
        for edge, pass_at, sign in (("fail_over", "at_most", 1), ("fail_under", "at_least", -1)):
            if edge in self._given and pass_at not in self._given:
                self.problem(edge, "there is no %s" % pass_at, "both of them", "say which values pass on that side")
            if values[edge] is None:
                values[edge] = values[pass_at]
            elif values[pass_at] is not None and (values[edge] - values[pass_at]) * sign < 0:
                self.problem(edge, "%g lies among the values that pass (%s %g)" % (values[edge], pass_at, values[pass_at]),
                             "%g or %s" % (values[pass_at], "more" if sign > 0 else "less"), "swap the two: what passes must not fail")
        if None not in (values["at_most"], values["at_least"]) and values["at_most"] < values["at_least"]:
            self.problem("at_least", "%g is over at_most, %g" % (values["at_least"], values["at_most"]), "at most at_most", "swap the two: nothing would pass")
        return QueryGate(self.name, "query", metric, query, values["at_most"], values["fail_over"], values["at_least"], values["fail_under"])
