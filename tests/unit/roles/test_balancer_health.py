# Copyright (c) 2026, ironrack.cluster contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The daemon that tells NGINX which API servers are ready: its verdicts, what it does to NGINX, and its questions over real TLS."""
from __future__ import annotations

import http.server
import importlib.util
import pathlib
import queue
import ssl
import subprocess
import threading

import pytest

SOURCE = pathlib.Path(__file__).parents[3] / "roles" / "load_balancer" / "files" / "balancer_health.py"
spec = importlib.util.spec_from_file_location("balancer_health", SOURCE)
health = importlib.util.module_from_spec(spec)
spec.loader.exec_module(health)

GOOD = health.Answer(True, False, "")
NO = health.Answer(False, False, "/readyz answered 500: [-]shutdown failed")
ETCD = health.Answer(False, True, "/readyz answered 500: [-]etcd failed")
SILENCE = health.Answer(False, True, "no answer within 1 s")
TARGETS = [{"name": "cp%d" % number, "address": "10.77.0.2%d" % number, "port": 6443} for number in (1, 2, 3)]


def feed(server, *answers):
    for answer in answers:
        server.observe(answer, 1.0)
    return server


class TestServer:
    def test_is_undecided_before_the_first_answer(self):
        assert health.Server("cp1", 1, 2).ready is None

    def test_is_in_after_one_good_answer_and_out_after_two_failures(self):
        server = feed(health.Server("cp1", 1, 2), GOOD)
        assert server.ready is True
        assert feed(server, NO).ready is True
        assert feed(server, NO).ready is False
        assert feed(server, GOOD).ready is True

    def test_one_late_answer_between_good_ones_changes_nothing(self):
        server = feed(health.Server("cp1", 1, 2), GOOD, SILENCE, GOOD, SILENCE, GOOD)
        assert server.ready is True
        assert server.error == ""

    def test_rise_counts_good_answers_in_a_row(self):
        server = feed(health.Server("cp1", 3, 1), GOOD, GOOD, NO, GOOD, GOOD)
        assert server.ready is False
        assert feed(server, GOOD).ready is True

    def test_one_refusal_ends_the_benefit_of_the_doubt(self):
        assert feed(health.Server("cp1", 1, 2), GOOD, SILENCE, SILENCE).shared
        assert not feed(health.Server("cp1", 1, 2), GOOD, SILENCE, NO, SILENCE).shared


def servers(**histories):
    return [feed(health.Server(name, 1, 2), *answers) for name, answers in histories.items()]


class TestInService:
    def test_only_ready_servers_where_one_is_ready(self):
        fleet = servers(cp1=[GOOD], cp2=[GOOD, SILENCE, SILENCE], cp3=[NO, NO])
        assert health.in_service(fleet, {"cp1", "cp2", "cp3"}) == {"cp1"}

    def test_silence_of_all_keeps_those_that_were_in(self):
        fleet = servers(cp1=[GOOD, SILENCE, SILENCE], cp2=[GOOD, SILENCE, SILENCE], cp3=[SILENCE, SILENCE])
        assert health.in_service(fleet, {"cp1", "cp2"}) == {"cp1", "cp2"}

    def test_an_etcd_without_a_leader_keeps_those_that_were_in(self):
        fleet = servers(cp1=[GOOD, SILENCE, ETCD], cp2=[GOOD, ETCD, SILENCE], cp3=[NO, ETCD])
        assert health.in_service(fleet, {"cp1", "cp2"}) == {"cp1", "cp2"}

    def test_a_server_whose_own_etcd_is_lost_is_out_while_another_is_ready(self):
        assert health.in_service(servers(cp1=[GOOD, ETCD, ETCD], cp2=[GOOD]), {"cp1", "cp2"}) == {"cp2"}

    def test_a_server_that_starts_while_etcd_has_no_leader_is_out(self):
        assert health.in_service(servers(cp1=[GOOD, NO, ETCD, ETCD], cp2=[ETCD, ETCD]), {"cp1"}) == frozenset()

    def test_a_server_that_refuses_is_out_even_as_the_last(self):
        fleet = servers(cp1=[GOOD, NO, NO], cp2=[GOOD, SILENCE, SILENCE])
        assert health.in_service(fleet, {"cp1", "cp2"}) == {"cp2"}
        assert health.in_service(servers(cp1=[GOOD, NO, NO]), {"cp1"}) == frozenset()


class TestInclude:
    def test_marks_what_is_not_in_service(self):
        text = health.render(TARGETS, {"cp2"}, "max_fails=1 fail_timeout=5s")
        assert "server 10.77.0.21:6443 max_fails=1 fail_timeout=5s down; # cp1\n" in text
        assert "server 10.77.0.22:6443 max_fails=1 fail_timeout=5s; # cp2\n" in text

    def test_is_read_back(self):
        for serving in (frozenset(), frozenset({"cp1"}), frozenset({"cp1", "cp3"})):
            assert health.parse_serving(health.render(TARGETS, serving, "max_fails=1"), TARGETS) == serving

    def test_ipv6_addresses_are_bracketed(self):
        target = {"name": "cp1", "address": "fd00::21", "port": 6443}
        text = health.render([target], {"cp1"}, "")
        assert "server [fd00::21]:6443; # cp1" in text
        assert health.parse_serving(text, [target]) == {"cp1"}


class FakeNginx:
    """Commands by their first word; each has an answer that a test may change."""

    def __init__(self):
        self.answers = {"test": (0, ""), "state": (0, "active"), "reload": (0, "")}
        self.calls = []

    def __call__(self, argv):
        self.calls.append(argv[0])
        return self.answers[argv[0]]


@pytest.fixture(name="config")
def config_fixture(tmp_path):
    include = tmp_path / "api-servers.conf"
    include.write_text("old\n")
    return {"include": str(include), "test": ["test"], "state": ["state"], "reload": ["reload"], "servers": TARGETS, "rise": 1, "fall": 2,
            "first_round": 3.0, "debounce": 0.5, "retry": 1.0, "parameters": "max_fails=1"}


class TestNginx:
    def test_tests_before_it_reloads(self, config):
        fake = FakeNginx()
        assert health.Nginx(config, fake).apply("new\n") == ""
        assert fake.calls == ["test", "state", "reload"]
        assert health.read(config["include"]) == "new\n"

    def test_puts_the_old_file_back_when_the_test_fails(self, config):
        fake = FakeNginx()
        fake.answers["test"] = (1, "unknown directive")
        assert "unknown directive" in health.Nginx(config, fake).apply("new\n")
        assert fake.calls == ["test"]
        assert health.read(config["include"]) == "old\n"

    def test_a_stopped_nginx_reads_the_file_at_its_start(self, config):
        fake = FakeNginx()
        fake.answers["state"] = (0, "inactive")
        assert health.Nginx(config, fake).apply("new\n") == ""
        assert "reload" not in fake.calls

    def test_a_starting_nginx_may_have_read_the_old_file(self, config):
        fake = FakeNginx()
        fake.answers["state"] = (0, "activating")
        assert health.Nginx(config, fake).apply("new\n") == "NGINX is activating"

    def test_no_temporary_file_stays(self, config):
        health.Nginx(config, FakeNginx()).apply("new\n")
        assert [path.name for path in pathlib.Path(config["include"]).parent.iterdir()] == ["api-servers.conf"]


class TestBalancer:
    def start(self, config, serving=frozenset()):
        fake = FakeNginx()
        return health.Balancer(config, health.Nginx(config, fake), serving, 100.0), fake

    def all_answer(self, balancer, *answers):
        for name, answer in zip(("cp1", "cp2", "cp3"), answers):
            balancer.observe(name, answer)

    def test_waits_for_the_first_round(self, config):
        balancer, fake = self.start(config)
        balancer.observe("cp1", GOOD)
        assert not balancer.step(100.5)
        assert not fake.calls
        balancer.observe("cp2", GOOD)
        balancer.observe("cp3", NO)
        balancer.observe("cp3", NO)
        assert balancer.step(101.0)
        assert balancer.serving == {"cp1", "cp2"}

    def test_the_first_round_is_bounded(self, config):
        balancer, _fake = self.start(config)
        balancer.observe("cp1", GOOD)
        assert balancer.step(103.0)
        assert balancer.serving == {"cp1"}

    def test_a_restarted_daemon_keeps_the_file_for_servers_it_has_not_heard_of(self, config):
        balancer, _fake = self.start(config, frozenset({"cp1", "cp2"}))
        for name in ("cp1", "cp2", "cp3"):
            balancer.observe(name, SILENCE)
        balancer.step(103.0)
        assert balancer.serving == {"cp1", "cp2"}

    def test_reloads_once_for_a_set_that_stays(self, config):
        balancer, fake = self.start(config)
        self.all_answer(balancer, GOOD, GOOD, GOOD)
        balancer.step(101.0)
        for moment in range(102, 110):
            self.all_answer(balancer, GOOD, GOOD, GOOD)
            assert not balancer.step(float(moment))
        assert fake.calls.count("reload") == 1

    def test_at_most_two_reloads_a_second(self, config):
        balancer, fake = self.start(config)
        self.all_answer(balancer, GOOD, GOOD, GOOD)
        balancer.step(101.0)
        self.all_answer(balancer, NO)
        self.all_answer(balancer, NO)
        assert not balancer.step(101.4)
        assert balancer.step(101.5)
        assert fake.calls.count("reload") == 2

    def test_tries_again_what_could_not_be_applied_and_says_so_meanwhile(self, config):
        balancer, fake = self.start(config)
        self.all_answer(balancer, GOOD, GOOD, GOOD)
        fake.answers["test"] = (1, "broken elsewhere")
        balancer.step(101.0)
        assert "broken elsewhere" in balancer.state()["error"]
        assert balancer.state()["serving"] == []
        fake.answers["test"] = (0, "")
        assert not balancer.step(101.5)
        assert balancer.step(102.0)
        assert balancer.state()["error"] == ""
        assert balancer.serving == {"cp1", "cp2", "cp3"}

    def test_a_change_taken_back_after_a_failed_reload_is_undone_in_the_file_too(self, config):
        balancer, fake = self.start(config)
        self.all_answer(balancer, GOOD, GOOD, GOOD)
        balancer.step(101.0)
        fake.answers["reload"] = (1, "systemd is busy")
        self.all_answer(balancer, NO)
        self.all_answer(balancer, NO)
        balancer.step(102.0)
        assert balancer.serving == {"cp1", "cp2", "cp3"}
        fake.answers["reload"] = (0, "")
        balancer.observe("cp1", GOOD)
        balancer.step(104.0)
        assert health.parse_serving(health.read(config["include"]), TARGETS) == {"cp1", "cp2", "cp3"}
        assert balancer.state()["error"] == ""


class Readyz(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    status = 200
    connections = 0
    pause = None
    failing = ("etcd",)

    def setup(self):
        type(self).connections += 1
        super().setup()

    def do_GET(self):
        if self.pause:
            self.pause.wait(5)
        failed = "".join("[-]%s failed: reason withheld\n" % name for name in self.failing)
        body = b"ok" if self.status == 200 else ("[+]ping ok\n%sreadyz check failed\n" % failed).encode()
        self.send_response(self.status)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format, *args):
        pass


@pytest.fixture(name="certificate", scope="module")
def certificate_fixture(tmp_path_factory):
    folder = tmp_path_factory.mktemp("tls")
    subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "2", "-subj", "/CN=test",
                    "-addext", "subjectAltName=IP:127.0.0.1", "-keyout", folder / "tls.key", "-out", folder / "tls.crt"],
                   check=True, capture_output=True)
    return folder


@pytest.fixture(name="server")
def server_fixture(certificate):
    handler = type("Handler", (Readyz,), {})
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler)
    server.daemon_threads = True
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate / "tls.crt", certificate / "tls.key")
    context.load_verify_locations(certificate / "tls.crt")
    context.verify_mode = ssl.CERT_REQUIRED
    server.socket = context.wrap_socket(server.socket, server_side=True, do_handshake_on_connect=False)
    threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True).start()
    server.handler = handler
    yield server
    server.shutdown()
    server.server_close()


@pytest.fixture(name="probe")
def probe_fixture(server, certificate):
    target = {"name": "cp1", "address": "127.0.0.1", "port": server.server_address[1]}
    config = {"interval": 0.1, "timeout": 0.5, "ca": str(certificate / "tls.crt"), "cert": str(certificate / "tls.crt"), "key": str(certificate / "tls.key")}
    return health.Probe(target, config, queue.Queue())


class TestProbe:
    def test_uses_one_connection_for_many_questions(self, probe, server):
        assert [probe.ask().ready for _round in range(3)] == [True] * 3
        assert server.handler.connections == 1

    def test_names_the_check_that_failed(self, probe, server):
        server.handler.status = 500
        assert probe.ask() == (False, True, "/readyz answered 500: [-]etcd failed: reason withheld")

    @pytest.mark.parametrize("failing", [("shutdown",), ("etcd", "shutdown"), ("poststarthook/rbac/bootstrap-roles", "etcd-readiness"), ()])
    def test_what_fails_beside_etcd_is_the_servers_own(self, probe, server, failing):
        server.handler.status = 500
        server.handler.failing = failing
        assert not probe.ask().shared

    @pytest.mark.parametrize("status", [401, 403])
    def test_not_allowed_is_not_ready(self, probe, server, status):
        server.handler.status = status
        assert not probe.ask().ready

    def test_a_server_that_does_not_answer_says_nothing_of_itself(self, probe, server):
        server.handler.pause = threading.Event()
        answer = probe.ask()
        server.handler.pause.set()
        assert (answer.ready, answer.shared) == (False, True)

    def test_a_closed_port_is_a_refusal(self, probe, server):
        assert probe.ask().ready
        server.shutdown()
        server.server_close()
        probe._close()
        answer = probe.ask()
        assert (answer.ready, answer.shared) == (False, False)

    def test_a_closed_idle_connection_is_no_failure(self, probe, server):
        assert probe.ask().ready
        probe._connection.sock.close()
        assert probe.ask().ready
        assert server.handler.connections == 2

    def test_a_missing_certificate_is_said_and_no_crash(self, probe, tmp_path):
        probe._config["cert"] = str(tmp_path / "missing.crt")
        answer = probe.ask()
        assert not answer.ready
        assert "No such file" in answer.text
