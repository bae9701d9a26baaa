# Copyright (c) 2026, ironrack.cluster contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A world for the loop of a rollout: an API that holds the record, pods, balancers, gates by a script, and a caller that does as the role does."""
from __future__ import annotations

import copy

from ansible_collections.ironrack.cluster.plugins.module_utils._kube.client import KubeUnreachable
from ansible_collections.ironrack.cluster.plugins.module_utils._release.observation import FAIL, INCONCLUSIVE, PASS
from ansible_collections.ironrack.cluster.plugins.module_utils._release.store import Store
from ansible_collections.ironrack.cluster.plugins.module_utils._rollout.gatekeeper import Gatekeeper
from ansible_collections.ironrack.cluster.plugins.module_utils._rollout.journal import Journal
from ansible_collections.ironrack.cluster.plugins.module_utils._rollout.loop import Loop
from ansible_collections.ironrack.cluster.plugins.module_utils._rollout.probes import Probes
from ansible_collections.ironrack.cluster.plugins.module_utils._rollout.world import Seen, World
from ansible_collections.ironrack.cluster.plugins.module_utils._service.releases import Superseded
from ansible_collections.ironrack.cluster.plugins.module_utils._service.spec import complete
from ansible_collections.ironrack.cluster.tests.unit.plugins.modules.test_rollout_modules import Api

IMAGE = "registry.example.org/chat@sha256:%064d"
DESCRIPTION = {
    "name": "chat", "namespace": "inference", "stable": "v1", "replicas": 6, "releases": {"v1": {"image": IMAGE % 1}, "v2": {"image": IMAGE % 2}},
    "pod": {"resources": {"requests": {"cpu": "1", "memory": "1Gi"}, "limits": {"memory": "1Gi"}}},
    "prometheus": {"url": "http://127.0.0.1:1"}, "look_interval": 10,
    "gates": [{"name": "errors", "kind": "errors", "metric": "ironrack_upstream_tries_total", "limit": 0.05}],
    "rollout": {"strategy": "canary", "steps": [5, 50, 100], "soak": 60, "watch": 60, "keep": 60, "effect_timeout": 120, "ready_timeout": 700}}


class Clockwork:
    """What a Prometheus of a test says, and nothing else."""

    def __init__(self, sim):
        self._sim = sim

    def clock(self):
        return self._sim.now + 5000.0

    def query(self, promql, at=None):
        return "vector", [({"release": "v1"}, 95.0), ({"release": "v2"}, 5.0)]


class Sim:
    """The world and its caller.

    :param verdicts: weight -> verdict at the end of its step; a dictionary {"fail_after": seconds} fails in the middle.
    """

    def __init__(self, tmp_path, verdicts=None, **changes):
        self.now, self.verdicts, self.tmp_path = 100000.0, verdicts or {}, tmp_path
        self.description = dict(copy.deepcopy(DESCRIPTION), **changes)
        self.service = complete(self.description)
        self.api, self.releases = Api(), {"v1": self._pods(6, 6)}
        self.balancers = {name: self._status(1, {"stable": "v1", "candidate": "", "weight": 0}) for name in ("lb1", "lb2")}
        self.silent, self.down, self.told, self.judged, self.lines, self.calls = False, set(), [], [], [], 0
        self.pins, self.versions, self.policy, self.unready = [], 0, "go", False
        self.runs = 0
        self.before_look, self.unanswered = [], 0

    # the parts of a World --------------------------------------------------------------------------------------------------------------

    superseded, domain, zones = Superseded, "cluster.local", ["a", "b", "c"]
    upstream = World.upstream

    def world(self):
        self.probes = Probes({})
        self.gates = Gatekeeper(self.service, self.probes, judge=self.judge, prometheus=lambda connection: Clockwork(self))
        return self

    def clock(self):
        return self.now

    def sleep(self, seconds):
        self.now += seconds
        for one in self.releases.values():
            one["ready"] = 0 if self.unready and one is not self.releases.get("v1") else one["replicas"]

    def _pods(self, replicas, ready, generation=0):
        return {"replicas": replicas, "ready": ready, "generation": generation, "uid": "u", "resource_version": "1"}

    def _status(self, generation, routing, releases=("v1",)):
        routing = dict({"serve": "releases"}, **routing)
        weights = {routing["candidate"]: routing["weight"], routing["stable"]: 100 - routing["weight"]}
        return {"service": "chat", "generation": generation, "asked": routing, "served": routing, "weights": {k: v for k, v in weights.items() if v},
                "releases": [{"name": name, "host": "h", "port": 8080} for name in releases]}

    def look(self, releases=True):
        for act in self.before_look:
            act()
        self.unanswered += self.silent and releases
        statuses = {name: None if name in self.down else copy.deepcopy(one) for name, one in self.balancers.items()}
        return Seen(None if self.silent or not releases else copy.deepcopy(self.releases), statuses, set())

    def request(self, method, path, body=None, accept="", content_type="application/json"):
        if self.silent:
            self.unanswered += 1
            raise KubeUnreachable("the API did not answer")
        return self.api.answer(method, path, body, content_type)

    def deploy(self, intent, described):
        assert described["v2"]["image"]
        self._answers()
        self.pins.append((intent["stable"], intent["stable_replicas"]))
        one = self.releases.setdefault(intent["release"], self._pods(0, 0))
        if one["generation"] > intent["generation"]:
            raise Superseded("newer")
        one.update(replicas=max(one["replicas"], intent["replicas"]), generation=intent["generation"], zones=intent.get("zones") or {})

    def take_away(self, intent, described):
        self._answers()
        assert intent["precondition"] == {"uid": "u", "resource_version": "1"}
        assert not [one for one in self.balancers.values() if one["weights"].get(intent["release"])]
        if intent["kind"] == "delete":
            del self.releases[intent["release"]]
        else:
            self.releases[intent["release"]].update(replicas=0, ready=0)

    def settle(self, record):
        self.pins.append((record["stable"], "own"))

    def _answers(self):
        if self.silent:
            raise KubeUnreachable("the API did not answer")

    def pods(self, release, described):
        return [{"name": "%s-%d" % (release, number), "address": "10.244.0.%d" % number} for number in range(self.releases[release]["ready"])]

    # what gates see --------------------------------------------------------------------------------------------------------------------

    def judge(self, params):
        since, time = params["since"], self.now + 5000.0
        self.judged.append(params)
        weight = self.balancers["lb1"]["asked"]["weight"]
        script = self.verdicts.get(weight, PASS)
        if isinstance(script, dict):
            verdict = FAIL if time - since >= script["fail_after"] else INCONCLUSIVE
        else:
            verdict = script if params["end_of_step"] or script == FAIL else INCONCLUSIVE
        gates = [{"name": gate["name"], "kind": gate["kind"], "verdict": verdict, "reasons": ["as scripted"]} for gate in params["gates"]]
        return {"verdict": verdict, "time": time, "gates": gates}

    # the caller ------------------------------------------------------------------------------------------------------------------------

    def wish(self, request, **more):
        return dict({
            "request": request, "release": "v2" if request == "begin" else "", "strategy": self.service["rollout"].get("strategy", "canary"),
            "who": "ann", "reason": "new",
            "override": "", "lease_duration": 60, "lock_wait": 90, "patience": 900, "stint": 30, "pods_from": "balancers", "warmed": [], "handled": [],
            "profile": "standard", "description": self.description}, **more)

    def call(self, memory, request, **more):
        self.calls += 1
        store = Store(self.request, "inference", "chat")
        return Loop(self.wish(request, **more), self.world(), store, Journal(str(self.tmp_path), "chat"), memory,
                    more.get("check_mode", False)).run()

    def tell(self, upstream):
        self.told.append((self.now, upstream["generation"], upstream["candidate"], upstream["weight"]))
        for name in sorted(self.balancers):
            if name not in self.down:
                self.tell_one(name, upstream)

    def tell_one(self, name, upstream):
        status = self.balancers[name]
        assert upstream["generation"] >= status["generation"], "a balancer refuses an older generation"
        routing = {"stable": upstream["stable"], "candidate": upstream["candidate"] or "", "weight": upstream["weight"]}
        for release in upstream["releases"]:
            parts = {upstream["stable"]: 100 - upstream["weight"], upstream["candidate"]: upstream["weight"]}
            part = parts.get(release["name"], 0)
            assert not part or self.releases[release["name"]]["ready"] or self.silent or release["name"] == "v1"
        self.balancers[name] = self._status(upstream["generation"], routing, [release["name"] for release in upstream["releases"]])

    def drive(self, request, stop=None, most=400, **more):
        """Do as the role does, to the end of a run.

        :param stop: called with each result; where it says so, the run is killed there.
        """
        self.runs += 1
        memory, warmed = {"holder": "ann@ops1, run %d" % self.runs}, []
        for _call in range(most):
            result = self.call(memory, request, warmed=warmed, **more)
            memory, warmed = copy.deepcopy(result["state"]), []
            self.lines.append(result["progress"])
            if stop and stop(result):
                return result
            if result["need"] == "nothing":
                return result
            if result["need"] == "balancers":
                self.tell(result["upstream"])
                self.sleep(1)
            if result["need"] == "pods":
                warmed = [{"verdict": PASS, "why": "warm"}]
        raise AssertionError("no end: %s" % self.lines[-3:])

    @property
    def record(self):
        return Store(self.request, "inference", "chat").read().record

    def weights(self):
        """:returns: the candidate's weights in the order in which the balancers were told."""
        return [weight for _at, _generation, _candidate, weight in self.told]
