# Copyright (c) 2026, ironrack.cluster contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Every condition of OpenSearch is green on a healthy cluster, red under a fault of its own, and never green on nothing."""
from __future__ import annotations

import copy

import pytest

from ansible_collections.ironrack.cluster.plugins.module_utils._common.errors import IronrackError
from ansible_collections.ironrack.cluster.plugins.module_utils._health.verdict import FAIL, INCONCLUSIVE, PASS, Observation, judge, overall
from ansible_collections.ironrack.cluster.plugins.module_utils._opensearch import observing
from ansible_collections.ironrack.cluster.plugins.module_utils._opensearch.client import OpenSearchError, OpenSearchUnreachable
from ansible_collections.ironrack.cluster.plugins.module_utils._opensearch.conditions import CONDITIONS
from ansible_collections.ironrack.cluster.plugins.modules.opensearch_health_info import judged_series

NOW = 1_800_000_000.0
DAY = 86400.0
NAMES = ("os1", "os2", "os3")
GIB = 1 << 30


def expected(**changes):
    nodes = [{"name": name, "address": "127.0.0.1", "zone": zone, "roles": ["cluster_manager", "data"]} for name, zone in zip(NAMES, "abc")]
    return dict({"nodes": nodes, "managers": list(NAMES), "version": "3.4.0", "spread": True, "http_port": 9200,
                 "backups": {"repository": "r", "prefix": "hourly", "alert_after": 10800, "proof_max_age": 1220400}}, **changes)


def healthy():
    members = [{"name": name, "version": "3.4.0", "zone": zone, "is_elected": name == "os2", "roles": ["cluster_manager", "data"],
                "plugins": [{"name": "repository-s3"}], "disk_bytes": 100 * GIB, "disk_free_bytes": 60 * GIB} for name, zone in zip(NAMES, "abc")]
    return {"now": NOW, "peers": {name: {"verified": True, "not_after": NOW + 300 * DAY} for name in NAMES}, "elected": "os2", "members": members,
            "health": {"status": "green", "unassigned_shards": 0}, "unassigned": [],
            "settings": {"persistent": {"cluster.routing.allocation.exclude._name": ""}, "transient": {},
                         "defaults": {"cluster.routing.allocation.enable": "all", "cluster.routing.allocation.disk.watermark.low": "20gb"}},
            "backups": {"age_seconds": 1800.0, "failed_proofs": [], "last_proved": "hourly-1", "proved_age_seconds": 86400.0}}


def verdicts(values, errors=None, wanted=None):
    return {one["name"]: one for one in judge(CONDITIONS, Observation(values, errors), wanted or expected())}


def change(path, value):
    values = copy.deepcopy(healthy())
    part = values
    for step in path[:-1]:
        part = part[step]
    part[path[-1]] = value
    return values


def test_a_healthy_cluster_passes_them_all():
    told = verdicts(healthy())
    assert overall(told.values()) == PASS and len(told) == len(CONDITIONS)


@pytest.mark.parametrize("name, path, value, words", [
    ("opensearch_nodes_answer", ("peers", "os1"), {"error": "no TLS connection to 127.0.0.1:9200: refused"}, "os1: no TLS connection"),
    ("opensearch_nodes_answer", ("peers", "os1"), {"untrusted": "self-signed certificate"}, "os1: self-signed"),
    ("opensearch_certificates_valid", ("peers", "os3", "not_after"), NOW + 29 * DAY, "os3: 29.0 days left"),
    ("opensearch_manager_elected", ("elected",), None, "elected: none"),
    ("opensearch_nodes_present", ("members", 0, "name"), "os9", "os1 is not in the cluster; the inventory does not know: os9"),
    ("opensearch_green", ("health",), {"status": "yellow", "unassigned_shards": 2}, "yellow, shards unassigned: 2"),
    ("opensearch_green", ("health",), {}, "unknown, shards unassigned: unknown"),
    ("opensearch_versions", ("members", 2, "version"), "2.19.4", "os3 runs 2.19.4"),
    ("opensearch_versions", ("members", 2, "plugins"), [], "os3: plugins none, others have repository-s3"),
    ("opensearch_zones", ("members", 1, "zone"), "a", "os2 says a, not b"),
    ("opensearch_zones", ("members", 1, "zone"), None, "os2 says none, not b"),
    ("opensearch_allocation_free", ("settings", "transient"), {"cluster.routing.allocation.enable": "none"}, "allocation.enable is none"),
    ("opensearch_allocation_free", ("settings", "persistent"), {"cluster.routing.allocation.exclude._name": "os1"}, "exclude._name is os1"),
    ("opensearch_allocation_free", ("settings", "persistent"), {"cluster.blocks.read_only": "true"}, "cluster.blocks.read_only is true"),
    ("opensearch_disks", ("members", 0, "disk_free_bytes"), 19 * GIB, "os1 has 19456 MiB free"),
    ("opensearch_backups_recent", ("backups", "age_seconds"), 10801.0, "it is 10801 s old"),
    ("opensearch_backups_recent", ("backups", "age_seconds"), None, "there is none"),
    ("opensearch_backups_proved", ("backups", "failed_proofs"), ["hourly-0"], "failed: hourly-0"),
    ("opensearch_backups_proved", ("backups", "last_proved"), None, "none is proved"),
    ("opensearch_backups_proved", ("backups", "proved_age_seconds"), 1220401.0, "the last one, hourly-1, is 1220401 s old"),
])
def test_each_fault_is_seen_and_told(name, path, value, words):
    told = verdicts(change(path, value))
    assert told[name]["verdict"] == FAIL and words in told[name]["seen"] and told[name]["how_to_mend"]
    # A node that is another one is missed in its zone too, and an untrusted one shows no date.
    others = {other for other, one in told.items() if one["verdict"] != PASS and other != name}
    assert others <= {"opensearch_zones", "opensearch_certificates_valid"}, others


def test_nothing_is_never_green():
    assert {one["verdict"] for one in verdicts({}).values()} == {INCONCLUSIVE}
    nobody = dict(healthy(), members=[], peers={}, elected=None)
    told = verdicts(nobody, wanted=expected(nodes=[]))
    for name in ("opensearch_nodes_answer", "opensearch_nodes_present", "opensearch_versions", "opensearch_zones", "opensearch_disks"):
        assert told[name]["verdict"] == FAIL, name
    assert told["opensearch_certificates_valid"]["verdict"] == INCONCLUSIVE


def test_a_node_without_a_zone_is_well_where_the_inventory_gives_it_none():
    nodes = [dict(one, zone="") if one["name"] == "os2" else one for one in expected()["nodes"]]
    assert verdicts(change(("members", 1, "zone"), None), wanted=expected(nodes=nodes))["opensearch_zones"]["verdict"] == PASS
    told = verdicts(change(("members", 1, "zone"), "b"), wanted=expected(nodes=nodes))["opensearch_zones"]
    assert told["verdict"] == FAIL and "os2 says b, not none" in told["seen"]


def test_what_a_cluster_does_not_have_is_not_judged():
    told = verdicts(healthy(), wanted=expected(spread=False, backups=None))
    assert not {"opensearch_zones", "opensearch_backups_recent", "opensearch_backups_proved"} & set(told)


def test_a_disk_that_nobody_tells_is_no_full_one():
    assert verdicts(change(("members", 0, "disk_free_bytes"), None))["opensearch_disks"]["verdict"] == INCONCLUSIVE


def test_backups_are_judged_where_there_is_a_schedule_and_a_repository():
    schedule = {"prefix": "hourly", "alert_after": 60}
    asked = {"expected": {"schedule": schedule}, "repository": "r", "prove_every": 100}
    assert judged_series(asked)["backups"] == dict(schedule, repository="r", proof_max_age=260)
    assert judged_series(dict(asked, expected={"schedule": {}}))["backups"] is None
    assert judged_series(dict(asked, repository=""))["backups"] is None


PARAMS = {"ca_file": "/nonexistent/ca.crt", "timeout": 1}


def test_a_cluster_that_does_not_answer_is_asked_once():
    asked = []

    class Away:
        def request(self, *arguments, **options):
            asked.append(arguments)
            raise OpenSearchUnreachable("no node answers")

        expect = request

    seen = observing.observe(PARAMS, expected(), connect=lambda params: Away())
    assert len(asked) == 1
    assert seen.errors["members"] == seen.errors["backups"] == "no node answers"
    told = judge(CONDITIONS, seen, expected())
    assert overall(told) == FAIL  # no node answered its handshake
    assert {one["verdict"] for one in told} == {FAIL, INCONCLUSIVE}


def test_without_a_certificate_all_of_it_is_inconclusive_but_the_handshakes():
    def connect(params):
        raise IronrackError("there is no certificate")

    seen = observing.observe(PARAMS, expected(), connect=connect)
    told = {one["name"]: one for one in judge(CONDITIONS, seen, expected())}
    assert told["opensearch_green"]["seen"] == "there is no certificate"
    assert told["opensearch_nodes_answer"]["verdict"] == FAIL


def test_one_part_that_is_refused_leaves_the_others():
    class Refusing:
        def request(self, method, path, **options):
            return 200, [{"node": "os2"}]

        def expect(self, method, path, **options):
            if path.startswith("/_cluster/settings"):
                raise IronrackError("403")
            return {"/_cluster/health": {"status": "green", "discovered_cluster_manager": True}}.get(path, {"nodes": {}})

    seen = observing.observe(PARAMS, expected(backups=None), connect=lambda params: Refusing())
    assert seen.errors == {"settings": "403"}
    assert (seen.values["members"], seen.values["elected"], seen.values["health"]["status"]) == ([], "os2", "green")


@pytest.mark.parametrize("health", [OpenSearchError("503", status=503), {"status": "red", "discovered_cluster_manager": False}])
def test_without_a_manager_only_the_nodes_are_asked_for_more(health):
    asked = []

    class Lost:
        def request(self, method, path, **options):
            asked.append(path)
            return 503, {"error": "no manager"}

        def expect(self, method, path, **options):
            asked.append(path)
            if path == "/_cluster/health":
                if isinstance(health, Exception):
                    raise health
                return health
            return {"nodes": {"x": {"name": "os1", "ip": "127.0.0.1", "version": "3.4.0", "attributes": {"zone": "a"}}}}

    seen = observing.observe(PARAMS, expected(), connect=lambda params: Lost())
    assert asked == ["/_cluster/health", "/_cat/cluster_manager", "/_nodes/jvm,plugins,process", "/_nodes/stats/os,fs"]
    told = {one["name"]: one for one in judge(CONDITIONS, seen, expected())}
    assert told["opensearch_manager_elected"]["verdict"] == FAIL and told["opensearch_nodes_present"]["verdict"] == FAIL
    assert told["opensearch_disks"]["verdict"] == told["opensearch_backups_recent"]["verdict"] == INCONCLUSIVE
