# Copyright (c) 2026, ironrack.cluster contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What an error budget is judged by, read from Prometheus at one moment: from rules with sloth's metric names, or from raw counters.

This is a private module_utils package: it may change in any release.
"""
from __future__ import annotations

import math

from .budget import MOMENTS, Found, consumed_share
from .prometheus import NoAnswer, selector

#: A :class:`~.budget.Found` up to its problems, where nothing is known.
NOTHING = (None,) * 6
HTTP_STATUS = "[1-5][0-9][0-9]"


class BudgetLook:
    """One look at an error budget.

    :param prometheus: the :class:`~.prometheus.Prometheus` to ask.
    :param max_age: seconds that a sample may be old.
    """

    def __init__(self, prometheus, max_age):
        self._prometheus = prometheus
        self._max_age = max_age

    def recorded(self, service, slo, burn_window):
        """:returns: the :class:`~.budget.Found` of an SLO whose rules have sloth's metric names.

        :param burn_window: one of BURN_WINDOWS.
        :raises BadQuery: where a name is none for PromQL.
        """
        labels = {"sloth_service": service, "sloth_slo": slo}
        basis = selector("slo:sli_error:ratio_rate5m", labels)
        try:
            time = self._prometheus.clock()
            objective = self._one(selector("slo:objective:ratio", labels), time)
            window = self._one(selector("slo:time_period:days", labels), time) * 86400
            consumed = 1.0 - self._one(selector("slo:period_error_budget_remaining:ratio", labels), time)
            share = self._one(selector("slo:sli_error:ratio_rate" + burn_window, labels), time)
            self._one(basis, time)
            oldest, covered = self._history(basis, time, window)
        except NoAnswer as error:
            return Found(*NOTHING, problems=[str(error)])
        return Found(consumed, consumed_share(share, 1, objective) if 0 < objective < 1 else None, objective, window, oldest, covered, [])

    def counted(self, service, metric, objective, days, bad_status, ignored_status, burn_window):
        """:returns: the :class:`~.budget.Found` of a raw counter with the labels service and status.

        :param objective: above 0, below 1.
        :param days: the window.
        :param bad_status: expression for the whole status; what is no HTTP status is bad too.
        :param ignored_status: likewise, of what does not count.
        :param burn_window: one of BURN_WINDOWS.
        :raises BadQuery: where an expression is none for PromQL.
        """
        basis = selector(metric, {"service": service}, excluded={"status": ignored_status})
        good = selector(metric, {"service": service}, {"status": HTTP_STATUS}, {"status": "(%s)|(%s)" % (bad_status, ignored_status)})
        window = days * 86400
        try:
            time = self._prometheus.clock()
            if not self._prometheus.last_samples(basis, time, self._max_age):
                raise NoAnswer("no series of `%s` has a sample of the last %d s" % (basis, self._max_age))
            consumed, burn = [self._consumed(basis, good, span, time, objective) for span in ("%ds" % window, burn_window)]
            oldest, covered = self._history(basis, time, window)
        except NoAnswer as error:
            return Found(*NOTHING, problems=[str(error)])
        return Found(consumed, burn, objective, window, oldest, covered, [])

    def _one(self, series, time):
        samples = self._prometheus.last_samples(series, time, self._max_age)
        if len(samples) != 1:
            raise NoAnswer("%d series of `%s` have a sample of the last %d s; one is expected" % (len(samples), series, self._max_age))
        return samples[0][2]

    def _consumed(self, basis, good, span, time, objective):
        # Good ones are counted, and what is left is bad: so are tries without a status, and a selector that finds nothing is no success.
        total, fine = [self._sum("sum(increase(%s[%s]))" % (series, span), time) for series in (basis, good)]
        return consumed_share(max(0.0, total - fine), total, objective)

    def _sum(self, query, time):
        return math.fsum(number for labels, number in self._prometheus.query(query, at=time)[1])

    def _history(self, series, time, window):
        """:returns: (how many seconds ago the window's first data is, or None; the share of its moments that have any)."""
        if not 0 < window < math.inf:
            return None, None
        moments = "[%ds:%ds]" % (window, window // MOMENTS)
        first = self._prometheus.query("min_over_time(timestamp(count(%s))%s)" % (series, moments), at=time)[1]
        moments_with_data = self._sum("count_over_time(count(%s)%s)" % (series, moments), time)
        return (time - first[0][1] if first else None), moments_with_data / MOMENTS
