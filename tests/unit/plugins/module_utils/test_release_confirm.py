# Copyright (c) 2026, ironrack.cluster contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""An operation is over when it is seen to be, and what was not seen is never a pass."""
from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ansible_collections.ironrack.cluster.plugins.module_utils._common.refusal import Refused
from ansible_collections.ironrack.cluster.plugins.module_utils._release import confirm
from ansible_collections.ironrack.cluster.plugins.module_utils._release.confirm import DONE, EXTENDED, FAILED, WAIT
from ansible_collections.ironrack.cluster.plugins.module_utils._release.observation import FAIL, INCONCLUSIVE, PASS, VERDICTS, Observation

GATE = {"kind": "gate", "name": "weight 5", "release": "v2", "weight": 5, "soak": 100, "timeout": 100}
TRAFFIC = {"generation": 9, "stable": "v1", "candidate": "v2", "weights": {"v1": 95, "v2": 5}}
WEIGHT = {"kind": "set_weight", "release": "v2", "weight": 5, "replicas": 2, "timeout": 100}
PODS = {"replicas": 2, "ready": 2, "generation": 7, "zones": {"a": 1, "b": 1}}


def gate(now, verdict=None, generation=7, paused=False, extended=0, extensions=3):
    pending = {"generation": 7, "since": 1000, "until": 1100, "extended": extended, "extensions": extensions}
    outcome = {"generation": generation, "verdict": verdict, "why": "w"} if verdict else None
    return confirm.judge(GATE, pending, TRAFFIC, Observation({}, {}, outcome), now, paused).state


@pytest.mark.parametrize("now, verdict, state", (
    (1099, PASS, WAIT), (1100, PASS, DONE), (9999, PASS, DONE), (1001, FAIL, FAILED), (1100, FAIL, FAILED), (1099, INCONCLUSIVE, WAIT),
    (1100, INCONCLUSIVE, EXTENDED), (1100, None, WAIT), (1199, None, WAIT), (1200, None, EXTENDED)))
def test_a_gate_fails_at_once_and_passes_at_its_end(now, verdict, state):
    assert gate(now, verdict) == state


@pytest.mark.parametrize("extended, extensions, state", ((0, 3, EXTENDED), (2, 3, EXTENDED), (3, 3, FAILED), (0, 0, FAILED)))
def test_an_inconclusive_gate_gets_more_time_so_many_times(extended, extensions, state):
    assert gate(1100, INCONCLUSIVE, extended=extended, extensions=extensions) == state
    assert gate(1200, None, extended=extended, extensions=extensions) == state


@settings(deadline=None)
@given(st.integers(1000, 2000), st.sampled_from(VERDICTS + (None,)), st.sampled_from((6, 7, 8)), st.booleans(), st.integers(0, 4))
def test_a_gate_is_never_passed_by_anything_but_its_own_pass_in_time(now, verdict, generation, paused, extended):
    state = gate(now, verdict, generation, paused, extended)
    assert (state == DONE) == (verdict == PASS and generation == 7 and now >= 1100 and not paused)
    if verdict == FAIL and generation == 7:
        assert state == FAILED


def judged(op, releases=None, balancers=None, now=0, generation=7, outcome=None, paused=False):
    return confirm.judge(op, {"generation": generation, "since": 0, "until": 100}, TRAFFIC, Observation(releases, balancers, outcome), now, paused)


def serving(**changes):
    return dict({"generation": 9, "weights": {"v1": 95, "v2": 5}, "addresses": {"v2": 2}}, **changes)


@pytest.mark.parametrize("balancers, words", (
    ({}, "no balancer is known to serve"),
    ({"lb1": serving(away=True)}, "no balancer is known to serve"),
    ({"lb1": serving(), "lb2": {}}, "lb2 did not answer"),
    ({"lb1": serving(), "lb2": serving(generation=8)}, "lb2 serves generation 8"),
    ({"lb1": serving(), "lb2": serving(weights={})}, "lb2 serves nothing under that generation"),
    ({"lb1": serving(addresses={}), "lb2": serving()}, "lb1 has no address of v2"),
    ({"lb1": serving(), "lb2": serving(away=True, generation=1)}, ""),
    ({"lb1": serving(), "lb2": serving()}, ""),
))
def test_weights_are_set_when_every_balancer_that_clients_reach_serves_them(balancers, words):
    found = judged(WEIGHT, {}, balancers)
    assert (found.state, found.why) == ((WAIT if words else DONE), words)
    assert judged(WEIGHT, {}, balancers, now=100).state == (FAILED if words else DONE)


DEPLOY = {"kind": "deploy", "release": "v2", "replicas": 2, "zones": {"a": 1, "b": 1}, "timeout": 100}


@pytest.mark.parametrize("op, releases, words", (
    (DEPLOY, {"v2": PODS}, ""),
    (DEPLOY, {"v2": dict(PODS, generation=6)}, "v2 carries generation 6"),
    (DEPLOY, {"v2": dict(PODS, replicas=1)}, "1 of 2 pods of v2 are asked for"),
    (DEPLOY, {"v2": dict(PODS, zones={"a": 2})}, "0 of 1 pods of v2 are asked for in zone b"),
    (DEPLOY, {}, "v2 carries generation 0; 0 of 2 pods of v2 are asked for; 0 of 1 pods of v2 are asked for in zone a; "
                 "0 of 1 pods of v2 are asked for in zone b"),
    (DEPLOY, None, "the API did not say what there is of v2"),
    (dict(DEPLOY, kind="wait_ready"), {"v2": dict(PODS, ready=1)}, "1 of 2 pods of v2 are ready"),
    (dict(DEPLOY, kind="wait_ready"), {"v2": PODS}, ""),
    ({"kind": "scale_down", "release": "v1"}, {"v1": PODS}, "v1 is meant to have 2 pods"),
    ({"kind": "scale_down", "release": "v1"}, {"v1": dict(PODS, replicas=0)}, ""),
    ({"kind": "scale_down", "release": "v1"}, {}, ""),
    ({"kind": "delete", "release": "v1"}, {"v1": dict(PODS, replicas=0)}, "v1 is still there"),
    ({"kind": "delete", "release": "v1"}, {}, ""),
    ({"kind": "delete", "release": "v1"}, None, "the API did not say what there is of v1"),
    ({"kind": "warm_up", "release": "v2"}, {"v2": PODS}, "not known to be warm"),
))
def test_pods_are_what_the_api_says(op, releases, words):
    found = judged(op, releases)
    assert (found.state, found.why) == ((WAIT if words else DONE), words)


def test_what_its_doer_says_counts_for_that_intent_only():
    warm = {"kind": "warm_up", "release": "v2"}
    for generation, verdict, state in ((7, PASS, DONE), (6, PASS, WAIT), (7, INCONCLUSIVE, WAIT), (7, FAIL, FAILED), (6, FAIL, WAIT)):
        assert judged(warm, {}, outcome={"generation": generation, "verdict": verdict}).state == state
    assert judged(DEPLOY, {"v2": PODS}, outcome={"generation": 7, "verdict": FAIL, "why": "quota"}).why == "deploy of v2 with 2 pods failed: quota"


def test_an_old_release_is_kept_for_its_time_and_as_long_as_a_pause():
    keep = {"kind": "keep", "release": "v1", "timeout": 100}
    assert [judged(keep, now=now, paused=paused).state for now, paused in ((99, False), (100, False), (100, True))] == [WAIT, DONE, WAIT]


@pytest.mark.parametrize("observation, where", (
    ({"releases": {"v1": {"replicas": -1, "ready": 1}}}, "observation.releases.v1.replicas"),
    ({"releases": {"v1": {"replicas": 1}}}, "observation.releases.v1.ready"),
    ({"balancers": {"lb1": {"generation": "3"}}}, "observation.balancers.lb1.generation"),
    ({"balancers": {"lb1": {"generation": 3, "weights": {"v1": 99}}}}, "observation.balancers.lb1.weights"),
    ({"balancers": {"lb1": {"generation": 3, "weights": [100]}}}, "observation.balancers.lb1.weights"),
    ({"balancers": {"lb1": {"generation": 3, "addresses": {"v1": None}}}}, "observation.balancers.lb1.addresses"),
    ({"balancers": {"lb1": None}}, "observation.balancers.lb1"),
    ({"releases": {"v1": None}}, "observation.releases.v1"),
    ({"outcome": {"generation": 3, "verdict": "fine"}}, "observation.outcome"),
    ({"outcome": {"verdict": "pass"}}, "observation.outcome"),
))
def test_what_is_no_observation_is_refused(observation, where):
    with pytest.raises(Refused) as error:
        Observation(**observation)
    assert [one["where"] for one in error.value.details["problems"]] == [where]
