# Copyright (c) 2026, ironrack.cluster contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Canaries under clients: a good one reaches 100 % by itself, spoiled ones are turned back, and the clients say how fast and at what price."""
from __future__ import annotations

import time
from collections import namedtuple

from ..common import NotProved, say
from . import runs, service, verdicts
from .load import Load
from .size import chosen, soak_for

#: A spoiled release: within: whether errors or latency can show it, so that it has to lose its weight in two looks and WITHIN seconds.
#: workers: connections of the clients; a request that is slow or hangs holds one for seconds. values: of the inventory's lab_ variables.
Spoiled = namedtuple("Spoiled", "release within workers values weighted", defaults=({}, True))
SPOILED = {
    "errors": Spoiled("bad-errors", True, 72),
    "slow": Spoiled("bad-slow", True, 120),
    "hanging": Spoiled("bad-hanging", True, 160),
    "dying": Spoiled("bad-dying", False, 24),
    # It never gets ready, and so never any traffic: it is turned back when its time is over.
    "unready": Spoiled("bad-unready", False, 24, {"lab_ready_timeout": 75}, False),
    "leaking": Spoiled("bad-leaking", False, 24, {"lab_steps": [5, 100], "lab_soak": 150}),
}
INTERVAL, WITHIN, LEAST_AN_INTERVAL = 10, 10, 125
#: Requests a second, of which the first step's share is what the promise is about, with half as many more.
RATE = 380
FIRST_STEP = 5
#: Seconds of requests after a rollout, which show that its end cost nobody anything.
AFTER = 5


def release_canary_good(inventory):
    """It goes through all its steps by itself, each of its shares is what was asked for, and nobody goes back."""
    size = chosen()
    stable, candidate = service.next_release()
    description = service.described(inventory)
    wanted = description["rollout"]["steps"]
    with Load(inventory, description["balancer"]["port"], size.rate, streams=size.streams + 10) as load:
        load.warm(size.streams)
        time.sleep(5)
        soak = soak_for(size.share_requests, load.rate(), size.soak)
        ended = runs.well(inventory, "rollout_canary", "release-canary-good", runs.words(candidate, {"lab_soak": soak}), limit=runs.LIMIT + len(wanted) * soak)
        time.sleep(AFTER)
    names, samples = list(load.balancers), load.samples
    found = verdicts.steps(samples, candidate, names)
    problems, parts = verdicts.shares(load.answers, candidate, found, size.share_requests)
    seen = verdicts.switches(samples, names)
    service.keep("canary-good", {"requests": load.summary(), "shares": parts, "switches": [one._asdict() for one in seen], "seconds": ended.seconds})
    service.proved([
        verdicts.rise(samples, candidate, names, wanted), problems, verdicts.nobody_back(load.answers, candidate),
        verdicts.failures(load.answers, size.share_requests * len(wanted)),
        verdicts.streams_whole(load.streams, [one.begun for one in seen], size.streams),
        verdicts.clean(service.state(inventory), ("promoted",), candidate)], "the good canary")
    say("release-canary-good: %s to %s in %.0f s by itself; %s; nobody went back; %d requests, 0 failed; %d streams, at least %d open at each of %d "
        "changes, all whole" % (stable, candidate, ended.seconds, "; ".join(
            "%d %%: %.2f %% of %d requests of %d keys" % (part["weight"], part["percent"], part["answered"], part["keys"]) for part in parts),
            len(load.answers), len(load.streams), size.streams, len(seen)))


def release_canary_bad(inventory):
    """Every kind of spoiled release is turned back."""
    size = chosen()
    for kind in size.faults:
        turned_back(inventory, size, kind)


def turned_back(inventory, size, kind):
    """One of them. :raises NotProved: where it got through, cost more than its share, or was noticed too late."""
    spoiled = SPOILED[kind]
    stable = service.stable()
    values = dict({"lab_look_interval": INTERVAL}, **spoiled.values)
    description = service.described(inventory, values)
    rollouts = service.record().get("rollouts", 0)
    with Load(inventory, description["balancer"]["port"], RATE, spoiled.workers) as load:
        load.warm()
        ended = runs.to_end(inventory, "rollout_canary", "release-canary-bad-" + kind, runs.words(spoiled.release, values))
        time.sleep(AFTER)
    names, answers = list(load.balancers), load.answers
    begun, over = verdicts.traffic_of(load.samples, spoiled.release, names)
    result, why = runs.last_result()
    figures = {"requests": load.summary(), "begun": begun, "over": over, "result": result, "why": why, "seconds": ended.seconds, "status": ended.status}
    service.keep("canary-bad-" + kind, figures)
    problems = [verdicts.clean(service.state(inventory), ("rolled_back",), stable),
                ["release %s is still there" % spoiled.release] if spoiled.release in service.deployments() else [],
                [] if ended.status else ["the run ended well although its release was turned back"],
                [] if service.record().get("rollouts", 0) == rollouts + 1 else ["no rollout began: %s" % ended.text[-1500:]]]
    if not spoiled.weighted:
        problems += [["%s got traffic and never was ready" % spoiled.release] if begun else [], verdicts.failures(answers, 100)]
        service.proved(problems, "the %s canary" % kind)
        say("release-canary-bad, %s: turned back in %.0f s without any traffic (%s); %d requests, 0 failed" % (kind, ended.seconds, why, len(answers)))
        return
    limit = 2 * INTERVAL + WITHIN if spoiled.within else None
    problems.append(verdicts.turned_back(load.samples, spoiled.release, names, limit))
    service.proved(problems, "the %s canary" % kind)
    most = max(percent for name in names for _moment, percent in verdicts.weights_of(load.samples, spoiled.release, name))
    asked = verdicts.candidate_requests(answers, spoiled.release, begun, over)
    failed = sum(1 for answer in answers if answer.error)
    problems = [verdicts.blame(answers, begun, over, most)]
    if spoiled.within:
        problems += [["its weight was %d %%, and %d %% is what is promised about" % (most, FIRST_STEP)] if most != FIRST_STEP else [],
                     too_few(asked, over - begun)]
    service.proved(problems, "the %s canary" % kind)
    say("release-canary-bad, %s: weight 0 on both balancers %.1f s after its first weight%s; %d of %d requests failed meanwhile, its share of %d %% allows "
        "%d; it got %d requests, none failed before and after (%s)" % (
            kind, over - begun, " (at most %d s)" % limit if limit else "", failed, _during(answers, begun, over), most,
            (most + verdicts.POINTS) / 100 * _during(answers, begun, over), asked, why))


def _during(answers, begun, over):
    return sum(1 for answer in answers if begun <= answer.issued <= over + verdicts.SETTLE)


def too_few(asked, seconds):
    """Whether a candidate got as many requests an interval as the promise is about."""
    intervals = max(1.0, seconds / INTERVAL)
    if asked >= LEAST_AN_INTERVAL * intervals:
        return []
    return ["it got %d requests in %.1f s, and the promise is about %d in each %d s: the clients were too slow" % (asked, seconds, LEAST_AN_INTERVAL, INTERVAL)]


def refused(inventory, record, words, parts):
    """A rollout that does not begin. :returns: what it said. :raises NotProved: where it begins, or does not say why."""
    before = service.record().get("rollouts", 0)
    ended = runs.to_end(inventory, "rollout_canary", record, words)
    text = " ".join(ended.text.split())
    if not ended.status or service.record().get("rollouts", 0) != before:
        raise NotProved("%s: the rollout began" % record)
    missing = [part for part in parts if part not in text]
    if missing:
        raise NotProved("%s: refused, and it does not say %s:\n%s" % (record, " nor ".join(missing), ended.text[-3000:]))
    return text
