# Copyright (c) 2026, ironrack.cluster contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The served application with llama.cpp's real server and a random model: answers, streams, metrics, every switch, drains.

IRONRACK_LLM_WHEEL names the folder with the module xllamacpp, IRONRACK_LLM_IMAGE the one with the image; the gate has lab.artifacts make both.
"""
from __future__ import annotations

import http.client
import json
import os
import signal
import socket
import subprocess
import sys
import tarfile
import threading
import time
from pathlib import Path

import pytest
from ansible_collections.ironrack.cluster.tests.real.served import COMMAND, ROOT, SOON, Served, until
from ansible_collections.ironrack.cluster.tests.traffic import client, tally

from lab.llm import random_model
from lab.llm.values import Refused

IMAGE = Path(os.environ["IRONRACK_LLM_IMAGE"])


@pytest.fixture(name="model", scope="module")
def model_fixture(tmp_path_factory):
    path = tmp_path_factory.mktemp("model") / "model.gguf"
    random_model.write(path)
    return path


@pytest.fixture(name="start")
def start_fixture(model, tmp_path):
    """Starts servers of one test."""
    started = []

    def start(**settings):
        started.append(Served(tmp_path / ("log-%d" % len(started)), **dict({"LLM_MODEL": str(model)}, **settings)))
        return started[-1]

    yield start
    for server in started:
        server.process.kill()
        server.process.wait()


@pytest.fixture(name="shared", scope="module")
def shared_fixture(model, tmp_path_factory):
    server = Served(tmp_path_factory.mktemp("shared") / "log", LLM_MODEL=str(model), LLM_PRICE="2", LLM_METRIC_COST="gpu_cost_total").wait_ready()
    yield server
    server.process.kill()
    server.process.wait()


@pytest.fixture(name="server")
def server_fixture(shared):
    """The server that tests share, without faults."""
    shared.turn("none")
    yield shared
    shared.turn("none")


class TestAnswers:
    def test_says_who_it_is(self, server):
        status, fields, document = server.chat()
        assert status == 200
        assert (fields["X-Release"], fields["X-Pod"], fields["X-Service"]) == ("blue", "pod-1", "llm")
        assert document["object"] == "chat.completion" and document["model"] == "tiny-random"
        assert json.loads(server.get("/v1/models")[2])["data"][0]["id"] == "tiny-random"

    def test_the_same_model_says_the_same(self, server, start):
        other = start(LLM_RELEASE="green").wait_ready()
        said = [part.chat("A question that nobody has asked before.")[2]["choices"][0]["message"]["content"] for part in (server, other)]
        assert said[0] == said[1] != ""

    @pytest.mark.parametrize("options, tokens", [({"max_tokens": None}, 128), ({"max_tokens": 500}, 500)])
    def test_an_answer_is_as_long_as_it_is_to_be(self, server, options, tokens):
        document = server.chat(**options)[2]
        assert document["usage"]["completion_tokens"] == tokens
        assert set(document["choices"][0]["message"]["content"].split()) <= {word.strip() for word in random_model.WORDS}

    def test_a_grammar_makes_a_known_answer(self, server):
        # What a probe of the answers' quality can rely on with a model that knows nothing.
        assert server.chat(grammar='root ::= "yes"')[2]["choices"][0]["message"]["content"] == "yes"

    def test_a_stream_comes_as_it_is_made(self, server):
        server.turn("token_seconds=0.05")
        connection = http.client.HTTPConnection(*server.address, timeout=SOON)
        begun = time.monotonic()
        connection.request("POST", client.CHAT, client.chat(10, stream=True).body)
        answer = connection.getresponse()
        moments = []
        for line in iter(answer.readline, b""):
            moments.append((time.monotonic() - begun, line))
        events = [(moment, line) for moment, line in moments if line.startswith(b"data:")]
        connection.close()
        assert answer.headers["Content-Type"] == "text/event-stream" and events[-1][1].startswith(client.DONE)
        # The role, a token each, the reason of the end, the end.
        assert len(events) == 13 and events[-1][0] - events[0][0] > 0.5
        assert not any(len(line) > 2000 for _moment, line in moments)

    def test_requests_keep_their_connection(self, server):
        clients = client.Clients([server.target()], client.chat(4), workers=4, keys=40, limit=200)
        clients.start()
        clients.join()
        clients.stop()
        summary = tally.summarise(clients.answers)
        assert summary["releases"] == {"blue": {200: 200}} and summary["keys"] == 40
        assert clients.connections == {"opened": 4, "told_to_close": 0}

    @pytest.mark.parametrize("sent, status", [(b"nonsense\r\n\r\n", 400), (b"GET /other HTTP/1.1\r\n\r\n", 404), (b"POST /metrics HTTP/1.1\r\n\r\n", 405),
                                              (b"POST /v1/completions HTTP/1.1\r\nContent-Length: 2000000\r\n\r\n", 413)])
    def test_what_it_does_not_do_it_says(self, server, sent, status):
        with socket.create_connection(server.address, timeout=SOON) as connection:
            connection.sendall(sent)
            assert connection.recv(12) == b"HTTP/1.1 %d" % status

    def test_the_models_own_refusal_is_passed_on(self, server):
        assert server.ask("POST", client.CHAT, "{}")[0] == 400

    def test_a_request_id_comes_back(self, server):
        connection = http.client.HTTPConnection(*server.address, timeout=SOON)
        connection.request("GET", "/v1/models", headers={"X-Request-Id": "abc-1"})
        assert connection.getresponse().headers["X-Request-Id"] == "abc-1"
        connection.close()

    def test_tells_what_a_proxy_has_passed_on(self, server):
        connection = http.client.HTTPConnection(*server.address, timeout=SOON)
        connection.request("GET", "/headers?a=b", headers={"Traceparent": "00-1", "X-Forwarded-For": "10.0.0.1"})
        document = json.loads(connection.getresponse().read())
        connection.close()
        assert document["target"] == "/headers?a=b"
        assert (document["headers"]["traceparent"], document["headers"]["x-forwarded-for"]) == ("00-1", "10.0.0.1")


class TestMetrics:
    def test_every_bound_of_an_slo_is_a_bucket(self, server):
        text = server.get("/metrics")[2].decode()
        for name in ("llm_request_duration_seconds", "llm_inference_duration_seconds"):
            for bound in ("0.1", "0.25", "0.5", "1", "2", "3", "5", "10", "30", "+Inf"):
                assert '\n%s_bucket{kind="plain",le="%s"} ' % (name, bound) in text

    def test_counts_what_it_did(self, server):
        names = ('llm_requests_total{kind="plain",status="200"}', 'llm_requests_total{kind="stream",status="200"}', 'llm_streams_total{end="complete"}',
                 "llm_time_to_first_token_seconds_count", 'llm_tokens_total{kind="completion"}', 'llm_tokens_total{kind="prompt"}',
                 'llm_request_duration_seconds_count{kind="plain"}', 'llm_inference_duration_seconds_count{kind="plain"}', "gpu_cost_total")
        before = {name: server.metric(name) for name in names}
        used = server.chat(max_tokens=5, ignore_eos=True)[2]["usage"]
        assert server.ask("POST", client.CHAT, client.chat(7, stream=True).body)[0] == 200
        until(lambda: server.metric(names[1]) > before[names[1]], "the stream is counted")
        grown = {name: server.metric(name) - before[name] for name in names}
        assert used["completion_tokens"] == 5
        assert [grown[name] for name in names[:5]] == [1, 1, 1, 1, 12]
        assert grown[names[5]] >= used["prompt_tokens"] and [grown[name] for name in names[6:8]] == [1, 1]
        assert grown["gpu_cost_total"] == pytest.approx(2 * (grown[names[4]] + grown[names[5]]) / 1000)

    def test_a_prompt_that_is_asked_again_is_a_cache_hit(self, server):
        names = ("llm_cache_misses_total", "llm_cache_hits_total")
        before = [server.metric(name) for name in names]
        for _again in range(2):
            server.chat("%032x" % 0xfedcba9876543210abcdef, id_slot=2)
        assert [server.metric(name) - value for name, value in zip(names, before)] == [1, 1]

    def test_open_streams_are_seen(self, server):
        server.turn("token_seconds=0.05")
        running = server.streams(5, 10)
        assert server.metric("llm_open_streams") == server.metric("llm_requests_in_flight") == 5
        running.stop()
        assert tally.summarise_streams(running.streams)["ends"] == {"complete": 5, "cut": 0, "error": 0}
        until(lambda: server.metric("llm_open_streams") == 0, "all are closed")

    def test_names_are_settings(self, start):
        server = start(LLM_METRIC_CACHE_HITS="a_total", LLM_METRIC_CACHE_MISSES="b_total", LLM_METRIC_BREAKER="c")
        assert [server.metric(name) for name in ("a_total", "b_total", "c")] == [0, 0, 0]


class TestSwitches:
    def test_errors(self, server):
        server.turn("error_share=1")
        assert server.chat()[0] == 500
        server.turn("error_share=0.5")
        statuses = [server.chat(max_tokens=1)[0] for _turn in range(60)]
        assert 5 < statuses.count(500) < 55 and set(statuses) == {200, 500}

    def test_latency(self, server):
        server.turn("latency_seconds=0.3")
        slow = 'llm_inference_duration_seconds_bucket{kind="plain",le="0.25"}', 'llm_inference_duration_seconds_count{kind="plain"}'
        before = [server.metric(name) for name in slow]
        begun = time.monotonic()
        assert server.chat()[0] == 200
        assert 0.3 <= time.monotonic() - begun
        assert [server.metric(name) - value for name, value in zip(slow, before)] == [0, 1]

    def test_hangs_until_the_client_leaves(self, server):
        server.turn("hang_share=1")
        before = server.metric('llm_requests_total{kind="plain",status="200"}')
        with pytest.raises(TimeoutError):
            server.ask("POST", client.CHAT, client.chat(1).body, timeout=0.3)
        until(lambda: server.metric('llm_requests_total{kind="plain",status="499"}') >= 1, "the client's leaving is counted")
        assert server.metric('llm_requests_total{kind="plain",status="200"}') == before
        assert server.get("/ready")[0] == 200

    def test_wrong_answers_are_well_formed(self, server):
        server.turn("wrong_share=1")
        status, _fields, document = server.chat(grammar='root ::= "yes"')
        assert (status, document["choices"][0]["message"]["content"]) == (200, "wrong")
        status, _fields, data = server.ask("POST", client.CHAT, client.chat(3, stream=True).body)
        texts = [json.loads(event[6:])["choices"][0]["delta"].get("content") for event in data.decode().split("\n\n")[:-2]]
        assert status == 200 and "wrong" in texts and set(texts) == {None, "wrong"}

    def test_cut_streams(self, server):
        server.turn("cut_share=1", "token_seconds=0.02")
        before = server.metric('llm_streams_total{end="cut"}')
        running = server.streams(3, 20)
        running.stop()
        ends = tally.summarise_streams(running.streams)
        assert ends["ends"] == {"complete": 0, "cut": 3, "error": 0} and {failure["status"] for failure in ends["failures"]} == {200}
        assert server.metric('llm_streams_total{end="cut"}') - before == 3

    def test_never_ready(self, server):
        server.turn("never_ready=true")
        assert (server.get("/ready")[0], server.get("/health")[0]) == (503, 200)
        assert server.metric("llm_ready") == 0
        server.turn("none")
        assert server.get("/ready")[0] == 200

    def test_an_open_breaker(self, server):
        server.turn("breaker_open=true")
        status, fields, document = server.chat()
        assert (status, fields["Retry-After"], document["error"]["type"]) == (503, "1", "server_error")
        assert server.metric("llm_circuit_breaker_open") == 1

    def test_a_leak_stops_at_its_limit(self, start):
        server = start(LLM_LEAK_LIMIT_MIB="60", LLM_FAULT_LEAK_MIB_PER_SECOND="100").wait_ready()
        until(lambda: server.metric("process_resident_memory_bytes") > 90 * 2**20, "60 MiB more than 40")
        time.sleep(0.3)
        assert server.metric("process_resident_memory_bytes") < 140 * 2**20

    def test_dies_after_its_time(self, start):
        server = start().wait_ready()
        server.turn("die_after_seconds=0.5")
        begun = time.monotonic()
        assert server.chat()[0] == 200
        assert server.process.wait(SOON) == 1
        assert time.monotonic() - begun > 0.4

    def test_bad_values_change_nothing(self, server):
        before = server.turn("error_share=0.25")
        with pytest.raises(Refused) as refused:
            server.turn("error_share=2", "hang_share=x", "sloth=1", "wrong_share=1")
        assert len(refused.value.reasons) == 3
        assert server.turn() == before


class TestLife:
    def test_a_slow_start(self, start):
        server = start(LLM_READY_AFTER="1.5")
        assert (server.get("/health")[0], server.get("/ready")[0]) == (200, 503)
        status, fields, _document = server.chat()
        assert (status, fields["Retry-After"]) == (503, "1")
        server.wait_ready()
        # uvloop's clock has whole milliseconds, and its timers may be one early
        assert server.said("ready")["seconds"] >= 1.498
        assert server.chat()[0] == 200

    def test_drains_under_an_open_stream(self, start):
        server = start(LLM_DRAIN_GRACE="1", LLM_FAULT_TOKEN_SECONDS="0.05").wait_ready()
        kept = http.client.HTTPConnection(*server.address, timeout=SOON)
        kept.request("GET", "/health")
        kept.getresponse().read()
        running = server.streams(3, 60)
        server.process.send_signal(signal.SIGTERM)
        until(lambda: server.said("drains"), "it drains")
        # Not ready at once; whoever asks yet is answered, and told to go elsewhere: on new connections and on kept ones.
        assert server.get("/ready")[0] == 503
        status, fields, _document = server.chat()
        assert (status, fields["Connection"]) == (200, "close")
        kept.request("GET", "/v1/models")
        answer = kept.getresponse()
        assert (answer.status, answer.headers["Connection"]) == (200, "close")
        kept.close()
        refused = threading.Event()

        def knock():
            while not refused.wait(0.02):
                try:
                    socket.create_connection(server.address, timeout=1).close()
                except ConnectionRefusedError:
                    refused.set()

        knocking = threading.Thread(target=knock, daemon=True)
        knocking.start()
        running.stop()
        assert refused.is_set(), "the streams ended after the grace, and new clients were still taken"
        knocking.join()
        assert tally.summarise_streams(running.streams)["ends"] == {"complete": 3, "cut": 0, "error": 0}
        assert server.process.wait(SOON) == 0
        assert server.said("ends")["cut"] == 0

    def test_the_end_does_not_wait_for_ever(self, start):
        server = start(LLM_DRAIN_GRACE="0.1", LLM_DRAIN_LIMIT="0.5", LLM_FAULT_HANG_SHARE="1").wait_ready()
        hanging = client.Clients([server.target()], client.chat(1), workers=2, keys=2, timeout=SOON, limit=2)
        hanging.start()
        until(lambda: server.metric("llm_requests_in_flight") == 2, "two requests hang")
        begun = time.monotonic()
        assert server.end() == 0
        assert time.monotonic() - begun >= 0.6
        assert server.said("ends")["cut"] == 2
        hanging.stop()
        assert tally.summarise(hanging.answers)["failed"] == 2

    def test_an_idle_connection_ends_after_its_time(self, start):
        server = start(LLM_IDLE="1").wait_ready()
        with socket.create_connection(server.address, timeout=SOON) as connection:
            begun = time.monotonic()
            assert connection.recv(1) == b""
        assert time.monotonic() - begun >= 0.9

    def test_bad_settings_are_refused_all_at_once(self, tmp_path):
        done = subprocess.run(COMMAND, cwd=ROOT, capture_output=True, text=True, timeout=SOON, check=False,
                              env=dict(os.environ, LLM_SLOTS="0", LLM_PORT_TYPO="1", LLM_MODEL=str(tmp_path / "none"), LLM_FAULT_ERROR_SHARE="7"))
        assert done.returncode == 2
        said = done.stderr.splitlines()
        assert len(said) == 5 and all(line.startswith("llm: LLM_") for line in said)
        assert [name for name in ("LLM_RELEASE", "LLM_SLOTS", "LLM_PORT_TYPO", "LLM_MODEL", "LLM_FAULT_ERROR_SHARE")
                if not any(line.startswith("llm: %s is" % name) for line in said)] == []

    def test_an_address_that_is_taken(self, server, model):
        done = subprocess.run(COMMAND, cwd=ROOT, capture_output=True, text=True, timeout=SOON, check=False,
                              env=dict(os.environ, LLM_RELEASE="blue", LLM_MODEL=str(model), LLM_LISTEN="%s:%d" % server.address))
        assert done.returncode == 1 and "address already in use" in done.stderr


class TestImage:
    @pytest.fixture(name="container")
    def container_fixture(self, tmp_path):
        """The image's process in namespaces of its own, with what it says of itself: its user, its command. Needs root, as the lab does."""
        root = tmp_path / "root"
        with tarfile.open(IMAGE / "llm.tar") as archive:
            manifest = json.load(archive.extractfile("manifest.json"))[0]
            config = json.load(archive.extractfile(manifest["Config"]))["config"]
            for layer in manifest["Layers"]:
                with tarfile.open(fileobj=archive.extractfile(layer)) as files:
                    files.extractall(root, filter="tar")
        (root / "proc").mkdir()   # a container runtime makes it
        alone = ("unshare", "--mount", "--pid", "--fork", "--kill-child", sys.executable, str(ROOT / "tests" / "real" / "as_container.py"))
        server = Served(tmp_path / "log", (*alone, str(root), config["User"].partition(":")[0], *config["Entrypoint"]), LLM_DRAIN_GRACE="0.5")
        yield server
        server.process.kill()
        server.process.wait()

    def test_runs_without_rights_on_a_read_only_root(self, container):
        container.wait_ready()
        assert container.chat(grammar='root ::= "yes"')[2]["choices"][0]["message"]["content"] == "yes"
        assert container.metric("process_resident_memory_bytes") > 10 * 2**20
        (first,) = Path("/proc/%d/task/%d/children" % (container.process.pid, container.process.pid)).read_text().split()
        status = dict(line.split(":", 1) for line in Path("/proc/%s/status" % first).read_text().splitlines())
        assert status["Uid"].split() == ["65532"] * 4 and int(status["CapBnd"], 16) == int(status["CapEff"], 16) == 0
        assert status["NSpid"].split()[-1] == "1"
        os.kill(int(first), signal.SIGTERM)
        assert container.process.wait(SOON) == 0 and container.said("ends") == dict(container.said("ends"), cut=0)
