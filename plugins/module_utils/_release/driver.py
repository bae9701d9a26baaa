# Copyright (c) 2026, ironrack.cluster contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""One call of the engine: the lock, the request, the next intent, written into the record before anybody acts on it.

This is a private module_utils package: it may change in any release.
"""
from __future__ import annotations

import time

from .._common.refusal import Refused, problem
from .._common.waiting import wait_for
from . import lease as leases, machine
from .observation import Observation
from .request import Request
from .store import settled

#: Seconds between two looks at a lock that somebody else has.
INTERVAL = 2
WISH = ("service", "strategy", "stable", "candidate", "settings", "releases")


class Driver:
    """One call: the lock, the request, the next intent.

    :param params: what the module rollout_intent documents.
    :param store: the :class:`.store.Store`.
    :param check_mode: whether nothing is written.
    """

    def __init__(self, params, store, check_mode, clock=time.time):
        self._params, self._store, self._check_mode, self._clock = params, store, check_mode, clock
        self._request = Request(params["request"], params["holder"], params["reason"], {name: params[name] for name in WISH})
        self._seen = Observation(**params["observation"])
        #: The record as it was read and as it is now; None before :meth:`run`.
        self.before = self.after = None
        if params["lease_duration"] < 1:
            raise Refused([problem("lease_duration", "it is %d" % params["lease_duration"], "a second or more", "Set it.")])

    def run(self):
        """:returns: the module's result. Somebody else's lock is waited for, as long as was asked."""
        def attempt():
            try:
                return True, "", settled(self._step)
            except leases.Held as error:
                if self._clock() >= end:
                    raise
                return False, str(error)

        end = self._clock() + self._params["lock_wait"]
        # The last attempt ends this by itself, with who holds the lock.
        return wait_for(attempt, "the lock of the rollouts of %s" % self._params["service"], self._params["lock_wait"] + 2 * INTERVAL, INTERVAL)

    def _step(self):
        params, now = self._params, self._clock()
        stored = self._store.read()
        before = stored.record or self._request.first()
        # Judged before the lock is taken: what is refused has changed nothing. A lock that is lost is told first, whatever was asked.
        spec = self._tenure(self._store.lease(), before, now)
        asked, flags = self._request.applied(before, stored.flags, self._seen, now)
        fence = before["fence"] if self._check_mode else spec["leaseTransitions"]
        step = machine.advance(asked, flags, self._seen, now, params["holder"], fence)
        changed = step.record != stored.record
        self.before, self.after = stored.record, step.record
        if not self._check_mode:
            self._store.write_lease(self._lease, spec)
            if changed:
                self._store.write(step.record, stored.version)
            if params["give_back"] or step.intent["kind"] == machine.FINISHED:
                self._give_back(fence)
        return {"changed": changed, "intent": step.intent, "fence": None if self._check_mode else fence, "where": machine.where(step.record),
                "flags": stored.flags, "diff": self._diff(stored.record, step.record)}

    def _tenure(self, lease, record, now):
        self._lease = lease
        me, duration = self._params["holder"], self._params["lease_duration"]
        if self._params["fence"] is None:
            return leases.take(lease, me, now, duration, record["fence"])
        return leases.renew(lease, me, self._params["fence"], now, duration)

    def _give_back(self, fence):
        lease = self._store.lease()
        spec = leases.release(lease, self._params["holder"], fence)
        if spec:
            self._store.write_lease(lease, spec)

    def _diff(self, before, after):
        known = before["history"] if before else []
        lines = ["%s%s\n" % (entry["what"], " (%s)" % entry["why"] if entry.get("why") else "") for entry in after["history"] if entry not in known]
        return {"before_header": self._store.where, "after_header": self._store.where,
                "before": machine.where(before) + "\n" if before else "", "after": "".join([machine.where(after) + "\n"] + lines)}
