# Copyright (c) 2026, ironrack.cluster contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The guard of generations on real sockets: an API behind TLS, NGINX and another balancer as servers on addresses of the loopback network."""
from __future__ import annotations

import http.server
import importlib.util
import json
import pathlib
import ssl
import subprocess
import sys
import threading
import time

import pytest
from ansible_collections.ironrack.cluster.plugins.module_utils._nginx import render as rendering
from ansible_collections.ironrack.cluster.plugins.module_utils._nginx.generation import status_of
from ansible_collections.ironrack.cluster.plugins.module_utils._nginx.traffic import Routing, parse
from ansible_collections.ironrack.cluster.plugins.modules.nginx_upstream import SPEC

FILES = pathlib.Path(__file__).parents[3] / "roles" / "pod_access" / "files"
spec = importlib.util.spec_from_file_location("balancer_traffic", FILES / "balancer_traffic.py")
guard = importlib.util.module_from_spec(spec)
spec.loader.exec_module(guard)
sources, decision = guard.sources, guard.decision

OWN, PEER = "127.0.0.1", "127.0.0.2"
RELEASES = [{"name": name, "host": "chat-%s.inference.svc.cluster.local" % name, "port": 8080} for name in ("v1", "v2")]


def configuration(generation, settled=True, service="chat", **options):
    """:returns: the file that the module nginx_upstream writes."""
    params = {name: option.get("default") for name, option in SPEC.items()}
    params.update(dict({"name": service, "generation": generation, "releases": RELEASES, "stable": "v1", "port": 8443}, **options))
    return rendering.render(parse(params), served=None if settled else Routing("nobody", "", "", 0))


class TestReading:
    def test_what_the_module_writes_is_read(self):
        found = sources.read_service("chat", configuration(7), "cluster.local", 8080)
        assert found == ("chat", "inference", (7, True), (8443,))
        assert sources.read_service("chat", configuration(7, settled=False), "cluster.local", 8080).disk == (7, False)

    def test_both_families_and_tls(self):
        text = configuration(7, address_family="both", certificate="/etc/a.crt", certificate_key="/etc/a.key", port=443)
        assert "listen [::]:443 ssl;" in text and sources.read_service("chat", text, "cluster.local", 8080).ports == (443,)

    @pytest.mark.parametrize("hosts, namespace", [
        (["a.one.svc.cluster.local", "b.one.svc.cluster.local"], "one"), (["a.one.svc.cluster.local", "b.two.svc.cluster.local"], ""),
        (["pods.example.org"], ""), (["a.one.svc.other.domain"], "")])
    def test_the_namespace_is_in_the_names_of_the_releases(self, hosts, namespace):
        text = configuration(7, releases=[{"name": "v%d" % place, "host": host, "port": 80} for place, host in enumerate(hosts, 1)])
        assert sources.read_service("chat", text, "cluster.local", 8080).namespace == namespace

    def test_other_files_are_not_ours(self, tmp_path):
        for name, text in (("chat.conf", configuration(7)), ("site.conf", "server { listen 80; }\n"), ("chat.conf.former", configuration(6)),
                           (".chat.conf.x", configuration(8)), ("broken.conf", sources.MARK + "{}\n"), ("empty.conf", "")):
            (tmp_path / name).write_text(text)
        assert list(sources.read_services(str(tmp_path), "cluster.local", 8080)) == ["chat"]
        assert sources.read_services(str(tmp_path / "absent"), "cluster.local", 8080) == {}

    @pytest.mark.parametrize("status, data, generation", [
        (200, {"record": json.dumps({"traffic": {"generation": 7}})}, 7), (404, {}, "none"), (403, {}, "unreadable"), (200, {"record": "{"}, "unreadable"),
        (200, {}, "unreadable"), (200, {"record": "[]"}, "unreadable")])
    def test_the_record(self, status, data, generation):
        assert sources.record_generation(status, {"data": data}) == generation


class TestRules:
    def test_nothing_closed_is_no_table(self):
        assert guard.ruleset([], []) == "add table inet ironrack_balancer_traffic\ndelete table inet ironrack_balancer_traffic\n"

    def test_who_comes_anew_is_refused_and_connections_that_stood_wait_or_end(self):
        lines = [line.strip() for line in guard.ruleset([443], [8443, 9443]).splitlines()]
        assert lines[:2] == ["add table inet ironrack_balancer_traffic", "delete table inet ironrack_balancer_traffic"]
        assert lines[5:] == ["iif lo accept", "tcp dport { 443 } reject with tcp reset",
                             "tcp dport { 8443, 9443 } tcp flags & (syn | ack) == syn reject with tcp reset", "tcp dport { 8443, 9443 } drop", "}", "}"]

    def test_the_gate_speaks_once_and_tries_again_after_a_failure(self):
        calls, answer = [], [(0, "", "")]
        gate = guard.Gate("nft", lambda argv, text: calls.append((argv, text)) or answer[0])
        for dummy in range(3):
            gate.set([443], [])
        assert len(calls) == 1 and calls[0][0] == ["nft", "-f", "-"] and not gate.error
        answer[0] = (1, "", "no such table")
        gate.set([], [])
        assert "no such table" in gate.error and len(calls) == 2
        gate.set([], [])
        assert len(calls) == 2
        gate._tried -= 1
        answer[0] = (0, "", "")
        gate.set([], [])
        assert len(calls) == 3 and not gate.error


class TestFitness:
    def test_only_a_page_that_moves_counts(self):
        fitness, page = guard.Fitness(3), {"beat": 1, "held": [], "keepalived": True}
        assert fitness.look("lb2", page, 100)["fit"] and fitness.look("lb2", page, 102)["fit"]
        assert not fitness.look("lb2", page, 104)["fit"]
        assert fitness.look("lb2", dict(page, beat=2), 105)["fit"]

    @pytest.mark.parametrize("page", [None, {}, {"beat": 1, "held": ["chat"], "keepalived": True}, {"beat": 1, "held": [], "keepalived": False}])
    def test_who_cannot_hold_the_address(self, page):
        assert not guard.Fitness(3).look("lb2", page, 100)["fit"]


class Handler(http.server.BaseHTTPRequestHandler):
    """Answers by path and Host from its server's ``pages``."""

    protocol_version = "HTTP/1.1"

    def do_GET(self):
        status, body = self.server.pages.get((self.headers["Host"], self.path), self.server.pages.get(self.path, (404, "")))
        self.send_response(status)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body.encode())

    def log_message(self, format, *args):
        pass


class Server:
    """A server that can be stopped and started again on the same port."""

    def __init__(self, address, port=0, folder=None):
        self.address, self.port, self._folder, self.pages = address, port, folder, {}
        self._server = None
        self.start()

    def start(self):
        self._server = http.server.ThreadingHTTPServer((self.address, self.port), Handler)
        self._server.daemon_threads = True
        self._server.pages = self.pages
        self.port = self._server.server_address[1]
        if self._folder:
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            context.load_cert_chain(self._folder / "tls.crt", self._folder / "tls.key")
            self._server.socket = context.wrap_socket(self._server.socket, server_side=True, do_handshake_on_connect=False)
        threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True).start()

    def stop(self):
        if self._server:
            self._server.shutdown()
            self._server.server_close()
            self._server = None


@pytest.fixture(name="certificate", scope="module")
def certificate_fixture(tmp_path_factory):
    folder = tmp_path_factory.mktemp("tls")
    subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "2", "-subj", "/CN=test",
                    "-addext", "subjectAltName=IP:127.0.0.1", "-keyout", folder / "tls.key", "-out", folder / "tls.crt"],
                   check=True, capture_output=True)
    return folder


class World:
    """A balancer's host with everything that its guard talks to. Silence means something after 1.5 s here, and a boot is over after four."""

    def __init__(self, root, certificate):
        self.root = root
        self.api, self.nginx = Server("127.0.0.1", folder=certificate), Server(OWN)
        self.peer = Server(PEER, self.nginx.port)
        self.witness = Server("127.0.0.3")
        (root / "http.d").mkdir()
        for name, body in (("nft", "cat > %s/nft.txt" % root), ("ip", "cat %s/vip.json" % root)):
            (root / name).write_text("#!/bin/sh\n%s\n" % body)
            (root / name).chmod(0o755)
        (root / "vip.json").write_text("[]")
        files = {"ca": "tls.crt", "cert": "tls.crt", "key": "tls.key"}
        self.config = dict({name: str(certificate / file) for name, file in files.items()}, **{
            "folder": str(root / "http.d"), "domain": "cluster.local", "own_address": OWN, "health_port": self.nginx.port,
            "servers": ["https://127.0.0.1:%d" % self.api.port], "peers": {"lb2": PEER}, "witnesses": ["127.0.0.3"], "witness_port": self.witness.port,
            "vip": "192.0.2.10", "interval": 0.1, "timeout": 0.4, "tick": 0.03, "silence": 1.5, "unproved": 4.0, "first_round": 1.0,
            "nft": str(root / "nft"), "ip": str(root / "ip"), "keepalived": ["true"], "state_file": str(root / "run" / "state.json"),
            "memory_file": str(root / "run" / "memory.json"), "vip_flag": str(root / "run" / "vip-left-to-others")})
        self.page_of_peer(held=[])
        self.stopped = threading.Event()

    def page_of_peer(self, **page):
        self._peer_page = dict({"keepalived": True}, **page)
        self.beat()

    def beat(self):
        self.peer.pages["/balancer-traffic.json"] = (200, json.dumps(dict(self._peer_page, beat=time.monotonic())))

    def record(self, generation):
        self.api.pages["/api/v1/namespaces/inference/configmaps/rollout-chat"] = (
            200, json.dumps({"data": {"record": json.dumps({"traffic": {"generation": generation}})}}))

    def runs(self, server, generation, settled=True):
        status = configuration(generation, settled).partition("\n")[0][len(sources.MARK):]
        assert status_of(sources.MARK + status).generation == generation
        server.pages["chat.upstream.ironrack", "/upstream.json"] = (200, status)

    def disk(self, generation):
        (self.root / "http.d" / "chat.conf").write_text(
            configuration(generation, health_url="http://127.0.0.1:%d" % self.nginx.port))

    def start(self):
        """Start the guard as systemd would, in a thread."""
        self.daemon = guard.Daemon(self.config)

        def ended():
            self.beat()
            return self.stopped.is_set()

        self.thread = threading.Thread(target=self.daemon.serve, args=(ended,), daemon=True)
        self.thread.start()
        return self

    def end(self):
        self.stopped.set()
        for thread in [self.thread] + self.daemon.sources:
            thread.join(5)
            assert not thread.is_alive()
        self.stopped.clear()

    def state(self):
        return json.loads((self.root / "run" / "state.json").read_text())

    def chat(self):
        return self.state()["services"]["chat"]

    def closed(self):
        text = (self.root / "nft.txt").read_text()
        return "refused" if "{ 8443 } reject" in text else "waiting" if "{ 8443 } drop" in text else ""

    def until(self, condition, seconds=10.0):
        deadline = time.monotonic() + seconds
        while True:
            try:
                if condition():
                    return
            except (FileNotFoundError, KeyError):
                pass
            assert time.monotonic() < deadline, "it did not come: %s" % json.dumps(self.state(), indent=1)
            time.sleep(0.02)


@pytest.fixture(name="world")
def world_fixture(tmp_path, certificate):
    world = World(tmp_path, certificate)
    yield world
    world.end()
    for server in (world.api, world.nginx, world.peer, world.witness):
        server.stop()


def booted(world, own, record=None, peer=None):
    """A balancer that boots: its file is there, NGINX is not yet."""
    world.nginx.stop()
    world.disk(own)
    world.runs(world.nginx, own)
    if record is not None:
        world.record(record)
    if peer is not None:
        world.runs(world.peer, peer)
    return world.start()


def test_a_boot_with_the_newest_generation_is_open_before_nginx_starts(world):
    booted(world, own=7, record=7, peer=7)
    world.until(lambda: not world.chat()["held"])
    assert world.closed() == "" and world.chat()["current"] is True and world.chat()["record"] == 7 and world.chat()["peers"] == {"lb2": 7}


def test_it_is_closed_before_anybody_was_asked(world):
    world.nginx.stop()
    world.disk(7)
    daemon = guard.Daemon(world.config)
    daemon.step()
    assert world.closed() == "refused" and world.chat()["why"] == "boot"
    world.start()


def test_one_that_comes_back_with_an_old_generation_is_held_until_it_is_brought_the_newest(world):
    booted(world, own=6, record=7, peer=7)
    world.nginx.start()
    world.until(lambda: world.chat()["why"] == "old" and world.chat()["current"] is False)
    world.until((world.root / "run" / "vip-left-to-others").exists)
    assert world.closed() == "refused" and "run playbooks/llm_service.yml" in world.chat()["says"]
    # the module's first step: the generation is the newest, and addresses are awaited
    world.disk(7)
    world.runs(world.nginx, 7, settled=False)
    world.until(lambda: world.chat()["own"] == 7)
    assert world.chat()["held"] and world.closed() == "refused"
    began = time.monotonic()
    world.runs(world.nginx, 7)
    world.until(lambda: world.closed() == "")
    assert time.monotonic() - began < 2
    world.until(lambda: not (world.root / "run" / "vip-left-to-others").exists())


def test_with_the_api_down_the_other_balancer_has_the_word(world):
    world.api.stop()
    booted(world, own=6, peer=7)
    world.until(lambda: world.chat()["why"] == "old")
    world.end()
    (world.root / "run" / "memory.json").unlink()
    world.runs(world.nginx, 7)
    world.disk(7)
    world.start()
    world.until(lambda: not world.chat()["held"])
    assert world.chat()["current"] is True and world.state()["api"]["silent_seconds"] > 1.0 and world.state()["api"]["error"]


def test_where_nobody_answers_a_boot_is_over_in_time_and_is_judged_later(world):
    world.api.stop()
    world.peer.stop()
    booted(world, own=6)
    world.nginx.start()
    began = time.monotonic()
    world.until(lambda: world.state()["link"] == "blind" and world.chat()["held"])
    world.until(lambda: not world.chat()["held"])
    assert 2.5 < time.monotonic() - began and world.chat()["current"] == "unknown"
    world.record(7)
    world.api.start()
    world.until(lambda: world.chat()["why"] == "old")


def serving(world):
    """A balancer that has served all along."""
    booted(world, own=7, record=7, peer=7)
    world.nginx.start()
    world.until(lambda: not world.chat()["held"] and world.state()["keepalived"])
    return world


def test_a_sole_survivor_without_an_api_goes_on(world):
    serving(world)
    world.api.stop()
    world.peer.stop()
    world.until(lambda: world.state()["link"] == "blind")
    time.sleep(0.5)
    assert not world.chat()["held"] and world.closed() == "" and not world.state()["keeps_vip_away"]
    assert world.state()["peers"]["lb2"]["silent_seconds"] > 1.5


def test_one_that_is_cut_off_is_held_and_its_connections_wait_for_the_word(world):
    serving(world)
    for server in (world.api, world.peer, world.witness):
        server.stop()
    # A host that is there refuses a closed port; one that is cut off hears nothing.
    world.daemon.witnesses._ask = sources.ask_witnesses([], 0.1, lambda: True)
    world.until(lambda: world.chat()["why"] == "cut off")
    assert world.closed() == "waiting" and world.state()["keeps_vip_away"]
    world.record(7)
    world.api.start()
    world.until(lambda: not world.chat()["held"])
    assert world.closed() == ""


def test_what_it_heard_before_it_was_cut_off_does_not_count(world):
    serving(world)
    for server in (world.api, world.peer, world.witness):
        server.stop()
    world.daemon.witnesses._ask = sources.ask_witnesses([], 0.1, lambda: True)
    world.until(lambda: world.chat()["held"])
    world.record(8)
    world.api.start()
    world.until(lambda: world.chat()["why"] == "old")
    assert world.closed() == "refused"


def test_a_rollout_under_way_holds_nobody(world):
    serving(world)
    world.record(8)
    world.until(lambda: world.chat()["current"] is False)
    time.sleep(0.3)
    assert not world.chat()["held"]
    world.disk(8)
    world.runs(world.nginx, 8, settled=False)
    world.until(lambda: world.chat()["current"] is True)
    assert not world.chat()["held"]


def test_a_new_service_is_not_held(world):
    world.record(1)
    world.start()
    world.until(lambda: world.state()["link"] == "heard")
    world.disk(1)
    world.until(lambda: world.chat()["held"] is False)


def test_a_restart_of_the_guard_changes_nothing_and_a_standstill_does(world):
    serving(world)
    world.end()
    world.api.stop()
    world.peer.stop()
    world.start()
    world.until(lambda: world.state()["services"])
    assert not world.chat()["held"]
    world.end()
    time.sleep(1.7)
    world.start()
    world.until(lambda: world.chat()["why"] == "stood still")
    assert world.closed() == "waiting"


def test_a_first_installation_beside_a_running_nginx_cuts_no_connection(world):
    world.disk(7)
    world.runs(world.nginx, 7)
    daemon = guard.Daemon(world.config)
    daemon.step()
    assert world.closed() == "waiting"
    world.record(7)
    world.start()
    world.until(lambda: not world.chat()["held"])


def test_the_address_is_not_left_to_one_that_holds_too(world):
    world.page_of_peer(held=["chat"])
    booted(world, own=6, record=7, peer=6)
    world.until(lambda: world.chat()["why"] == "old" and world.state()["keepalived"])
    time.sleep(0.2)
    assert not world.state()["keeps_vip_away"] and not (world.root / "run" / "vip-left-to-others").exists()


def test_it_says_who_has_the_address(world):
    (world.root / "vip.json").write_text(json.dumps([{"ifname": "eth0", "addr_info": [{"local": "192.0.2.10"}]}]))
    serving(world)
    assert world.state()["holds_vip"] is True
    (world.root / "vip.json").write_text("[{}]")
    world.until(lambda: world.state()["holds_vip"] is False)


def test_a_host_that_refuses_is_there_and_one_that_is_silent_is_not():
    closed = Server("127.0.0.3")
    closed.stop()
    assert sources.answers([("127.0.0.3", closed.port)], 1)
    assert not sources.answers([], 1) and not sources.listens("127.0.0.3", closed.port, 1)


def test_the_daemons_start_alone():
    """They are installed without this collection, and run isolated."""
    for name in ("balancer_traffic.py", "pod_routes.py"):
        done = subprocess.run([sys.executable, "-I", str(FILES / name), "--help"], capture_output=True, text=True, check=False, cwd="/")
        assert done.returncode == 0 and "--config" in done.stdout
