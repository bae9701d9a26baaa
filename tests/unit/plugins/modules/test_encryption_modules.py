# Copyright (c) 2026, ironrack.cluster contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The modules of encryption at rest as Ansible calls them."""
from __future__ import annotations

import json
from types import SimpleNamespace

import pytest
from ansible.module_utils.testing import patch_module_args
from ansible_collections.ironrack.cluster.plugins.module_utils._common.errors import IronrackError
from ansible_collections.ironrack.cluster.plugins.module_utils._encryption import keyring as keyrings
from ansible_collections.ironrack.cluster.plugins.module_utils._encryption import loaded
from ansible_collections.ironrack.cluster.plugins.modules import encryption_keyring
from ansible_collections.ironrack.cluster.plugins.modules import encryption_loaded
from ansible_collections.ironrack.cluster.plugins.modules import encryption_rewrite

HASH, OTHER = "sha256:" + "a1" * 32, "sha256:" + "b2" * 32
METRICS = """\
# HELP apiserver_encryption_config_controller_last_config_info [ALPHA] Information about the last applied encryption configuration
# TYPE apiserver_encryption_config_controller_last_config_info gauge
apiserver_encryption_config_controller_last_config_info{apiserver_id_hash="sha256:%s",hash="%s"} 1
apiserver_encryption_config_controller_automatic_reloads_total{apiserver_id_hash="sha256:%s",status="failure"} 3
apiserver_encryption_config_controller_automatic_reloads_total{apiserver_id_hash="sha256:%s",status="success"} 12
apiserver_request_total{code="200"} 17
"""
SLICES = {"items": [{"endpoints": [{"addresses": ["192.0.2.2"]}, {"addresses": ["192.0.2.1"]}]}]}


def metrics(loaded_hash):
    return METRICS % ("c3" * 32, loaded_hash, "c3" * 32, "c3" * 32)


def call(module, capsys, **args):
    with patch_module_args(args), pytest.raises(SystemExit):
        module.main()
    return json.loads(capsys.readouterr().out)


@pytest.fixture
def store(tmp_path):
    keyring = keyrings.new_keyring(["secrets"], b"k" * 32, "2026-11-21T00:00:00Z", False)
    (tmp_path / "encryption-keyring.json").write_bytes(keyrings.serialised(keyring))
    return tmp_path


def seen(store):
    keyring = keyrings.parse((store / "encryption-keyring.json").read_bytes(), "")
    return {"cp1": {"digest": keyrings.digest(keyrings.text(keyring)), "peers": ["192.0.2.1"]}}


def test_a_stage_is_recorded_once_and_a_check_run_records_nothing(store, capsys):
    before = (store / "encryption-keyring.json").read_bytes()
    args = {"store": str(store), "stage": "add", "servers": {"cp1": "192.0.2.1"}, "loaded": seen(store)}
    check = call(encryption_keyring, capsys, _ansible_check_mode=True, **args)
    assert check["changed"] and check["active"] and (store / "encryption-keyring.json").read_bytes() == before
    first = call(encryption_keyring, capsys, **args)
    second = call(encryption_keyring, capsys, **args)
    assert (first["changed"], second["changed"], first["stage"], second["active"]) == (True, False, "add", True)
    assert second["content"] == first["content"] and second["digest"] == keyrings.digest(first["content"])
    assert first["diff"]["after"] == "stage: add\norder: key1, key2, identity\nencrypted: secrets\n"
    for key in json.loads((store / "encryption-keyring.json").read_text())["keys"]:
        assert key["secret"] not in json.dumps([first["diff"], check["diff"]])


def test_a_refusal_tells_no_key_and_changes_nothing(store, capsys):
    before = (store / "encryption-keyring.json").read_bytes()
    failed = call(encryption_keyring, capsys, store=str(store), stage="add", servers={"cp1": "192.0.2.1"},
                  loaded={"cp1": {"digest": OTHER, "peers": ["192.0.2.1"]}})
    assert failed["failed"] and "cp1 has loaded another configuration" in failed["msg"]
    assert (store / "encryption-keyring.json").read_bytes() == before
    assert json.loads(before)["keys"][0]["secret"] not in json.dumps(failed)


def test_without_a_store_or_a_keyring_it_says_what_makes_them(tmp_path, capsys):
    args = {"stage": "add", "servers": {"cp1": "192.0.2.1"}}
    assert "there is no store" in call(encryption_keyring, capsys, store=str(tmp_path / "none"), **args)["msg"]
    assert "site.yml makes it" in call(encryption_keyring, capsys, store=str(tmp_path), **args)["msg"]


class Http:
    def __init__(self, answers):
        self.answers = answers

    def request(self, method, address):
        status, body = self.answers[address.split("?")[0]]
        return SimpleNamespace(status=status, body=body.encode())


def server(readyz=200, text=None):
    return loaded.ApiServer(Http({
        "/readyz": (readyz, "ok"), "/metrics": (200, metrics(HASH) if text is None else text),
        loaded.SLICES.partition("?")[0]: (200, json.dumps(SLICES))}), "")


def test_an_api_server_says_what_it_has_loaded():
    assert server().look() == {"digest": HASH, "failures": 3, "peers": ["192.0.2.1", "192.0.2.2"]}


@pytest.mark.parametrize("asked, words", ((server(readyz=500), "/readyz of this host's API server answered 500"),
                                          (server(text="apiserver_request_total 1\n"), "runs without an encryption configuration")))
def test_one_that_is_not_ready_or_does_not_encrypt_is_refused(asked, words):
    with pytest.raises(IronrackError, match=words):
        asked.look()


@pytest.mark.parametrize("digest, check, good", ((HASH, False, True), (OTHER, False, False), (OTHER, True, True), ("", False, True)))
def test_it_waits_for_the_wanted_configuration_and_not_in_a_check_run(digest, check, good):
    module = SimpleNamespace(check_mode=check, params={"address": "192.0.2.1", "digest": digest, "timeout": 0})
    if good:
        assert encryption_loaded.run(module, server())["digest"] == HASH
    else:
        with pytest.raises(IronrackError, match="waited 0 s for the API server at 192.0.2.1 to load sha256:b2.*failed to load a file 3 times"):
            encryption_loaded.run(module, server())


def test_no_answer_becomes_a_failure(capsys):
    assert call(encryption_loaded, capsys, address="127.0.0.1", port=1)["failed"]


@pytest.mark.parametrize("check, methods", ((True, {"GET"}), (False, {"GET", "PATCH"})))
def test_objects_are_counted_or_written(check, methods):
    used = set()

    def api(method, path, **_options):
        used.add(method)
        if path == "/api/v1":
            return 200, {"resources": [{"name": "secrets"}]}
        metadata = {"namespace": "default", "name": "one", "uid": "u", "resourceVersion": "1"}
        return 200, {"metadata": metadata if method == "PATCH" else {}, "items": [{"metadata": metadata}]}

    module = SimpleNamespace(check_mode=check, params={"resources": ["secrets"]})
    assert encryption_rewrite.run(module, api) == {"changed": True, "written": {"secrets": 1}} and used == methods


def test_without_a_kubeconfig_it_says_who_delivers_it(tmp_path, capsys):
    failed = call(encryption_rewrite, capsys, kubeconfig=str(tmp_path / "none"), resources=["secrets"])
    assert "site.yml delivers it" in failed["msg"]
