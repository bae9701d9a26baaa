# Copyright (c) 2026, ironrack.cluster contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the driver of a rollout asks for, and the record that follows. Pure.

Each request may be made again: one that is under way or done already changes nothing, so that a run that was killed can simply be repeated.

This is a private module_utils package: it may change in any release.
"""
from __future__ import annotations

from .._common.refusal import Refused, problem
from . import machine, record as records
from .plan import plan_rollout, plan_undo
from .settings import UNDO

BEGIN, GO_ON, PROMOTE, PROMOTE_FULL, UNDONE = "begin", "continue", "promote", "promote_full", "undo"
REQUESTS = (BEGIN, GO_ON, PROMOTE, PROMOTE_FULL, UNDONE)


class Request:
    """A request and who makes it.

    :param kind: one of :data:`REQUESTS`.
    :param who: the holder of the lock.
    :param why: the reason that a person gave.
    :param wish: service, strategy, stable, candidate, settings and releases (name -> description) of the one that is to begin. stable is read
        only where the service has no record yet, and candidate may be None for an undo.
    """

    def __init__(self, kind, who, why, wish):
        self._kind, self._who, self._why, self._wish = kind, who, why, wish

    def first(self):
        """:returns: the record of a service that has none. :raises Refused: where nothing can begin with it."""
        stable = self._wish["stable"]
        if self._kind != BEGIN or not stable:
            raise Refused([problem("service", "%s has no record of a rollout" % self._wish["service"],
                                   "the request begin, and the release that has its traffic now as stable", "Begin a rollout first.")])
        return records.new(self._wish["service"], stable, self._wish["releases"].get(stable))

    def applied(self, record, flags, seen, now):
        """:returns: (the record to go on from, the flags to go by).

        :raises Refused: with all that stands against it.
        """
        if self._kind == GO_ON:
            return record, flags
        if self._kind in (PROMOTE, PROMOTE_FULL):
            return machine.promote(record, self._kind == PROMOTE_FULL, seen, now, self._who, self._why), flags
        if self._is_done(record):
            return record, flags
        if record["rollout"]:
            return self._beside(record, flags)
        return machine.begin(record, self._plan(record), self._wish["releases"], seen, now, self._who, self._why), flags

    def begins(self, record):
        """:returns: whether this would begin a rollout; else it goes on with one, or finds that it was brought about.

        :param record: None where the service has none.
        """
        return record is None or not record["rollout"] and not self._is_done(record)

    def _is_done(self, record):
        """Whether what is asked for now was brought about already."""
        last, candidate = record["last"] or {}, self._wish["candidate"]
        if record["rollout"] or not candidate or candidate != record["stable"]:
            return False
        return self._kind == UNDONE or last.get("candidate") == candidate and last.get("result") == machine.PROMOTED

    def _plan(self, record):
        wish = self._wish
        known = set(record["releases"]) | set(wish["releases"])
        if self._kind == UNDONE:
            return plan_undo(record["service"], record["stable"], wish["candidate"] or self._before(record), known, wish["settings"])
        return plan_rollout(record["service"], wish["strategy"], record["stable"], wish["candidate"], known, wish["settings"], record["previous"])

    @staticmethod
    def _before(record):
        """:returns: the release that an undo goes back to where none is named. An undo that is asked for twice must not undo itself."""
        last = record["last"]
        if last and (last["result"] != machine.PROMOTED or last["strategy"] == UNDO):
            raise Refused([problem(
                "undo", "rollout %d gave the traffic back to %s already" % (last["rollout"], record["stable"]),
                "the release to go back to, as candidate", "Name it, where %s is not the one%s." % (
                    record["stable"], "; before it was %s" % record["previous"] if record["previous"] else ""))])
        return record["previous"]

    def _beside(self, record, flags):
        """One is under way: this one, which goes on as it was planned, or one that an undo turns back, or another, which refuses this."""
        plan = record["rollout"]["plan"]
        back = self._wish["candidate"] in (None, plan["stable"])
        if self._kind == UNDONE and plan["strategy"] != UNDO and not record["rollout"]["released"] and back:
            return record, dict(flags, abort={"rollout": record["rollout"]["number"], "who": self._who, "why": self._why})
        strategy = UNDO if self._kind == UNDONE else self._wish["strategy"]
        if plan["strategy"] == strategy and self._wish["candidate"] in (plan["candidate"], None):
            return record, flags
        raise Refused([problem("rollout", machine.where(record), "none, or the one that is asked for", "Let it end, or abort it, then ask again.")])
