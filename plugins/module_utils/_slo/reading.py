# Copyright (c) 2026, ironrack.cluster contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What gates look at, read from Prometheus at one moment of its own clock.

This is a private module_utils package: it may change in any release.
"""
from __future__ import annotations

import math

from .counters import Reading, key
from .prometheus import BadQuery, one_of, selector


class Look:
    """One look at a step.

    :param prometheus: the :class:`~.prometheus.Prometheus` to ask.
    :param time: seconds of Unix time of the look.
    :param since: when the step began, likewise, not after ``time``; None where only :meth:`number` is asked.
    :param max_age: seconds that a sample may be old.
    """

    def __init__(self, prometheus, time, since, max_age):
        self._prometheus = prometheus
        self.time = time
        self._since = since
        self._max_age = max_age

    def _samples(self, series, at):
        return {key(labels): (time, number) for labels, time, number in self._prometheus.last_samples(series, at, self._max_age)}

    def counters(self, metric, service, releases):
        """:returns: the :class:`~.counters.Reading` of a metric of some releases.

        :raises NoAnswer: and BadQuery, as the client does.
        """
        series = selector(metric, {"service": service}, {"release": one_of(releases)})
        start, now = self._samples(series, self._since), self._samples(series, self.time)
        # From the oldest sample that is compared on, and one millisecond more: newer releases of Prometheus leave the edge itself out.
        first = min([self._since] + [time for time, number in start.values()])
        span = math.ceil((self.time - first) * 1000) + 1
        resets = {key(labels): number for labels, number in self._prometheus.query("resets(%s[%dms])" % (series, span), at=self.time)[1]}
        targets = {(dict(labels).get("job", ""), dict(labels).get("instance", "")) for labels in set(now) - set(start)}
        return Reading(start, now, resets, {target for target in sorted(targets) if self._was_scraped(*target)})

    def _was_scraped(self, job, instance):
        """:returns: whether the last scrape of a target before the step began succeeded."""
        up = self._samples(selector("up", {"job": job, "instance": instance}), self._since)
        return [number for time, number in up.values()] == [1.0]

    def number(self, metric, query):
        """:returns: (the number that a query gives, or None; why there is none or why it is not to be trusted, in words).

        Prometheus takes samples of up to five minutes for those of now, and only newer releases let a query say otherwise.

        :param metric: the selector of what has to be fresh: each of its series that a query would see.
        :raises NoAnswer: and BadQuery, as the client does, and where the query gives samples over time.
        """
        fresh = self._prometheus.last_samples(metric, self.time, self._max_age)
        stale = [stamp for labels, stamp in self._prometheus.query("timestamp(%s)" % metric, at=self.time)[1] if self.time - stamp > self._max_age]
        kind, result = self._prometheus.query(query, at=self.time)
        if kind == "matrix":
            raise BadQuery("`%s` gives samples over time; one number is expected: put a function such as max_over_time around it" % query)
        if stale:
            return None, ["of %d series of `%s` the last sample is older than %d s" % (len(stale), metric, self._max_age)]
        if not fresh:
            return None, ["no series of `%s` has a sample of the last %d s" % (metric, self._max_age)]
        numbers = [result] if kind == "scalar" else [number for labels, number in result]
        if len(numbers) != 1:
            return None, ["`%s` gives %s; one is expected: put sum, max or min around it" % (query, "%d numbers" % len(numbers) if numbers else "no number")]
        return numbers[0], []
