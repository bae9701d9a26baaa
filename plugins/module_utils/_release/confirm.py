# Copyright (c) 2026, ironrack.cluster contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Whether an operation is carried out, by what is seen and never by what somebody meant to do. Pure.

This is a private module_utils package: it may change in any release.
"""
from __future__ import annotations

from collections import namedtuple

from . import traffic as split
from .observation import FAIL, INCONCLUSIVE, PASS
from .plan import ADD_UPSTREAM, DELETE, DEPLOY, GATE, KEEP, SCALE_DOWN, SET_WEIGHT, TRAFFIC, WAIT_READY, WARM_UP

#: EXTENDED: a gate needs more time, and gets it.
DONE, WAIT, FAILED, EXTENDED = "done", "wait", "failed", "extended"
Judgement = namedtuple("Judgement", ("state", "why"))


def lacks(op, generation, traffic, seen):
    """What is not yet as an operation wants it.

    :param generation: of its intent.
    :param traffic: the traffic on record.
    :param seen: the :class:`.observation.Observation`.
    :returns: sentences; none where it is carried out.
    """
    kind, release = op["kind"], op["release"]
    if kind in TRAFFIC:
        return split.lacking(traffic, seen, release if kind == ADD_UPSTREAM or kind == SET_WEIGHT else None)
    if kind == WARM_UP:
        verdict, why = seen.verdict(generation)
        return [] if verdict == PASS else ["not known to be warm%s" % (": " + why if why else "")]
    if seen.there(release) is None:
        return ["the API did not say what there is of %s" % release]
    return _pods_lack(op, generation, seen)


def _pods_lack(op, generation, seen):
    kind, release = op["kind"], op["release"]
    if kind == DELETE:
        return ["%s is still there" % release] if seen.there(release) else []
    if kind == SCALE_DOWN:
        return ["%s is meant to have %d pods" % (release, seen.replicas(release))] if seen.replicas(release) else []
    found = []
    if kind == DEPLOY and seen.generation(release) != generation:
        found.append("%s carries generation %s" % (release, seen.generation(release)))
    wanted = seen.replicas(release) if kind == DEPLOY else seen.ready(release)
    if wanted < op["replicas"]:
        found.append("%d of %d pods of %s %s" % (wanted, op["replicas"], release, "are asked for" if kind == DEPLOY else "are ready"))
    zones = seen.zones(release)
    return found + ["%d of %d pods of %s are asked for in zone %s" % (zones.get(zone, 0), number, release, zone)
                    for zone, number in sorted((op.get("zones") or {}).items()) if kind == DEPLOY and zones.get(zone, 0) < number]


def judge(op, pending, traffic, seen, now, paused):
    """Whether the intent that is on record is carried out.

    :param pending: its generation, since, until (seconds since 1970) and extended.
    :param paused: whether a person wants nothing to go on.
    :returns: :class:`Judgement`.
    """
    verdict, why = seen.verdict(pending["generation"])
    if verdict == FAIL:
        return Judgement(FAILED, "%s failed: %s" % (named(op), why or "no reason was given"))
    if op["kind"] == KEEP:
        return Judgement(DONE if now >= pending["until"] and not paused else WAIT, "")
    if op["kind"] == GATE:
        return _gate(op, pending, verdict, why, now, paused)
    missing = lacks(op, pending["generation"], traffic, seen)
    if not missing:
        return Judgement(DONE, "")
    if now >= pending["until"]:
        return Judgement(FAILED, "waited %d s for %s; last seen: %s" % (now - pending["since"], named(op), "; ".join(missing)))
    return Judgement(WAIT, "; ".join(missing))


def _gate(op, pending, verdict, why, now, paused):
    """A pass before the end is a good hour that a bad one may follow; no verdict is inconclusive, once there was time for one."""
    if paused or now < pending["until"]:
        return Judgement(WAIT, why)
    if verdict == PASS:
        return Judgement(DONE, why)
    if verdict == INCONCLUSIVE or now >= pending["until"] + op["timeout"]:
        words = why or "it had no verdict"
        if pending["extended"] >= pending["extensions"]:
            return Judgement(FAILED, "%s stayed inconclusive after %d extensions: %s" % (named(op), pending["extended"], words))
        return Judgement(EXTENDED, words)
    return Judgement(WAIT, "its verdict is awaited")


def satisfied(op, wanted, traffic, seen):
    """:returns: whether nothing has to be done for an operation that has not begun.

    :param wanted: the traffic that it asks for.
    """
    if op["kind"] in TRAFFIC:
        return split.same(wanted, traffic) and not lacks(op, None, traffic, seen)
    return op["kind"] in (WAIT_READY, SCALE_DOWN, DELETE) and not lacks(op, None, traffic, seen)


def named(op):
    """:returns: an operation in words."""
    if op["kind"] == GATE:
        return "gate %s" % op["name"]
    words = op["kind"].replace("_", " ") + " of " + op["release"]
    if op["kind"] == SET_WEIGHT:
        return words + " to %d %%" % op["weight"]
    return words + (" with %d pods" % op["replicas"] if "replicas" in op else "")
