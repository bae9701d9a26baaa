# Copyright (c) 2026, ironrack.cluster contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""One intent after the other is carried out, as far as that needs no balancer's host.

This is a private module_utils package: it may change in any release.
"""
from __future__ import annotations

from .._common.errors import IronrackError
from .._common.refusal import Refused, problem
from .._release.observation import FAIL, INCONCLUSIVE, PASS
from .._release.plan import DELETE, DEPLOY, GATE, KEEP, SCALE_DOWN, WARM_UP
from .._release.traffic import RELEASES
from . import emergency, requests, wishes
from .world import is_silent

#: Seconds after which balancers or pods are asked for once more, where it was not seen to be done.
AGAIN = 20
#: Seconds until the next look after an effect, and where something is awaited.
SOON, SHORT = 0.5, 2
#: Seconds between two notes of a look in the journal, where nothing is measured.
NOTED = 10


class Doer:
    """Carries out for a loop.

    :param loop: the :class:`.loop.Loop`.
    """

    def __init__(self, loop):
        self._loop, self._world, self._memory = loop, loop.world, loop.memory
        self._now = loop.world.clock

    def carry_out(self, intent, seen):
        """:returns: the result of the call, or seconds until the next look.

        :raises IronrackError: of a silent API, which another look may get over; or where somebody else has deployed since.
        """
        kind = intent["kind"]
        self._loop.say()
        if "traffic" in intent or intent.get("repairs"):
            return self._tell_balancers(intent)
        if kind == GATE:
            return self._gate(intent, seen)
        self._noted(intent, seen)
        if kind == DEPLOY:
            return self._deploy(intent)
        if kind == WARM_UP:
            return self._pods(intent)
        if kind in (SCALE_DOWN, DELETE):
            self._world.take_away(intent, self._loop.record["releases"])
            return SOON
        if kind == KEEP:
            return min(self._loop.interval, max(SOON, intent["until"] - self._now()))
        return SHORT

    def _noted(self, intent, seen, **more):
        """Add a look to the journal: each one that measures, and of the others a few."""
        last = self._memory.get("noted") or {}
        now = self._now()
        if not more and last.get("generation") == intent.get("generation") and last.get("kind") == intent["kind"] and now - last["at"] < NOTED:
            return
        self._memory["noted"] = {"generation": intent.get("generation"), "kind": intent["kind"], "at": now}
        traffic = self._loop.record["traffic"]
        served = {name: (status or {}).get("weights") for name, status in seen.statuses.items()}
        ready = None if seen.releases is None else {name: one["ready"] for name, one in seen.releases.items()}
        self._loop.note("look", intent=intent["kind"], weights=traffic["weights"], candidate=intent["candidate"], served=served, ready=ready,
                        away=sorted(seen.away), **more)

    def _outcome(self, intent, verdict, why, kept=False):
        self._memory["outcome"] = dict({"generation": intent["generation"], "verdict": verdict, "why": why}, **({"kept": True} if kept else {}))

    # balancers ------------------------------------------------------------------------------------------------------------------------

    def _due(self, what, generation):
        """:returns: whether the caller is asked, and that it was then. One that was is left some time."""
        last, now = self._memory.get(what) or {}, self._now()
        if last.get("generation") == generation and now - last["at"] < AGAIN:
            return False
        self._memory[what] = {"generation": generation, "at": now}
        return True

    def _tell_balancers(self, intent):
        traffic = intent.get("traffic") or self._loop.record["traffic"]
        if not self._due("told", traffic["generation"]):
            return SHORT / 2
        return self._loop.answer("balancers", upstream=dict(self._world.upstream(traffic), note=self._note(traffic)))

    def _note(self, traffic):
        """What a balancer says of whoever took the service from its releases: without an API it is all that is known of him."""
        return {} if traffic.get("serve", RELEASES) == RELEASES else self._loop.record["serve"]

    def move_without_record(self, seen, why):
        """Give all of the traffic to one release, by what the balancers say themselves.

        :returns: the result of the call; None where there is nothing to move, or it was asked for just now.
        :raises Refused: where a person asked for it, and no balancer says what it serves.
        """
        memory, status = self._memory, emergency.newest(seen.statuses)
        if status is None:
            if not memory.get("urgent"):
                return None
            raise Refused([problem("balancers", "none says what it serves", "one that answers", "Look at nginx_upstream_info on a balancer.")])
        moved = memory.get("moved") or {}
        stable = moved.get("stable") or emergency.target(status, memory.get("urgent") == "undo", memory["plan"]["candidate"])
        traffic = emergency.traffic(seen.statuses, stable, moved.get("generation"))
        memory["moved"] = {"stable": stable, "generation": traffic["generation"] if traffic else status["generation"]}
        if traffic is None or not self._due("told", traffic["generation"]):
            return None
        return self._loop.answer("balancers", upstream=self._world.upstream(traffic), result="moved",
                                 progress="all of the traffic goes to %s without the record: %s" % (stable, why))

    def has_failed_blindly(self, now):
        """:returns: whether the gate that was watched last fails now, while no API answers."""
        last = self._memory.get("watched")
        if not last or self._memory.get("moved"):
            return False
        verdict = self._world.gates.look(last["intent"], last["plan"], self._memory.setdefault("gate", {}), min(now, last["intent"]["until"] - 1))[0]
        return verdict == FAIL

    # pods -----------------------------------------------------------------------------------------------------------------------------

    def _deploy(self, intent):
        try:
            self._world.deploy(intent, self._loop.record["releases"])
        except self._world.superseded:
            raise
        except IronrackError as error:
            if is_silent(error):
                raise
            # An API that refuses it will do so again: the candidate is not as it has to be, and nobody is left to watch a rollout that stops here.
            self._outcome(intent, FAIL, str(error))
        return SOON

    def _pods(self, intent):
        """Requests to pods, as a warm-up or as the smoke test of a service that has no other."""
        warmed = self._loop.wish.get("warmed") or []
        if warmed and (self._memory.get("asked") or {}).get("generation") == intent["generation"] and not self._memory["asked"].get("taken"):
            self._memory["asked"]["taken"] = True
            return self._warm(intent, *requests.together([(one["verdict"], one["why"]) for one in warmed]))
        if not self._due("asked", intent["generation"]):
            return SHORT
        pods = self._world.pods(intent["release"], self._loop.record["releases"])
        if not pods:
            return self._warm(intent, INCONCLUSIVE, "there is no ready pod to ask")
        if self._loop.wish["pods_from"] == "client":
            return self._warm(intent, *self._world.warm_up(pods))
        return self._loop.answer("pods", pods=pods, port=self._world.service["pod"]["port"], warm_up=self._world.service["warm_up"])

    def _warm(self, intent, verdict, why):
        self._loop.say(verdict, why)
        self._outcome(intent, verdict, why, kept=verdict == PASS)
        return SOON if verdict == PASS else SHORT

    # gates ----------------------------------------------------------------------------------------------------------------------------

    def _gate(self, intent, seen):
        if not intent["weight"]:
            return self._smoke(intent, seen)
        now, memory = self._now(), self._memory
        verdict, why, gates = self._world.gates.look(intent, self._loop.record["rollout"]["plan"], memory.setdefault("gate", {}), now)
        memory["watched"] = {"intent": intent, "plan": self._loop.record["rollout"]["plan"]}
        self._loop.say(verdict or INCONCLUSIVE, why)
        self._noted(intent, seen, gate=intent["name"], verdict=verdict or INCONCLUSIVE, why=why, gates=gates, end=now >= intent["until"],
                    measured=self._world.gates.shares(max(0, now - intent["since"])))
        if verdict is None:
            return SOON
        if verdict == FAIL or now >= intent["until"]:
            self._outcome(intent, verdict, why)
            # A rollout that is paused passes no gate: there is no hurry.
            return 0 if verdict == FAIL or not intent["paused"] else self._loop.interval
        return min(self._loop.interval, max(SOON, intent["until"] - now))

    def _smoke(self, intent, seen):
        smoke, outcome = self._world.service["smoke"], self._memory.get("outcome") or {}
        if outcome.get("kept") and outcome["generation"] == intent["generation"]:
            return SHORT
        self._noted(intent, seen, gate=intent["name"], verdict=INCONCLUSIVE, why=intent["awaits"] or "it runs", gates=[], end=False, measured={})
        if not smoke:
            return self._pods(intent)
        if (self._memory.get("smoked") or {}).get("generation") == intent["generation"] and self._now() - self._memory["smoked"]["at"] < AGAIN:
            return SHORT
        pods = self._world.pods(intent["release"], self._loop.record["releases"])
        port = self._world.service["pod"]["port"]
        more = {"ROLLOUT_RELEASE": intent["release"], "ROLLOUT_STABLE": intent["stable"], "ROLLOUT_WEIGHT": "0", "ROLLOUT_STEP": intent["name"],
                "ROLLOUT_PODS": ",".join("%s:%d" % (pod["address"], port) for pod in pods),
                "ROLLOUT_TESTER_HEADER": self._world.service["balancer"].get("tester_header") or ""}
        done = self._world.probes.look("smoke", smoke["argv"], smoke.get("timeout", wishes.PROBE_TIMEOUT), more)
        if done is None:
            return SOON
        self._memory["smoked"] = {"generation": intent["generation"], "at": self._now()}
        verdict, why = done
        self._noted(intent, seen, gate=intent["name"], verdict=verdict, why=why, end=True, measured={},
                    gates=[{"name": "smoke", "kind": "probe", "verdict": verdict, "reasons": [why]}])
        self._loop.say(verdict, why)
        self._outcome(intent, verdict, why, kept=verdict == PASS)
        return SOON
