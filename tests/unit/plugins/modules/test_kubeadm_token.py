# Copyright (c) 2026, ironrack.cluster contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Tokens, the hash of the CA, and the kubeconfig."""
from __future__ import annotations

import base64
import hashlib
import re
import stat
import subprocess
from datetime import datetime, timedelta, timezone

import pytest
import yaml

from ansible_collections.ironrack.cluster.plugins.module_utils._common.errors import IronrackError
from ansible_collections.ironrack.cluster.plugins.module_utils._common.http import HttpError, Response
from ansible_collections.ironrack.cluster.plugins.module_utils._kube.client import KubeClient, KubeUnreachable, kubeconfig_ca
from ansible_collections.ironrack.cluster.plugins.module_utils._kube.kubeconfig import without_secrets
from ansible_collections.ironrack.cluster.plugins.module_utils._kubeadm import token as tokens
from ansible_collections.ironrack.cluster.plugins.modules import kubeadm_token, kubeconfig

NOW = datetime(2026, 11, 21, 12, 0, tzinfo=timezone.utc)


class Module:
    def __init__(self, check_mode=False, **params):
        self.check_mode, self.params = check_mode, params


class Client:
    def __init__(self, nodes, pem):
        self._nodes, self._pem, self.kept = nodes, pem, []

    def nodes(self):
        return self._nodes

    def ca_pem(self):
        return self._pem

    def secrets(self, namespace, labels):
        assert (namespace, labels) == ("kube-system", "app.kubernetes.io/managed-by=ironrack.cluster")
        return self.kept

    def create_secret(self, namespace, body):
        self.kept.append(stored(body))


def stored(body):
    """A Secret as the API returns it."""
    return dict(body, data={key: base64.b64encode(value.encode()).decode() for key, value in body["stringData"].items()}, stringData=None)


def api_node(name, control_plane=False):
    return {"metadata": {"name": name, "labels": {tokens.CONTROL_PLANE_LABEL: ""} if control_plane else {}}}


@pytest.fixture(scope="module", params=["rsa:2048", "ec"])
def ca(request, tmp_path_factory):
    """A CA by openssl, and the hash that openssl finds."""
    folder = tmp_path_factory.mktemp("ca")
    kind = [request.param] if request.param != "ec" else ["ec", "-pkeyopt", "ec_paramgen_curve:P-256"]
    subprocess.run(["openssl", "req", "-x509", "-newkey"] + kind + ["-nodes", "-keyout", str(folder / "ca.key"), "-out", str(folder / "ca.crt"),
                                                                    "-subj", "/CN=kubernetes", "-days", "30"], check=True, capture_output=True)
    public = subprocess.run(["openssl", "x509", "-pubkey", "-noout", "-in", str(folder / "ca.crt")], check=True, capture_output=True).stdout
    der = base64.b64decode(b"".join(public.splitlines()[1:-1]))
    return (folder / "ca.crt").read_bytes(), "sha256:" + hashlib.sha256(der).hexdigest()


def ask(client, check_mode=False, **params):
    given = dict({"kubeconfig": "x", "request_timeout": 5, "nodes": ["cp1", "gpu1"], "control_planes": ["cp1"], "ttl": 3600}, **params)
    return kubeadm_token.run(Module(check_mode, **given), connect=lambda path, timeout: client)


def test_the_hash_is_the_one_that_openssl_finds(ca):
    assert tokens.ca_hash(ca[0]) == ca[1]


@pytest.mark.parametrize("pem", [b"", b"-----BEGIN CERTIFICATE-----\nMIIC\n-----END CERTIFICATE-----"])
def test_a_broken_certificate_is_an_error(pem):
    with pytest.raises(ValueError):
        tokens.ca_hash(pem)


def test_nothing_is_missing(ca):
    client = Client([api_node("cp1", True), api_node("gpu1")], ca[0])
    assert ask(client) == {"changed": False, "token": "", "ca_hash": "", "missing": []}
    assert client.kept == []


def test_a_token_is_made_once_and_used_again(ca):
    client = Client([api_node("cp1", True)], ca[0])
    assert ask(client, check_mode=True) == {"changed": True, "token": "", "ca_hash": ca[1], "missing": ["gpu1"]}
    assert client.kept == []
    first = ask(client)
    assert first["changed"] and re.match(r"^[a-z0-9]{6}\.[a-z0-9]{16}$", first["token"]) and first["ca_hash"] == ca[1]
    second = ask(client)
    assert (second["changed"], second["token"], len(client.kept)) == (False, first["token"], 1)
    assert ask(client, check_mode=True)["changed"] is False


def test_a_control_plane_without_its_label_is_only_half_there(ca):
    assert ask(Client([api_node("cp1"), api_node("gpu1")], ca[0]))["missing"] == ["cp1"]


def test_check_mode_without_an_api_predicts_a_token():
    def connect(path, timeout):
        raise KubeUnreachable("no kubeconfig")

    params = {"kubeconfig": "x", "request_timeout": 5, "nodes": ["cp1"], "control_planes": [], "ttl": 3600}
    assert kubeadm_token.run(Module(True, **params), connect) == {"changed": True, "token": "", "ca_hash": "", "missing": ["cp1"]}
    with pytest.raises(KubeUnreachable):
        kubeadm_token.run(Module(False, **params), connect)


@pytest.mark.parametrize("minutes, used", [(60, True), (31, True), (29, False), (-5, False)])
def test_only_a_token_that_lasts_is_used_again(minutes, used):
    secret = stored(tokens.token_secret("abcdef.0123456789abcdef", NOW + timedelta(minutes=minutes)))
    assert tokens.usable_token([secret], NOW) == ("abcdef.0123456789abcdef" if used else "")


def test_a_secret_of_another_kind_is_no_token():
    secret = stored(tokens.token_secret("abcdef.0123456789abcdef", NOW + timedelta(hours=1)))
    assert tokens.usable_token([dict(secret, type="Opaque")], NOW) == ""


def test_kubeconfig_ca():
    content = {"current-context": "c", "contexts": [{"name": "c", "context": {"cluster": "k"}}],
               "clusters": [{"name": "k", "cluster": {"certificate-authority-data": base64.b64encode(b"PEM").decode()}}]}
    assert kubeconfig_ca(content, "/") == b"PEM"
    with pytest.raises(IronrackError):
        kubeconfig_ca({}, "/")


PEM = "-----BEGIN X-----\n%s\n-----END X-----\n"


def deliver(path, check_mode=False, key="secretkey"):
    return kubeconfig.run(Module(check_mode, path=str(path), cluster_name="rack: 1", user="admin", server="https://[::1]:6443",
                                 ca=PEM % "ca", cert=PEM % "cert", key=PEM % key))


def test_the_kubeconfig_is_written_once_and_for_its_owner_only(tmp_path):
    path = tmp_path / "artifacts" / "one.kubeconfig"
    assert deliver(path, check_mode=True)["changed"] and not path.exists()
    result = deliver(path)
    assert result["changed"] and stat.S_IMODE(path.stat().st_mode) == 0o600
    assert deliver(path)["changed"] is False
    content = yaml.safe_load(path.read_text())
    assert content["contexts"][0]["context"] == {"cluster": "rack: 1", "user": "admin"}
    assert base64.b64decode(content["users"][0]["user"]["client-key-data"]).decode() == PEM % "secretkey"
    assert kubeconfig_ca(content, "/").decode() == PEM % "ca"
    path.chmod(0o644)
    assert deliver(path, check_mode=True)["changed"]


def test_the_key_is_in_no_diff(tmp_path):
    path = tmp_path / "one.kubeconfig"
    deliver(path)
    result = deliver(path, key="another")
    encoded = [base64.b64encode((PEM % key).encode()).decode() for key in ("secretkey", "another")]
    assert result["changed"] and not any(text in str(result) for text in encoded)


def test_what_is_no_pem_is_refused(tmp_path):
    with pytest.raises(IronrackError, match="key of the kubeconfig"):
        kubeconfig.run(Module(path=str(tmp_path / "x"), cluster_name="c", user="u", server="s", ca=PEM, cert=PEM, key=""))


@pytest.mark.parametrize("line", ("    client-key-data: %s", "    token: %s", '    "password": "%s"', "user: {name: x, token: %s}", "      id-token: %s"))
def test_no_login_of_a_kubeconfig_that_is_replaced_shows(line):
    assert "hunter2" not in without_secrets("users:\n" + line % "hunter2" + "\n")
    assert without_secrets("    certificate-authority-data: abc\n") == "    certificate-authority-data: abc\n"


class Http:
    def __init__(self, *answers):
        self.answers, self.sent = list(answers), []

    def request(self, method, address, body=None, headers=None):
        self.sent.append((method, address, body, headers))
        answer = self.answers.pop(0)
        if isinstance(answer, Exception):
            raise answer
        return answer


def test_a_plain_request_carries_its_kinds_and_the_login(tmp_path, monkeypatch):
    path = tmp_path / "kubeconfig"
    path.write_text(yaml.safe_dump({
        "apiVersion": "v1", "kind": "Config", "current-context": "c", "contexts": [{"name": "c", "context": {"cluster": "c", "user": "u"}}],
        "clusters": [{"name": "c", "cluster": {"server": "https://192.0.2.1:6443"}}], "users": [{"name": "u", "user": {"token": "hunter2"}}]}))
    api = KubeClient(str(path))
    http = Http(Response(200, {}, b'{"items": []}'), Response(409, {}, b""),
                Response(404, {}, b"404 page not found\n"), Response(502, {}, b"<html>"), HttpError("cut"))
    monkeypatch.setattr(api, "_http", http)
    assert api.request("GET", "/api/v1/secrets", accept="application/json;as=X") == (200, {"items": []})
    assert api.request("PATCH", "/x", body={"a": 1}, content_type="application/merge-patch+json") == (409, {})
    # As the API answers for a group that nobody serves.
    assert api.request("GET", "/apis/none.example/v1") == (404, {"message": "404 page not found"})
    assert http.sent[0] == ("GET", "https://192.0.2.1:6443/api/v1/secrets", None, {"Accept": "application/json;as=X", "Authorization": "Bearer hunter2"})
    assert http.sent[1][2:] == (b'{"a": 1}', {"Accept": "application/json", "Content-Type": "application/merge-patch+json", "Authorization": "Bearer hunter2"})
    with pytest.raises(IronrackError, match="answered 502 with what is no JSON"):
        api.request("GET", "/x")
    with pytest.raises(KubeUnreachable, match="did not answer: cut"):
        api.request("GET", "/x")
