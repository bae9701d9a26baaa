# Copyright (c) 2026, ironrack.cluster contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Whether a balancer may serve a service: by what it, the record and the other balancers have. Pure, and the clock is a parameter.

A balancer that has just booted, or that was cut off, may have weights that nobody wants any more. It is held, which means that clients cannot reach
the service on it, until what it runs is known to be what the record says. One that runs is not held for being behind: the record is written before
the balancers are told, so that in each step of a rollout all of them are behind it for a moment. The table of docs/architecture.md is `step`.
"""
from __future__ import annotations

from collections import namedtuple

# What is known of one service. own: the generation that NGINX runs, None where it runs nothing of it; settled: it serves what that generation asks for,
# and does not await addresses; record: a number, NO_RECORD, or None while nobody said; patience: the API had its time to answer; peers: generation
# of each balancer that answered, None where it has nothing of the service; awaited: whether one may still answer.
View = namedtuple("View", ("own", "settled", "record", "patience", "peers", "awaited"))
# What is remembered of one service. held: why, or ""; since: when that began; own: what NGINX ran then; blind: it has been without a word since `since`,
# or LATE where it heard then that it is behind, as in each step of a rollout.
Memory = namedtuple("Memory", ("held", "since", "own", "blind"))

NO_RECORD = "none"
CURRENT, BEHIND, UNKNOWN = "current", "behind", "unknown"
# Whom this balancer hears. HEARD: the API or another balancer. BLIND: none of them, but other hosts of the cluster. ISOLATED: nobody at all.
HEARD, BLIND, ISOLATED = "heard", "blind", "isolated"
LATE = "late"
# Seconds in which whoever has written the record tells a balancer that was there all along.
TELLING = 15.0
# Why it is held.
BOOT, CUT_OFF, STOOD_STILL, OLD = "boot", "cut off", "stood still", "old"
OPEN = Memory("", 0.0, None, False)


def link(silence, witness_silence, limit, witness_limit):
    """:returns: HEARD, BLIND or ISOLATED.

    :param silence: seconds since the API or any other balancer answered.
    :param witness_silence: seconds since any other host answered.
    :param limit: seconds of silence that mean something.
    :param witness_limit: of the other hosts.
    """
    if silence < limit:
        return HEARD
    return BLIND if witness_silence < witness_limit else ISOLATED


def verdict(view):
    """:returns: CURRENT, BEHIND or UNKNOWN.

    The record decides, and whoever is ahead of it: traffic that was moved while no API answered is not on record yet. Where there is no record, or
    the API does not say, the highest generation of the others does.
    """
    own = -1 if view.own is None else view.own
    others = [generation for generation in view.peers if generation is not None]
    if view.record not in (None, NO_RECORD):
        return CURRENT if own >= max([view.record] + others) else BEHIND
    if view.record is None and not view.patience:
        return UNKNOWN
    if others and own < max(others):
        return BEHIND
    if view.awaited:
        return UNKNOWN
    # Without a record nobody was told anything newer. Where the API is silent, silence of the others proves nothing.
    return CURRENT if others or view.record == NO_RECORD else UNKNOWN


def step(memory, view, reach, now, unproved, has_peers):
    """The next state of one service.

    :param memory: a :class:`Memory`.
    :param view: a :class:`View`; of a service that is held, or was without a word, only what was heard since.
    :param reach: HEARD, BLIND or ISOLATED.
    :param now: seconds.
    :param unproved: seconds after which a balancer serves that nobody speaks against.
    :param has_peers: whether there are other balancers at all.
    :returns: :class:`Memory`.
    """
    if memory.held:
        return _held(memory, view, reach, now, unproved, has_peers)
    if reach != HEARD:
        if not has_peers:
            return memory  # there was nobody else who could have been told more
        if reach == ISOLATED:
            return Memory(CUT_OFF, now, view.own, False)
        return memory if memory.blind else Memory("", now, view.own, True)
    found = verdict(view) if memory.blind else UNKNOWN
    if found == BEHIND:
        return _late(memory, view, now)
    return OPEN if found == CURRENT else memory


def _late(memory, view, now):
    """It was without a word and is behind. One that ran all along may only be about to be told; one that was opened unproved is old."""
    if memory.own is None or memory.blind == LATE and now - memory.since >= TELLING:
        return Memory(OLD, now, view.own, False)
    return memory if memory.blind == LATE else Memory("", now, memory.own, LATE)


def _held(memory, view, reach, now, unproved, has_peers):
    if reach == ISOLATED and has_peers:
        # Nobody hears it either, and what it has heard before does not count.
        return Memory(OLD if memory.held == OLD else CUT_OFF, now, memory.own, False)
    found = verdict(view)
    if found == BEHIND:
        return memory._replace(held=OLD)
    if found == CURRENT:
        return OPEN if view.settled else memory
    if memory.own is not None and view.own is not None and view.own > memory.own and view.settled:
        return OPEN  # brought by somebody who had the newest, and nobody who answers knows better
    may_wait_it_out = memory.held in (BOOT, STOOD_STILL) or memory.held == CUT_OFF and reach == HEARD
    if may_wait_it_out and now - memory.since >= unproved:
        return Memory("", now, None, True)
    return memory


def advice(memory, view):
    """:returns: one sentence for a person."""
    if not memory.held:
        if memory.blind == LATE:
            return "serves, and is behind since it hears somebody again: held where nobody tells it within %d s" % TELLING
        return "serves, and has heard nobody for a while: judged as soon as somebody answers" if memory.blind else "serves"
    if verdict(view) == BEHIND or memory.held == OLD:
        known = [view.record] if view.record not in (None, NO_RECORD) else []
        wanted = max(known + [generation for generation in view.peers if generation is not None] or [0])
        return "held: it has generation %s and %s is wanted. A rollout that is under way brings it; where none is, run playbooks/llm_service.yml" % (
            "none" if view.own is None else view.own, wanted)
    if not view.settled and view.own is not None:
        return "held: it awaits the addresses of a release"
    return "held after %s: nobody has said yet what the newest generation is" % (
        {BOOT: "a boot", CUT_OFF: "it was cut off", STOOD_STILL: "it stood still"}[memory.held])


def ports_to_close(services):
    """Which ports are closed, and how.

    :param services: (:class:`Memory`, ports) pairs.
    :returns: (ports that refuse every packet, ports that refuse new connections and let the others wait).
    """
    refused, waiting = set(), set()
    for memory, ports in services:
        if memory.held in (BOOT, OLD):
            refused.update(ports)
        elif memory.held:
            waiting.update(ports)
    return sorted(refused), sorted(waiting - refused)


def keeps_address_away(held, reach, pages):
    """Whether the virtual address is left to others.

    :param held: whether any service is held here.
    :param pages: what each other balancer that answers says of itself: {fit: it is alive, keepalived runs there and it holds nothing back}.
    """
    return bool(held) and (reach == ISOLATED or any(page.get("fit") for page in pages))
