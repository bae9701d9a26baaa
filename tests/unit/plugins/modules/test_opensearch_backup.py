# Copyright (c) 2026, ironrack.cluster contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Repositories, snapshots, their proofs and retention, as Ansible calls them, against an engine of the test over HTTP."""
from __future__ import annotations

import json
import re

import pytest

from ansible_collections.ironrack.cluster.plugins.module_utils._opensearch import moments, proving, snapshots
from ansible_collections.ironrack.cluster.plugins.modules import opensearch_backup_info, opensearch_proof, opensearch_repository
from ansible_collections.ironrack.cluster.plugins.modules import opensearch_retention, opensearch_snapshot, opensearch_snapshot_info
from ansible_collections.ironrack.cluster.tests.unit.plugins.modules.opensearch_calls import NOBODY, call_fixture
from ansible_collections.ironrack.cluster.tests.unit.plugins.opensearch_engine import error
from ansible_collections.ironrack.cluster.tests.unit.plugins.opensearch_store import Store

FIXTURES = (call_fixture,)
S3 = {"name": "backups", "type": "s3", "settings": {"bucket": "opensearch", "endpoint": "https://192.0.2.61:7070", "path_style_access": True}}
HOURLY = {"repository": "backups", "prefix": "hourly", "slot": 3600, "indices": ["logs-1", "logs-2"]}
DAY = 86400


@pytest.fixture(name="engine")
def engine_fixture():
    """:returns: a cluster with two indices and a repository, whose snapshots and restores are over at once."""
    made = Store()
    made.looks = 0
    made.repositories["backups"], made.stored["backups"] = {"type": "fs", "settings": {"location": "/b"}}, {}
    made.make("logs-1", {str(number): {"n": number} for number in range(2500)})
    made.make("logs-2", {str(number): {"n": number} for number in range(7)}, {"logs": {"is_write_index": True}})
    yield made
    made.stop()


def scratch(engine):
    return [name for name in engine.data if name.startswith(proving.SCRATCH)]


# Repositories

def test_a_repository_comes_changes_and_goes(engine, call):
    engine.repositories.clear()
    predicted = call(opensearch_repository, check=True, **S3)
    assert predicted["changed"] and not engine.writes()
    done = call(opensearch_repository, **S3)
    assert done["changed"] and done["nodes"] == ["os1", "os2", "os3"] and done["diff"] == predicted["diff"]
    assert [one[:3] for one in engine.writes()] == [("PUT", "/_snapshot/backups", {"verify": "false"}), ("POST", "/_snapshot/backups/_verify", {})]
    again = call(opensearch_repository, **S3)
    assert not again["changed"] and again["nodes"] == done["nodes"]  # it is verified each time
    other = dict(S3, settings=dict(S3["settings"], base_path="x"))
    assert "base_path" in call(opensearch_repository, **other)["diff"]["after"]
    for check in (False, True):
        kept = call(opensearch_repository, check=check, replace=False, **S3)
        assert [one["where"] for one in kept["problems"]] == ["settings.base_path"] and "'x'" in kept["problems"][0]["what"]
    assert not call(opensearch_repository, replace=False, **other)["changed"]
    gone = call(opensearch_repository, state="absent", name="backups")
    assert gone["changed"] and not engine.repositories and not call(opensearch_repository, state="absent", name="backups")["changed"]


def test_a_node_that_cannot_write_is_named_and_what_was_there_is_put_back(engine, call):
    before = dict(engine.repositories)
    engine.unable = {"os2": "Access Denied"}
    failed = call(opensearch_repository, **S3)
    assert failed["failed"] and failed["unable"] == {"os2": "Access Denied"} and "What was registered before is registered again" in failed["msg"]
    assert engine.repositories == before
    engine.repositories.clear()
    assert "not registered any more" in call(opensearch_repository, **S3)["msg"] and not engine.repositories


def test_a_secret_is_no_setting(engine, call):
    failed = call(opensearch_repository, name="_backups", type="s3", settings={"secret_key": "word-1"})
    assert [one["where"] for one in failed["problems"]] == ["name", "settings.bucket", "settings.secret_key"]
    assert "word-1" not in failed["msg"] and not engine.writes()


def test_a_check_run_before_there_is_a_cluster_predicts(call):
    assert call(opensearch_repository, check=True, urls=[NOBODY], **S3)["changed"]
    assert "no node of OpenSearch gave an answer" in call(opensearch_repository, urls=[NOBODY], **S3)["msg"]


# Snapshots

def test_the_first_host_takes_the_snapshot_of_a_slot_and_the_second_stands_back(engine, call):
    predicted = call(opensearch_snapshot, check=True, **HOURLY)
    assert predicted["changed"] and not engine.writes() and not engine.stored["backups"]
    first = call(opensearch_snapshot, **HOURLY)
    assert first["changed"] and not first["stood_back"] and first["state"] == "SUCCESS" and first["diff"] == predicted["diff"]
    assert re.fullmatch(r"hourly-\d{8}t\d\d00z", first["snapshot"]) and first["indices"] == ["ironrack-backups", "logs-1", "logs-2"]
    assert first["shards"] == {"total": 3, "failed": 0, "successful": 3} and first["seconds"] == 1.5
    assert first["manifest"]["documents"] == 2507 and first["manifest"]["without_checksum"] == []
    body = next(one[3] for one in engine.writes() if one[:2] == ("PUT", "/_snapshot/backups/" + first["snapshot"]))
    assert body["indices"] == "logs-1,logs-2,ironrack-backups" and not (body["include_global_state"] or body["partial"] or body["ignore_unavailable"])
    assert body["metadata"]["ironrack"]["manifest"] == first["manifest"]["checksum"]
    writes = len(engine.writes())
    second = call(opensearch_snapshot, **HOURLY)
    assert (second["changed"], second["stood_back"], second["state"]) == (False, True, "SUCCESS") and len(engine.writes()) == writes
    # The sheet of before is in the snapshot itself.
    kept = engine.stored["backups"][first["snapshot"]]["data"]["ironrack-backups"].documents
    assert [one["kind"] for one in kept.values()] == ["opening"]


def test_of_two_hosts_at_the_same_moment_one_takes_it(engine, call):
    name = snapshots.scheduled_name("hourly", moments.now(), 3600)
    engine.hooks[("PUT", "/_snapshot/backups/" + name)] = lambda: engine.stored["backups"].get(name) or engine.keep("backups", name, ["logs-1"])
    lost = call(opensearch_snapshot, **HOURLY)
    assert (lost["changed"], lost["stood_back"], lost["snapshot"]) == (False, True, name)
    # Its manifest would be taken for that of the other one's.
    assert not engine.data["ironrack-backups"].documents


def test_an_answer_that_was_lost_is_no_second_host(engine, call):
    name = snapshots.scheduled_name("hourly", moments.now(), 3600)
    path = "/_snapshot/backups/" + name

    def create():
        body = engine.asked[-1][3]
        if name not in engine.stored["backups"]:
            engine.keep("backups", name, body["indices"].split(","), metadata=body["metadata"])
    engine.hooks[("PUT", path)] = create
    done = call(opensearch_snapshot, **HOURLY)
    assert done["changed"] and not done["stood_back"] and done["manifest"]["documents"] == 2507


def test_manual_snapshots_in_one_second_are_two(engine, call):
    names = {call(opensearch_snapshot, repository="backups", indices=["logs-2"])["snapshot"] for _number in range(3)}
    assert len(names) == 3 and names == set(engine.stored["backups"])


@pytest.mark.parametrize("state, allowed, fails", [("PARTIAL", False, True), ("PARTIAL", True, False), ("FAILED", True, True), ("FAILED", False, True)])
def test_what_is_not_whole_is_a_failure_unless_it_was_allowed(engine, call, state, allowed, fails):
    engine.lost["ho"] = (state, 1)
    done = call(opensearch_snapshot, allow_partial=allowed, **HOURLY)
    assert bool(done.get("failed")) == fails and done["state"] == state and done["failures"][0]["reason"] == "IOException[no space]"
    if fails:
        assert "its state is %s; 1 of 3 shards failed, the first: logs-1 shard 0: IOException[no space]" % state in done["msg"]
    again = call(opensearch_snapshot, **HOURLY)
    assert again["stood_back"] and not again.get("failed") and "Its name is taken" in json.dumps(again["warnings"])


def test_a_red_index_is_refused_or_left_out_of_the_manifest(engine, call):
    engine.answers[("GET", "/_cluster/health")] = (200, {"status": "red", "indices": {"logs-1": {"status": "red"}, "logs-2": {"status": "green"}}})
    failed = call(opensearch_snapshot, **HOURLY)
    assert [one["where"] for one in failed["problems"]] == ["index logs-1"] and not engine.stored["backups"] and not engine.writes()
    engine.lost["ho"] = ("PARTIAL", 1)
    done = call(opensearch_snapshot, allow_partial=True, **HOURLY)
    assert done["changed"] and done["state"] == "PARTIAL" and "logs-1" in done["indices"]
    asked = [one[1] for one in engine.asked if one[0] == "POST" and one[1].endswith("_refresh")]
    assert asked and not any("logs-1" in path for path in asked)
    opened = next(one for one in engine.data["ironrack-backups"].documents.values() if one["kind"] == "opening")
    assert "logs-1" not in json.dumps(opened) and "logs-2" in json.dumps(opened)


def test_a_snapshot_that_is_not_over_in_time_fails_with_what_was_seen(engine, call):
    engine.looks = 10 ** 6
    failed = call(opensearch_snapshot, timeout=0, **HOURLY)
    assert "to be over; it goes on by itself; last seen: IN_PROGRESS" in failed["msg"]
    listed = call(opensearch_snapshot_info, repository="backups")
    assert listed["running"] == ["backups/" + listed["snapshots"][0]["snapshot"]]


def test_all_that_is_wrong_with_a_snapshot_is_told_at_once(engine, call):
    engine.streams["stream"] = []
    engine.data["logs-2"].is_closed = True
    failed = call(opensearch_snapshot, repository="none", indices=["logs-2", "logs", "stream", "missing"])
    assert [one["where"] for one in failed["problems"]] == ["repository", "index logs-2", "index logs", "index stream", "index missing"]
    failed = call(opensearch_snapshot, repository="backups", prefix="Hourly", slot=90, indices=["*"])
    assert [one["where"] for one in failed["problems"]] == ["prefix", "slot"]
    assert "'*' stands for several" in call(opensearch_snapshot, repository="backups", indices=["*"])["msg"]
    assert not engine.writes()


def test_only_what_was_written_to_is_read_again(engine, call):
    def read():
        return [one[1] for one in engine.asked if one[1].endswith("/_search") and "scroll" in one[2]]
    assert call(opensearch_snapshot, repository="backups", indices=["logs-1", "logs-2"])["manifest"]["without_checksum"] == []
    assert sorted(read()) == ["/logs-1/_search", "/logs-2/_search"]
    engine.data["logs-2"].put("7", {"n": 7})
    assert call(opensearch_snapshot, repository="backups", indices=["logs-1", "logs-2"])["manifest"]["without_checksum"] == []
    assert sorted(read()) == ["/logs-1/_search", "/logs-2/_search", "/logs-2/_search"]
    engine.data["logs-2"].put("8", {"n": 8})
    assert call(opensearch_snapshot, repository="backups", indices=["logs-2"], checksum_timeout=0)["manifest"]["without_checksum"] == ["logs-2"]
    assert not engine.scrolls  # each was given back


def test_a_snapshot_goes_with_what_is_written_down_about_it(engine, call):
    name = call(opensearch_snapshot, **HOURLY)["snapshot"]
    assert len(engine.data["ironrack-backups"].documents) == 2
    gone = {"repository": "backups", "state": "absent", "snapshot": name}
    assert call(opensearch_snapshot, check=True, **gone)["changed"] and name in engine.stored["backups"]
    assert call(opensearch_snapshot, **gone)["changed"] and not engine.stored["backups"] and not engine.data["ironrack-backups"].documents
    assert not call(opensearch_snapshot, **gone)["changed"]


# What there is

def test_the_age_of_the_last_backup_is_that_of_a_whole_one(engine, call):
    asked = {"repository": "backups", "prefix": "hourly"}
    none = call(opensearch_backup_info, **asked)
    assert (none["age_seconds"], none["last"], none["manifest"], none["unprotected"]) == (None, None, None, ["logs-1", "logs-2"])
    done = call(opensearch_snapshot, **dict(HOURLY, indices=["logs-1"]))
    engine.keep("backups", "hourly-20200101t0000z", ["logs-1"], state="PARTIAL", age=-1, failures=[("logs-1", "x")])
    engine.keep("backups", "nightly-20200101t0000z", ["logs-1"])
    info = call(opensearch_backup_info, **asked)
    assert info["last"] == done["snapshot"] and 0 <= info["age_seconds"] < 60 and info["proved_age_seconds"] is None
    assert info["states"] == {"SUCCESS": 1, "PARTIAL": 1, "FAILED": 0, "IN_PROGRESS": 0}
    assert info["manifest"]["checked"] and info["manifest"]["complete"] and info["manifest"]["documents"] == 2500
    assert info["indices"] == ["logs-1", "logs-2"] and info["unprotected"] == ["logs-2"] and abs(info["clock_offset_seconds"]) < 5
    call(opensearch_proof, repository="backups", snapshot=done["snapshot"])
    assert call(opensearch_backup_info, **asked)["last_proved"] == done["snapshot"]


def test_a_manifest_that_was_changed_is_told(engine, call):
    call(opensearch_snapshot, **HOURLY)
    kept = engine.data["ironrack-backups"].documents
    opening = next(one for one in kept.values() if one["kind"] == "opening")
    opening["body"] = opening["body"].replace("2500", "2499")
    manifest = call(opensearch_backup_info, repository="backups", prefix="hourly")["manifest"]
    assert not manifest["checked"] and "does not have the checksum that it says" in manifest["problem"]
    kept.clear()
    assert "does not have the manifest of" in call(opensearch_backup_info, repository="backups", prefix="hourly")["manifest"]["problem"]


def test_no_repository_is_no_failure_of_those_who_only_ask(engine, call):
    assert call(opensearch_snapshot_info, repository="none") == {
        "changed": False, "exists": False, "snapshots": [], "running": [], "invocation": call(opensearch_snapshot_info, repository="none")["invocation"]}
    assert call(opensearch_backup_info, repository="none", prefix="x")["exists"] is False
    engine.answers[("GET", "/_snapshot/backups/_all")] = error(500, "[backups] could not read repository data", "repository_exception")
    assert "could not read repository data" in call(opensearch_snapshot_info, repository="backups")["msg"]


# Proofs

def test_a_snapshot_is_proved_and_nothing_of_it_is_left(engine, call):
    name = call(opensearch_snapshot, **HOURLY)["snapshot"]
    asked = {"repository": "backups", "snapshot": name}
    engine.data["logs-2"].put("8", {"n": "since then"})
    engine.make(proving.SCRATCH + "0000-left", {"1": {}})  # by a run that was killed
    writes = len(engine.writes())
    assert call(opensearch_proof, check=True, **asked)["verdict"] is None and len(engine.writes()) == writes
    done = call(opensearch_proof, **asked)
    assert done["verdict"] == "pass" and done["changed"] and "2 indices with 2507 documents" in done["why"] and not scratch(engine)
    restores = [one[3] for one in engine.writes() if one[1].endswith("/_restore")]
    assert [one["indices"] for one in restores] == ["logs-2", "logs-1"]  # the smallest first
    assert all(one["index_settings"] == {"index.number_of_replicas": 0, "index.auto_expand_replicas": "false"} for one in restores)
    assert not call(opensearch_proof, max_age=60, **asked)["changed"] and call(opensearch_proof, **asked)["changed"]
    assert not [identity for identity in engine.data["ironrack-backups"].documents if identity.startswith("lease-")]


@pytest.mark.parametrize("damage", ["blob", "document", "count", "metadata"])
def test_a_damaged_snapshot_fails_its_proof_and_stops_retention(engine, call, damage):
    name = call(opensearch_snapshot, **HOURLY)["snapshot"]
    kept = engine.stored["backups"][name]["data"]
    if damage == "blob":
        engine.damaged["logs-2"] = "CorruptIndexException[checksum failed]"
    elif damage == "document":
        kept["logs-2"].documents["3"] = {"n": "x"}
    elif damage == "count":
        kept["logs-2"].remove("3")
    else:
        del kept["logs-2"]
    failed = call(opensearch_proof, repository="backups", snapshot=name)
    assert failed["failed"] and failed["verdict"] == "fail" and not scratch(engine) and failed["indices"]["logs-1"]["problems"] == []
    assert {"blob": "checksum failed", "document": "not the same ones", "count": "at least 7", "metadata": "logs-2 is missing"}[damage] in failed["why"]
    engine.keep("backups", "hourly-20200101t0000z", [], state="FAILED", age=100 * DAY)
    stopped = call(opensearch_retention, repository="backups", prefix="hourly", max_age=DAY)
    assert not stopped["changed"] and not stopped["deleted"] and name in stopped["stopped"][0]
    assert call(opensearch_backup_info, repository="backups", prefix="hourly")["failed_proofs"] == [name]


def test_a_proof_that_cannot_be_carried_out_is_inconclusive(engine, call):
    name = call(opensearch_snapshot, **HOURLY)["snapshot"]
    asked = {"repository": "backups", "snapshot": name}
    engine.free = 0
    failed = call(opensearch_proof, **asked)
    assert failed["failed"] and failed["verdict"] == "inconclusive" and "make room first" in failed["why"]
    engine.free = 1 << 40
    restore = ("POST", "/_snapshot/backups/%s/_restore" % name)
    engine.answers[restore] = error(500, "[backups] could not read repository data", "repository_exception")
    engine.unable = dict.fromkeys(engine.nodes, "Connection refused")  # the store is gone
    assert call(opensearch_proof, **asked)["verdict"] == "inconclusive"
    engine.unable = {}
    for status, kind in ((429, "circuit_breaking_exception"), (503, "cluster_manager_not_discovered_exception")):
        engine.answers[restore] = error(status, "not now", kind)
        assert call(opensearch_proof, **asked)["verdict"] == "inconclusive"
    engine.answers[restore] = error(500, "[backups] could not read repository data", "repository_exception")
    assert call(opensearch_proof, **asked)["verdict"] == "fail"
    del engine.answers[restore]
    engine.looks = 10 ** 6
    late = call(opensearch_proof, timeout=0, **asked)
    assert late["verdict"] == "inconclusive" and "last seen: logs-2: 0 of 1 primaries" in late["why"] and not scratch(engine)


def test_a_snapshot_brings_its_manifest_along_into_a_new_cluster(engine, call):
    first = call(opensearch_snapshot, **HOURLY)["snapshot"]
    call(opensearch_proof, repository="backups", snapshot=first)
    second = call(opensearch_snapshot, repository="backups", indices=["logs-2"])["snapshot"]
    for name in list(engine.data):
        engine.answer("DELETE", "/" + name, {}, None, "")
    info = call(opensearch_backup_info, repository="backups", prefix="hourly")
    assert info["age_seconds"] is not None and info["last_proved"] is None
    done = call(opensearch_proof, repository="backups", snapshot=second)
    assert done["verdict"] == "pass" and not scratch(engine)
    kinds = [one["kind"] for one in engine.data["ironrack-backups"].documents.values()]
    assert sorted(kinds) == ["closing", "opening", "opening", "proof", "proof"]  # the closing sheet of the last one was lost
    assert call(opensearch_backup_info, repository="backups", prefix="hourly")["last_proved"] == first


def test_what_cannot_be_proved_is_refused(engine, call):
    engine.keep("backups", "hourly-20200101t0000z", ["logs-1"], state="PARTIAL", failures=[("logs-1", "x")])
    failed = call(opensearch_proof, repository="backups", snapshot="hourly-20200101t0000z")
    assert [one["what"].split(" ")[0] for one in failed["problems"]] == ["its", "1", "it"]
    assert "there is none" in call(opensearch_proof, repository="backups", snapshot="x")["msg"] and not engine.writes()


def test_one_proof_at_a_time(engine, call):
    name = call(opensearch_snapshot, **HOURLY)["snapshot"]
    held = []

    def second():
        engine.hooks.clear()
        lease = next(one for identity, one in engine.data["ironrack-backups"].documents.items() if identity.startswith("lease-"))
        held.append(json.loads(json.dumps(lease)))

    engine.hooks[("POST", "/_snapshot/backups/%s/_restore" % name)] = second
    call(opensearch_proof, repository="backups", snapshot=name)
    identity = next(one[1].rsplit("/", 1)[1] for one in engine.writes() if "/_doc/lease-" in one[1])
    engine.data["ironrack-backups"].put(identity, dict(held[0], holder="other pid 1 of x, started 1, 0"))
    failed = call(opensearch_proof, repository="backups", snapshot=name)
    assert failed["failed"] and failed["holder"] == "other pid 1 of x, started 1, 0" and "run this again after" in failed["msg"]
    # It is over some minutes after its holder was killed, and at once where that is seen.
    engine.data["ironrack-backups"].put(identity, dict(held[0], holder="other pid 1 of x, started 1, 0", until="2026-01-01T00:00:00.000Z"))
    assert call(opensearch_proof, repository="backups", snapshot=name)["verdict"] == "pass"


# Retention

def ageless(told):
    """:returns: what went, without the age in seconds, which is another one a moment later."""
    return [(one["snapshot"], re.sub(r"\d+ s old", "old", one["why"])) for one in told]


def test_old_snapshots_go_when_newer_ones_are_proved(engine, call):
    names = ["hourly-2020010%dt0000z" % number for number in range(1, 4)]
    for number, name in enumerate(names):
        engine.keep("backups", name, ["logs-1"], age=(20 - number) * DAY)
    asked = {"repository": "backups", "prefix": "hourly", "max_age": 10 * DAY, "min_count": 1}
    assert call(opensearch_retention, **asked)["deleted"] == []
    last = call(opensearch_snapshot, **HOURLY)["snapshot"]
    call(opensearch_proof, repository="backups", snapshot=last)
    for quiet in ({"check": True}, {"dry_run": True}):
        foreseen = call(opensearch_retention, **asked, **quiet)
        assert [one["snapshot"] for one in foreseen["deleted"]] == names and set(names) < set(engine.stored["backups"])
        assert foreseen["changed"] == ("check" in quiet) and "1 newer ones are proved (1 have to stay)" in foreseen["deleted"][0]["why"]
    done = call(opensearch_retention, **asked)
    assert ageless(done["deleted"]) == ageless(foreseen["deleted"]) and list(engine.stored["backups"]) == [last] and done["diff"]["after"] == last + "\n"
    again = call(opensearch_retention, **asked)
    assert not again["changed"] and again["kept"][0]["snapshot"] == last


def test_a_deletion_that_fails_says_what_is_gone(engine, call):
    for number in range(1, 4):
        engine.keep("backups", "hourly-2020010%dt0000z" % number, [], state="FAILED", age=(30 - number) * DAY)
    engine.answers[("DELETE", "/_snapshot/backups/hourly-20200102t0000z")] = error(503, "cannot delete", "concurrent_snapshot_execution_exception")
    failed = call(opensearch_retention, repository="backups", prefix="hourly", max_age=DAY)
    assert failed["failed"] and failed["gone"] == ["hourly-20200101t0000z"] and "cannot delete" in failed["msg"] and len(engine.stored["backups"]) == 2


def test_a_proof_that_was_changed_stops_retention(engine, call):
    name = call(opensearch_snapshot, **HOURLY)["snapshot"]
    call(opensearch_proof, repository="backups", snapshot=name)
    proof = next(one for one in engine.data["ironrack-backups"].documents.values() if one["kind"] == "proof")
    proof["body"] = proof["body"].replace('"complete":true', '"complete":false')
    assert "cannot be relied on" in call(opensearch_retention, repository="backups", prefix="hourly", max_age=DAY)["msg"]


def test_clocks_that_are_apart_stop_retention(engine, call):
    engine.keep("backups", "hourly-20200101t0000z", [], state="FAILED", age=30 * DAY)
    engine.shift = 3600
    assert "from that of the cluster" in call(opensearch_retention, repository="backups", prefix="hourly", max_age=DAY)["stopped"][0]
    failed = call(opensearch_retention, repository="none", prefix="hourly", max_age=DAY)
    assert "there is no repository none" in failed["msg"]
    assert [one["where"] for one in call(opensearch_retention, repository="backups", prefix="H", max_age=1, min_count=0)["problems"]] == [
        "min_count", "max_age", "prefix"]
