# Copyright (c) 2026, ironrack.cluster contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Sends the requests of a test, each once, and measures them. It judges nothing.

The clock runs from before the connection to the last byte, as it does for a client. An answer that never ends is cut off at its time-out.

This is a private module_utils package: it may change in any release.
"""
from __future__ import annotations

import http.client
import json
import socket
import threading
import time
from urllib.parse import urlsplit

from .probe import Answer

#: Bytes of an answer that are read; a test that wants to see more is none of a release.
MOST_BYTES = 4 << 20
PIECE = 1 << 16
UNENDED = "it had not ended when its time was up"


class ProbeClient:
    """Requests to any of some addresses, in turn.

    :param targets: URLs such as http://192.0.2.9:8080, of pods of one release.
    :param clock: seconds that only rise.
    """

    def __init__(self, targets, clock=time.monotonic):
        self._targets = [urlsplit(target) for target in targets]
        self._clock = clock
        self._number, self._lock = 0, threading.Lock()

    def _next(self):
        with self._lock:
            self._number += 1
            return self._targets[(self._number - 1) % len(self._targets)]

    def ask(self, test):
        """:returns: the :class:`.probe.Answer` to one request. It never raises for what a server does."""
        target, began, status = self._next(), self._clock(), None
        end = began + test["timeout"]
        connection = http.client.HTTPConnection(target.hostname, target.port or 80, timeout=test["timeout"])
        body, headers = _body(test)
        try:
            connection.request(test["method"], test["path"], body, headers)
            wire = connection.sock  # the connection forgets it where the server is going to close
            answer = connection.getresponse()
            status = answer.status
            text, error = self._read(answer, wire, end)
        except socket.timeout:
            text, error = b"", "nothing came in time" if status is None else UNENDED
        except (OSError, http.client.HTTPException) as problem:
            text, error = b"", "%s:%s: %s" % (target.hostname, target.port, problem or type(problem).__name__)
        finally:
            connection.close()
        return Answer(status, self._clock() - began, text.decode("utf-8", "replace"), error)

    def _read(self, answer, wire, end):
        pieces, size = [], 0
        while True:
            left = end - self._clock()
            if left <= 0:
                return b"".join(pieces), UNENDED
            wire.settimeout(left)
            piece = answer.read1(PIECE)
            if not piece:
                return b"".join(pieces), ""
            pieces.append(piece)
            size += len(piece)
            if size > MOST_BYTES:
                return b"".join(pieces), "it is longer than %d bytes" % MOST_BYTES

    def one_by_one(self, tests, seconds):
        """:returns: an answer for each test, in their order; None for those that the time did not suffice for."""
        end = self._clock() + seconds
        return [self._ask_until(end, test) for test in tests]

    def _ask_until(self, end, test):
        """:returns: the answer to a request; None where it did not get its own time because that of the whole test was up."""
        left = end - self._clock()
        if left <= 0:
            return None
        answer = self.ask(dict(test, timeout=min(test["timeout"], left)))
        return None if answer.error and self._clock() >= end and answer.seconds < test["timeout"] else answer

    def timed(self, test, concurrency):
        """:returns: the answers to as many of a test's requests as its time sufficed for, with so many at a time."""
        end, answers, left = self._clock() + test["seconds"], [], [test["requests"]]

        def work():
            while True:
                with self._lock:
                    if not left[0] or self._clock() >= end:
                        return
                    left[0] -= 1
                answer = self._ask_until(end, test)
                if answer is None:
                    return
                with self._lock:
                    answers.append(answer)

        workers = [threading.Thread(target=work, daemon=True) for _number in range(min(concurrency, test["requests"]))]
        for worker in workers:
            worker.start()
        for worker in workers:
            worker.join()
        return answers


def _body(test):
    """:returns: (bytes or None, headers) of a request; what is no text goes as JSON."""
    headers, body = dict(test["headers"]), test["body"]
    if body is None:
        return None, headers
    if isinstance(body, str):
        return body.encode(), headers
    if not any(name.lower() == "content-type" for name in headers):
        headers["Content-Type"] = "application/json"
    return json.dumps(body).encode(), headers
