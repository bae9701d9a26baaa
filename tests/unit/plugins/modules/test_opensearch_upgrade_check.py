# Copyright (c) 2026, ironrack.cluster contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The module against an engine of the test over HTTP; what it decides is in test_opensearch_upgrading.py."""
from __future__ import annotations

import pytest

from ansible_collections.ironrack.cluster.plugins.modules import opensearch_upgrade_check
from ansible_collections.ironrack.cluster.tests.unit.plugins.modules.opensearch_calls import NOBODY, call_fixture, engine_fixture
from ansible_collections.ironrack.cluster.tests.unit.plugins.opensearch_engine import ROLES, shard

FIXTURES = (call_fixture, engine_fixture)
NAMES = ["os1", "os2", "os3"]
ASKED = {"version": "3.4.0", "nodes": NAMES, "repository": "backups", "wait": 0}


@pytest.fixture(name="cluster")
def cluster_fixture(engine):
    """:returns: a callable that gives the engine nodes of some versions."""
    def make(**versions):
        nodes = {name: {"name": name, "version": version, "roles": ROLES, "plugins": []} for name, version in versions.items()}
        engine.answers.update({
            ("GET", "/_cat/cluster_manager"): (200, [{"node": "os2"}]), ("GET", "/_nodes/jvm,plugins,process"): (200, {"nodes": nodes}),
            ("GET", "/_nodes/stats/os,fs"): (200, {"nodes": {}}),
            ("GET", "/_cat/indices"): (200, [{"index": "logs-1", "pri": "1", "rep": "1"}]),
            ("GET", "/_all/_settings/index.version.created_string,index.auto_expand_replicas"): (
                200, {"logs-1": {"settings": {"index.version.created_string": "2.19.4"}}}),
            ("GET", "/_snapshot/backups"): (404, {})})
        engine.health.update(status="green")

    return make


def test_the_order_has_the_elected_manager_last(cluster, call):
    cluster(os1="2.19.4", os2="2.19.4", os3="2.19.4")
    result = call(opensearch_upgrade_check, snapshot_max_age=0, **ASKED)
    assert (result["turns"], result["under_way"], result["status"], result["changed"]) == (["os1", "os3", "os2"], False, "green", False)
    assert result["versions"] == dict.fromkeys(NAMES, "2.19.4")


def test_without_a_repository_nothing_is_proved(cluster, call):
    cluster(os1="2.19.4", os2="2.19.4", os3="2.19.4")
    failed = call(opensearch_upgrade_check, **ASKED)
    assert [one["where"] for one in failed["problems"]] == ["snapshots"] and "none is proved by a restore" in failed["msg"]


def test_one_that_is_under_way_goes_on_and_explains_what_has_no_place(cluster, call, engine):
    cluster(os1="3.4.0", os2="2.19.4", os3="2.19.4")
    engine.health.update(status="yellow")
    engine.rows = [shard("logs-1", 0, True, "STARTED", "os1"), shard("logs-1", 0, False, "UNASSIGNED")]
    result = call(opensearch_upgrade_check, **ASKED)
    assert (result["turns"], result["under_way"], result["status"]) == (["os3", "os2"], True, "yellow")
    assert result["unassigned"] == ["replica 0 of logs-1: no longer there, or not to be explained"]


def test_a_node_that_is_missing_is_waited_for_and_then_told(cluster, call):
    cluster(os1="2.19.4", os2="2.19.4")
    failed = call(opensearch_upgrade_check, snapshot_max_age=0, **ASKED)
    assert [one["where"] for one in failed["problems"]] == ["node os3"]


def test_before_there_is_a_cluster_a_check_run_has_nothing_to_say(call):
    assert call(opensearch_upgrade_check, check=True, urls=[NOBODY], **ASKED)["turns"] == []
    assert call(opensearch_upgrade_check, urls=[NOBODY], **ASKED)["failed"]
