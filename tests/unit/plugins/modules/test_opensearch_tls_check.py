# Copyright (c) 2026, ironrack.cluster contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Handshakes with a real TLS server: whose certificate it shows, and which clients it takes."""
from __future__ import annotations

import contextlib
import json
import socket
import ssl
import subprocess
import threading

import pytest
from ansible.module_utils.testing import patch_module_args

from ansible_collections.ironrack.cluster.plugins.module_utils._opensearch import handshakes
from ansible_collections.ironrack.cluster.plugins.modules import opensearch_tls_check


def authority(folder, name):
    subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-subj", "/CN=one name", "-days", "2",
                    "-keyout", str(folder / (name + ".key")), "-out", str(folder / (name + ".crt"))], check=True, capture_output=True)


def issue(folder, name, by):
    (folder / "names.cnf").write_text("subjectAltName=IP:127.0.0.1\nauthorityKeyIdentifier=keyid\n")
    subprocess.run(["openssl", "req", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-subj", "/CN=" + name,
                    "-keyout", str(folder / (name + ".key")), "-out", str(folder / (name + ".csr"))], check=True, capture_output=True)
    subprocess.run(["openssl", "x509", "-req", "-in", str(folder / (name + ".csr")), "-CA", str(folder / (by + ".crt")), "-CAkey", str(folder / (by + ".key")),
                    "-days", "1", "-set_serial", "7", "-extfile", str(folder / "names.cnf"), "-out", str(folder / (name + ".crt"))],
                   check=True, capture_output=True)


@pytest.fixture(name="pki", scope="module")
def pki_fixture(tmp_path_factory):
    folder = tmp_path_factory.mktemp("pki")
    for name in ("old", "new"):
        authority(folder, name)
        for kind in ("server", "client"):
            issue(folder, "%s-%s" % (kind, name), name)
    return folder


@contextlib.contextmanager
def server(pki, shows, trusts):
    """A server with the certificate of one authority that takes clients of others."""
    made = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    made.load_cert_chain(pki / ("server-%s.crt" % shows), pki / ("server-%s.key" % shows))
    for name in trusts:
        made.load_verify_locations(pki / (name + ".crt"))
    made.verify_mode = ssl.CERT_OPTIONAL
    with socket.create_server(("127.0.0.1", 0)) as listening:
        def serve():
            while True:
                try:
                    plain = listening.accept()[0]
                except OSError:
                    return
                with contextlib.suppress(OSError), plain, made.wrap_socket(plain, server_side=True) as secured:
                    secured.sendall(b"no" if secured.recv(10) else b"")

        threading.Thread(target=serve, daemon=True).start()
        yield listening.getsockname()[1]
        listening.shutdown(socket.SHUT_RDWR)


@pytest.fixture(name="check")
def check_fixture(pki, capsys):
    def run(port, authorities, client="old", wait=0, check_mode=False, taken=True):
        arguments = {"taken": taken, "nodes": [{"name": "os1", "address": "127.0.0.1"}], "ports": [port], "wait": wait, "_ansible_check_mode": check_mode,
                     "authority": "".join((pki / (name + ".crt")).read_text() for name in authorities)}
        arguments["probe"] = {end: (pki / ("client-%s.%s" % (client, end.replace("cert", "crt")))).read_text() for end in ("cert", "key")} if client else {}
        with patch_module_args(arguments), pytest.raises(SystemExit):
            opensearch_tls_check.main()
        return json.loads(capsys.readouterr().out)
    return run


@pytest.mark.parametrize("shows, trusts, authorities, client, well", [
    ("old", ["old"], ["old"], "old", True),
    ("old", ["old"], ["old", "new"], "new", False),      # not yet trusted there
    ("old", ["old", "new"], ["old", "new"], "new", True),
    ("old", ["old", "new"], ["new"], "new", False),      # does not show the new one yet
    ("new", ["old", "new"], ["new"], "new", True),
    ("new", ["new"], ["new"], "old", False),
])
def test_what_is_shown_and_what_is_taken(pki, check, shows, trusts, authorities, client, well):
    with server(pki, shows, trusts) as port:
        told = check(port, authorities, client)
    assert bool(told.get("failed")) is not well, told
    if not well:
        assert "os1, port %d: " % port in told["msg"]


def test_who_has_to_refuse(pki, check):
    with server(pki, "new", ["new"]) as port:
        assert not check(port, ["new"], "old", taken=False).get("failed")
        assert "os1, port %d: it takes the client" % port in check(port, ["new"], "new", taken=False)["msg"]
        # Whom nobody has asked has refused nobody.
        assert "its own certificate" in check(port, ["old"], "old", taken=False)["msg"]
    assert check(port, ["new"], "old", taken=False)["failed"]


def test_silence_is_taken_for_nothing(pki, check, monkeypatch):
    monkeypatch.setattr(handshakes, "ANSWER", 0.3)
    monkeypatch.setattr(handshakes, "REQUEST", b"")  # so that the server waits for more
    with server(pki, "old", ["old"]) as port:
        for taken in (True, False):
            assert "timed out" in check(port, ["old"], "old", taken=taken)["msg"]


def test_who_does_not_answer_is_named_and_a_check_run_asks_nobody(pki, check):
    with socket.create_server(("127.0.0.1", 0)) as closed:
        port = closed.getsockname()[1]
    assert "os1, port %d: " % port in check(port, ["old"])["msg"]
    assert not check(port, ["old"], client="", check_mode=True).get("failed")
    assert "probe needs cert and key" in check(port, ["old"], client="")["msg"]


def test_no_node_at_all_is_not_well(pki, capsys):
    with patch_module_args({"nodes": [], "probe": {}, "authority": (pki / "old.crt").read_text()}), pytest.raises(SystemExit):
        opensearch_tls_check.main()
    assert json.loads(capsys.readouterr().out)["failed"]
