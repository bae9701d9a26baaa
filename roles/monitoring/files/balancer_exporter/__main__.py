# Copyright (c) 2026, ironrack.cluster contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Counts what a balancer's logs say of each request, by service and release, for Prometheus.

The counters are what releases are judged by, so none may go backwards or miss a line: the state file holds counters and places in the logs
together, and after a restart everything that was written meanwhile is counted before anybody can ask. A log that was rotated is read
until its old workers are gone.

NGINX says of a stream that a pod broke off that it is complete; that stands in the error log alone. Its line is written before the one in the
access log, so the access logs are read first: then the word on each request that was read is there.
"""
from __future__ import annotations

import argparse
import glob
import http.server
import json
import logging
import os
import re
import signal
import socket
import sys
import tempfile
import threading
import time
import urllib.request

from balancer_counters import Counters, family
from balancer_entries import break_of, key_of, request_of
from balancer_logs import Logs

LOG = logging.getLogger("balancer-exporter")
CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"
MARK = "# ironrack.cluster.nginx_upstream "


class Exporter:
    """Reads, counts, remembers and tells. The clock is a parameter, so that it can be tested."""

    def __init__(self, config):
        self._config = config
        self.counters = Counters(config["buckets"])
        self.logs = Logs(config["logs"], config["grace"])
        self._breaks = {}       # (connection, pod) -> [times]
        self._read = 0.0
        self._lock = threading.Lock()
        self._saved = 0.0
        try:
            with open(config["state"]) as stream:
                state = json.load(stream)
            self.counters.load(state["counters"])
            self.logs.load(state["logs"])
        except FileNotFoundError:
            pass
        except (ValueError, KeyError, TypeError) as error:
            LOG.error("%s is broken, and all counters begin at 0: %s", config["state"], error)
            self.counters = Counters(config["buckets"])

    def poll(self, now, tick=lambda: None):
        """Count everything that was written since."""
        with self._lock:
            for service, release in self._releases():
                self.counters.prepare(service, release)
            self.logs.refresh(now)
            # At 0 as well: a first loss is a rise of a counter only where there was one before.
            self.counters.add("ironrack_log_files_lost_total", self.logs.lost)
            self.logs.lost = 0
            access, errors = self.logs.lines()
            while access or errors:
                self._count(access, errors, now)
                tick()
                access, errors = self.logs.lines()
            self._breaks = {key: times for key, times in self._breaks.items() if now - times[-1] < 60}
            self._read = now

    def _count(self, access, errors, now):
        # An error line holds words of a client, so that nothing in it is an entry.
        for line in errors:
            broken = break_of(line)
            self.counters.add("ironrack_log_lines_total", result="error")
            if broken:
                self._breaks.setdefault(broken, []).append(now)
        for line in access:
            try:
                entry = json.loads(line)
                key = key_of(entry)
                request = request_of(entry, key in self._breaks, self._config["patience"])
            except (ValueError, KeyError, TypeError, AttributeError):
                self.counters.add("ironrack_log_lines_total", result="unreadable")
                continue
            if request.completion == "broken":
                self._breaks[key].pop()
                if not self._breaks[key]:
                    del self._breaks[key]
            self.counters.count(request)
            self.counters.add("ironrack_log_lines_total", result="counted")

    def _configured(self):
        """:returns: the status in the first line of each service's configuration."""
        for path in sorted(glob.glob(self._config["configurations"])):
            try:
                with open(path) as stream:
                    first = stream.readline()
                if first.startswith(MARK):
                    yield json.loads(first[len(MARK):])
            except (OSError, ValueError):
                continue

    def _releases(self):
        return [(status["service"], release["name"]) for status in self._configured() for release in status["releases"]]

    def save(self, now):
        """Write counters and places together, so that they cannot contradict each other."""
        with self._lock:
            state = {"counters": self.counters.dump(), "logs": [follower.dump() for follower in self.logs.followers]}
        write_atomically(self._config["state"], json.dumps(state))
        self._saved = now

    def text(self):
        """:returns: the answer to a scrape."""
        self.poll(time.time())
        with self._lock:
            lines = list(self.counters.lines())
            lines += family("ironrack_log_read_timestamp_seconds", "gauge", "When the logs were last read to their end.", {(): self._read})
            lines += family("ironrack_log_files_unreadable", "gauge", "Logs that this daemon may not read.", {(): self.logs.unreadable})
        generations, weights = {}, {}
        for status in self._configured():
            generations[(("service", status["service"]),)] = status["generation"]
            for release in status["releases"]:
                weights[(("service", status["service"]), ("release", release["name"]))] = status["weights"].get(release["name"], 0)
        lines += family("ironrack_balancer_generation", "gauge", "The generation of a service's traffic on this balancer's disk.", generations)
        lines += family("ironrack_balancer_weight_percent", "gauge", "The share of a service's clients that a release gets here.", weights)
        return "".join(line + "\n" for line in lines + list(self._nginx()))

    def _nginx(self):
        try:
            with urllib.request.build_opener(urllib.request.ProxyHandler({})).open(self._config["stub_status"], timeout=1) as answer:
                numbers = [int(number) for number in re.findall(r"\d+", answer.read(4096).decode())]
        except (OSError, ValueError):
            numbers = []
        up = len(numbers) == 7
        yield from family("ironrack_nginx_up", "gauge", "1 where NGINX answers on its status page.", {(): int(up)})
        if up:
            active, accepted, handled, requests, reading, writing, waiting = numbers
            yield from family("ironrack_nginx_connections", "gauge", "Connections of clients; writing ones wait for the end of their answer.", {
                (("state", name),): number for name, number in (("active", active), ("reading", reading), ("writing", writing), ("waiting", waiting))})
            yield from family("ironrack_nginx_connections_dropped_total", "counter", "Connections that NGINX took and could not handle.",
                              {(): accepted - handled})
            yield from family("ironrack_nginx_requests_total", "counter", "Requests of all servers.", {(): requests})

    def due(self, now):
        """:returns: whether it is time to save."""
        return now - self._saved >= 5


def write_atomically(path, text):
    handle, staged = tempfile.mkstemp(prefix=".%s." % os.path.basename(path), dir=os.path.dirname(path))
    try:
        with os.fdopen(handle, "w") as stream:
            stream.write(text)
            stream.flush()
            os.fsync(stream.fileno())
        os.rename(staged, path)
    except BaseException:
        os.unlink(staged)
        raise


def notify(message):
    """Tell systemd, where it listens."""
    path = os.environ.get("NOTIFY_SOCKET")
    if path:
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as channel:
            channel.connect("\0" + path[1:] if path.startswith("@") else path)
            channel.sendall(message.encode())


def server_of(exporter, address, port):
    """:returns: an HTTP server that answers scrapes; port 0 takes any."""
    class Handler(http.server.BaseHTTPRequestHandler):
        timeout = 10

        def do_GET(self):
            if self.path != "/metrics":
                self.send_error(404)
                return
            body = exporter.text().encode()
            self.send_response(200)
            self.send_header("Content-Type", CONTENT_TYPE)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *arguments):
            """Say nothing: a scrape every few seconds."""

    class Server(http.server.ThreadingHTTPServer):
        daemon_threads = True
        address_family = socket.AF_INET6 if ":" in address else socket.AF_INET

    return Server((address, port), Handler)


def serve(config):
    exporter = Exporter(config)
    stopping = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *dummy: stopping.set())
    exporter.poll(time.time(), lambda: notify("EXTEND_TIMEOUT_USEC=60000000"))
    exporter.save(time.time())
    server = server_of(exporter, config["address"], config["port"])
    threading.Thread(target=server.serve_forever, daemon=True).start()
    notify("READY=1")
    while not stopping.wait(1):
        now = time.time()
        exporter.poll(now, lambda: notify("WATCHDOG=1"))
        if exporter.due(now):
            exporter.save(now)
        notify("WATCHDOG=1")
    server.shutdown()
    exporter.poll(time.time())
    exporter.save(time.time())


def main(argv=None):
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--config", required=True, help="JSON file, written by the role monitoring")
    arguments = parser.parse_args(argv)
    logging.basicConfig(level=logging.INFO, format="%(message)s", stream=sys.stderr)
    with open(arguments.config) as stream:
        serve(json.load(stream))


if __name__ == "__main__":
    main()
