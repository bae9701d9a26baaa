# Copyright (c) 2026, ironrack.cluster contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""From samples of raw counters to how many requests there were since a step began, and how many of them were bad.

A count is only one where nothing is in doubt: a series that is gone, stale, reset or no counter of requests makes it a list of reasons instead.

This is a private module_utils package: it may change in any release.
"""
from __future__ import annotations

import math
import re
from collections import namedtuple

#: What was read of some series. ``start`` and ``now``: labels -> (seconds of Unix time, value) of the last sample before the step began and now;
#: ``resets``: labels -> how many times it was reset since; ``scraped``: the (job, instance) that answered a scrape when the step began.
#: Labels are sorted tuples of (name, value), without the metric's name.
Reading = namedtuple("Reading", ("start", "now", "resets", "scraped"))

#: Requests since the step began; numbers are None where there are ``problems`` (in words).
Count = namedtuple("Count", ("bad", "total", "problems"))

STATUS = re.compile(r"[1-5][0-9][0-9]")
#: After this a step is counted anew from the moment when it was seen.
RESET = "the counter was reset since the step began"


class NoBucket(Exception):
    """The histogram has no bucket of that bound. Its argument is the sorted list of those that it has, in seconds."""


def unknown(problems):
    """:returns: a :class:`Count` that says nothing but why."""
    return Count(None, None, list(problems))


def doubt_of_beginning(since, time):
    """:returns: why nothing can be counted since a moment, in words; empty where it can.

    :param since: seconds of Unix time; None where no step has begun.
    :param time: now, likewise, of Prometheus's own clock.
    """
    if since is None:
        return "it is not said when the step began"
    return "the step begins %.1f s after now by Prometheus's clock" % (since - time) if since > time else ""


def key(labels):
    """:returns: labels as a key, without the metric's name."""
    return tuple(sorted((name, value) for name, value in labels.items() if name != "__name__"))


def of_release(reading, release):
    """:returns: the part of a reading that is of one release."""
    def part(samples):
        return {labels: sample for labels, sample in samples.items() if ("release", release) in labels}
    return Reading(part(reading.start), part(reading.now), part(reading.resets), reading.scraped)


def _is_count(value):
    return math.isfinite(value) and value >= 0 and value == int(value)


def _doubt(labels, reading, time, max_age):
    """:returns: why the increase of one series is not known, in words; empty where it is."""
    if labels not in reading.now or time - reading.now[labels][0] > max_age:
        return "no sample in the last %g s, so it is gone or stale" % max_age
    value = reading.now[labels][1]
    before = reading.start[labels][1] if labels in reading.start else 0.0
    if not _is_count(value) or not _is_count(before):
        return "%r is no number of requests" % (before if _is_count(value) else value)
    if labels not in reading.resets:
        return "it is not known whether the counter was reset"
    if reading.resets[labels] != 0 or value < before:
        return RESET
    if labels not in reading.start and (dict(labels).get("job"), dict(labels).get("instance")) not in reading.scraped:
        return "its target was not scraped when the step began, so it is not known what the counter was then"
    return ""


def increases(reading, time, max_age):
    """How much each series has grown since the step began.

    A series that was not there then counts from 0, where its target was.

    :param time: seconds of Unix time, of Prometheus's own clock.
    :param max_age: seconds that the last sample may be old.
    :returns: (labels -> increase, problems in words); where there are problems, the increases are not to be used.
    """
    found, doubts = {}, {}
    # One that came and went in between is known by its resets alone.
    for labels in sorted(set(reading.start) | set(reading.now) | set(reading.resets)):
        doubt = _doubt(labels, reading, time, max_age)
        if doubt:
            doubts.setdefault(doubt, []).append(labels)
        else:
            found[labels] = int(reading.now[labels][1] - (reading.start[labels][1] if labels in reading.start else 0))
    problems = ["%s: %d series, such as {%s}" % (doubt, len(series), ", ".join('%s="%s"' % pair for pair in series[0])) for doubt, series in doubts.items()]
    return found, problems or ([] if found else ["there is no such series"])


def errors(reading, time, max_age, bad_status, ignored_status):
    """Count tries by their label ``status``.

    :param bad_status: compiled expression for the whole status; what is no HTTP status (a try without an answer) is bad too.
    :param ignored_status: compiled expression for those that are no try of the release: neither bad nor counted.
    :returns: :class:`Count`.
    """
    grown, problems = increases(reading, time, max_age)
    if not problems and not all(dict(labels).get("status") for labels in grown):
        problems = ["a series has no label status"]
    if problems:
        return unknown(problems)
    bad = total = 0
    for labels, number in grown.items():
        status = dict(labels)["status"]
        if not ignored_status.fullmatch(status):
            total += number
            bad += number if bad_status.fullmatch(status) or not STATUS.fullmatch(status) else 0
    return Count(bad, total, [])


def _seconds(labels):
    try:
        return float(dict(labels)["le"])
    except (KeyError, ValueError):
        return float("nan")


def slow(reading, time, max_age, bound):
    """Count requests that took longer than a bucket's bound.

    :param bound: seconds.
    :returns: :class:`Count`.
    :raises NoBucket: where there are buckets, and none of that bound.
    """
    grown, problems = increases(reading, time, max_age)
    bounds = {_seconds(labels) for labels in reading.now}
    if reading.now and bound not in bounds:
        raise NoBucket(sorted(one for one in bounds if math.isfinite(one)))
    if problems:
        return unknown(problems)
    histograms = {}
    for labels, number in grown.items():
        histograms.setdefault(tuple(pair for pair in labels if pair[0] != "le"), {})[_seconds(labels)] = number
    if not all(bound in one and float("inf") in one for one in histograms.values()):
        return unknown(["not every histogram has both the bucket of %g s and the one of all requests" % bound])
    total = sum(one[float("inf")] for one in histograms.values())
    quick = sum(one[bound] for one in histograms.values())
    return Count(total - quick, total, []) if quick <= total else unknown(["more requests took at most %g s than there were" % bound])
