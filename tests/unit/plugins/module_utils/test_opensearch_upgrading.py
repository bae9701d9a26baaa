# Copyright (c) 2026, ironrack.cluster contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

from datetime import datetime, timezone

import pytest

from ansible_collections.ironrack.cluster.plugins.module_utils._opensearch import allocation, upgrading
from ansible_collections.ironrack.cluster.plugins.module_utils._opensearch.allocation import Shard
from ansible_collections.ironrack.cluster.plugins.module_utils._opensearch.snapshots import Snapshot

ALL = ["cluster_manager", "data", "ingest"]


def node(name, version="2.19.4", roles=None, elected=False, plugins=None):
    return {"name": name, "version": version, "roles": ALL if roles is None else roles, "is_elected": elected,
            "plugins": [{"name": one, "version": version + ".0"} for one in (plugins or ["opensearch-security"])]}


def index(name="logs-1", made="2.19.4", replicas=1):
    return {"name": name, "created_by_version": made, "replicas": replicas}


def problems(nodes=None, indices=None, status="green", proved=("hourly-1", 60.0, []), **wish):
    nodes = nodes or [node("os1", elected=True), node("os2"), node("os3")]
    asked = upgrading.Wish(**dict(dict(version="3.4.0", nodes=["os1", "os2", "os3"], max_age=3600, status="green"), **wish))
    found = upgrading.problems_of(asked, upgrading.There(nodes, [index()] if indices is None else indices, status, proved))
    return ["%(where)s: %(what)s" % one for one in found]


def test_data_nodes_come_first_and_the_elected_manager_last():
    nodes = [node("a", elected=True), node("b", roles=["cluster_manager"]), node("c", roles=["data"]), node("d", roles=["master"]), node("e", roles=[])]
    assert upgrading.turns(nodes, "3.4.0") == ["c", "e", "b", "d", "a"]
    assert upgrading.turns(nodes, "2.19.4") == []
    nodes[2]["version"] = "3.4.0"
    assert upgrading.turns(nodes, "3.4.0") == ["e", "b", "d", "a"]


def test_a_cluster_that_is_well_and_backed_up_is_upgraded():
    assert problems() == []


@pytest.mark.parametrize("has, wanted, said", [
    ("3.4.0", "2.19.4", "it runs 3.4.0, which is newer than 2.19.4"),
    ("3.4.1", "3.4.0", "it runs 3.4.1, which is newer than 3.4.0"),
    ("2.11.0", "3.4.0", "it runs 2.11.0, and nodes of 3.4.0 join those of 3 or 2.19 alone"),
    ("1.3.20", "3.4.0", "it runs 1.3.20, and nodes of 3.4.0 join those of 3 or 2.19 alone"),
    ("3.4.0", "4.0.0", "it runs 3.4.0, and nodes of 4.0.0 join those of 4 alone"),
    (None, "3.4.0", "it runs None, and '3.4.0' is asked for"),
])
def test_steps_that_the_engine_does_not_take(has, wanted, said):
    nodes = [dict(node(name, "9.9.9"), version=has, plugins=[]) for name in ("os1", "os2", "os3")]
    assert problems(nodes, [], version=wanted) == ["node %s: %s" % (name, said) for name in ("os1", "os2", "os3")]


@pytest.mark.parametrize("has, wanted", [("2.19.4", "3.4.0"), ("2.11.0", "2.19.4"), ("1.3.20", "2.19.4"), ("3.0.0", "3.4.0")])
def test_steps_that_it_takes(has, wanted):
    assert problems([node(name, has) for name in ("os1", "os2", "os3")], [index(made=has)], version=wanted) == []


@pytest.mark.parametrize("made, opened", [("2.0.0", True), ("3.1.0", True), ("1.3.20", False), ("7.10.2", False)])
def test_indices_that_the_new_version_does_not_open(made, opened):
    assert problems(indices=[index(made=made)]) == ([] if opened else ["index logs-1: it was made by %s, and 3.4.0 does not open it" % made])


def test_version_2_opens_those_of_the_engine_that_it_comes_from():
    nodes = [node(name, "2.11.0") for name in ("os1", "os2", "os3")]
    assert problems(nodes, [index(made="7.10.2")], version="2.19.4") == []
    assert len(problems(nodes, [index(made="6.8.0")], version="2.19.4")) == 1


def test_all_reasons_at_once():
    nodes = [node("os1"), node("os2", plugins=["opensearch-security", "repository-s3"]), node("os9")]
    said = problems(nodes, [index(replicas=0), index("old", made="1.0.0")], status="yellow", proved=None)
    assert said == [
        "node os3: it is not in the cluster", "node os9: the inventory does not know it",
        "plugins: os1, os9: opensearch-security; os2: opensearch-security, repository-s3",
        "index logs-1: it has no replica: it would be red while the node of its shard is away",
        "index old: it was made by 1.0.0, and 3.4.0 does not open it",
        "snapshots: none is proved by a restore: there is no way back from an upgrade but a snapshot",
        "cluster: it is yellow: some shard lacks a copy"]


def test_an_upgrade_that_is_under_way_is_not_asked_for_what_it_cannot_have_any_more():
    nodes = [node("os1", "3.4.0"), node("os2"), node("os3")]
    assert problems(nodes, status="yellow", proved=None) == []
    assert problems(nodes, [index(replicas=0)]) != []
    # The new version may bring another plugin.
    assert problems([node("os1", "3.4.0", plugins=["opensearch-security", "repository-s3"]), node("os2"), node("os3")], proved=None) == []


def test_an_upgrade_that_is_over_asks_for_nothing_but_the_nodes():
    done = [node(name, "3.4.0") for name in ("os1", "os2", "os3")]
    assert problems(done, [index(replicas=0)], status="red", proved=None) == []
    assert problems(done[:2]) == ["node os3: it is not in the cluster"]


def test_a_snapshot_that_is_too_old_and_a_site_that_wants_none():
    assert problems(proved=("hourly-1", 3601.0, [])) == ["snapshot hourly-1: it is the last one that is proved, and 3601 s old"]
    assert problems(proved=None, max_age=0) == []


def test_a_snapshot_that_lacks_indices_is_no_way_back():
    said = problems(proved=("tiny-1", 60.0, ["logs-%02d" % number for number in range(12)]))
    assert said == ["snapshot tiny-1: it is the last one that is proved, and does not have what was there when it was taken: %s and 2 more" % (
        ", ".join("logs-%02d" % number for number in range(10)))]
    assert problems(proved=("tiny-1", 60.0, ["logs-1"]), max_age=0) == []


def snapshot(name, hour, indices, streams=()):
    return Snapshot(name, name, "SUCCESS", "2.19.4", indices, list(streams), at(hour), at(hour), {}, [], {})


def at(hour):
    return datetime(2026, 11, 29, hour, tzinfo=timezone.utc)


def test_one_goes_back_to_the_newest_that_has_all_that_was_there_when_it_was_taken():
    there = {"logs-1": at(1), "logs-2": at(4), "metrics": None}
    whole, tiny = snapshot("whole", 3, ["logs-1"], ["metrics"]), snapshot("tiny", 5, ["logs-2"])
    assert upgrading.way_back([(tiny, 60.0), (whole, 7260.0)], there) == ("whole", 7260.0, [])
    assert upgrading.way_back([(tiny, 60.0)], there) == ("tiny", 60.0, ["logs-1", "metrics"])
    assert upgrading.way_back([], there) is None
    assert upgrading.way_back([(tiny, 60.0)], {}) == ("tiny", 60.0, [])


def test_a_yellow_cluster_goes_on_by_rule_and_a_red_one_does_not():
    asked = upgrading.Wish("3.4.0", ["os1", "os2", "os3"], 0, "yellow")
    nodes = [node("os1"), node("os2"), node("os3")]
    assert upgrading.problems_of(asked, upgrading.There(nodes, [], "yellow", None)) == []
    assert len(upgrading.problems_of(asked, upgrading.There(nodes, [], "red", None))) == 1


def test_a_plugin_of_another_version_than_its_node():
    nodes = [node("os1"), node("os2"), node("os3")]
    nodes[1]["plugins"] = [{"name": "opensearch-security", "version": "2.18.0.0"}]
    assert problems(nodes) == ["node os2: its plugin opensearch-security is of 2.18.0.0"]


def test_a_single_data_node_has_no_replicas_to_ask_for():
    nodes = [node("os1"), node("os2", roles=["cluster_manager"]), node("os3", roles=["cluster_manager"])]
    assert problems(nodes, [index(replicas=0)]) == []


def test_shards_that_only_one_node_has():
    shards = [Shard("a", 0, True, "STARTED", "os1"), Shard("a", 0, False, "STARTED", "os2"), Shard("b", 0, True, "STARTED", "os1"),
              Shard("b", 0, False, "INITIALIZING", "os2"), Shard("c", 0, True, "UNASSIGNED", ""), Shard("d", 1, True, "RELOCATING", "os1")]
    assert allocation.only_on(shards, "os1") == [shards[2], shards[5]]
    assert allocation.only_on(shards, "os2") == []


def decisions(*nodes):
    return {"can_allocate": "no", "node_allocation_decisions": [
        {"node_name": str(number), "deciders": [{"decider": one, "decision": "NO"} for one in deciders]} for number, deciders in enumerate(nodes)]}


def test_a_copy_waits_for_versions_where_nothing_else_keeps_it_from_some_node():
    assert allocation.waits_for_version(decisions(["node_version"], ["same_shard"]))
    assert not allocation.waits_for_version(decisions(["node_version", "disk_threshold"], ["same_shard"]))
    assert not allocation.waits_for_version(decisions(["awareness"]))
    assert not allocation.waits_for_version(dict(decisions(["node_version"]), can_allocate="allocation_delayed"))
    assert not allocation.waits_for_version({})
