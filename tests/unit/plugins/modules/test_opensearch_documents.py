# Copyright (c) 2026, ironrack.cluster contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Modules of OpenSearch that keep a document there: templates, aliases, policies, users and rights. Each against an engine of the test over HTTP.

Index management cannot be had for a cluster of this project, so its API is that of the engine of the test, which answers as it was seen to.
"""
from __future__ import annotations

import json

import pytest

from ansible_collections.ironrack.cluster.plugins.modules import opensearch_alias, opensearch_index_template, opensearch_ism_policy
from ansible_collections.ironrack.cluster.plugins.modules import opensearch_security_role, opensearch_security_role_mapping, opensearch_security_user
from ansible_collections.ironrack.cluster.plugins.modules import opensearch_sm_policy
from ansible_collections.ironrack.cluster.tests.unit.plugins.modules.opensearch_calls import (
    absent_without_a_cluster, call_fixture, engine_fixture, settles)
from ansible_collections.ironrack.cluster.tests.unit.plugins.opensearch_engine import ISM, SECURITY, SM, error

FIXTURES = (call_fixture, engine_fixture)
POLICY = {"description": "d", "default_state": "hot", "ism_template": [{"index_patterns": ["logs-*"], "priority": 100}], "states": [
    {"name": "hot", "actions": [{"rollover": {"min_index_age": "1d"}}], "transitions": [{"state_name": "old", "conditions": {"min_index_age": "30d"}}]},
    {"name": "old", "actions": [{"delete": {}}]}]}
NIGHTLY = {"creation": {"schedule": {"cron": {"expression": "0 1 * * *", "timezone": "UTC"}}}, "deletion": {"condition": {"max_age": "30d"}},
           "snapshot_config": {"repository": "backups", "indices": "logs-*"}}
USERS = SECURITY + "internalusers/"
SHIPPER = {"name": "shipper", "user_password": "word-1", "backend_roles": ["log_writers", "a"]}


def test_a_template_comes_changes_and_goes(engine, call):
    template = {"name": "logs", "index_patterns": ["logs-*"], "priority": 100, "composed_of": [], "meta": {"by": "us"}, "template": {
        "settings": {"number_of_shards": 2, "index.refresh_interval": "5s"}, "aliases": {"logs": {}},
        "mappings": {"dynamic": False, "properties": {"id": {"type": "keyword"}}}}}
    settles(engine, call, opensearch_index_template, **template)
    assert engine.documents["/_index_template/logs"]["template"] == template["template"]
    template["template"]["settings"] = {"index": {"number_of_shards": "3"}}
    done = settles(engine, call, opensearch_index_template, **template)
    assert "refresh_interval" in done["diff"]["before"] and "refresh_interval" not in done["diff"]["after"]
    assert settles(engine, call, opensearch_index_template, name="logs", state="absent")["template"] is None and not engine.documents


def test_an_alias_moves_in_one_call(engine, call):
    settles(engine, call, opensearch_alias, name="logs", indices=[{"index": "logs-1"}])
    settles(engine, call, opensearch_alias, name="logs", indices=[{"index": "logs-2", "is_write_index": True, "routing": "1"}])
    assert engine.writes()[-1][3] == {"actions": [
        {"remove": {"index": "logs-1", "alias": "logs", "must_exist": True}},
        {"add": {"is_write_index": True, "index_routing": "1", "search_routing": "1", "index": "logs-2", "alias": "logs"}}]}
    assert settles(engine, call, opensearch_alias, name="logs", state="absent")["indices"] == {}


@pytest.mark.parametrize("check", [False, True])
def test_an_alias_that_nobody_can_decide_is_refused(engine, call, check):
    two = [{"index": "logs-1", "is_write_index": True}, {"index": "logs-2", "is_write_index": True}]
    assert "logs-1, logs-2 are write indices" in call(opensearch_alias, check=check, name="logs", indices=two)["msg"]
    engine.aliases = {one["index"]: {"logs": {"is_write_index": True}} for one in two}
    assert "has several write indices already: logs-1, logs-2" in call(opensearch_alias, check=check, name="logs", indices=two[:1])["msg"]
    engine.aliases = {}
    failed = call(opensearch_alias, check=check, name="logs-1", indices=[{"index": "logs-2"}])
    assert "there is an index logs-1, so no alias can have that name" in failed["msg"]
    assert "no name of one thing" in call(opensearch_alias, check=check, name="logs*", state="absent")["msg"]
    assert not engine.writes()


def test_an_alias_of_an_index_that_is_not_there_fails_and_is_only_warned_of_in_a_check_run(engine, call):
    failed = call(opensearch_alias, name="logs", indices=[{"index": "logs-1"}, {"index": "logs-8"}, {"index": "logs-9"}])
    assert "there is no index logs-8, logs-9" in failed["msg"] and not engine.writes()
    predicted = call(opensearch_alias, check=True, name="logs", indices=[{"index": "logs-8"}])
    assert predicted["changed"] and "there is no index logs-8" in json.dumps(predicted["warnings"])


def test_an_ism_policy_comes_changes_and_goes(engine, call):
    settles(engine, call, opensearch_ism_policy, name="logs", policy=POLICY)
    changed = json.loads(json.dumps(POLICY).replace("30d", "14d"))
    settles(engine, call, opensearch_ism_policy, name="logs", policy=changed)
    assert [write[2] for write in engine.writes()] == [{}, {"if_seq_no": "1", "if_primary_term": "1"}] and engine.documents[ISM + "logs"][0] == changed
    settles(engine, call, opensearch_ism_policy, name="logs", state="absent")


def test_a_snapshot_policy_comes_changes_and_goes(engine, call):
    settles(engine, call, opensearch_sm_policy, name="nightly", policy=NIGHTLY)
    counted = dict(NIGHTLY, enabled=False, deletion={"condition": {"max_count": 7}})
    done = settles(engine, call, opensearch_sm_policy, name="nightly", policy=counted)
    assert "counts failed snapshots too" in json.dumps(done["warnings"])
    assert [write[:3] for write in engine.writes()] == [
        ("POST", SM + "nightly", {}), ("PUT", SM + "nightly", {"if_seq_no": "1", "if_primary_term": "1"})]
    settles(engine, call, opensearch_sm_policy, name="nightly", state="absent")


@pytest.mark.parametrize("module, path", [(opensearch_ism_policy, ISM), (opensearch_sm_policy, SM)])
def test_a_policy_that_somebody_else_changes_meanwhile_is_not_overwritten(engine, call, module, path):
    engine.answers[("PUT", path + "p")] = engine.answers[("POST", path + "p")] = error(409, "[p]: version conflict", "version_conflict_engine_exception")
    assert "version conflict. Somebody else changed it at the same time: run this again" in call(module, name="p", policy=NIGHTLY)["msg"]


@pytest.mark.parametrize("check", [False, True])
@pytest.mark.parametrize("module, plugin, arguments", [
    (opensearch_ism_policy, "opensearch-index-management", {"policy": POLICY}), (opensearch_sm_policy, "opensearch-index-management", {"policy": NIGHTLY}),
    (opensearch_sm_policy, "opensearch-index-management", {"state": "absent"}), (opensearch_security_role, "opensearch-security", {}),
    (opensearch_security_user, "opensearch-security", {"user_password": "x"})])
def test_a_missing_plugin_is_one_clear_error(engine, call, module, plugin, arguments, check):
    engine.plugins = set()
    failed = call(module, check=check, name="p", **arguments)
    assert failed["msg"].startswith("this cluster has no plugin %s, which the " % plugin) and "install it on all nodes" in failed["msg"]


def test_a_user_comes_changes_and_goes_and_no_password_is_told(engine, call):
    done = settles(engine, call, opensearch_security_user, **SHIPPER)
    assert engine.passwords == {"shipper": "word-1"} and done["user"] == {"backend_roles": ["a", "log_writers"]}
    again = settles(engine, call, opensearch_security_user, **{**SHIPPER, "user_password": "word-2"})
    assert engine.passwords == {"shipper": "word-2"} and '"password": "(another one)"' in again["diff"]["after"]
    kept = settles(engine, call, opensearch_security_user, name="shipper", user_password="word-3", update_password="on_create", description="ships",
                   security_roles=["r"], user_attributes={"team": "x"})
    assert engine.passwords == {"shipper": "word-2"} and "password" not in engine.writes()[-1][3]
    assert kept["user"] == {"attributes": {"team": "x"}, "backend_roles": ["a", "log_writers"], "description": "ships", "opendistro_security_roles": ["r"]}
    settles(engine, call, opensearch_security_user, name="shipper", state="absent")
    for result in (done, again, kept):
        assert "word-" not in json.dumps(dict(result, invocation=None)) and "word-" not in json.dumps(result["invocation"])


def test_a_user_without_a_password_cannot_be_made_and_needs_none_to_be_changed(engine, call):
    assert "give a user_password" in call(opensearch_security_user, check=True, name="shipper")["msg"]
    call(opensearch_security_user, **SHIPPER)
    settles(engine, call, opensearch_security_user, name="shipper", backend_roles=[])
    assert engine.passwords == {"shipper": "word-1"}


def test_a_login_that_tells_nothing_is_no_reason_to_change_a_password(engine, call):
    call(opensearch_security_user, **SHIPPER)
    engine.answers[("GET", "/_plugins/_security/authinfo")] = (503, "OpenSearch Security not initialized.")
    failed = call(opensearch_security_user, **{**SHIPPER, "user_password": "word-2"})
    assert "the login of shipper, by which its password is compared" in failed["msg"] and engine.passwords == {"shipper": "word-1"}


def test_a_role_and_its_mapping_come_change_and_go(engine, call):
    role = {"name": "log_writer", "cluster_permissions": ["b", "a"], "index_permissions": [
        {"index_patterns": ["logs-*"], "allowed_actions": ["write", "create"]}]}
    settles(engine, call, opensearch_security_role, **role)
    assert not call(opensearch_security_role, name="log_writer", cluster_permissions=["a", "b"])["changed"]
    settles(engine, call, opensearch_security_role, name="log_writer", tenant_permissions=[{"tenant_patterns": ["t"], "allowed_actions": ["kibana_all_read"]}])
    settles(engine, call, opensearch_security_role_mapping, name="log_writer", backend_roles=["log_writers"], users=["CN=shipper"])
    done = settles(engine, call, opensearch_security_role_mapping, name="log_writer", users=[], all_backend_roles=["x", "y"])
    assert done["mapping"] == {"backend_roles": ["log_writers"], "and_backend_roles": ["x", "y"]}
    settles(engine, call, opensearch_security_role_mapping, name="log_writer", state="absent")
    settles(engine, call, opensearch_security_role, name="log_writer", state="absent")
    assert not engine.documents


@pytest.mark.parametrize("check", [False, True])
@pytest.mark.parametrize("mark, words", [("reserved", "is reserved: only the admin certificate may change it"), ("static", "built into the security plugin"),
                                         ("hidden", "built into the security plugin")])
def test_what_is_reserved_is_a_clear_error_unless_nothing_would_change(engine, call, check, mark, words):
    engine.documents[SECURITY + "roles/all_access"] = ({mark: True, "cluster_permissions": ["*"]}, 0)
    for changed in ({"cluster_permissions": ["a"]}, {"state": "absent"}):
        assert words in call(opensearch_security_role, check=check, name="all_access", **changed)["msg"]
    assert not call(opensearch_security_role, check=check, name="all_access", cluster_permissions=["*"])["changed"] and not engine.writes()


def test_a_certificate_that_is_not_the_administrator_s_is_told(engine, call):
    engine.documents[USERS + "admin"] = ({"reserved": True}, 0)
    failed = call(opensearch_security_user, name="admin", description="x", cert_file="/some.crt", key_file="/some.key")
    assert "it is reserved and the certificate shown is not an administrator's" in failed["msg"]


@pytest.mark.parametrize("module, arguments", [
    (opensearch_index_template, {"name": "a", "index_patterns": ["a"]}), (opensearch_alias, {"name": "a", "indices": [{"index": "b"}]}),
    (opensearch_ism_policy, {"name": "a", "policy": POLICY}), (opensearch_sm_policy, {"name": "a", "policy": NIGHTLY}), (opensearch_security_user, SHIPPER),
    (opensearch_security_role, {"name": "a"}), (opensearch_security_role_mapping, {"name": "a"})])
def test_before_there_is_a_cluster_a_check_run_predicts(call, module, arguments):
    predicted, failed = absent_without_a_cluster(call, module, **arguments)
    assert predicted["changed"] and failed["failed"] and "no node of OpenSearch gave an answer" in failed["msg"]
    predicted, failed = absent_without_a_cluster(call, module, name="a", state="absent")
    assert not predicted["changed"] and failed["failed"]
