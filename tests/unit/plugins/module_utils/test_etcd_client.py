# Copyright (c) 2026, ironrack.cluster contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""etcdctl: the exact commands, and what is read from what it prints."""
from __future__ import annotations

import json

import pytest
from ansible_collections.ironrack.cluster.plugins.module_utils._common.cli import Cli, CommandError
from ansible_collections.ironrack.cluster.plugins.module_utils._etcd.client import EtcdCtl, has_history, has_log, words
from ansible_collections.ironrack.cluster.plugins.module_utils._etcd.report import alarm_words, report, shortcomings

A, B = "https://10.0.0.1:2379", "https://10.0.0.2:2379"
COMMON = ["--cacert=ca", "--cert=crt", "--key=key", "--write-out=json", "--dial-timeout=1s", "--command-timeout=2s"]
LIST = {"header": {"cluster_id": 255, "member_id": 16, "raft_term": 7}, "members": [
    {"ID": 16, "name": "cp1", "peerURLs": ["https://10.0.0.1:2380"], "clientURLs": [A]},
    {"ID": 17, "name": "cp2", "peerURLs": ["https://10.0.0.2:2380"], "clientURLs": [B]},
    {"ID": 18446744073709551615, "peerURLs": ["https://10.0.0.3:2380"], "isLearner": True}]}


class Host:
    """Answers one command, and remembers it."""

    def __init__(self, out="", rc=0, err=""):
        self.answer = rc, out if isinstance(out, str) else json.dumps(out) + "\n", err
        self.argv = None

    def run_command(self, argv, **options):
        self.argv = argv
        return self.answer


def etcd(host):
    return EtcdCtl(Cli(host), "ca", "crt", "key", "etcdctl")


@pytest.mark.parametrize("call, out, argv", (
    (lambda e: e.members([A, B]), LIST, ["member", "list", "--consistency=l"]),
    (lambda e: e.health([A, B]), [], ["endpoint", "health"]),
    (lambda e: e.status([A, B]), [], ["endpoint", "status"]),
    (lambda e: e.alarms([A, B]), {}, ["alarm", "list"]),
    (lambda e: e.has([A, B], "/registry/x"), {}, ["get", "/registry/x", "--prefix", "--keys-only", "--limit=1"]),
    (lambda e: e.add_learner([A, B], "cp3", "https://p"), {}, ["member", "add", "cp3", "--learner", "--peer-urls=https://p"]),
    (lambda e: e.promote([A, B], "ff"), {}, ["member", "promote", "ff"]),
    (lambda e: e.move_leader([A, B], "ff"), {}, ["move-leader", "ff"]),
))
def test_commands(call, out, argv):
    host = Host(out)
    call(etcd(host))
    assert host.argv == ["etcdctl", "--endpoints=%s,%s" % (A, B)] + COMMON + argv


def test_members():
    listing = etcd(Host(LIST)).members([A])
    assert (listing.cluster_id, listing.raft_term) == ("ff", 7)
    assert [(m.id, m.name, m.learner, bool(m.client_urls)) for m in listing.members] == [
        ("10", "cp1", False, True), ("11", "cp2", False, True), ("f" * 16, "", True, False)]


def test_health_counts_an_alarm_as_an_answer_but_not_a_corruption():
    host = Host([{"endpoint": A, "health": False, "error": "Active Alarm(s): NOSPACE "},
                 {"endpoint": B, "health": False, "error": "context deadline exceeded"}], rc=1)
    assert etcd(host).health([A, B]) == {A: "", B: "context deadline exceeded"}
    assert etcd(Host([{"endpoint": A, "health": False, "error": "Active Alarm(s): CORRUPT "}], rc=1)).health([A])[A]
    assert etcd(Host("", rc=1, err='{"level":"warn"}\nError: bad certificate\n')).health([A]) == {A: "Error: bad certificate"}
    assert etcd(Host("", rc=0)).health([A]) == {A: "no answer"}
    assert etcd(Host("", rc=0)).health([]) == {}


@pytest.mark.parametrize("rc, err, still", (
    (0, "", False),
    (1, "Error: etcdserver: can only promote a learner member which is in sync with leader", True),
    (1, "Error: etcdserver: can only promote a learner member", False),
    (1, "Error: context deadline exceeded", True)))
def test_promote(rc, err, still):
    assert bool(etcd(Host("{}", rc, err)).promote([A], "ff")) == still


def test_a_command_that_fails_is_an_error_with_its_words():
    with pytest.raises(CommandError, match="permission denied"):
        etcd(Host("", 1, "Error: permission denied")).members([A])
    with pytest.raises(CommandError, match="did not print JSON"):
        etcd(Host("nonsense")).health([A])


def test_words_leave_out_the_client_s_log():
    assert words('{"level":"warn"}\nError: unhealthy cluster\n') == "Error: unhealthy cluster"


def test_has_log_and_history(tmp_path):
    assert not has_log(str(tmp_path)) and not has_history(str(tmp_path))
    for folder in ("wal", "snap"):
        (tmp_path / "member" / folder).mkdir(parents=True)
    (tmp_path / "member" / "wal" / "0.tmp").touch()
    (tmp_path / "member" / "snap" / "db").write_bytes(b"x")
    assert not has_log(str(tmp_path))
    (tmp_path / "member" / "wal" / "0-0.wal").touch()
    assert has_log(str(tmp_path)) and not has_history(str(tmp_path))
    (tmp_path / "member" / "wal" / "1-5.wal").touch()
    assert has_history(str(tmp_path))


def status(number, leader, **more):
    return dict({"id": number, "leader": leader, "version": "3.6.16", "db_size": 10, "db_size_in_use": 5, "learner": False, "errors": []}, **more)


def found(health, alarms=()):
    listing = etcd(Host(LIST)).members([A])
    return report([A, B], health, listing, {A: status("10", "10"), B: status("11", "10")}, list(alarms), {})


def test_report():
    result = found({A: "", B: "no answer"})
    assert result["reachable"] and result["quorum"] and result["leader"] == "cp1" and result["cluster_id"] == "ff"
    assert [(m["name"], m["healthy"], m["leader"], m["error"]) for m in result["members"]] == [
        ("cp1", True, True, ""), ("cp2", False, False, "no answer"), ("", False, False, "never started")]


@pytest.mark.parametrize("health, expected, well", (
    ({A: "", B: ""}, 2, True), ({A: "", B: "x"}, 2, False), ({A: "", B: "x"}, 0, True), ({A: "", B: ""}, 3, False), ({A: "x", B: "x"}, 0, False)))
def test_shortcomings(health, expected, well):
    assert bool(shortcomings(found(health), expected)) != well


def test_nothing_is_never_well():
    assert shortcomings(report([], {}, None, {}, [], {}), 0)


def test_alarms_say_what_to_do():
    lines = alarm_words(found({A: "", B: ""}, [{"member_id": "10", "alarm": "NOSPACE"}, {"member_id": "99", "alarm": "CORRUPT"}]))
    assert "NOSPACE on cp1" in lines[0] and "etcdctl defrag" in lines[0] and "CORRUPT on 99" in lines[1]
