# Copyright (c) 2026, ironrack.cluster contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Pause, resume, abort and promote: what a person may ask for without the lock, and when. Pure.

This is a private module_utils package: it may change in any release.
"""
from __future__ import annotations

from .._common.refusal import Refused, problem
from .machine import ABORT, BACK, FORWARD, PAUSE, where
from .plan import GATE, KEEP
from .record import stamp

RESUME = "resume"
#: A promote ends one gate, or the time for which the old release is kept: the one that is under way now, and none that comes later.
PROMOTE, PROMOTE_FULL = "promote", "promote_full"
REQUESTS = (PAUSE, RESUME, ABORT, PROMOTE, PROMOTE_FULL)


def change(record, flags, request, who, why, now):
    """What a request changes. A flag is for the rollout that is under way and says nothing to a later one.

    :param record: of the service.
    :param flags: those that are set.
    :param request: one of :data:`REQUESTS`.
    :param now: seconds since 1970.
    :returns: (flag, value or None to take it away); None where nothing changes.
    :raises Refused: where it cannot be had.
    """
    if request == RESUME:
        return (PAUSE, None) if PAUSE in flags else None
    rollout = record["rollout"]
    against = _against(record, rollout, request)
    if against:
        raise Refused([problem(request, where(record), *against)])
    value = {"rollout": rollout["number"], "who": who, "why": why, "when": stamp(now)}
    if request in (PROMOTE, PROMOTE_FULL):
        there, full = flags.get(PROMOTE, {}), request == PROMOTE_FULL
        generation = None if full else rollout["pending"]["generation"]
        same = there.get("rollout") == rollout["number"] and (there.get("full") or not full and there.get("generation") == generation)
        return None if same else (PROMOTE, dict(value, full=full, generation=generation))
    if flags.get(request, {}).get("rollout") == rollout["number"] or request == ABORT and rollout["phase"] == BACK:
        return None
    return request, value


def promoted(record, flags):
    """What a promote that somebody has set comes to.

    :returns: the request that the driver has to make; empty where it is for something that is over, None where there is none.
    """
    flag, rollout = flags.get(PROMOTE), record["rollout"]
    if not flag:
        return None
    if not rollout or rollout["number"] != flag["rollout"] or rollout["phase"] != FORWARD:
        return ""
    if flag["full"]:
        return PROMOTE_FULL
    return PROMOTE if rollout["pending"] and rollout["pending"]["generation"] == flag["generation"] else ""


def _against(record, rollout, request):
    if not rollout:
        return "a rollout that is under way", "There is nothing to do; to go back to the release before, undo."
    if request in (PROMOTE, PROMOTE_FULL):
        return _against_promote(rollout, request == PROMOTE_FULL)
    if request == PAUSE and rollout["phase"] == BACK:
        return "a rollout that goes forward", "A way back is not held: let it end."
    if request == ABORT and rollout["released"]:
        return "a rollout whose old release is still whole", "Let it end, which takes no traffic from %s, then undo." % record["stable"]
    return None


def _against_promote(rollout, full):
    at = rollout["plan"][rollout["phase"]][rollout["position"]:][:1]
    if rollout["phase"] == FORWARD and (full or rollout["pending"] and at and at[0]["kind"] in (GATE, KEEP)):
        return None
    return ("a rollout that goes forward%s" % ("" if full else " and stands at a gate, or keeps the old release warm"), "Look at its status first.")
