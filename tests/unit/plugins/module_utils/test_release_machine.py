# Copyright (c) 2026, ironrack.cluster contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What turns a rollout back, what a person may ask for, and in which order all of it is done."""
from __future__ import annotations

import pytest

from ansible_collections.ironrack.cluster.plugins.module_utils._common.refusal import Refused
from ansible_collections.ironrack.cluster.plugins.module_utils._release import machine
from ansible_collections.ironrack.cluster.plugins.module_utils._release.observation import FAIL, Observation, PASS
from ansible_collections.ironrack.cluster.plugins.module_utils._release.plan import GATE, KEEP, ROLL_BACK, SCALE_DOWN, SET_WEIGHT, plan_undo
from ansible_collections.ironrack.cluster.tests.unit.plugins.module_utils.release_world import (
    LOOK, SIZE, World, happen, until)


def test_a_paused_gate_still_fails():
    world = World("canary", {"weight 5": [PASS], "weight 25": [FAIL]})
    passed = 0
    for name in world.steps(1):
        if name == "record of gate" and not world.flags:
            world.flags, verdict = {"pause": {"rollout": 1}}, world.verdicts.pop("weight 5")
        if name == "effect of gate":
            passed += 1
            assert world.record["traffic"]["weights"]["v2"] == 5 and verdict == [PASS]
            if passed == 20:  # a pass is not taken, however long it lasts
                world.verdicts["weight 5"] = [FAIL]
    assert world.result == "rolled_back" and passed == 21


@pytest.mark.parametrize("what, kind", (("behind", SET_WEIGHT), ("blind", "observe"), ("well", SCALE_DOWN)))
def test_nothing_is_taken_away_while_a_balancer_is_behind_or_the_api_is_silent(what, kind):
    world = World("blue_green")
    until(world, "effect of remove_upstream")
    until(world, "before the record")
    world.flags = {"pause": {"rollout": 1}}
    until(world, "record of pause")
    if what == "behind":
        world.balancers["lb2"].update(generation=world.balancers["lb2"]["generation"] - 1, weights={"v1": 0, "v2": 100})
    world.blind = what == "blind"
    step = machine.advance(world.record, {}, world.seen(), world.now, "run", 0)
    assert step.intent["kind"] == kind and (step.record["rollout"]["pending"] is None) == (what != "well")
    assert step.intent.get("repairs") == (["lb2"] if what == "behind" else None)


def test_promoted_in_full_it_skips_what_waits_and_nothing_that_protects():
    for name, world in World("canary").killed_everywhere():
        if not world.record["rollout"]:
            continue
        gates = len(world.gates)
        world.record = machine.promote(world.record, True, world.seen(), world.now, "ann", "urgent")
        if name in ("effect of set_weight", "record of set_weight") and world.record["rollout"]["pending"] is None:
            assert world.record["traffic"]["weights"][world.new] < 100
        world.run()
        assert world.result == "promoted" and len(world.gates) == gates
        assert world.end()["balancers"] == [{"v2": 100}, {"v2": 100}] and world.releases["v2"]["ready"] == SIZE


def test_a_gate_and_the_keeping_are_ended_by_a_person():
    world = World("blue_green")
    for name in world.steps(1):
        if name.startswith("record of") and name.split()[-1] in (GATE, KEEP):
            world.record = machine.promote(world.record, False, world.seen(), world.now, "ann", "looks good")
    assert world.result == "promoted" and [what for what in world.begun() if what.startswith("promote: ")] == [
        "promote: gate smoke is ended", "promote: gate watch is ended", "promote: keep of v1 is ended"]


def test_there_is_not_always_something_to_promote():
    world = World("canary")
    with pytest.raises(Refused, match="goes forward and stands at a gate"):
        machine.promote(world.record, False, world.seen(), 0, "ann", "")
    world.run()
    for full in (False, True):
        with pytest.raises(Refused, match="v2 has all of the traffic"):
            machine.promote(world.record, full, world.seen(), 0, "ann", "")


@pytest.mark.parametrize("full", (False, True))
def test_what_failed_is_not_promoted(full):
    world = World("canary")
    for name in world.steps(1):
        if name == "record of gate":
            break
    seen = world.seen({"generation": world.record["rollout"]["pending"]["generation"], "verdict": FAIL})
    with pytest.raises(Refused, match="gate weight 5 failed"):
        machine.promote(world.record, full, seen, 0, "ann", "")


@pytest.mark.parametrize("told, done", (
    ({"addresses": {"v2": 1}}, True), ({"addresses": {"v2": 0}}, False), ({"addresses": {}}, False), ({"weights": {"v1": 100}}, True),
    ({"weights": {}}, False), ({}, False)))
def test_a_new_upstream_is_awaited_until_its_addresses_or_its_weights_are_known(told, done):
    world = World("canary")
    for name in world.steps(1):
        if name == "record of add_upstream":
            break
    generation = world.record["traffic"]["generation"]
    seen = Observation(world.releases, {name: dict(told, generation=generation) for name in world.balancers})
    step = machine.advance(world.record, {}, seen, world.now, "run", 1)
    assert (step.intent["kind"] == "set_weight") == done and (done or step.intent["awaits"])


def test_a_balancer_that_serves_other_weights_under_the_same_generation_is_not_believed():
    world = World("canary")
    for name in world.steps(1):
        if name == "record of set_weight":
            break
    for one in world.balancers.values():
        one["generation"] = world.record["traffic"]["generation"]
    step = machine.advance(world.record, {}, world.seen(), world.now, "run", 1)
    assert step.intent["kind"] == "set_weight" and "lb1 serves v1 100 %, v2 0 % under that generation" in step.intent["awaits"]


@pytest.mark.parametrize("at", ("weight 5", "weight 100", "keep"))
def test_a_candidate_without_a_ready_pod_loses_its_traffic_at_the_next_look(at):
    world = World("canary")
    for name in world.steps(1):
        entry = world.record["history"][-1]["what"]
        if entry in ("gate " + at, at + " of v1") and not world.crashed:
            world.crashed, world.releases["v2"]["ready"] = {"v2"}, 0
            left = world.now
        if world.record["traffic"]["weights"].get("v2") == 0 and world.crashed:
            assert world.now - left <= LOOK and name
            break
    world.run()
    assert world.result == "rolled_back" and "no pod of v2 is ready" in world.record["last"]["why"]
    assert world.end()["releases"] == {"v1": (SIZE, SIZE, {})}


def test_the_old_release_does_not_go_while_the_new_one_is_not_whole():
    world = World("blue_green")
    for _name in world.steps(1):
        if world.record["history"][-1]["what"].startswith("keep of v1"):
            break
    world.limits = {"v2": 1}
    for name in world.steps(1):
        assert world.releases["v1"]["ready"] == SIZE and not (world.record["rollout"] or {}).get("released"), name
        if world.record["rollout"]["phase"] == "back":
            break
    world.run()
    assert world.result == "rolled_back" and "1 of 6 pods of v2 are ready" in world.record["last"]["why"]
    assert world.end()["balancers"] == [{"v1": 100}, {"v1": 100}]


def test_a_candidate_that_never_gets_ready_never_gets_traffic():
    world = World("canary")
    world.crashed = {"v2"}
    world.run()
    assert world.result == "rolled_back" and "0 of 2 pods of v2 are ready" in world.record["last"]["why"]
    assert not [effect for effect in world.effects if effect[0] == "lb1" and effect[1]]


@pytest.mark.parametrize("heals", (False, True))
def test_weight_rises_only_onto_as_many_ready_pods_as_its_step_needs(heals):
    world = World("canary")
    until(world, "record of add_upstream")
    world.limits, world.releases["v2"]["ready"] = {"v2": 1}, 1
    until(world, "record of wait_ready", "wait ready of v2 with 2 pods")
    assert [op for op in world.begun() if op.startswith("set weight")] == []
    world.limits = {} if heals else world.limits
    world.run()
    assert world.result == ("promoted" if heals else "rolled_back")
    assert heals or not [effect for effect in world.effects if effect[0] == "lb1" and effect[1]]


@pytest.mark.parametrize("by_hand", (False, True))
def test_a_stable_without_pods_is_awaited_and_not_for_ever(by_hand):
    world = World("canary", {"weight 50": [FAIL]})
    for name in world.steps(1):
        if world.record["history"][-1]["what"] == "gate weight 50" and not world.crashed:
            world.crashed, world.releases["v1"]["ready"] = {"v1"}, 0
            world.flags = {"abort": {"rollout": 1}} if by_hand else {}
            since = world.now
        if world.record["traffic"]["weights"].get("v2") == 0 and world.crashed:
            assert (world.now - since < 120) == by_hand and world.now - since < 400 and name
            break
    happen(world, "heal")
    world.run()
    assert world.result == "rolled_back"


def test_a_balancer_that_does_not_answer_stops_the_way_forward_and_not_for_ever():
    world = World("canary")
    for name in world.steps(1):
        if name == "effect of gate":
            world.silent = {"lb2"}
        if world.record["rollout"]["phase"] == "back":
            break
    assert "lb2 did not answer" in world.record["rollout"]["why"]
    overdue = []
    for _look in range(20):
        step = machine.advance(world.record, {}, world.seen(), world.now, "run", 1)
        world.write(step.record, 1)
        for atom in world.atoms(step.intent):
            atom()
        world.tick()
        overdue.append(step.intent["overdue"] if "overdue" in step.intent else False)
    assert step.intent["kind"] == ROLL_BACK and overdue[-1] and world.balancers["lb1"]["weights"] == {"v1": 100, "v2": 0}
    world.silent = set()
    world.run()
    assert world.result == "rolled_back" and world.end()["balancers"] == [{"v1": 100}, {"v1": 100}]


def test_without_the_api_the_traffic_still_goes_back():
    world = World("canary")
    for _name in world.steps(1):
        if world.record["history"][-1]["what"] == "gate weight 25":
            break
    world.blind, world.flags = True, {"abort": {"rollout": 1}}
    for name in world.steps(1):
        if name == "record of observe":
            break
    assert world.end()["balancers"] == [{"v1": 100}, {"v1": 100}]
    world.blind = False
    world.run()
    assert world.result == "rolled_back"


def test_an_undo_while_the_old_is_kept_needs_no_pods_and_one_change_of_weights():
    world = World("blue_green")
    for _name in world.steps(1):
        if world.record["history"][-1]["what"].startswith("keep of v1"):
            break
    world.flags, told = {"abort": {"rollout": 1, "who": "ann"}}, len(world.effects)
    for name in world.steps(1):
        if name == "record of remove_upstream":
            break
    assert world.effects[told:] == [("lb1", 0), ("lb2", 0)] and world.record["stable"] == "v1" and world.record["rollout"]["promoted"] is False


def test_an_undo_after_the_end_goes_back_and_can_be_undone():
    world = World("blue_green")
    world.run()
    for stable, back in (("v2", "v1"), ("v1", "v2"), ("v2", "v1")):
        assert (world.record["stable"], world.record["previous"]) == (stable, back)
        plan = plan_undo("chat", stable, back, set(world.record["releases"]), {"replicas": SIZE})
        world.record = machine.begin(world.record, plan, {}, world.seen(), world.now, "ann", "a page")
        world.old, world.new, gates = stable, back, len(world.gates)
        world.run()
        assert world.end()["balancers"] == [{back: 100}] * 2 and len(world.gates) == gates
        assert world.releases[stable]["replicas"] == 0


def test_a_rollout_is_refused_beside_another_and_on_other_traffic():
    world = World("canary")
    plan = world.record["rollout"]["plan"]
    with pytest.raises(Refused, match="rollout 1 of chat to v2 is under way"):
        machine.begin(world.record, plan, {}, world.seen(), 0, "ann", "")
    idle = dict(world.record, rollout=None)
    world.balancers["lb2"]["weights"] = {"v0": 100}
    with pytest.raises(Refused, match="balancer lb2: it serves v0 100 %"):
        machine.begin(idle, plan, {}, world.seen(), 0, "ann", "")


def test_a_flag_of_an_earlier_rollout_says_nothing_to_this_one():
    world = World("canary")
    world.flags = {"abort": {"rollout": 0}, "pause": {"rollout": 0}}
    world.run()
    assert world.result == "promoted"


def test_nothing_is_done_by_an_old_tenure_and_nothing_twice_after_the_end():
    world = World("canary")
    world.run()
    again = machine.advance(world.record, {}, world.seen(), world.now, "other", 7)
    assert again.record == world.record and (again.intent["kind"], again.intent["result"]) == ("done", "promoted")
    with pytest.raises(machine.StaleOwner, match="tenure 1 of the lock, and this run has tenure 0"):
        machine.advance(dict(world.record, fence=1), {}, world.seen(), 0, "old", 0)


@pytest.mark.parametrize("kind, forward", (
    ("canary", [(5, 2), (25, 2), (50, 3), (100, 6)]), ("blue_green", [(100, 6)]), ("rolling", [(33, 2), (66, 4), (100, 6)]), ("undo", [(100, 6)])))
def test_the_effects_of_each_strategy_in_their_order(kind, forward):
    world, seen = World(kind), []
    for name in world.steps(1):
        intent = world.record["rollout"] and world.record["rollout"]["plan"]["forward"][world.record["rollout"]["position"]]
        if name == "record of set_weight":
            seen.append((intent["weight"], world.releases[world.new]["ready"]))
    assert seen == forward
    whole = [what.split(" ")[0] for what in world.begun() if ": done" not in what and not what.endswith("passed")]
    last = ["promote", "remove", "scale"] if kind == "undo" else ["promote", "keep", "remove", "scale"]
    assert whole[-len(last) - (kind in ("canary", "rolling")) - 1:-1] == last + ["delete"] * (kind in ("canary", "rolling"))
