# Copyright (c) 2026, ironrack.cluster contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which certificate requests of kubelets are approved: requests are made by openssl, as a kubelet or an attacker would."""
from __future__ import annotations

import base64
import importlib.util
import pathlib
import subprocess

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

FILE = pathlib.Path(__file__).resolve().parents[3] / "roles/control_plane/files/csr_approver.py"
SPEC = importlib.util.spec_from_file_location("csr_approver", FILE)
approver = importlib.util.module_from_spec(SPEC)
SPEC.loader.exec_module(approver)


def node(name, address, *more):
    entries = [{"type": "InternalIP", "address": address}, {"type": "Hostname", "address": name}] + list(more)
    return {"metadata": {"name": name}, "status": {"addresses": entries}}


NODES = [node("gpu1", "10.77.0.31", {"type": "Hostname", "address": "GPU1.rack.example"}), node("gpu2", "10.77.0.32"),
         node("six", "fd00::31"), {"metadata": {"name": "new"}, "status": {}}]


@pytest.fixture(scope="module")
def request_pem(tmp_path_factory):
    """Make a PKCS#10 request."""
    folder = tmp_path_factory.mktemp("csr")
    subprocess.run(["openssl", "ecparam", "-genkey", "-name", "prime256v1", "-out", str(folder / "key")], check=True, capture_output=True)

    def make(subject="/O=system:nodes/CN=system:node:gpu1", sans="DNS:gpu1,IP:10.77.0.31", more=()):
        names = ["-addext", "subjectAltName=" + sans] if sans else []
        return subprocess.run(["openssl", "req", "-new", "-key", str(folder / "key"), "-subj", subject] + names + list(more),
                              check=True, capture_output=True).stdout

    return make


def csr(pem, **spec):
    return {"metadata": {"name": "csr-x", "uid": "1"}, "spec": dict({
        "signerName": "kubernetes.io/kubelet-serving", "username": "system:node:gpu1", "groups": ["system:nodes", "system:authenticated"],
        "usages": ["digital signature", "server auth"], "request": base64.b64encode(pem).decode()}, **spec)}


@pytest.mark.parametrize("sans", ["DNS:gpu1,IP:10.77.0.31", "IP:10.77.0.31", "DNS:gpu1", "DNS:gpu1.rack.example,IP:10.77.0.31"])
def test_a_node_gets_its_own_names(request_pem, sans):
    yes, reason = approver.decide(csr(request_pem(sans=sans)), NODES)
    assert yes, reason


def test_a_node_with_an_ipv6_address(request_pem):
    pem = request_pem("/O=system:nodes/CN=system:node:six", "DNS:six,IP:fd00:0:0::31")
    assert approver.decide(csr(pem, username="system:node:six"), NODES)[0]


def test_other_extensions_of_a_request_do_no_harm(request_pem):
    assert approver.decide(csr(request_pem(more=["-addext", "extendedKeyUsage=serverAuth", "-addext", "basicConstraints=critical,CA:FALSE"])), NODES)[0]


@pytest.mark.parametrize("sans, words", [
    ("DNS:gpu2", "gpu2 is not among"), ("IP:10.77.0.32", "10.77.0.32 is not among"), ("DNS:gpu1,DNS:kubernetes.default", "kubernetes.default"),
    ("DNS:gpu1,IP:10.77.0.10", "10.77.0.10"), ("DNS:*.rack.example", "not among"), ("DNS:gpu1,email:a@b.c", "type 0x81"),
    ("DNS:gpu1,URI:https://x", "type 0x86"), ("", "no name and no address")])
def test_names_of_others_are_left_alone(request_pem, sans, words):
    yes, reason = approver.decide(csr(request_pem(sans=sans)), NODES)
    assert not yes and words in reason


@pytest.mark.parametrize("subject", [
    "/O=system:nodes/CN=system:node:gpu2", "/O=system:masters/CN=system:node:gpu1", "/CN=system:node:gpu1",
    "/O=system:nodes/O=system:masters/CN=system:node:gpu1", "/O=system:nodes/CN=system:node:gpu1/CN=admin", "/O=system:nodes/CN=system:node:gpu1/OU=x"])
def test_subjects_of_others_are_left_alone(request_pem, subject):
    yes, reason = approver.decide(csr(request_pem(subject)), NODES)
    assert not yes and "its subject is not" in reason


@pytest.mark.parametrize("spec, words", [
    ({"signerName": "kubernetes.io/kube-apiserver-client"}, "its signer"), ({"signerName": None}, "its signer"),
    ({"username": "system:node:"}, "is no node"), ({"username": "kubernetes-admin"}, "is no node"), ({"username": None}, "nobody is no node"),
    ({"groups": ["system:masters"]}, "is no node"), ({"groups": None}, "is no node"),
    ({"username": "system:node:gpu2"}, "its subject is not"),
    ({"usages": ["digital signature", "client auth"]}, "usages"), ({"usages": ["server auth", "client auth"]}, "usages"),
    ({"usages": ["digital signature"]}, "usages"), ({"usages": None}, "usages"),
    ({"request": ""}, "unreadable"), ({"request": None}, "unreadable"), ({"request": "!!"}, "unreadable"),
    ({"request": base64.b64encode(b"-----BEGIN CERTIFICATE REQUEST-----\nMIIB\n-----END CERTIFICATE REQUEST-----").decode()}, "unreadable")])
def test_odd_requests_are_left_alone(request_pem, spec, words):
    yes, reason = approver.decide(csr(request_pem(), **spec), NODES)
    assert not yes and words in reason


def test_no_node_yet(request_pem):
    assert approver.decide(csr(request_pem()), []) == (False, "there is no Node gpu1")
    pem = request_pem("/O=system:nodes/CN=system:node:new", "DNS:new,IP:10.77.0.99")
    assert not approver.decide(csr(pem, username="system:node:new"), NODES)[0]


def test_an_address_that_two_nodes_claim_is_nobodys(request_pem):
    thief = node("gpu2", "10.77.0.32", {"type": "ExternalIP", "address": "10.77.0.31"})
    yes, reason = approver.decide(csr(request_pem()), [NODES[0], thief])
    assert not yes and "Node gpu2 claims 10.77.0.31 too" in reason


def test_an_address_of_the_api_is_no_nodes_whatever_its_node_object_says(request_pem):
    liar = [node("gpu1", "10.77.0.10")]
    pem = request_pem(sans="DNS:gpu1,IP:10.77.0.10")
    assert approver.decide(csr(pem), liar)[0]
    yes, reason = approver.decide(csr(pem), liar, reserved=["10.77.0.10"])
    assert not yes and "belongs to the API" in reason


@settings(max_examples=300, deadline=None)
@given(st.binary(max_size=200))
def test_no_bytes_crash_the_parser(data):
    pem = b"-----BEGIN CERTIFICATE REQUEST-----\n" + base64.b64encode(data) + b"\n-----END CERTIFICATE REQUEST-----\n"
    try:
        approver.parse_request(pem)
    except approver.Unreadable:
        pass


def test_no_flipped_byte_crashes_the_decision(request_pem):
    pem = request_pem()
    der = bytearray(base64.b64decode(b"".join(pem.splitlines()[1:-1])))
    for place in range(len(der)):
        broken = bytes(der[:place]) + bytes([der[place] ^ 0xFF]) + bytes(der[place + 1:])
        text = b"-----BEGIN CERTIFICATE REQUEST-----\n" + base64.b64encode(broken) + b"\n-----END CERTIFICATE REQUEST-----\n"
        approver.decide(csr(text), NODES)


class Api:
    """An API server; ``status`` is what it answers to an approval."""

    def __init__(self, csrs, status=200):
        self.csrs, self.status, self.approvals, self.lists = csrs, status, [], 0

    def items(self, path):
        self.lists += 1
        return NODES if path == "/api/v1/nodes" else self.csrs

    def call(self, method, path, body=None):
        self.approvals.append((method, path, body["status"]["conditions"][-1]["type"]))
        return self.status, {"message": "no"}


def test_a_poll_approves_and_tells_a_pending_one_once(request_pem, capsys):
    foreign = csr(request_pem(sans="DNS:gpu2"))
    foreign["metadata"] = {"name": "csr-y", "uid": "2"}
    decided = csr(request_pem())
    decided["status"] = {"conditions": [{"type": "Denied"}]}
    api, told = Api([csr(request_pem()), foreign, decided, {"metadata": {"name": "csr-z", "uid": "3"}, "spec": {"signerName": approver.SIGNER,
                                                                                                                "usages": 7}}]), {}
    assert approver.poll(api, [], told) == ["csr-x"]
    assert api.approvals == [("PUT", approver.CSRS + "/csr-x/approval", "Approved")]
    out = capsys.readouterr().out
    assert "approved csr-x" in out and "left csr-y alone" in out and "left csr-z alone" in out
    api.csrs = [foreign]
    assert approver.poll(api, [], told) == [] and capsys.readouterr().out == ""
    api.csrs = []
    approver.poll(api, [], told)
    assert not told


def test_another_approver_may_be_first(request_pem, capsys):
    assert approver.poll(Api([csr(request_pem())], status=409), [], {}) == []
    assert "another approver was first" in capsys.readouterr().out


def test_nodes_are_only_asked_for_when_there_is_something_to_decide():
    api = Api([])
    approver.poll(api, [], {})
    assert api.lists == 1


def test_an_api_server_that_is_away_ends_nothing(monkeypatch, capsys):
    waits = []

    def sleep(seconds):
        waits.append(seconds)
        if len(waits) == 6:
            raise KeyboardInterrupt

    def away(self, path):
        raise OSError("connection refused")

    monkeypatch.setattr(approver.Api, "items", away)
    monkeypatch.setattr(approver.time, "sleep", sleep)
    with pytest.raises(KeyboardInterrupt):
        approver.main(["--server", "https://10.77.0.21:6443"])
    assert waits == [10, 20, 40, 60, 60, 60]
    assert capsys.readouterr().out.count("cannot be asked") == 1
    assert approver.main(["--server", "https://10.77.0.21:6443", "--once"]) == 1
