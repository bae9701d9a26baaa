# Copyright (c) 2026, ironrack.cluster contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Expiry of indices as Ansible calls it, against an engine of the test over HTTP, with snapshots and proofs of the modules themselves."""
from __future__ import annotations

import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ansible_collections.ironrack.cluster.plugins.module_utils._common.errors import IronrackError
from ansible_collections.ironrack.cluster.plugins.module_utils._opensearch import manifest, moments, restoring, steps
from ansible_collections.ironrack.cluster.plugins.module_utils._opensearch.backup_api import BackupApi
from ansible_collections.ironrack.cluster.plugins.modules import opensearch_index_expiry, opensearch_proof, opensearch_snapshot
from ansible_collections.ironrack.cluster.tests.unit.plugins.modules.opensearch_calls import call_fixture
from ansible_collections.ironrack.cluster.tests.unit.plugins.opensearch_engine import error
from ansible_collections.ironrack.cluster.tests.unit.plugins.opensearch_store import Direct, Store

FIXTURES = (call_fixture,)
DAY = 86400
INDICES = ["logs-%d" % number for number in range(1, 5)]
HOURLY = {"repository": "backups", "prefix": "hourly", "slot": 3600}
ASKED = {"repository": "backups", "prefix": "hourly", "rules": [{"pattern": "logs-*", "max_age": 7 * DAY}]}
LOST = dict(ASKED, rules=[dict(ASKED["rules"][0], without_snapshot=True)])


def aged(engine, name, days, **more):
    """:returns: an index with documents that was made some days ago."""
    made = engine.make(name, {str(number): {"n": number} for number in range(5)}, **more)
    made.created = engine.millis() - days * DAY * 1000
    return made


def fill(engine):
    """Have a repository, and four old indices of an alias that writes to the newest."""
    engine.looks = 0
    engine.repositories["backups"], engine.stored["backups"] = {"type": "fs", "settings": {"location": "/b"}}, {}
    for number, name in enumerate(INDICES):
        aged(engine, name, 30 - number, aliases={"logs": {"is_write_index": True} if name == INDICES[-1] else {}})


@pytest.fixture(name="engine")
def engine_fixture():
    made = Store()
    fill(made)
    yield made
    made.stop()


def prove(call):
    """:returns: the name of a snapshot that has all there is now, and that is proved."""
    name = call(opensearch_snapshot, **dict(HOURLY, indices=INDICES))["snapshot"]
    assert call(opensearch_proof, repository="backups", snapshot=name)["verdict"] == "pass"
    return name


def names(told):
    return [one["index"] for one in told]


def reasons(result):
    return {one["index"]: one["reason"] for one in result["kept"]}


def deletes(engine):
    return [one[1] for one in engine.writes() if one[0] == "DELETE" and not one[1].startswith(("/ironrack", "/_snapshot"))]


def test_what_is_old_goes_and_a_second_run_finds_nothing(engine, call):
    prove(call)
    writes = len(engine.writes())
    for quiet in ({"check": True}, {"dry_run": True}):
        foreseen = call(opensearch_index_expiry, **ASKED, **quiet)
        assert names(foreseen["expired"]) == INDICES[:3] and foreseen["changed"] == ("check" in quiet) and not foreseen["stopped"]
    assert len(engine.writes()) == writes and set(INDICES) < set(engine.data)
    done = call(opensearch_index_expiry, **ASKED)
    assert done["changed"] and names(done["expired"]) == INDICES[:3] and done["diff"] == foreseen["diff"]
    assert deletes(engine) == ["/" + name for name in INDICES[:3]]  # each by its name
    assert reasons(done) == {"logs-4": "write_index"} and done["overdue"] == [] and done["diff"]["after"] == "logs-4\n"
    again = call(opensearch_index_expiry, **ASKED)
    assert not again["changed"] and again["expired"] == [] and len(deletes(engine)) == 3


def test_what_no_proved_snapshot_has_as_it_is_stays(engine, call):
    assert set(reasons(call(opensearch_index_expiry, **ASKED)).values()) == {"not_in_snapshot", "write_index"}
    name = call(opensearch_snapshot, **dict(HOURLY, indices=INDICES))["snapshot"]
    unproved = call(opensearch_index_expiry, **ASKED)
    assert not unproved["expired"] and "no snapshot of the series hourly is proved" in unproved["kept"][0]["why"]
    call(opensearch_proof, repository="backups", snapshot=name)
    engine.data["logs-1"].put("late", {"n": 9})
    aged(engine, "logs-2", 30)
    aged(engine, "logs-5", 29)
    engine.data["logs-3"].is_closed = True
    done = call(opensearch_index_expiry, **ASKED)
    assert not done["changed"] and done["overdue"] == ["logs-1", "logs-2", "logs-3", "logs-5"] and not deletes(engine)
    whys = {one["index"]: one["why"] for one in done["kept"]}
    assert "written to since" in whys["logs-1"] and "another index" in whys["logs-2"] and "it is closed" in whys["logs-3"]
    assert "does not have it" in whys["logs-5"]
    assert names(call(opensearch_index_expiry, **LOST)["expired"]) == ["logs-1", "logs-2", "logs-5", "logs-3"]


def test_without_a_snapshot_only_where_a_rule_says_so(engine, call):
    done = call(opensearch_index_expiry, **LOST)
    assert names(done["expired"]) == INDICES[:3] and deletes(engine) == ["/" + name for name in INDICES[:3]]


def test_what_ism_manages_and_what_it_says_nothing_of_stays(engine, call):
    prove(call)
    engine.managed["logs-1"], engine.unseen = "two-weeks", {"logs-2"}
    done = call(opensearch_index_expiry, **ASKED)
    assert names(done["expired"]) == ["logs-3"] and reasons(done) == {"logs-1": "managed", "logs-2": "unknown", "logs-4": "write_index"}
    assert "by the policy two-weeks" in done["kept"][0]["why"] and done["overdue"] == ["logs-2"]
    engine.plugins.discard("_ism")
    assert names(call(opensearch_index_expiry, **ASKED)["expired"]) == ["logs-1", "logs-2"]


def test_ism_that_refuses_or_loses_an_index_deletes_nothing(engine, call):
    prove(call)
    path = ("GET", "/_plugins/_ism/explain/logs-1,logs-2,logs-3")
    engine.answers[path] = error(403, "no permissions for [cluster:admin/opendistro/ism/managedindex/explain]", "security_exception")
    failed = call(opensearch_index_expiry, **ASKED)
    assert failed["failed"] and "asking ISM" in failed["msg"] and not deletes(engine)
    engine.answers[path] = error(404, "no such index [logs-2]", "index_not_found_exception")
    assert set(reasons(call(opensearch_index_expiry, **ASKED)).values()) == {"unknown", "write_index"} and not deletes(engine)


def test_a_failed_proof_a_snapshot_that_runs_and_a_restore_stop_all(engine, call):
    prove(call)
    other = call(opensearch_snapshot, repository="backups", indices=["logs-4"])["snapshot"]
    engine.damaged["logs-4"] = "CorruptIndexException[checksum failed]"
    assert call(opensearch_proof, repository="backups", snapshot=other)["failed"]
    stopped = call(opensearch_index_expiry, **ASKED)
    assert not stopped["changed"] and other in stopped["stopped"][0] and set(reasons(stopped).values()) == {"stopped", "write_index"}
    del engine.stored["backups"][other]
    assert not call(opensearch_index_expiry, dry_run=True, **ASKED)["stopped"]
    engine.stored["others"] = {}
    engine.keep("others", "x-1", ["logs-4"], state="IN_PROGRESS")
    assert call(opensearch_index_expiry, **ASKED)["stopped"] == ["others/x-1 runs"]
    engine.stored.pop("others")
    engine.keep("backups", "manual-1", ["logs-4"], state="IN_PROGRESS")
    assert "manual-1 runs" in call(opensearch_index_expiry, **LOST)["stopped"][0]
    del engine.stored["backups"]["manual-1"]
    write_restore(engine, restoring.FORWARD)
    assert "a restore of logs-1 from hourly-1 is under way" in call(opensearch_index_expiry, **ASKED)["stopped"][0]
    engine.shift = 3600
    assert "from that of the cluster" in " ".join(call(opensearch_index_expiry, **ASKED)["stopped"])
    assert not deletes(engine)


def write_restore(engine, phase, target="logs-9"):
    body = {"phase": phase, "items": {"logs-1": {"target": target, "replaces": "logs-1"}}}
    engine.data[manifest.INDEX].put("restore-1", {"kind": "restore", "repository": "elsewhere", "snapshot": "hourly-1", "time": moments.text(moments.now()),
                                                  "body": json.dumps(body)})


def test_what_was_restored_is_as_old_as_the_restore(engine, call):
    prove(call)
    aged(engine, "logs-9", 40)
    write_restore(engine, restoring.SWAPPED)
    assert reasons(call(opensearch_index_expiry, check=True, **LOST)) == {"logs-1": "restore", "logs-9": "restore", "logs-4": "write_index"}
    write_restore(engine, restoring.DONE)
    done = call(opensearch_index_expiry, **ASKED)
    assert names(done["expired"]) == INDICES[:3] and reasons(done) == {"logs-9": "young", "logs-4": "write_index"}


@pytest.mark.parametrize("what", ["another", "alias", "write", "gone"])
def test_an_index_that_is_another_one_at_the_last_moment_is_not_deleted(engine, call, what):
    prove(call)

    def change():
        engine.hooks.clear()
        if what == "another":
            engine.answer("DELETE", "/logs-2", {}, None, "")
            aged(engine, "logs-2", 30)
        elif what == "alias":
            engine.aliases["logs-2"] = {"own": {}}
        elif what == "write":
            engine.data["logs-2"].put("late", {"n": 9})
        else:
            engine.answer("DELETE", "/logs-2", {}, None, "")

    engine.hooks[("DELETE", "/logs-1")] = change
    done = call(opensearch_index_expiry, **ASKED)
    if what == "gone":
        assert names(done["expired"]) == INDICES[:3]  # by somebody else
    else:
        assert names(done["expired"]) == ["logs-1", "logs-3"] and "logs-2" in engine.data and done["overdue"] == ["logs-2"]
        assert reasons(done)["logs-2"] == {"write": "not_in_snapshot"}.get(what, "changed")


def test_a_deletion_that_is_refused_says_what_is_gone(engine, call):
    prove(call)
    engine.answers[("DELETE", "/logs-2")] = error(403, "no permissions for [indices:admin/delete]", "security_exception")
    failed = call(opensearch_index_expiry, **ASKED)
    assert failed["failed"] and failed["gone"] == ["logs-1"] and "no permissions for [indices:admin/delete]" in failed["msg"] and "logs-3" in engine.data


def test_all_that_is_wrong_is_told_at_once_and_before_any_question(engine, call):
    failed = call(opensearch_index_expiry, repository="backups", prefix="H", rules=[{"pattern": "*", "max_age": 0}, {"pattern": ".x*", "max_age": 1}])
    assert [one["where"] for one in failed["problems"]] == [
        "rules, number 1, pattern", "rules, number 1, max_age", "rules, number 2, pattern", "rules", "prefix"]
    assert not engine.asked
    assert "there is no repository none" in call(opensearch_index_expiry, **dict(ASKED, repository="none"))["msg"]


@settings(max_examples=40)
@given(st.lists(st.tuples(st.integers(0, 40), st.booleans(), st.booleans()), min_size=1, max_size=8), st.integers(1, 3), st.integers(0, 8), st.booleans())
def test_of_any_indices_what_goes_is_in_the_proved_snapshot_and_enough_stay(entries, min_count, writer, fails):
    engine = Store()
    try:
        fill(engine)
        engine.data.clear()
        engine.aliases.clear()
        for number, (days, _held, _late) in enumerate(entries):
            name = "logs-%d" % number
            aged(engine, name, days, aliases={"logs": {"is_write_index": number == writer}})
        api, now = BackupApi(Direct(engine)), moments.now()
        held = sorted("logs-%d" % number for number, (_days, is_held, _late) in enumerate(entries) if is_held)
        params = {"repository": "backups", "prefix": "hourly", "slot": 3600, "indices": held, "allow_partial": False, "timeout": 20, "checksum_timeout": 20}
        if held:
            name = steps.take(params, api, False, now)["snapshot"]
            if fails:
                engine.stored["backups"][name]["data"][held[0]].documents.clear()
            try:
                steps.prove({"repository": "backups", "snapshot": name, "timeout": 20, "checksum": True, "max_age": 0}, api, False, now)
            except IronrackError as failure:
                assert fails, failure
        for number, (_days, _held, late) in enumerate(entries):
            if late:
                engine.data["logs-%d" % number].put("late", {})
        before = {name: index.created for name, index in engine.data.items() if name.startswith("logs-")}
        asked = {"repository": "backups", "prefix": "hourly", "clock_tolerance": 300, "dry_run": False,
                 "rules": [{"pattern": "logs-*", "max_age": 7 * DAY, "min_count": min_count}]}
        foreseen = steps.expire(asked, api, True, now)
        assert {name for name in engine.data if name.startswith("logs-")} == set(before)  # a check run deletes nothing
        done = steps.expire(asked, api, False, now)
        gone = set(names(done["expired"]))
        assert gone == set(names(foreseen["expired"])) == set(before) - set(engine.data)
        assert not gone or not fails
        for name in gone:
            number = int(name.rsplit("-", 1)[1])
            assert entries[number][1] and not entries[number][2] and number != writer and entries[number][0] >= 7
            assert sum((created, one) > (before[name], name) for one, created in before.items() if one not in gone) >= min_count
    finally:
        engine.stop()
