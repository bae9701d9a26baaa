# Copyright (c) 2026, ironrack.cluster contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The keyring's file in the PKI store: read and replaced as a whole, by one process at a time.

This is a private module_utils package: it may change in any release.
"""
from __future__ import annotations

import contextlib
import os

from .._common.errors import IronrackError
from .._common.fs import atomic_write, read_or_none
from .._common.lock import locked
from . import keyring as keyrings


class KeyringFile:
    """The keyring of one store.

    :param store: the folder, as pki_bundle made it.
    """

    def __init__(self, store):
        self._store = store
        self._path = os.path.join(store, keyrings.FILE)

    @contextlib.contextmanager
    def alone(self):
        """Hold the lock that pki_bundle takes too."""
        if not os.path.isdir(self._store):
            raise IronrackError("there is no store at %s: site.yml makes it, and the key with it" % self._store)
        with locked(os.path.join(self._store, ".lock")):
            yield

    def read(self):
        """:returns: the keyring. :raises IronrackError: where there is none."""
        raw = read_or_none(self._path)
        if raw is None:
            raise IronrackError("%s is not there: with cluster_encryption_at_rest, site.yml makes it" % self._path)
        return keyrings.parse(raw, self._path)

    def write(self, keyring):
        """Record a keyring."""
        atomic_write(self._path, keyrings.serialised(keyring), mode=0o600)
