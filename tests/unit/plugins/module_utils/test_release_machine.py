# Copyright (c) 2026, ironrack.cluster contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A rollout is killed at every boundary of every strategy, and traffic is never where nobody serves it."""
from __future__ import annotations

import copy
import functools

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ansible_collections.ironrack.cluster.plugins.module_utils._common.errors import IronrackError
from ansible_collections.ironrack.cluster.plugins.module_utils._release import machine, record as records
from ansible_collections.ironrack.cluster.plugins.module_utils._release.observation import FAIL, INCONCLUSIVE, PASS, Observation
from ansible_collections.ironrack.cluster.plugins.module_utils._release.plan import (
    ADD_UPSTREAM, DELETE, DEPLOY, GATE, KEEP, PROMOTE, REMOVE_UPSTREAM, ROLL_BACK, SCALE_DOWN, SET_WEIGHT, TRAFFIC, WARM_UP, plan_rollout, plan_undo)
from ansible_collections.ironrack.cluster.plugins.module_utils._release.settings import RolloutRefused

SIZE = 6
#: Seconds of the simulated world between two looks.
LOOK = 30
ASKED = {
    "canary": {"replicas": SIZE, "soak": 30, "keep": 60},
    "blue_green": {"replicas": SIZE, "watch": 60, "keep": 60},
    "rolling": {"replicas": SIZE, "zones": ["a", "b", "c"], "soak": 30, "keep": 60},
}
KINDS = sorted(ASKED) + ["undo"]


class Refused(Exception):
    """A balancer or the API would not have it."""


class World:
    """Two balancers, pods that need a look to get ready, verdicts, the record, and every rule that no moment may break."""

    def __init__(self, kind="canary", verdicts=None, asked=None):
        self.kind, self.now, self.fence, self.flags, self.verdicts = kind, 1000, 0, {}, dict(verdicts or {})
        self.releases = {"v1": self.release(SIZE, SIZE)}
        self.balancers = {name: {"generation": 3, "weights": {"v1": 100}} for name in ("lb1", "lb2")}
        self.away, self.silent, self.blind, self.crashed, self.effects, self.gates = set(), set(), False, set(), [], []
        self.version, self.limits = 0, {}
        record = records.new("chat", "v1", {"image": "v1"})
        if kind == "undo":
            record.update(stable="v2", previous="v1", releases={"v1": {}, "v2": {}}, traffic=dict(record["traffic"], stable="v2", weights={"v2": 100}))
            self.releases = {"v2": self.release(SIZE, SIZE)}
            for balancer in self.balancers.values():
                balancer["weights"] = {"v2": 100}
            plan = plan_undo("chat", "v2", "v1", {"v1", "v2"}, {"replicas": SIZE})
        else:
            plan = plan_rollout("chat", kind, "v1", "v2", {"v1", "v2"}, dict(ASKED[kind], **(asked or {})))
        self.record = machine.begin(record, plan, {"v2": {"image": "v2"}}, self.seen(), self.now, "first", "a new model")
        self.old, self.new = plan["stable"], plan["candidate"]
        self.check()

    @staticmethod
    def release(replicas, ready, generation=0):
        return {"replicas": replicas, "ready": ready, "generation": generation, "zones": {}, "uid": "u", "resource_version": "0"}

    def seen(self, outcome=None):
        balancers = {}
        for name, one in self.balancers.items():
            addresses = {release: self.releases.get(release, {}).get("ready", 0) for release in one["weights"]}
            balancers[name] = {} if name in self.silent else dict(copy.deepcopy(one), addresses=addresses, away=name in self.away)
        return Observation(None if self.blind else copy.deepcopy(self.releases), balancers, outcome)

    def write(self, record, fence):
        """The store: nobody writes who has lost the lock."""
        if fence < self.record["fence"]:
            raise Refused("an old tenure")
        self.record = records.decode(records.encode(record), "test")
        self.check()

    def atoms(self, intent):
        """:returns: what an intent does, in parts between which a run can be killed; each part returns the verdict that only its doer knows."""
        kind, release = intent["kind"], intent["release"]
        if "traffic" in intent or intent.get("repairs"):
            return [functools.partial(self.tell, name, self.record_traffic(intent)) for name in sorted(self.balancers)]
        if kind == DEPLOY:
            return [functools.partial(self.deploy, intent)]
        if kind == WARM_UP:
            return [lambda: PASS]
        if kind == GATE:
            return [functools.partial(self.gate, intent)]
        if kind in (SCALE_DOWN, DELETE):
            return [functools.partial(self.take_away, kind, release, intent["precondition"])]
        return []

    @staticmethod
    def record_traffic(intent):
        told = copy.deepcopy(intent["traffic"])
        assert told.pop("weight") == (told["weights"][told["candidate"]] if told["candidate"] else 0)
        return told

    def tell(self, name, traffic):
        if name in self.silent or name in self.away:
            return None
        balancer = self.balancers[name]
        if traffic["generation"] < balancer["generation"]:
            raise Refused("%s has a newer generation" % name)
        if traffic["generation"] == balancer["generation"]:
            assert balancer["weights"] == traffic["weights"], "one generation says two things"
            return None
        for release, weight in traffic["weights"].items():
            ready = release in self.crashed | {self.old} or self.releases.get(release, {}).get("ready")
            assert not weight or ready, "%s gets %d %% and has no ready pod" % (release, weight)
        rollout = self.record["rollout"]
        if rollout and rollout["phase"] == "forward":
            assert traffic["weights"].get(self.new, 0) >= balancer["weights"].get(self.new, 0), "a forward step takes keys from the candidate"
        balancer.update(generation=traffic["generation"], weights=traffic["weights"])
        self.effects.append((name, traffic["weights"].get(self.new)))
        return None

    def deploy(self, intent):
        if self.blind:
            return
        one = self.releases.setdefault(intent["release"], self.release(0, 0))
        if intent["generation"] < one["generation"]:
            raise Refused("the Deployment carries a newer generation")
        one.update(replicas=max(one["replicas"], intent["replicas"]), generation=intent["generation"], zones=intent.get("zones") or {})
        self.touch(one)
        self.effects.append(("deploy", intent["release"], intent["replicas"]))

    def take_away(self, kind, release, precondition):
        if release not in self.releases or self.blind:
            return
        assert precondition, "something is taken away that nobody has seen"
        if precondition["resource_version"] != self.releases[release]["resource_version"]:
            raise Refused("the Deployment is another one by now")
        used = [name for name, one in self.balancers.items() if one["weights"].get(release) and name not in self.away]
        assert not used, "%s is taken away and has traffic" % release
        if kind == DELETE:
            del self.releases[release]
        else:
            self.releases[release].update(replicas=0, ready=0)
            self.touch(self.releases[release])
        self.effects.append((kind, release))

    def touch(self, release):
        self.version += 1
        release["resource_version"] = str(self.version)

    def gate(self, intent):
        self.gates.append((intent["name"], intent["extended"]))
        script = self.verdicts.get(intent["name"], [PASS])
        return script[min(intent["extended"], len(script) - 1)]

    def tick(self):
        self.now += LOOK
        for name, one in self.releases.items():
            one["ready"] = 0 if name in self.crashed else min(one["replicas"], self.limits.get(name, SIZE))

    def check(self):
        """The rules of every moment."""
        generations = [one["generation"] for one in self.balancers.values()]
        assert max(generations) <= max(self.record["generation"], 3)
        assert sum(self.record["traffic"]["weights"].values()) == 100
        for name, one in self.balancers.items():
            assert sum(one["weights"].values()) == 100
            if name in self.away:
                continue
            for release, weight in one["weights"].items():
                assert not weight or release in self.crashed or self.releases[release]["ready"], "%s has %d %% and nobody serves it" % (release, weight)
            if one["weights"].get(self.old):
                assert self.releases[self.old]["replicas"] >= SIZE, "the stable is smaller than its size and has traffic"

    def steps(self, fence, limit=400):
        """Drive the rollout. Yields the name of each boundary; a caller kills it by not going on, and pauses it by going on later."""
        outcome = None
        for _look in range(limit):
            step = machine.advance(self.record, self.flags, self.seen(outcome), self.now, "run%d" % fence, fence)
            yield "before the record"
            self.write(step.record, fence)
            yield "record of %s" % step.intent["kind"]
            if step.intent["kind"] == "done":
                return
            outcome = None
            for atom in self.atoms(step.intent):
                verdict = atom()
                self.check()
                if verdict:
                    outcome = {"generation": step.intent["generation"], "verdict": verdict, "why": "as scripted"}
                yield "effect of %s" % step.intent["kind"]
            if step.intent["kind"] == "pause":
                return
            self.tick()
            self.check()
        raise AssertionError("no end after %d looks: %s" % (limit, machine.where(self.record)))

    def run(self, kill_at=None):
        """:returns: the names of the boundaries that were passed."""
        self.fence += 1
        passed = []
        for name in self.steps(self.fence):
            passed.append(name)
            if kill_at is not None and len(passed) > kill_at:
                break
        return passed

    def killed_everywhere(self):
        """Yields, for each boundary of one run, its name and what a run that is killed there leaves behind."""
        self.fence += 1
        for name in self.steps(self.fence):
            yield name, copy.deepcopy(self)

    def end(self):
        """:returns: what an end is compared by: all but generations, tenures, numbers and the history."""
        return {"balancers": [one["weights"] for one in self.balancers.values()],
                "releases": {name: (one["replicas"], one["ready"], one["zones"]) for name, one in self.releases.items()},
                "rollout": self.record["rollout"], "stable": self.record["stable"], "previous": self.record["previous"],
                "described": self.record["releases"], "weights": self.record["traffic"]["weights"], "last": self.record["last"]}

    @property
    def result(self):
        return (self.record["last"] or {}).get("result")

    def begun(self):
        return [entry["what"] for entry in self.record["history"]]


SCENARIOS = [(kind, {}) for kind in KINDS] + [
    ("canary", {"weight 5": [FAIL]}), ("canary", {"weight 25": [FAIL]}), ("canary", {"weight 100": [FAIL]}),
    ("canary", {"weight 25": [INCONCLUSIVE, INCONCLUSIVE, INCONCLUSIVE, PASS]}), ("canary", {"weight 5": [INCONCLUSIVE]}),
    ("canary", {"weight 50": [INCONCLUSIVE, FAIL]}), ("blue_green", {"smoke": [FAIL]}), ("blue_green", {"watch": [FAIL]}),
    ("blue_green", {"smoke": [INCONCLUSIVE]}), ("rolling", {"zone a": [FAIL]}), ("rolling", {"zone c": [FAIL]}),
]


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


def until(world, boundary, last=""):
    """Drive a world up to a boundary. :returns: the driver, which can go on."""
    driver = world.steps(world.fence)
    for name in driver:
        if name == boundary and world.record["history"][-1]["what"].startswith(last):
            return driver
    raise AssertionError("%s was not reached" % boundary)


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
    with pytest.raises(RolloutRefused, match="goes forward and stands at a gate"):
        machine.promote(world.record, False, world.seen(), 0, "ann", "")
    world.run()
    for full in (False, True):
        with pytest.raises(RolloutRefused, match="v2 has all of the traffic"):
            machine.promote(world.record, full, world.seen(), 0, "ann", "")


@pytest.mark.parametrize("full", (False, True))
def test_what_failed_is_not_promoted(full):
    world = World("canary")
    for name in world.steps(1):
        if name == "record of gate":
            break
    seen = world.seen({"generation": world.record["rollout"]["pending"]["generation"], "verdict": FAIL})
    with pytest.raises(RolloutRefused, match="gate weight 5 failed"):
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
    with pytest.raises(RolloutRefused, match="rollout 1 of chat to v2 is under way"):
        machine.begin(world.record, plan, {}, world.seen(), 0, "ann", "")
    idle = dict(world.record, rollout=None)
    world.balancers["lb2"]["weights"] = {"v0": 100}
    with pytest.raises(RolloutRefused, match="balancer lb2: it serves v0 100 %"):
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


@settings(max_examples=60, deadline=None)
@given(st.sampled_from(KINDS), st.lists(st.tuples(st.integers(0, 30), st.sampled_from(
    ("kill", "abort", "pause", "resume", "lb2 away", "lb2 back", "blind", "sight", "crash", "heal"))), max_size=8))
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
    for mend in ("resume", "lb2 back", "sight", "heal"):
        happen(world, mend)
    world.fence = fence  # of the next tenure: the one before stands still somewhere
    world.run()
    assert world.result in ("promoted", "rolled_back")
    serving = world.record["stable"]
    assert world.end()["balancers"] == [{serving: 100}] * 2 and world.releases[serving]["ready"] >= SIZE


def happen(world, event):
    rollout = world.record["rollouts"]
    if event == "abort":
        world.flags["abort"] = {"rollout": rollout}
    elif event == "pause":
        world.flags["pause"] = {"rollout": rollout}
    elif event == "resume":
        world.flags.pop("pause", None)
    elif event == "lb2 away":
        world.away = {"lb2"}
    elif event == "lb2 back":
        if world.away and world.balancers["lb2"]["generation"] != world.record["traffic"]["generation"]:
            # It asked for the newest generation before it took its address again.
            world.balancers["lb2"] = copy.deepcopy(world.balancers["lb1"])
        world.away = set()
    elif event in ("blind", "sight"):
        world.blind = event == "blind"
    elif event == "crash":
        world.crashed = {world.new}
        if world.new in world.releases:
            world.releases[world.new]["ready"] = 0
    elif event == "heal":
        world.crashed = set()
        for one in world.releases.values():
            one["ready"] = one["replicas"]
