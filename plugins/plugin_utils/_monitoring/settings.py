# Copyright (c) 2026, ironrack.cluster contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The services that are watched and their objectives, read from variables; everything that is wrong with them at once."""
from __future__ import annotations

import math
import re
from collections import namedtuple

#: What Prometheus needs to know of a service.
Service = namedtuple("Service", ("name", "namespace", "port", "metrics_path"))
#: kind: errors or latency; bound: seconds, of latency; days: the window; optional: silence is no fault; services: names, empty for all.
Slo = namedtuple("Slo", ("name", "kind", "metric", "objective", "days", "bound", "optional", "services"))

NAME = re.compile(r"[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?\Z")
METRIC = re.compile(r"[a-zA-Z_:][a-zA-Z0-9_:]*\Z")
DURATION = re.compile(r"[1-9][0-9]*(s|m|h|d|w)\Z")
PAGE_FACTOR = 14.4


class BadSettings(ValueError):
    """What was asked for cannot be watched. Its text has all the reasons, a line each."""


def refuse(found):
    """:raises BadSettings: where ``found`` holds any reason."""
    if found:
        raise BadSettings("nothing was written, because:\n- %s" % "\n- ".join(found))


def _text(value):
    return value if isinstance(value, str) else ""


def read_services(descriptions):
    """Read what Prometheus needs of the inventory's ``llm_services``; the rest of a description is judged by those who deploy it.

    :returns: (list of :class:`Service`, reasons).
    """
    services, found = [], []
    if not isinstance(descriptions, list):
        return [], ["llm_services is %s, expected a list of services" % type(descriptions).__name__]
    for number, entry in enumerate(descriptions, 1):
        entry = entry if isinstance(entry, dict) else {}
        pod = entry.get("pod") if isinstance(entry.get("pod"), dict) else {}
        name, port = _text(entry.get("name")), pod.get("port", 8080)
        where = "llm_services, %s" % (name or "number %d" % number)
        if not NAME.match(name):
            found.append("%s: its name is %r, expected a DNS label" % (where, entry.get("name")))
        if name and name in [service.name for service in services]:
            found.append("%s: there are two of that name, expected one: rename one of them" % where)
        if not str(port).isdigit() or not 0 < int(port) < 65536:
            found.append("%s: pod.port is %r, expected a TCP port" % (where, port))
            port = 8080
        services.append(Service(name, _text(entry.get("namespace")) or "default", int(port), _text(pod.get("metrics_path")) or "/metrics"))
    return services, found


def _is_number(value):
    return isinstance(value, (int, float)) and not isinstance(value, bool) and math.isfinite(value)


def read_slos(items, services):
    """Read objectives.

    :param items: the variable monitoring_slos.
    :param services: of :func:`read_services`.
    :returns: (list of :class:`Slo`, reasons).
    """
    slos, found, known = [], [], [service.name for service in services]
    for number, item in enumerate(items, 1):
        where = "monitoring_slos, %s" % (item.get("name") or "number %d" % number)
        kind, objective, days, bound = item.get("kind"), item.get("objective"), item.get("days", 30), item.get("bound")
        if not NAME.match(_text(item.get("name"))):
            found.append("%s: its name is %r, expected a DNS label" % (where, item.get("name")))
        if item.get("name") in [slo.name for slo in slos]:
            found.append("%s: there are two of that name, expected one" % where)
        if kind not in ("errors", "latency"):
            found.append("%s: kind is %r, expected errors or latency" % (where, kind))
        if not METRIC.match(_text(item.get("metric"))):
            found.append("%s: metric is %r, expected the name of a counter, or of a histogram without _bucket" % (where, item.get("metric")))
        if not _is_number(objective) or not 0 < objective < 1:
            found.append("%s: objective is %r, expected a share above 0 and below 1, such as 0.999" % (where, objective))
        elif (1 - objective) * PAGE_FACTOR >= 1:
            found.append("%s: objective is %g, and a page at a burn of %g could never come; expected at least 0.931" % (where, objective, PAGE_FACTOR))
        if not isinstance(days, int) or isinstance(days, bool) or not 3 < days <= 365:
            found.append("%s: days is %r, expected 4 to 365: the alerts' longest window is 3" % (where, days))
        if kind == "latency" and (not _is_number(bound) or bound <= 0):
            found.append("%s: bound is %r, expected seconds that are the bound of a bucket" % (where, bound))
        if kind == "errors" and bound is not None:
            found.append("%s: bound is %r, expected none: errors have no bound" % (where, bound))
        for name in item.get("services") or ():
            if name not in known:
                found.append("%s: services names %r, expected some of: %s" % (where, name, ", ".join(known) or "none is there"))
        slos.append(Slo(item.get("name"), kind, item.get("metric"), objective, days, bound, bool(item.get("optional")), tuple(item.get("services") or ())))
    return slos, found


def thresholds_problems(thresholds):
    """:returns: reasons why ``monitoring_thresholds`` cannot be used."""
    found = []
    for name in ("error_rate", "latency", "cpu", "memory"):
        pair = thresholds.get(name)
        if not isinstance(pair, (list, tuple)) or len(pair) != 2 or not all(_is_number(value) and value > 0 for value in pair):
            found.append("monitoring_thresholds, %s is %r, expected two numbers, of a warning and of a critical alert" % (name, pair))
        elif pair[0] >= pair[1]:
            found.append("monitoring_thresholds, %s: the warning's %g is not below the critical %g: swap them" % (name, pair[0], pair[1]))
    for name in ("cost_per_day", "cost_per_request", "cache_hits", "least_requests"):
        if not _is_number(thresholds.get(name)) or thresholds[name] < 0:
            found.append("monitoring_thresholds, %s is %r, expected a number from 0" % (name, thresholds.get(name)))
    return found


def bucket_problems(buckets, thresholds, slos):
    """:returns: reasons why rules would read buckets that the balancers do not have.

    :param buckets: the variable monitoring_buckets, seconds.
    """
    known, pair = {float(one) for one in buckets}, thresholds.get("latency")
    asked = [("monitoring_thresholds, latency", one) for one in (pair if isinstance(pair, (list, tuple)) else ()) if _is_number(one)]
    asked += [("monitoring_slos, %s" % slo.name, slo.bound) for slo in slos
              if slo.kind == "latency" and _is_number(slo.bound) and str(slo.metric).startswith("ironrack_")]
    return ["%s: %g is the bound of no bucket, expected one of monitoring_buckets" % one for one in asked if float(one[1]) not in known]


def duration_problem(name, value):
    """:returns: a list with the reason why a text is no duration of Prometheus."""
    return [] if DURATION.match(_text(value)) else ["%s is %r, expected a number and a unit, such as 35d or 30m" % (name, value)]


def seconds_of(value):
    """:returns: a duration in seconds."""
    return int(value[:-1]) * {"s": 1, "m": 60, "h": 3600, "d": 86400, "w": 604800}[value[-1]]


def retention_problems(retention, slos):
    """:returns: reasons why a history of that length is too short for the objectives."""
    found = duration_problem("monitoring_retention", retention)
    longest = max([slo.days for slo in slos if isinstance(slo.days, int)] or [0])
    if not found and seconds_of(retention) <= longest * 86400:
        found.append("monitoring_retention is %s, expected more than the %d days of the longest objective: a budget of a younger history is not known" % (
            retention, longest))
    return found


def metrics_problems(metrics):
    """:returns: reasons why ``monitoring_metrics`` cannot be used; an empty name leaves its alert out."""
    known = ("cost", "requests", "cache_hits", "cache_misses", "breaker")
    found = ["monitoring_metrics has %r, expected some of: %s" % (name, ", ".join(known)) for name in metrics if name not in known]
    return found + ["monitoring_metrics, %s is %r, expected the name of a metric, or nothing" % (name, metric) for name, metric in metrics.items()
                    if metric and not METRIC.match(_text(metric))]
