# Copyright (c) 2026, ironrack.cluster contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Asks every API server for its own /readyz and tells NGINX which of them may get connections.

NGINX (open source) checks a server only by sending it a user's connection, and a TCP connect says nothing about readiness.
So this daemon asks; when the set of servers in service changes it writes the include file of NGINX's upstream as a whole,
tests the configuration and reloads. Each server has a thread of its own: a host that swallows packets delays nobody.
"""
from __future__ import annotations

import argparse
import errno
import http.client
import json
import logging
import os
import queue
import socket
import ssl
import subprocess
import sys
import tempfile
import threading
import time
from collections import namedtuple

LOG = logging.getLogger("balancer-health")
# The cluster's CA may be a site's intermediate: it is the anchor, whatever is above it (X509_V_FLAG_PARTIAL_CHAIN of OpenSSL).
PARTIAL_CHAIN = 0x80000

# What one question brought. A failure that all servers share is kept apart from one of the server's own (a closed port, a check that is
# not etcd's): silence (a time-out, no route) says nothing about the server, and what only etcd's checks fail for is an election.
Answer = namedtuple("Answer", ("ready", "shared", "text"))
# The checks of /readyz that ask etcd.
ETCD_CHECKS = ("etcd", "etcd-readiness")


class Server:
    """What is known of one API server: pure, fed with answers."""

    def __init__(self, name, rise, fall):
        self.name = name
        self.ready = None       # None: not decided yet
        self.shared = False     # out by nothing but what may have hit all of them
        self.since = None
        self.error = ""
        self._rise = rise
        self._fall = fall
        self._good = 0
        self._bad = 0

    def observe(self, answer, now):
        """:returns: whether the verdict or its reason changed."""
        before = (self.ready, self.shared, self.error)
        if answer.ready:
            self._good += 1
            self._bad = 0
            self.shared = False
            if self._good >= self._rise or self.ready:
                self.error = ""
                self._turn(True, now)
        else:
            self._bad += 1
            self._good = 0
            self.error = answer.text
            self.shared = answer.shared and (self._bad == 1 or self.shared)
            if self._bad >= self._fall:
                self._turn(False, now)
        return before != (self.ready, self.shared, self.error)

    def _turn(self, ready, now):
        if self.ready is not ready:
            self.ready = ready
            self.since = now


def in_service(servers, previous):
    """The names of the servers that may get connections.

    Where no server is ready, those of the previous set stay that are out by silence or by etcd's checks alone: while etcd elects a
    leader every API server may be too slow for a probe, or say that etcd does not answer, at the same moment, and turning all of
    them away would make an outage of a pause. A server that stops, that starts, or whose port is closed is out in any case.

    :param servers: iterable of :class:`Server`.
    :param previous: the names in service now.
    """
    ready = frozenset(server.name for server in servers if server.ready)
    return ready or frozenset(server.name for server in servers if server.shared and server.name in previous)


def render(targets, serving, parameters):
    """The include file: every server, those not in service marked ``down``.

    :param targets: list of {name, address, port}.
    :param parameters: what each line carries, such as ``max_fails=1 fail_timeout=5s``.
    """
    lines = ["# Written by ironrack-balancer-health.service whenever an API server becomes ready or unready."]
    for target in targets:
        parts = ["server", endpoint(target), parameters, "" if target["name"] in serving else "down"]
        lines.append("%s; # %s" % (" ".join(part for part in parts if part), target["name"]))
    return "\n".join(lines) + "\n"


def endpoint(target):
    host = "[%s]" % target["address"] if ":" in target["address"] else target["address"]
    return "%s:%d" % (host, target["port"])


def parse_serving(text, targets):
    """The names that an include file has in service."""
    up = set()
    for line in text.splitlines():
        words = line.split("#")[0].replace(";", " ").split()
        if len(words) > 1 and words[0] == "server" and "down" not in words:
            up.add(words[1])
    return frozenset(target["name"] for target in targets if endpoint(target) in up)


def write_atomically(path, text, mode=0o644):
    handle, staged = tempfile.mkstemp(prefix=".%s." % os.path.basename(path), dir=os.path.dirname(path))
    try:
        with os.fdopen(handle, "w") as stream:
            os.fchmod(stream.fileno(), mode)
            stream.write(text)
            stream.flush()
            os.fsync(stream.fileno())
        os.rename(staged, path)
    except BaseException:
        os.unlink(staged)
        raise


def read(path):
    try:
        with open(path) as stream:
            return stream.read()
    except FileNotFoundError:
        return ""


class Probe(threading.Thread):
    """Asks one server for ever over one TLS connection, which is made anew after each failure."""

    def __init__(self, target, config, answers):
        super().__init__(name=target["name"], daemon=True)
        self._target = target
        self._config = config
        self._answers = answers
        self._connection = None

    def run(self):
        due = time.monotonic()
        while True:
            self._answers.put((self._target["name"], self.ask()))
            due = max(due + self._config["interval"], time.monotonic())
            time.sleep(max(0.0, due - time.monotonic()))

    def ask(self):
        deadline = time.monotonic() + self._config["timeout"]
        reused = self._connection is not None
        try:
            try:
                return self._request(deadline)
            except FAILURES as error:
                self._close()
                if not reused or is_silence(error):
                    raise
                # the server closed an idle connection, or has restarted: only a new connection tells which
                return self._request(deadline)
        except FAILURES as error:
            self._close()
            if isinstance(error, socket.timeout):
                return Answer(False, True, "no answer within %g s" % self._config["timeout"])
            return Answer(False, is_silence(error), str(error) or repr(error))

    def _request(self, deadline):
        if self._connection is None:
            self._connection = self._connect(deadline)
        self._connection.sock.settimeout(remaining(deadline))
        self._connection.request("GET", "/readyz")
        response = self._connection.getresponse()
        body = response.read().decode("utf-8", "replace")
        if response.will_close:
            self._close()
        if response.status == 200:
            return Answer(True, False, "")
        failed = [line for line in body.splitlines() if line.startswith("[-]")]
        shared = bool(failed) and all(line[3:].split(" ")[0] in ETCD_CHECKS for line in failed)
        return Answer(False, shared, "/readyz answered %d: %s" % (response.status, "; ".join(failed or body.splitlines())[:300]))

    def _connect(self, deadline):
        context = ssl.create_default_context(cafile=self._config["ca"])
        context.verify_flags |= PARTIAL_CHAIN
        context.load_cert_chain(self._config["cert"], self._config["key"])
        address, port = self._target["address"], self._target["port"]
        raw = socket.create_connection((address, port), timeout=remaining(deadline))
        try:
            raw.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            raw.settimeout(remaining(deadline))
            connection = http.client.HTTPSConnection(address, port, context=context)
            connection.sock = context.wrap_socket(raw, server_hostname=address)
            return connection
        except BaseException:
            raw.close()
            raise

    def _close(self):
        if self._connection is not None:
            self._connection.close()
            self._connection = None


FAILURES = (OSError, http.client.HTTPException, ValueError)
# the path is gone, and nothing is known of the server
SILENCE = (errno.ENETUNREACH, errno.ETIMEDOUT, errno.EHOSTDOWN, errno.EHOSTUNREACH)


def is_silence(error):
    return isinstance(error, socket.timeout) or getattr(error, "errno", None) in SILENCE


def remaining(deadline):
    return max(0.01, deadline - time.monotonic())


class Nginx:
    """Brings a new include file into the running NGINX, or leaves everything as it was."""

    def __init__(self, config, run=None):
        self._config = config
        self._run = run or self._run_command

    @staticmethod
    def _run_command(argv):
        try:
            done = subprocess.run(argv, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, timeout=20, check=False)
        except (OSError, subprocess.TimeoutExpired) as error:
            return 1, str(error)
        return done.returncode, done.stdout.decode("utf-8", "replace").strip()

    def apply(self, text):
        """:returns: "" when NGINX runs on ``text`` or will at its start; else what hinders it, to be tried again."""
        include = self._config["include"]
        old = read(include)
        if text != old:
            write_atomically(include, text)
            rc, output = self._run(self._config["test"])
            if rc != 0:
                write_atomically(include, old)
                reasons = [line for line in output.splitlines() if "[emerg]" in line] or output.splitlines()
                return "nginx -t refused the new set, the old one stays: %s" % " / ".join(reasons)
        rc, state = self._run(self._config["state"])
        if state in ("inactive", "failed"):
            return ""   # it reads the file when it starts
        if state != "active":
            return "NGINX is %s" % (state or "in an unknown state")
        rc, output = self._run(self._config["reload"])
        return "" if rc == 0 else "NGINX was not reloaded: %s" % output


class Balancer:
    """The loop's decisions: when to publish which set. The clock is a parameter everywhere, so that it can be tested."""

    def __init__(self, config, nginx, serving, now):
        self._config = config
        self._nginx = nginx
        self.servers = {target["name"]: Server(target["name"], config["rise"], config["fall"]) for target in config["servers"]}
        self.serving = serving
        self.since = time.time()
        self.error = ""
        self.settled = False    # the first round has ended
        self._applied = False   # NGINX is known to run on `serving`
        self._first_round_ends = now + config["first_round"]
        self._next_try = now

    def observe(self, name, answer):
        server = self.servers[name]
        was = server.ready
        changed = server.observe(answer, time.time())
        if server.ready is not was:
            LOG.warning("%s is %s%s", name, "ready" if server.ready else "not ready", "" if server.ready else ": " + server.error)
        return changed

    def step(self, now):
        """Publish what has to be published. :returns: whether something was tried."""
        if not self.settled:
            if any(server.ready is None for server in self.servers.values()) and now < self._first_round_ends:
                return False
            self.settled = True
        wanted = in_service(self.servers.values(), self.serving)
        if wanted == self.serving and self._applied:
            self.error = ""     # a change that could not be applied may have become none
            return False
        if now < self._next_try:
            return False
        error = self._nginx.apply(render(self._config["servers"], wanted, self._config["parameters"]))
        if error:
            if not self.error:
                LOG.error("%s", error)
            self._applied = False
            self._next_try = now + self._config["retry"]
        else:
            if wanted != self.serving:
                LOG.warning("in service: %s", ", ".join(sorted(wanted)) or "none")
                self.since = time.time()
            self.serving = wanted
            self._applied = True
            self._next_try = now + self._config["debounce"]
        self.error = error
        return True

    def state(self):
        return {
            "serving": sorted(self.serving),
            "since": self.since,
            "settled": self.settled,
            "error": self.error,
            "servers": {
                name: {"ready": server.ready, "since": server.since, "last_error": server.error}
                for name, server in sorted(self.servers.items())
            },
        }


def notify(message):
    """Tell systemd, where it listens."""
    path = os.environ.get("NOTIFY_SOCKET")
    if path:
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as channel:
            channel.connect("\0" + path[1:] if path.startswith("@") else path)
            channel.sendall(message.encode())


def serve(config):
    include, state_file = config["include"], config["state_file"]
    os.makedirs(os.path.dirname(state_file), exist_ok=True)
    serving = parse_serving(read(include), config["servers"])
    if not os.path.exists(state_file):
        # /run is empty: the host has just booted, and what the file says is of another life
        serving = frozenset()
        write_atomically(include, render(config["servers"], serving, config["parameters"]))
    answers = queue.Queue()
    balancer = Balancer(config, Nginx(config), serving, time.monotonic())
    probes = [Probe(target, config, answers) for target in config["servers"]]
    for probe in probes:
        probe.start()
    settled = False
    while all(probe.is_alive() for probe in probes):    # one that died of a bug leaves a stale verdict: let systemd start anew
        changed = False
        try:
            name, answer = answers.get(timeout=0.2)
            changed = balancer.observe(name, answer)
            while True:
                name, answer = answers.get_nowait()
                changed = balancer.observe(name, answer) or changed
        except queue.Empty:
            pass
        if balancer.step(time.monotonic()) or changed:
            write_atomically(state_file, json.dumps(balancer.state(), indent=1) + "\n")
        if balancer.settled and not settled:
            settled = True
            notify("READY=1")
        notify("WATCHDOG=1")
    raise SystemExit("a probe has died")


def main(argv=None):
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--config", required=True, help="JSON file, written by the role load_balancer")
    arguments = parser.parse_args(argv)
    logging.basicConfig(level=logging.INFO, format="%(message)s", stream=sys.stderr)
    with open(arguments.config) as stream:
        serve(json.load(stream))


if __name__ == "__main__":
    main()
