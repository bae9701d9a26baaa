# Copyright (c) 2026, ironrack.cluster contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Raw keep-alive clients of an HTTP service that never retry, each with client keys, and streams that are held open.

A client library hides what a balancer does wrong: it sends a request again whose connection was closed. Here such a request has failed.
"""
from __future__ import annotations

import asyncio
import json
import ssl
import threading
import time
import urllib.parse
from collections import namedtuple

from lab.llm import wire

try:
    from uvloop import new_event_loop
except ImportError:  # the bench runs this file on a lab's host, too, where it is an ordinary client
    from asyncio import new_event_loop

from .tally import COMPLETE, CUT, ERROR, Answer, Stream

# Where a service is asked: the address to connect to, and what its host is called.
Target = namedtuple("Target", ("host", "port", "name", "tls"))

# What is asked. ``fields`` are header fields (name, value); every request has its key in the field ``key_field`` beside them.
Request = namedtuple("Request", ("method", "path", "fields", "body", "key_field"))

KEY_FIELD = "X-Client-Key"
RELEASE_FIELD = "x-release"
DONE = b"data: [DONE]"
CHAT = "/v1/chat/completions"


def target(url, name=None, ca=None):
    """:param url: http://HOST:PORT or https://HOST:PORT.

    :param name: what the host is called, in the field Host and for TLS; the URL's host where None.
    :param ca: file with the authorities to trust; the system's where None.
    """
    parts = urllib.parse.urlsplit(url)
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise ValueError("the URL is %r, expected http://HOST:PORT or https://HOST:PORT" % url)
    context = ssl.create_default_context(cafile=ca) if parts.scheme == "https" else None
    return Target(parts.hostname, parts.port or (443 if context else 80), name or parts.hostname, context)


def get(path="/v1/models", fields=(), key_field=KEY_FIELD):
    return Request("GET", path, tuple(fields), b"", key_field)


def chat(tokens, stream=False, content="Which rack is it?", fields=(), key_field=KEY_FIELD):
    """:param tokens: how many the answer has, not fewer: a random model would end when it likes."""
    body = {"messages": [{"role": "user", "content": content}], "max_tokens": tokens, "ignore_eos": True, "stream": stream}
    return Request("POST", CHAT, (("Content-Type", "application/json"), *fields), json.dumps(body).encode(), key_field)


class Failed(Exception):
    """A request that had no whole answer; its text is the record's ``error``."""


class Connection:
    """One client connection, opened when it is needed and kept for as long as the other side keeps it."""

    def __init__(self, at):
        self._at = at
        self._reader = self._writer = None
        self.opened = 0
        self.told_to_close = 0   # answers that said Connection: close

    async def send(self, request, key):
        """Send a request, once. :raises Failed: where it could not be sent."""
        if self._writer is None:
            self._reader, self._writer = await self._guarded("no connection", asyncio.open_connection(
                self._at.host, self._at.port, limit=wire.LIMIT, ssl=self._at.tls, server_hostname=self._at.name if self._at.tls else None))
            self.opened += 1
        elif self._reader.at_eof():
            # Only those clients see it that look before they send: it is a failure like the one of those that don't.
            raise Failed("closed while idle")
        fields = [("Host", self._at.name), ("Content-Length", str(len(request.body))), (request.key_field, key), *request.fields]
        self._writer.write(wire.message("%s %s HTTP/1.1" % (request.method, request.path), fields, request.body))
        await self._guarded("not sent", self._writer.drain())

    async def head(self):
        """:raises Failed: where no answer begins."""
        return await self._guarded("no answer", wire.read_head(self._reader))

    async def pieces(self, head):
        """The body as it comes. :raises Failed: where it ends before its end."""
        body = wire.body(self._reader, head, answer=True)
        while True:
            try:
                yield await self._guarded("cut in the answer", body.__anext__())
            except StopAsyncIteration:
                break
        if not head.keeps_alive():
            self.told_to_close += 1
            self.close()

    def close(self):
        if self._writer is not None:
            self._writer.close()
            self._reader = self._writer = None

    @staticmethod
    async def _guarded(what, work):
        try:
            return await work
        except (OSError, wire.WireError) as error:
            raise Failed("%s: %s" % (what, _short(error))) from error


def _short(error):
    """Without addresses and ports, so that equal failures count as equal."""
    return type(error).__name__ if isinstance(error, OSError) else "%s" % error


class Background(threading.Thread):
    """Runs :meth:`work` in an event loop of its own from start() to stop()."""

    def __init__(self):
        super().__init__(daemon=True)
        self._halt = threading.Event()
        self._broken = None

    def run(self):
        try:
            with asyncio.Runner(loop_factory=new_event_loop) as runner:
                runner.run(self.work())
        except Exception as error:   # a thread's exception is lost otherwise: stop() raises it
            self._broken = error

    async def work(self):
        raise NotImplementedError

    @property
    def halted(self):
        return self._halt.is_set()

    def stop(self):
        """Ask nothing new, and wait for what is under way: each part of it is bounded by its time-out."""
        self._halt.set()
        self.join()
        if self._broken:
            raise self._broken


class Clients(Background):
    """Each worker asks, waits for the answer and asks again, on one connection, with one of its keys after the other.

    They share one timetable: a worker whose answer is slow or never comes delays none but itself, and what it missed is not made up for.

    ``answers`` holds what became of each request.
    """

    def __init__(self, targets, request, workers=16, keys=16, rate=None, timeout=5.0, limit=None):
        """:param targets: of :func:`target`; the workers are spread over them.

        :param keys: how many client keys, at least one for each worker.
        :param rate: requests a second of all workers together, at most; None: as fast as they are answered.
        :param timeout: seconds from a request to the end of its answer.
        :param limit: end after so many requests in all; None: at stop().
        """
        super().__init__()
        if not 1 <= workers <= keys:
            raise ValueError("%d workers and %d keys, expected at least one worker and a key for each" % (workers, keys))
        self._request, self._timeout = request, timeout
        self._apart = 1.0 / rate if rate else 0.0
        self._next = 0.0
        self._left = float("inf") if limit is None else limit
        self._workers = [([("client-%d" % key) for key in range(number, keys, workers)], Connection(targets[number % len(targets)]))
                         for number in range(workers)]
        self.answers = []

    @property
    def connections(self):
        """{"opened", "told_to_close"}: how many connections there were, and how many answers ended theirs in words."""
        return {name: sum(getattr(connection, name) for _keys, connection in self._workers) for name in ("opened", "told_to_close")}

    async def work(self):
        await asyncio.gather(*(self._ask(keys, connection) for keys, connection in self._workers))

    async def _ask(self, keys, connection):
        turn = 0
        while True:
            await self._turn()
            if self.halted or self._left <= 0:
                break
            self._left -= 1
            self.answers.append(await self._one(keys[turn % len(keys)], connection))
            turn += 1
        connection.close()

    async def _turn(self):
        """Wait for the next free moment of the timetable."""
        now = time.monotonic()
        at = max(now, self._next)
        self._next = at + self._apart
        await asyncio.sleep(at - now)

    async def _one(self, key, connection):
        issued, begun = time.time(), time.monotonic()
        status, release, error = 0, "", ""
        try:
            async with asyncio.timeout(self._timeout):
                await connection.send(self._request, key)
                head = await connection.head()
                status, release = head.status(), head.get(RELEASE_FIELD)
                async for _piece in connection.pieces(head):
                    pass
            error = "" if status // 100 == 2 else "HTTP %d" % status
        except (Failed, wire.WireError) as failure:
            error = str(failure)
        except TimeoutError:
            error = "no whole answer within %g s" % self._timeout
        if error and not error.startswith("HTTP"):
            connection.close()   # the next request is another one: it gets a connection of its own
        return Answer(key, issued, issued + time.monotonic() - begun, status, release, error)


class Streams(Background):
    """Keeps ``count`` streams open: where one has ended, the next one of its key begins. ``streams`` holds those that have ended."""

    def __init__(self, targets, request, count=50, timeout=60.0, stagger=0.02, limit=None):
        """:param request: of :func:`chat` with stream=True.

        :param timeout: seconds that a stream may last, and may be silent at its begin.
        :param stagger: seconds between the first streams, so that they don't end together.
        :param limit: open no more than so many in all; None: go on until stop().
        """
        super().__init__()
        self._request, self._timeout, self._stagger = request, timeout, stagger
        self._targets = [targets[number % len(targets)] for number in range(count)]
        self._left = float("inf") if limit is None else limit
        self._open = set()
        self.streams = []

    def open(self):
        """How many streams have had an event and not ended by now."""
        return len(self._open)

    async def work(self):
        await asyncio.gather(*(self._hold(number, at) for number, at in enumerate(self._targets)))

    async def _hold(self, number, at):
        await asyncio.sleep(number * self._stagger)
        while not self.halted and self._left > 0:
            self._left -= 1
            self.streams.append(await self._one("stream-%d" % number, at))
            if self.streams[-1].end == ERROR:
                await asyncio.sleep(0.1)   # a service that is away shall not be asked as fast as it refuses

    async def _one(self, key, at):
        connection = Connection(at)
        issued, start = time.time(), time.monotonic()
        status, release, begun, events, end, error = 0, "", 0.0, 0, ERROR, ""
        tail = b""
        try:
            async with asyncio.timeout(self._timeout):
                await connection.send(self._request, key)
                head = await connection.head()
                status, release = head.status(), head.get(RELEASE_FIELD)
                async for piece in connection.pieces(head):
                    if not begun:
                        begun = issued + time.monotonic() - start
                        self._open.add(key)
                    events += piece.count(b"data:")
                    tail = (tail + piece)[-len(DONE) - 8:]
            if status // 100 != 2:
                error = "HTTP %d" % status
            elif DONE in tail:
                end = COMPLETE
            else:
                # Its last chunk came, its last event did not: only who reads the events notices.
                end, error = CUT, "the stream ended without its last event"
        except (Failed, wire.WireError) as failure:
            end, error = (CUT if begun else ERROR), str(failure)
        except TimeoutError:
            end, error = (CUT if begun else ERROR), "not ended within %g s" % self._timeout
        finally:
            self._open.discard(key)
            connection.close()
        return Stream(key, issued, begun, issued + time.monotonic() - start, status, release, events, end, error)
