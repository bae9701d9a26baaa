# Copyright (c) 2026, ironrack.cluster contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""One checksum over all documents of an index, whatever order they come in. Pure.

Each document has a SHA-256 of its id, its routing and its source; the checksum is their sum modulo 2^256. The order of shards and segments is another
one after a restore, so it may not matter; and a sum, other than an exclusive or, does not forget a document that is there twice.

This is a private module_utils package: it may change in any release.
"""
from __future__ import annotations

import hashlib
import json

_MODULUS = 1 << 256


def canonical(document):
    """:returns: a JSON document as the one text that all equal ones have."""
    return json.dumps(document, sort_keys=True, separators=(",", ":"), ensure_ascii=True)


def sha256(text):
    """:returns: the hex SHA-256 of a text."""
    return hashlib.sha256(text.encode()).hexdigest()


class Checksum:
    """The checksum of an index, one document after the other."""

    def __init__(self):
        self.documents = 0
        self._sum = 0

    def add(self, hit):
        """Take in one document.

        :param hit: an entry of a search's answer.
        :raises ValueError: where it comes without its source.
        """
        if "_source" not in hit:
            raise ValueError("document %s has no source" % hit.get("_id"))
        digest = sha256(canonical([hit["_id"], hit.get("_routing"), hit["_source"]]))
        self._sum = (self._sum + int(digest, 16)) % _MODULUS
        self.documents += 1

    def hexdigest(self):
        """:returns: the checksum as 64 digits of base 16."""
        return "%064x" % self._sum
