# Copyright (c) 2026, ironrack.cluster contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""NGINX 1.28 with the role's own configuration, a DNS server and pods on loopback: splits, switches, refusals, kills.

IRONRACK_NGINX names the binary; the gate unpacks it from the bundle.
"""
from __future__ import annotations

import collections
import concurrent.futures
import json
import re
import socket
import ssl
import subprocess
import threading
import time

import pytest
from ansible_collections.ironrack.cluster.plugins.module_utils._common.errors import IronrackError
from ansible_collections.ironrack.cluster.plugins.module_utils._common.waiting import wait_for
from ansible_collections.ironrack.cluster.plugins.module_utils._nginx.balancer import NotConfirmed
from ansible_collections.ironrack.cluster.plugins.module_utils._nginx.client import Refused
from ansible_collections.ironrack.cluster.plugins.module_utils._nginx.generation import Superseded, is_intact, status_of
from ansible_collections.ironrack.cluster.plugins.module_utils._nginx.render import render
from ansible_collections.ironrack.cluster.plugins.modules import nginx_upstream_info

from tests.real.nginx_site import Client, Site

KEYS = ["client-%d" % number for number in range(20000)]


class Killed(BaseException):
    """What stands for SIGKILL: nothing handles it."""


@pytest.fixture(name="site")
def site_fixture(tmp_path):
    site = Site(tmp_path)
    site.cluster.pods("blue", 1, 2)
    site.cluster.pods("green", 3, 4)
    site.start()
    yield site
    site.stop()
    assert not [line for line in (tmp_path / "log-error.log").read_text().splitlines() if re.search(r"\[(alert|crit)\]", line)]


def releases_of(site, keys, at_once=250):
    """:returns: the release that each key's request was answered by."""
    def part(start):
        # NGINX ends a connection at its thousandth request, in the middle of what was sent ahead.
        client = Client(site.port)
        bodies = client.many([("/", key) for key in keys[start:start + at_once]])
        client.close()
        return [body.split()[0] for body in bodies]

    with concurrent.futures.ThreadPoolExecutor(16) as pool:
        return [release for found in pool.map(part, range(0, len(keys), at_once)) for release in found]


def await_releases(site, wanted):
    """NGINX asks for the addresses again each second or so; no request fails meanwhile."""
    def condition():
        found = set(releases_of(site, KEYS[:300]))
        return found == wanted, found

    wait_for(condition, "answers of %s alone" % wanted, 10)


def log_of(site, count=1):
    """:returns: the last lines of the access log, which is written when a request has ended."""
    time.sleep(0.1)
    return [json.loads(line) for line in (site.root / "web.log").read_text().splitlines()[-count:]]


class Clients:
    """Keep-alive clients that ask one request after the other, and count what they get."""

    def __init__(self, site, count, pause=0.02):
        self.counts = collections.Counter()
        self.failures = []
        self._site = site
        self._pause = pause
        self._stop = threading.Event()
        self._threads = [threading.Thread(target=self._run, args=(number,)) for number in range(count)]

    def _run(self, number):
        client = Client(self._site.port)
        while not self._stop.is_set():
            try:
                status, headers, body = client.ask(X_Client="client-%d" % number)
                self.counts[body.split()[0] if status == 200 else status] += 1
                self.counts["closed"] += headers.get("connection") == "close"
                if status != 200:
                    self.failures.append(status)
            except (OSError, ValueError) as error:
                self.failures.append(repr(error))
                client.close()
            time.sleep(self._pause)
        client.close()

    def __enter__(self):
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *dummy):
        self._stop.set()
        for thread in self._threads:
            thread.join()


def test_life_of_a_service(site):
    predicted = site.apply(1, check=True)
    assert predicted["changed"] and predicted["before"] is None and predicted["after"]["weights"] == {"blue": 100}
    assert site.client.services() == []
    first = site.apply(1)
    assert first["changed"] and first["added"] == ["blue"] and first["after"] == predicted["after"]
    assert site.unit.reloads == 2
    again = site.apply(1)
    assert not again["changed"] and again["action"] == "none" and site.unit.reloads == 2
    assert set(releases_of(site, KEYS[:200])) == {"blue"}

    with pytest.raises(Superseded, match="generation 1 already stands for other traffic .*100 % blue, wanted 5 % green, 95 % blue"):
        site.apply(1, candidate="green", weight=5)
    assert site.apply(2, candidate="green", weight=0)["added"] == []
    with_weight = site.apply(3, candidate="green", weight=30)
    assert with_weight["added"] == [] and with_weight["after"]["weights"] == {"green": 30, "blue": 70}
    with pytest.raises(Superseded, match="generation 2 is older than generation 3 on disk") as refused:
        site.apply(2, candidate="green", weight=0)
    assert refused.value.details == {"generation": 2, "present": 3}

    info = nginx_upstream_info.ask(site.client, "web", True)
    assert info["in_step"] and info["intact"] and info["disk"]["weights"] == {"green": 30, "blue": 70} and info["running"]["generation"] == 3

    # promoted: the candidate is the stable, the old one stays known without traffic
    promoted = site.apply(4, stable="green")
    assert promoted["after"]["weights"] == {"green": 100} and set(releases_of(site, KEYS[:200])) == {"green"}
    # an unchanged generation with another time-out is a change of the settings, not of the traffic
    assert site.apply(4, stable="green", response_timeout=200)["reasons"] == [
        "the configuration on disk differs", "the workers run generation 4: 100 % green"]

    from_below = pytest.raises(Superseded, site.remove, 3)
    assert from_below.value.details["present"] == 4
    assert site.remove(5, check=True)["changed"] and site.client.services() == ["web"]
    assert site.remove(5)["action"] == "remove" and site.client.services() == []
    assert not site.remove(5)["changed"]
    with pytest.raises(OSError):
        Client(site.port).ask()


def test_shares_are_exact_and_nobody_goes_back(site):
    site.apply(1)
    generation, former, measured = 2, set(), {}
    for weight in (5, 25, 50, 100):
        site.apply(generation, candidate="green", weight=weight)
        found = releases_of(site, KEYS)
        moved = {key for key, release in zip(KEYS, found) if release == "green"}
        measured[weight] = 100.0 * len(moved) / len(KEYS)
        assert abs(measured[weight] - weight) < 1.0
        assert former <= moved
        generation, former = generation + 1, moved
    print("share measured over %d requests of as many clients: %s" % (len(KEYS), measured))
    # and back: exactly those that were there at 5 % are there again
    site.apply(generation, candidate="green", weight=5)
    assert {key for key, release in zip(KEYS[:2000], releases_of(site, KEYS[:2000])) if release == "green"} <= former


def test_twenty_switches_lose_no_request_and_no_stream(site):
    site.apply(1)
    streams, whole = [], []

    def stream():
        client = Client(site.port)
        whole.append(client.ask("/stream/2.0", X_Client="stream")[2] == "token " * 20)
        client.close()

    with Clients(site, 16) as clients:
        for number, weight in enumerate((5, 25, 50, 100, 0) * 4):
            streams += [threading.Thread(target=stream) for dummy in range(5)]
            for thread in streams[-5:]:
                thread.start()
            site.apply(2 + number, candidate="green", weight=weight)
            time.sleep(0.15)
        for thread in streams:
            thread.join()
    print("20 switches: %s, %d streams" % (dict(clients.counts), len(whole)))
    assert clients.failures == []
    assert clients.counts["green"] > 100 and clients.counts["blue"] > 100 and clients.counts["closed"] > 20
    assert whole == [True] * 100


def test_a_killed_run_is_finished_by_the_next(site, monkeypatch):
    site.apply(1)

    def killed(*dummy):
        raise Killed

    for generation, (where, weight) in enumerate((("reload", 10), ("write", 20), ("set_aside", 30), ("drop_aside", 40), ("accepting", 50)), 2):
        monkeypatch.setattr(site.client, where, killed)
        with pytest.raises(Killed):
            site.apply(generation, candidate="green", weight=weight)
        monkeypatch.undo()
        reloads = site.unit.reloads
        predicted = site.apply(generation, check=True, candidate="green", weight=weight)
        result = site.apply(generation, candidate="green", weight=weight)
        assert result["changed"] == predicted["changed"] == (where != "drop_aside")
        assert site.unit.reloads - reloads == (where != "drop_aside")
        assert site.client.running("web").served.weight == weight and site.client.former("web") is None
    # the removal too
    monkeypatch.setattr(site.client, "reload", killed)
    with pytest.raises(Killed):
        site.remove(9)
    monkeypatch.undo()
    assert site.client.read("web") is None and site.client.services() == ["web"] and site.client.running("web").generation == 6
    assert site.remove(9)["reasons"] == ["the workers run generation 6: 50 % green, 50 % blue"]
    assert site.client.running("web") is None and site.client.services() == []


@pytest.mark.parametrize("number", [1, 2])
def test_a_killed_creation_and_a_killed_addition_are_finished(site, monkeypatch, number):
    left = [0]

    def reload():
        left[0] -= 1
        if not left[0]:
            raise Killed
        site.unit.reload("", 0)

    # both reloads of each: the one that adds a release, the one that gives it traffic
    for generation, wanted in ((1, dict(names=("blue",))), (2, dict(candidate="green", weight=25))):
        left[0] = number
        monkeypatch.setattr(site.client, "reload", reload)
        with pytest.raises(Killed):
            site.apply(generation, **wanted)
        monkeypatch.undo()
        if generation == 2:
            assert set(releases_of(site, KEYS[:200])) == {"blue"}  # nobody has lost anything
        assert site.apply(generation, **wanted)["changed"] and not site.apply(generation, **wanted)["changed"]
    assert set(releases_of(site, KEYS[:200])) == {"blue", "green"}


def test_a_new_release_gets_its_traffic_when_its_addresses_are_known(site):
    site.apply(1, names=("blue",))
    site.dns.delay = 0.5
    with Clients(site, 8) as clients:
        result = site.apply(2, candidate="green", weight=50)
        time.sleep(0.5)
    assert result["added"] == ["green"] and clients.failures == [] and clients.counts["green"] > 10

    # one without pods gets nothing, and is not taken for done by the next run either
    site.dns.delay = 0
    site.dns.names["red.test"] = []
    for dummy in range(2):
        with pytest.raises(NotConfirmed, match="release red .*last seen: 502 from no address|last seen: 502 from web.red"):
            site.apply(3, names=("blue", "green", "red"), candidate="red", weight=50, address_wait=1)
        assert set(releases_of(site, KEYS[:500])) == {"blue", "green"}
    # a name that is in use keeps its address
    site.apply(4, candidate="green", weight=50)
    site.cluster.port += 1
    with pytest.raises(IronrackError, match="release blue has 50 % of the traffic at blue.test"):
        site.apply(5, candidate="green", weight=50)


def test_what_nginx_refuses_is_not_put_in_place(site):
    site.apply(1)
    former = site.client.read("web")
    # another file of the host has the same name on the same port: a mere warning of NGINX
    (site.root / "http.d" / "other.conf").write_text("server { listen %d; server_name twice.test; }" % site.port)
    with pytest.raises(Refused, match=r"\[warn\] conflicting server name"):
        site.apply(2, server_names=["twice.test"])
    assert site.client.read("web") == former and site.client.running("web").generation == 1
    (site.root / "http.d" / "other.conf").unlink()

    # a port that another process has: NGINX's test does not see it, its reload does
    with socket.socket() as other:
        other.bind(("0.0.0.0", 0))
        other.listen(1)
        with pytest.raises(NotConfirmed, match="The former file is back in place; NGINX goes on with generation 1"):
            site.apply(2, port=other.getsockname()[1], wait=1)
    assert site.client.read("web") == former and site.client.former("web") is None and site.client.running("web").generation == 1
    assert not [path.name for path in site.root.glob(".trial*")]
    # a later try, by its own generation, goes through
    assert site.apply(2)["changed"] and set(releases_of(site, KEYS[:100])) == {"blue"}


def test_without_nginx_the_file_is_written_and_nothing_passes(site):
    site.apply(1)
    site.unit.stop()
    for dummy in range(2):
        with pytest.raises(NotConfirmed, match="does not run on this host"):
            site.apply(2, candidate="green", weight=5)
    assert status_of(site.client.read("web")).generation == 2
    info = nginx_upstream_info.ask(site.client, "web", False)
    assert not info["in_step"] and info["disk"]["generation"] == 2 and info["error"]
    site.start()
    assert not site.apply(2, candidate="green", weight=5)["changed"]


def test_a_post_that_was_sent_is_never_sent_again(site):
    blue = site.cluster.pods("blue", 1, 2)
    site.apply(1, keepalive_idle=1, max_fails=0)
    client = Client(site.port)
    site.cluster.modes[blue[0]] = "drop"
    statuses = collections.Counter(client.ask("/order/%d" % number, "POST", "x")[0] for number in range(40))
    arrived = collections.Counter(path for dummy, dummy, method, path, dummy, dummy in site.cluster.seen if method == "POST")
    assert statuses[502] > 5 and statuses[200] > 5 and sum(statuses.values()) == 40
    assert len(arrived) == 40 and set(arrived.values()) == {1}
    # a GET may be: nobody notices
    assert {client.ask("/%d" % number)[0] for number in range(40)} == {200}
    client.close()
    tries = [line["upstream_status"] for line in log_of(site, 40)]
    assert "502, 200" in tries and "200" in tries


def test_what_pods_and_logs_are_told(site):
    site.apply(7, candidate="green", weight=100, tester_header="X-Release", tester_networks=["127.0.0.0/8"])
    client = Client(site.port)
    parent = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
    answer = client.ask("/a?key=secret", X_Client="c", X_Request_Id="mine-1", traceparent=parent, X_Forwarded_For="203.0.113.9")
    assert answer[1]["x-request-id"] == "mine-1" and answer[2].startswith("green")
    told = site.cluster.seen[-1][4]
    assert told["x-request-id"] == "mine-1" and told["traceparent"] == parent and told["x-forwarded-for"] == "127.0.0.1"
    assert (told["x-forwarded-proto"], told["x-forwarded-host"], told["host"]) == ("http", "web", "web")
    line = log_of(site)[0]
    assert (line["service"], line["release"], line["generation"], line["status"], line["direct"]) == ("web", "green", "7", "200", "0")
    assert line["path"] == "/a" and line["request_id"] == "mine-1" and line["traceparent"] == parent and line["completion"] == "OK"
    assert re.match(r"127\.0\.91\.[34]:\d+$", line["upstream_addr"]) and line["upstream_status"] == "200"
    assert "secret" not in json.dumps(line)
    # what is no request ID is replaced
    assert re.match("[0-9a-f]{32}$", client.ask(X_Request_Id='"; drop')[1]["x-request-id"])
    # testers choose
    assert client.ask(X_Release="blue")[2].startswith("blue") and client.ask(X_Release="none")[2].startswith("green")
    client.close()
    assert [line["direct"] for line in log_of(site, 2)] == ["1", "0"]
    # others do not
    site.apply(8, candidate="green", weight=100, tester_header="X-Release", tester_networks=["192.0.2.0/24"])
    client = Client(site.port)
    assert client.ask(X_Release="blue")[2].startswith("green")
    client.close()


def test_a_stream_that_breaks_is_told_from_a_whole_one(site):
    blue = site.cluster.pods("blue", 1)
    site.apply(1)
    client = Client(site.port)
    assert client.ask("/stream/0.3")[2] == "token " * 3
    site.cluster.modes[blue[0]] = "break"
    with pytest.raises(OSError):
        client.ask("/stream/0.3")
    client.close()
    whole, broken = log_of(site, 2)
    # For NGINX both are complete answers; the error log says which one the pod broke off.
    assert [(line["status"], line["completion"], line["upstream_status"]) for line in (whole, broken)] == [("200", "OK", "200")] * 2
    errors = (site.root / "web-error.log").read_text()
    assert "*%s upstream prematurely closed connection" % broken["connection"] in errors and errors.count("prematurely") == 1


def test_switched_off_and_the_fallback(site):
    site.cluster.pods("spare", 9)
    spare = [{"host": "127.0.91.9", "port": site.cluster.port}]
    site.apply(1, fallback=spare)
    # no ready pod at all: the backup
    site.dns.names["blue.test"] = []
    await_releases(site, {"spare"})
    site.cluster.pods("blue", 1, 2)
    await_releases(site, {"blue"})
    site.apply(2, fallback=spare, serve="fallback")
    assert set(releases_of(site, KEYS[:300])) == {"spare"} and log_of(site)[0]["release"] == "fallback"
    site.apply(3, fallback=spare, serve="nobody", retry_after=3)
    client = Client(site.port)
    status, headers, body = client.ask()
    client.close()
    assert status == 503 and headers["retry-after"] in ("3", "6", "12") and json.loads(body)["error"]["type"] == "unavailable"
    site.apply(4, fallback=spare)
    assert set(releases_of(site, KEYS[:300])) == {"blue"}


def test_overload_is_refused_with_a_time_to_come_again(site):
    site.apply(1, key_rate=1, key_burst=5, client_rate=1000, client_burst=1000, connections=10)
    client = Client(site.port)
    answers = [client.ask(X_Client="greedy") for dummy in range(20)]
    assert collections.Counter(status for status, dummy, dummy in answers).keys() == {200, 429}
    assert {headers.get("retry-after") for status, headers, dummy in answers if status == 429} <= {"2", "4", "8"}
    assert client.ask(X_Client="modest")[0] == 200
    # the pods' own refusal passes as it is, and gets a time
    for address in site.cluster.pods("blue", 1, 2):
        site.cluster.modes[address] = "busy"
    status, headers, body = client.ask(X_Client="other")
    assert (status, body) == (503, "later") and headers["retry-after"] in ("2", "4", "8")
    client.close()
    # another key under the same name of the limit: a reload would refuse the zone
    site.apply(2, key_rate=1, key_burst=5, connections=10, client_key="cookie:user")


def test_a_conversation_stays_on_its_pod(site):
    site.cluster.pods("blue", 1, 2, 5, 6)
    site.apply(1, sticky_key="header:X-Conversation")
    time.sleep(0.3)
    client, pods = Client(site.port), collections.defaultdict(set)
    for number in range(200):
        pods[number % 20].add(client.ask(X_Conversation="talk-%d" % (number % 20))[2])
    assert {len(found) for found in pods.values()} == {1} and len(set.union(*pods.values())) > 1
    assert len({client.ask()[2] for dummy in range(50)}) > 1
    client.close()


def test_a_share_of_requests_is_mirrored(site):
    site.apply(1, mirror_release="green", mirror_share=50)
    client = Client(site.port)
    for number in range(200):
        assert client.ask("/copied/%d" % number, "POST", "text")[2].startswith("blue")
    client.close()
    time.sleep(0.5)
    copies = collections.Counter((release, path) for release, dummy, dummy, path, dummy, body in site.cluster.seen if body == "text")
    assert set(copies.values()) == {1}
    assert 60 < len([path for release, path in copies if release == "green"]) < 140


def test_tls(site, tmp_path):
    for name in ("first", "second"):
        subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "2", "-subj", "/CN=" + name,
                        "-keyout", tmp_path / "new.key", "-out", tmp_path / "new.crt"], check=True, capture_output=True)
        # By a rename, as the module files does it: NGINX keeps a certificate over a reload whose file has the same inode and the same second.
        for kind in ("key", "crt"):
            (tmp_path / ("new." + kind)).rename(tmp_path / ("tls." + kind))
        result = site.apply(1, certificate=str(tmp_path / "tls.crt"), certificate_key=str(tmp_path / "tls.key"))
        assert result["changed"]  # a renewed certificate reaches what runs
        context = ssl.create_default_context(cafile=str(tmp_path / "tls.crt"))
        context.check_hostname = False
        context.set_alpn_protocols(["h2", "http/1.1"])
        with context.wrap_socket(socket.create_connection(("127.0.0.1", site.port), 5)) as connection:
            assert connection.version() == "TLSv1.3" and connection.selected_alpn_protocol() == "h2"
    context.maximum_version = ssl.TLSVersion.TLSv1_2
    with pytest.raises(ssl.SSLError):
        context.wrap_socket(socket.create_connection(("127.0.0.1", site.port), 5))


@pytest.mark.parametrize("options", [
    {}, {"candidate": "green", "weight": 1}, {"candidate": "green", "weight": 99}, {"candidate": "green", "weight": 100}, {"serve": "nobody"},
    {"fallback": [{"host": "2001:db8::1", "port": 80}, {"host": "spare.test", "port": 81}], "serve": "fallback"},
    {"fallback": [{"host": "192.0.2.1", "port": 80}], "sticky_key": "cookie:session"}, {"sticky_key": "address", "client_key": "cookie:user_id"},
    {"client_rate": 5, "client_burst": 3, "key_rate": 2, "connections": 100}, {"address_family": "both"},
    {"address_family": "ipv6", "resolver": "[::1]:5353"}, {"trusted_proxies": ["192.0.2.0/24", "2001:db8::/32"], "server_names": ["a.test", "*.b.test"]},
    {"tester_header": "X-Ironrack-Release", "tester_networks": ["192.0.2.0/24", "2001:db8::/32"], "mirror_release": "green", "mirror_share": 100},
], ids=lambda options: "-".join(options) or "least")
def test_nginx_finds_no_fault(site, options):
    text = render(site.describe(1, **options))
    site.client.test("web", text)
    assert is_intact(text)
    # beside it, one whose name and releases look alike
    (site.root / "http.d" / "web.conf").write_text(text)
    alike = site.describe(1, **dict(options, server_names=["c.test"]))
    site.client.test("web-blue", render(alike._replace(service="web-blue")))


def test_nginx_finds_room_for_many_services_with_long_names(site):
    release = "r" * 63
    host = ".".join(["h" * 60] * 4)
    for number in range(40):
        name = "s" * 60 + "-%02d" % number
        traffic = site.describe(1, server_names=["%02d.%s" % (number, ".".join(["n" * 60] * 4))], tester_header="X-R", tester_networks=["192.0.2.0/24"])
        releases = tuple(entry._replace(name=release[:-1] + entry.name[0], host=host) for entry in traffic.releases)
        routing = traffic.routing._replace(stable=releases[0].name, candidate=releases[1].name, weight=50)
        text = render(traffic._replace(service=name, releases=releases, routing=routing))
        (site.root / "http.d" / (name + ".conf")).write_text(text)
    site.client.test("web", render(site.describe(1)))
