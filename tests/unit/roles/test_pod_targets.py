# Copyright (c) 2026, ironrack.cluster contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The daemon that tells Prometheus the pods of a service, against an API over real TLS."""
from __future__ import annotations

import http.server
import importlib.util
import json
import os
import pathlib
import ssl
import subprocess
import threading

import pytest

SOURCE = pathlib.Path(__file__).parents[3] / "roles" / "monitoring" / "files" / "pod_targets.py"
spec = importlib.util.spec_from_file_location("pod_targets", SOURCE)
pod_targets = importlib.util.module_from_spec(spec)
spec.loader.exec_module(pod_targets)

LABELS = {"service": "ironrack.cluster/service", "release": "ironrack.cluster/release"}
CHAT = {"name": "chat", "namespace": "inference", "port": 8080}


def pod(name, address="10.244.1.2", phase="Running", release="v1"):
    return {"metadata": {"name": name, "namespace": "inference", "labels": {"ironrack.cluster/release": release}}, "spec": {"nodeName": "gpu1"},
            "status": {"phase": phase, "podIP": address}}


def test_running_pods_with_an_address_are_targets():
    found = pod_targets.targets([pod("b", "10.244.1.3", release="v2"), pod("a"), pod("c", phase="Pending"), pod("d", address=None), pod("e", "fd00::5")],
                                CHAT, LABELS)
    assert [entry["targets"] for entry in found] == [["10.244.1.2:8080"], ["10.244.1.3:8080"], ["[fd00::5]:8080"]]
    assert found[1]["labels"] == {"service": "chat", "release": "v2", "pod": "b", "namespace": "inference", "host": "gpu1"}


class Api:
    """The lists of an API server, or its silence."""

    def __init__(self, *answers):
        self.answers = list(answers)
        self.asked = []

    def pods(self, namespace, selector):
        self.asked.append((namespace, selector))
        answer = self.answers.pop(0)
        if isinstance(answer, Exception):
            raise answer
        return answer

    def close(self):
        """Nothing is open."""


def discovery(folder, *answers, services=(CHAT,)):
    return pod_targets.Discovery({"services": list(services), "folder": str(folder), "labels": LABELS}, Api(*answers))


def test_the_file_follows_the_pods_and_stays_while_nobody_answers(tmp_path):
    one = discovery(tmp_path, [pod("a")], OSError("away"), ValueError("the API answered 403"), [])
    path = tmp_path / "chat.json"
    assert one.step() and json.loads(path.read_text())[0]["targets"] == ["10.244.1.2:8080"]
    os.utime(path, (1, 1))
    assert not one.step() and not one.step() and json.loads(path.read_text()) and path.stat().st_mtime == 1
    assert one.step() and json.loads(path.read_text()) == []
    assert path.stat().st_mode & 0o777 == 0o644


def test_an_unchanged_answer_renews_the_files_time_alone(tmp_path):
    one = discovery(tmp_path, [pod("a")], [pod("a")])
    one.step()
    path = tmp_path / "chat.json"
    before = path.stat().st_ino
    os.utime(path, (1, 1))
    one.step()
    assert path.stat().st_ino == before and path.stat().st_mtime > 1


def test_one_services_trouble_is_not_anothers(tmp_path):
    one = discovery(tmp_path, KeyError("items"), [pod("a")], services=(CHAT, dict(CHAT, name="embed")))
    assert not one.step() and (tmp_path / "embed.json").exists() and not (tmp_path / "chat.json").exists()


def test_services_that_are_no_more_are_forgotten(tmp_path):
    (tmp_path / "old.json").write_text("[]")
    (tmp_path / "chat.json").write_text("[]")
    discovery(tmp_path).forget()
    assert [path.name for path in tmp_path.iterdir()] == ["chat.json"]


@pytest.fixture(name="server")
def server_fixture(tmp_path):
    subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "2", "-subj", "/CN=api",
                    "-addext", "subjectAltName=IP:127.0.0.1", "-keyout", str(tmp_path / "key"), "-out", str(tmp_path / "crt")], check=True, capture_output=True)
    asked = []

    class Handler(http.server.BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self):
            asked.append(self.path)
            body = json.dumps({"items": [pod("a")]}).encode() if "inference" in self.path else b"no such namespace"
            self.send_response(200 if "inference" in self.path else 403)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *arguments):
            """Say nothing."""

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(tmp_path / "crt", tmp_path / "key")
    context.load_verify_locations(tmp_path / "crt")
    context.verify_mode = ssl.CERT_REQUIRED
    server.socket = context.wrap_socket(server.socket, server_side=True)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield {"server": "https://127.0.0.1:%d" % server.server_address[1], "ca": str(tmp_path / "crt"), "cert": str(tmp_path / "crt"),
           "key": str(tmp_path / "key"), "timeout": 5}, asked
    server.shutdown()
    server.server_close()


def test_the_api_is_asked_over_mutual_tls_from_its_cache(server):
    config, asked = server
    api = pod_targets.Api(config)
    assert [api.pods("inference", "ironrack.cluster/service=chat")[0]["metadata"]["name"] for dummy in range(2)] == ["a", "a"]
    assert asked[0] == "/api/v1/namespaces/inference/pods?labelSelector=ironrack.cluster%2Fservice%3Dchat&resourceVersion=0"
    with pytest.raises(ValueError, match="answered 403: no such namespace"):
        api.pods("elsewhere", "x=y")
    api.close()
