# Copyright (c) 2026, ironrack.cluster contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A world for the rollout machine: two balancers, pods, verdicts, the record, and the rules that no moment may break."""
from __future__ import annotations

import copy
import functools

from ansible_collections.ironrack.cluster.plugins.module_utils._release import machine, record as records, serving
from ansible_collections.ironrack.cluster.plugins.module_utils._release.observation import FAIL, INCONCLUSIVE, Observation, PASS
from ansible_collections.ironrack.cluster.plugins.module_utils._release.plan import DELETE, DEPLOY, GATE, SCALE_DOWN, WARM_UP, plan_rollout, plan_undo
from ansible_collections.ironrack.cluster.plugins.module_utils._release.traffic import NOBODY, POOL, RELEASES, effective, mode_of

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

    def __init__(self, kind="canary", verdicts=None):
        self.kind, self.now, self.fence, self.flags, self.verdicts = kind, 1000, 0, {}, dict(verdicts or {})
        self.releases = {"v1": self.release(SIZE, SIZE)}
        self.balancers = {name: {"generation": 3, "weights": {"v1": 100}} for name in ("lb1", "lb2")}
        self.away, self.silent, self.blind, self.crashed, self.effects, self.gates = set(), set(), False, set(), [], []
        self.version, self.limits, self.beyond, self.revision = 0, {}, 3, 0
        record = records.new("chat", "v1", {"image": "v1"})
        if kind == "undo":
            record.update(stable="v2", previous="v1", releases={"v1": {}, "v2": {}}, traffic=dict(record["traffic"], stable="v2", weights={"v2": 100}))
            self.releases = {"v2": self.release(SIZE, SIZE)}
            for balancer in self.balancers.values():
                balancer["weights"] = {"v2": 100}
            plan = plan_undo("chat", "v2", "v1", {"v1", "v2"}, {"replicas": SIZE})
        else:
            plan = plan_rollout("chat", kind, "v1", "v2", {"v1", "v2"}, ASKED[kind])
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
        weights = effective(traffic)
        if traffic["generation"] == balancer["generation"]:
            assert balancer["weights"] == weights, "one generation says two things"
            return None
        for release, weight in weights.items():
            ready = release in self.crashed | {self.old, "fallback"} or self.releases.get(release, {}).get("ready")
            assert not weight or ready, "%s gets %d %% and has no ready pod" % (release, weight)
        rollout = self.record["rollout"]
        if rollout and rollout["phase"] == "forward" and traffic["serve"] == mode_of(balancer["weights"]) == RELEASES:
            assert weights.get(self.new, 0) >= balancer["weights"].get(self.new, 0), "a forward step takes keys from the candidate"
        balancer.update(generation=traffic["generation"], weights=weights)
        self.effects.append((name, weights.get(self.new)))
        return None

    def serve(self, mode, chain=(), recorded=True):
        """Somebody switches the service off, on, or to its pool, beside whoever drives the rollout."""
        wish = serving.Wish(mode, list(chain), ["a", "b"], "ann", "a page")
        if recorded:
            self.record = records.decode(records.encode(serving.followed(self.record, wish, self.seen(), self.now)), "test")
            self.revision += 1
            traffic = self.record["traffic"]
        else:
            releases = self.record["traffic"]
            known = [dict(generation=one["generation"], serve=mode_of(one["weights"]), stable=releases["stable"], candidate=releases["candidate"],
                          weight=releases["weights"].get(releases["candidate"], 0), releases=releases["weights"]) for one in self.balancers.values()]
            traffic, _note = serving.without_record(known, wish, self.now)
            self.beyond = traffic["generation"]
        for name in sorted(self.balancers):
            if name not in self.silent | self.away and traffic["generation"] > self.balancers[name]["generation"]:
                self.balancers[name].update(generation=traffic["generation"], weights=effective(traffic))
        self.check()

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
        assert max(generations) <= max(self.record["generation"], self.beyond)
        assert sum(self.record["traffic"]["weights"].values()) == 100
        for name, one in self.balancers.items():
            assert sum(one["weights"].values()) == 100 or not one["weights"]
            if name in self.away or mode_of(one["weights"]) != RELEASES:
                continue
            for release, weight in one["weights"].items():
                assert not weight or release in self.crashed or self.releases[release]["ready"], "%s has %d %% and nobody serves it" % (release, weight)
            if one["weights"].get(self.old):
                assert self.releases[self.old]["replicas"] >= SIZE, "the stable is smaller than its size and has traffic"

    def steps(self, fence, limit=400):
        """Drive the rollout. Yields the name of each boundary; a caller kills it by not going on, and pauses it by going on later."""
        outcome = None
        for _look in range(limit):
            read = None
            while read != self.revision:  # whoever wrote in between is read again, as the store has it
                read = self.revision
                step = machine.advance(self.record, self.flags, self.seen(outcome), self.now, "run%d" % fence, fence)
                yield "before the record"
            self.write(step.record, fence)
            yield "record of %s" % step.intent["kind"]
            if step.intent["kind"] == "done":
                return
            outcome = None
            for atom in self.atoms(step.intent):
                try:
                    verdict = atom()
                except Refused:
                    if self.record["fence"] != fence or read == self.revision:
                        raise
                    break  # the service was switched meanwhile: look again
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


def until(world, boundary, last=""):
    """Drive a world up to a boundary. :returns: the driver, which can go on."""
    driver = world.steps(world.fence)
    for name in driver:
        if name == boundary and world.record["history"][-1]["what"].startswith(last):
            return driver
    raise AssertionError("%s was not reached" % boundary)


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
    elif event in ("off", "pool", "on"):
        world.serve({"off": NOBODY, "pool": POOL, "on": RELEASES}[event])
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
