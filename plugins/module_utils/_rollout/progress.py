# Copyright (c) 2026, ironrack.cluster contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Step, weight, verdict so far and time left, in one line. Pure.

This is a private module_utils package: it may change in any release.
"""
from __future__ import annotations

from .._release.confirm import named
from .._release.machine import BACK, FINISHED, FORWARD
from .._release.plan import GATE, KEEP, SET_WEIGHT


def left(record, now):
    """:returns: seconds that gates and the keeping still take where none is extended; None where none is under way, or it goes back.

    What pods take to get ready is not known and not in it.
    """
    rollout = record["rollout"]
    if not rollout or rollout["phase"] != FORWARD:
        return None
    ops, at, pending = rollout["plan"][FORWARD], rollout["position"], rollout["pending"]
    total = 0
    for number, op in enumerate(ops[at:]):
        if number == 0 and pending and op["kind"] in (GATE, KEEP):
            total += max(0, pending["until"] - now)
        elif op["kind"] == GATE:
            total += op["soak"]
        elif op["kind"] == KEEP:
            total += op["timeout"]
    return int(total)


def step(record):
    """:returns: (which step of how many by weights, the weights' own number); (0, 0) where none is under way."""
    rollout = record["rollout"]
    if not rollout:
        return 0, 0
    ops = rollout["plan"][FORWARD]
    steps = [number for number, op in enumerate(ops) if op["kind"] == SET_WEIGHT]
    at = rollout["position"] if rollout["phase"] == FORWARD else 0
    return sum(number < at for number in steps), len(steps)


def spoken(seconds):
    """:returns: a time in words."""
    if seconds < 120:
        return "%d s" % seconds
    if seconds < 7200:
        return "%d min" % round(seconds / 60)
    return "%.1f h" % (seconds / 3600)


def line(record, now, intent=None, verdict="", why=""):
    """:returns: where a rollout stands, in one line.

    :param intent: what is done now; None where only the record is known.
    :param verdict: of the gate so far.
    :param why: its reasons.
    """
    rollout = record["rollout"]
    if not rollout:
        last = record["last"]
        words = "%s has all of the traffic of %s" % (record["stable"], record["service"])
        if not last:
            return words
        why = " (%s)" % last["why"] if last["why"] else ""
        return "%s; rollout %d to %s ended: %s%s" % (words, last["rollout"], last["candidate"], last["result"].replace("_", " "), why)
    plan, (done, steps) = rollout["plan"], step(record)
    parts = ["rollout %d of %s, %s to %s" % (rollout["number"], record["service"], plan["stable"], plan["candidate"])]
    if rollout["phase"] == BACK:
        parts.append("goes back: %s" % rollout["why"])
    parts.append("%d %% with %s, step %d of %d" % (record["traffic"]["weights"].get(plan["candidate"], 0), plan["candidate"], done, steps))
    ops = rollout["plan"][rollout["phase"]]
    op = ops[rollout["position"]] if rollout["position"] < len(ops) else None
    if op:
        parts.append("at %s%s" % (named(op), _time(op, rollout["pending"], now)))
    if intent and intent.get("paused"):
        parts.append("paused")
    if intent and intent["kind"] not in (FINISHED, GATE) and intent.get("awaits"):
        parts.append("awaits: %s" % intent["awaits"])
    if verdict:
        parts.append("%s so far: %s" % (verdict, why))
    remaining = left(record, now)
    if remaining is not None:
        parts.append("at least %s left" % spoken(remaining))
    return "; ".join(parts)


def _time(op, pending, now):
    if not pending:
        return ", not begun"
    words = " for %s" % spoken(max(0, now - pending["since"]))
    if op["kind"] not in (GATE, KEEP):
        return words
    extended = ", extended %d times" % pending["extended"] if pending.get("extended") else ""
    return "%s of %s%s" % (words, spoken(max(0, pending["until"] - pending["since"])), extended)
