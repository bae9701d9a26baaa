# Copyright (c) 2026, ironrack.cluster contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A keystore gets what it lacks and nothing else; nothing in its record is a secret; and a trust store of the same certificates is the same file."""
from __future__ import annotations

import base64
import hashlib
import struct

import pytest
from ansible_collections.ironrack.cluster.plugins.module_utils._common.refusal import Refused
from ansible_collections.ironrack.cluster.plugins.module_utils._opensearch import keystore, truststore
from ansible_collections.ironrack.cluster.plugins.modules import java_truststore, opensearch_keystore

KEYS = {"s3.client.default.access_key": "who", "s3.client.default.secret_key": "a-secret"}
SALT = "00" * 16
KNOWN = keystore.read(keystore.record(KEYS, SALT, "sum"))


@pytest.mark.parametrize("values, known, there, expected", (
    (KEYS, {}, None, (True, sorted(KEYS), [])),
    (KEYS, {}, ["keystore.seed"], (False, sorted(KEYS), [])),
    (KEYS, KNOWN, ["keystore.seed", *KEYS], (False, [], [])),
    # Another secret under the same name, a name that somebody has taken away, a record that is lost.
    (dict(KEYS, **{"s3.client.default.secret_key": "other"}), KNOWN, list(KEYS), (False, sorted(KEYS), [])),
    (KEYS, KNOWN, ["s3.client.default.access_key"], (False, ["s3.client.default.secret_key"], [])),
    (KEYS, {}, list(KEYS), (False, sorted(KEYS), [])),
    # Only what was put there by us is taken away.
    ({}, KNOWN, ["keystore.seed", "others", *KEYS], (False, [], sorted(KEYS))),
    ({}, {}, ["keystore.seed"], (False, [], [])),
))
def test_it_gets_what_it_lacks(values, known, there, expected):
    assert keystore.decide(values, known, there) == expected


def test_a_record_holds_no_secret_and_one_that_is_broken_is_none():
    text = keystore.record(KEYS, SALT, "sum")
    assert "a-secret" not in text and base64.b64encode(b"a-secret").decode() not in text and keystore.read(text)["keystore"] == "sum"
    for broken in ("", "{", "[]", "{}", '{"settings": []}', '{"settings": [], "salt": "no", "pbkdf2": "x"}', '{"settings": "a", "salt": "00", "pbkdf2": "x"}'):
        assert keystore.read(broken) == {}


class Store:
    """What stands for the engine's command."""

    def __init__(self, there, installed=True):
        self.there, self.installed, self.done = there, installed, []

    def names(self, _known):
        return None if self.there is None else sorted(self.there)

    def sum(self):
        return "sum of %d" % len(self.there or ())

    def create(self):
        self.there = {"keystore.seed": "x"}
        self.done.append("create")

    def set(self, values):
        self.there.update(values)
        self.done.append(("set", sorted(values)))

    def remove(self, names):
        for name in names:
            del self.there[name]
        self.done.append(("remove", names))


def converge(store, values, path, check_mode=False):
    return opensearch_keystore.converge(store, {"values": values, "record_file": str(path)}, check_mode)


def test_once_is_enough_and_what_nobody_wants_any_more_goes(tmp_path):
    store, path = Store(None), tmp_path / "record"
    foreseen = converge(store, KEYS, path, True)
    assert foreseen["changed"] and store.done == [] and not path.exists()
    first = converge(store, KEYS, path)
    assert (first["changed"], first["created"], first["changed_paths"]) == (True, True, [str(path)]) and path.stat().st_mode & 0o777 == 0o600
    assert store.done == ["create", ("set", sorted(KEYS))]
    again = converge(store, KEYS, path)
    assert (again["changed"], again["changed_paths"]) == (False, []) and len(store.done) == 2
    assert "a-secret" not in str(first) + str(again)
    last = converge(store, {}, path)
    assert last["removed"] == sorted(KEYS) and set(store.there) == {"keystore.seed"} and not converge(store, {}, path)["changed"]


def test_a_kill_before_the_record_does_all_of_it_again(tmp_path):
    store = Store(dict(KEYS, **{"keystore.seed": "x"}))
    assert converge(store, KEYS, tmp_path / "record")["set"] == sorted(KEYS)


def test_secrets_that_cannot_be_meant_are_refused_all_at_once():
    found = opensearch_keystore.problems_of({"a": "", "b": "two\nlines", "c": "good", "d": None}, False)
    assert [one["where"] for one in found] == ["values.a", "values.b", "values.d"] and "two" not in str(found)
    assert [one["where"] for one in opensearch_keystore.problems_of({"a": "", "b": "two\nlines"}, True)] == ["values.b"]


def pem(data):
    return "-----BEGIN CERTIFICATE-----\n%s\n-----END CERTIFICATE-----\n" % base64.b64encode(data).decode()


def test_a_trust_store_is_of_its_certificates_alone():
    made = truststore.jks(pem(b"one") + "text\n" + pem(b"other"))
    assert made == truststore.jks(pem(b"one") + pem(b"other")) and struct.unpack(">III", made[:12]) == (0xFEEDFEED, 2, 2)
    assert b"one" in made and b"other" in made and made[-20:] == hashlib.sha1("changeit".encode("utf-16-be") + b"Mighty Aphrodite" + made[:-20]).digest()
    for bad in ("", "text", "-----BEGIN CERTIFICATE-----\n!\n-----END CERTIFICATE-----"):
        with pytest.raises(Refused):
            truststore.jks(bad)


def test_it_is_written_once_and_a_check_run_before_there_are_certificates_foresees_it(tmp_path):
    path = str(tmp_path / "trust.jks")
    assert java_truststore.run(path, "(would be issued)", True)["changed"]
    assert java_truststore.run(path, "", True)["changed"] and not (tmp_path / "trust.jks").exists()
    assert java_truststore.run(path, pem(b"one"), False)["changed_paths"] == [path] and (tmp_path / "trust.jks").stat().st_mode & 0o777 == 0o644
    assert not java_truststore.run(path, pem(b"one"), False)["changed"] and not java_truststore.run(path, "", True)["changed"]
    other = java_truststore.run(path, pem(b"other"), True)
    assert other["changed"] and other["diff"]["before"] != other["diff"]["after"] and b"one" in (tmp_path / "trust.jks").read_bytes()
