# Copyright (c) 2026, ironrack.cluster contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""ironrack.cluster.mirror_images against a registry of a few lines."""
from __future__ import annotations

import json
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest
from ansible.module_utils.testing import patch_module_args

from ansible_collections.ironrack.cluster.plugins.modules import mirror_images

SUM = "ab" * 32


@pytest.fixture
def registry():
    """A registry that knows digests by PATH:TAG."""
    digests = {}

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self):
            self.send_response(200)
            self.end_headers()

        def do_HEAD(self):
            dummy, dummy, path = self.path.partition("/v2/")
            name, dummy, tag = path.partition("/manifests/")
            found = digests.get("%s:%s" % (name, tag))
            self.send_response(200 if found else 404)
            if found:
                self.send_header("Docker-Content-Digest", found)
            self.end_headers()

        def log_message(self, *dummy):
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield "http://127.0.0.1:%d" % server.server_port, digests
    server.shutdown()


@pytest.fixture
def run(capsys, monkeypatch, tmp_path):
    (tmp_path / "manifest.json").write_text(json.dumps({"version": 1, "files": {
        "images/pause.tar": {"sha256": SUM, "size": 1, "image": "registry.k8s.io/pause", "tag": "3.10", "digest": "sha256:1"},
        "images/dns.tar": {"sha256": SUM, "size": 1, "image": "registry.k8s.io/coredns/coredns", "tag": "v1", "digest": "sha256:2"}}}))
    ran = []

    def call(url, check=False, pushes=None, **params):
        def command(self, argv, **dummy):
            ran.append(argv)
            if pushes is not None:
                pushes(argv)
            return 0, "", ""

        monkeypatch.setattr(mirror_images.AnsibleModule, "run_command", command)
        with patch_module_args(dict(params, registry=url, root=params.get("root", str(tmp_path)), timeout=1, _ansible_check_mode=check)):
            with pytest.raises(SystemExit):
                mirror_images.main()
        return json.loads(capsys.readouterr().out), ran
    return call


def test_what_is_missing_is_pushed(run, registry, tmp_path):
    url, digests = registry
    digests["pause:3.10"] = "sha256:1"
    assert run(url, check=True)[0]["pushed"] == ["coredns/coredns:v1"]
    result, ran = run(url, pushes=lambda argv: digests.update({"coredns/coredns:v1": "sha256:2"}))
    assert result["pushed"] == ["coredns/coredns:v1"]
    assert ran == [["/usr/local/bin/crane", "push", "--insecure", "%s/images/dns.tar" % tmp_path, url[7:] + "/coredns/coredns:v1"]]
    assert not run(url)[0]["changed"]


def test_another_digest_is_replaced_and_a_wrong_one_is_an_error(run, registry):
    url, digests = registry
    digests.update({"pause:3.10": "sha256:1", "coredns/coredns:v1": "sha256:old"})
    result = run(url)[0]
    assert result["failed"] and "sha256:old" in result["msg"]


def test_a_registry_that_is_not_there_yet_lacks_everything_in_check_mode(run):
    assert len(run("http://127.0.0.1:9", check=True)[0]["pushed"]) == 2
    assert "waited 1 s" in run("http://127.0.0.1:9")[0]["msg"]


def test_check_mode_before_the_bundle_came(run, tmp_path):
    assert run("http://127.0.0.1:9", check=True, root=str(tmp_path / "none"))[0]["changed"]


def test_images_on_their_way_are_predicted(run, registry):
    url, digests = registry
    digests.update({"pause:3.10": "sha256:1", "coredns/coredns:v1": "sha256:2"})
    assert run(url, check=True, pending=["files/x", "images/new.tar"])[0]["pushed"] == ["images/new.tar"]
    assert not run(url, check=True, pending=["files/x"])[0]["changed"]
