# Copyright (c) 2026, ironrack.cluster contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Exact tests on counts of requests, in the standard library alone.

All of them are the regularised incomplete beta function. Its relative error is about 1e-15 times the logarithm of the gamma function at the number of
requests: below 1e-9 for a million of them, below 1e-5 for a thousand million.

This is a private module_utils package: it may change in any release.
"""
from __future__ import annotations

import functools
import math

#: Where the continued fraction stops: the last factor is this close to 1.
CLOSE = 1e-15
#: In place of a denominator of 0 (W. J. Lentz, Applied Optics 15, 1976, as modified by I. J. Thompson and A. R. Barnett, J. Comput. Phys. 64, 1986).
TINY = 1e-300
#: The continued fraction needs about the square root of the larger parameter; a thousand million requests stay far below this.
MOST_TERMS = 1000000


def regularised_beta(x, rest, a, b):
    """The regularised incomplete beta function I_x(a, b).

    :param x: 0 to 1.
    :param rest: 1 - x, given beside it because the smaller one of the two is lost in the other.
    :param a: above 0.
    :param b: above 0.
    :returns: 0 to 1.
    :raises ValueError: for other parameters, NaN included.
    :raises ArithmeticError: where the continued fraction does not come to an end.
    """
    if not (0.0 <= x <= 1.0 and 0.0 <= rest <= 1.0 and 0.0 < a < math.inf and 0.0 < b < math.inf):
        raise ValueError("no incomplete beta function of x=%r, a=%r, b=%r" % (x, a, b))
    if x == 0.0 or rest == 0.0:
        return 0.0 if x == 0.0 else 1.0
    if x * (a + b + 2.0) > a + 1.0:
        # NIST DLMF 8.17.4. On this side the fraction would converge slowly, and the result is near 1, so that nothing is lost by the difference.
        return 1.0 - _by_fraction(rest, x, b, a)
    return _by_fraction(x, rest, a, b)


def _by_fraction(share, other, first, second):
    """:returns: I_share(first, second), with 1 - share beside the share."""
    factor = first * math.log(share) + second * (math.log1p(-share) if share < 0.5 else math.log(other))
    factor += math.lgamma(first + second) - math.lgamma(first) - math.lgamma(second) - math.log(first)
    return min(1.0, math.exp(factor) / _continued_fraction(share, first, second))


def _continued_fraction(x, a, b):
    """:returns: 1 + d1/(1 + d2/(1 + ...)) of NIST DLMF 8.17.22, with the terms of 8.17.23, from the front by modified Lentz."""
    value, above, below = 1.0, 1.0, 0.0
    for number in range(1, MOST_TERMS):
        m = number // 2
        if number % 2:
            term = -(a + m) * (a + b + m) * x / ((a + 2 * m) * (a + 2 * m + 1))
        else:
            term = m * (b - m) * x / ((a + 2 * m - 1) * (a + 2 * m))
        below = 1.0 / (1.0 + term * below or TINY)
        above = 1.0 + term / above or TINY
        change = above * below
        value *= change
        if abs(change - 1.0) < CLOSE:
            return value
    raise ArithmeticError("the incomplete beta function of x=%r, a=%r, b=%r does not converge" % (x, a, b))


def at_least(successes, trials, share):
    """The binomial upper tail (NIST DLMF 8.17.5).

    :param successes: a whole number.
    :param trials: a whole number, not negative.
    :param share: 0 to 1, the probability of a success.
    :returns: the probability of ``successes`` or more in ``trials``.
    :raises ValueError: for other parameters.
    """
    _whole(successes, trials)
    return _tail(successes, trials, share, 1.0 - share)


def _tail(successes, trials, share, rest):
    if successes <= 0:
        return 1.0
    if successes > trials:
        return 0.0
    return regularised_beta(share, rest, successes, trials - successes + 1)


def at_most(successes, trials, share):
    """:returns: the probability of ``successes`` or fewer in ``trials``; parameters and errors as :func:`at_least`."""
    _whole(successes, trials)
    # As many failures as are left, or more.
    return _tail(trials - successes, trials, 1.0 - share, share)


def _whole(*numbers):
    for number in numbers:
        if number != int(number) or number < 0:
            raise ValueError("%r is no number of requests" % (number,))


def more_than_ratio(bad, total, base_bad, base_total, ratio):
    """How likely the candidate's errors are if its rate is ``ratio`` times the baseline's, or less.

    Given the sum of both, the errors of two Poisson counts are binomial, whatever the common rate (J. Przyborowski and H. Wilenski, Biometrika 31, 1940).
    Requests fail or do not, so each count is binomial: it varies less than a Poisson count, and the test errs on the side of no alarm.

    :param bad: errors of the candidate.
    :param total: its requests.
    :param base_bad: errors of the baseline.
    :param base_total: its requests.
    :param ratio: above 0.
    :returns: the probability of so many or more.
    :raises ValueError: for other parameters, and where one of them has no request.
    """
    _whole(bad, total, base_bad, base_total)
    if not total or not base_total or not 0.0 < ratio < math.inf:
        raise ValueError("nothing to compare: %r requests, %r of the baseline, ratio %r" % (total, base_total, ratio))
    weight = ratio * total
    return _tail(bad, bad + base_bad, weight / (weight + base_total), base_total / (weight + base_total))


@functools.lru_cache(maxsize=1024)  # a quiet service has the same counts at many looks, and so have simulations
def upper_bound(bad, total, confidence=0.95):
    """The one-sided upper bound of a rate (C. J. Clopper and E. S. Pearson, Biometrika 26, 1934).

    :param bad: errors, at most ``total``.
    :param total: requests; without any, nothing is known and the bound is 1.
    :param confidence: from 0.75, below 1.
    :returns: the largest rate at which so few errors are not rarer than 1 - ``confidence``.
    :raises ValueError: for other parameters.
    """
    _whole(bad, total)
    if bad > total or not 0.75 <= confidence < 1.0:
        raise ValueError("no upper bound of %r in %r requests at confidence %r" % (bad, total, confidence))
    if bad == total:
        return 1.0
    if bad == 0:
        return -math.expm1(math.log1p(-confidence) / total)
    if bad == total - 1:
        return confidence ** (1.0 / total)
    # Newton's method from the mode of the beta distribution whose quantile this is: right of it the tail is convex, so that no step goes too far.
    rate, step = bad / (total - 1), 1.0
    density = math.lgamma(total + 1) - math.lgamma(bad + 1) - math.lgamma(total - bad)
    while step > 1e-10 * rate:
        slope = math.exp(density + bad * math.log(rate) + (total - bad - 1) * math.log1p(-rate))
        step = (at_most(bad, total, rate) - (1.0 - confidence)) / slope
        rate += step
    return rate


@functools.lru_cache(maxsize=1024)
def requests_needed(bad, limit, confidence=0.95):
    """How many requests a pass takes: with no error 59 for 5 %, 299 for 1 %.

    :param bad: errors.
    :param limit: above 0, below 1.
    :returns: the smallest number of requests of which ``bad`` failed whose upper bound lies under ``limit``.
    :raises ValueError: for other parameters.
    """
    _whole(bad)
    if not 0.0 < limit < 1.0:
        raise ValueError("no number of requests proves a rate under %r" % (limit,))

    def enough(total):
        return at_most(bad, total, limit) < 1.0 - confidence

    low, high = bad, bad + 1
    while not enough(high):
        low, high = high, 2 * high
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (low, middle) if enough(middle) else (middle, high)
    return high
