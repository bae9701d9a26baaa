# Copyright (c) 2026, ironrack.cluster contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A balancer, or the API, is away while a rollout is aborted: the traffic moves all the same, and whoever comes back serves nothing old. A worker's host
is lost under a canary, which is not to blame.
"""
from __future__ import annotations

import datetime
import time

from ...traffic import tally
from ..common import NotProved, hosts_of, say
from ..operate import AWAY, lab, wait_ready
from . import runs, service, verdicts
from .load import Load
from .size import chosen

#: The weight at which the fault comes, so that old weights would be seen at once.
HALF = {"lab_steps": [50, 100], "lab_soak": 600}
MOVE_WITHIN, BACK_WITHIN, LEAST = 180, 240, 200
#: Seconds that a balancer which is back is left to itself.
HELD = 30
AFTER = 5
#: Seconds from a host's end in which requests and streams may be lost with it.
SUFFER = 15.0


def half(inventory, candidate, record, load):
    """:returns: a run of a canary that stands at 50 %. :raises NotProved: where it does not get there."""
    run = runs.Run(inventory, "rollout_canary", record, runs.words(candidate, HALF))
    try:
        service.until("50 % on every balancer", runs.LIMIT, lambda: _alive(run) and set(load.weights(candidate).values()) == {50})
    except BaseException:
        run.kill()
        raise
    return run


def _alive(run):
    if not run.alive():
        raise NotProved("the run ended before: %s" % run.tail())
    return True


def finish(inventory, record):
    """Have what a fault left under way brought to its end, as its operator would: the same abort once more."""
    if service.until("an answer of the API", 180, lambda: service.record() or None)["rollout"]:
        runs.to_end(inventory, "rollout_abort", record, runs.words(), 300)
        service.until("the end of the rollout", 120, lambda: not service.record()["rollout"])


def back(inventory, name, late, drivers):
    """Wait until a balancer that has power again answers clients. Whoever drives the way back brings it the traffic; where nobody does, an operator.

    :param drivers: the runs that may.
    :returns: who brought it, in words. :raises NotProved: where it never answers.
    """
    def answers():
        return sum(1 for answer in list(late.answers) if answer.release) >= LEAST

    begun = quiet = time.monotonic()
    while time.monotonic() < min(begun + BACK_WITHIN, quiet + HELD):
        if answers():
            return "the way back that was still under way"
        if any(driver.alive() for driver in drivers):
            quiet = time.monotonic()
        time.sleep(1)
    # Until then each step of the way back has a newer generation than the record that is read here.
    service.until("the end of the way back", BACK_WITHIN, lambda: not service.record()["rollout"])
    runs.well(inventory, "llm_service", "release-balancer-away-brought", runs.words(override=None))
    service.until("%d answers of %s" % (LEAST, name), BACK_WITHIN, answers)
    return "llm_service.yml, until which it was held"


def release_balancer_away(inventory):
    """A balancer loses its power at 50 %, the rollout is aborted without it, and it comes back: by itself it may not serve what it served."""
    size = chosen()
    stable, candidate = service.next_release()
    port = service.described(inventory)["balancer"]["port"]
    here, away = sorted(service.balancers(inventory))[:2]
    with Load(inventory, port, size.rate / 2, only=(here,)) as steady:
        steady.warm()
        with half(inventory, candidate, "release-balancer-away", steady) as run:
            started = None
            try:
                lab(inventory, "kill", away)
                asked = time.time()
                # The way back may wait for the balancer that is away: it is not what is waited for here.
                with runs.Run(inventory, "rollout_abort", "release-balancer-away-abort", runs.words()) as abort:
                    service.until("weight 0 on %s" % here, MOVE_WITHIN, lambda: steady.weights(candidate)[here] == 0)
                    moved = verdicts.weights_of(steady.samples, candidate, here)[-1][0]
                    # These clients ask the balancer that is away at its own address, from before it has power again.
                    with Load(inventory, port, 50, only=(away,)) as late:
                        started = time.time()
                        lab(inventory, "start", away)
                        brought = back(inventory, away, late, (abort, run))
                        time.sleep(AFTER)
                    aborted = abort.wait()
            finally:
                if started is None:
                    lab(inventory, "start", away)
            ended = run.wait()
        finish(inventory, "release-balancer-away-finish")
        time.sleep(AFTER)
    first = min((answer.finished for answer in late.answers if answer.release), default=started)
    service.keep("balancer-away", {"steady": steady.summary(), "late": late.summary(), "abort": aborted.status, "rollout": ended.status})
    service.proved([
        verdicts.only(late.answers, stable, started, LEAST), verdicts.failures(steady.answers, size.rate * 10),
        verdicts.clean(service.state(inventory), ("rolled_back",), stable)], "a balancer away")
    say("release-balancer-away: %s lost its power at 50 %%; the abort had moved the traffic %.1f s after its command; back with power, %s answered "
        "after %.0f s, brought there by %s, and %d of %d answers at its own address were %s's; at %s %d requests, 0 failed" % (
            away, moved - asked, away, first - started, brought, sum(1 for answer in late.answers if answer.release == stable),
            sum(1 for answer in late.answers if answer.release), stable, here, len(steady.answers)))


def release_api_down(inventory):
    """Every control plane loses its power; an abort moves the traffic all the same, and the record follows when they are back."""
    size = chosen()
    stable, candidate = service.next_release()
    port = service.described(inventory)["balancer"]["port"]
    planes = sorted(name for name, entry in hosts_of(inventory).items() if "control_plane" in entry["groups"])
    off, unanswered = [], ""
    with Load(inventory, port, size.rate / 2) as load:
        load.warm()
        with half(inventory, candidate, "release-api-down", load) as run:
            try:
                for plane in planes:
                    lab(inventory, "kill", plane)
                    off.append(plane)
                try:
                    service.record()
                except service.Unanswered as silence:
                    unanswered = str(silence)
                else:
                    raise NotProved("the API answers although %s have no power: nothing would be proved" % ", ".join(planes))
                asked = time.time()
                with runs.Run(inventory, "rollout_abort", "release-api-down-abort", runs.words()) as abort:
                    service.until("weight 0 on every balancer", MOVE_WITHIN, lambda: set(load.weights(candidate).values()) == {0})
                    _begun, moved = verdicts.traffic_of(load.samples, candidate, list(load.balancers))
                    _back(inventory, off)
                    aborted = abort.wait()
            finally:
                _back(inventory, off)
            service.until("an answer of the API", 180, service.record)
            ended = run.wait()
        finish(inventory, "release-api-down-finish")
        time.sleep(AFTER)
    service.keep("api-down", {"requests": load.summary(), "abort": aborted.status, "rollout": ended.status, "silence": unanswered})
    service.proved([verdicts.failures(load.answers, size.rate * 10), verdicts.clean(service.state(inventory), ("rolled_back",), stable)], "no API")
    say("release-api-down: with %s off (%s) the abort had moved the traffic %.1f s after its command; when the API was back the record ended as rolled "
        "back; %d requests, 0 failed" % (", ".join(planes), unanswered, moved - asked, len(load.answers)))


def _moment(entry):
    """:returns: when something was written into the history, in seconds since the epoch."""
    return datetime.datetime.fromisoformat(entry["when"].replace("Z", "+00:00")).timestamp()


def _back(inventory, off):
    """Give hosts their power back, each once."""
    while off:
        lab(inventory, "start", off.pop())


def release_host_killed(inventory):
    """A worker's host with pods of both releases loses its power at a gate: both suffer alike, and the good canary goes on to its end."""
    size = chosen()
    stable, candidate = service.next_release()
    port = service.described(inventory)["balancer"]["port"]
    # Half of the traffic and as many pods: what is lost with the host is the same share of both, as the promise says.
    words = runs.words(candidate, {"lab_steps": [50, 100], "lab_soak": 60, "lab_ready_timeout": 300})
    with Load(inventory, port, size.rate, streams=size.streams) as load:
        load.warm(size.streams // 2)
        with runs.Run(inventory, "rollout_canary", "release-host-killed", words) as run:
            service.until("a gate of the rollout", runs.LIMIT, lambda: _alive(run) and service.doing(service.record()) == "gate")
            both = {pod.spec.node_name for pod in service.pods(candidate)} & {pod.spec.node_name for pod in service.pods(stable)}
            if not both:
                raise NotProved("no host has pods of both releases")
            worker = min(both)
            killed = time.time()
            lab(inventory, "kill", worker)
            time.sleep(AWAY)
            lab(inventory, "start", worker)
            wait_ready(worker, 180)
            ended = run.wait()
        time.sleep(AFTER)
    excused = [(killed - 1, killed + SUFFER)]
    lost = [one for one in [*load.answers, *load.streams] if one.error and verdicts.within(one, excused)]
    cut = [stream for stream in load.streams if stream.end != tally.COMPLETE and not verdicts.within(stream, excused)]
    blamed = [entry for entry in service.record()["history"] if entry["what"].startswith("roll back") and _moment(entry) >= killed - 1]
    service.keep("host-killed", {"requests": load.summary(), "lost": len(lost), "status": ended.status, "blamed": blamed})
    service.proved([
        ["the canary was blamed: %s" % entry.get("why") for entry in blamed],
        ["%d streams were lost later than with the host, as %s" % (len(cut), cut[0])] if cut else [], verdicts.failures(load.answers, size.rate * 10, excused),
        verdicts.clean(service.state(inventory), ("promoted",), candidate)], "a lost host")
    say("release-host-killed: %s lost its power for %d s at a gate, with pods of both releases; %s was not blamed and took over in %.0f s; %d requests, "
        "lost with the host %d requests and %d streams, else 0" % (
            worker, AWAY, candidate, ended.seconds, len(load.answers), sum(1 for one in lost if isinstance(one, tally.Answer)),
            sum(1 for one in lost if isinstance(one, tally.Stream))))
