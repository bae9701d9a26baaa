# Copyright (c) 2026, ironrack.cluster contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Tests on counts against exact rational sums, against themselves, and where nothing but their limits is known."""
from __future__ import annotations

import math
from fractions import Fraction

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ansible_collections.ironrack.cluster.plugins.module_utils._slo.statistics import (
    at_least, at_most, more_than_ratio, regularised_beta, requests_needed, upper_bound)

SHARES = st.fractions(min_value=0, max_value=1, max_denominator=1000)


def exact(successes, trials, share):
    """:returns: the upper tail as a sum of fractions."""
    return sum((math.comb(trials, number) * share ** number * (1 - share) ** (trials - number) for number in range(max(0, successes), trials + 1)),
               Fraction(0))


@st.composite
def counts(draw, most=120):
    total = draw(st.integers(1, most))
    return draw(st.integers(0, total)), total


@given(counts(), SHARES)
@settings(deadline=None)
def test_the_tails_are_those_of_the_exact_sum(count, share):
    bad, total = count
    wanted = exact(bad, total, share)
    assert at_least(bad, total, float(share)) == pytest.approx(float(wanted), rel=1e-10, abs=1e-300)
    assert at_most(bad, total, float(share)) == pytest.approx(float(1 - exact(bad + 1, total, share)), rel=1e-10, abs=1e-300)


@given(counts(most=10 ** 8), st.floats(1e-9, 1 - 1e-9))
@settings(max_examples=60, deadline=None)
def test_the_tails_meet_whatever_the_number_of_requests(count, share):
    bad, total = count
    assert at_least(bad, total, share) + at_most(bad - 1 if bad else 0, total, share) == pytest.approx(
        1.0 if bad else 1.0 + at_most(0, total, share), rel=1e-6)


def test_millions_of_requests_against_exact_arithmetic():
    # The first terms of the exact sum at the edge of a gate: 1,100 errors of 1,000,000 where 0.1 % is allowed.
    total, share = 10 ** 6, Fraction(1, 1000)
    term = Fraction(1)
    logarithm = sum(math.log(Fraction(total - number, number + 1)) for number in range(1100)) + 1100 * math.log(share) + (total - 1100) * math.log1p(-0.001)
    series = 0.0
    for number in range(1100, 2200):
        series += float(term)
        term = Fraction(float(term)) * Fraction(total - number, number + 1) * share / (1 - share)
    assert at_least(1100, total, 0.001) == pytest.approx(math.exp(logarithm) * series, rel=1e-8)


@pytest.mark.parametrize("x, a, b, wanted", [
    (0.25, 1, 1, 0.25),  # uniform
    (0.3, 2, 1, 0.09),  # x squared
    (0.3, 1, 3, 1 - 0.7 ** 3),
    (0.5, 7.5, 7.5, 0.5),  # symmetric
    (0.5, 0.5, 0.5, 0.5),  # arc sine
    (0.0, 2, 3, 0.0), (1.0, 2, 3, 1.0)])
def test_known_values_of_the_beta_function(x, a, b, wanted):
    assert regularised_beta(x, 1.0 - x, a, b) == pytest.approx(wanted, rel=1e-13)


@pytest.mark.parametrize("arguments", [
    (-0.1, 1.1, 1, 1), (1.1, -0.1, 1, 1), (0.5, 0.5, 0, 1), (0.5, 0.5, 1, -1), (math.nan, math.nan, 1, 1), (0.5, 0.5, math.inf, 1), (0.5, 0.5, math.nan, 1)])
def test_what_is_no_parameter_is_refused(arguments):
    with pytest.raises(ValueError):
        regularised_beta(*arguments)


def test_what_is_no_count_is_refused():
    for call in (lambda: at_least(1.5, 3, 0.1), lambda: at_most(-1, 3, 0.1), lambda: upper_bound(4, 3), lambda: upper_bound(1, 3, 1.0),
                 lambda: upper_bound(1, 3, 0.5), lambda: more_than_ratio(1, 0, 1, 5, 2), lambda: more_than_ratio(1, 5, 1, 0, 2),
                 lambda: more_than_ratio(1, 5, 1, 5, 0),
                 lambda: requests_needed(0, 0), lambda: requests_needed(0, 1)):
        with pytest.raises(ValueError):
            call()


@given(counts(most=2000), st.floats(0.75, 0.999))
@settings(deadline=None)
def test_the_upper_bound_is_where_so_few_errors_become_rare(count, confidence):
    bad, total = count
    bound = upper_bound(bad, total, confidence)
    assert bad / total < bound <= 1 or bound == 1
    if bad < total:
        assert at_most(bad, total, bound) == pytest.approx(1 - confidence, rel=1e-6)


@pytest.mark.parametrize("bad, limit, needed", [(0, 0.05, 59), (0, 0.01, 299), (0, 0.001, 2995), (1, 0.05, 93), (3, 0.01, 773)])
def test_requests_that_a_pass_takes(bad, limit, needed):
    assert requests_needed(bad, limit) == needed
    assert upper_bound(bad, needed) < limit <= upper_bound(bad, needed - 1)


def test_fifty_clean_requests_prove_less_than_six_percent_only():
    assert upper_bound(0, 50) == pytest.approx(0.0582, abs=1e-4)
    assert upper_bound(0, 0) == 1.0
    # of a published table: one error of ten, 95 % one-sided
    assert upper_bound(1, 10) == pytest.approx(0.39416, abs=1e-5)
    assert 0.01 < upper_bound(10 ** 6, 10 ** 8) < 0.010017


@given(counts(), counts(), st.fractions(min_value=1, max_value=4, max_denominator=8))
@settings(deadline=None)
def test_the_comparison_is_the_exact_conditional_sum(candidate, baseline, ratio):
    (bad, total), (base_bad, base_total) = candidate, baseline
    share = ratio * total / (ratio * total + base_total)
    assert more_than_ratio(bad, total, base_bad, base_total, float(ratio)) == pytest.approx(float(exact(bad, bad + base_bad, share)), rel=1e-10, abs=1e-300)


@given(counts(), counts())
@settings(deadline=None)
def test_more_errors_are_never_less_suspicious_and_a_worse_baseline_never_more(candidate, baseline):
    (bad, total), (base_bad, base_total) = candidate, baseline
    here = more_than_ratio(bad, total, base_bad, base_total, 2)
    assert bad == total or more_than_ratio(bad + 1, total, base_bad, base_total, 2) <= here * (1 + 1e-12)
    assert base_bad == base_total or more_than_ratio(bad, total, base_bad + 1, base_total, 2) >= here * (1 - 1e-12)


@pytest.mark.parametrize("total, base_total", [(20, 20), (20, 60), (60, 20)])
@pytest.mark.parametrize("rate", [0.01, 0.1, 0.3, 0.5])
def test_counts_that_cannot_pass_their_requests_keep_the_level(total, base_total, rate):
    # The candidate at exactly twice the baseline's rate, both binomial: the worst that is still allowed. Every outcome, with its probability.
    def distribution(trials, share):
        return [math.comb(trials, number) * share ** number * (1 - share) ** (trials - number) for number in range(trials + 1)]

    baseline, candidate = distribution(base_total, rate), distribution(total, 2 * rate)
    for level in (0.05, 0.01, 0.0005):
        alarms = sum(one * other for bad, one in enumerate(candidate) for base_bad, other in enumerate(baseline)
                     if bad >= 3 and more_than_ratio(bad, total, base_bad, base_total, 2) < level)
        assert alarms <= level
