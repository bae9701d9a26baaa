# Copyright (c) 2026, ironrack.cluster contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The client against a small API server on this machine, over real TLS."""
from __future__ import annotations

import datetime
import ipaddress
import json
import ssl
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from ansible_collections.ironrack.cluster.plugins.module_utils._common.errors import IronrackError
from ansible_collections.ironrack.cluster.plugins.module_utils._health import client as health_client
from ansible_collections.ironrack.cluster.plugins.module_utils._health.client import HealthClient
from ansible_collections.ironrack.cluster.plugins.module_utils._health.verdict import Unknown

NODE = {"metadata": {"name": "cp1"}}
PAGES = {
    "/readyz?verbose": b"[+]etcd ok\nreadyz check passed",
    "/api/v1/nodes": json.dumps({"items": [NODE]}).encode(),
    "/api/v1/namespaces/kube-system/pods": b'{"items": []}',
    "/apis/apps/v1/daemonsets": b'{"items": []}',
    "/apis/apps/v1/namespaces/kube-system/deployments": b'{"items": []}',
    "/apis/certificates.k8s.io/v1/certificatesigningrequests": b'{"items": []}',
    "/api/v1/nodes/cp1/proxy/healthz": b"ok",
    "/balancer-health.json": b'{"serving": ["cp1"]}',
}
DAYS = 90


class Handler(BaseHTTPRequestHandler):
    """Answers what PAGES has, 404 for the rest (the metrics API among it)."""

    def do_GET(self):
        body = PAGES.get(self.path)
        self.send_response(200 if body is not None else 404)
        self.end_headers()
        self.wfile.write(body or b"")

    def log_message(self, format, *args):
        pass


def certificate(name, folder, issuer=None):
    """Write NAME.crt and NAME.key. :returns: (certificate, key)."""
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    now = datetime.datetime.now(datetime.timezone.utc)
    above, above_key = issuer or (None, key)
    builder = (x509.CertificateBuilder().subject_name(subject).issuer_name(above.subject if above else subject).public_key(key.public_key())
               .serial_number(x509.random_serial_number()).not_valid_before(now - datetime.timedelta(hours=1))
               .not_valid_after(now + datetime.timedelta(days=DAYS))
               .add_extension(x509.BasicConstraints(ca=issuer is None, path_length=None), critical=True)
               .add_extension(x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address("127.0.0.1"))]), critical=False))
    made = builder.sign(above_key, hashes.SHA256())
    (folder / (name + ".crt")).write_bytes(made.public_bytes(serialization.Encoding.PEM))
    (folder / (name + ".key")).write_bytes(key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()))
    return made, key


@pytest.fixture(scope="module", name="site")
def _site(tmp_path_factory):
    """A CA, a server with its certificate, one with a stranger's, and a kubeconfig."""
    folder = tmp_path_factory.mktemp("site")
    authority = certificate("ca", folder)
    certificate("server", folder, authority)
    certificate("stranger", folder)
    servers = {name: ThreadingHTTPServer(("127.0.0.1", 0), Handler) for name in ("server", "stranger", "plain")}
    for name, server in servers.items():
        if name != "plain":
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            context.load_cert_chain(str(folder / (name + ".crt")), str(folder / (name + ".key")))
            server.socket = context.wrap_socket(server.socket, server_side=True)
        threading.Thread(target=server.serve_forever, daemon=True).start()
    ports = {name: server.server_address[1] for name, server in servers.items()}
    kubeconfig = folder / "kubeconfig"
    kubeconfig.write_text(json.dumps({
        "apiVersion": "v1", "kind": "Config", "current-context": "x", "users": [{"name": "u", "user": {}}],
        "clusters": [{"name": "c", "cluster": {"server": "https://127.0.0.1:%d" % ports["server"], "certificate-authority": str(folder / "ca.crt")}}],
        "contexts": [{"name": "x", "context": {"cluster": "c", "user": "u"}}]}))
    yield {"kubeconfig": str(kubeconfig), "ports": ports, "folder": folder}
    for server in servers.values():
        server.shutdown()
        server.server_close()


def observe(site, monkeypatch, kubelet="server", **changes):
    port = site["ports"].get(kubelet, 1)
    monkeypatch.setattr(health_client, "KUBELET_PORT", port)
    expected = dict({"api_servers": [{"name": "cp1", "address": "127.0.0.1", "port": site["ports"]["server"]}],
                     "nodes": [{"name": "cp1", "address": "127.0.0.1"}], "balancers": [{"name": "lb1", "address": "127.0.0.1"}]}, **changes)
    page = "http://{address}:%d/balancer-health.json" % site["ports"]["plain"]
    return HealthClient(site["kubeconfig"], expected, timeout=2, balancer_page=page).observe()


def test_what_a_cluster_says_is_read(site, monkeypatch):
    seen = observe(site, monkeypatch)
    assert seen.get("endpoint") == {"status": 200, "body": "[+]etcd ok\nreadyz check passed"}
    assert seen.get("nodes") == [NODE]
    assert seen.get("balancers") == {"lb1": {"status": 200, "serving": ["cp1"]}}
    assert seen.get("kubelets")["cp1"]["verified"] is True
    days = (seen.get("api_servers")["cp1"]["not_after"] - time.time()) / 86400
    assert DAYS - 1 < days <= DAYS


def test_what_could_not_be_read_has_its_reason(site, monkeypatch):
    with pytest.raises(Unknown, match="the API answered 404"):
        observe(site, monkeypatch).get("node_metrics")


def test_a_strangers_certificate_is_not_trusted(site, monkeypatch):
    answer = observe(site, monkeypatch, kubelet="stranger").get("kubelets")["cp1"]
    assert "self-signed" in answer["untrusted"] or "self signed" in answer["untrusted"]


def test_a_host_that_is_no_node_yet_costs_no_time_out(site, monkeypatch):
    begun = time.monotonic()
    # 192.0.2.0/24 is nobody's: each of them would be waited for.
    absent = [{"name": "gpu%d" % number, "address": "192.0.2.%d" % number} for number in range(1, 100)]
    answers = observe(site, monkeypatch, nodes=[{"name": "cp1", "address": "127.0.0.1"}, *absent]).get("kubelets")
    assert len(answers) == 100 and answers["cp1"]["verified"] and answers["gpu7"] == {"error": "it has no Node"}
    assert time.monotonic() - begun < 5


def test_a_kubelet_out_of_reach_is_asked_through_the_api(site, monkeypatch):
    answer = observe(site, monkeypatch, kubelet="nobody").get("kubelets")["cp1"]
    assert answer["proxied"] is True and "no TLS connection to 127.0.0.1:1" in answer["error"]


def test_an_api_server_that_is_gone_leaves_the_rest_readable(site, monkeypatch):
    seen = observe(site, monkeypatch, api_servers=[{"name": "cp1", "address": "127.0.0.1", "port": 1}])
    assert "no answer from" in seen.get("api_servers")["cp1"]["error"]
    assert seen.get("nodes") == [NODE]


@pytest.mark.parametrize(("text", "words"), [(None, "there is no kubeconfig"), ("{]", "cannot be used"), ("{}", "cannot be used")])
def test_a_kubeconfig_that_cannot_be_used_is_an_error_with_its_path(tmp_path, text, words):
    path = tmp_path / "kubeconfig"
    if text is not None:
        path.write_text(text)
    with pytest.raises(IronrackError, match=words) as error:
        HealthClient(str(path), {})
    assert str(path) in str(error.value)
