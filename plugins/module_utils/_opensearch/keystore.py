# Copyright (c) 2026, ironrack.cluster contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What is to be done to a node's keystore. Pure.

Nobody can read a secret back from it. So what was put there is kept beside it as a salted hash: a second run knows that nothing is to be done, and whoever
reads the record learns no secret. The record is written last: a run that was killed in between does all of it again.

This is a private module_utils package: it may change in any release.
"""
from __future__ import annotations

import hashlib
import json

#: Rounds of PBKDF2. What is hashed is made by machines and long; the rounds are for those that people have chosen.
ROUNDS = 100000


def fingerprint(values, salt):
    """:param values: setting -> secret. :param salt: hexadecimal text. :returns: hexadecimal text by which they can be compared."""
    text = json.dumps(values, sort_keys=True)
    return hashlib.pbkdf2_hmac("sha256", text.encode("utf-8"), bytes.fromhex(salt), ROUNDS).hex()


def record(values, salt, keystore):
    """:param keystore: SHA-256 of the keystore's file after it. :returns: the record as text."""
    return json.dumps({"settings": sorted(values), "salt": salt, "pbkdf2": fingerprint(values, salt), "keystore": keystore}, sort_keys=True) + "\n"


def read(text):
    """:returns: a record that was written, {} where there is none or it cannot be read: all is set anew then."""
    try:
        found = json.loads(text or "{}")
        return found if isinstance(found, dict) and isinstance(found.get("settings"), list) and bytes.fromhex(found["salt"]) and found["pbkdf2"] else {}
    except (KeyError, TypeError, ValueError):
        return {}


def decide(values, known, there):
    """What is to be done.

    :param values: setting -> secret.
    :param known: of :func:`read`.
    :param there: names that the keystore has; None where there is no keystore.
    :returns: (create, names to set, names to remove).
    """
    names = set(there or ())
    same = bool(known) and fingerprint(values, known["salt"]) == known["pbkdf2"]
    wanted = [name for name in sorted(values) if not same or name not in names]
    # What others have put there stays: only what was put there by this, and is wanted no more, goes.
    gone = sorted(set(known.get("settings", ())) & names - set(values))
    return there is None, wanted, gone
