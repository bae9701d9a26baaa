# Copyright (c) 2026, ironrack.cluster contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""NGINX 1.28 with the role's own configuration, a DNS server and pods on loopback: a service's life, its shares, its switches; refusals and kills.

IRONRACK_NGINX names the binary; the gate unpacks it from the bundle.
"""
from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import threading
import time

import pytest
from ansible_collections.ironrack.cluster.plugins.module_utils._common.errors import IronrackError
from ansible_collections.ironrack.cluster.plugins.module_utils._nginx.balancer import NotConfirmed
from ansible_collections.ironrack.cluster.plugins.module_utils._nginx.client import Refused
from ansible_collections.ironrack.cluster.plugins.module_utils._nginx.generation import Superseded, status_of
from ansible_collections.ironrack.cluster.plugins.modules import nginx_upstream_info
from ansible_collections.ironrack.cluster.plugins.modules.nginx_upstream import SPEC

from tests.real.nginx_clients import KEYS, Client, clients, releases_of
from tests.traffic.tally import summarise


class Killed(BaseException):
    """What stands for SIGKILL: nothing handles it."""


@pytest.fixture(name="module")
def module_fixture(site, tmp_path, monkeypatch):
    """The module as Ansible runs it, a process of its own; systemctl is a script that does to NGINX what the unit would."""
    (tmp_path / "bin").mkdir()
    script = tmp_path / "bin" / "systemctl"
    script.write_text(r"""#!/bin/sh
case "$*" in
show*) echo ActiveState=active ;;
*reload*)
    # its parent is the command `timeout`, whose parent is the module
    if [ -e "%(here)s/deadly" ]; then rm "%(here)s/deadly"; kill -9 "$(awk '/^PPid/ {print $2}' /proc/$PPID/status)"; exit 1; fi
    kill -HUP "$(cat "%(here)s/nginx.pid")" ;;
esac
""" % {"here": tmp_path})
    script.chmod(0o755)
    monkeypatch.setenv("PATH", "%s:%s" % (tmp_path / "bin", os.environ["PATH"]))

    def run(generation, name="nginx_upstream", **options):
        wanted = site.describe(1).settings
        args = dict((option, wanted[option]) for option in SPEC if wanted[option] is not None)
        if name != "nginx_upstream":
            args = dict((option, args[option]) for option in ("folder", "unit", "health_url"))
        else:
            args.update(options, generation=generation)
        (tmp_path / "args.json").write_text(json.dumps({"ANSIBLE_MODULE_ARGS": args}))
        code = "from ansible_collections.ironrack.cluster.plugins.modules import %s as module; module.RUN_DIR = %r; module.main()" % (name, str(tmp_path))
        done = subprocess.run([sys.executable, "-c", code, str(tmp_path / "args.json")], capture_output=True, text=True, check=False)
        return done.returncode, json.loads(done.stdout or "null")

    return run


def test_the_module_itself_and_a_sigkill_between_file_and_reload(site, module, tmp_path):
    assert module(1)[1]["changed"] and not module(1)[1]["changed"]
    predicted = module(2, candidate="green", weight=50, _ansible_check_mode=True, _ansible_diff=True)[1]
    assert predicted["changed"] and "* blue;\n}" in predicted["diff"]["before"] and "50% green;" in predicted["diff"]["after"]
    (tmp_path / "deadly").touch()
    assert module(2, candidate="green", weight=50) == (-signal.SIGKILL, None)
    assert site.client.running("web").generation == 1 and status_of(site.client.read("web")).generation == 2
    services = module(0, "nginx_upstream_info")[1]["services"]
    assert not services["web"]["in_step"] and services["web"]["disk"]["weights"] == {"green": 50, "blue": 50}
    finished = module(2, candidate="green", weight=50)[1]
    assert finished["reasons"] == ["the workers run generation 1: 100 % blue"] and finished["after"] == predicted["after"]
    assert set(releases_of(site, KEYS[:300])) == {"blue", "green"} and module(0, "nginx_upstream_info")[1]["services"]["web"]["in_step"]
    status, refused = module(1)
    assert status == 1 and (refused["generation"], refused["present"]) == (1, 2)


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

    with clients(site, 16) as asking:
        for number, weight in enumerate((5, 25, 50, 100, 0) * 4):
            streams += [threading.Thread(target=stream) for dummy in range(5)]
            for thread in streams[-5:]:
                thread.start()
            site.apply(2 + number, candidate="green", weight=weight)
            time.sleep(0.15)
        for thread in streams:
            thread.join()
    seen = summarise(asking.answers)
    print("20 switches: %s, %d streams" % (seen["releases"], len(whole)))
    assert seen["failures"] == []
    assert seen["releases"]["green"][200] > 100 and seen["releases"]["blue"][200] > 100 and asking.connections["told_to_close"] > 20
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
    with clients(site, 8) as asking:
        result = site.apply(2, candidate="green", weight=50)
        time.sleep(0.5)
    seen = summarise(asking.answers)
    assert result["added"] == ["green"] and seen["failures"] == [] and seen["releases"]["green"][200] > 10

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


def test_with_the_dns_server_dead_an_abort_moves_the_traffic(site):
    site.apply(1)
    site.apply(2, candidate="green", weight=50)
    site.dns.dead = True
    with clients(site, 8) as asking:
        time.sleep(1.5)  # longer than an answer is valid
        site.apply(3, candidate="green", weight=0)
        site.apply(4)
        time.sleep(1.5)
    seen = summarise(asking.answers)
    assert seen["failures"] == [] and seen["releases"]["green"][200] > 10
    assert set(releases_of(site, KEYS[:500])) == {"blue"}


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
