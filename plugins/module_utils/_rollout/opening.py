# Copyright (c) 2026, ironrack.cluster contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a run does before it drives: flags for what needs no lock, and everything that stands against a beginning.

This is a private module_utils package: it may change in any release.
"""
from __future__ import annotations

import os
import socket
import time

from .._common.errors import IronrackError
from .._common.refusal import Refused, problem
from .._kube.client import KubeUnreachable
from .._release import flags as flagging
from .._release.driver import Driver
from .._release.machine import ABORT, BACK, PAUSE, ROLLED_BACK
from .._release.plan import plan_rollout
from .._release.request import BEGIN, GO_ON, UNDONE, Request
from .._release.settings import UNDO
from .._release.store import settled
from .._service import spec
from .._slo import budget as budgets
from . import preflight, wishes
from .emergency import is_moved
from .gatekeeper import looks_of
from .world import is_silent, seen_by_engine, size_of

GIVE_BACK = "give_back"
REQUESTS = (BEGIN, GO_ON, UNDONE, ABORT, flagging.PROMOTE, flagging.PROMOTE_FULL, PAUSE, flagging.RESUME, GIVE_BACK)
NOTHING = "nothing"


def holder(who):
    """:returns: a name that no other run has, and that tells a person whom to ask."""
    return "%s@%s, process %d of %s" % (who, socket.gethostname(), os.getpid(), time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()))


def opened(loop):
    """Do what comes first, once in a run.

    :param loop: the :class:`.loop.Loop`.
    :returns: the result of the call where nothing is to be driven; else None.
    """
    memory, wish = loop.memory, loop.wish
    if wish["request"] == GIVE_BACK:
        loop.give_back()
        return loop.answer(NOTHING)
    if memory.get("opened"):
        return None
    memory.update(holder=memory.get("holder") or holder(wish["who"]), request=GO_ON, reason=wish["reason"],
                  plan={"strategy": wish["strategy"], "stable": loop.world.service["stable"], "candidate": wish["release"] or None, "settings": {}})
    early = {BEGIN: _begin, UNDONE: _undo, GO_ON: lambda _loop: None}.get(wish["request"], _flag)(loop)
    memory["opened"] = True
    return early


# a beginning --------------------------------------------------------------------------------------------------------------------------


def _begin(loop):
    memory, wish, service = loop.memory, loop.wish, loop.world.service
    stored = loop.store.read()
    found = [] if wish["release"] else [problem("rollout_release", "it is empty", "the release that is to get the traffic", "Name it.")]
    broken = spec.problems(wish["description"], wish["profile"])
    if broken:
        raise Refused(found + broken)
    seen = loop.world.look()
    stable = stored.record["stable"] if stored.record else service["stable"]
    settings = wishes.settings_of(service, wish["strategy"], size_of(service, seen.releases, stable), loop.world.zones)
    memory["request"] = BEGIN
    memory["plan"]["settings"] = settings
    engine = dict(memory["plan"], service=service["name"], releases=service["releases"])
    if not Request(BEGIN, memory["holder"], wish["reason"], engine).begins(stored.record):
        return None
    found += preflight.balancer_problems(seen.statuses, seen.away) + preflight.engine_problems(lambda: _tried(loop, engine, seen))
    if 2 * service["look_interval"] > wish["lease_duration"]:
        found.append(problem("llm_services.%s.look_interval" % service["name"], "it is %d, and the lock lasts %d s" % (
            service["look_interval"], wish["lease_duration"]), "half of that at most", "Look more often, or raise rollout_lease_seconds."))
    found += wishes.problems(service, wish["strategy"], wish["release"], stable, _looks(loop, engine, stable))
    connection = loop.world.gates.connection
    if connection and not found:
        found += preflight.connection_problems(service, connection)
    budget = preflight.budget_of(service, connection)
    found += preflight.budget_problems(budget, wish["override"])
    if found:
        raise Refused(found)
    memory["reason"] = "; ".join(part for part in (wish["reason"], preflight.budget_words(budget, wish["override"])) if part)
    if budget["policy"] == budgets.SLOW:
        memory["plan"]["settings"] = wishes.slower(settings, wish["strategy"])
    return None


def _tried(loop, engine, seen):
    """Have the engine judge the request without writing. Who waits for the lock is not refused for it: that is judged when the waiting is over."""
    memory = loop.memory
    Driver(dict(engine, request=BEGIN, reason="", holder=memory["holder"], fence=None, give_back=False, lock_wait=0,
                lease_duration=loop.wish["lease_duration"], observation=seen_by_engine(seen)), loop.store, True, loop.world.clock).run()


def _looks(loop, engine, stable):
    try:
        plan = plan_rollout(engine["service"], engine["strategy"], stable, engine["candidate"], set(engine["releases"]), engine["settings"])
    except (Refused, TypeError):
        return 1  # it is refused by the engine, with its reasons
    return looks_of(plan, loop.world.service["look_interval"])


# what needs no lock -------------------------------------------------------------------------------------------------------------------


def _undo(loop):
    memory, service = loop.memory, loop.world.service
    try:
        record = loop.store.read().record
    except IronrackError as error:
        if not is_silent(error):
            raise
        memory["urgent"] = UNDONE
        loop.unheard(error)
        return None
    rollout = record and record["rollout"]
    if rollout and rollout["plan"]["strategy"] != UNDO and not rollout["released"] and loop.wish["release"] in ("", rollout["plan"]["stable"]):
        memory["urgent"] = UNDONE
        return _set(loop, ABORT)
    releases = loop.world.look().releases
    stable = record["stable"] if record else service["stable"]
    memory["request"] = UNDONE
    memory["plan"]["settings"] = wishes.settings_of(service, UNDO, size_of(service, releases, stable), loop.world.zones)
    return None


def _flag(loop):
    request = loop.wish["request"]
    if request == ABORT:
        loop.memory["urgent"] = ABORT
    try:
        return _set(loop, request)
    except IronrackError as error:
        if request != ABORT or not is_silent(error):
            raise
        loop.unheard(error)
        return None


def asked_late(loop):
    """Ask for what no API has heard yet: an abort or an undo of a time when none answered must not end as a rollout that goes on.

    :returns: the result of the call where nothing is to be driven; else None. :raises KubeUnreachable: where none hears it now either.
    """
    loop.memory.pop("unasked")
    early = (_undo if loop.wish["request"] == UNDONE else _flag)(loop)
    if loop.memory.get("unasked"):
        raise KubeUnreachable(loop.memory["unasked"])
    return early


def _set(loop, request):
    """Set a flag, for whoever drives: another run, or this one where nobody has the lock."""
    wish = loop.wish

    def attempt():
        stored = loop.store.read()
        if stored.record is None:
            raise IronrackError("service %s has had no rollout: there is nothing to %s" % (loop.world.service["name"], request.replace("_", " ")))
        loop.found(stored.record)
        if request == ABORT and not stored.record["rollout"] and (stored.record["last"] or {}).get("result") == ROLLED_BACK:
            return False
        change = flagging.change(stored.record, stored.flags, request, wish["who"], wish["reason"], loop.world.clock())
        if change and not loop.check_mode:
            loop.store.flag(change[0], change[1], stored.version)
        loop.found(stored.record, changed=bool(change))
        return True

    open_still = settled(attempt)
    loop.say()
    if not open_still:
        return loop.answer(NOTHING, result=ROLLED_BACK, why=loop.record["last"]["why"])
    if request == PAUSE or loop.check_mode:
        return loop.answer(NOTHING, result="predicted" if loop.check_mode else "paused")
    loop.memory["follow"] = {flagging.PROMOTE_FULL: flagging.PROMOTE}.get(request, request)
    return None


def is_obeyed(memory, stored, seen):
    """:returns: whether whoever has the lock has done what a flag asks for, or will with nothing in between. Pure."""
    follow, rollout = memory.get("follow"), (stored.record or {}).get("rollout")
    if follow == ABORT:
        back = not rollout or rollout["phase"] == BACK
        return back and all(is_moved(one, stored.record["stable"]) for one in seen.statuses.values() if one)
    if follow == flagging.PROMOTE:
        return flagging.PROMOTE not in stored.flags
    return follow == flagging.RESUME
