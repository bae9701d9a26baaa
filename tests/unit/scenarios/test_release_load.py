# Copyright (c) 2026, ironrack.cluster contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The load and the runs of the release scenarios, against a stand-in for a balancer on loopback and for ansible-playbook."""
from __future__ import annotations

import http.server
import json
import os
import signal
import threading
import time

import pytest

from tests.scenarios import common
from tests.scenarios.common import NotProved
from tests.scenarios.releases import load, runs, service, verdicts

PLAYBOOK = """#!/bin/sh
echo "begun $*"
case "$*" in
*ends.yml*) exit 3 ;;
esac
setsid sleep 60 &
echo "$!" > "%s"
wait
"""


class Balancer(http.server.BaseHTTPRequestHandler):
    """Answers clients, and says what it serves."""

    protocol_version = "HTTP/1.1"
    status = {"generation": 1, "weights": {"v1": 100}}

    def do_GET(self):
        body = b"{}"
        if self.path == "/upstream.json":
            known = self.headers["Host"] == service.STATUS_HOST and self.status is not None
            self.send_response(200 if known else 404)
            body = json.dumps(self.status).encode() if known else b""
        else:
            self.send_response(200)
            self.send_header("X-Release", "v1")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_arguments):
        """Nothing."""


@pytest.fixture(name="balancer")
def _balancer(monkeypatch):
    class Own(Balancer):
        status = dict(Balancer.status)

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Own)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    monkeypatch.setattr(service, "STATUS_PORT", server.server_port)
    monkeypatch.setattr(service, "balancers", lambda _inventory: {"lb1": "127.0.0.1", "lb2": "127.0.0.2"})
    yield server
    server.shutdown()
    server.server_close()


def test_clients_ask_and_balancers_are_watched(balancer):
    with load.Load("inventory", balancer.server_port, 200, workers=4, only=("lb1",)) as running:
        running.warm()
        service.until("a look", 5, lambda: running.weights("v1").get("lb1") == 100, 0.02)
        balancer.RequestHandlerClass.status = {"generation": 2, "weights": {"v1": 95, "v2": 5}}
        service.until("the new weight", 5, lambda: running.weights("v2").get("lb1") == 5, 0.02)
        assert running.rate(1.0) > 0
    assert running.latest()["lb2"].generation is None and running.weights("v2")["lb2"] is None
    assert verdicts.failures(running.answers, 10) == [] and verdicts.only(running.answers, "v1", running.begun, 10) == []
    assert [(one.generation, one.weights) for one in verdicts.switches(running.samples, ("lb1",))] == [(2, {"v1": 95, "v2": 5})]
    with pytest.raises(ValueError, match="lb2 never said"):
        verdicts.switches(running.samples, ("lb1", "lb2"))
    assert running.summary()["failed"] == 0 and running.summary()["keys"] > 4


def test_what_a_balancer_knows_nothing_of_is_none_and_silence_is_an_error(balancer):
    assert service.running("127.0.0.1")["generation"] == 1
    balancer.RequestHandlerClass.status = None
    assert service.running("127.0.0.1") is None
    with pytest.raises(OSError):
        service.running("127.0.0.2")
    with pytest.raises(NotProved, match="lb2 does not say"):
        service.served("inventory")


@pytest.fixture(name="child")
def _child(monkeypatch, tmp_path):
    """A stand-in for ansible-playbook that has a process in another session; its process ID comes into the file."""
    path = tmp_path / "child"
    (tmp_path / "bin").mkdir()
    program = tmp_path / "bin" / "ansible-playbook"
    program.write_text(PLAYBOOK % path)
    program.chmod(0o755)
    monkeypatch.setenv("PATH", "%s:%s" % (tmp_path / "bin", os.environ["PATH"]))
    monkeypatch.setattr(common, "OUTPUT", tmp_path / "artifacts")
    return path


def state(process):
    """:returns: the letter of a process's state, Z or an empty text where it has ended."""
    try:
        with open("/proc/%s/stat" % process, encoding="ascii") as stream:
            return stream.read().rpartition(")")[2].split()[0]
    except FileNotFoundError:
        return ""


def gone(process):
    """A process that was killed needs a moment where the machine is busy."""
    service.until("the end of %s" % process, 10, lambda: state(process) in ("", "Z"), 0.02)
    return True


def begun(child):
    return service.until("the child", 10, lambda: child.exists() and child.read_text().strip(), 0.02)


def test_a_run_is_killed_with_all_that_it_started(child):
    with runs.Run("inventory", "rollout_canary", "killed", runs.words("v2")) as run:
        process = begun(child)
        run.kill()
    assert not run.alive() and gone(process)
    assert "playbooks/rollout_canary.yml -e" in run.log.read_text()


def test_a_run_sleeps_with_all_that_it_started_and_wakes(child):
    with runs.Run("inventory", "rollout_canary", "stopped", forks=1) as run:
        process = begun(child)
        run.signal(signal.SIGSTOP)
        service.until("the sleep of all", 5, lambda: state(process) == "T", 0.02)
        assert run.alive()
        run.signal(signal.SIGCONT)
        service.until("the waking of all", 5, lambda: state(process) == "S", 0.02)
        assert "--forks 1" in run.log.read_text()
    # Whoever leaves the block leaves nothing behind.
    assert not run.alive() and gone(process)


def test_a_run_that_ends_says_how_and_one_that_does_not_is_bounded(child):
    assert runs.to_end("inventory", "ends", "ends").status == 3
    with pytest.raises(NotProved, match="(?s)ends ended with status 3.*begun"):
        runs.well("inventory", "ends", "ends")
    before = time.monotonic()
    with pytest.raises(NotProved, match="playbooks/rollout_canary.yml was still running after"):
        runs.to_end("inventory", "rollout_canary", "endless", limit=0.5)
    assert time.monotonic() - before < 20 and gone(begun(child))
