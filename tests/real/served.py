# Copyright (c) 2026, ironrack.cluster contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A process of the served application, and what a client asks it."""
from __future__ import annotations

import http.client
import json
import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

from ansible_collections.ironrack.cluster.tests.traffic import client

from lab.llm import control

ROOT = Path(__file__).resolve().parents[2]
WHEEL = os.environ["IRONRACK_LLM_WHEEL"]
COMMAND = (sys.executable, "-m", "lab.llm")
SOON = 20.0  # seconds in which anything of this has happened on a busy machine


def until(condition, what, limit=SOON):
    """:returns: what ``condition`` returns once that is true."""
    deadline = time.monotonic() + limit
    while True:
        found = condition()
        if found:
            return found
        assert time.monotonic() < deadline, "not within %g s: %s" % (limit, what)
        time.sleep(0.01)


class Served:
    """A server process on free loopback ports."""

    def __init__(self, log, command=COMMAND, **settings):
        environment = {name: value for name, value in os.environ.items() if not name.startswith("LLM_")}
        environment.update({"LLM_RELEASE": "blue", "LLM_POD": "pod-1", "LLM_LISTEN": "127.0.0.1:0", "LLM_CONTROL": "127.0.0.1:0"})
        environment.update(settings, PYTHONPATH=WHEEL)
        self.log = log
        with log.open("w") as output:
            self.process = subprocess.Popen(command, cwd=ROOT, env=environment, stdout=output, stderr=subprocess.STDOUT)
        listens = until(lambda: self.said("listens"), "it listens")
        self.address, self.control = tuple(listens["address"]), tuple(listens["control"])

    def said(self, event):
        """:returns: the log's first line of that event, None where there is none."""
        for line in self.log.read_text().splitlines():
            if line.startswith("{") and line.endswith("}") and json.loads(line)["event"] == event:
                return json.loads(line)
        assert self.process.poll() in (None, 0, 1), self.log.read_text()
        return None

    def wait_ready(self):
        until(lambda: self.get("/ready")[0] == 200, "it is ready")
        return self

    def get(self, path):
        """:returns: (status, header fields, body)."""
        return self.ask("GET", path)

    def chat(self, content="Which rack is it?", **options):
        """:returns: (status, header fields, JSON document)."""
        body = {"messages": [{"role": "user", "content": content}], "max_tokens": 8, "temperature": 0, **options}
        status, fields, data = self.ask("POST", client.CHAT, json.dumps(body))
        return status, fields, json.loads(data)

    def ask(self, method, path, body=None, timeout=SOON):
        connection = http.client.HTTPConnection(*self.address, timeout=timeout)
        try:
            connection.request(method, path, body)
            answer = connection.getresponse()
            return answer.status, answer.headers, answer.read()
        finally:
            connection.close()

    def metric(self, line):
        """:returns: the value of a line of /metrics, by its name and labels."""
        found = re.search(r"^%s (\S+)$" % re.escape(line), self.get("/metrics")[2].decode(), re.MULTILINE)
        return float(found[1])

    def turn(self, *words):
        return json.loads(control.turn(*self.control, words))

    def streams(self, count, tokens):
        """Open so many streams, wait until all have begun. :returns: the running :class:`client.Streams`."""
        running = client.Streams([self.target()], client.chat(tokens, stream=True), count, stagger=0.0, limit=count)
        running.start()
        until(lambda: running.open() == count, "all streams have begun")
        return running

    def target(self):
        return client.target("http://%s:%d" % self.address)

    def end(self, number=signal.SIGTERM):
        """:returns: the exit status."""
        self.process.send_signal(number)
        return self.process.wait(SOON)
