# Copyright (c) 2026, ironrack.cluster contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A rollout is killed at every boundary of every strategy, and traffic is never where nobody serves it."""
from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ansible_collections.ironrack.cluster.plugins.module_utils._common.errors import IronrackError
from ansible_collections.ironrack.cluster.plugins.module_utils._release import machine
from ansible_collections.ironrack.cluster.plugins.module_utils._release.observation import FAIL, INCONCLUSIVE
from ansible_collections.ironrack.cluster.plugins.module_utils._release.plan import ADD_UPSTREAM, DEPLOY, GATE, PROMOTE, REMOVE_UPSTREAM, SET_WEIGHT, TRAFFIC
from ansible_collections.ironrack.cluster.tests.unit.plugins.module_utils.release_world import (
    KINDS, Refused, SCENARIOS, SIZE, World, happen, until)


@pytest.mark.parametrize("kind, verdicts", SCENARIOS, ids=str)
def test_killed_at_every_boundary_it_ends_as_an_unbroken_run(kind, verdicts):
    world, left = World(kind, verdicts), []
    for name, killed in world.killed_everywhere():
        killed.run()
        left.append((name, killed))
    gates = sum(verdicts.values(), [])
    assert world.result == ("rolled_back" if FAIL in gates or gates == [INCONCLUSIVE] else "promoted")
    assert len(left) > 15 and len({name for name, _killed in left}) >= 8
    for name, killed in left:
        assert killed.end() == world.end(), name
        assert {one["generation"] for one in killed.balancers.values()} == {killed.record["traffic"]["generation"]}


@settings(max_examples=40, deadline=None)
@given(st.sampled_from(SCENARIOS), st.lists(st.integers(0, 40), max_size=5))
def test_any_row_of_kills(scenario, kills):
    unbroken, world = World(*scenario), World(*scenario)
    unbroken.run()
    for kill_at in kills:
        world.run(kill_at)
    world.run()
    assert world.end() == unbroken.end()


@pytest.mark.parametrize("kind", KINDS)
def test_an_abort_at_any_boundary_gives_the_traffic_back_first_or_comes_too_late(kind):
    world, start = World(kind), World(kind).end()
    results = set()
    for name, other in world.killed_everywhere():
        other.flags = {"abort": {"rollout": other.record["rollouts"], "who": "ann", "why": "a page"}}
        too_late = other.record["rollout"] is None or other.record["rollout"]["released"]
        told = len(other.effects)
        other.run()
        results.add(other.result)
        assert other.result == ("promoted" if too_late else "rolled_back"), name
        if not too_late:
            end = dict(other.end(), described=start["described"], last=start["last"])
            assert dict(end, rollout=None) == dict(start, rollout=None, releases={world.old: (SIZE, SIZE, {})})
            # Nothing of the candidate's pods changes before every balancer has sent its traffic back.
            after = [effect for effect in other.effects[told:] if effect[1] is not None]
            assert [effect[0] for effect in after] in (["lb1", "lb2", "delete"], ["delete"], [])
            assert "aborted by ann: a page" in other.record["last"]["why"]
    assert results == {"promoted", "rolled_back"}


@pytest.mark.parametrize("kind", KINDS)
def test_a_pause_at_any_boundary_holds_and_a_resume_ends_as_ever(kind):
    unbroken = World(kind)
    held = 0
    for _name, other in unbroken.killed_everywhere():
        before = other.record["traffic"]["weights"]
        other.flags = {"pause": {"rollout": 1, "who": "ann", "why": ""}}
        looks = 0
        for _boundary in other.steps(other.fence + 1):
            looks += 1
            if looks > 60:
                break  # a gate goes on being watched while it is paused
        if other.record["rollout"]:
            held += 1
            weights = [effect[1] for effect in other.effects if effect[0] == "lb1"]
            assert other.record["traffic"]["weights"] == before or weights[-1] == other.record["traffic"]["weights"].get(other.new)
        other.flags = {}
        other.fence += 1
        other.run()
        other_end = other.end()
        assert other_end["last"]["result"] == "promoted"
    assert held > 20
    assert other_end == unbroken.end()


@pytest.mark.parametrize("kind", KINDS)
def test_who_was_paused_past_the_lease_is_refused_by_balancers_store_and_pods(kind):
    """The first run stops at a boundary, a second takes the lock and ends the rollout, and then the first one goes on."""
    refused = 0
    stops = len(World(kind).run())
    for stop in range(0, stops - 1):
        for abort in (False, True):
            world = World(kind)
            world.fence = 1
            first = world.steps(1)
            for _boundary in range(stop + 1):
                next(first)
            if abort:
                world.flags = {"abort": {"rollout": 1}}
            world.run()
            end = world.end()
            try:
                for _boundary in first:
                    pass
            except (Refused, machine.StaleOwner):
                refused += 1
            now = world.end()
            # At worst it asks for pods of the candidate once more, which get no traffic.
            assert dict(now, releases={}) == dict(end, releases={})
            assert now["releases"].get(world.record["stable"]) == end["releases"][world.record["stable"]]
    assert refused >= 2 * (stops - 2)


@pytest.mark.parametrize("kind", (ADD_UPSTREAM, SET_WEIGHT, PROMOTE, REMOVE_UPSTREAM, DEPLOY))
def test_an_effect_in_hand_is_refused_once_another_tenure_has_repeated_it(kind):
    world = World("canary")
    world.fence = 1
    late = until(world, "record of %s" % kind)
    world.fence = 2
    until(world, "effect of %s" % kind)
    if kind != DEPLOY:
        assert world.balancers["lb1"]["generation"] == world.record["traffic"]["generation"]
    with pytest.raises(Refused):
        next(late)


def test_a_gate_that_ended_while_nobody_drove_gets_its_look_first():
    world = World("canary")
    until(world, "record of gate")
    world.now += 100000
    step = machine.advance(world.record, {}, world.seen(), world.now, "run", 1)
    assert (step.intent["kind"], step.intent["extended"]) == (GATE, 0)
    world.run()
    assert world.result == "promoted" and world.gates.count(("weight 5", 0)) == 1


@pytest.mark.parametrize("kind", KINDS)
def test_a_balancer_that_is_away_stops_nothing_and_gets_the_traffic_on_record_when_it_is_back(kind):
    behind = 0
    for _name, world in World(kind).killed_everywhere():
        world.away = {"lb2"}
        world.fence += 1
        for number, _boundary in enumerate(world.steps(world.fence)):
            if number == 12:
                break
        ended = world.record["rollout"] is None
        old = world.balancers["lb2"]
        behind += old["generation"] < world.record["traffic"]["generation"] and not ended
        if ended or any(weight and not world.releases.get(release, {}).get("ready") for release, weight in old["weights"].items()):
            happen(world, "lb2 back")
        world.away = set()
        world.run()
        assert world.result == "promoted"
        assert {one["generation"] for one in world.balancers.values()} == {world.record["traffic"]["generation"]}
    assert behind > 5


@pytest.mark.parametrize("kind", KINDS)
def test_traffic_that_was_moved_by_hand_turns_back_and_is_not_overruled_forward(kind):
    """Somebody without the record gives the stable all of the traffic, with a generation far above the record's."""
    outcomes = set()
    for _name, world in World(kind).killed_everywhere():
        if world.record["rollout"] is None:
            continue
        released = world.record["rollout"]["released"]
        highest = world.record["generation"] + 1000
        for balancer in world.balancers.values():
            balancer.update(generation=highest, weights={world.record["stable"] if released else world.old: 100})
        if released:
            with pytest.raises(IronrackError, match="somebody moved the traffic while the old release"):
                machine.advance(world.record, {}, world.seen(), world.now, "run", world.fence + 1)
        else:
            step = machine.advance(world.record, {}, world.seen(), world.now, "run", world.fence + 1)
            assert step.record["rollout"]["phase"] == "back" and step.record["generation"] > highest
            world.record = step.record
            world.fence += 1
            world.run()
            assert world.result == "rolled_back" and world.end()["balancers"] == [{world.old: 100}] * 2
        outcomes.add(released)
    assert outcomes == {True, False}


def test_a_way_back_begins_anew_when_somebody_moves_the_traffic_meanwhile():
    world = World("canary", {"weight 25": [FAIL]})
    until(world, "record of delete")
    for balancer in world.balancers.values():
        balancer.update(generation=900, weights={"v1": 50, "v2": 50})
    step = machine.advance(world.record, {}, world.seen(), world.now, "run", 0)
    assert step.intent["kind"] in TRAFFIC and step.intent["generation"] > 900 and step.intent["traffic"]["weights"] == {"v1": 100}
    world.record = step.record
    world.run()
    assert world.result == "rolled_back" and world.end()["balancers"] == [{"v1": 100}] * 2 and "v2" not in world.releases


@settings(max_examples=60, deadline=None)
@given(st.sampled_from(KINDS), st.lists(st.tuples(st.integers(0, 30), st.sampled_from(
    ("kill", "abort", "pause", "resume", "lb2 away", "lb2 back", "blind", "sight", "crash", "heal", "off", "pool", "on"))), max_size=8))
def test_whatever_happens_no_rule_is_broken_and_there_is_an_end(kind, events):
    world = World(kind)
    fence = 1
    driver = world.steps(fence)
    for wait, event in events:
        ended = "ended" in [next(driver, "ended") for _boundary in range(wait)]
        happen(world, event)
        if event == "kill" or ended:
            fence += 1
            driver = world.steps(fence)
    for mend in ("resume", "lb2 back", "sight", "heal", "on"):
        happen(world, mend)
    world.fence = fence  # of the next tenure: the one before stands still somewhere
    world.run()
    assert world.result in ("promoted", "rolled_back")
    serving = world.record["stable"]
    assert world.end()["balancers"] == [{serving: 100}] * 2 and world.releases[serving]["ready"] >= SIZE
