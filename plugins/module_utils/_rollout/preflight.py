# Copyright (c) 2026, ironrack.cluster contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Everything that stands against a beginning, told at once and before any change.

This is a private module_utils package: it may change in any release.
"""
from __future__ import annotations

from .._common.errors import IronrackError
from .._common.refusal import Refused, problem
from .._release.lease import Held
from .._slo import budget as budgets, spec
from .._slo.budget_asking import ask
from .._slo.prometheus import BadQuery, NoAnswer, Prometheus, problems_of, selector
from . import wishes
from .balancers import observed

#: What a policy of the error budget lets through without a reason.
FREE = (budgets.GO, budgets.SLOW)


def balancer_problems(statuses, gone):
    """:returns: a problem for each balancer that clients may reach and that does not say what it serves of the service. Pure."""
    found = []
    if not statuses:
        found.append(problem("load_balancers", "there is none", "at least one", "Put hosts into the group load_balancers."))
    for name, status in sorted(statuses.items()):
        if name in gone:
            continue
        if status is None:
            found.append(problem("balancer " + name, "its page http://%s:8080/upstream.json does not answer" % name, "an answer",
                                 "See to it, or take it out of the group load_balancers."))
        elif not observed({name: status}, set())[name]["generation"]:
            found.append(problem("balancer " + name, "it knows nothing of the service", "the service with its stable release", "Run llm_service first."))
    return found


def connection_problems(service, connection):
    """:returns: what is wrong with the connection to Prometheus, or with the metrics of gates there."""
    found = [dict(one._asdict()) for one in problems_of(connection)]
    if found:
        return found
    prometheus = Prometheus(connection)
    try:
        moment = prometheus.clock()
        for gate in wishes.metric_gates(service["gates"]):
            found += _metric_problems(prometheus, service, gate, moment, connection["max_age"])
    except NoAnswer as error:
        found.append(problem("prometheus", str(error), "an answer", "See to it: without it no gate passes."))
    return found


def _metric_problems(prometheus, service, gate, moment, max_age):
    """A gate whose metric nobody has would end every step inconclusive. The candidate has no series yet, so the service's are looked for."""
    metric = gate["metric"]
    series = metric.split("{")[0] if gate["kind"] == "query" else selector(metric, {"service": service["name"]})
    where = "gate %s, metric" % gate["name"]
    try:
        samples = prometheus.last_samples(series, moment, max_age)
        if gate["kind"] == "query":
            prometheus.query(gate["query"], at=moment)
    except BadQuery as error:
        return [problem(where, str(error), "PromQL that Prometheus understands", "Correct metric and query.")]
    if not samples:
        return [problem(where, "no series of `%s` has a sample of the last %d s" % (series, max_age), "a metric that is scraped",
                        "Correct its name, or see to its target.")]
    if gate["kind"] != "latency":
        return []
    bounds = sorted({_bound(labels) for labels, _time, _number in samples})
    if float(gate["bound"]) in bounds:
        return []
    return [dict(spec.no_bucket("gate %s, bound" % gate["name"], gate["bound"], [bound for bound in bounds if bound < float("inf")])._asdict())]


def _bound(labels):
    try:
        return float(labels["le"])
    except (KeyError, ValueError):
        return float("inf")


def budget_of(service, connection, question=ask):
    """:returns: the result of error_budget_info, with a policy of `unknown` where it could not be asked."""
    if not connection:
        return {"policy": budgets.UNKNOWN, "reasons": ["the description names no Prometheus"]}
    try:
        return question(dict(connection, service=service["name"], **wishes.budget_options(service)))
    except (IronrackError, OSError) as error:
        return {"policy": budgets.UNKNOWN, "reasons": [str(error)]}


def budget_problems(found, override):
    """:returns: a problem where the error budget says no, and nobody gave a reason to go on. Pure.

    :param found: of :func:`budget_of`.
    :param override: the reason; empty where there is none.
    """
    if found["policy"] in FREE or override:
        return []
    return [problem("error budget", "policy %s: %s" % (found["policy"], "; ".join(found["reasons"])), "go or slow",
                    "Wait, or give a reason in rollout_override_reason, which goes into the history%s." % (
                        ": that this is a fix, say" if found["policy"] == budgets.FIXES else ""))]


def budget_words(found, override):
    """:returns: what the record says of the budget, for the reason of a rollout. Pure."""
    words = "error budget %s: %s" % (found["policy"], "; ".join(found["reasons"]))
    if found["policy"] not in FREE:
        return "%s; OVERRIDDEN: %s" % (words, override)
    return words + ("; each step lasts twice as long" if found["policy"] == budgets.SLOW else "")


def engine_problems(attempt):
    """:returns: what the engine says against a request that is tried without writing.

    :param attempt: a callable that tries it.
    """
    try:
        attempt()
    except Refused as error:
        return list(error.details["problems"])
    except Held:
        return []  # judged when the waiting is over
    except IronrackError as error:
        return [problem("rollout", str(error), "that this may begin", "See rollout_status.")]
    return []
