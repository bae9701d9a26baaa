# Copyright (c) 2026, ironrack.cluster contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Service level objectives as rules, under the metric names of sloth.

Each window's share of errors is the sum of bad events over the sum of all events, and not a mean of shares: an hour of a few requests weighs as much
as it had. A window without any request had no error; an objective without any series has no sample, which is an alert of its own.
"""
from __future__ import annotations

#: Windows that are read from the raw counters, and those that are summed up from what was recorded: raw ones of weeks would be millions of samples.
SHORT = ("5m", "30m", "1h", "2h", "6h")
LONG = ("1d", "3d")
#: severity -> ((short window, long window, how fast the budget burns), ...), as in the SRE workbook, chapter 5.
BURNS = {"page": (("5m", "1h", 14.4), ("30m", "6h", 6)), "ticket": (("2h", "1d", 3), ("6h", "3d", 1))}
#: How many bad events the long window has to hold: one unlucky request of a quiet night wakes nobody.
LEAST_BAD = {"page": 10, "ticket": 3}
#: Neither bad nor counted: what a limit refused, and clients that left.
IGNORED, GOOD = "429|499", "[1-4][0-9][0-9]"


def number(value):
    """:returns: a number as PromQL has it, without the dust of binary fractions."""
    return "%.12g" % value


def _sum(selector, window):
    return "sum(increase(%s[%s]))" % (selector, window)


def total(slo, service, window):
    """:returns: PromQL of all events of a window."""
    if slo.kind == "latency":
        return _sum('%s_count{service="%s",kind!="stream"}' % (slo.metric, service), window)
    return _sum('%s{service="%s",status!~"%s"}' % (slo.metric, service, IGNORED), window)


def bad(slo, service, window):
    """:returns: PromQL of the bad ones; nothing where there is no series at all."""
    if slo.kind == "latency":
        # "2" and "2.0" are the same bound, as different libraries write it. Without that bucket nothing is known.
        bucket = '%s_bucket{service="%s",kind!="stream",le=~"%s(\\\\.0)?"}' % (slo.metric, service, number(slo.bound).replace(".", "\\\\."))
        return "clamp_min(%s - %s, 0)" % (total(slo, service, window), _sum(bucket, window))
    # What is no HTTP status had no answer. A broken answer began with a good status.
    parts = (_sum('%s{service="%s",status!~"%s|%s"}' % (slo.metric, service, IGNORED, GOOD), window),
             _sum('%s{service="%s",status=~"%s",status!~"%s",completion="broken"}' % (slo.metric, service, GOOD, IGNORED), window))
    zero = "0 * %s" % total(slo, service, window)
    return " + ".join("(%s or %s)" % (part, zero) for part in parts)


class Objective:
    """The rules of one objective of one service."""

    def __init__(self, service, slo):
        self._service = service
        self._slo = slo
        self.identity = "%s-%s" % (service, slo.name)
        self.labels = {"sloth_id": self.identity, "sloth_service": service, "sloth_slo": slo.name, "service": service}
        self.budget = number(1 - slo.objective)
        self.period = "%dd" % slo.days

    def _record(self, name, expression, **labels):
        return {"record": name, "expr": expression, "labels": dict(self.labels, **labels)}

    def _of(self, name):
        return '%s{sloth_id="%s"}' % (name, self.identity)

    def _window(self, window):
        """:returns: the rules of one window: all events, bad events, and their share."""
        sums = [(kind, ("ironrack:slo_%s:increase" % kind) + window) for kind in ("total", "bad")]
        if window in SHORT:
            rules = [self._record(name, (total if kind == "total" else bad)(self._slo, self._service, window), sloth_window=window) for kind, name in sums]
        else:
            rules = [self._record(name, "sum_over_time(%s[%s:5m])" % (self._of("ironrack:slo_%s:increase5m" % kind), window), sloth_window=window)
                     for kind, name in sums]
        share = "%s / (%s > 0)" % (self._of(sums[1][1]), self._of(sums[0][1]))
        if window != self.period:
            # No request, no error. Of the whole period that would be a budget which nothing has ever tested.
            # Nor does a bucket that nobody has: of what is not measured, nothing is good.
            share += " or 0 * %s" % self._of(sums[1][1])
        return rules + [self._record("slo:sli_error:ratio_rate" + window, share, sloth_window=window)]

    def recordings(self):
        """:returns: the recording rules, in the order in which they need each other."""
        windows = list(dict.fromkeys(SHORT + LONG + (self.period,)))
        rules = [rule for window in windows for rule in self._window(window)]
        by_budget = "%%s / on(sloth_id) group_left() %s" % self._of("slo:error_budget:ratio")
        return rules + [
            self._record("slo:objective:ratio", "vector(%s)" % number(self._slo.objective)),
            self._record("slo:error_budget:ratio", "vector(%s)" % self.budget),
            self._record("slo:time_period:days", "vector(%d)" % self._slo.days),
            self._record("slo:current_burn_rate:ratio", by_budget % self._of("slo:sli_error:ratio_rate5m")),
            self._record("slo:period_burn_rate:ratio", by_budget % self._of("slo:sli_error:ratio_rate" + self.period)),
            self._record("slo:period_error_budget_remaining:ratio", "1 - %s" % self._of("slo:period_burn_rate:ratio")),
            self._record("sloth_slo_info", "vector(1)", sloth_objective=number(100 * self._slo.objective), sloth_mode="ironrack"),
        ]

    def _burns(self, severity):
        def of(name):
            return "max without (sloth_window) (%s)" % name

        parts = []
        for short, long, factor in BURNS[severity]:
            limit = number(factor * (1 - self._slo.objective))
            # increase() extrapolates, so that ten errors may be 9.9.
            enough = "%s > %s" % (self._of("ironrack:slo_bad:increase" + long), number(LEAST_BAD[severity] - 0.5))
            parts.append("(%s and %s and %s)" % (
                of("%s > %s" % (self._of("slo:sli_error:ratio_rate" + short), limit)),
                of("%s > %s" % (self._of("slo:sli_error:ratio_rate" + long), limit)), of(enough)))
        return " or ".join(parts)

    def alerts(self):
        """:returns: the alerting rules."""
        rules = []
        for severity in BURNS:
            rules.append({
                "alert": "ErrorBudgetBurns", "expr": self._burns(severity), "labels": dict(self.labels, severity=severity, sloth_severity=severity),
                "annotations": {
                    "summary": "%s uses up the error budget of %s too fast" % (self._service, self._slo.name),
                    "description": "Bad: {{ $value | humanizePercentage }} of the events; the budget is %s %% over %d days." % (
                        number(100 * (1 - self._slo.objective)), self._slo.days)}})
        if not self._slo.optional:
            rules.append({
                "alert": "ErrorBudgetUnknown", "expr": "absent(%s)" % self._of("slo:sli_error:ratio_rate5m"), "for": "10m",
                "labels": dict(self.labels, severity="ticket"),
                "annotations": {
                    "summary": "Nothing is known of %s of %s" % (self._slo.name, self._service),
                    "description": "No series of %s came for ten minutes: no alert on this objective can fire, and no release is a go." % self._slo.metric}})
        return rules


def groups(services, slos):
    """:returns: rule groups of all objectives of all services."""
    made = []
    for service in services:
        for slo in slos:
            if not slo.services or service.name in slo.services:
                one = Objective(service.name, slo)
                made.append({"name": "slo-%s" % one.identity, "rules": one.recordings() + one.alerts()})
    return made
