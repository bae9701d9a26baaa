# Copyright (c) 2026, ironrack.cluster contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The fault client's arithmetic: what is counted, what is excused, and that nothing measured is never a pass."""
from __future__ import annotations

import http.server
import json
import ssl
import subprocess
import threading
import time

import pytest
from ansible_collections.ironrack.cluster.tests.faults import client, hosts, notes, outcome
from hypothesis import given
from hypothesis import strategies as st

Request = outcome.Request


def ok(kind, issued, lasted=0.05):
    return Request(kind, issued, issued + lasted, 200, "")


def bad(kind, issued, lasted=0.5):
    return Request(kind, issued, issued + lasted, 0, "timed out")


def steady(kind="read", start=0.0, end=10.0, step=0.1):
    return [ok(kind, start + number * step) for number in range(int(round((end - start) / step)))]


class TestSummarise:
    def test_nothing_sent_is_no_success(self):
        with pytest.raises(ValueError, match="sent nothing"):
            outcome.summarise([])

    def test_a_steady_run(self):
        summary = outcome.summarise(steady() + steady("write", step=0.25))
        assert summary["read"]["sent"] == 100
        assert summary["read"]["failed"] == summary["write"]["failed"] == 0
        assert summary["read"]["longest_gap"] < 0.2
        assert summary["failures"] == []

    def test_requests_under_way_at_the_fault_are_counted_apart(self):
        requests = steady() + [bad("read", 4.8), bad("read", 5.0), bad("read", 5.02), bad("write", 5.3)]
        summary = outcome.summarise(requests, (5.0, 5.01))
        assert (summary["read"]["failed"], summary["read"]["failed_in_flight"]) == (1, 2)
        assert (summary["write"]["failed"], summary["write"]["failed_in_flight"]) == (1, 0)
        assert [failure["offset"] for failure in summary["failures"]] == [-0.21, -0.01, 0.01, 0.29]

    def test_a_failure_that_ended_before_the_fault_is_no_excuse(self):
        assert outcome.summarise(steady() + [bad("read", 4.0)], (5.0, 5.0))["read"]["failed"] == 1

    def test_the_gap_is_between_successes_by_completion(self):
        requests = steady(end=5.0) + [ok("read", 5.0, 1.2)] + steady(start=6.5, end=8)
        assert outcome.summarise(requests)["read"]["longest_gap"] == pytest.approx(1.25, abs=0.001)

    def test_an_outage_to_the_end_is_a_gap(self):
        assert outcome.summarise(steady(end=5) + [bad("read", 9.0, 1.0)])["read"]["longest_gap"] == pytest.approx(5.05, abs=0.01)

    def test_no_success_is_one_gap(self):
        assert outcome.summarise([bad("read", 0.0), bad("read", 9.5)])["read"]["longest_gap"] == 10.0

    @given(st.lists(st.tuples(st.floats(0, 100), st.floats(0, 3), st.booleans()), min_size=1, max_size=60), st.floats(0, 100))
    def test_every_request_is_counted_once(self, drawn, fault):
        requests = [Request("read", issued, issued + lasted, 0, "" if fine else "failed") for issued, lasted, fine in drawn]
        part = outcome.summarise(requests, (fault, fault))["read"]
        assert part["sent"] == len(requests)
        assert part["failed"] + part["failed_in_flight"] == sum(1 for request in requests if request.error)
        assert 0 <= part["longest_gap"] <= 104


def summed(requests, fault=(5.0, 5.0), singles=None):
    """:param singles: the requests of the clients that ask one by one; those of undisturbed ones where there are none."""
    return dict(outcome.summarise(requests, fault), one_by_one=outcome.one_by_one(singles or {"read": steady(), "write": steady("write")}, fault))


def judged(role, *extra, fault=(5.0, 5.0), base=None, singles=None):
    requests = (steady() if base is None else base) + steady("write", step=0.25) + list(extra)
    return outcome.judge(summed(requests, fault, singles), outcome.LIMITS[role])


class TestJudge:
    @pytest.mark.parametrize("role", sorted(outcome.LIMITS))
    def test_a_run_without_failures_keeps_every_promise(self, role):
        assert judged(role) == []

    @pytest.mark.parametrize("kind", ["read", "write"])
    def test_a_follower_costs_nothing(self, kind):
        assert judged("follower", bad(kind, 5.2)) != []
        assert judged("follower", bad(kind, 4.9)) == []

    def test_a_followers_gap_is_bounded(self):
        base = steady(end=5.0) + steady(start=5.8, end=10)
        assert "longest gap" in judged("follower", base=base)[0]
        assert judged("balancer", base=base) == []

    def test_a_stall_that_the_control_saw_too_lengthens_the_gap_and_excuses_no_failure(self):
        base = steady(end=5.0) + steady(start=5.8, end=10)
        summary = summed(base + steady("write", step=0.25) + [bad("write", 5.2)])
        stalled = outcome.stall(base, (5.0, 5.0))
        assert stalled == pytest.approx(0.7, abs=0.001)
        assert outcome.judge(summary, outcome.LIMITS["follower"], stalled) == ["1 requests failed, at most 0 may"]

    def test_a_control_in_its_rhythm_excuses_nothing(self):
        assert outcome.stall(steady(), (5.0, 5.0)) == outcome.stall([], (5.0, 5.0)) == 0
        assert outcome.stall(steady(end=7.5) + steady(start=9, end=20) + [ok("read", 30)], (1.0, 1.0)) == 0

    def test_a_leader_may_cost_early_writes_only(self):
        assert judged("leader", bad("write", 5.1, 3), bad("write", 6.4, 3)) == []
        assert "6.60" not in judged("leader", bad("write", 6.6))[0]
        assert "at 1.60 s" in judged("leader", bad("write", 6.6))[0]
        assert "reads failed" in judged("leader", bad("read", 5.2))[0]

    def test_a_leaders_writes_may_not_fail_before_the_fault(self):
        assert judged("leader", bad("write", 1.0)) != []

    def test_a_balancer_may_cost_what_is_sent_before_the_other_one_notices(self):
        assert judged("balancer", bad("read", 5.1), bad("write", 5.2)) == []
        assert judged("balancer", bad("read", 5.1), bad("write", 5.8)) != []

    def test_a_balancer_costs_a_client_that_waits_for_its_answers_one_request(self):
        once, twice = steady("write") + [bad("write", 5.1)], steady("write") + [bad("write", 5.1), bad("write", 5.7)]
        assert judged("balancer", singles={"read": steady(), "write": once}) == []
        assert judged("balancer", singles={"read": steady(), "write": twice}) == ["2 writes failed of the client that asks one by one, at most 1 may"]
        assert judged("follower", singles={"read": steady(), "write": once}) != []
        assert judged("leader", singles={"read": steady(), "write": twice}) == []

    def test_a_refusal_of_a_dying_host_counts_as_in_flight(self):
        refused = outcome.Request("write", 4.97, 4.98, 0, "ConnectionRefusedError: [Errno 111] Connection refused")
        writes = steady("write") + [refused, bad("write", 5.1)]
        assert outcome.one_by_one({"write": writes}, (4.95, 5.0)) == {"write": {"sent": 102, "failed": 1, "failed_in_flight": 1}}

    def test_a_client_that_asked_nothing_proves_nothing(self):
        with pytest.raises(ValueError, match="sent no write"):
            judged("balancer", singles={"read": steady(), "write": []})

    def test_failing_wholly_in_flight_is_no_pass(self):
        requests = [bad("read", 4.9), ok("write", 5.0)]
        assert "no read succeeded at all" in outcome.judge(summed(requests), outcome.LIMITS["leader"])


class TestSessions:
    LOG = (
        "1000.500 10.77.0.1 10.77.0.21:6443 200 0.300 0.001 5000 900\n"
        "1001.000 10.77.0.1 10.77.0.22:6443, 10.77.0.21:6443 200 0.400 -, 0.002 5000 900\n"
        "1002.000 10.77.0.31 10.77.0.22:6443 502 0.200 - 0 0\n"
        "1003.000 10.77.0.1 - 502 0.000 - 0 0\n"
        "broken line\n"
    )

    def test_only_servers_that_were_connected_to_count(self):
        sessions = outcome.parse_sessions(self.LOG)
        assert [(session.server, pytest.approx(session.began)) for session in sessions] == [
            ("10.77.0.21:6443", 1000.2), ("10.77.0.21:6443", 1000.6)]

    def test_counts_what_came_between_fault_and_readiness(self):
        sessions = outcome.parse_sessions(self.LOG)
        assert len(outcome.routed_before_ready(sessions, "10.77.0.21:6443", 999.0, 1000.5)) == 1
        assert outcome.routed_before_ready(sessions, "10.77.0.21:6443", 1000.3, 1000.5) == []
        assert outcome.routed_before_ready(sessions, "10.77.0.22:6443", 0, 2000) == []

    def test_unready_until_the_last_bad_answer_before_the_first_good_one(self):
        samples = [outcome.Sample(1, False, ""), outcome.Sample(2, False, ""), outcome.Sample(3, True, ""), outcome.Sample(4, False, "")]
        assert outcome.unready_until(samples) == 2
        assert outcome.unready_until(samples[2:]) is None
        assert outcome.unready_until(samples[:2]) is None


class TestHosts:
    INVENTORY = {
        "_meta": {"hostvars": {"lb1": {"ansible_host": "10.77.0.11"}, "cp1": {"ansible_host": "10.77.0.21"}, "cp2": {"ansible_host": "10.77.0.22"},
                               "gpu1": {"ansible_host": "10.77.0.31"}}},
        "all": {"children": ["ungrouped", "load_balancers", "control_plane", "etcd", "workers"]},
        "load_balancers": {"hosts": ["lb1"]}, "control_plane": {"hosts": ["cp1", "cp2"]}, "etcd": {"hosts": ["cp1", "cp2"]},
        "workers": {"children": ["gpu_workers"]}, "gpu_workers": {"hosts": ["gpu1"]},
    }

    def test_reads_groups_and_their_children(self):
        found = hosts.hosts_of(self.INVENTORY)
        assert found["cp1"]["address"] == "10.77.0.21"
        assert {"control_plane", "etcd"} <= found["cp1"]["groups"]
        assert {"workers", "gpu_workers"} <= found["gpu1"]["groups"]

    def test_finds_the_leader_by_its_own_word(self):
        found = hosts.hosts_of(self.INVENTORY)
        status = [{"Endpoint": "https://10.77.0.%d:2379" % number, "Status": {"leader": 7, "header": {"member_id": member}}}
                  for number, member in ((21, 5), (22, 7))]
        assert hosts.leader_of(status, found) == "cp2"
        assert hosts.leader_of(status[:1], found) is None

    def test_a_hosts_role_decides_its_limits(self):
        found = hosts.hosts_of(self.INVENTORY)
        assert [hosts.role_of(name, found, "cp2") for name in ("cp2", "cp1", "lb1", "gpu1")] == ["leader", "follower", "balancer", None]

    def test_the_moment_of_the_fault_lies_between_two_pings(self):
        assert hosts.silent_since({1: 10.0, 2: 10.01, 3: 10.02, 4: 10.03}, {1: 10.0, 2: 10.01}) == (10.01, 10.02)
        with pytest.raises(hosts.RunnerError, match="still answers"):
            hosts.silent_since({1: 10.0}, {1: 10.0})
        with pytest.raises(hosts.RunnerError, match="no ping"):
            hosts.silent_since({1: 10.0}, {})

    def test_an_echo_request_has_a_right_checksum(self):
        packet = hosts.echo_request(0xfffe, 0x1234)
        total = sum(int.from_bytes(packet[index:index + 2], "big") for index in range(0, 8, 2))
        assert (total & 0xffff) + (total >> 16) == 0xffff


class Store(http.server.BaseHTTPRequestHandler):
    stall = False
    trickle = False
    seen = []

    def _answer(self, status):
        if self.stall:
            time.sleep(1.2)
        length = int(self.headers.get("Content-Length", 0))
        self.seen.append((self.command, self.path, self.headers.get("Content-Type"), self.rfile.read(length)))
        body = json.dumps({"kind": "ConfigMap"}).encode()
        self.send_response(status)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        for index in range(len(body)):
            self.wfile.write(body[index:index + 1])
            if self.trickle:
                time.sleep(0.2)

    def do_GET(self):
        self._answer(200)

    def do_PATCH(self):
        self._answer(200)

    def do_POST(self):
        self._answer(201)

    def log_message(self, format, *args):
        pass


@pytest.fixture(name="api", scope="module")
def api_fixture(tmp_path_factory):
    """A TLS server and a kubeconfig that leads to it."""
    folder = tmp_path_factory.mktemp("api")
    subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "2", "-subj", "/CN=test",
                    "-addext", "subjectAltName=IP:127.0.0.1", "-keyout", folder / "tls.key", "-out", folder / "tls.crt"],
                   check=True, capture_output=True)
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Store)
    server.handle_error = lambda request, address: None     # the client leaves early on purpose
    server.daemon_threads = True
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(folder / "tls.crt", folder / "tls.key")
    server.socket = context.wrap_socket(server.socket, server_side=True, do_handshake_on_connect=False)
    threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True).start()
    kubeconfig = folder / "kubeconfig"
    kubeconfig.write_text(json.dumps({
        "current-context": "x",
        "contexts": [{"name": "x", "context": {"cluster": "c", "user": "u"}}],
        "clusters": [{"name": "c", "cluster": {"server": "https://127.0.0.1:%d" % server.server_address[1], "certificate-authority": str(folder / "tls.crt")}}],
        "users": [{"name": "u", "user": {"client-certificate": str(folder / "tls.crt"), "client-key": str(folder / "tls.key")}}],
    }))
    yield client.Api(client.Credentials(str(kubeconfig)), timeout=0.6)
    server.shutdown()
    server.server_close()


class TestClient:
    def test_sends_reads_and_overlapping_writes(self, api):
        runner = client.Client(api, read_interval=0.05, write_interval=0.1)
        runner.prepare()
        runner.start()
        time.sleep(0.6)
        runner.stop()
        summary = outcome.summarise(runner.requests)
        assert summary["failures"] == []
        assert 8 <= summary["read"]["sent"] <= 13
        assert 4 <= summary["write"]["sent"] <= 7
        assert ("PATCH", "application/merge-patch+json") in {(seen[0], seen[2]) for seen in Store.seen}
        assert all("resourceVersion" not in seen[1] for seen in Store.seen)

    def test_a_stalled_server_slows_no_later_request(self, api):
        Store.stall = True
        begun = time.monotonic()
        try:
            runner = client.Client(api, read_interval=0.1, write_interval=10)
            runner.start()
            time.sleep(1.05)
            sending = time.monotonic() - begun
            runner.stop()
        finally:
            Store.stall = False
        reads = [request for request in runner.requests if request.kind == "read"]
        assert 9 <= len(reads) <= sending / 0.1 + 2
        assert all(request.error for request in reads)
        assert max(request.finished - request.issued for request in reads) < 1.0

    def test_an_answer_that_trickles_ends_at_the_time_limit(self, api):
        Store.trickle = True
        begun = time.monotonic()
        try:
            with pytest.raises(OSError, match="no whole answer"):
                api.request("GET", "/")
        finally:
            Store.trickle = False
        assert time.monotonic() - begun < 1.0

    def test_one_by_one_the_next_request_waits_for_the_end_of_the_last(self, api):
        Store.stall = True
        try:
            asking = client.OneByOne(api, "read", pause=0.05)
            asking.start()
            time.sleep(1.05)
            asking.stop()
        finally:
            Store.stall = False
        assert 1 <= len(asking.requests) <= 5
        assert all(request.error for request in asking.requests)
        assert all(later.issued >= before.finished for before, later in zip(asking.requests, asking.requests[1:]))

    def test_a_closed_port_is_a_failure_at_once(self, api):
        closed = client.Api.__new__(client.Api)
        closed.__dict__.update(api.__dict__, _address=("127.0.0.1", 9))
        with pytest.raises(OSError):
            closed.request("GET", "/")


def test_a_gap_counts_as_the_faults_only_close_to_it():
    steady = [outcome.Request("read", second / 10, second / 10 + 0.02, 200, "") for second in range(300) if not 100 < second < 112 and not 250 < second < 270]
    summary = summed(steady, (10.0, 10.05))
    assert (summary["read"]["gap_at_fault"], summary["read"]["longest_gap"]) == (1.2, 2.0)
    writes = {"sent": 10, "failed": 0, "failed_in_flight": 0}
    assert "at the fault was 1.200 s" in outcome.judge(dict(summary, write=writes), outcome.LIMITS["follower"])[0]


JOURNAL = """\
1795289121.821779 lb1 Keepalived[978]: Starting VRRP child process, pid=980
1795289122.136257 lb1 Keepalived_vrrp[980]: (api) Entering MASTER STATE
1795289160.405157 lb1 python3[941]: cp3 is not ready: no answer within 1 s
1795289630.111221 cp1 etcd[56]: {"level":"info","ts":"x","logger":"raft","caller":"node.go:370","msg":"raft.node: 6b elected leader 7f at term 3"}
-- Boot 5f --
"""


def test_notes_are_what_changed_who_serves():
    assert [(note.moment, note.text) for note in notes.parse("lb1", JOURNAL)] == [
        (1795289122.136257, "(api) Entering MASTER STATE"), (1795289160.405157, "cp3 is not ready: no answer within 1 s"),
        (1795289630.111221, "raft.node: 6b elected leader 7f at term 3")]
