# Copyright (c) 2026, ironrack.cluster contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The client of Prometheus against a server that answers what a real one does only on its bad days. A real one: tests/real/test_prometheus.py."""
from __future__ import annotations

import http.server
import json
import math
import threading
import time
from urllib.parse import parse_qs

import pytest

from ansible_collections.ironrack.cluster.plugins.module_utils._slo import prometheus

PARAMS = {"url": "http://127.0.0.1:1", "ca_file": None, "token_file": None, "username": None, "password_file": None, "timeout": 1, "max_age": 30}


def good(kind, result, **more):
    return json.dumps(dict({"status": "success", "data": {"resultType": kind, "result": result}}, **more))


class Server:
    """Answers each request with ``status`` and ``body``, and remembers it."""

    def __init__(self):
        self.status, self.body, self.length, self.delay, self.location = 200, good("scalar", [1, "1"]), None, 0, None
        self.asked = []
        server = self

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_POST(self):
                form = parse_qs(self.rfile.read(int(self.headers["Content-Length"])).decode())
                server.asked.append((self.path, {name: values[0] for name, values in form.items()}, self.headers["Authorization"]))
                time.sleep(server.delay)
                self.send_response(server.status)
                self.send_header("Content-Length", str(server.length or len(server.body)))
                if server.location:
                    self.send_header("Location", server.location)
                self.end_headers()
                self.wfile.write(server.body.encode())

            def do_GET(self):
                server.asked.append((self.path, {}, self.headers["Authorization"]))
                self.send_error(404)

            def log_message(self, *arguments):
                """Say nothing."""

        self._http = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = "http://127.0.0.1:%d" % self._http.server_address[1]
        threading.Thread(target=self._http.serve_forever, args=(0.01,), daemon=True).start()

    def stop(self):
        self._http.shutdown()
        self._http.server_close()


@pytest.fixture
def server():
    made = Server()
    yield made
    made.stop()


def client(server, **changed):
    return prometheus.Prometheus(dict(PARAMS, url=server.url, **changed))


def test_a_query_is_asked_at_a_moment_and_parsed(server):
    server.body = good("vector", [{"metric": {"__name__": "up", "job": "x"}, "value": [5, "NaN"]}, {"metric": {}, "value": [5, "+Inf"]}], infos=["a hint"])
    kind, result = client(server).query("up", at=1234.5678)
    assert kind == "vector" and [labels for labels, number in result] == [{"__name__": "up", "job": "x"}, {}]
    assert math.isnan(result[0][1]) and result[1][1] == math.inf
    assert server.asked == [("/api/v1/query", {"query": "up", "timeout": "1s", "time": "1234.568"}, None)]


def test_the_last_of_the_samples_counts(server):
    server.body = good("matrix", [{"metric": {"a": "b"}, "values": [[1, "10"], [3, "30"], [2, "20"]]}, {"metric": {"a": "c"}, "values": []}])
    assert client(server).last_samples("up", 9, 30) == [({"a": "b"}, 3.0, 30.0)]
    server.body = good("vector", [])
    with pytest.raises(prometheus.BadQuery):
        client(server).last_samples("up", 9, 30)


def test_secrets_come_from_files(server, tmp_path):
    secret = tmp_path / "secret"
    secret.write_text("word\n")
    client(server, token_file=str(secret)).clock()
    client(server, username="reader", password_file=str(secret)).clock()
    assert [asked[2] for asked in server.asked] == ["Bearer word", "Basic cmVhZGVyOndvcmQ="]


def test_secrets_do_not_follow_a_redirect(server, tmp_path):
    secret, elsewhere = tmp_path / "secret", Server()
    secret.write_text("word")
    server.status, server.location = 302, elsewhere.url + "/there"
    try:
        with pytest.raises(prometheus.NoAnswer, match="answered 404"):
            client(server, token_file=str(secret)).clock()
        assert elsewhere.asked == [("/there", {}, None)] and server.asked[0][2] == "Bearer word"
    finally:
        elsewhere.stop()


@pytest.mark.parametrize("status, body, error, words", [
    (200, good("vector", [], warnings=["one store did not answer"]), prometheus.NoAnswer, "one store did not answer"),
    (200, "", prometheus.NoAnswer, "no answer of Prometheus"),
    (200, "<html>", prometheus.NoAnswer, "no answer of Prometheus"),
    (200, "[]", prometheus.NoAnswer, "no answer of Prometheus"),
    (200, "{}", prometheus.NoAnswer, "no reason is given"),
    (200, '{"status": "success"}', prometheus.NoAnswer, "no answer of Prometheus"),
    (200, '{"status": "success", "data": null}', prometheus.NoAnswer, "no answer of Prometheus"),
    (200, good("vector", None), prometheus.NoAnswer, "no answer of Prometheus"),
    (200, good("vector", [{"metric": {}}]), prometheus.NoAnswer, "no answer of Prometheus"),
    (200, good("vector", [{"metric": [], "value": [1, "1"]}]), prometheus.NoAnswer, "no answer of Prometheus"),
    (200, good("vector", [{"metric": {}, "value": [1, "many"]}]), prometheus.NoAnswer, "no answer of Prometheus"),
    (200, good("streams", []), prometheus.NoAnswer, "no answer of Prometheus"),
    (200, good("string", [1, "x"]), prometheus.BadQuery, "a text and no number"),
    (202, good("scalar", [1, "1"]), prometheus.NoAnswer, "answered 202"),
    (401, "Unauthorized", prometheus.NoAnswer, "answered 401"),
    (400, '{"status": "error", "errorType": "bad_data", "error": "parse error"}', prometheus.BadQuery, "parse error"),
    (400, '{"status": "error", "error": "a proxy says no"}', prometheus.NoAnswer, "a proxy says no"),
    (422, '{"status": "error", "errorType": "execution", "error": "too many samples"}', prometheus.NoAnswer, "too many samples"),
    (503, '{"status": "error", "errorType": "timeout", "error": "it took too long"}', prometheus.NoAnswer, "it took too long")])
def test_what_is_no_whole_answer_is_none(server, status, body, error, words):
    server.status, server.body = status, body
    with pytest.raises(error, match=words):
        client(server).query("up")


@pytest.mark.parametrize("status", [200, 503])
def test_an_answer_that_breaks_off_is_none(server, status):
    server.status, server.length = status, 1000
    with pytest.raises(prometheus.NoAnswer, match="no answer from"):
        client(server).query("up")


def test_one_that_is_slow_or_away_gives_no_answer(server):
    server.delay = 1.5
    with pytest.raises(prometheus.NoAnswer, match="no answer from"):
        client(server).clock()
    with pytest.raises(prometheus.NoAnswer, match="no answer from"):
        prometheus.Prometheus(PARAMS).clock()


def test_a_clock_that_is_none(server):
    for body in (good("scalar", [1, "NaN"]), good("vector", []), good("scalar", [1, "-1"])):
        server.body = body
        with pytest.raises(prometheus.NoAnswer, match="does not know the time"):
            client(server).clock()


def test_selectors_are_quoted():
    assert prometheus.selector("up", {"job": 'a"b\\'}) == 'up{job="a\\"b\\\\"}'
    assert prometheus.selector("tries", {"service": "chat"}, {"release": prometheus.one_of(["v1.2", "v2"])}, {"status": "499"}) == (
        'tries{service="chat",release=~"v1\\\\.2|v2",status!~"499"}')


@pytest.mark.parametrize("changed, where", [
    ({"url": "prometheus:9090"}, "url"), ({"url": "ftp://host"}, "url"), ({"url": "http://"}, "url"), ({"url": "http://host:port"}, "url"),
    ({"url": "http://host?x=1"}, "url"), ({"url": "http://me:secret@host"}, "url"), ({"url": "http://[::1"}, "url"),
    ({"token_file": "here"}, "url"), ({"url": "https://host", "token_file": "here", "username": "me", "password_file": "here"}, "token_file"),
    ({"username": "me"}, "username"), ({"url": "https://host", "password_file": "here"}, "username"), ({"ca_file": "/nonexistent"}, "ca_file"),
    ({"url": "https://host", "token_file": "empty"}, "token_file"), ({"timeout": 0}, "timeout"), ({"max_age": 0}, "max_age")])
def test_a_connection_that_cannot_be_is_refused(changed, where, tmp_path):
    (tmp_path / "here").write_text("x")
    (tmp_path / "empty").write_text("")
    changed = {name: str(tmp_path / value) if name.endswith("_file") else value for name, value in changed.items()}
    assert where in [problem.where for problem in prometheus.problems_of(dict(PARAMS, **changed))]
    assert "secret@" not in str(prometheus.problems_of(dict(PARAMS, **changed)))


def test_connections_that_can_be():
    for url in ("http://192.0.2.41:9090", "https://monitoring/prometheus/", "http://[2001:db8::41]:9090"):
        assert prometheus.problems_of(dict(PARAMS, url=url)) == []
