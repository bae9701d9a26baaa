# Copyright (c) 2026, ironrack.cluster contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Blue-green with an undo while the old release is kept warm, and a rolling rollout by zones, under clients and streams."""
from __future__ import annotations

import time
from collections import namedtuple

from ..common import NotProved, say
from . import runs, service, up, verdicts
from .load import Load
from .size import chosen

#: Seconds that the old release is kept where an undo is to come meanwhile.
WARM = 300
AFTER = 5
#: Requests a second, at most, while rollouts go there and back, and the seconds that their clients wait for an answer. Two playbooks and six pods
#: that start share the clients' two cores then: with 200 a second 11 of 105,880 answers took longer than the 6 s of other steps, all of them of the old
#: release 3 to 10 s after an undo had given it the traffic, while all pods were slow; with 120 as well 5 of 36,000. What is proved is that no request
#: is lost; how long the slowest took is told.
BESIDE_UNDO, PATIENCE = 120, 30

#: A rollout and its undo: moments of its command, of the undo's command and of its end; seconds of the undo; how the rollout's own run ended.
Round = namedtuple("Round", "begun asked ended undo status")


def release_blue_green(inventory):
    """All of the traffic changes at once and back at once, as often as the requests last, and nobody loses anything by either."""
    size = chosen()
    stable, candidate = service.next_release()
    description = service.described(inventory)
    started, rounds = time.monotonic(), []
    with Load(inventory, description["balancer"]["port"], min(size.rate, BESIDE_UNDO), streams=size.streams + 10, patience=PATIENCE) as load:
        load.warm(size.streams)
        while not rounds or len(load.answers) < size.undone:
            if time.monotonic() - started > size.seconds:
                raise NotProved("after %d s and %d rounds there were %d requests, and %d are needed" % (
                    size.seconds, len(rounds), len(load.answers), size.undone))
            rounds.append(there_and_back(inventory, candidate, {"lab_watch": size.soak, "lab_keep": WARM}))
            time.sleep(AFTER)
    names, samples = list(load.balancers), load.samples
    seen = verdicts.switches(samples, names)
    problems, there, back = [], [], []
    for one in rounds:
        # What matters of all the generations: those by which the candidate got and lost its traffic.
        switch = next((switch for switch in seen if one.begun <= switch.begun <= one.ended and switch.weights.get(candidate) == 100), None)
        _first, gone = verdicts.traffic_of([sample for sample in samples if one.begun <= sample.at <= one.ended], candidate, names)
        problems.append([] if switch else ["%s never had all of the traffic in one of the rounds" % candidate])
        problems.append([] if gone else ["%s still has traffic after an undo" % candidate])
        there += [(switch.ended - one.begun, switch.ended - switch.begun)] if switch else []
        back += [gone - one.asked] if gone else []
    service.keep("blue-green", {"requests": load.summary(), "switches": [one._asdict() for one in seen], "rounds": [one._asdict() for one in rounds]})
    service.proved([
        *problems, verdicts.failures(load.answers, size.undone), verdicts.streams_whole(load.streams, [one.begun for one in seen], size.streams),
        [] if any(answer.release == candidate for answer in load.answers) else ["%s answered nobody" % candidate],
        # The undo ends a rollout that is under way by turning it back, or is one of its own.
        verdicts.clean(service.state(inventory), ("promoted", "rolled_back"), stable)], "blue-green")
    took = sorted(answer.finished - answer.issued for answer in load.answers)
    say("release-blue-green: %d times %s to %s and back, at most: from the command to all of the traffic %.0f s, the switch itself %.2f s between the "
        "balancers, promoted after %.0f s; undo while it was kept: %.1f s from the command to the last balancer (%.0f s to its end); %d requests, 0 failed, "
        "99 %% of them in %.1f s and the slowest in %.1f s; %d streams, at least %d open at each of %d changes, all whole" % (
            len(rounds), stable, candidate, max(whole for whole, _switch in there), max(switch for _whole, switch in there),
            max(one.asked - one.begun for one in rounds), max(back), max(one.undo for one in rounds), len(load.answers),
            took[len(took) * 99 // 100], took[-1], len(load.streams), size.streams, len(seen)))


def there_and_back(inventory, candidate, values):
    """Promote a release, and undo that while the old one is kept. :returns: :class:`Round`."""
    begun = time.time()
    with runs.Run(inventory, "rollout_blue_green", "release-blue-green", runs.words(candidate, values)) as run:
        service.until("the promotion of %s" % candidate, runs.LIMIT, lambda: promoted(run))
        asked = time.time()
        undone = runs.well(inventory, "rollout_undo", "release-blue-green-undo", runs.words())
        status = run.wait().status
    return Round(begun, asked, time.time(), undone.seconds, status)


def promoted(run):
    """:returns: whether the rollout that is under way has made its candidate the stable release. :raises NotProved: where its run has ended."""
    if not run.alive():
        raise NotProved("the run ended before: %s" % run.tail())
    rollout = service.record().get("rollout")
    return bool(rollout and rollout["promoted"])


def release_rolling(inventory):
    """Zone by zone, each with the share of the traffic that its pods are."""
    size = chosen()
    stable, candidate = service.next_release()
    description = service.described(inventory)
    with Load(inventory, description["balancer"]["port"], size.rate, streams=size.streams + 10) as load:
        load.warm(size.streams)
        ended = runs.well(inventory, "rollout_rolling", "release-rolling", runs.words(candidate, {"lab_soak": size.soak}))
        time.sleep(AFTER)
    names, samples = list(load.balancers), load.samples
    seen = verdicts.switches(samples, names)
    spread = up.zones(candidate)
    service.keep("rolling", {"requests": load.summary(), "switches": [one._asdict() for one in seen], "zones": spread})
    service.proved([
        verdicts.rise(samples, candidate, names, [33, 66, 100]), verdicts.nobody_back(load.answers, candidate),
        verdicts.failures(load.answers, size.rate * 10), verdicts.streams_whole(load.streams, [one.begun for one in seen], size.streams),
        up.uneven(spread, description["replicas"]), verdicts.clean(service.state(inventory), ("promoted",), candidate)], "rolling")
    say("release-rolling: %s to %s in %.0f s by zones, 33, 66 and 100 %%, pods by zone %s; nobody went back; %d requests, 0 failed; %d streams, at least %d "
        "open at each of %d changes, all whole" % (
            stable, candidate, ended.seconds, spread, len(load.answers), len(load.streams), size.streams, len(seen)))
