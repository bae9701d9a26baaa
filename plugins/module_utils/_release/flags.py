# Copyright (c) 2026, ironrack.cluster contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Pause, resume and abort: what a person may ask for without the lock, and when. Pure.

This is a private module_utils package: it may change in any release.
"""
from __future__ import annotations

from .machine import ABORT, BACK, PAUSE, where
from .record import stamp
from .settings import RolloutRefused, problem

RESUME = "resume"
REQUESTS = (PAUSE, RESUME, ABORT)


def change(record, flags, request, who, why, now):
    """What a request changes. A flag is for the rollout that is under way and says nothing to a later one.

    :param record: of the service.
    :param flags: those that are set.
    :param request: pause, resume or abort.
    :param now: seconds since 1970.
    :returns: (flag, value or None to take it away); None where nothing changes.
    :raises RolloutRefused: where it cannot be had.
    """
    if request == RESUME:
        return (PAUSE, None) if PAUSE in flags else None
    rollout = record["rollout"]
    against = _against(record, rollout, request)
    if against:
        raise RolloutRefused([problem(request, where(record), *against)])
    if flags.get(request, {}).get("rollout") == rollout["number"] or request == ABORT and rollout["phase"] == BACK:
        return None
    return request, {"rollout": rollout["number"], "who": who, "why": why, "when": stamp(now)}


def _against(record, rollout, request):
    if not rollout:
        return "a rollout that is under way", "There is nothing to do; to go back to the release before, undo."
    if request == PAUSE and rollout["phase"] == BACK:
        return "a rollout that goes forward", "A way back is not held: let it end."
    if request == ABORT and rollout["released"]:
        return "a rollout whose old release is still whole", "Let it end, which takes no traffic from %s, then undo." % record["stable"]
    return None
