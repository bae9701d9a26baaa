# Copyright (c) 2026, ironrack.cluster contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A real Prometheus with TLS and a password, which scrapes an exporter of this test: gates and budgets never pass without data.

IRONRACK_PROMETHEUS_BIN names the folder with the program; the gate unpacks it from Debian's package.
"""
from __future__ import annotations

import http.server
import json
import os
import signal
import socket
import subprocess
import threading
import time

import pytest
import yaml
from ansible.module_utils.testing import patch_module_args
from ansible_collections.ironrack.cluster.plugins.module_utils._common.cli import Cli
from ansible_collections.ironrack.cluster.plugins.module_utils._pki.bundle import Bundle
from ansible_collections.ironrack.cluster.plugins.module_utils._pki.spec import parse_specs
from ansible_collections.ironrack.cluster.plugins.modules import error_budget_info, metric_gate

BIN = os.environ["IRONRACK_PROMETHEUS_BIN"]
# Of the password "reader-pass", with the fewest rounds that bcrypt has.
HASH = "$2b$04$abcdefghijklmnopqrstuuUF7fMioUdfsqprVze.Wu17Eit7ta.iK"
BOUNDS = ("0.5", "2", "+Inf")
# Seconds between scrapes, and how old a sample may be.
INTERVAL, MAX_AGE = 0.5, 3
TRIES, BUCKETS = "ironrack_upstream_tries_total", "ironrack_request_duration_seconds_bucket"


class Host:
    """What Cli needs of an AnsibleModule."""

    def run_command(self, argv, data=None, environ_update=None, cwd=None, handle_exceptions=True):
        done = subprocess.run(argv, input=data, capture_output=True, text=True, check=False, cwd=cwd)
        return done.returncode, done.stdout, done.stderr


class Exporter:
    """What balancers and hosts would export: lines that the test sets, on a loopback port."""

    def __init__(self):
        self.series = {}
        self.lines = []
        exporter = self

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_GET(self):
                # A copy: the test sets series meanwhile.
                body = "".join("%s %s\n" % pair for pair in sorted(dict(exporter.series).items())) + "".join(exporter.lines)
                self.send_response(200)
                self.send_header("Content-Type", "text/plain; version=0.0.4")
                self.end_headers()
                self.wfile.write(body.encode())

            def log_message(self, *arguments):
                """Say nothing: a scrape each half second."""

        self._server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.port = self._server.server_address[1]
        self._thread = threading.Thread(target=self._server.serve_forever, daemon=True)
        self._thread.start()

    def tries(self, service, release, **by_status):
        """Set the tries of a release, by status (``s200=7``)."""
        for status, number in by_status.items():
            self.series['%s{service="%s",release="%s",status="%s"}' % (TRIES, service, release, status[1:])] = number

    def durations(self, service, release, *numbers):
        """Set the buckets of a release, in the order of BOUNDS."""
        for bound, number in zip(BOUNDS, numbers):
            self.series['%s{service="%s",release="%s",le="%s"}' % (BUCKETS, service, release, bound)] = number

    def stop(self):
        self._server.shutdown()
        self._server.server_close()


class Machine:
    """The monitoring host.

    :param history: text in the format of OpenMetrics: what was scraped before this test began.
    """

    def __init__(self, folder, exporter, history=""):
        if history:
            (folder / "history").write_text(history)
            # In one block, not in hundreds of two hours each.
            subprocess.run([os.path.join(BIN, "promtool"), "tsdb", "create-blocks-from", "openmetrics", "--max-block-duration=1000h",
                            str(folder / "history"), str(folder / "data")], check=True, capture_output=True)
        authorities, certificates = parse_specs(
            [{"name": "ca", "common_name": "monitoring"}], [],
            [{"name": "server", "authority": "ca", "common_name": "prometheus", "usages": ["server"], "sans": ["IP:127.0.0.1"]}])
        Bundle(str(folder / "pki"), Cli(Host())).converge(authorities, [], certificates)
        (folder / "prometheus.yml").write_text(yaml.safe_dump({
            "global": {"scrape_interval": "%dms" % (INTERVAL * 1000), "scrape_timeout": "%dms" % (INTERVAL * 1000)},
            "scrape_configs": [{"job_name": "balancers", "static_configs": [{"targets": ["127.0.0.1:%d" % exporter.port]}]}]}))
        (folder / "web.yml").write_text(yaml.safe_dump({
            "tls_server_config": {"cert_file": str(folder / "pki" / "server.crt"), "key_file": str(folder / "pki" / "server.key")},
            "basic_auth_users": {"reader": HASH}}))
        (folder / "password").write_text("reader-pass\n")
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            port = free.getsockname()[1]
        with open(str(folder / "log"), "w", encoding="utf-8") as log:
            self.process = subprocess.Popen(
                [os.path.join(BIN, "prometheus"), "--config.file=%s" % (folder / "prometheus.yml"), "--web.config.file=%s" % (folder / "web.yml"),
                 "--storage.tsdb.path=%s" % (folder / "data"),
                 "--storage.tsdb.retention.time=40d", "--web.listen-address=127.0.0.1:%d" % port], stdout=log, stderr=log)
        self.log = folder / "log"
        self.asked = {"url": "https://127.0.0.1:%d" % port, "ca_file": str(folder / "pki" / "ca.crt"), "username": "reader",
                      "password_file": str(folder / "password"), "max_age": MAX_AGE, "timeout": 2}

    def stop(self):
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGKILL)
            self.process.wait(10)


@pytest.fixture
def exporter():
    made = Exporter()
    yield made
    made.stop()


@pytest.fixture
def machine(tmp_path, exporter):
    made = Machine(tmp_path, exporter)
    yield made
    made.stop()


def call(module, capsys, **arguments):
    with patch_module_args(arguments), pytest.raises(SystemExit):
        module.main()
    return json.loads(capsys.readouterr().out)


ERRORS = {"name": "errors", "kind": "errors", "metric": TRIES, "limit": 0.05}
SLOW = {"name": "slow", "kind": "latency", "metric": BUCKETS, "bound": 2, "limit": 0.05}


def number(query, **limits):
    return dict({"name": "number", "kind": "query", "metric": query, "query": query}, **limits)


class Judge:
    """Calls metric_gate at the end of a step."""

    def __init__(self, machine, capsys):
        self._machine = machine
        self._capsys = capsys
        self.since = None

    def __call__(self, service, *gates, **changed):
        arguments = dict(self._machine.asked, service=service, release="v2", baseline="v1", since=self.since, looks=20, end_of_step=True,
                         gates=list(gates or (ERRORS,)))
        arguments.update(changed)
        return call(metric_gate, self._capsys, **arguments)

    def until(self, true, service, *gates):
        """:returns: the first judgement of which ``true`` is; a test that waits longer than 15 s has failed."""
        end = time.monotonic() + 15
        while True:
            judged = self(service, *gates)
            if true(judged):
                return judged
            assert time.monotonic() < end, "%s\n%s" % (judged, self._machine.log.read_text()[-2000:])
            time.sleep(INTERVAL)


def begin(exporter):
    """Everything at the beginning of the step: nothing yet of v2, except where it has to be."""
    exporter.tries("good", "v1", s200=1000000)
    exporter.tries("failing", "v1", s200=500000, s502=20)
    exporter.tries("failing", "v2", s200=0)
    exporter.tries("few", "v1", s200=0)
    exporter.tries("alone", "v2", s200=0)
    exporter.tries("nan", "v1", s200=0)
    exporter.tries("nan", "v2", s200=0)
    exporter.tries("reset", "v1", s200=0)
    exporter.tries("reset", "v2", s200=900000)
    for service in ("good", "failing"):
        exporter.durations(service, "v1", 0, 0, 0)
        exporter.durations(service, "v2", 0, 0, 0)
    exporter.series["memory_gib"] = 50
    exporter.series["not_a_number"] = "NaN"


def go_on(exporter):
    """What happens during the step."""
    exporter.tries("good", "v1", s200=1008000, s502=8)
    exporter.tries("good", "v2", s200=399, s502=1, s499=50, s429=7)
    exporter.tries("failing", "v1", s200=508000)
    exporter.tries("failing", "v2", s200=360, s502=40)
    exporter.tries("few", "v1", s200=8000)
    exporter.tries("few", "v2", s200=3)
    exporter.tries("alone", "v2", s200=5000)
    exporter.tries("nan", "v1", s200=8000)
    exporter.tries("nan", "v2", s200="NaN")
    exporter.tries("reset", "v1", s200=8000)
    exporter.tries("reset", "v2", s200=4000)
    exporter.durations("good", "v1", 7000, 7900, 8000)
    exporter.durations("good", "v2", 350, 398, 400)
    exporter.durations("failing", "v1", 7000, 7900, 8000)
    exporter.durations("failing", "v2", 350, 300, 400)


def words(judged):
    return " ".join(judged["reasons"])


def test_never_a_pass_without_data(machine, exporter, capsys):
    judge = Judge(machine, capsys)
    begin(exporter)

    # before it listens, and before it has scraped anything
    assert judge("good")["verdict"] == "inconclusive"
    started = judge.until(lambda judged: judged["time"] and number_is_there(judge), "good")
    assert started["verdict"] == "inconclusive" and "not said when the step began" in words(started)
    judge.since = started["time"] - 60
    assert "not scraped when the step began" in words(judge("alone", baseline=""))
    time.sleep(2 * INTERVAL)
    judge.since = None
    judge.since = judge("good")["time"]
    assert "no request" in words(judge("alone", baseline=""))
    assert "after now" in words(judge("good", since=judge.since + 3600))

    go_on(exporter)
    good = judge.until(lambda judged: judged["gates"][0]["candidate"]["total"] == 400, "good")
    time.sleep(2 * INTERVAL)

    # good: a series that was born during the step counts from 0
    assert good["gates"][0]["candidate"]["bad"] == 1 and good["verdict"] == "pass", good
    good = judge("good", ERRORS, SLOW, number("memory_gib", at_most=60))
    assert good["verdict"] == "pass" and [gate["baseline"]["total"] for gate in good["gates"][:2]] == [8008, 8000]
    assert good["gates"][1]["candidate"] == {"bad": 2, "total": 400, "share": 0.005}
    assert judge("good", end_of_step=False)["verdict"] == "inconclusive"
    alone = judge("alone", baseline="")
    assert alone["verdict"] == "pass" and alone["gates"][0]["baseline"] is None

    # failing, before the end of the step too
    failing = judge("failing", ERRORS, SLOW, number("memory_gib", at_most=40), end_of_step=False)
    assert [gate["verdict"] for gate in failing["gates"]] == ["fail"] * 3
    assert failing["gates"][0]["candidate"] == {"bad": 40, "total": 400, "share": 0.1}

    # what is in doubt
    assert "3 prove less than 63.2 % at most" in words(judge("few"))
    for service, gate, why in (("few", ERRORS, "it takes 56 more requests"), ("absent", ERRORS, "there is no such series"),
                               ("alone", ERRORS, "the baseline: there is no such series"), ("nan", ERRORS, "nan is no number of requests"),
                               ("reset", ERRORS, "reset"), ("good", number("absent_gib", at_most=1), "has a sample of the last 3 s"),
                               ("good", number("not_a_number", at_most=1), "the query gives nan"),
                               ("good", dict(number("memory_gib", at_most=1), query="up * 0 + on() group_left memory_gib{a='b'}"), "no number"),
                               ("good", dict(number("memory_gib", at_most=1), query="{__name__=~'memory_gib|up'}"), "2 numbers")):
        judged = judge(service, gate)
        assert judged["verdict"] == "inconclusive" and why in words(judged), judged
    wrong = machine.asked["password_file"] + "-wrong"
    with open(wrong, "w", encoding="utf-8") as stream:
        stream.write("nobody")
    assert "answered 401" in words(judge("good", password_file=wrong))

    # a sample with a time of its own does not become stale by itself
    exporter.lines.append("dated_gib 5 %d\n" % ((time.time() - 20) * 1000))
    time.sleep(3 * INTERVAL)
    dated = number("dated_gib", at_most=60)
    assert "older than 3 s" in words(judge("good", dated)) and judge("good", dated, max_age=60)["verdict"] == "pass"

    # bad input is none of these, and comes with all its reasons
    bad = judge("good", number("rate(memory_gib[1m])", at_most=1), number("memory_gib", at_most=1))
    assert bad["failed"] and [problem["where"] for problem in bad["problems"]] == ["gate number, name"]
    bad = judge("good", dict(SLOW, bound=1), number("rate(memory_gib[1m])", at_most=1),
                dict(number("memory_gib", at_most=1), name="half", query="sum("), dict(number("memory_gib", at_most=1), name="many", query="memory_gib[1m]"))
    assert [problem["where"] for problem in bad["problems"]] == ["gate slow, bound", "gate number", "gate half", "gate many"]
    assert "one of 0.5, 2" in bad["msg"]

    # one that does not answer, and one that is slow to
    machine.process.send_signal(signal.SIGSTOP)
    assert judge("good", timeout=1)["verdict"] == "inconclusive"
    machine.process.send_signal(signal.SIGCONT)
    assert judge.until(lambda judged: judged["verdict"] == "pass", "good")

    # the exporter is gone, then Prometheus itself
    exporter.stop()
    stale = judge.until(lambda judged: judged["verdict"] != "pass", "good", ERRORS, SLOW, number("memory_gib", at_most=60))
    assert "inconclusive" == stale["verdict"]
    time.sleep(MAX_AGE)
    stale = judge("good", ERRORS, SLOW, number("memory_gib", at_most=60))
    assert [gate["verdict"] for gate in stale["gates"]] == ["inconclusive"] * 3 and "gone or stale" in words(stale)
    machine.stop()
    down = judge("good", ERRORS, SLOW, number("memory_gib", at_most=60))
    assert [gate["verdict"] for gate in down["gates"]] == ["inconclusive"] * 3 and "no answer from https://127.0.0.1" in words(down)
    assert down["time"] is None


def number_is_there(judge):
    """:returns: whether anything was scraped."""
    return judge("good", number("memory_gib", at_most=60))["verdict"] == "pass"


def aged(series, instance, days, first, last):
    """:returns: lines of history of one series, each half hour, from ``first`` to ``last``."""
    now = int(time.time()) // 1800 * 1800
    moments = range(now - days * 86400, now + 1, 1800)
    labels = series[:-1] + ',job="balancers",instance="%s"}' % instance
    return "".join("%s %s %d\n" % (labels, first + (last - first) * number // (len(moments) - 1), moment) for number, moment in enumerate(moments))


def test_a_budget_is_known_only_with_the_whole_window(tmp_path, exporter, capsys):
    good, bad = ['%s{service="chat",release="v1",status="%s"}' % (TRIES, status) for status in (200, 503)]
    rules = {"slo:%s{sloth_service=\"chat\",sloth_slo=\"availability\"}" % name: value for name, value in (
        ("objective:ratio", 0.999), ("time_period:days", 30), ("period_error_budget_remaining:ratio", 0.3), ("sli_error:ratio_rate1h", 0.002),
        ("sli_error:ratio_rate5m", 0))}
    basis = next(series for series in rules if "rate5m" in series)
    instance = "127.0.0.1:%d" % exporter.port
    counted = "# TYPE ironrack_upstream_tries counter\n" + aged(good, instance, 31, 0, 1000000) + aged(bad, instance, 31, 0, 640)
    exporter.series.update({good: 1000000, bad: 640}, **rules)
    machine = Machine(tmp_path, exporter, counted + "# TYPE slo:sli_error:ratio_rate5m gauge\n" + aged(basis, instance, 31, 0, 0) + "# EOF\n")

    def ask(**arguments):
        return call(error_budget_info, capsys, **dict(machine.asked, **arguments))

    raw = {"service": "chat", "metric": TRIES, "objective": 0.999, "burn_window": "1d"}
    try:
        assert ask(**raw)["policy"] == "unknown"
        end = time.monotonic() + 15
        while ask(**raw)["policy"] == "unknown" and time.monotonic() < end:
            time.sleep(INTERVAL)
        known = ask(**raw)
        assert (known["policy"], known["consumed"]) == ("slow", pytest.approx(0.64, rel=0.01)), known
        assert known["history_days"] > 29.9 and known["covered"] > 0.99 and known["burn"] == pytest.approx(0.64, rel=0.1)
        # A better objective makes the same errors too many; where another status is the error there is none.
        assert ask(**{**raw, "objective": 0.9995})["policy"] == "frozen"
        assert ask(**{**raw, "bad_status": "501"})["consumed"] < 0.001
        recorded = {"service": "chat", "slo": "availability"}
        known = ask(**recorded)
        assert (known["policy"], known["consumed"], known["burn"]) == ("slow", pytest.approx(0.7), pytest.approx(2)), known

        # a window that is longer than the history, no request at all, no such SLO
        for arguments, why in ((dict(raw, window=40), "younger than the window of 40 days"), (dict(raw, service="absent"), "no series of"),
                               (dict(recorded, slo="latency"), "one is expected"), (dict(raw, ignored_status="..."), "no series of")):
            unknown = ask(**arguments)
            assert unknown["policy"] == "unknown" and why in unknown["reasons"][0], unknown
        refused = ask(**dict(raw, bad_status="5(?=0).."))
        assert refused["failed"] and "that Prometheus understands" in refused["msg"]

        exporter.stop()
        time.sleep(MAX_AGE + 2 * INTERVAL)
        assert [ask(**arguments)["policy"] for arguments in (raw, recorded)] == ["unknown"] * 2
        machine.stop()
        assert "no answer" in ask(**raw)["reasons"][0]
    finally:
        machine.stop()
