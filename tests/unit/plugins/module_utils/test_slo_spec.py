# Copyright (c) 2026, ironrack.cluster contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Descriptions of gates: what is refused, with which reasons, and all of them at once."""
from __future__ import annotations

import math

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ansible_collections.ironrack.cluster.plugins.module_utils._slo import spec

ERRORS = {"name": "errors", "kind": "errors", "metric": "ironrack_upstream_tries_total", "limit": 0.01}
LATENCY = {"name": "slow", "kind": "latency", "metric": "ironrack_request_duration_seconds_bucket", "limit": 0.05, "bound": 2}
QUERY = {"name": "first token", "kind": "query", "metric": "ttft_seconds_count", "query": "max(ttft_seconds)", "at_most": 3}


def parse(*items, **changed):
    return spec.parse(list(items), **dict({"service": "chat", "release": "v2", "baseline": "v1", "looks": 20}, **changed))


def refused(*items, **changed):
    return [(problem.where, problem.what) for problem in parse(*items, **changed)[1]]


def test_gates_get_what_was_left_out():
    (errors, slow, query), problems = parse(ERRORS, dict(LATENCY, ratio=None, buckets=[0.5, 1, 2.0]), QUERY)
    assert problems == []
    assert (errors.limit, errors.fail_limit, errors.ratio, errors.bound) == (0.01, 0.01, 2.0, None)
    assert errors.bad_status.fullmatch("503") and not errors.bad_status.fullmatch("499") and errors.ignored_status.fullmatch("429")
    assert (slow.bound, slow.ratio, slow.bad_status) == (2.0, 2.0, None)
    assert (query.at_most, query.fail_over, query.at_least, query.fail_under) == (3.0, 3.0, None, None)


@pytest.mark.parametrize("gate, where, what", [
    (dict(ERRORS, metric=None), "gate errors, metric", "it is missing"),
    (dict(QUERY, metric=" "), "gate first token, metric", "it is ' '"),
    (dict(QUERY, query=None), "gate first token, query", "it is missing"),
    (dict(ERRORS, metric="sum(x)"), "gate errors, metric", "it is 'sum(x)'"),
    (dict(LATENCY, metric="duration_seconds"), "gate slow, metric", "it is 'duration_seconds'"),
    (dict(LATENCY, buckets=[0.5, 1, 2.5]), "gate slow, bound", "2 s is the bound of no bucket"),
    (dict(LATENCY, bound=None), "gate slow, bound", "it is missing"),
    (dict(LATENCY, bound=-1), "gate slow, bound", "it is -1"),
    (dict(LATENCY, buckets="2"), "gate slow, buckets", "it is '2'"),
    (dict(ERRORS, limit=None), "gate errors, limit", "it is missing"),
    (dict(ERRORS, limit=5), "gate errors, limit", "it is 5"),
    (dict(ERRORS, limit=math.nan), "gate errors, limit", "it is nan"),
    (dict(ERRORS, limit=True), "gate errors, limit", "it is True"),
    (dict(ERRORS, fail_limit=0.001), "gate errors, fail_limit", "it is 0.001, under the limit 0.01 of a pass"),
    (dict(ERRORS, ratio=0.5), "gate errors, ratio", "it is 0.5"),
    (dict(ERRORS, bad_status="5xx"), "gate errors, bad_status", "'5xx' matches no HTTP status"),
    (dict(ERRORS, bound=2), "gate errors, bound", "gates of kind errors have no such option"),
    (dict(QUERY, at_most=None), "gate first token, at_most", "neither it nor at_least is there"),
    (dict(QUERY, fail_over=2), "gate first token, fail_over", "2 lies among the values that pass (at_most 3)"),
    (dict(QUERY, at_least=1, fail_under=1.5), "gate first token, fail_under", "1.5 lies among the values that pass (at_least 1)"),
    (dict(QUERY, fail_under=1), "gate first token, fail_under", "there is no at_least"),
    (dict(QUERY, at_least=4), "gate first token, at_least", "4 is over at_most, 3"),
    (dict(QUERY, kind="promql"), "gate first token, kind", "it is 'promql'"),
    (dict(QUERY, name=None), "gate number 1, name", "it is None"),
    (["errors"], "gate number 1, name", "it is None")])
def test_a_gate_that_cannot_be_judged_is_refused(gate, where, what):
    assert (where, what) in refused(gate)


def test_what_no_gate_can_mend_is_refused():
    assert refused(ERRORS, baseline="v2") == [("baseline", "it is the release v2 that is to be judged")]
    assert refused(ERRORS, service="chat{}") == [("service", "it is 'chat{}'")]
    assert refused(ERRORS, looks=0) == [("looks", "it is 0")]
    assert refused(ERRORS, ERRORS) == [("gate errors, name", "it is there twice")]
    assert refused() == [("gates", "there is none")]
    assert refused(ERRORS, baseline="") == []


def test_a_refusal_has_all_the_reasons_at_once_with_what_to_do():
    problems = parse(dict(ERRORS, metric=None, limit=7), dict(LATENCY, bound=None), baseline="v2", looks=-1)[1]
    with pytest.raises(spec.BadInput) as error:
        spec.refuse(problems)
    assert [problem["where"] for problem in error.value.details["problems"]] == [
        "baseline", "looks", "gate errors, metric", "gate errors, limit", "gate slow, bound"]
    assert str(error.value).count("To mend it: ") == 5
    spec.refuse([])


JSON = st.recursive(st.none() | st.booleans() | st.floats() | st.integers() | st.text(max_size=5),
                    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.text(max_size=3), inner, max_size=2), max_leaves=3)


@given(st.lists(st.dictionaries(st.sampled_from(["name", "kind", *sorted({option for options in spec.OPTIONS.values() for option in options})]),
                                JSON | st.sampled_from(["errors", "latency", "query", "x_bucket", 0.5]), max_size=8) | JSON, max_size=3))
@settings(deadline=None)
def test_any_description_is_either_a_gate_or_refused(items):
    gates, problems = parse(*items)
    assert problems or len(gates) == len(items)
    for gate in gates:
        assert gate.metric and gate.name
