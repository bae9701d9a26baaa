# Copyright (c) 2026, ironrack.cluster contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The keyring and its rotation: killed at every step, on API servers that load at any time, no object is ever unreadable."""
from __future__ import annotations

import base64
import itertools
import json
import os

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ansible_collections.ironrack.cluster.plugins.module_utils._common.errors import IronrackError
from ansible_collections.ironrack.cluster.plugins.module_utils._encryption import keyring as keyrings
from ansible_collections.ironrack.cluster.plugins.module_utils._encryption.keyring import (
    DONE, NEW_KEY, PATHS, RECALL, TO_PLAIN, Evidence, advance, configuration, digest, new_keyring, parse, serialised, text)

NOW = "2026-11-21T00:00:00Z"
STAGES = PATHS[NEW_KEY]
SERVERS = {"cp1": "192.0.2.1", "cp2": "192.0.2.2", "cp3": "192.0.2.3"}


def secret(number=1):
    return bytes([number]) * 32


class ApiServer:
    """Reads and writes as an API server does that has loaded some configuration."""

    def __init__(self, content):
        self.load(content)

    def load(self, content):
        self.content = content
        self.providers = {}
        for block in json.loads(content)["resources"] if content else []:
            assert block["providers"] and block["resources"]
            for resource in block["resources"]:
                assert resource not in self.providers
                self.providers[resource] = [self._key(provider) for provider in block["providers"]]

    @staticmethod
    def _key(provider):
        (kind, value), = provider.items()
        return "" if kind == "identity" else value["keys"][0]["name"] + value["keys"][0]["secret"]

    def write(self, resource):
        return self.providers.get(resource, [""])[0]

    def can_read(self, resource, stored):
        return stored in self.providers.get(resource, [""])


class Cluster:
    """API servers, what etcd holds, the store, and a run that can be killed before any of its side effects."""

    def __init__(self, keyring, loaded=True):
        self.store = serialised(keyring)
        self.files = {name: text(keyring) if loaded else "" for name in SERVERS}
        self.servers = {name: ApiServer(self.files[name]) for name in SERVERS}
        self.etcd = {}
        self.write_everywhere()

    @property
    def keyring(self):
        return parse(self.store, "/store")

    def write_everywhere(self):
        for (number, server), resource in itertools.product(enumerate(self.servers.values()), ("secrets", "configmaps")):
            self.etcd[resource, number] = server.write(resource)

    def check(self):
        for server, ((resource, number), stored) in itertools.product(self.servers.values(), self.etcd.items()):
            assert server.can_read(resource, stored), (resource, number)

    def steps(self, goal, resources=("secrets",)):
        """Yield before each side effect of a run; the caller kills it by not going on."""
        written = False
        for stage in STAGES:
            seen = {name: {"digest": digest(server.content), "peers": sorted(SERVERS.values())} for name, server in self.servers.items()}
            after, active = advance(self.keyring, stage, goal, Evidence(SERVERS, seen, written), os.urandom(32), NOW, resources)
            yield "record"
            self.store = serialised(after)
            if not active or stage == DONE:
                continue
            content = text(self.keyring)
            for name in SERVERS:
                yield "deliver to %s" % name
                self.files[name] = content
            for name, server in self.servers.items():
                yield "%s loads" % name
                server.load(self.files[name])
            if stage == "rewrite":
                for key in sorted(self.etcd):
                    yield "write %s" % (key,)
                    self.etcd[key] = self.servers["cp2"].write(key[0])
                written = True

    def run(self, goal, resources=("secrets",), kill_at=None):
        """:returns: how many side effects there were; each is followed by a look at everything."""
        number = 0
        for number, _step in enumerate(self.steps(goal, resources)):
            if number == kill_at:
                return number
            self.check()
        self.check()
        return number + 1


def start(kind):
    """:returns: a cluster before a rotation: of a key, from a built cluster that had none, or from one that was decrypted."""
    if kind == "keyed":
        return Cluster(new_keyring(["secrets"], secret(), NOW, False)), NEW_KEY
    if kind == "built":
        cluster = Cluster(new_keyring(["secrets", "configmaps"], secret(), NOW, True), loaded=False)
        for server in cluster.servers.values():
            server.load(text(cluster.keyring))  # the flags are rolled out, one server after the other
            cluster.check()
        return cluster, NEW_KEY
    cluster = Cluster(new_keyring(["secrets"], secret(), NOW, False))
    if kind == "decrypted":
        cluster.run(TO_PLAIN)
        return cluster, NEW_KEY
    return cluster, TO_PLAIN


@pytest.mark.parametrize("kind", ("keyed", "built", "decrypted", "to plain"))
def test_killed_before_every_side_effect_it_goes_on_and_nothing_is_ever_unreadable(kind):
    effects = start(kind)[0].run(start(kind)[1], ("secrets", "configmaps"))
    assert effects > 20
    for kill_at in range(effects):
        cluster, goal = start(kind)
        cluster.run(goal, ("secrets", "configmaps"), kill_at=kill_at)
        cluster.write_everywhere()
        cluster.check()
        ended = cluster.keyring["rotation"] is None and kill_at > 5
        if not ended:
            cluster.run(goal, ("secrets", "configmaps"))
        assert cluster.keyring["rotation"] is None
        to = cluster.keyring["order"][0]
        assert (to == "identity") == (goal == TO_PLAIN)
        assert set(cluster.etcd.values()) == ({""} if goal == TO_PLAIN else {cluster.servers["cp1"].write("secrets")})


@settings(max_examples=150, deadline=None)
@given(st.lists(st.tuples(st.integers(0, 40), st.integers(0, 2)), max_size=6))
def test_any_row_of_kills_and_writes(rows):
    cluster = Cluster(new_keyring(["secrets"], secret(), NOW, False))
    for kill_at, late in rows:
        cluster.run(NEW_KEY, kill_at=kill_at)
        # site.yml delivers what is on record, at any time, to whom it reaches, and an API server restarts
        name = sorted(SERVERS)[late]
        cluster.files[name] = text(cluster.keyring)
        cluster.servers[name].load(cluster.files[name])
        cluster.write_everywhere()
        cluster.check()
        for other in SERVERS:  # the whole run of site.yml, before the next attempt
            cluster.files[other] = text(cluster.keyring)
            cluster.servers[other].load(cluster.files[other])
            cluster.check()
    assert len({key["name"] for key in cluster.keyring["keys"]}) == len(cluster.keyring["keys"])


def seen_by(keyring, **changes):
    seen = {name: {"digest": digest(text(keyring)), "peers": sorted(SERVERS.values())} for name in SERVERS}
    seen.update(changes)
    return seen


@pytest.mark.parametrize("changes, words", (
    ({"cp2": {}}, "cp2 has not said"),
    ({"cp2": {"digest": "sha256:00", "peers": list(SERVERS.values())}}, "cp2 has loaded another"),
    ({"cp3": {"digest": None, "peers": []}}, "cp3 has not said"),
))
def test_no_step_without_every_api_server(changes, words):
    keyring = new_keyring(["secrets"], secret(), NOW, False)
    for number, stage in enumerate(STAGES):
        with pytest.raises(IronrackError, match=words):
            advance(keyring, stage, NEW_KEY, Evidence(SERVERS, seen_by(keyring, **changes), True), secret(2), NOW, ["secrets"])
        keyring = advance(keyring, stage, NEW_KEY, Evidence(SERVERS, seen_by(keyring), True), secret(2), NOW, ["secrets"])[0]
        assert number < 4 or keyring["rotation"] is None


@pytest.mark.parametrize("peers, words", ((["192.0.2.9"] + list(SERVERS.values()), "192.0.2.9, which is no control plane"), ([], "not even itself")))
def test_an_api_server_that_the_inventory_does_not_know(peers, words):
    keyring = new_keyring(["secrets"], secret(), NOW, False)
    seen = seen_by(keyring, cp1={"digest": digest(text(keyring)), "peers": peers})
    with pytest.raises(IronrackError, match=words):
        advance(keyring, "add", NEW_KEY, Evidence(SERVERS, seen), secret(2), NOW, ["secrets"])


def test_refusals():
    keyring = new_keyring(["secrets"], secret(), NOW, False)
    with pytest.raises(IronrackError, match="no control plane was named"):
        advance(keyring, "add", NEW_KEY, Evidence({}, {}), secret(2), NOW, ["secrets"])
    added = advance(keyring, "add", NEW_KEY, Evidence(SERVERS, seen_by(keyring)), secret(2), NOW, ["secrets"])[0]
    with pytest.raises(IronrackError, match="-e encryption_rotation_goal=new_key"):
        advance(added, "add", TO_PLAIN, Evidence(SERVERS, seen_by(added)), secret(3), NOW, ["secrets"])
    with pytest.raises(IronrackError, match="'promote' comes next"):
        advance(added, "drop", NEW_KEY, Evidence(SERVERS, seen_by(added), True), secret(3), NOW, ["secrets"])
    for stage in ("promote", "rewrite"):
        added = advance(added, stage, NEW_KEY, Evidence(SERVERS, seen_by(added)), secret(3), NOW, ["secrets"])[0]
    with pytest.raises(IronrackError, match="not every object has been written"):
        advance(added, "drop", NEW_KEY, Evidence(SERVERS, seen_by(added), False), secret(3), NOW, ["secrets"])


def test_a_recall_makes_old_keys_readable_and_the_next_rotation_takes_them_away_again():
    cluster = Cluster(new_keyring(["secrets"], secret(), NOW, False))
    old = cluster.servers["cp1"].write("secrets")
    cluster.run(NEW_KEY)
    assert not cluster.servers["cp1"].can_read("secrets", old)
    cluster.run(RECALL)
    assert cluster.keyring["order"] == ["key2", "key1", "identity"] and cluster.servers["cp3"].can_read("secrets", old)
    cluster.etcd["secrets", 0] = old  # the snapshot is restored
    cluster.run(NEW_KEY)
    assert cluster.keyring["order"] == ["key3", "identity"] and keyrings.names(cluster.keyring) == ["key1", "key2", "key3"]
    assert [entry["goal"] for entry in cluster.keyring["history"]] == [NEW_KEY, RECALL, NEW_KEY]


def test_a_check_run_predicts_without_evidence_and_the_argument_stays():
    keyring = new_keyring(["secrets"], secret(), NOW, False)
    before = serialised(keyring)
    after, active = advance(keyring, "add", NEW_KEY, None, secret(2), NOW, ["secrets"])
    assert active and after["order"] == ["key1", "key2", "identity"] and serialised(keyring) == before


def test_the_configuration_is_what_an_api_server_takes():
    made = configuration(new_keyring(["secrets"], secret(), NOW, False))
    assert made == {
        "apiVersion": "apiserver.config.k8s.io/v1", "kind": "EncryptionConfiguration", "resources": [
            {"resources": ["secrets"], "providers": [
                {"secretbox": {"keys": [{"name": "key1", "secret": base64.b64encode(secret()).decode()}]}}, {"identity": {}}]}]}


@pytest.mark.parametrize("data", (b"", b"{}", b"[]", b'{"version": 1, "keys": [], "order": []}', b"\xff", b"null"))
def test_a_damaged_keyring_is_told_and_not_shown(data):
    with pytest.raises(IronrackError, match="/store is no keyring.*backup"):
        parse(data, "/store")


def test_a_key_that_is_cut_short_is_refused():
    keyring = new_keyring(["secrets"], secret(), NOW, False)
    keyring["keys"][0]["secret"] = keyring["keys"][0]["secret"][:20]
    with pytest.raises(IronrackError) as caught:
        parse(serialised(keyring), "/store")
    assert keyring["keys"][0]["secret"] not in str(caught.value)


def test_what_is_under_way_is_told():
    assert "still written to etcd in clear text" in keyrings.unfinished(new_keyring(["secrets"], secret(), NOW, True))
    keyring = new_keyring(["secrets"], secret(), NOW, False)
    assert keyrings.unfinished(keyring) == ""
    assert "stage 'add'" in keyrings.unfinished(advance(keyring, "add", NEW_KEY, None, secret(2), NOW, ["secrets"])[0])
