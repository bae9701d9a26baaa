# Copyright (c) 2026, ironrack.cluster contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Reads a site's own authorities and those of the store, before anything is issued, and changes nothing.

pki_bundle refuses the same, but one at a time, and with the second one wrong it has stored the first.

This is a private module_utils package: it may change in any release.
"""
from __future__ import annotations

import datetime
import os

from .._common.errors import IronrackError
from .._common.fs import read_or_none
from .._pki.spec import written


def read(openssl, authorities, store, now=None):
    """Look at every authority that there is something of.

    :param openssl: :class:`.._pki.openssl.OpenSsl`; only its reading half is used.
    :param authorities: dictionaries of name, cert, key and chain, as the model has them; the paths are empty where the store makes its own.
    :returns: [facts], see :func:`_facts`.
    """
    now = now or datetime.datetime.now(datetime.timezone.utc)
    found = []
    for authority in authorities:
        stored = [os.path.join(store, authority["name"] + end) for end in (".crt", ".key")]
        if authority.get("cert"):
            facts = _facts(openssl, authority["name"], authority["cert"], authority["key"], authority.get("chain") or "", now)
            facts["other_than_store"] = _other(openssl, authority["cert"], stored[0]) if not facts["missing"] and not facts["unreadable"] else False
            found.append(facts)
        elif os.path.exists(stored[0]):
            found.append(_facts(openssl, authority["name"], stored[0], stored[1], "", now))
    return found


def _facts(openssl, name, cert, key, chain, now):
    """:returns: what decide() looks at; no content of a key."""
    facts = {
        "name": name, "cert": cert, "key": key, "chain": chain, "missing": [], "unreadable": "", "is_ca": True, "key_fits": True, "ended": "",
        "begins": "", "issuer": "", "leads_to_root": True, "other_than_store": False}
    contents = {path: _content(path) for path in (cert, key, chain) if path}
    facts["missing"] = [path for path, content in contents.items() if content is None]
    if facts["missing"]:
        return facts
    # openssl would ask the terminal for the passphrase, and wait.
    if b"ENCRYPTED" in contents[key]:
        facts["unreadable"] = "%s is under a passphrase" % key
        return facts
    try:
        seen = openssl.read(cert)
        facts["is_ca"] = seen.is_ca
        if seen.not_after <= now:
            facts["ended"] = seen.not_after.strftime("%Y-%m-%d")
        if seen.not_before > now:
            facts["begins"] = seen.not_before.strftime("%Y-%m-%d")
    except (IronrackError, KeyError, ValueError):
        facts["unreadable"] = "%s is no certificate in PEM" % cert
        return facts
    try:
        facts["key_fits"] = openssl.public_key(key) == seen.public_key
    except IronrackError:
        facts["unreadable"] = "%s is no private key in PEM" % key
    if seen.subject != seen.issuer:
        facts["issuer"] = written(seen.issuer)
        facts["leads_to_root"] = bool(chain) and openssl.chains_to_root(cert, chain)
    return facts


def _content(path):
    try:
        return read_or_none(path)
    except OSError:
        return None


def _other(openssl, cert, stored):
    """:returns: whether the store holds an authority with another key: replacing it would cut off every host that trusts it."""
    try:
        return os.path.exists(stored) and openssl.read(stored).public_key != openssl.read(cert).public_key
    except (IronrackError, KeyError, ValueError):
        return False
