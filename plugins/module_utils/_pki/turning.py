# Copyright (c) 2026, ironrack.cluster contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Going from one stage of an authority's rotation to the next.

This is a private module_utils package: it may change in any release.
"""
from __future__ import annotations

import os
import shutil
import tempfile

from .._common.errors import IronrackError
from .._common.fs import read_or_none
from .._common.lock import locked
from .openssl import OpenSsl
from .rotation import INTRODUCED, RETIRED, SETTLED, SWITCHED, SWITCHING, Rotation
from .spec import Spec

#: A client's name that no mapping knows: that the connection is taken is all that is seen by it.
PROBE = "ironrack-rotation-probe"
#: The stage that each is asked from.
BEFORE = {INTRODUCED: SETTLED, SWITCHED: INTRODUCED, RETIRED: SWITCHED}


class Turn:
    """One authority of a store.

    :param store: the folder. :param name: of the authority. :param cli: the shared command client.
    :param days: that a new one is valid. :param check: only say what would be done.
    """

    def __init__(self, store, name, cli, days=3650, check=False):
        self._store, self._name, self._cli, self._days, self._check = store, name, cli, days, check
        self._rotation = Rotation(store, name)

    def go(self, stage, delivered=False):
        """Go to a stage, where it is the next one; or say that it has been seen everywhere.

        :param stage: introduced, switched or retired. :param delivered: whether it has.
        :returns: dict of ``before`` and ``stage``, ``changed``, ``active``, ``authority``, ``probe`` and ``old_probe``.
        :raises IronrackError: where the store has no such authority, a stage would be left out, or the one before has not been seen everywhere.
        """
        if read_or_none(self._rotation.path(".crt")) is None:
            if self._check:  # of a store that is not there yet
                return {"changed": False, "before": SETTLED, "stage": SETTLED, "active": False, "authority": "", "probe": {}, "old_probe": {}}
            raise IronrackError("the store %s has no authority %s: run site.yml first, on the host that keeps the store" % (self._store, self._name))
        if self._check:
            return self._foretold(stage, delivered)
        with locked(os.path.join(self._store, ".lock")):
            self._rotation.finish()
            before = self._rotation.stage(), self._rotation.is_delivered()
            scratch = tempfile.mkdtemp(prefix=".work-", dir=self._store)
            try:
                return self._gone(stage, delivered, before, OpenSsl(self._cli, scratch))
            finally:
                shutil.rmtree(scratch, ignore_errors=True)

    def _now(self):
        stage = self._rotation.stage()
        return SWITCHED if stage == SWITCHING else stage

    def _refuse(self, stage, now, is_delivered):
        """:raises IronrackError: where what a stage before this one brings to clients and servers would be missing."""
        if now == stage or now == SETTLED and stage in (INTRODUCED, RETIRED):
            return
        if BEFORE[stage] != now:
            raise IronrackError({
                SETTLED: "the authority %s has no new one yet, which clients could trust: begin the rotation first",
                INTRODUCED: "the new authority %s does not sign yet: switch to it before the one before is taken away",
                SWITCHED: "the authority %s is being rotated already, and the new one signs: finish that rotation first",
                RETIRED: "the authority %s is being rotated already, and the one before is being taken away: finish that rotation first"}[now] % self._name)
        if not is_delivered:
            raise IronrackError("the authority %s: the stage before this one was begun, and not all servers were seen to have it. Run that stage again, to its "
                                "end" % self._name)

    def _foretold(self, stage, delivered):
        now = self._now()
        if delivered:
            return self._told(now, now, True, not self._rotation.is_delivered())
        self._refuse(stage, now, self._rotation.is_delivered())
        after = stage if BEFORE[stage] == now else now
        return self._told(now, after, after == stage or after == SETTLED, after != now)

    def _gone(self, stage, delivered, before, openssl):
        now, was_delivered = before
        if delivered:
            if now not in (stage, SETTLED):
                raise IronrackError("the authority %s is not at the stage %s, but at %s" % (self._name, stage, now))
            if now != SETTLED and not was_delivered:
                self._rotation.delivered()
            after = self._rotation.stage()
            return self._told(now, after, True, (after, self._rotation.is_delivered()) != before)
        self._refuse(stage, now, was_delivered)
        if BEFORE[stage] == now and stage == INTRODUCED:
            self._introduce(openssl)
        elif BEFORE[stage] == now and stage == SWITCHED:
            self._rotation.switch()
        elif BEFORE[stage] == now:
            self._rotation.record(RETIRED)
        after = self._rotation.stage()
        told = self._told(now, after, True, after != now)
        told["probe"] = self._probe(openssl, ".next" if after == INTRODUCED else "")
        if after == RETIRED:
            told["old_probe"] = self._probe(openssl, ".previous")
        return told

    def _introduce(self, openssl):
        subject = [word for kind, word in openssl.read(self._rotation.path(".crt")).subject if kind == "CN"]
        if len(subject) != 1:
            raise IronrackError("the authority %s has no common name that a new one could have" % self._name)
        key = openssl.new_key()
        with open(key, "rb") as stream:
            secret = stream.read()
        with open(openssl.self_sign(Spec(self._name, subject[0]), key, self._days), "rb") as stream:
            self._rotation.introduce(secret, stream.read())

    def _probe(self, openssl, part):
        key = openssl.new_key()
        cert = openssl.sign(Spec(PROBE, PROBE, usages=("client",), authority=self._name), key, self._rotation.path(part + ".crt"),
                            self._rotation.path(part + ".key"), 1)
        return {"cert": read_or_none(cert).decode(), "key": read_or_none(key).decode()}

    def _told(self, before, after, active, changed):
        newest = read_or_none(self._rotation.path(".next.crt")) or read_or_none(self._rotation.path(".crt"))
        return {"changed": changed, "before": before, "stage": after, "active": active, "authority": newest.decode(), "probe": {}, "old_probe": {}}
