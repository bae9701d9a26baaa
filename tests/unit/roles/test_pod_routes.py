# Copyright (c) 2026, ironrack.cluster contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The daemon that keeps routes to pods: what it wants, what it does to a kernel, and the API followed over real TLS."""
from __future__ import annotations

import http.server
import importlib.util
import json
import pathlib
import queue
import ssl
import subprocess
import threading
import time

import pytest

SOURCE = pathlib.Path(__file__).parents[3] / "roles" / "pod_access" / "files" / "pod_routes.py"
spec = importlib.util.spec_from_file_location("pod_routes", SOURCE)
routes = importlib.util.module_from_spec(spec)
spec.loader.exec_module(routes)

PODS = "10.244.0.0/16"


def node(name, cidr, address, created="2026-01-01T00:00:00Z", version="1", **spec_):
    return {"metadata": {"name": name, "creationTimestamp": created, "resourceVersion": version}, "spec": dict({"podCIDR": cidr}, **spec_),
            "status": {"addresses": [{"type": "Hostname", "address": name}, {"type": "InternalIP", "address": address}]}}


GPU1, GPU2 = node("gpu1", "10.244.1.0/24", "192.0.2.31"), node("gpu2", "10.244.2.0/24", "192.0.2.32")


class TestWanted:
    def test_one_route_for_each_node(self):
        assert routes.wanted_routes([GPU1, GPU2], PODS) == ({"10.244.1.0/24": "192.0.2.31", "10.244.2.0/24": "192.0.2.32"}, {})

    def test_both_families_are_known_and_the_clusters_counts(self):
        both = node("gpu1", "10.244.1.0/24", "192.0.2.31", podCIDRs=["10.244.1.0/24", "fd00:10:244:1::/64"])
        both["status"]["addresses"].append({"type": "InternalIP", "address": "2001:db8::31"})
        assert routes.wanted_routes([both], PODS)[0] == {"10.244.1.0/24": "192.0.2.31"}
        assert routes.wanted_routes([both], "fd00:10:244::/56")[0] == {"fd00:10:244:1::/64": "2001:db8::31"}

    @pytest.mark.parametrize("cidr, words", [
        ("0.0.0.0/0", "no part of the pod network"), ("192.0.2.0/24", "no part of"), (PODS, "no part of"), ("", "no podCIDR yet"), (None, "no podCIDR yet")])
    def test_nothing_outside_of_the_pod_network_is_ever_routed(self, cidr, words):
        wanted, problems = routes.wanted_routes([node("odd", cidr, "192.0.2.9"), GPU1], PODS)
        assert wanted == {"10.244.1.0/24": "192.0.2.31"} and words in problems["odd"]

    def test_a_node_without_an_address_is_told(self):
        assert "InternalIP" in routes.wanted_routes([node("odd", "10.244.9.0/24", "nowhere")], PODS)[1]["odd"]

    def test_of_two_that_claim_one_network_the_newer_has_it(self):
        new = node("a-new", "10.244.1.0/24", "192.0.2.99", created="2026-02-01T00:00:00Z")
        assert routes.wanted_routes([new, GPU1], PODS)[0] == {"10.244.1.0/24": "192.0.2.99"}


class TestPlan:
    def test_nothing_is_done_before_anybody_said_anything(self):
        assert routes.plan(None, [routes.Route("10.244.1.0/24", "192.0.2.31", "77")]) == ({}, [], {})

    def test_what_is_right_stays_what_is_wrong_is_replaced_what_is_gone_goes(self):
        present = [routes.Route("10.244.1.0/24", "192.0.2.31", "77"), routes.Route("10.244.2.0/24", "192.0.2.3", "77"),
                   routes.Route("10.244.3.0/24", "192.0.2.33", "77")]
        wanted = {"10.244.1.0/24": "192.0.2.31", "10.244.2.0/24": "192.0.2.32", "10.244.4.0/24": "192.0.2.34"}
        assert routes.plan(wanted, present) == ({"10.244.2.0/24": "192.0.2.32", "10.244.4.0/24": "192.0.2.34"}, ["10.244.3.0/24"], {})

    def test_a_route_of_somebody_else_is_left_alone(self):
        present = [routes.Route("10.244.1.0/24", "10.244.1.0", "2"), routes.Route("10.244.9.0/24", "", "2")]
        found = routes.plan({"10.244.1.0/24": "192.0.2.31"}, present)
        assert (found.replace, found.delete) == ({}, []) and "left alone" in found.problems["10.244.1.0/24"]


class FakeIp:
    """iproute2 as far as the daemon uses it."""

    def __init__(self, routed=()):
        self.table, self.calls, self.behind, self.broken = dict(routed), [], set(), ""

    def __call__(self, argv):
        assert argv[:2] == ["ip", "-4"]
        self.calls.append(argv[2:])
        words = argv[2:]
        if self.broken:
            return 2, "", self.broken
        if words[:4] == ["-N", "-json", "route", "show"]:
            return 0, json.dumps([{"dst": network, "gateway": gateway, "dev": "eth0", "protocol": protocol}
                                  for network, (gateway, protocol) in self.table.items()]), ""
        if words[:3] == ["-json", "route", "get"]:
            return 0, json.dumps([dict({"dst": words[3], "dev": "eth0"}, **({"gateway": "192.0.2.1"} if words[3] in self.behind else {}))]), ""
        if words[:2] == ["route", "replace"]:
            self.table[words[2]] = (words[4], words[6])
        else:
            assert words[:2] == ["route", "delete"] and words[3:] == ["proto", "77"]
            del self.table[words[2]]
        return 0, "", ""


class TestKeeper:
    def keeper(self, ip):
        return routes.Keeper(routes.Kernel(PODS, run=ip), PODS)

    def test_sets_repairs_and_takes_away(self):
        ip = FakeIp({"10.244.7.0/24": ("192.0.2.37", "77"), "10.244.0.0/24": ("", "2")})
        keeper = self.keeper(ip)
        assert keeper.step([GPU1, GPU2])["routes"] == {"10.244.1.0/24": "192.0.2.31", "10.244.2.0/24": "192.0.2.32"}
        assert "10.244.7.0/24" not in ip.table and "10.244.0.0/24" in ip.table
        del ip.table["10.244.2.0/24"]
        keeper.step([GPU1, GPU2])
        assert ip.table["10.244.2.0/24"] == ("192.0.2.32", "77")

    def test_a_replaced_node_is_followed(self):
        ip = FakeIp()
        keeper = self.keeper(ip)
        keeper.step([GPU1])
        keeper.step([node("gpu1", "10.244.8.0/24", "192.0.2.31")])
        assert ip.table == {"10.244.8.0/24": ("192.0.2.31", "77")}

    def test_without_a_word_of_the_api_nothing_is_changed(self):
        ip = FakeIp({"10.244.7.0/24": ("192.0.2.37", "77")})
        assert self.keeper(ip).step(None)["routes"] == {"10.244.7.0/24": "192.0.2.37"}
        assert [words[3] for words in ip.calls] == ["show"]

    def test_a_node_behind_a_router_is_told_and_the_others_get_their_routes(self):
        ip = FakeIp()
        ip.behind.add("192.0.2.31")
        state = self.keeper(ip).step([GPU1, GPU2])
        assert state["routes"] == {"10.244.2.0/24": "192.0.2.32"} and "no neighbour" in state["problems"]["10.244.1.0/24"]

    def test_a_kernel_that_does_not_answer_is_told(self):
        ip = FakeIp()
        ip.broken = "no such tool"
        assert "no such tool" in self.keeper(ip).step([GPU1])["problems"]["kernel"]

    def test_routes_are_read_in_every_form(self):
        text = json.dumps([{"dst": "default", "gateway": "192.0.2.1", "protocol": "3"}, {"dst": "10.244.1.5", "gateway": "192.0.2.31", "protocol": 77},
                           {"type": "unreachable", "dst": "10.244.2.0/24", "protocol": "77"}])
        assert routes.parse_routes(text) == [("10.244.1.5/32", "192.0.2.31", "77"), ("10.244.2.0/24", "", "77")]
        assert routes.parse_routes("") == []


class FakeApi(http.server.BaseHTTPRequestHandler):
    """Nodes: a list, and watches that stay open for what a test puts into the queue."""

    protocol_version = "HTTP/1.1"

    def do_GET(self):
        state = self.server.state
        state["asked"].append(self.path)
        if state["status"] != 200:
            return self._send(json.dumps({"message": "no"}).encode(), state["status"])
        if "watch=true" not in self.path:
            return self._send(json.dumps({"metadata": {"resourceVersion": "10"}, "items": state["nodes"]}).encode())
        self.send_response(200)
        self.send_header("Transfer-Encoding", "chunked")
        self.end_headers()
        while True:
            event = state["events"].get()
            data = (json.dumps(event) + "\n").encode() if event else b""
            self.wfile.write(b"%x\r\n%s\r\n" % (len(data), data))
            if not event:
                return None
            if event["type"] == "ERROR":
                self.wfile.write(b"0\r\n\r\n")
                return None

    def _send(self, body, status=200):
        self.send_response(status)
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


@pytest.fixture(name="api")
def api_fixture(certificate):
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), FakeApi)
    server.daemon_threads = True
    server.state = {"nodes": [GPU1], "events": queue.Queue(), "asked": [], "status": 200}
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate / "tls.crt", certificate / "tls.key")
    server.socket = context.wrap_socket(server.socket, server_side=True, do_handshake_on_connect=False)
    threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True).start()
    server.files = [str(certificate / name) for name in ("tls.crt", "tls.crt", "tls.key")]
    server.url = "https://127.0.0.1:%d" % server.server_address[1]
    yield server
    server.state["events"].put(None)
    server.shutdown()
    server.server_close()


def until(condition, seconds=5):
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "it did not come"
        time.sleep(0.02)


def names(nodes):
    return sorted(entry["metadata"]["name"] for entry in nodes.snapshot() or [])


@pytest.fixture(name="follow")
def follow_fixture(api):
    started = []

    def follow(*servers, files):
        nodes = routes.Nodes(routes.Api(servers, files, 1), 0.1)
        nodes.start()
        started.append(nodes)
        return nodes

    yield follow
    for nodes in started:
        nodes.stopped.set()
        api.state["events"].put(None)
        nodes.join(5)
        assert not nodes.is_alive()


class TestNodes:

    def test_a_list_and_then_what_changes(self, follow, api):
        nodes = follow(api.url, files=api.files)
        until(lambda: names(nodes) == ["gpu1"])
        api.state["events"].put({"type": "ADDED", "object": dict(GPU2, metadata=dict(GPU2["metadata"], resourceVersion="11"))})
        until(lambda: names(nodes) == ["gpu1", "gpu2"], 2)
        api.state["events"].put({"type": "MODIFIED", "object": node("gpu1", "10.244.8.0/24", "192.0.2.31", version="12")})
        until(lambda: "10.244.8.0/24" in routes.wanted_routes(nodes.snapshot(), PODS)[0], 2)
        api.state["events"].put({"type": "DELETED", "object": node("gpu2", "10.244.2.0/24", "192.0.2.32", version="13")})
        until(lambda: names(nodes) == ["gpu1"], 2)
        api.state["events"].put({"type": "BOOKMARK", "object": {"metadata": {"resourceVersion": "20"}}})
        api.state["events"].put(None)
        until(lambda: "resourceVersion=20" in api.state["asked"][-1])
        assert sum("watch" not in path for path in api.state["asked"]) == 1

    def test_a_version_that_is_too_old_is_listed_again(self, follow, api):
        nodes = follow(api.url, files=api.files)
        until(lambda: names(nodes) == ["gpu1"])
        api.state["nodes"] = [GPU2]
        api.state["events"].put({"type": "ERROR", "object": {"code": 410, "message": "too old"}})
        until(lambda: names(nodes) == ["gpu2"])

    def test_another_server_is_asked_where_the_endpoint_is_silent(self, follow, api):
        nodes = follow("https://127.0.0.1:1", api.url, files=api.files)
        until(lambda: names(nodes) == ["gpu1"])

    def test_an_api_without_a_node_and_one_that_is_broken_take_nothing_away(self, follow, api):
        nodes = follow(api.url, files=api.files)
        until(lambda: names(nodes) == ["gpu1"])
        api.state["nodes"] = []
        api.state["events"].put({"type": "ERROR", "object": {"code": 410}})
        until(lambda: sum("watch" not in path for path in api.state["asked"]) == 2)
        assert names(nodes) == ["gpu1"]
        for status in (403, 500):
            api.state["status"] = status
            api.state["events"].put({"type": "ERROR", "object": {"code": 410}})
            until(lambda: str(status) in nodes.error)
            assert names(nodes) == ["gpu1"] and nodes.is_alive()
            api.state["status"] = 200
            until(lambda: not nodes.error)

    def test_before_the_first_answer_nothing_is_known(self, follow):
        nodes = follow("https://127.0.0.1:1", files=["/nowhere"] * 3)
        until(lambda: nodes.error)
        assert nodes.snapshot() is None


def test_the_daemon_sets_routes_and_writes_its_state(api, tmp_path):
    script, calls = tmp_path / "ip", tmp_path / "calls"
    script.write_text('#!/bin/sh\necho "$*" >> "%s"\ncase "$*" in *show*) echo "[]";; *get*) echo "[{}]";; esac\n' % calls)
    script.chmod(0o755)
    state = tmp_path / "run" / "pod-routes.json"
    routes.serve({"servers": [api.url], "ca": api.files[0], "cert": api.files[1], "key": api.files[2], "pod_cidr": PODS, "timeout": 1, "retry": 0.1,
                  "interval": 0.2, "first_round": 1, "ip": str(script), "state_file": str(state)}, ended=iter([False] * 4 + [True]).__next__)
    assert "-4 route replace 10.244.1.0/24 via 192.0.2.31 proto 77" in calls.read_text().splitlines()
    written = json.loads(state.read_text())
    assert written["wanted"] == written["routes"] == {"10.244.1.0/24": "192.0.2.31"} and not written["problems"]
