# Copyright (c) 2026, ironrack.cluster contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The network check's API calls as they go over the wire, against a server that writes them down."""
from __future__ import annotations

import json
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import unquote

import pytest

from ansible_collections.ironrack.cluster.plugins.module_utils._health import network
from ansible_collections.ironrack.cluster.plugins.module_utils._health.network_client import NetworkClient

SPACE = "/api/v1/namespaces/ironrack-network-check-1"
APPS = "/apis/apps/v1/namespaces/ironrack-network-check-1"


class Handler(BaseHTTPRequestHandler):
    """Writes every request down and answers an empty list; what lies below /gone is not there."""

    def _answer(self):
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        self.server.calls.append((self.command, self.path, self.headers.get("Content-Type"), json.loads(body) if body else None))
        self.send_response(404 if self.path.endswith("/gone") else 200)
        self.end_headers()
        self.wfile.write(b'{"items": []}')

    do_GET = do_POST = do_PATCH = do_DELETE = _answer

    def log_message(self, format, *args):
        pass


@pytest.fixture(name="client")
def _client(tmp_path):
    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.calls = []
    threading.Thread(target=server.serve_forever, daemon=True).start()
    (tmp_path / "kubeconfig").write_text(json.dumps({
        "apiVersion": "v1", "kind": "Config", "current-context": "x", "users": [{"name": "u", "user": {}}],
        "clusters": [{"name": "c", "cluster": {"server": "http://127.0.0.1:%d" % server.server_address[1]}}],
        "contexts": [{"name": "x", "context": {"cluster": "c", "user": "u"}}]}))
    client = NetworkClient(str(tmp_path / "kubeconfig"), "ironrack-network-check-1", "/agnhost", timeout=2)
    client.calls = server.calls
    yield client
    server.shutdown()
    server.server_close()


def test_objects_are_made_where_they_belong(client):
    for manifest in (network.namespace("x"), network.probes("i", "b"), network.rolling("i", "b"), network.target("i", "b", "n"), network.service("probe"),
                     network.policy()):
        client.create(manifest)
    assert [call[:2] for call in client.calls] == [
        ("POST", "/api/v1/namespaces"), ("POST", APPS + "/daemonsets"), ("POST", APPS + "/deployments"), ("POST", SPACE + "/pods"),
        ("POST", SPACE + "/services"), ("POST", "/apis/networking.k8s.io/v1/namespaces/ironrack-network-check-1/networkpolicies")]
    assert client.calls[1][3] == network.probes("i", "b")


def test_patches_are_json_patches(client):
    client.befriend("probe-1")
    client.patch_deployment("rolling", network.next_round())
    assert client.calls == [
        ("PATCH", SPACE + "/pods/probe-1", "application/json-patch+json", network.befriending()),
        ("PATCH", APPS + "/deployments/rolling", "application/json-patch+json", network.next_round())]


def test_reads(client):
    assert client.namespaces() == client.pods("probe") == client.events() == []
    client.daemon_set("probe")
    client.deployment("rolling")
    assert client.log("probe-1") == '{"items": []}'
    assert [unquote(call[1]) for call in client.calls] == [
        "/api/v1/namespaces?labelSelector=ironrack.cluster/network-check", SPACE + "/pods?labelSelector=app=probe", SPACE + "/events",
        APPS + "/daemonsets/probe", APPS + "/deployments/rolling", SPACE + "/pods/probe-1/log"]


def test_a_namespace_that_is_gone_already_is_fine(client):
    client.delete_namespace("gone")
    client.delete_policy("friends-only")
    assert [call[0] for call in client.calls] == ["DELETE", "DELETE"]


def test_a_command_that_cannot_be_run_is_an_attempt_that_was_not_made(client):
    attempt = client.connect("probe-1", "10.244.0.1:8080", "pod")
    assert (attempt.ran, bool(attempt.error)) == (False, True)


def test_connecting_from_here(client):
    port = int(client._configuration.host.rsplit(":", 1)[1])
    assert client.connect_from_here("127.0.0.1", port, "nodeport").error == ""
    assert client.connect_from_here("127.0.0.1", 1, "nodeport").error
