# Copyright (c) 2026, ironrack.cluster contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Names of snapshots, what may be in them, repositories, disks, and how far a restore is."""
from __future__ import annotations

from datetime import datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.ironrack.cluster.plugins.module_utils._opensearch import disk, holding, moments, proving, recovering, repository, snapshots

AT = moments.of_text("2026-11-28T12:34:56Z")
MOMENTS = st.datetimes(min_value=datetime(2000, 1, 1), max_value=datetime(2100, 1, 1), timezones=st.just(timezone.utc))


def test_hosts_that_look_at_different_seconds_of_a_slot_say_the_same_name():
    assert snapshots.scheduled_name("hourly", AT, 3600) == "hourly-20261128t1200z"
    assert snapshots.scheduled_name("daily", AT, 86400) == "daily-20261128t0000z"
    local = AT.astimezone(timezone(timedelta(hours=2)))
    assert snapshots.scheduled_name("hourly", local, 3600) == "hourly-20261128t1200z"
    assert snapshots.manual_name("manual", local, "0123abcd") == "manual-20261128t123456z-0123abcd"
    with pytest.raises(ValueError, match="no zone"):
        snapshots.scheduled_name("hourly", datetime(2026, 11, 28), 3600)


@given(MOMENTS, st.integers(1, 5000), st.sampled_from(["a", "night.ly_1", "a-20260101t0000z", "x-y"]))
def test_a_name_tells_its_prefix_and_time(moment, minutes, prefix):
    found = snapshots.parse(snapshots.scheduled_name(prefix, moment, 60 * minutes))
    assert found == (prefix, "scheduled", moments.slot(moment, 60 * minutes))
    assert 0 <= moments.seconds_between(found.time, moment) < 60 * minutes
    manual = snapshots.parse(snapshots.manual_name(prefix, moment, "00ff00ff"))
    assert manual == (prefix, "manual", moment.replace(microsecond=0))
    assert snapshots.engine_name_problems("snapshot", snapshots.manual_name(prefix, moment, "00ff00ff")) == []


@pytest.mark.parametrize("name", ["hourly", "nightly-2026-11-28t01:00-abc", "hourly-20261328t1200z", "Hourly-20261128t1200z", "-20261128t1200z"])
def test_names_of_others_are_none_of_ours(name):
    assert snapshots.parse(name) is None


def test_a_list_of_indices_names_each():
    bad = ["logs-*", "_all", "-logs", "a,b", ".opendistro_security", ".ds-logs-000001", "a", "a", "<logs-{now/d}>"]
    assert [one["what"].split(" ")[0] for one in snapshots.index_problems(bad)] == [
        "'logs-*'", "'_all'", "'-logs'", "'a,b'", ".opendistro_security", ".ds-logs-000001", "'<logs-{now/d}>'", "a"]
    assert "takes for all" in snapshots.index_problems([])[0]["what"]
    assert snapshots.index_problems(["logs-000001", "b"]) == []
    there = {"a": "index", "b": "alias", "c": "closed", "d": "data_stream"}
    assert [one["where"] for one in snapshots.presence_problems(list("abcde"), there)] == ["index b", "index c", "index d", "index e"]


def test_names_are_asked_for_in_lines_that_the_engine_reads():
    names = ["an-index-with-a-name-%05d" % number for number in range(1000)]
    lists = snapshots.batches(names)
    assert [name for batch in lists for name in batch] == names and max(len(",".join(batch)) for batch in lists) <= snapshots.LINE
    assert snapshots.batches([]) == [] and snapshots.batches(["x" * 5000]) == [["x" * 5000]]


def snapshot(hours, state="SUCCESS", uuid=None, failed=0, total=2):
    began = AT - timedelta(hours=hours)
    return snapshots.Snapshot("s-%d" % hours, uuid or "u-%d" % hours, state, "3.4.0", [], [], began, began,
                              {"total": total, "failed": failed, "successful": total - failed}, [], {})


def test_an_age_is_that_of_a_whole_snapshot_or_none():
    listed = [snapshot(5), snapshot(3), snapshot(2, failed=1), snapshot(1, "PARTIAL", failed=1), snapshot(0.5, "FAILED"), snapshot(0.2, total=0)]
    found = snapshots.ages(listed, {"u-5", "u-1", "u-2"}, AT)
    assert (found["success"][0].name, found["success"][1]) == ("s-3", 3 * 3600)
    assert (found["proved"][0].name, found["proved"][1]) == ("s-5", 5 * 3600)
    assert found["states"] == {"SUCCESS": 4, "PARTIAL": 1, "FAILED": 1, "IN_PROGRESS": 0}
    assert snapshots.ages([], set(), AT)["success"] is None and snapshots.ages(listed[2:], {"u-1"}, AT)["proved"] is None


NODES = {"os1-aaaaaaaaaaaaaaaaaa": {"name": "os1", "roles": ["cluster_manager", "data"]}, "os2-aaaaaaaaaaaaaaaaaa": {"name": "os2", "roles": ["data"]},
         "os3-aaaaaaaaaaaaaaaaaa": {"name": "os3", "roles": ["ingest"]}}


def test_the_node_that_cannot_use_a_repository_is_named_with_its_reason():
    able = {"nodes": {key: {"name": node["name"]} for key, node in NODES.items() if node["name"] != "os3"}}
    assert repository.unable(200, able, NODES) == {}
    del able["nodes"]["os2-aaaaaaaaaaaaaaaaaa"]
    assert repository.unable(200, able, NODES) == {"os2": "it did not answer"}
    assert repository.unable(200, {"nodes": {}}, {}) == {"every node": "no node answered"}
    told = ("[backups] [[os2-aaaaaaaaaaaaaaaaaa, 'RemoteTransportException[[os2][192.0.2.52:9300][internal:admin/repository/verify]]; nested: "
            "RepositoryVerificationException[[backups] store location [x] is not accessible on the node]; nested: SdkClientException[Access Denied];']]")
    assert repository.unable(500, {"error": {"reason": told}}, NODES) == {"os2": "Access Denied"}
    manager = {"error": {"reason": "[backups] path [cluster1] is not accessible on cluster-manager node", "caused_by": {
        "type": "i_o_exception", "reason": "Unable to upload object", "caused_by": {"reason": "Connect to 192.0.2.61:7070 failed: Connection refused"}}}}
    found = repository.unable(500, manager, NODES)
    assert list(found) == ["the elected cluster manager"] and "Connection refused" in found["the elected cluster manager"]
    assert repository.unable(503, {"error": "OpenSearch Security not initialized."}, NODES) == {"every node": "OpenSearch Security not initialized."}
    assert repository.unable(500, {}, NODES) == {"every node": "no reason was given"}


def test_a_repository_has_what_it_needs_and_no_secret():
    found = repository.problems_of("s3", {"access_key": "x", "client": {"a": 1}})
    assert [one["where"] for one in found] == ["settings.bucket", "settings.access_key", "settings.client"]
    assert repository.problems_of("fs", {"location": "/backups"}) == []
    assert repository.wanted("s3", {"path_style_access": True, "a": 1, "b": None}) == {"type": "s3", "settings": {"path_style_access": "true", "a": "1"}}


def nodes(*free):
    return {str(at): {"roles": ["data"], "fs": {"total": {"total_in_bytes": 1000, "available_in_bytes": one}}} for at, one in enumerate(free)}


def test_room_is_what_lies_below_the_low_watermark():
    assert [disk.kept_free(mark, 1000) for mark in ("85%", "0.9", "400b")] == [150, 99, 400]
    assert disk.kept_free("4gb", 0) == 4 << 30
    settings = {"defaults": {disk.WATERMARK: "85%"}, "persistent": {disk.WATERMARK: "100b"}}
    assert disk.shortage(nodes(500, 500), settings, 400, 2) == ""
    assert "802 bytes are needed (2 copies), and the data nodes have 800" in disk.shortage(nodes(500, 500), settings, 401, 2)
    assert "as many data nodes" in disk.shortage(nodes(500), settings, 1, 2)
    assert disk.shortage({}, {}, 0, 1) and disk.shortage({"1": dict(nodes(5)["0"], roles=["cluster_manager"])}, {}, 0, 1)


def explained(decider, details="IOException[x]"):
    return {"shard": 0, "unassigned_info": {"details": details}, "allocate_explanation": "cannot", "node_allocation_decisions": [
        {"deciders": [{"decider": decider, "decision": "NO"}]}]}


def test_a_restore_is_over_when_all_primaries_are_there_or_one_never_comes():
    health = {"number_of_shards": 2, "active_primary_shards": 1}
    assert recovering.judge(None, [], [])[0] == recovering.judge({}, [], [])[0] == "running"
    assert recovering.judge(dict(health, active_primary_shards=2), [], [])[0] == "ready"
    assert recovering.judge(health, [{"primary": True, "index": {"size": {"total_in_bytes": 9, "recovered_in_bytes": 4}}}], [explained("disk_threshold")]) == (
        "running", "1 of 2 primaries are there, 4 of 9 bytes: cannot")
    for decider in ("restore_in_progress", "max_retry"):
        assert recovering.judge(health, [], [explained(decider)]) == ("broken", "shard 0 could not be restored: IOException[x]")


def test_an_index_is_restored_under_a_name_of_its_own():
    body = recovering.body("a", "b$1\\c", scratch=True)
    assert (body["rename_pattern"], body["rename_replacement"]) == ("^.+$", "b\\$1\\\\c") and body["index_settings"]["index.number_of_replicas"] == 0
    assert not any(body[name] for name in ("include_aliases", "include_global_state", "partial", "ignore_unavailable"))
    assert "index_settings" not in recovering.body("a", "b", scratch=False)
    short, long = proving.scratch_name("0123abcd", "logs"), proving.scratch_name("0123abcd", "l" * 250)
    assert short == "ironrack-proof-0123abcd-logs" and len(long) < 100 and long != proving.scratch_name("0123abcd", "l" * 251)
    assert recovering.target_problems(short) == [] and recovering.target_problems("A") and recovering.target_problems("x" * 256)


@pytest.mark.parametrize("found, undecided, wanted", [
    ({"a": [], "b": []}, "", ("pass", True)), ({"a": []}, "time is over", ("inconclusive", False)), ({"a": []}, "", ("inconclusive", False)),
    ({"a": ["x"]}, "time is over", ("fail", False)), ({"a": ["x"], "b": []}, "", ("fail", True)), ({}, "", ("inconclusive", False))])
def test_only_all_indices_are_a_pass_and_one_that_is_wrong_is_a_failure(found, undecided, wanted):
    entries = {name: {"documents": 1, "checksum": "c", "problems": problems} for name, problems in found.items()}
    assert proving.verdict(entries, undecided, ["a", "b"])[:2] == wanted


def test_a_process_of_this_host_that_is_gone_is_seen():
    mine = holding.holder()
    assert not holding.is_dead(mine) and mine != holding.holder()
    words = mine.split(" ")
    assert holding.is_dead(" ".join(words[:2] + ["4194305"] + words[3:]))
    assert holding.is_dead(" ".join(words[:6] + ["1,"] + words[7:]))  # the number was given to another process
    assert not holding.is_dead("other " + " ".join(words[1:2] + ["4194305"] + words[3:])) and not holding.is_dead("somebody")
