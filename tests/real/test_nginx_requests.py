# Copyright (c) 2026, ironrack.cluster contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What becomes of requests: retries, headers, logs, limits, stickiness, mirrors, TLS; and NGINX's own judgement of every kind of configuration.

IRONRACK_NGINX names the binary; the gate unpacks it from the bundle.
"""
from __future__ import annotations

import collections
import json
import re
import socket
import ssl
import subprocess
import time

import pytest
from ansible_collections.ironrack.cluster.plugins.module_utils._common.waiting import wait_for
from ansible_collections.ironrack.cluster.plugins.module_utils._nginx.generation import is_intact
from ansible_collections.ironrack.cluster.plugins.module_utils._nginx.render import render

from tests.real.nginx_clients import KEYS, Client, await_releases, log_of, releases_of


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
    tries = [line["upstream_status"] for line in log_of(site, client, 40)]
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
    line = log_of(site, client)[0]
    assert (line["service"], line["release"], line["generation"], line["status"], line["direct"]) == ("web", "green", "7", "200", "0")
    assert line["path"] == "/a" and line["request_id"] == "mine-1" and line["traceparent"] == parent and line["completion"] == "OK"
    assert re.match(r"127\.0\.91\.[34]:\d+$", line["upstream_addr"]) and line["upstream_status"] == "200"
    assert "secret" not in json.dumps(line)
    # what is no request ID is replaced
    assert re.match("[0-9a-f]{32}$", client.ask(X_Request_Id='"; drop')[1]["x-request-id"])
    # testers choose
    assert client.ask(X_Release="blue")[2].startswith("blue") and client.ask(X_Release="none")[2].startswith("green")
    client.close()
    assert [line["direct"] for line in log_of(site, client, 2)] == ["1", "0"]
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
        client.ask("/stream/0.3", X_Request_Id="broken")
    client.close()
    whole, broken = log_of(site, client, 2)
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
    assert set(releases_of(site, KEYS[:300])) == {"spare"}
    client = Client(site.port)
    assert client.ask()[2].startswith("spare") and log_of(site, client)[0]["release"] == "fallback"
    client.close()
    site.apply(3, fallback=spare, serve="nobody", retry_after=3)
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

    def condition():
        copies = collections.Counter((release, path) for release, dummy, dummy, path, dummy, body in site.cluster.seen if body == "text")
        mirrored = len([path for release, path in copies if release == "green"])
        return mirrored > 60, "%d copies" % mirrored, (copies, mirrored)

    found, mirrored = wait_for(condition, "copies of about half the requests", 10)
    assert set(found.values()) == {1} and mirrored < 140

    # a copy that hangs costs the client nothing but its next request's patience; only request_time counts it
    for address in site.cluster.pods("green", 3, 4):
        site.cluster.modes[address] = "hang"
    client.close()
    site.apply(2, mirror_release="green", mirror_share=100, mirror_timeout=1)
    client = Client(site.port)
    started = time.monotonic()
    assert client.ask()[2].startswith("blue") and time.monotonic() - started < 0.9
    line = log_of(site, client)[0]
    client.close()
    assert float(line["request_time"]) >= 1 > float(line["upstream_response_time"])


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
