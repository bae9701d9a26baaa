# Copyright (c) 2026, ironrack.cluster contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""One look at the gates of a step: what Prometheus measures, what commands say, whether a person is asked.

This is a private module_utils package: it may change in any release.
"""
from __future__ import annotations

import os

from .._common.errors import IronrackError
from .._health.verdict import overall
from .._release.observation import FAIL, INCONCLUSIVE, PASS
from .._release.plan import GATE, SMOKE
from .._slo import judging
from .._slo.counters import RESET
from .._slo.prometheus import Prometheus, selector
from . import wishes


def looks_of(plan, interval):
    """:returns: how many times a rollout means to judge, extensions included. Pure.

    :param plan: of the record.
    :param interval: seconds between two looks.
    """
    total = 0
    for op in plan["forward"]:
        if op["kind"] == GATE:
            # One look more at the end of each time, and one for a run that was killed.
            total += (plan["extensions"] + 1) * (-(-(op["soak"] or SMOKE) // interval) + 2)
    return max(1, total)


def baseline_of(intent):
    """:returns: the release that runs beside the candidate and is asked at the same time; empty where it has no traffic any more. Pure."""
    return intent["stable"] if intent["weight"] < 100 else ""


def compact(gate):
    """:returns: of a judged gate what a report shows. Pure."""
    kept = ("name", "kind", "verdict", "reasons", "candidate", "baseline", "limit", "fail_limit", "bound", "upper_bound", "requests_needed", "value", "at_most",
            "fail_over", "at_least", "fail_under")
    return {name: gate[name] for name in kept if gate.get(name) is not None}


def told(gates):
    """:returns: the reasons of judged gates in words, the worst first. Pure."""
    order = {FAIL: 0, INCONCLUSIVE: 1, PASS: 2}
    return "; ".join("%s: %s" % (gate["name"], ", ".join(gate["reasons"])) for gate in sorted(gates, key=lambda gate: order[gate["verdict"]]))


class Gatekeeper:
    """Judges the candidate of one service.

    :param service: a complete description.
    :param probes: the :class:`.probes.Probes`.
    :param judge: called with the parameters of metric_gate.
    :param prometheus: called with the connection, returns a client.
    """

    def __init__(self, service, probes, judge=judging.judge, prometheus=Prometheus):
        self._service, self._probes, self._judge, self._prometheus = service, probes, judge, prometheus
        self.connection = wishes.connection(service)
        if self.connection:
            files = {name: os.path.expanduser(self.connection[name]) for name in ("ca_file", "token_file", "password_file") if self.connection[name]}
            self.connection.update(files)

    def look(self, intent, plan, memory, now):
        """Look once.

        :param intent: a gate, or one that was begun; at its end a pass may be.
        :param plan: of the record.
        :param memory: what is kept between two looks, changed in place.
        :param now: seconds since 1970.
        :returns: (verdict, why, the judged gates); a verdict of None where a command still runs.
        """
        if memory.get("generation") != intent["generation"]:
            memory.clear()
            memory.update(generation=intent["generation"], since=None, probes={})
        at_end = now >= intent["until"]
        found, running = self._metrics(intent, plan, memory, now, at_end), False
        for gate in wishes.of_kind(self._service["gates"], wishes.PROBE):
            if _counts(gate, intent):
                one, runs = self._probe(gate, intent, memory, now, at_end)
                found.append(one)
                running = running or runs
        found += [_approval(gate) for gate in wishes.of_kind(self._service["gates"], wishes.APPROVAL) if _counts(gate, intent)]
        if not found:
            return INCONCLUSIVE, "no gate counts at %d %%" % intent["weight"], []
        verdict = overall(found)
        return None if running and verdict != FAIL else verdict, told(found), [compact(one) for one in found]

    def _metrics(self, intent, plan, memory, now, at_end):
        gates = wishes.metric_gates(self._service["gates"])
        if not gates:
            return []
        if not self.connection:
            return [{"name": "metrics", "kind": "query", "verdict": INCONCLUSIVE, "reasons": ["the description names no Prometheus any more"]}]
        if memory["since"] is None:
            memory["since"] = self._begin(now - intent["since"])
        interval = self._service["look_interval"]
        try:
            result = self._judge(dict(
                self.connection, service=self._service["name"], release=intent["release"], baseline=baseline_of(intent), since=memory["since"],
                looks=looks_of(plan, interval), end_of_step=at_end, gates=gates))
        except (IronrackError, OSError) as error:
            # What was good at the beginning and is no more, such as a password's file: nobody knows, and the rollout is driven on.
            return [{"name": gate["name"], "kind": gate["kind"], "verdict": INCONCLUSIVE, "reasons": [str(error)[:500]]} for gate in gates]
        if result["time"] is not None and any(RESET in reason for one in result["gates"] for reason in one["reasons"]):
            memory["since"] = result["time"]
        return result["gates"]

    def _begin(self, elapsed):
        """:returns: when the step began by the clock of Prometheus, from what has passed since by ours; None where it does not answer."""
        try:
            return self._prometheus(self.connection).clock() - max(0.0, elapsed)
        except (IronrackError, OSError):
            return None

    def _probe(self, gate, intent, memory, now, at_end):
        """:returns: (the judged gate, whether its command runs)."""
        last = memory["probes"].get(gate["name"])
        every = gate.get("every", wishes.PROBE_EVERY)
        due = last is None or last.get("runs") or now - last["began"] >= every or at_end and last["began"] < intent["until"]
        if due:
            began = last["began"] if last and last.get("runs") else now
            done = self._probes.look(gate["name"], gate["argv"], gate.get("timeout", wishes.PROBE_TIMEOUT), environment(intent))
            if done is None:
                known = {name: last[name] for name in ("verdict", "why") if name in last} if last else {}
                memory["probes"][gate["name"]] = last = dict(known, began=began, runs=True)
            else:
                memory["probes"][gate["name"]] = last = {"began": began, "runs": False, "verdict": done[0], "why": done[1]}
        verdict, why = last.get("verdict", INCONCLUSIVE), last.get("why", "it runs")
        if verdict == PASS and (not at_end or last["began"] < intent["until"]):
            verdict, why = INCONCLUSIVE, "the step is not over: %s" % why
        return {"name": gate["name"], "kind": gate["kind"], "verdict": verdict, "reasons": [why]}, bool(last.get("runs"))

    def forget_running(self, memory):
        """A command that was ended with its process is started anew."""
        for name, last in list((memory.get("probes") or {}).items()):
            if last.get("runs"):
                del memory["probes"][name]

    def shares(self, seconds):
        """:returns: release -> percent of the tries that balancers counted in the last seconds; {} where nobody knows."""
        counters = [gate["metric"] for gate in wishes.of_kind(self._service["gates"], "errors") if gate.get("metric")]
        if not counters or not self.connection:
            return {}
        query = "sum by (release) (increase(%s[%ds]))" % (selector(counters[0], {"service": self._service["name"]}), max(15, int(seconds)))
        try:
            kind, rows = self._prometheus(self.connection).query(query)
        except (IronrackError, OSError):
            return {}
        counts = {labels.get("release", ""): number for labels, number in rows if number > 0} if kind == "vector" else {}
        total = sum(counts.values())
        return {release: round(100.0 * number / total, 2) for release, number in sorted(counts.items())} if total else {}


def environment(intent):
    """:returns: what a command is told of the step, as environment variables. Pure."""
    return {"ROLLOUT_RELEASE": intent["release"], "ROLLOUT_STABLE": intent["stable"], "ROLLOUT_WEIGHT": str(intent["weight"]),
            "ROLLOUT_STEP": intent["name"]}


def _counts(gate, intent):
    return not gate.get("at") or intent["weight"] in gate["at"]


def _approval(gate):
    return {"name": gate["name"], "kind": gate["kind"], "verdict": INCONCLUSIVE, "reasons": ["a person has to agree: run rollout_promote"]}
