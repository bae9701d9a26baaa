# Copyright (c) 2026, ironrack.cluster contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""One look at a release by all of its gates.

This is a private module_utils package: it may change in any release.
"""
from __future__ import annotations

from .._health.verdict import overall
from . import counters, spec
from .gate import judge_counts, judge_value
from .prometheus import BadQuery, NoAnswer, Prometheus, problems_of
from .reading import Look


def counted(gate, params, look, doubt):
    """:returns: the counts of the release and of the baseline (None where there is none)."""
    releases = [params["release"]] + ([params["baseline"]] if params["baseline"] else [])
    found = [counters.unknown([doubt]) for release in releases]
    if not doubt:
        try:
            reading = look.counters(gate.metric, params["service"], releases)
            found = [count(gate, counters.of_release(reading, release), look.time, params["max_age"]) for release in releases]
        except NoAnswer as error:
            found = [counters.unknown([str(error)]) for release in releases]
    return found[0], found[1] if params["baseline"] else None


def count(gate, reading, time, max_age):
    """:returns: the count of one release. :raises NoBucket: where its histogram has no such bucket."""
    if gate.kind == "latency":
        return counters.slow(reading, time, max_age, gate.bound)
    return counters.errors(reading, time, max_age, gate.bad_status, gate.ignored_status)


def judged(gate, params, look, silence):
    """Judge one gate.

    :param silence: why Prometheus gives no answer at all, in words; empty where it does.
    :returns: the judged gate.
    :raises BadQuery: and NoBucket, where the input is bad after all.
    """
    if gate.kind != "query":
        release, baseline = counted(gate, params, look, silence or counters.doubt_of_beginning(params["since"], look.time))
        return judge_counts(gate, release, baseline, params["looks"], params["end_of_step"])
    value, problems = None, [silence]
    if not silence:
        try:
            value, problems = look.number(gate.metric, gate.query)
        except NoAnswer as error:
            problems = [str(error)]
    return judge_value(gate, value, problems, params["end_of_step"])


def judge(params):
    """Judge all gates once.

    :param params: what the module metric_gate documents.
    :returns: its result.
    :raises BadInput: with all that is wrong with the input.
    """
    gates, problems = spec.parse(params["gates"], params["service"], params["release"], params["baseline"], params["looks"])
    spec.refuse(problems_of(params) + spec.moment_problems(params["since"]) + problems)
    prometheus, time, silence = Prometheus(params), None, ""
    try:
        time = prometheus.clock()
    except NoAnswer as error:
        silence = str(error)
    look = Look(prometheus, time, params["since"], params["max_age"])
    found = []
    for gate in gates:
        try:
            found.append(judged(gate, params, look, silence))
        except counters.NoBucket as error:
            problems.append(spec.no_bucket("gate %s, bound" % gate.name, gate.bound, error.args[0]))
        except BadQuery as error:
            problems.append(spec.Problem("gate %s" % gate.name, str(error), "PromQL that Prometheus understands", "correct metric and query"))
    spec.refuse(problems)
    return {"changed": False, "verdict": overall(found), "time": time, "gates": found,
            "reasons": ["%s (%s): %s" % (one["name"], one["verdict"], reason) for one in found for reason in one["reasons"]]}
