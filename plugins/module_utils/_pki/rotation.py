# Copyright (c) 2026, ironrack.cluster contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""An authority gives way to a new one, and both are trusted in between.

The record, NAME.rotation.json in the store, says how far it is; what is signed and trusted follows from it alone, so that any run in between delivers what
this stage needs. Beside it lie NAME.next.crt and .key until the new one signs, and NAME.previous.crt and .key from then on.

    (no record) -> introduced: both trusted, the old one signs -> switching -> switched: both trusted, the new one signs -> retired: the new one alone

A stage is recorded before it is delivered, and once more when it has been seen everywhere: only then the next one may begin, and the last one ends with
the record and what is left of the old authority. While it is ``switching``, files are moved; whoever opens the store next brings that to its end.

This is a private module_utils package: it may change in any release.
"""
from __future__ import annotations

import json
import os

from .._common.errors import IronrackError
from .._common.fs import atomic_write, read_or_none

INTRODUCED, SWITCHING, SWITCHED, RETIRED = "introduced", "switching", "switched", "retired"
SETTLED = ""
ENDS = ((".key", 0o600), (".crt", 0o644))
#: Which file's authority is trusted beside the one that signs.
ALSO = {INTRODUCED: ".next.crt", SWITCHING: ".next.crt", SWITCHED: ".previous.crt"}


class Rotation:
    """The rotation of one authority of a store. Whoever calls what changes anything holds the store's lock.

    :param store: the folder. :param name: of the authority.
    """

    def __init__(self, store, name):
        self._store, self._name = store, name

    def path(self, part=""):
        """:returns: the path of a file of the authority, such as ``.next.crt``."""
        return os.path.join(self._store, self._name + part)

    def _recorded(self):
        raw = read_or_none(self.path(".rotation.json"))
        if raw is None:
            return SETTLED, True
        try:
            found = json.loads(raw)
            stage, delivered = found["stage"], found["delivered"]
        except (ValueError, KeyError, TypeError):
            stage = delivered = None
        if stage not in (INTRODUCED, SWITCHING, SWITCHED, RETIRED) or not isinstance(delivered, bool):
            raise IronrackError("%s does not say how far the rotation is: put it back from the backup of this store" % self.path(".rotation.json"))
        return stage, delivered

    def stage(self):
        """:returns: how far it is. :raises IronrackError: where the record cannot be read."""
        return self._recorded()[0]

    def is_delivered(self):
        """:returns: whether that has been seen everywhere. :raises IronrackError: as :meth:`stage`."""
        return self._recorded()[1]

    def record(self, stage, delivered=False):
        """Say that a stage is begun, or that it has been seen everywhere."""
        atomic_write(self.path(".rotation.json"), json.dumps({"stage": stage, "delivered": delivered}).encode("utf-8"), mode=0o600)

    def also_trusted(self):
        """:returns: the certificate, in PEM, that is trusted beside the one that signs; empty where there is none."""
        stage = self.stage()
        if stage not in ALSO:
            return ""
        found = read_or_none(self.path(ALSO[stage]))
        if found is None and stage == SWITCHING:  # in a check run, which leaves it so
            found = read_or_none(self.path(".previous.crt"))
        if found is None:
            raise IronrackError("%s is gone, in the middle of a rotation: put it back from the backup of this store" % self.path(ALSO[stage]))
        return found.decode("utf-8")

    def introduce(self, key, cert):
        """Have the new authority, and both trusted from now on."""
        for (end, mode), data in zip(ENDS, (key, cert)):
            atomic_write(self.path(".next" + end), data, mode=mode)
        self.record(INTRODUCED)

    def switch(self):
        """Have the new one sign."""
        self.record(SWITCHING)
        self.finish()

    def finish(self):
        """Bring files that are being moved to where they belong. Cut off anywhere, it goes on."""
        stage = self.stage()
        if stage == SETTLED:  # what was cut off before its record, or behind it
            self._remove(".next.crt", ".next.key", ".previous.crt", ".previous.key")
        if stage != SWITCHING:
            return
        if read_or_none(self.path(".next.crt")) is not None:
            # The old pair first, and once: what is copied after its key has been replaced would be the new one.
            if read_or_none(self.path(".previous.crt")) is None:
                self._copy("", ".previous")
            self._copy(".next", "")
        self._remove(".next.crt", ".next.key")
        self.record(SWITCHED)

    def delivered(self):
        """Say that the stage has been seen everywhere. Of the last one nothing is left then."""
        if self.stage() != RETIRED:
            self.record(self.stage(), True)
            return
        self._remove(".rotation.json", ".previous.crt", ".previous.key")

    def _copy(self, source, target):
        for end, mode in ENDS:
            atomic_write(self.path(target + end), read_or_none(self.path(source + end)), mode=mode)

    def _remove(self, *parts):
        for part in parts:
            if os.path.exists(self.path(part)):
                os.unlink(self.path(part))


def unfinished(name, stage):
    """:returns: what an operator has to know of a rotation that is under way, in words."""
    return "the authority %s is being rotated: %s" % (name, {
        INTRODUCED: "its new one is trusted, and does not sign yet", RETIRED: "the one before is no longer trusted, and not all servers were seen to know",
    }.get(stage, "its new one signs, and the one before is still trusted"))
