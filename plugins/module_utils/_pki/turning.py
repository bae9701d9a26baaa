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
from .rotation import ASKED, INTRODUCED, RETIRING, SETTLED, SWITCHED, SWITCHING, Rotation
from .spec import Spec

#: A client's name that no mapping knows: that the connection is taken is all that is seen by it.
PROBE = "ironrack-rotation-probe"
#: What a stage becomes once the files are moved.
REACHED = {SWITCHING: SWITCHED, RETIRING: SETTLED}


class Turn:
    """One authority of a store.

    :param store: the folder. :param name: of the authority. :param cli: the shared command client.
    :param days: that a new one is valid. :param check: only say what would be done.
    """

    def __init__(self, store, name, cli, days=3650, check=False):
        self._store, self._name, self._cli, self._days, self._check = store, name, cli, days, check
        self._rotation = Rotation(store, name)

    def go(self, stage):
        """Go to a stage, where it is the next one.

        :param stage: introduced, switched or retired.
        :returns: dict of ``before`` and ``stage``, ``changed``, ``active``, ``authority`` and ``probe``.
        :raises IronrackError: where the store has no such authority, or a stage would be left out.
        """
        if read_or_none(self._rotation.path(".crt")) is None:
            if self._check:  # of a store that is not there yet
                return {"changed": False, "before": SETTLED, "stage": SETTLED, "active": False, "authority": "", "probe": {}}
            raise IronrackError("the store %s has no authority %s: run site.yml first, on the host that keeps the store" % (self._store, self._name))
        self._refuse(stage, REACHED.get(self._rotation.stage(), self._rotation.stage()))
        if self._check:
            return self._told(stage, self._rotation.stage(), self._next(stage), {})
        with locked(os.path.join(self._store, ".lock")):
            self._rotation.finish()
            before = self._rotation.stage()
            scratch = tempfile.mkdtemp(prefix=".work-", dir=self._store)
            try:
                probe = self._move(stage, before, OpenSsl(self._cli, scratch))
            finally:
                shutil.rmtree(scratch, ignore_errors=True)
            return self._told(stage, before, self._rotation.stage(), probe)

    def _refuse(self, stage, now):
        """:raises IronrackError: where a stage is left out: what it brings to clients and servers would be missing."""
        if (stage, now) == ("switched", SETTLED):
            raise IronrackError("the authority %s has no new one yet, which clients could trust: begin the rotation first" % self._name)
        if (stage, now) == ("retired", INTRODUCED):
            raise IronrackError("the new authority %s does not sign yet: switch to it before the one before is taken away" % self._name)

    def _next(self, stage):
        now = REACHED.get(self._rotation.stage(), self._rotation.stage())
        asked_from, recorded = ASKED[stage]
        return now if now != asked_from else REACHED.get(recorded, INTRODUCED)

    def _move(self, stage, before, openssl):
        asked_from, recorded = ASKED[stage]
        if before == asked_from:
            if recorded:
                self._rotation.record(recorded)
                self._rotation.finish()
            else:
                self._introduce(openssl)
        return self._probe(openssl) if stage == INTRODUCED and self._rotation.stage() == INTRODUCED else {}

    def _introduce(self, openssl):
        subject = [word for kind, word in openssl.read(self._rotation.path(".crt")).subject if kind == "CN"]
        if len(subject) != 1:
            raise IronrackError("the authority %s has no common name that a new one could have" % self._name)
        key = openssl.new_key()
        with open(key, "rb") as stream:
            secret = stream.read()
        with open(openssl.self_sign(Spec(self._name, subject[0]), key, self._days), "rb") as stream:
            self._rotation.introduce(secret, stream.read())

    def _probe(self, openssl):
        key = openssl.new_key()
        cert = openssl.sign(Spec(PROBE, PROBE, usages=("client",), authority=self._name), key, self._rotation.path(".next.crt"),
                            self._rotation.path(".next.key"), 1)
        return {"cert": read_or_none(cert).decode(), "key": read_or_none(key).decode()}

    def _told(self, stage, before, after, probe):
        newest = read_or_none(self._rotation.path(".next.crt")) or read_or_none(self._rotation.path(".crt"))
        wanted = {"introduced": INTRODUCED, "switched": SWITCHED, "retired": SETTLED}[stage]
        # Again too: what was recorded by a run that was cut off behind it has not been delivered.
        active = after == wanted
        return {"changed": before != after, "before": before, "stage": after, "active": active, "authority": newest.decode(), "probe": probe}
