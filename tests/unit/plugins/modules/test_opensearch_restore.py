# Copyright (c) 2026, ironrack.cluster contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""opensearch_restore as Ansible calls it, against an engine of the test over HTTP. Its order under kills: test_opensearch_restoring.py."""
from __future__ import annotations

import pytest

from ansible_collections.ironrack.cluster.plugins.modules import opensearch_restore, opensearch_snapshot
from ansible_collections.ironrack.cluster.tests.unit.plugins.modules.opensearch_calls import call_fixture
from ansible_collections.ironrack.cluster.tests.unit.plugins.opensearch_store import Store

FIXTURES = (call_fixture,)


@pytest.fixture(name="engine")
def engine_fixture():
    """:returns: a cluster whose snapshots and restores are over at once."""
    made = Store()
    made.looks = 0
    made.repositories["backups"], made.stored["backups"] = {"type": "fs", "settings": {"location": "/b"}}, {}
    made.make("logs-1", {str(number): {"n": number} for number in range(30)}, {"logs": {"filter": {"term": {"a": 1}}}})
    yield made
    made.stop()


@pytest.fixture(name="taken")
def taken_fixture(engine, call):
    """:returns: what tells the restore of a snapshot of all there is."""
    done = call(opensearch_snapshot, repository="backups", indices=["logs-1"])
    engine.shift += 1
    return {"repository": "backups", "snapshot": done["snapshot"], "indices": ["logs-1"]}


def test_a_deleted_index_comes_back_with_its_aliases(engine, call, taken):
    documents = dict(engine.data["logs-1"].documents)
    engine.answer("DELETE", "/logs-1", {}, None, "")
    writes = len(engine.writes())
    predicted = call(opensearch_restore, check=True, **taken)
    assert predicted["changed"] and predicted["phase"] == "forward" and len(engine.writes()) == writes
    assert [one.split(":")[0] for one in predicted["steps"]] == ["block", "restore", "compare", "swap", "unblock"]
    done = call(opensearch_restore, **taken)
    assert done["phase"] == "done" and done["steps"][0].startswith("block: logs-1 must not come into being") and done["diff"] == predicted["diff"]
    target = done["restored"]["logs-1"]["target"]
    assert target.startswith("logs-1-restored-20") and engine.data[target].documents == documents and done["aliases"] == {"logs": [target], "logs-1": [target]}
    assert engine.aliases[target] == {"logs": {"filter": {"term": {"a": 1}}, "is_write_index": True}, "logs-1": {"is_write_index": True}}
    compared = done["restored"]["logs-1"]["compared"]
    assert (compared["documents"], compared["checksum_compared"]) == (30, True) and "nobody wrote to it" in compared["basis"]
    moved = [one[3] for one in engine.writes() if one[1] == "/_aliases"]
    assert len(moved) == 1
    again = call(opensearch_restore, **taken)
    assert not again["changed"] and again["phase"] == "done"


def test_an_old_index_stays_until_it_is_signed_off(engine, call, taken):
    engine.data["logs-1"].remove("3")
    done = call(opensearch_restore, **taken)
    assert done["phase"] == "swapped" and done["old_indices"] == ["logs-1"] and engine.data["logs-1"].blocked
    wrong = call(opensearch_restore, confirm="logs-1", **taken)
    assert [one["where"] for one in wrong["problems"]] == ["confirm"] and "logs-1" in engine.data
    foreseen = call(opensearch_restore, check=True, confirm=taken["snapshot"], **taken)
    assert foreseen["steps"] == ["sign_off: logs-1 may go"] and "logs-1" in engine.data
    signed = call(opensearch_restore, confirm=taken["snapshot"], **taken)
    assert signed["phase"] == "done" and "logs-1" not in engine.data and signed["aliases"]["logs-1"] == [done["restored"]["logs-1"]["target"]]


def test_late_documents_are_merged_unless_they_are_to_stay(engine, call, taken):
    engine.answer("DELETE", "/logs-1", {}, None, "")
    engine.write("logs-1", "late", {"n": "late"})
    foreseen = call(opensearch_restore, check=True, late_documents="never", **taken)
    assert not [one for one in foreseen["steps"] if one.startswith("merge")]
    done = call(opensearch_restore, **taken)
    assert done["restored"]["logs-1"]["merged"] == {"documents": 1, "replaced": 0, "from": "logs-1"}
    assert len(engine.data[done["restored"]["logs-1"]["target"]].documents) == 31


def test_all_refusals_come_at_once_and_nothing_is_changed(engine, call, taken):
    kept = engine.stored["backups"][taken["snapshot"]]["entry"]
    kept.update(state="PARTIAL", version="3.5.0", data_streams=["stream"], shards={"total": 2, "failed": 1, "successful": 1},
                failures=[{"index": "logs-1", "shard_id": 0, "reason": "x", "node_id": "n"}])
    engine.keep("backups", "running", ["logs-1"], state="IN_PROGRESS")
    engine.transient["action.auto_create_index"] = "false"
    engine.free = 0
    engine.looks = 10
    writes = len(engine.writes())
    failed = call(opensearch_restore, **dict(taken, indices=["logs-1", "stream", "missing"]))
    assert failed["msg"].startswith("nothing was changed:") and len(engine.writes()) == writes
    told = ["%(where)s: %(what)s" % one for one in failed["problems"]]
    for words in ("its state is PARTIAL", "1 of 2 shards failed", "index logs-1: 1 of its shards", "index stream: it is a data stream",
                  "index missing: it is not in", "taken by 3.5.0, and a node runs 3.4.0", "backups/running runs", "it is set until the next restart",
                  "bytes are needed"):
        assert [one for one in told if words in one], (words, told)
    assert "POST _snapshot/REPOSITORY/SNAPSHOT/_restore" in failed["msg"]
    # A PARTIAL one may be allowed, an index that is not whole in it may not.
    allowed = call(opensearch_restore, **dict(taken, allow_partial=True))
    assert not [one for one in allowed["problems"] if "PARTIAL" in one["what"]] and [one for one in allowed["problems"] if "1 of its shards" in one["what"]]


def test_aliases_that_cannot_move_are_told_with_the_rest(engine, call):
    for name in ("app-1", "app-2"):
        engine.make(name, {"1": {}}, {"app": {"is_write_index": True}})
    done = call(opensearch_snapshot, repository="backups", indices=["app-1", "app-2"])
    asked = {"repository": "backups", "snapshot": done["snapshot"], "indices": ["app-1", "app-2"]}
    alone = call(opensearch_restore, **asked)["problems"]
    assert [(one["where"], one["what"]) for one in alone] == [("alias app", "app-1, app-2 are all marked as its write index")]
    writes = len(engine.writes())
    told = call(opensearch_restore, **dict(asked, indices=["app-1", "app-2", "missing"]))["problems"]
    assert {one["where"] for one in told} == {"index missing", "alias app"} and len(engine.writes()) == writes
    for name in ("app-1", "app-2"):
        engine.answer("DELETE", "/" + name, {}, None, "")
    told = call(opensearch_restore, **dict(asked, indices=["app-1", "app-2", "missing"]))["problems"]
    assert "alias app" in {one["where"] for one in told} and "would all be its write index" in str(told)


@pytest.mark.parametrize("wanted, words", [
    ({"indices": ["logs-*"]}, "stands for several indices"), ({"indices": [".opendistro_security"]}, "index of the engine"),
    ({"repository": "none"}, "there is no repository none"), ({"snapshot": "none"}, "there is no none in backups"),
    ({"aliases": {"other": ["a"]}}, "a list of names, for one of the indices")])
def test_what_cannot_be_is_refused(engine, call, taken, wanted, words):
    writes = len(engine.writes())
    for check in (False, True):
        assert words in call(opensearch_restore, check=check, **dict(taken, **wanted))["msg"]
    assert len(engine.writes()) == writes


def test_versions_are_compared(engine, call, taken):
    engine.versions["os2"] = "2.19.4"
    assert "a node runs 2.19.4" in call(opensearch_restore, **taken)["msg"]
    engine.versions = {name: "5.0.0" for name in engine.nodes}
    assert "it was made by 3.4.0, and the nodes run 5.0.0" in call(opensearch_restore, **taken)["msg"]


def test_a_name_that_is_taken_is_not_touched(engine, call, taken):
    target = call(opensearch_restore, check=True, **taken)["restored"]["logs-1"]["target"]
    engine.make(target, {"1": {}})
    assert "it is there, and this restore did not make it" in call(opensearch_restore, **taken)["msg"]


def test_a_snapshot_without_a_manifest_takes_permission(engine, call):
    engine.keep("backups", "others", ["logs-1"])
    asked = {"repository": "backups", "snapshot": "others", "indices": ["logs-1"]}
    assert "there is none, so nothing tells what has to be in it" in call(opensearch_restore, **asked)["msg"]
    done = call(opensearch_restore, allow_unverified=True, aliases={"logs-1": ["reading"]}, **asked)
    assert done["phase"] == "swapped" and done["restored"]["logs-1"]["compared"]["basis"] == "nothing: there is no manifest"
    assert list(done["aliases"]) == ["reading"] and "logs" in engine.aliases["logs-1"]


def test_a_damaged_manifest_is_refused(engine, call, taken):
    opening = next(one for one in engine.data["ironrack-backups"].documents.values() if one["kind"] == "opening")
    opening["body"] = opening["body"].replace('"documents":30', '"documents":0')
    assert "cannot be relied on" in call(opensearch_restore, **taken)["msg"]


def test_a_damaged_blob_is_found_before_any_alias_moves(engine, call, taken):
    engine.damaged["logs-1"] = "CorruptIndexException[checksum failed]"
    aliases = dict(engine.aliases)
    failed = call(opensearch_restore, **taken)
    assert failed["failed"] and "checksum failed" in failed["msg"] and failed["steps"][-1].startswith("discard")
    assert engine.aliases == aliases and list(engine.data) == ["logs-1", "ironrack-backups"] and not engine.persistent


def test_what_has_no_copies_waits_or_is_allowed(engine, call, taken):
    engine.nodes = {"os1": engine.nodes["os1"], "os2": engine.nodes["os2"]}
    engine.stored["backups"][taken["snapshot"]]["data"]["logs-1"].settings["index.number_of_replicas"] = "2"
    failed = call(opensearch_restore, timeout=1, **taken)
    assert "or set wait_for to yellow" in failed["msg"] and "logs" in engine.aliases["logs-1"]
    assert call(opensearch_restore, wait_for="yellow", **taken)["phase"] == "swapped"


def test_after_the_loss_of_the_cluster_the_manifest_comes_back_first(engine, call, taken):
    for name in list(engine.data):
        engine.answer("DELETE", "/" + name, {}, None, "")
    predicted = call(opensearch_restore, check=True, **taken)
    assert predicted["steps"][0].startswith("recall: ") and not engine.data
    done = call(opensearch_restore, **taken)
    assert done["phase"] == "done" and done["steps"][0].startswith("recall: ") and sorted(engine.data) == [
        "ironrack-backups", done["restored"]["logs-1"]["target"]]
    assert "opening sheet of the manifest alone" in done["restored"]["logs-1"]["compared"]["basis"]
    assert "holds the manifests" in call(opensearch_restore, **dict(taken, indices=["ironrack-backups"]))["msg"]
