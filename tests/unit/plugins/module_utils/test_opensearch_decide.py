# Copyright (c) 2026, ironrack.cluster contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What is compared, decided and told of OpenSearch, without one."""
from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.ironrack.cluster.plugins.module_utils._common.errors import IronrackError
from ansible_collections.ironrack.cluster.plugins.module_utils._opensearch import aliases, allocation, documents, exclusion, health, nodes, security, settings
from ansible_collections.ironrack.cluster.tests.unit.plugins.opensearch_engine import HEALTH, of_ism, of_sm, shard

NAMES = st.text("abc", min_size=1, max_size=2)
VALUES = st.none() | st.booleans() | st.integers() | st.text("xyz", max_size=3)
NESTED = st.recursive(st.dictionaries(NAMES, VALUES, max_size=3), lambda inner: st.dictionaries(NAMES, inner | VALUES, max_size=3), max_leaves=8)
FLAT = st.dictionaries(NAMES, st.text("xyz", max_size=2), max_size=4)
ISM_POLICY = {"description": "d", "default_state": "hot", "ism_template": [{"index_patterns": ["logs-*"], "priority": 100}], "states": [
    {"name": "hot", "actions": [{"rollover": {"min_index_age": "1d", "min_doc_count": 5}}], "transitions": [{"state_name": "old"}]},
    {"name": "old", "actions": [{"delete": {}}]}]}
SM_POLICY = {"creation": {"schedule": {"cron": {"expression": "0 1 * * *", "timezone": "UTC"}}}, "deletion": {"condition": {"max_age": "30d"}},
             "snapshot_config": {"repository": "backups"}}


@given(NESTED)
def test_nested_names_and_dots_are_the_same(document):
    once = settings.flat(document) if not clashes(document) else {}
    assert settings.flat(once) == once


def clashes(document):
    try:
        settings.flat(document)
    except IronrackError:
        return True
    return False


@given(FLAT, st.dictionaries(NAMES, st.none() | st.text("xyz", max_size=2), max_size=4))
def test_after_what_has_to_be_sent_nothing_has_to_be_sent(current, wanted):
    changed = settings.changes(current, wanted)
    then = settings.after(current, changed)
    assert settings.changes(then, wanted) == {}
    assert {name: then.get(name) for name in wanted} == wanted
    assert {name: text for name, text in then.items() if name not in wanted} == {name: text for name, text in current.items() if name not in wanted}


def test_values_are_what_the_engine_keeps_of_them():
    assert settings.flat({"a": {"b": True, "c.d": 2}, "e": ["x", 1], "f": None, "g": {}}) == {"a.b": "true", "a.c.d": "2", "e": "x,1", "f": None}
    with pytest.raises(IronrackError, match="a.b is there twice, as '1' and as '2'"):
        settings.flat({"a": {"b": 1}, "a.b": 2})
    assert settings.index_settings({"number_of_shards": 1, "index": {"refresh_interval": "5s"}}) == {
        "index.number_of_shards": "1", "index.refresh_interval": "5s"}
    with pytest.raises(IronrackError, match="two values of index.x"):
        settings.index_settings({"x": 1, "index.x": 2})


def test_null_takes_away_one_or_many_and_nothing_that_is_wanted():
    current = {"a.b": "1", "a.c": "2", "d": "3"}
    assert settings.changes(current, {"a.*": None, "a.c": "2"}) == {"a.b": None}
    assert settings.changes(current, {"a.*": None, "a.c": "4"}) == {"a.b": None, "a.c": "4"}
    assert settings.changes(current, {"x": None, "y.*": None}) == {}


def test_transient_settings_that_win_are_told():
    told = settings.shadows({"a": "1", "b": "2", "c.d": "3"}, {"a": "2", "b": "2", "c.*": None})
    assert [sentence.split(" until")[0] for sentence in told] == [
        "the transient setting a=1 wins over the persistent 2", "the transient setting c.d=3 wins over the default"]


def test_a_cluster_is_settled_only_where_all_is_known_to_hold():
    assert health.lacking(HEALTH, 3) == []
    assert health.lacking(dict(HEALTH, status="yellow", unassigned_shards=2, delayed_unassigned_shards=1), 3, "yellow") == []
    assert health.lacking(dict(HEALTH, status="yellow", unassigned_shards=2, delayed_unassigned_shards=1), 4) == [
        "nodes: 3 of at least 4", "status: yellow, not green (shards unassigned: 2, of which 1 wait for their node to come back)"]
    assert health.lacking(dict(HEALTH, relocating_shards=1, initializing_shards=2), 1) == ["shards that are relocating: 1", "shards that are initializing: 2"]
    assert len(health.lacking({}, 0)) == 5


@given(st.dictionaries(st.sampled_from(sorted(HEALTH)), st.none() | st.booleans() | st.integers(-1, 4) | st.sampled_from(["red", "yellow", "green", "x"])))
def test_no_strange_health_is_a_settled_one(changed):
    found = dict(HEALTH, **changed)
    if health.lacking(found, 3) == []:
        assert found["status"] == "green" and found["number_of_nodes"] >= 3 and found["relocating_shards"] == found["initializing_shards"] == 0
    health.shown(found)


def test_statuses_are_ordered():
    assert [one for one in ("red", "yellow", "green", None, "x") if health.at_least(one, "yellow")] == ["yellow", "green"]


def decision(node, *deciders):
    return {"node_name": node, "node_decision": "no", "deciders": [
        {"decider": name, "decision": word, "explanation": "said " + name} for name, word in deciders]}


def test_shards_that_are_not_placed_are_explained_in_plain_words():
    told = allocation.why({"index": "logs-1", "can_allocate": "no", "allocate_explanation": "cannot allocate because of deciders",
                           "unassigned_info": {"reason": "NODE_LEFT"}, "node_allocation_decisions": [
                               decision("os2", ("same_shard", "NO"), ("throttling", "YES")), decision("os1", ("same_shard", "NO")),
                               decision("os3", ("disk_threshold", "NO"), ("new_decider", "NO"))]})
    assert told == ("unassigned since NODE_LEFT; os1, os2: it holds a copy already; os3: too little disk space is left (absolute watermarks count what is "
                    "free, percentages the whole disk) and said new_decider")
    assert allocation.why({"can_allocate": "allocation_delayed", "remaining_delay_in_millis": 41999, "unassigned_info": {"reason": "NODE_LEFT"}}) == (
        "unassigned since NODE_LEFT; its node left, and is given time to come back (41 s more)")
    assert "restore it from a snapshot" in allocation.why({"can_allocate": "no_valid_shard_copy"})
    assert allocation.why({"can_allocate": "no", "allocate_explanation": "for another reason"}) == "for another reason"
    assert allocation.why({}) == "the engine gives no reason"


def test_shards_that_cannot_move_are_explained():
    assert allocation.why({"can_move_to_other_node": "no", "can_remain_on_current_node": "no", "move_explanation": "cannot move", "node_allocation_decisions": [
        decision("os1", ("node_version", "NO"))]}) == (
            "os1: it runs an older version than the node that holds the primary: this ends when it is upgraded too")


def test_shards_are_read_from_the_table():
    found = allocation.shards_of([shard("b", 0, False, "UNASSIGNED"), shard("b", 1, True, "UNASSIGNED"), shard("a", 0, True, "STARTED", "os1"),
                                  shard("a", 1, True, "RELOCATING", "os1 -> 192.0.2.2 x7 os2")])
    assert [allocation.name_of(one) for one in allocation.unassigned(found)] == ["primary 1 of b", "replica 0 of b"]
    assert {name: len(left) for name, left in allocation.left_on(found, ["os1", "os2"]).items()} == {"os1": 2, "os2": 0}
    assert not exclusion.is_empty(found, ["os2"]) and exclusion.shown(found, ["os1", "os2"]) == "os1 holds 2, os2 holds 0; primaries on no node: 1"
    assert exclusion.is_empty(found[2:], ["os2"]) and not exclusion.is_empty(found[2:], ["os1"])


@given(st.dictionaries(st.sampled_from("abcd"), st.sampled_from([{}, {"is_write_index": True}, {"index_routing": "1"}])),
       st.dictionaries(st.sampled_from("abcd"), st.sampled_from([{}, {"is_write_index": False}, {"filter": {"term": {"x": 1}}}])))
def test_an_alias_moves_in_one_call_and_then_stands(before, after):
    there = dict(before)
    for action in aliases.actions("logs", before, after):
        (verb, one), = action.items()
        assert one["alias"] == "logs"
        if verb == "remove":
            assert one["must_exist"] and there.pop(one["index"]) is not None
        else:
            there[one["index"]] = aliases.normal(one)
    assert there == after and aliases.actions("logs", there, after) == []


def test_aliases_that_cannot_be_are_refused_with_all_the_reasons():
    with pytest.raises(IronrackError) as raised:
        aliases.wanted([{"index": "logs-*"}, {"index": "a", "is_write_index": True}, {"index": "b", "is_write_index": True}, {"index": "a"}, {"index": "-x"}])
    assert raised.value.details["problems"] == [
        "'logs-*' stands for several indices: name each", "'-x' stands for several indices: name each", "a is there twice: keep one"]
    with pytest.raises(IronrackError, match="a, b are write indices"):
        aliases.wanted([{"index": "a", "is_write_index": True}, {"index": "b", "is_write_index": True}])
    with pytest.raises(IronrackError, match="point nowhere"):
        aliases.wanted([])


def test_documents_are_the_same_with_and_without_what_the_engine_adds():
    assert documents.ism_policy(of_ism(ISM_POLICY)) == documents.ism_policy(ISM_POLICY)
    assert documents.ism_policy(ISM_POLICY)["states"][1]["actions"] == [{"delete": {}}]
    assert documents.ism_policy(dict(ISM_POLICY, ism_template=ISM_POLICY["ism_template"][0])) == documents.ism_policy(ISM_POLICY)
    assert documents.sm_policy(of_sm("p", SM_POLICY)) == documents.sm_policy(SM_POLICY)
    assert documents.sm_policy(dict(SM_POLICY, enabled=False)) != documents.sm_policy(SM_POLICY)
    assert documents.counts_failures({"deletion": {"condition": {"max_count": 3}}}) and not documents.counts_failures(SM_POLICY)
    assert documents.index_template({"index_patterns": ["a"], "template": {"settings": {"number_of_shards": 1}, "aliases": {"x": {}}}, "priority": 0}) == (
        documents.index_template({"index_patterns": ["a"], "composed_of": [], "template": {
            "settings": {"index": {"number_of_shards": "1"}}, "mappings": {}, "aliases": {"x": {}}}}))
    assert documents.index_template({"index_patterns": ["a"], "data_stream": {}}) == documents.index_template(
        {"index_patterns": ["a"], "data_stream": {"timestamp_field": {"name": "@timestamp"}}})
    assert documents.index_template({"index_patterns": ["a"], "template": {"aliases": {"x": {}}}}) != documents.index_template({"index_patterns": ["a"]})


def test_comparing_leaves_the_documents_alone():
    for compare, document in ((documents.ism_policy, of_ism(ISM_POLICY)), (documents.sm_policy, of_sm("p", SM_POLICY))):
        before = repr(document)
        compare(document)
        assert repr(document) == before


def test_rights_are_sets_and_what_is_left_out_stays():
    answer = {"w": {"reserved": False, "cluster_permissions": ["b", "a"], "index_permissions": [
        {"index_patterns": ["y", "x"], "dls": None, "fls": [], "masked_fields": [], "allowed_actions": ["write"]}], "tenant_permissions": []}}
    before = security.present(security.ROLE, answer, "w")
    assert before == {"cluster_permissions": ["a", "b"], "index_permissions": [{"allowed_actions": ["write"], "index_patterns": ["x", "y"]}]}
    params = {"cluster_permissions": None, "index_permissions": [{"index_patterns": ["x", "y"], "allowed_actions": ["write"]}], "tenant_permissions": None,
              "description": None}
    assert security.wanted(security.ROLE, params, before) == before
    assert security.wanted(security.ROLE, dict(params, index_permissions=[]), before) == {"cluster_permissions": ["a", "b"]}
    assert security.present(security.ROLE, answer, "v") is None and security.present(security.ROLE, None, "w") is None
    assert security.body(security.USER, {"backend_roles": ["a"]}) == {"backend_roles": ["a"], "opendistro_security_roles": [], "attributes": {}}


def test_exclusions_keep_what_others_excluded_and_refuse_what_drains_nothing():
    assert exclusion.names_in({exclusion.SETTING: "os9, os1,"}) == ["os9", "os1"] and exclusion.names_in({}) == []
    assert exclusion.wanted(["os9"], ["os1", "os1"], True) == ["os9", "os1"] and exclusion.wanted(["os9", "os1"], ["os1"], False) == ["os9"]
    roles = {"os1": ["data"], "os2": ["cluster_manager"], "os3": ["data"]}
    with pytest.raises(IronrackError, match="no node of the cluster is called os4; there are: os1, os2, os3"):
        exclusion.refuse([], ["os4"], ["os4"], roles)
    with pytest.raises(IronrackError, match="no node that holds data would be left"):
        exclusion.refuse(["os3"], ["os1"], ["os3", "os1"], roles)
    exclusion.refuse(["os4"], ["os4"], ["os4"], roles)
    exclusion.refuse([], ["os1"], ["os1"], roles)


def test_nodes_and_indices_are_described():
    java = {"version": "25", "mem": {"heap_max_in_bytes": 5}, "using_compressed_ordinary_object_pointers": "true"}
    info = {"nodes": {"i1": {"name": "os1"}, "i2": {
        "name": "os2", "ip": "192.0.2.2", "version": "3.4.0", "roles": ["ingest", "data"], "attributes": {"zone": "b"}, "jvm": java,
        "process": {"mlockall": False}, "plugins": [{"name": "z", "version": "1"}, {"name": "a", "version": "2"}]}}}
    stats = {"nodes": {"i2": {"os": {"mem": {"total_in_bytes": 9}}, "fs": {"total": {"total_in_bytes": 7, "available_in_bytes": 3}}}}}
    first, second = nodes.nodes(info, stats, "os2")
    assert first["name"] == "os1" and first["zone"] is None and first["is_elected"] is False and first["compressed_pointers"] is None
    assert (second["roles"], second["zone"], second["is_elected"], second["compressed_pointers"]) == (["data", "ingest"], "b", True, True)
    assert (second["heap_max_bytes"], second["memory_bytes"], second["disk_free_bytes"], second["memory_locked"]) == (5, 9, 3, False)
    assert [plugin["name"] for plugin in second["plugins"]] == ["a", "z"]
    rows = [{"index": "b", "health": "green", "status": "open", "pri": "2", "rep": "1", "docs.count": "50", "store.size": "100"},
            {"index": "a", "status": "close"}]
    found = nodes.indices(rows, {"b": {"settings": {"index.version.created_string": "2.19.4"}}})
    assert [one["name"] for one in found] == ["a", "b"] and found[0]["documents"] is None
    assert (found[1]["documents"], found[1]["replicas"], found[1]["created_by_version"]) == (50, 1, "2.19.4")
    assert nodes.manager([{"node": "os1"}]) == "os1" and nodes.manager([{"node": "-"}]) is None and nodes.manager([]) is None
