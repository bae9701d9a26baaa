# Copyright (c) 2026, ironrack.cluster contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The schedule of OpenSearch's backups as a node runs it: the role's own files, by a process of its own, against an engine of the test."""
from __future__ import annotations

import ast
import json
import re
import shutil
import subprocess
import sys
import time
from datetime import datetime, timedelta, timezone
from pathlib import Path

import pytest
import yaml

from ansible_collections.ironrack.cluster.plugins.module_utils._opensearch import moments, operating, schedule
from ansible_collections.ironrack.cluster.tests.unit.plugins.opensearch_store import Store

ROOT = Path(__file__).resolve().parents[3]
ROLE = ROOT / "roles" / "opensearch_backup"
UTILS = ROOT / "plugins" / "module_utils"
CODE = yaml.safe_load((ROLE / "vars" / "main.yml").read_text())["__opensearch_backup_code"]
DAY = 86400


@pytest.fixture(name="engine")
def engine_fixture():
    made = Store()
    made.looks = 0
    made.repositories["ironrack"], made.stored["ironrack"] = {"type": "fs", "settings": {"location": "/b"}}, {}
    made.make("logs-1", {str(number): {"n": number} for number in range(30)})
    yield made
    made.stop()


class Node:
    """A node's files, and its runs."""

    def __init__(self, folder, engine):
        self.folder, self.number = folder, 0
        self.program = folder / "program"
        for name in CODE:
            target = self.program / "module_utils" / (name + ".py")
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(UTILS / (name + ".py"), target)
        shutil.copy(ROLE / "files" / "schedule" / "__main__.py", self.program / "__main__.py")
        self.textfile, self.state = folder / "backup.prom", folder / "known.json"
        self.settings = {
            "urls": [engine.url], "ca_file": None, "cert_file": None, "key_file": None, "request_timeout": 5, "repository": "ironrack", "prefix": "hourly",
            "slot": 3600, "indices": [], "nodes": 3, "prove_every": 7 * DAY, "max_age": 30 * DAY, "min_count": 3, "failed_max_age": 7 * DAY,
            "clock_tolerance": 300, "timeout": 20, "expiry": [], "textfile": str(self.textfile), "state": str(self.state)}

    def run(self, **settings):
        """:returns: (exit status, what it printed, metric -> value)."""
        config = self.folder / "backup.json"
        config.write_text(json.dumps(dict(self.settings, **settings)))
        done = subprocess.run([sys.executable, "-I", str(self.program), "--config", str(config)], capture_output=True, text=True, timeout=60, check=False)
        lines = [line for line in self.textfile.read_text().splitlines() if not line.startswith("#")]
        return done.returncode, done.stdout + done.stderr, {
            re.match(r"ironrack_opensearch_backup_(\w+){", line).group(1): float(line.rsplit(" ", 1)[1]) for line in lines}


@pytest.fixture(name="node")
def node_fixture(tmp_path, engine):
    return Node(tmp_path, engine)


def test_a_node_has_all_of_the_code_that_the_schedule_needs_and_no_more():
    seen, ahead = set(), [("_common", "errors"), ("_common", "fs")]
    ahead += [("_opensearch", name) for name in ("moments", "schedule", "backup_api", "client", "plain")]
    assert {"module_utils.%s.%s" % pair for pair in ahead} == {
        "%s.%s" % (line.module, one.name) if line.module.endswith("_opensearch") else line.module
        for line in ast.parse((ROLE / "files" / "schedule" / "__main__.py").read_text()).body
        if isinstance(line, ast.ImportFrom) and line.module.startswith("module_utils") for one in line.names}
    while ahead:
        package, name = ahead.pop()
        if (package, name) in seen:
            continue
        seen.add((package, name))
        for line in ast.walk(ast.parse((UTILS / package / (name + ".py")).read_text())):
            if isinstance(line, ast.ImportFrom) and line.level:
                parts = [package] * (line.level == 1) + (line.module.split(".") if line.module else [])
                ahead += [tuple(parts)] if len(parts) == 2 else [(parts[0], one.name) for one in line.names]
    assert CODE == sorted("%s/%s" % pair for pair in seen)


def test_one_node_takes_the_snapshot_of_a_slot_and_the_others_only_look(engine, node, monkeypatch):
    status, said, told = node.run()
    done = json.loads(said)
    assert status == 0 and re.fullmatch(r"hourly-\d{8}t\d\d00z", done["snapshot"]) and not done["waits_for"]
    assert abs(told["last_success_timestamp_seconds"] - time.time()) < 60 and told["last_proved_timestamp_seconds"] == told["last_success_timestamp_seconds"]
    assert (told["run_success"], told["unprotected_indices"], told["failed_proofs"]) == (1, 0, 0) and abs(told["run_timestamp_seconds"] - time.time()) < 60
    writes = len(engine.writes())
    engine.make("logs-2", {"1": {}})
    status, said, told = node.run()
    assert status == 0 and json.loads(said)["snapshot"] == done["snapshot"] and len(engine.writes()) == writes
    assert told["unprotected_indices"] == 1 and list(engine.stored["ironrack"]) == [done["snapshot"]]


def test_what_is_old_goes_by_the_one_who_took_the_snapshot(engine, node):
    engine.keep("ironrack", "hourly-20200101t0000z", [], state="FAILED", age=100 * DAY)
    engine.keep("ironrack", "hourly-20200101t0100z", ["logs-1"], age=100 * DAY)
    status, said, _told = node.run()
    assert status == 0 and [one["snapshot"] for one in json.loads(said)["deleted"]] == ["hourly-20200101t0000z"]
    assert "hourly-20200101t0100z" in engine.stored["ironrack"]  # too few proved ones are newer


def test_what_is_old_is_judged_by_the_time_after_the_proof(monkeypatch):
    """A proof may take longer than clocks may differ: the time at which the run began would look like a clock that is slow."""
    times = [datetime(2026, 11, 21, 12, minute, tzinfo=timezone.utc) for minute in (0, 10, 20, 30)]
    left, judged = list(times), {}
    monkeypatch.setattr(schedule, "stands_back", lambda *arguments: [])
    monkeypatch.setattr(schedule.steps, "age", lambda params, api, now: {"exists": True, "indices": [], "proved_age_seconds": None})
    monkeypatch.setattr(schedule.steps, "take", lambda params, api, check, now: {"snapshot": "s", "state": "SUCCESS", "stood_back": False})
    for name, answer in (("prove", {}), ("retain", {"deleted": [], "stopped": ["a clock"]}), ("expire", {"expired": [], "kept": [], "overdue": []})):
        monkeypatch.setattr(schedule.steps, name, lambda params, api, check, now, name=name, answer=answer: judged.update({name: now}) or answer)
    settings = {"nodes": 3, "slot": 3600, "indices": [], "prove_every": 1, "expiry": [{"pattern": "logs-*"}]}
    done = schedule.back_up(settings, None, clock=lambda: left.pop(0))
    assert judged == {"prove": times[1], "retain": times[2], "expire": times[3]} and done["stopped"] == ["a clock"]


def test_old_indices_go_by_the_one_who_took_the_snapshot(engine, node):
    for number in (2, 3):
        engine.make("logs-%d" % number, {"1": {}}).created = engine.millis() - (20 - number) * DAY * 1000
    engine.data["logs-1"].created = engine.millis() - 19 * DAY * 1000
    engine.data["logs-2"].is_closed = True
    rules = [{"pattern": "logs-*", "max_age": 7 * DAY, "min_count": 1, "without_snapshot": False}]
    status, said, told = node.run(expiry=rules)
    done = json.loads(said)
    assert status == 0 and [one["index"] for one in done["expired"]] == ["logs-1"] and "logs-1" not in engine.data
    assert [(one["index"], one["reason"]) for one in done["overdue"]] == [("logs-2", "unreadable")] and told["indices_overdue"] == 1
    writes = len(engine.writes())
    status, said, told = node.run(expiry=rules)
    assert status == 0 and json.loads(said)["expired"] == [] and len(engine.writes()) == writes and told["indices_overdue"] == 1
    assert "indices_overdue" not in node.run()[2]


def test_an_index_that_the_user_may_not_delete_is_a_failed_run_and_counts(engine, node):
    engine.make("logs-2", {"1": {}})
    engine.data["logs-1"].created = engine.millis() - 19 * DAY * 1000
    engine.answers[("DELETE", "/logs-1")] = (403, {"error": {"type": "security_exception", "reason": "no permissions"}, "status": 403})
    status, said, told = node.run(expiry=[{"pattern": "logs-*", "max_age": 7 * DAY}])
    assert status == 1 and "no permissions" in said and "logs-1" in engine.data and (told["run_success"], told["indices_overdue"]) == (0, 1)


def test_without_an_answer_the_last_known_age_stays_and_the_run_counts_as_failed(engine, node):
    first = node.run()[2]
    status, said, told = node.run(urls=["http://127.0.0.1:1"])
    assert status == 1 and "no node of OpenSearch gave an answer" in said and told["run_success"] == 0
    assert told["last_success_timestamp_seconds"] == first["last_success_timestamp_seconds"]


def test_a_store_that_is_gone_is_a_failed_run(engine, node):
    node.run()
    engine.answers[("GET", "/_snapshot/ironrack/_all")] = (500, {"error": {"type": "repository_exception", "reason": "could not read"}, "status": 500})
    status, said, told = node.run()
    assert status == 1 and "could not read" in said and told["run_success"] == 0 and told["last_success_timestamp_seconds"] > 0


def test_without_a_repository_it_says_who_registers_it(engine, node):
    engine.repositories.clear()
    status, said, told = node.run()
    assert status == 1 and "run site.yml" in said and "last_success_timestamp_seconds" not in told


def test_a_snapshot_that_is_not_whole_is_a_failed_run_for_each_node(engine, node):
    name = "hourly-" + moments.slot(moments.now(), 3600).strftime("%Y%m%dt%H%Mz")
    engine.keep("ironrack", name, ["logs-1"], state="PARTIAL")
    status, said, told = node.run()
    assert status == 1 and "%s is PARTIAL" % name in said and told["run_success"] == 0


class Client:
    """Answers with a health, and with what somebody has said who takes out nodes."""

    def __init__(self, operation=None, **health):
        self.client, self.operation = self, operation
        self.health = dict({"status": "green", "number_of_nodes": 3, "relocating_shards": 0, "initializing_shards": 0,
                            "discovered_cluster_manager": True}, **health)

    def expect(self, _method, path, **_settings):
        return {"persistent": {operating.SETTING: self.operation}} if path == operating.PATH else self.health


@pytest.mark.parametrize("health, second, reasons", [
    ({}, 10, []),
    ({"number_of_nodes": 2, "status": "yellow"}, 10, ["nodes: 2 of at least 3"]),
    ({"initializing_shards": 4}, 1799, ["shards that are initializing: 4"]),
    # A node that stays away does not end all backups.
    ({"number_of_nodes": 2, "status": "yellow"}, 1800, [])])
def test_for_half_of_a_slot_it_waits_for_nodes_that_restart(health, second, reasons):
    now = datetime(2026, 11, 29, 8, second // 60, second % 60, tzinfo=timezone.utc)
    assert schedule.stands_back(Client(**health), 3, now, 3600) == reasons


@pytest.mark.parametrize("second", (10, 1800, 3500))
def test_it_waits_for_whoever_takes_out_nodes_until_they_are_thought_to_be_gone(second):
    now = datetime(2026, 11, 29, 8, second // 60, second % 60, tzinfo=timezone.utc)
    hold = operating.Hold("restart", "ann", now + timedelta(seconds=60))
    client = Client(operating.text(hold))
    assert schedule.stands_back(client, 3, now, 3600) == ["restart by ann is under way, until %s at the latest" % moments.text(hold.until)]
    assert schedule.stands_back(client, 3, hold.until, 3600) == []


def test_what_prometheus_reads():
    text = schedule.exposition({"run_success": 1, "failed_proofs": 0}, {"series": "hourly", "repository": "ironrack"})
    assert text == (
        "# HELP ironrack_opensearch_backup_failed_proofs Snapshots of the repository that could not be restored.\n"
        "# TYPE ironrack_opensearch_backup_failed_proofs gauge\n"
        'ironrack_opensearch_backup_failed_proofs{repository="ironrack",series="hourly"} 0\n'
        "# HELP ironrack_opensearch_backup_run_success Whether that went well: 1 or 0.\n"
        "# TYPE ironrack_opensearch_backup_run_success gauge\n"
        'ironrack_opensearch_backup_run_success{repository="ironrack",series="hourly"} 1\n')
