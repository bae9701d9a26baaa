# Copyright (c) 2026, ironrack.cluster contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Blue-green with an undo while the old release is kept warm, and a rolling rollout by zones, under clients and streams."""
from __future__ import annotations

import time

from ..common import NotProved, say
from . import runs, service, up, verdicts
from .load import Load
from .size import chosen

#: Seconds that the old release is kept where an undo is to come meanwhile.
WARM = 300
AFTER = 5


def release_blue_green(inventory):
    """All of the traffic changes at once and back at once, and nobody loses anything by either."""
    size = chosen()
    stable, candidate = service.next_release()
    description = service.described(inventory)
    values = {"lab_watch": size.soak, "lab_keep": WARM}
    with Load(inventory, description["balancer"]["port"], size.rate, streams=size.streams + 10) as load:
        load.warm(size.streams)
        begun = time.time()
        with runs.Run(inventory, "rollout_blue_green", "release-blue-green", runs.words(candidate, values)) as run:
            service.until("the promotion of %s" % candidate, runs.LIMIT, lambda: promoted(run))
            promoted_at = time.time()
            asked = time.time()
            undone = runs.well(inventory, "rollout_undo", "release-blue-green-undo", runs.words())
            ended = run.wait()
        time.sleep(AFTER)
    names, samples = list(load.balancers), load.samples
    seen = verdicts.switches(samples, names)
    # What matters of all the generations: those by which the candidate got and lost its traffic.
    there = next((one for one in seen if one.weights.get(candidate) == 100), None)
    _first, back = verdicts.traffic_of(samples, candidate, names)
    service.keep("blue-green", {"requests": load.summary(), "switches": [one._asdict() for one in seen], "status": ended.status})
    service.proved([
        [] if there else ["%s never had all of the traffic" % candidate],
        [] if back else ["%s still has traffic after the undo" % candidate],
        verdicts.failures(load.answers, size.rate * 10), verdicts.streams_whole(load.streams, [one.begun for one in seen], size.streams),
        [] if any(answer.release == candidate for answer in load.answers) else ["%s answered nobody" % candidate],
        # The undo ends a rollout that is under way by turning it back, or is one of its own.
        verdicts.clean(service.state(inventory), ("promoted", "rolled_back"), stable)], "blue-green")
    say("release-blue-green: %s to %s, from the command to all of the traffic %.0f s, the switch itself %.2f s between the balancers, promoted after %.0f s; "
        "undo while it was kept: %.1f s from the command to the last balancer (%.0f s to its end); %d requests, 0 failed; %d streams, at least %d "
        "open at each of %d changes, all whole" % (
            stable, candidate, there.ended - begun, there.ended - there.begun, promoted_at - begun, back - asked, undone.seconds, len(load.answers),
            len(load.streams), size.streams, len(seen)))


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
