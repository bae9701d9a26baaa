# Copyright (c) 2026, ironrack.cluster contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""From samples to counts: what is in doubt is never a number."""
from __future__ import annotations

import math
import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ansible_collections.ironrack.cluster.plugins.module_utils._slo import counters

SINCE, NOW, AGE = 1000.0, 1600.0, 30
LB1, LB2 = {"job": "mtail", "instance": "lb1:3903"}, {"job": "mtail", "instance": "lb2:3903"}
BAD, IGNORED = re.compile("5.."), re.compile("429|499")


def series(**labels):
    return counters.key(dict({"__name__": "tries", "service": "chat", "release": "v2"}, **labels))


def reading(samples, scraped=(LB1, LB2), resets=0.0):
    """:param samples: labels -> (value at the start or None, value now or None)."""
    return counters.Reading({labels: (SINCE - 5, start) for labels, (start, now) in samples.items() if start is not None},
                            {labels: (NOW - 5, now) for labels, (start, now) in samples.items() if now is not None},
                            {labels: resets for labels in samples}, {(one["job"], one["instance"]) for one in scraped})


def errors(found):
    return counters.errors(found, NOW, AGE, BAD, IGNORED)


GOOD = {series(status="200", **LB1): (100.0, 160.0), series(status="502", **LB1): (None, 3.0), series(status="200", **LB2): (7.0, 47.0),
        series(status="499", **LB2): (0.0, 9.0), series(status="429", **LB2): (2.0, 4.0)}


def test_requests_since_the_step_began_are_counted_over_all_balancers():
    assert errors(reading(GOOD)) == counters.Count(3, 103, [])
    # A try that got no answer has no status of HTTP.
    assert errors(reading({series(status="-", **LB1): (1.0, 3.0)})) == counters.Count(2, 2, [])


@pytest.mark.parametrize("labels, samples, why", [
    (series(status="200", **LB1), (100.0, None), "gone or stale"),
    (series(status="200", **LB1), (100.0, math.nan), "nan is no number of requests"),
    (series(status="200", **LB1), (math.nan, 100.0), "nan is no number of requests"),
    (series(status="200", **LB1), (100.0, math.inf), "inf is no number of requests"),
    (series(status="200", **LB1), (-5.0, 100.0), "-5.0 is no number of requests"),
    (series(status="200", **LB1), (0.0, 10.5), "10.5 is no number of requests"),
    (series(status="200", **LB1), (100.0, 99.0), "reset since the step began"),
    (series(status="200", job="mtail", instance="lb3:3903"), (None, 5000.0), "its target was not scraped when the step began"),
    # Between the step's beginning and now it came and went.
    (series(status="200", job="mtail", instance="lb3:3903"), (None, None), "gone or stale"),
    (series(**LB1), (0.0, 4.0), "no label status")])
def test_one_series_in_doubt_and_nothing_is_known(labels, samples, why):
    count = errors(reading({**GOOD, labels: samples}))
    assert (count.bad, count.total) == (None, None)
    assert why in " ".join(count.problems)


def test_what_is_old_reset_or_unknown_is_in_doubt():
    old = reading(GOOD)
    assert "gone or stale" in counters.errors(old, NOW + AGE, AGE, BAD, IGNORED).problems[0]
    assert "reset" in errors(reading(GOOD, resets=1.0)).problems[0]
    assert "not known whether" in errors(old._replace(resets={})).problems[0]
    assert errors(reading({})).problems == ["there is no such series"]


def test_a_release_is_told_from_its_baseline():
    both = reading({**GOOD, series(status="200", release="v1", **LB1): (0.0, 1000.0)})
    assert errors(counters.of_release(both, "v1")).total == 1000
    assert errors(counters.of_release(both, "v2")).total == 103
    assert errors(counters.of_release(both, "v3")).problems


def histogram(target, quick, total, bounds=("0.5", "2.0", "+Inf")):
    values = dict(zip(bounds, (0.0, quick, total)))
    return {series(le=bound, **target): (0.0, value) for bound, value in values.items()}


def test_slow_requests_are_those_over_the_bound():
    found = reading({**histogram(LB1, 90.0, 100.0), **histogram(LB2, 50.0, 50.0, bounds=("0.5", "2", "+Inf"))})
    assert counters.slow(found, NOW, AGE, 2.0) == counters.Count(10, 150, [])
    with pytest.raises(counters.NoBucket) as error:
        counters.slow(found, NOW, AGE, 1.5)
    assert error.value.args[0] == [0.5, 2.0]


def test_histograms_that_do_not_agree_with_themselves_are_in_doubt():
    assert counters.slow(reading({}), NOW, AGE, 2.0).problems == ["there is no such series"]
    assert "than there were" in counters.slow(reading(histogram(LB1, 101.0, 100.0)), NOW, AGE, 2.0).problems[0]
    one_without = {**histogram(LB1, 1.0, 2.0), **histogram(LB2, 1.0, 2.0, bounds=("0.5", "3.0", "+Inf"))}
    assert "not every histogram" in counters.slow(reading(one_without), NOW, AGE, 2.0).problems[0]


SAMPLE = st.none() | st.tuples(st.floats(900, 1700), st.sampled_from([0.0, 1.0, 7.0, 1e6, -1.0, 2.5, math.nan, math.inf]) | st.floats())
READING = st.dictionaries(
    st.builds(lambda status, target: series(status=status, **target), st.sampled_from(["200", "429", "503", "-"]), st.sampled_from([LB1, LB2])),
    st.tuples(SAMPLE, SAMPLE, st.sampled_from([0.0, 1.0, None])), max_size=6)


@given(READING, st.sampled_from([(), (LB1,), (LB1, LB2)]))
@settings(deadline=None)
def test_a_count_is_whole_and_fresh_or_there_is_none(samples, scraped):
    found = counters.Reading({labels: one[0] for labels, one in samples.items() if one[0]}, {labels: one[1] for labels, one in samples.items() if one[1]},
                             {labels: one[2] for labels, one in samples.items() if one[2] is not None},
                             {(one["job"], one["instance"]) for one in scraped})
    count = errors(found)
    if count.problems:
        assert (count.bad, count.total) == (None, None)
        return
    assert 0 <= count.bad <= count.total and isinstance(count.total, int)
    assert found.now and all(NOW - time <= AGE and value >= 0 for time, value in found.now.values())
    assert set(found.start) <= set(found.now) and not any(found.resets.values())
