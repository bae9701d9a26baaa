# Copyright (c) 2026, ironrack.cluster contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The client of OpenSearch against servers of the test: which one is asked, what comes back, and that no write is sent twice."""
from __future__ import annotations

import socket
import time

import pytest

from ansible_collections.ironrack.cluster.plugins.module_utils._common.errors import IronrackError
from ansible_collections.ironrack.cluster.plugins.module_utils._opensearch import client as clients
from ansible_collections.ironrack.cluster.plugins.module_utils._opensearch.client import OpenSearchClient, OpenSearchError, OpenSearchUnreachable
from ansible_collections.ironrack.cluster.tests.unit.plugins.opensearch_engine import Engine

PARAMS = {"ca_file": None, "cert_file": None, "key_file": None, "username": None, "password": None, "request_timeout": 5}
NOBODY = "http://127.0.0.1:1"
SETTINGS = "/_cluster/settings"


@pytest.fixture(name="engines")
def engines_fixture():
    made = [Engine(), Engine()]
    yield made
    for engine in made:
        engine.stop()


def connect(*urls, **changed):
    return OpenSearchClient(dict(PARAMS, urls=list(urls), **changed))


def test_any_status_comes_back_with_its_document(engines):
    client = connect(engines[0].url)
    assert client.request("PUT", SETTINGS, {"persistent": {"a.b": 1}})[0] == 200
    assert client.request("GET", SETTINGS, params={"flat_settings": True}) == (200, {"persistent": {"a.b": "1"}, "transient": {}})
    assert client.request("POST", "/_plugins/_sm/policies/p%2Fq", {"creation": {"schedule": {}}}) == (201, {"_id": "q"})
    assert client.request("HEAD", "/logs-1") == (200, {}) and client.request("HEAD", "/logs-3") == (404, {})
    engines[0].answers[("GET", "/")] = (401, "Unauthorized\n")
    assert client.request("GET", "/") == (401, {"error": "Unauthorized"})


def test_lines_of_json_are_sent_as_they_are(engines):
    engines[0].answers[("POST", "/_bulk")] = (200, {"errors": False})
    connect(engines[0].url).request("POST", "/_bulk", '{"index": {}}\n{"a": 1}\n', params={"refresh": True, "routing": None})
    assert engines[0].asked == [("POST", "/_bulk", {"refresh": "true"}, '{"index": {}}\n{"a": 1}\n', "")]


def test_the_user_logs_in_and_another_one_too(engines):
    engines[0].passwords = {"me": "word:with colon", "you": "other"}
    client = connect(engines[0].url, username="me", password="word:with colon")
    assert client.request("GET", "/_plugins/_security/authinfo")[1] == {"user_name": "me"}
    assert client.as_user("you", "other").request("GET", "/_plugins/_security/authinfo")[1] == {"user_name": "you"}
    assert client.as_user("you", "wrong").request("GET", "/_plugins/_security/authinfo")[0] == 401


def test_one_that_is_silent_is_asked_last_from_then_on(engines):
    client = connect(NOBODY, engines[0].url)
    for method, body in (("GET", None), ("PUT", {"persistent": {}})):
        assert client.request(method, SETTINGS, body, params={"flat_settings": True})[0] == 200
    assert [url for url, _connection in client._nodes] == [engines[0].url, NOBODY]


def test_a_write_that_was_never_sent_goes_to_the_next_one(engines):
    assert connect(NOBODY, engines[0].url).request("PUT", SETTINGS, {"persistent": {"a": "b"}})[0] == 200
    assert engines[0].persistent == {"a": "b"}


def test_a_write_without_an_answer_is_not_sent_again(engines):
    engines[0].delay = 3
    client = connect(*[engine.url for engine in engines], request_timeout=1)
    with pytest.raises(OpenSearchUnreachable, match="no answer in 1 s.*may have been done or not"):
        client.request("PUT", SETTINGS, {"persistent": {"a": "b"}})
    assert not engines[1].asked
    assert client.request("GET", SETTINGS, params={"flat_settings": True})[0] == 200 and len(engines[1].asked) == 1


def test_a_question_without_an_answer_goes_to_the_next_one(engines):
    engines[0].delay = 3
    assert connect(*[engine.url for engine in engines], request_timeout=1).request("HEAD", "/logs-1")[0] == 200


def test_a_node_without_a_cluster_is_passed_over_where_another_one_has_it(engines):
    lost = (503, {"error": {"type": "cluster_manager_not_discovered_exception", "reason": None}, "status": 503})
    engines[0].answers[("GET", "/_cluster/health")] = lost
    client = connect(*[engine.url for engine in engines])
    assert client.request("GET", "/_cluster/health")[1]["status"] == "green"
    engines[1].answers[("GET", "/_cluster/health")] = lost
    assert client.request("GET", "/_cluster/health") == lost
    engines[1].answers[("PUT", SETTINGS)] = lost
    assert client.request("PUT", SETTINGS, {})[0] == 503 and not [asked for asked in engines[0].asked if asked[0] == "PUT"]


def test_nobody_answers():
    with pytest.raises(OpenSearchUnreachable, match="no node of OpenSearch gave an answer to GET /x: http://127.0.0.1:1: .*refused") as raised:
        connect(NOBODY).request("GET", "/x")
    assert "object at" not in str(raised.value) and raised.value.details["urls"] == [NOBODY]
    with pytest.raises(OpenSearchUnreachable, match="gave an answer"):
        connect("http://nobody.invalid:9200").request("PUT", "/x", {})


def test_a_host_that_takes_no_connection_does_not_cost_the_time_of_an_answer(monkeypatch):
    monkeypatch.setattr(clients, "CONNECT", 1)
    with socket.socket() as full, socket.socket() as first, socket.socket() as second:
        full.bind(("127.0.0.1", 0))
        full.listen(0)
        first.setblocking(False)
        second.setblocking(False)
        for one in (first, second):  # the queue is full after these, and the kernel drops what comes then
            one.connect_ex(full.getsockname())
        started = time.monotonic()
        with pytest.raises(OpenSearchUnreachable, match="no connection in 1 s"):
            connect("http://127.0.0.1:%d" % full.getsockname()[1], request_timeout=60).request("PUT", "/x", {})
        assert time.monotonic() - started < 20


@pytest.mark.parametrize("status, answer, words", [
    (400, {"error": {"type": "a", "reason": "one", "caused_by": {"type": "b", "reason": "two"}}, "status": 400}, "answered 400 to the thing: one; two"),
    (500, {"error": {"reason": "all shards failed", "failed_shards": [{"reason": {"reason": "deep"}}]}}, "all shards failed; deep"),
    (400, {"status": "error", "reason": "Invalid configuration", "invalid_keys": {"keys": "x"}}, 'Invalid configuration; invalid_keys: {"keys": "x"}'),
    (401, "Unauthorized", "Unauthorized. The user is not known"),
    (403, {"error": {"reason": "no permissions for [x]"}}, "no permissions for .x.. Whoever asks has no right to"),
    (503, "OpenSearch Security not initialized.", "not initialized"), (409, {}, "run this again"), (418, {}, "answered 418 to the thing$")])
def test_what_nobody_expected_is_told_in_words(engines, status, answer, words):
    engines[0].answers[("PUT", "/x")] = (status, answer)
    with pytest.raises(OpenSearchError, match=words) as raised:
        connect(engines[0].url).expect("PUT", "/x", {}, what="the thing")
    assert raised.value.details["status"] == status


def test_what_cannot_be_asked_so_is_refused_with_all_the_reasons():
    with pytest.raises(IronrackError) as raised:
        connect("node:9200", "https://me:secret@node", "http://node:9200", "https://node?x", username="me", cert_file="/c", request_timeout=0)
    words = str(raised.value)
    assert words.count("\n- ") == 7 and "secret@" not in words
    assert "urls, number 3: node would get the credentials in clear text" in words and "cert_file and key_file go together" in words
    assert clients.problems_of(dict(PARAMS, urls=[])) == ["urls names no address of the cluster"]
    assert clients.problems_of(dict(PARAMS, urls=["https://[2001:db8::51]:9200", "https://os1/prefix"], username="a", password="b")) == []


def test_a_certificate_that_is_not_there_yet_is_nobody_to_ask(tmp_path):
    with pytest.raises(OpenSearchUnreachable, match="there is no ca_file at"):
        connect("https://127.0.0.1:1", ca_file=str(tmp_path / "ca.crt"))
    (tmp_path / "ca.crt").write_text("nothing")
    with pytest.raises(IronrackError, match="cannot be used"):
        connect("https://127.0.0.1:1", ca_file=str(tmp_path / "ca.crt"))


def test_a_missing_package_is_one_clear_error(monkeypatch):
    monkeypatch.setattr(clients, "IMPORT_ERROR", "no module")
    with pytest.raises(IronrackError, match="opensearch-py"):
        connect(NOBODY)


def test_names_are_one_part_of_a_path():
    assert clients.quoted("a/b c") == "a%2Fb%20c"
