# Copyright (c) 2026, ironrack.cluster contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""NGINX 1.28 with the role's own configuration, a DNS server and pods on loopback: splits, switches, refusals, kills.

IRONRACK_NGINX names the binary; the gate unpacks it from the bundle.
"""
from __future__ import annotations

import collections
import json
import re
import socket
import ssl
import subprocess
import threading
import time

import pytest
from ansible_collections.ironrack.cluster.plugins.module_utils._common.errors import IronrackError
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


def releases_of(site, keys, at_once=100):
    """:returns: the release that each key's request was answered by."""
    client = Client(site.port)
    found = []
    for start in range(0, len(keys), at_once):
        found += client.many([("/", key) for key in keys[start:start + at_once]])
    client.close()
    return [body.split()[0] for body in found]


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
