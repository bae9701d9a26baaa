# Copyright (c) 2026, ironrack.cluster contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""One client of a balancer by the byte, many that count (those of tests/traffic), and what the access log says of them."""
from __future__ import annotations

import concurrent.futures
import contextlib
import json
import socket

from ansible_collections.ironrack.cluster.plugins.module_utils._common.waiting import wait_for

from tests.traffic.client import Clients, get, target

KEYS = ["client-%d" % number for number in range(20000)]


class Client:
    """A keep-alive client on a bare socket, that opens a new connection only when it was told to, and never repeats a request."""

    def __init__(self, port, host="127.0.0.1"):
        self._address = (host, port)
        self._socket = None
        self._stream = None
        self.request_id = None

    def close(self):
        if self._socket is not None:
            self._stream.close()
            self._socket.close()
            self._socket = None

    def ask(self, path="/", method="GET", body="", **headers):
        """:returns: (status, headers, body). :raises OSError: where the answer does not come whole."""
        if self._socket is None:
            self._socket = socket.create_connection(self._address, 10)
            self._stream = self._socket.makefile("rb")
        self.request_id = headers.get("X_Request_Id")
        lines = ["%s %s HTTP/1.1" % (method, path), "Host: web"] + ["%s: %s" % (name.replace("_", "-"), value) for name, value in headers.items()]
        lines += ["Content-Length: %d" % len(body)] if body else []
        self._socket.sendall(("\r\n".join(lines) + "\r\n\r\n" + body).encode())
        answer = self.read()
        self.request_id = answer[1].get("x-request-id")
        if answer[1].get("connection") == "close":
            self.close()
        return answer

    def many(self, requests):
        """Send the (path, client key) pairs in one piece.

        :returns: the bodies, in the same order.
        """
        if self._socket is None:
            self._socket = socket.create_connection(self._address, 10)
            self._stream = self._socket.makefile("rb")
        self._socket.sendall("".join("GET %s HTTP/1.1\r\nHost: web\r\nX-Client: %s\r\n\r\n" % pair for pair in requests).encode())
        answers = [self.read() for dummy in requests]
        assert {status for status, dummy, dummy in answers} == {200}
        return [body for dummy, dummy, body in answers]

    def read(self):
        """:returns: the next answer."""
        words = self._stream.readline().split()
        if len(words) < 2:
            raise ConnectionError("closed without an answer")
        headers = {}
        for line in iter(self._stream.readline, b"\r\n"):
            if not line:
                raise ConnectionError("closed within the headers")
            name, dummy, value = line.decode().rstrip("\r\n").partition(": ")
            headers[name.lower()] = value
        return int(words[1]), headers, self._body(headers)

    def _body(self, headers):
        if headers.get("transfer-encoding") != "chunked":
            length = int(headers.get("content-length", 0))
            body = self._stream.read(length)
            if len(body) < length:
                raise ConnectionError("closed within the body")
            return body.decode()
        body = b""
        while True:
            line = self._stream.readline()
            if not line:
                raise ConnectionError("closed within a stream")
            size = int(line, 16)
            piece = self._stream.read(size + 2)
            if not size:
                return body.decode()
            body += piece[:size]


@contextlib.contextmanager
def clients(site, count):
    """:returns: keep-alive clients, each with a key of its own, that ask one request after the other until the end of the block."""
    asking = Clients([target("http://127.0.0.1:%d" % site.port, "web")], get("/", key_field="X-Client"), workers=count, keys=count, rate=count / 0.025)
    asking.start()
    try:
        yield asking
    finally:
        asking.stop()


def releases_of(site, keys, at_once=250):
    """:returns: the release that each key's request was answered by."""
    def part(start):
        # NGINX ends a connection at its thousandth request, in the middle of what was sent ahead.
        client = Client(site.port)
        bodies = client.many([("/", key) for key in keys[start:start + at_once]])
        client.close()
        return [body.split()[0] for body in bodies]

    with concurrent.futures.ThreadPoolExecutor(16) as pool:
        return [release for found in pool.map(part, range(0, len(keys), at_once)) for release in found]


def await_releases(site, wanted):
    """NGINX asks for the addresses again each second or so; no request fails meanwhile."""
    def condition():
        found = set(releases_of(site, KEYS[:300]))
        return found == wanted, found

    wait_for(condition, "answers of %s alone" % wanted, 10)


def log_of(site, client, count=1):
    """:returns: the last lines of the access log, up to that of the client's last request. A line is written after its answer."""
    def condition():
        lines = [json.loads(line) for line in (site.root / "web.log").read_text().splitlines()]
        return bool(lines) and lines[-1]["request_id"] == client.request_id, "%d lines" % len(lines), lines

    return wait_for(condition, "the log line of request %s" % client.request_id, 10, interval=0.05)[-count:]
