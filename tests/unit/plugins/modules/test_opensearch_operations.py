# Copyright (c) 2026, ironrack.cluster contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Modules of OpenSearch that keep it running: settings, health, drains and what is told of it. Each against an engine of the test over HTTP."""
from __future__ import annotations

import json
import threading

import pytest

from ansible_collections.ironrack.cluster.plugins.module_utils._opensearch import listing, reading
from ansible_collections.ironrack.cluster.plugins.modules import opensearch_cluster_settings, opensearch_flush, opensearch_health, opensearch_info
from ansible_collections.ironrack.cluster.plugins.modules import opensearch_index_settings, opensearch_node_exclusion
from ansible_collections.ironrack.cluster.tests.unit.plugins.modules.opensearch_calls import (
    NOBODY, absent_without_a_cluster, call_fixture, engine_fixture, settles)
from ansible_collections.ironrack.cluster.tests.unit.plugins.opensearch_engine import error, of_ism, of_sm, shard

FIXTURES = (call_fixture, engine_fixture)
WATERMARK = "cluster.routing.allocation.disk.watermark"
EXCLUDED = "cluster.routing.allocation.exclude._name"
LOST = error(503, "no manager", "cluster_manager_not_discovered_exception")


@pytest.fixture(autouse=True)
def quick(monkeypatch):
    monkeypatch.setattr(opensearch_health.run, "__defaults__", opensearch_health.run.__defaults__[:-1] + (0.05,))
    monkeypatch.setattr(opensearch_node_exclusion.run, "__defaults__", (0.05,))


def test_settings_are_brought_about_in_one_request_and_reset(engine, call):
    engine.persistent = {"other": "1", "cluster.routing.allocation.enable": "primaries"}
    done = settles(engine, call, opensearch_cluster_settings, settings={
        WATERMARK: {"low": "4gb", "high": "3gb"}, "cluster": {"max_shards_per_node": 2000, "routing": {"allocation.enable": None}}})
    assert done["settings"] == engine.persistent == {
        "other": "1", WATERMARK + ".low": "4gb", WATERMARK + ".high": "3gb", "cluster.max_shards_per_node": "2000"}
    assert done["changed_settings"]["cluster.routing.allocation.enable"] is None and "other" not in done["changed_settings"]
    assert "primaries" in done["diff"]["before"] and "primaries" not in done["diff"]["after"]
    settles(engine, call, opensearch_cluster_settings, settings={WATERMARK + ".*": None})
    assert engine.persistent == {"other": "1", "cluster.max_shards_per_node": "2000"}


def test_a_transient_setting_that_wins_is_a_warning(engine, call):
    engine.transient = {"a.b": "2"}
    result = call(opensearch_cluster_settings, settings={"a": {"b": 1}})
    assert result["changed"] and len(result["shadowed"]) == 1 and result["shadowed"][0] in json.dumps(result["warnings"])
    assert call(opensearch_cluster_settings, settings={"a": {"b": 2}})["shadowed"] == []


def test_a_check_run_without_a_manager_says_that_it_knows_nothing(engine, call):
    engine.answers[("GET", "/_cluster/settings")] = LOST
    foreseen = call(opensearch_cluster_settings, check=True, settings={"a.b": 1})
    assert foreseen["changed"] and "what there is cannot be said" in json.dumps(foreseen["warnings"])
    assert call(opensearch_cluster_settings, settings={"a.b": 1})["failed"] and not engine.writes()


def test_settings_that_cannot_be_fail_in_the_engine_s_words(engine, call):
    assert "persistent setting [nonsense], not recognized" in call(opensearch_cluster_settings, settings={"nonsense": 1})["msg"]
    assert "there twice" in call(opensearch_cluster_settings, settings={"a.b": 1, "a": {"b": 2}})["msg"] and not engine.persistent
    engine.answers[("PUT", "/_cluster/settings")] = (200, {"acknowledged": False})
    assert "not all nodes have taken it over in time" in call(opensearch_cluster_settings, settings={"a": 1})["msg"]


def test_indices_that_differ_are_told_together(engine, call):
    other, wanted = {"index.number_of_replicas": "1"}, {"unassigned": {"node_left": {"delayed_timeout": "5m"}}}
    name = "index.unassigned.node_left.delayed_timeout"
    engine.index_settings = {"logs-1": dict(other), "logs-2": dict(other, **{name: "5m"}), "logs-3": dict(other, **{name: "1m"}), "logs-4": dict(other)}
    done = settles(engine, call, opensearch_index_settings, indices=["logs-*"], settings=wanted)
    assert done["changed_indices"] == ["logs-1", "logs-3", "logs-4"]
    assert [write[1] for write in engine.writes()] == ["/logs-1%2Clogs-3%2Clogs-4/_settings"] or engine.writes()[0][1] == "/logs-1,logs-3,logs-4/_settings"
    assert {index: found[name] for index, found in engine.index_settings.items()} == dict.fromkeys(engine.index_settings, "5m")


def test_before_there_is_a_cluster_a_check_run_predicts(call):
    predicted, failed = absent_without_a_cluster(call, opensearch_cluster_settings, settings={"a": 1, "b": None})
    assert predicted["changed"] and predicted["changed_settings"] == {"a": "1"}
    assert failed["failed"] and "no node of OpenSearch gave an answer" in failed["msg"]
    predicted, failed = absent_without_a_cluster(call, opensearch_health, nodes=3, wait=0)
    assert not predicted["changed"] and (predicted["settled"], predicted["lacking"]) == (False, ["no node answers"]) and failed["failed"]
    predicted, failed = absent_without_a_cluster(call, opensearch_node_exclusion, nodes=["os1"], wait=5)
    assert (predicted["excluded"], predicted["shards"]) == (["os1"], {}) and failed["failed"]


def test_a_settled_cluster_is_one(engine, call):
    result = call(opensearch_health, nodes=3, wait=5)
    assert (result["settled"], result["changed"], result["lacking"]) == (True, False, []) and result["health"]["status"] == "green"
    engine.health.update(status="yellow", unassigned_shards=1)
    assert call(opensearch_health, nodes=3, wait=5, status="yellow")["settled"]


def test_a_node_is_spared_where_each_shard_is_elsewhere_too_and_no_snapshot_runs(engine, call):
    engine.answers[("GET", "/_snapshot/_status")] = (200, {"snapshots": [{"repository": "backups", "snapshot": "hourly-1"}]})
    engine.rows = [shard("logs-1", 0, True, "STARTED", "os1"), shard("logs-1", 0, False, "STARTED", "os2"), shard("logs-2", 0, True, "STARTED", "os1")]
    failed = call(opensearch_health, nodes=3, wait=0, stopping="os1")
    assert failed["lacking"] == ["snapshot backups/hourly-1 is running", "only os1 has primary 0 of logs-2"]
    engine.answers[("GET", "/_snapshot/_status")] = (200, {"snapshots": []})
    assert call(opensearch_health, nodes=3, wait=0, stopping="os2")["settled"]
    assert call(opensearch_health, nodes=3, wait=0, stopping="os1")["lacking"] == ["only os1 has primary 0 of logs-2"]
    engine.health.update(number_of_data_nodes=1)
    assert call(opensearch_health, nodes=3, wait=0, stopping="os1")["settled"]


def test_a_node_that_has_left_is_not_in_the_cluster(engine, call):
    engine.answers[("GET", "/_nodes")] = (200, {"nodes": {"id": {"name": "os1"}}})
    assert call(opensearch_health, nodes=3, wait=0, left="os2")["settled"]
    failed = call(opensearch_health, nodes=3, wait=0, left="os1")
    assert failed["lacking"] == ["os1 is still in the cluster: stop opensearch.service on its host"]


def test_copies_that_wait_for_an_upgrade_are_told_and_not_waited_for(engine, call):
    engine.health.update(status="yellow", unassigned_shards=1)
    engine.rows = [shard("logs-1", 0, True, "STARTED", "os1"), shard("logs-1", 0, False, "UNASSIGNED")]
    engine.explanations = {("logs-1", 0, False): {"can_allocate": "no", "node_allocation_decisions": [
        {"node_name": "os2", "deciders": [{"decider": "node_version", "decision": "NO", "explanation": "long"}]}]}}
    result = call(opensearch_health, nodes=3, wait=0, mixed_versions=True)
    assert result["settled"] and result["waiting_for_version"] == ["replica 0 of logs-1"]
    assert call(opensearch_health, nodes=3, wait=0)["lacking"] == ["status: yellow, not green (shards unassigned: 1)"]
    engine.explanations[("logs-1", 0, False)]["node_allocation_decisions"][0]["deciders"][0]["decider"] = "disk_threshold"
    assert call(opensearch_health, nodes=3, wait=0, mixed_versions=True)["failed"]
    engine.health.update(status="red")
    assert call(opensearch_health, nodes=3, wait=0, mixed_versions=True)["failed"]


def test_a_flush_asks_once_and_in_a_check_run_not_at_all(engine, call):
    engine.answers[("POST", "/*/_flush")] = (200, {"_shards": {"total": 4, "successful": 3, "failed": 1}})
    assert call(opensearch_flush, check=True)["shards"] is None and not engine.asked
    result = call(opensearch_flush)
    assert (result["changed"], result["shards"]) == (False, {"total": 4, "successful": 3, "failed": 1})


def test_a_cluster_gets_settled_after_nodes_without_a_manager(engine, call):
    engine.answers[("GET", "/_cluster/health")] = LOST
    threading.Timer(0.5, engine.answers.clear).start()
    assert call(opensearch_health, nodes=3, wait=20)["settled"]


def test_a_cluster_that_does_not_settle_fails_with_the_reasons_of_its_shards(engine, call):
    engine.health.update(status="yellow", number_of_nodes=2, unassigned_shards=7, relocating_shards=1)
    engine.rows = [shard("logs-1", number, False, "UNASSIGNED") for number in range(7)] + [shard("logs-1", 0, True, "STARTED", "os1")]
    engine.explanations = {("logs-1", 0, False): {"can_allocate": "no", "unassigned_info": {"reason": "NODE_LEFT"}, "node_allocation_decisions": [
        {"node_name": "os1", "deciders": [{"decider": "same_shard", "decision": "NO", "explanation": "long"}]}]}}
    failed = call(opensearch_health, nodes=3, wait=0)
    assert failed["lacking"] == ["nodes: 2 of at least 3", "status: yellow, not green (shards unassigned: 7)", "shards that are relocating: 1"]
    assert failed["unassigned"][0] == "replica 0 of logs-1: unassigned since NODE_LEFT; os1: it holds a copy already"
    assert failed["unassigned"][1].endswith("no longer there, or not to be explained") and failed["unassigned"][-1] == "and 2 more"
    assert all(sentence in failed["msg"] for sentence in failed["lacking"] + failed["unassigned"] + ["waited 0 s for OpenSearch to be settled"])
    predicted = call(opensearch_health, check=True, nodes=3, wait=0)
    assert not predicted.get("failed") and (predicted["settled"], predicted["lacking"]) == (False, failed["lacking"])


def test_a_wait_is_not_for_what_does_not_pass(engine, call):
    engine.answers[("GET", "/_cluster/health")] = (401, "Unauthorized")
    assert "The user is not known or the password is wrong" in call(opensearch_health, nodes=3, wait=600)["msg"]
    engine.answers[("GET", "/_cluster/health")] = LOST
    failed = call(opensearch_health, nodes=3, wait=0)
    assert failed["lacking"] == ["no node answers"] and "no manager" in failed["msg"]


def test_nodes_are_excluded_and_let_in_again(engine, call):
    engine.persistent = {EXCLUDED: "os9"}
    engine.rows = [shard("logs-1", 0, True, "STARTED", "os1")]
    done = settles(engine, call, opensearch_node_exclusion, nodes=["os3"])
    assert engine.persistent == {EXCLUDED: "os9,os3"} and (done["excluded"], done["shards"]) == (["os9", "os3"], {"os3": 0})
    settles(engine, call, opensearch_node_exclusion, nodes=["os9", "os3"], state="absent")
    assert engine.persistent == {}


def test_a_drain_waits_until_nothing_is_left(engine, call):
    engine.rows = [shard("logs-1", 0, True, "RELOCATING", "os3 -> 192.0.2.1 x os1")]
    threading.Timer(0.5, engine.rows.clear).start()
    result = call(opensearch_node_exclusion, nodes=["os3"], wait=20)
    assert result["changed"] and result["shards"] == {"os3": 0}


def test_a_drain_that_does_not_end_says_why_and_goes_on_in_the_next_run(engine, call):
    engine.rows = [shard("logs-1", 0, True, "STARTED", "os3"), shard("logs-2", 1, True, "UNASSIGNED")]
    engine.explanations = {
        ("logs-1", 0, True): {"can_move_to_other_node": "no", "node_allocation_decisions": [
            {"node_name": "os1", "deciders": [{"decider": "awareness", "decision": "NO", "explanation": "long"}]}]},
        ("logs-2", 1, True): {"can_allocate": "no_valid_shard_copy", "unassigned_info": {"reason": "NODE_LEFT"}}}
    failed = call(opensearch_node_exclusion, nodes=["os3"], wait=1)
    assert failed["stuck"][0] == "os3: primary 0 of logs-1: os1: its zone has as many copies as awareness allows"
    assert "no node has a usable copy" in failed["stuck"][1]
    assert "os3 holds 1; primaries on no node: 1" in failed["msg"] and "state=absent ends it" in failed["msg"]
    assert engine.persistent == {EXCLUDED: "os3"}
    assert [asked[3]["current_node"] for asked in engine.asked if asked[1].endswith("explain") and asked[3]["index"] == "logs-1"] == ["os3"]
    engine.rows = []
    assert not call(opensearch_node_exclusion, nodes=["os3"], wait=1)["changed"]


@pytest.mark.parametrize("check", [False, True])
def test_an_exclusion_that_drains_nothing_is_refused(engine, call, check):
    assert "no node of the cluster is called os4; there are: os1, os2, os3" in call(opensearch_node_exclusion, check=check, nodes=["os4"])["msg"]
    assert "no node that holds data would be left" in call(opensearch_node_exclusion, check=check, nodes=["os1", "os2", "os3"])["msg"]
    assert not engine.writes()


def test_what_a_cluster_is_made_of(engine, call):
    engine.persistent = {"a.b": "1"}
    node = {"name": "os1", "version": "3.4.0", "roles": ["data"], "attributes": {"zone": "a"}}
    engine.answers = {
        ("GET", "/_cat/cluster_manager"): (200, [{"id": "i1", "host": "192.0.2.1", "ip": "192.0.2.1", "node": "os1"}]),
        ("GET", "/_nodes/jvm,plugins,process"): (200, {"nodes": {"i1": node}}), ("GET", "/_nodes/stats/os,fs"): (200, {"nodes": {}}),
        ("GET", "/_cat/indices"): (200, [{"index": "logs-1", "status": "open", "health": "green", "pri": "1", "rep": "1", "docs.count": "5"}]),
        ("GET", "/_all/_settings/" + reading.OF_INDICES): (200, {"logs-1": {"settings": {"index.version.created_string": "2.19.4"}}})}
    result = call(opensearch_info)
    assert (result["changed"], result["elected_manager"], result["nodes"][0]["zone"]) == (False, "os1", "a")
    assert result["settings"] == {"persistent": {"a.b": "1"}, "transient": {}} and result["indices"][0]["created_by_version"] == "2.19.4"
    assert result["health"]["status"] == "green" and not engine.writes()
    engine.answers[("GET", "/_cat/cluster_manager")] = LOST
    partial = call(opensearch_info, gather=["nodes"])
    assert partial["elected_manager"] is None and len(partial["nodes"]) == 1 and partial["health"] is partial["indices"] is partial["settings"] is None
    assert call(opensearch_info, check=True, urls=[NOBODY])["failed"]
    assert not [kind for kind in listing.KINDS if result[kind] is not None]


def test_info_lists_what_other_modules_have_there_in_the_form_that_they_compare(engine, call):
    sm = {"creation": {"schedule": {"cron": {"expression": "0 1 * * *", "timezone": "UTC"}}}, "snapshot_config": {"repository": "r"}}
    engine.answers = {
        ("GET", "/_index_template"): (200, {"index_templates": [{"name": "logs", "index_template": {
            "index_patterns": ["logs-*"], "template": {"settings": {"index": {"number_of_replicas": "1"}}}, "composed_of": []}}]}),
        ("GET", "/_alias"): (200, {"logs-2": {"aliases": {"logs": {"is_write_index": True}}}, "logs-1": {"aliases": {"logs": {}, "old": {}}},
                                   "x": {"aliases": {}}}),
        ("GET", "/_snapshot"): (200, {"r": {"type": "s3", "settings": {"bucket": "b", "path_style_access": "true"}}}),
        ("GET", "/_plugins/_security/api/internalusers"): (200, {"shipper": {"hash": "", "backend_roles": ["writers"], "reserved": False, "static": False}}),
        ("GET", "/_plugins/_security/api/roles"): (200, {"b": {"cluster_permissions": ["x"], "static": True}, "a": {"cluster_permissions": []}}),
        ("GET", "/_plugins/_security/api/rolesmapping"): (200, {"a": {"users": ["u2", "u1"]}}),
        ("GET", "/_plugins/_ism/policies"): (200, {
            "policies": [{"_id": "hot", "policy": of_ism({"states": [{"name": "hot", "actions": []}]})}], "total_policies": 1}),
        ("GET", "/_plugins/_sm/policies"): (200, {"policies": [{"_id": "nightly-sm-policy", "sm_policy": of_sm("nightly", sm)}], "total_policies": 1})}
    found = call(opensearch_info, gather=list(listing.KINDS))
    assert found["index_templates"] == {"logs": {"index_patterns": ["logs-*"], "template": {"settings": {"index.number_of_replicas": "1"}}}}
    assert found["aliases"] == {"logs": {"logs-1": {}, "logs-2": {"is_write_index": True}}, "old": {"logs-1": {}}}
    assert found["repositories"] == {"r": {"type": "s3", "settings": {"bucket": "b", "path_style_access": "true"}}}
    assert found["users"] == {"shipper": {"backend_roles": ["writers"]}} and list(found["roles"]) == ["a", "b"]
    assert found["role_mappings"] == {"a": {"users": ["u1", "u2"]}}
    assert found["ism_policies"]["hot"]["states"][0]["name"] == "hot" and found["sm_policies"]["nightly"]["snapshot_config"] == {"repository": "r"}
    assert found["nodes"] is None and found["changed"] is False and not engine.writes()


def test_info_of_policies_without_index_management_is_one_clear_error(engine, call):
    engine.plugins.remove("_ism")
    assert "no plugin opensearch-index-management" in call(opensearch_info, gather=["ism_policies"])["msg"]


def test_info_reads_policies_page_by_page(engine, call, monkeypatch):
    monkeypatch.setattr(listing, "PAGE", 2)
    every = [{"_id": "p%d-sm-policy" % number, "policy": {"states": []}} for number in range(3)]
    answer = engine.answer
    monkeypatch.setattr(engine, "answer", lambda method, path, query, *rest: (
        200, {"policies": every[int(query["from"]):int(query["from"]) + 2], "total_policies": 3}) if path == "/_plugins/_ism/policies" else answer(
            method, path, query, *rest))
    assert list(call(opensearch_info, gather=["ism_policies"])["ism_policies"]) == ["p%d-sm-policy" % number for number in range(3)]
