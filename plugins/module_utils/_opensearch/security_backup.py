# Copyright (c) 2026, ironrack.cluster contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Users, roles and mappings of the security plugin, kept sealed in the index that is part of every snapshot, and brought back from there.

The plugin's API gives away no hash of a password, so its own index is read, which only the administrator's certificate may. What is read is
encrypted for that certificate before it is written down: whoever has the object store, and not the PKI store, has nothing.

This is a private module_utils package: it may change in any release.
"""
from __future__ import annotations

import base64
import json

from .._common.errors import IronrackError
from . import moments
from .client import quoted
from .hashing import canonical, sha256
from .manifest import SEALED

SECURITY_INDEX = ".opendistro_security"
#: In the order in which they can be made: a mapping names a role.
KINDS = ("actiongroups", "tenants", "roles", "internalusers", "rolesmapping")
#: What the plugin says of an entry, and takes from nobody.
_FLAGS = ("reserved", "hidden", "static")
#: How many sealed states are kept.
KEEP = 5


class Sealer:
    """Encrypts for a certificate, and decrypts by its key, with OpenSSL's CMS: nothing is in a file in clear text.

    :param cli: a Cli. :param cert_file: PEM. :param key_file: PEM.
    """

    def __init__(self, cli, cert_file, key_file):
        self._cli, self._cert, self._key = cli, cert_file, key_file

    def seal(self, text):
        """:returns: the text, encrypted, in PEM."""
        return self._cli.run(["openssl", "cms", "-encrypt", "-binary", "-aes-256-gcm", "-outform", "PEM", "-recip", self._cert,
                              "-keyopt", "ecdh_kdf_md:sha256"], data=text).stdout

    def open(self, sealed):
        """:returns: the text. :raises CommandError: where it is another key's, or was changed."""
        return self._cli.run(["openssl", "cms", "-decrypt", "-binary", "-inform", "PEM", "-inkey", self._key], data=sealed,
                             hint="It was sealed for another certificate, whose key the PKI store of that time has, or it is damaged").stdout.strip()


def read(client):
    """:returns: kind -> name -> entry, of what people have set; what the plugin brings itself is left out."""
    answer = client.expect("POST", "/%s/_search" % SECURITY_INDEX, body={"size": 100, "query": {"match_all": {}}}, what="reading the security index")
    found = {}
    for hit in answer["hits"]["hits"]:
        if hit["_id"] in KINDS:
            entries = json.loads(base64.b64decode(hit["_source"][hit["_id"]]))
            found[hit["_id"]] = {name: _entry(entry) for name, entry in entries.items() if name != "_meta" and not (entry.get("hidden") or entry.get("static"))}
    lacking = [kind for kind in KINDS if kind not in found]
    if lacking:
        raise IronrackError("the security index has no %s: its configuration was never loaded, or it is not the one that is asked" % ", ".join(lacking))
    return found


def _entry(value):
    """:returns: an entry as the API takes it: without the plugin's own flags, and without what is not set."""
    return {name: _set(one) for name, one in value.items() if name not in _FLAGS and one is not None}


def _set(value):
    if isinstance(value, dict):
        return {name: _set(one) for name, one in value.items() if one is not None}
    return [_set(one) for one in value] if isinstance(value, list) else value


def newest(found):
    """:returns: (time, digest, sealed text) of the newest that is kept, or None.

    :param found: documents of Records.find.
    """
    for _id, source in found:
        sheet = json.loads(source["body"])
        return sheet["time"], sheet["digest"], sheet["sealed"]
    return None


def keep(client, records, sealer, repository, check_mode, now):
    """Keep the present state, where it is another one than the last.

    :returns: the module's result.
    """
    state = read(client)
    text = canonical(state)
    # Over hashes with their own salt: it tells nothing of a password.
    digest, last = sha256(text), newest(records.find(SEALED, repository))
    counts = {kind: len(state[kind]) for kind in KINDS}
    changed = last is None or last[1] != digest
    if changed and not check_mode:
        records.ensure()
        sheet = {"time": moments.text(now), "digest": digest, "sealed": sealer.seal(text)}
        records.put("%s-%s" % (SEALED, sha256(canonical([repository, sheet["time"], digest]))[:40]),
                    {"kind": SEALED, "repository": repository, "time": sheet["time"], "body": canonical(sheet)})
        for identity, _source in records.find(SEALED, repository)[KEEP:]:
            records.remove(identity)
    return {"changed": changed, "counts": counts, "time": moments.text(now) if changed else last[0]}


def bring_back(client, found, sealer, where, check_mode):
    """Make what is kept and is not there. What is there stays as it is: it may be newer.

    :param found: of :func:`newest`. :param where: what it was looked for in, in words.
    :returns: the module's result.
    :raises IronrackError: where nothing is kept.
    """
    if found is None:
        raise IronrackError("no users and roles are kept in %s: name a snapshot that was taken after they were kept" % where)
    text = sealer.open(found[2])
    if sha256(text) != found[1]:
        raise IronrackError("what is kept of users and roles is not what was written: nothing is brought back")
    state, made, different = json.loads(text), [], []
    for kind in KINDS:
        there = client.expect("GET", "/_plugins/_security/api/%s" % kind, what="reading %s" % kind)
        for name, entry in sorted(state[kind].items()):
            if name in there:
                # Without its hash, which the API does not give away.
                same = _entry({key: value for key, value in there[name].items() if key != "hash"}) == {
                    key: value for key, value in entry.items() if key != "hash"}
                different += [] if same else ["%s %s" % (kind, name)]
                continue
            if not check_mode:
                client.expect("PUT", "/_plugins/_security/api/%s/%s" % (kind, quoted(name)), body=entry, what="bringing back %s of %s" % (name, kind))
            made.append("%s %s" % (kind, name))
    return {"changed": bool(made), "time": found[0], "made": made, "different": different,
            "diff": {"before": "", "after": "".join(one + "\n" for one in made)}}
