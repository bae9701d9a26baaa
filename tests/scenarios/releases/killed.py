# Copyright (c) 2026, ironrack.cluster contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Whoever drives a rollout is killed while it does this and that, and run again; one that slept past its lock's expiry is refused.

Every boundary of every strategy is gone through without a cluster by tests/unit/plugins/module_utils/test_release_kills.py. Here the real one is killed:
where the record says that an intent is under way, or where one balancer has a generation that the other one has not.
"""
from __future__ import annotations

import datetime
import signal
import time

from ..common import NotProved, say
from . import canary, runs, service, verdicts
from .load import Load
from .size import BETWEEN, chosen

#: Seconds that clocks may differ, which a lock lasts longer than it says.
SKEW = 6
#: What a controller whose time is over is told, by the lock, by the record or by a balancer.
REFUSALS = ("has it no more", "is in other hands", "is older than generation")
#: Intents that are over as soon as they are on record where there is little to do: one that no kill met is told, and no failure.
FLEETING = ("deploy", "wait_ready", "warm_up", "scale_down", "delete")
AFTER = 5
#: Seconds that the lock of a dead run is waited for; at least twice the inventory's look_interval.
LEASE = 45


def apart(latest):
    """:returns: whether the balancers have different generations, all having answered.

    :param latest: {balancer: :class:`.verdicts.Sample`}.
    """
    generations = [sample.generation for sample in latest.values()]
    return None not in generations and len(set(generations)) > 1


def expiry(lease):
    """:returns: when a lock is free for others, in seconds since the epoch; 0 where it is free.

    :param lease: the object of the API, or None.
    """
    if lease is None or not lease.spec.holder_identity or lease.spec.renew_time is None:
        return 0.0
    renewed = lease.spec.renew_time
    if renewed.tzinfo is None:
        renewed = renewed.replace(tzinfo=datetime.timezone.utc)
    return renewed.timestamp() + (lease.spec.lease_duration_seconds or 0) + SKEW


def wait_for_lock():
    """Wait until the lock of a run that was killed has expired. :returns: seconds."""
    begun = time.monotonic()
    service.until("the lock's expiry", 180, lambda: expiry(service.lease()) <= time.time(), 1.0)
    return time.monotonic() - begun


def reached(point, load):
    """:returns: whether the rollout is at a point now. An API that does not answer says nothing."""
    if point == BETWEEN:
        return apart(load.latest())
    try:
        return service.doing(service.record()) == point
    except service.Unanswered:
        return False


def killed_at(inventory, playbook, words, point, record, load):
    """Run a playbook and kill it where a point is seen.

    :returns: whether it was killed there; not where the rollout went past it, or ended.
    """
    # One balancer after the other, so that there is a time between the two.
    with runs.Run(inventory, playbook, record, words, 1 if point == BETWEEN else None) as run:
        begun = time.monotonic()
        while run.alive():
            if time.monotonic() - begun > runs.LIMIT:
                raise NotProved("%s: after %d s the run still goes on and was never at %r: %s" % (record, runs.LIMIT, point, run.tail()))
            if reached(point, load):
                run.kill()
                return True
            time.sleep(0.02 if point == BETWEEN else 0.1)
        return False


def chain(inventory, size, playbook, points, port):
    """One rollout, killed at one point after the other and run again each time, under clients.

    :returns: a sentence. :raises NotProved: where a request failed, or the end is not that of a rollout.
    """
    stable, candidate = service.next_release()
    words = runs.words(candidate, {"lab_soak": size.soak, "rollout_lease_seconds": LEASE})
    hits, missed, waited = [], [], 0.0
    with Load(inventory, port, size.rate / 2) as load:
        load.warm()
        for number, point in enumerate(points, 1):
            if killed_at(inventory, playbook, words, point, "release-killed-%s-%02d" % (playbook, number), load):
                hits.append(point)
                waited += wait_for_lock()
            else:
                missed.append(point)
        ended = runs.to_end(inventory, playbook, "release-killed-%s-end" % playbook, words)
        time.sleep(AFTER)
    now = service.state(inventory)
    result, why = runs.last_result()
    must = [point for point in missed if point not in FLEETING]
    service.keep("killed-" + playbook, {"requests": load.summary(), "hits": hits, "missed": missed, "result": result, "why": why, "status": ended.status})
    service.proved([
        ["no kill met: %s" % ", ".join(must)] if must or not hits else [], verdicts.failures(load.answers, size.rate * 10), verdicts.clean(now),
    ], "%s, killed" % playbook)
    return "%s of %s to %s killed at %d points (%s)%s, %.0f s of waiting for its lock, and run again: %s; %d requests, 0 failed" % (
        playbook, stable, candidate, len(hits), ", ".join(hits), ", not met: %s" % ", ".join(missed) if missed else "", waited, result, len(load.answers))


def release_killed(inventory):
    """Each run again ends promoted or in a clean way back, and no request fails."""
    size = chosen()
    port = service.described(inventory)["balancer"]["port"]
    lines = [chain(inventory, size, "rollout_canary", size.kills, port)]
    if size.name == "long":
        lines.append(chain(inventory, size, "rollout_blue_green", ("add_upstream", BETWEEN, "promote", "remove_upstream"), port))
        lines.append(chain(inventory, size, "rollout_rolling", (BETWEEN, "gate", "promote"), port))
    say("release-killed: %s" % "; ".join(lines))


def release_stopped(inventory):
    """A second controller is refused while the first one drives, and takes over from one that sleeps; who wakes up after that is refused."""
    size = chosen()
    stable, candidate = service.next_release()
    port = service.described(inventory)["balancer"]["port"]
    words = runs.words(candidate, {"lab_soak": 60, "rollout_lease_seconds": LEASE})
    with Load(inventory, port, size.rate / 2) as load:
        load.warm()
        with runs.Run(inventory, "rollout_canary", "release-stopped-first", words) as first:
            service.until("a gate of the rollout", runs.LIMIT, lambda: _at_gate(first))
            canary.refused(inventory, "release-stopped-second", [*words, "-e", "rollout_lock_wait=0"], ["has held the lock"])
            first.signal(signal.SIGSTOP)
            fence, begun = service.lease().spec.lease_transitions, time.monotonic()
            wait_for_lock()
            asleep = time.monotonic() - begun
            with runs.Run(inventory, "rollout_canary", "release-stopped-third", words) as third:
                service.until("a new tenure of the lock", 120, lambda: service.lease().spec.lease_transitions > fence)
                first.signal(signal.SIGCONT)
                late = first.wait(180)
                ended = third.wait()
        time.sleep(AFTER)
    said = next((line.strip() for line in late.text.splitlines() if any(word in line for word in REFUSALS)), "")
    service.keep("stopped", {"requests": load.summary(), "late": late.status, "said": said, "status": ended.status})
    service.proved([
        [] if late.status and said else ["the run that slept ended with status %d and was not refused: %s" % (late.status, late.text[-1500:])],
        ["the run that took over ended with status %d: %s" % (ended.status, ended.text[-1500:])] if ended.status else [],
        verdicts.failures(load.answers, size.rate * 10), verdicts.clean(service.state(inventory), ("promoted",), candidate)], "a controller that slept")
    say("release-stopped: a second controller was refused and told who holds the lock; the first one slept for %.0f s (SIGSTOP), another one took over %s to "
        "%s, and the first was refused when it went on; %d requests, 0 failed" % (asleep, stable, candidate, len(load.answers)))


def _at_gate(run):
    if not run.alive():
        raise NotProved("the run ended before its first gate: %s" % run.tail())
    return service.doing(service.record()) == "gate"
