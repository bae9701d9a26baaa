# Copyright (c) 2026, ironrack.cluster contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A release is asked over real HTTP: by pods that answer, fail, are slow, never end, or are not there."""
from __future__ import annotations

import json
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest
from ansible.module_utils.testing import patch_module_args
from ansible_collections.ironrack.cluster.plugins.modules import llm_probe


class Pod(BaseHTTPRequestHandler):
    """Answers as its path says."""

    def do_GET(self):
        """Answer one request."""
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        with self.server.lock:
            self.server.asked.append(self.path)
            self.server.busy += 1
            self.server.most = max(self.server.most, self.server.busy)
        if self.path == "/slow":
            time.sleep(0.3)
        self.send_response(500 if self.path == "/broken" else 200)
        self.end_headers()
        with self.server.lock:
            self.server.busy -= 1
        if self.path == "/endless":
            try:
                while True:
                    self.wfile.write(b"x")
                    time.sleep(0.05)
            except OSError:
                return
        self.wfile.write(json.dumps({"choices": [{"text": "hello"}], "sent": body.decode(), "kind": self.headers.get("Content-Type")}).encode())

    do_POST = do_GET

    def log_message(self, *arguments):
        """Nobody reads it."""


@pytest.fixture
def pods():
    servers = []
    for _number in range(2):
        server = ThreadingHTTPServer(("127.0.0.1", 0), Pod)
        server.asked, server.lock, server.busy, server.most = [], threading.Lock(), 0, 0
        server.url = "http://127.0.0.1:%d" % server.server_port
        threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True).start()
        servers.append(server)
    yield servers
    for server in servers:
        server.shutdown()
        server.server_close()


def call(capsys, targets, tests, **more):
    with patch_module_args(dict({"targets": targets, "tests": tests}, **more)), pytest.raises(SystemExit):
        llm_probe.main()
    return json.loads(capsys.readouterr().out)


def test_a_good_release_passes_and_its_pods_are_asked_in_turn(pods, capsys):
    result = call(capsys, [pod.url for pod in pods], {
        "functional": [{"method": "POST", "body": {"prompt": "a"}, "json": [
            {"path": "choices.0.text", "equals": "hello"}, {"path": "sent", "equals": '{"prompt": "a"}'}, {"path": "kind", "equals": "application/json"}]}],
        "performance": {"path": "/fast", "requests": 5, "p50": 2, "p95": 5}, "load": {"path": "/load", "requests": 40, "concurrency": 4, "p95": 5}})
    assert (result["verdict"], result["changed"]) == ("pass", False)
    assert [(one["test"], one["name"], one["verdict"]) for one in result["checks"]] == [
        ("functional", "POST /", "pass"), ("performance", "errors", "pass"), ("performance", "p50", "pass"), ("performance", "p95", "pass"),
        ("load", "errors", "pass"), ("load", "p95", "pass")]
    assert [pod.asked.count("/load") for pod in pods] == [20, 20] and sum(len(pod.asked) for pod in pods) == 46


def test_load_is_bounded_in_number_at_a_time(pods, capsys):
    call(capsys, [pods[0].url], {"load": {"path": "/slow", "requests": 9, "concurrency": 3, "p95": 5}})
    assert 2 <= pods[0].most <= 3


def test_errors_slowness_and_an_answer_that_never_ends_fail(pods, capsys):
    result = call(capsys, [pods[0].url], {
        "functional": [{"path": "/broken", "name": "b"}, {"path": "/endless", "timeout": 1, "name": "e"}],
        "performance": {"path": "/slow", "requests": 2, "p95": 0.1}})
    found = {one["name"]: (one["verdict"], one["why"]) for one in result["checks"]}
    assert result["verdict"] == "fail" and found["b"][1].startswith("status 500, expected 200")
    assert found["e"] == ("fail", "a broken answer: it had not ended when its time was up")
    assert found["p95"][0] == "fail" and found["errors"][0] == "pass"


def test_nobody_there_is_a_failure_and_no_target_no_pass(pods, capsys):
    pods[0].shutdown()
    pods[0].server_close()
    result = call(capsys, [pods[0].url], {"functional": [{}]})
    assert result["verdict"] == "fail" and "no answer: 127.0.0.1" in result["checks"][0]["why"]
    assert call(capsys, [], {"functional": [{}], "load": {}})["verdict"] == "inconclusive"
    assert call(capsys, [pods[1].url], {})["verdict"] == "inconclusive"


def test_time_that_is_up_is_no_verdict(pods, capsys):
    result = call(capsys, [pods[0].url], {"load": {"path": "/slow", "requests": 50, "concurrency": 2, "seconds": 1, "p95": 5}})
    assert {one["verdict"] for one in result["checks"]} == {"inconclusive"} and "requests were asked in 1 s" in result["checks"][0]["why"]
    result = call(capsys, [pods[0].url], {"functional": [{"path": "/endless", "name": "a"}, {"name": "b"}]}, functional_seconds=1)
    assert [(one["name"], one["verdict"]) for one in result["checks"]] == [("a", "inconclusive"), ("b", "inconclusive")]


def test_a_check_run_asks_nothing(pods, capsys):
    result = call(capsys, [pods[0].url], {"functional": [{}], "load": {}}, _ansible_check_mode=True)
    assert result["verdict"] == "inconclusive" and pods[0].asked == []


def test_bad_tests_and_targets_are_told_at_once(pods, capsys):
    result = call(capsys, ["https://a", "10.0.0.1"], {"load": {"requests": 0}, "lod": {}})
    assert result["failed"] and [one["where"] for one in result["problems"]] == ["tests.lod", "tests.load.requests", "targets", "targets"]
