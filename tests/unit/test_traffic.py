# Copyright (c) 2026, ironrack.cluster contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The counting clients against a real server: nothing is retried, every failure is counted and named."""
from __future__ import annotations

import json
import socket
import ssl
import subprocess
import threading
import time

import pytest
from ansible_collections.ironrack.cluster.tests.traffic import __main__ as command
from ansible_collections.ironrack.cluster.tests.traffic import client, tally


class Server:
    """A real server of raw sockets: ``behave(number, connection)`` has each request's turn, counted over all connections."""

    def __init__(self, behave, context=None):
        self._behave = behave
        self._listener = socket.create_server(("127.0.0.1", 0), backlog=64)
        self._context = context
        self._lock = threading.Lock()
        self.requests = []
        self.connections = 0
        self.target = client.target("http://127.0.0.1:%d" % self._listener.getsockname()[1])
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self):
        while True:
            try:
                connection, _address = self._listener.accept()
            except OSError:
                return
            self.connections += 1
            threading.Thread(target=self._serve, args=(connection,), daemon=True).start()

    def _serve(self, raw):
        try:
            self._talk(raw)
        except OSError:
            pass   # the client has left, as some of them are to

    def _talk(self, raw):
        with self._context.wrap_socket(raw, server_side=True) if self._context else raw as connection, connection.makefile("rb") as stream:
            while True:
                lines = []
                for line in iter(stream.readline, b""):
                    if line == b"\r\n":
                        break
                    lines.append(line.decode().strip())
                else:
                    return
                fields = dict(line.lower().split(": ", 1) for line in lines[1:])
                stream.read(int(fields.get("content-length", 0)))
                with self._lock:
                    self.requests.append((lines[0], fields))
                    number = len(self.requests)
                if self._behave(number, connection) is False:
                    return

    def close(self):
        self._listener.shutdown(socket.SHUT_RDWR)   # wakes the thread that accepts
        self._listener.close()


def send(connection, status=200, body=b"ok", release="blue", *fields):
    lines = ["HTTP/1.1 %d X" % status, "X-Release: " + release, "Content-Length: %d" % len(body), *fields, "", ""]
    connection.sendall("\r\n".join(lines).encode() + body)


def begin_stream(connection, release="blue"):
    connection.sendall(("HTTP/1.1 200 OK\r\nX-Release: %s\r\nTransfer-Encoding: chunked\r\n\r\n" % release).encode())


def chunk(connection, data):
    connection.sendall(b"%x\r\n%s\r\n" % (len(data), data))


@pytest.fixture(name="serve")
def serve_fixture():
    servers = []

    def serve(behave):
        servers.append(Server(behave))
        return servers[-1]

    yield serve
    for server in servers:
        server.close()


def ask(server, requests, workers=1, keys=None, timeout=5.0, request=None):
    """:returns: (answers in the order in which they were asked, connections)."""
    clients = client.Clients([server.target], request or client.get(), workers, keys or workers, timeout=timeout, limit=requests)
    clients.start()
    clients.join()
    clients.stop()
    return sorted(clients.answers, key=lambda answer: answer.issued), clients.connections


def stream(server, count=1, timeout=5.0):
    streams = client.Streams([server.target], client.chat(3, stream=True), count, timeout, stagger=0.0, limit=count)
    streams.start()
    streams.join()
    streams.stop()
    return streams.streams


class TestClients:
    def test_one_connection_and_every_key_in_its_turn(self, serve):
        server = serve(lambda number, connection: send(connection, release="blue" if number % 2 else "green"))
        answers, connections = ask(server, 6, keys=3)
        assert [(answer.key, answer.status, answer.release, answer.error) for answer in answers] == [
            ("client-%d" % (number % 3), 200, ("blue", "green")[number % 2], "") for number in range(6)]
        assert connections == {"opened": 1, "told_to_close": 0} and server.connections == 1
        assert [fields["x-client-key"] for _first, fields in server.requests] == ["client-0", "client-1", "client-2"] * 2

    def test_a_connection_that_is_closed_under_a_request_is_a_failure_and_no_retry(self, serve):
        def behave(number, connection):
            if number == 3:
                return False   # an idle connection that the server closes just when it is used: what a reload of a balancer does
            send(connection)

        server = serve(behave)
        answers, connections = ask(server, 5)
        assert [answer.error for answer in answers] == ["", "", "no answer: the connection ended", "", ""]
        assert len(server.requests) == 5 and connections["opened"] == 2

    def test_a_connection_that_is_closed_while_idle_is_a_failure_too(self, serve):
        def behave(number, connection):
            send(connection)
            return number != 1

        server = serve(behave)
        clients = client.Clients([server.target], client.get(), 1, 1, rate=3, limit=3)
        clients.start()
        clients.join()
        assert [answer.error for answer in clients.answers] == ["", "closed while idle", ""]
        assert len(server.requests) == 2

    def test_one_that_waits_for_its_answer_delays_no_other(self, serve):
        def behave(number, connection):
            if number == 1:
                time.sleep(0.5)
            send(connection)

        clients = client.Clients([serve(behave).target], client.get(), 4, 4, rate=100, limit=40)
        clients.start()
        clients.join()
        asked = sorted(answer.issued for answer in clients.answers)
        # 40 requests are 0.39 s long; four workers that keep a pause each would be behind by a quarter while one of them waits.
        assert 0.3 <= asked[-1] - asked[0] < 0.48 and max(answer.finished - answer.issued for answer in clients.answers) >= 0.5

    def test_an_end_that_was_announced_is_none(self, serve):
        def behave(_number, connection):
            send(connection, 200, b"ok", "blue", "Connection: close")
            return False

        answers, connections = ask(serve(behave), 3)
        assert [answer.error for answer in answers] == ["", "", ""]
        assert connections == {"opened": 3, "told_to_close": 3}

    def test_a_cut_answer(self, serve):
        def behave(_number, connection):
            connection.sendall(b"HTTP/1.1 200 OK\r\nX-Release: green\r\nContent-Length: 10\r\n\r\nabc")
            return False

        answers, _connections = ask(serve(behave), 1)
        assert answers[0][3:] == (200, "green", "cut in the answer: the connection ended inside a body")

    @pytest.mark.parametrize("status", [429, 500, 502, 503])
    def test_a_status_that_is_no_success_keeps_its_connection(self, serve, status):
        server = serve(lambda _number, connection: send(connection, status))
        answers, connections = ask(server, 2)
        assert [(answer.status, answer.error) for answer in answers] == [(status, "HTTP %d" % status)] * 2
        assert connections["opened"] == 1

    def test_a_server_that_hangs(self, serve):
        server = serve(lambda number, connection: None if number == 1 else send(connection))
        begun = time.monotonic()
        answers, connections = ask(server, 2, timeout=0.3)
        assert [answer.error for answer in answers] == ["no whole answer within 0.3 s", ""]
        assert 0.3 <= time.monotonic() - begun < 3 and connections["opened"] == 2

    def test_an_answer_that_trickles_ends_at_the_time_limit(self, serve):
        def behave(_number, connection):
            connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n")
            try:
                for _piece in range(100):
                    connection.sendall(b"x")
                    time.sleep(0.05)
            except OSError:
                return False   # the client has left

        begun = time.monotonic()
        assert ask(serve(behave), 1, timeout=0.4)[0][0].error == "no whole answer within 0.4 s"
        assert time.monotonic() - begun < 3

    def test_nobody_there(self):
        with socket.socket() as bound:   # and never listening
            bound.bind(("127.0.0.1", 0))
            clients = client.Clients([client.target("http://127.0.0.1:%d" % bound.getsockname()[1])], client.get(), 1, 1, limit=2)
            clients.start()
            clients.join()
        assert [(answer.status, answer.release, answer.error) for answer in clients.answers] == [(0, "", "no connection: ConnectionRefusedError")] * 2

    def test_no_http(self, serve):
        def behave(_number, connection):
            connection.sendall(b"hello\r\n\r\n")
            return False

        assert ask(serve(behave), 1)[0][0].error == "no answer: 'hello'"

    def test_each_key_has_its_worker(self, serve):
        places = {}

        def behave(number, connection):
            places.setdefault(server.requests[number - 1][1]["x-client-key"], set()).add(connection.fileno())
            send(connection)

        server = serve(behave)
        answers, connections = ask(server, 200, workers=4, keys=20)
        assert len(answers) == 200 and connections["opened"] == 4
        assert {len(place) for place in places.values()} == {1}

    def test_over_tls_the_name_is_checked(self, tmp_path):
        subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "2", "-subj", "/CN=test",
                        "-addext", "subjectAltName=DNS:llm.test", "-keyout", tmp_path / "tls.key", "-out", tmp_path / "tls.crt"],
                       check=True, capture_output=True)
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(tmp_path / "tls.crt", tmp_path / "tls.key")
        server = Server(lambda _number, connection: send(connection), context)
        for name, error in (("llm.test", ""), ("other.test", "no connection: SSLCertVerificationError")):
            at = client.target("https://127.0.0.1:%d" % server.target.port, name, str(tmp_path / "tls.crt"))
            clients = client.Clients([at], client.get(), 1, 1, limit=2)
            clients.start()
            clients.join()
            assert [answer.error for answer in clients.answers] == [error] * 2
        server.close()
        assert [fields["host"] for _first, fields in server.requests] == ["llm.test"] * 2

    @pytest.mark.parametrize("workers, keys", [(0, 1), (3, 2)])
    def test_a_worker_needs_a_key(self, workers, keys):
        with pytest.raises(ValueError, match="a key for each"):
            client.Clients([client.target("http://127.0.0.1:1")], client.get(), workers, keys)

    @pytest.mark.parametrize("url", ["127.0.0.1:80", "ftp://a", "http://"])
    def test_a_url_that_is_none(self, url):
        with pytest.raises(ValueError, match="expected http"):
            client.target(url)

    def test_what_breaks_inside_is_not_lost(self):
        class Broken(client.Background):
            async def work(self):
                raise RuntimeError("broken")

        broken = Broken()
        broken.start()
        with pytest.raises(RuntimeError, match="broken"):
            broken.stop()


class TestStreams:
    @staticmethod
    def events(connection, count=3):
        for _event in range(count):
            chunk(connection, b'data: {"choices":[]}\n\n')

    def test_complete(self, serve):
        def behave(_number, connection):
            begin_stream(connection)
            self.events(connection)
            chunk(connection, b"data: [DO")
            chunk(connection, b"NE]\n\n")
            connection.sendall(b"0\r\n\r\n")

        found = stream(serve(behave), 3)
        assert [(one.end, one.events, one.release, one.error) for one in found] == [("complete", 4, "blue", "")] * 3
        assert all(one.issued <= one.begun <= one.finished for one in found)
        assert {one.key for one in found} == {"stream-0", "stream-1", "stream-2"}

    def test_cut_by_the_connections_end(self, serve):
        def behave(_number, connection):
            begin_stream(connection)
            self.events(connection)
            return False

        assert stream(serve(behave))[0][4:] == (200, "blue", 3, "cut", "cut in the answer: the connection ended inside a body")

    def test_cut_by_a_proxy_that_ends_it_in_good_form(self, serve):
        def behave(_number, connection):
            begin_stream(connection)
            self.events(connection)
            connection.sendall(b"0\r\n\r\n")

        assert stream(serve(behave))[0][4:] == (200, "blue", 3, "cut", "the stream ended without its last event")

    def test_cut_by_silence(self, serve):
        def behave(_number, connection):
            begin_stream(connection)
            self.events(connection, 1)
            time.sleep(1.5)

        assert stream(serve(behave), timeout=0.3)[0][4:] == (200, "blue", 1, "cut", "not ended within 0.3 s")

    def test_errors_never_began(self, serve):
        found = stream(serve(lambda number, connection: send(connection, 503) if number == 1 else False), 2)
        assert sorted((one.status, one.end, one.error) for one in found) == [(0, "error", "no answer: the connection ended"), (503, "error", "HTTP 503")]

    def test_keeps_them_open(self, serve):
        go = threading.Event()

        def behave(_number, connection):
            begin_stream(connection)
            self.events(connection)
            go.wait(10)
            chunk(connection, client.DONE + b"\n\n")
            connection.sendall(b"0\r\n\r\n")

        streams = client.Streams([serve(behave).target], client.chat(3, stream=True), 20, stagger=0.0)
        streams.start()
        deadline = time.monotonic() + 10
        while streams.open() < 20 and time.monotonic() < deadline:
            time.sleep(0.01)
        moment = time.time()
        assert streams.open() == 20 and streams.streams == []
        go.set()
        streams.stop()
        summary = tally.summarise_streams(streams.streams, [moment])
        assert summary["across"] == [{"moment": moment, "open": 20, "ends": {"complete": 20, "cut": 0, "error": 0}}]
        assert summary["opened"] >= 20 and summary["failures"] == []


class TestCommand:
    def run(self, server, tmp_path, *words):
        out = tmp_path / "out.json"
        url = "http://%s:%d" % server.target[:2]
        rc = command.main(["--url", url, "--workers", "2", "--keys", "10", "--requests", "40", "--json", str(out), *words])
        return rc, json.loads(out.read_text())

    def test_a_good_service(self, serve, tmp_path, capsys):
        server = serve(lambda _number, connection: send(connection, release="green"))
        rc, report = self.run(server, tmp_path, "--candidate", "green", "--header", "X-Direct: green", "--key-field", "X-Id")
        assert rc == 0 and report["candidate"]["percent"] == 100 and report["candidate"]["went_back"] == [] and len(report["answers"]) == 40
        assert server.requests[0][1]["x-direct"] == "green" and server.requests[0][1]["x-id"].startswith("client-")
        assert "100.00 % of 40 answers" in capsys.readouterr().out

    def test_a_failure_is_the_status(self, serve, tmp_path):
        rc, report = self.run(serve(lambda number, connection: send(connection, 500 if number == 7 else 200)), tmp_path)
        assert (rc, report["requests"]["failed"]) == (1, 1)

    def test_a_key_that_went_back_is_one_too(self, serve, tmp_path):
        server = serve(lambda number, connection: send(connection, release="green" if number <= 20 else "blue"))
        rc, report = self.run(server, tmp_path, "--candidate", "green", "--workers", "1")
        assert rc == 1 and len(report["candidate"]["went_back"]) == 10 and report["requests"]["failed"] == 0
