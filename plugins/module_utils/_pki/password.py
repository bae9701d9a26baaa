# Copyright (c) 2026, ironrack.cluster contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A password of the store gives way to a new one, in two steps: it is made, and it counts.

    NAME.password, and beside it NAME.next.password from the first step to the second

This is a private module_utils package: it may change in any release.
"""
from __future__ import annotations

import os

from .._common.errors import IronrackError
from .._common.fs import atomic_write, read_or_none
from .._common.lock import locked
from .._monitoring import login

INTRODUCED, RETIRED = "introduced", "retired"


class Password:
    """One password of a store.

    :param store: the folder. :param name: of the password. :param check: only say what would be done.
    """

    def __init__(self, store, name, check=False):
        self._store, self._name, self._check = store, name, check

    def go(self, stage):
        """Make the next one, or let it count.

        :param stage: introduced or retired.
        :returns: dict of ``before``, whether there is a next one, ``after`` the same, and ``changed``.
        :raises IronrackError: where the store has no such password.
        """
        if self._have("") is None:
            if self._check:  # of a store that is not there yet
                return {"before": False, "after": False, "changed": False}
            raise IronrackError("the store %s has no password %s: run site.yml first, on the host that keeps the store" % (self._store, self._name))
        if self._check:
            return self._gone(stage)
        with locked(os.path.join(self._store, ".lock")):
            return self._gone(stage)

    def _gone(self, stage):
        there = self._have(".next")
        # One that counts already is what a run has left that was cut off before it took it away.
        before = there is not None and there != self._have("")
        wanted = stage == INTRODUCED
        if not self._check:
            if wanted and not before:
                self._write(".next.password", login.new_password())
            elif not wanted and there is not None:
                self._turn(there)
        return {"before": before, "after": wanted, "changed": before is not wanted}

    def _turn(self, password):
        # The hash of another one is made again by whoever opens the store next: so it comes behind.
        self._write(".password", password)
        if not login.fits(password, (read_or_none(self._path(".bcrypt")) or b"").decode("utf-8").strip()):
            self._write(".bcrypt", login.hash_of(password))
        os.unlink(self._path(".next.password"))

    def _have(self, part):
        """:returns: a password as text, or None."""
        raw = read_or_none(self._path(part + ".password"))
        return raw.decode("utf-8").strip() if raw and raw.strip() else None

    def _write(self, end, text):
        atomic_write(self._path(end), (text + "\n").encode("utf-8"), mode=0o600)

    def _path(self, end):
        return os.path.join(self._store, self._name + end)
