# Copyright (c) 2026, ironrack.cluster contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the operator sees while a cluster becomes healthy."""
from __future__ import annotations

from unittest import mock

import pytest

from ansible_collections.ironrack.cluster.plugins.action import cluster_health_info, opensearch_health_info
from ansible_collections.ironrack.cluster.plugins.plugin_utils._report import progress as progress_module
from ansible_collections.ironrack.cluster.plugins.plugin_utils._report.progress import Progress, finished


def condition(name, verdict, seen="seen"):
    return {"name": name, "verdict": verdict, "seen": seen, "expected": "wanted", "how_to_mend": "Mend it."}


def progress(times):
    lines, clock = [], iter(times)
    return lines, Progress(lines.append, clock=lambda: next(clock))


def test_each_condition_is_told_once_when_it_turns():
    lines, told = progress([100.0, 103.2, 110.0, 111.0])
    told.tell([condition("nodes_present", "pass", "9 nodes"), condition("nodes_ready", "fail", "3 of 9 Ready")])
    told.tell([condition("nodes_present", "pass", "9 nodes"), condition("nodes_ready", "pass", "9 of 9 Ready")])
    told.tell([condition("nodes_present", "pass", "9 nodes"), condition("nodes_ready", "fail", "8 of 9 Ready")])
    assert lines == [
        "[  3.2 s] ok   nodes_present                 9 nodes",
        "[ 10.0 s] ok   nodes_ready                   9 of 9 Ready",
        "[ 11.0 s] lost nodes_ready                   8 of 9 Ready",
    ]
    assert told.green == {"nodes_present"}


def test_what_stays_red_is_told_and_fails():
    lines, told = progress([0.0, 60.0, 60.0])
    result = finished({"ok": False, "conditions": [condition("dns_ready", "fail", "0 of 2"), condition("x", "pass")]}, told, True)
    assert result["failed"] and result["waited"] == 60.0
    assert "dns_ready (fail): seen: 0 of 2; expected: wanted. Mend it." in result["msg"]
    assert lines == ["[ 60.0 s] FAIL dns_ready                     0 of 2; expected: wanted"]


def test_a_report_does_not_fail():
    told = progress([0.0, 1.0, 1.0])[1]
    assert "failed" not in finished({"ok": False, "conditions": [condition("x", "inconclusive")]}, told, False)


EXPECTED = {"name": "lab", "nodes": []}


@pytest.mark.parametrize("plugin, name", ((cluster_health_info, "cluster_health_info"), (opensearch_health_info, "opensearch_health_info")))
def test_the_module_is_asked_until_all_is_green(monkeypatch, plugin, name):
    looks = [[condition("a", "pass", "1"), condition("b", "fail", "0")], [condition("a", "pass", "1"), condition("b", "pass", "1")]]
    lines, asked = [], []
    monkeypatch.setattr(progress_module.Display, "display", lambda self, text, *rest, **options: lines.append(text))
    monkeypatch.setattr(plugin.ActionBase, "run", lambda self, tmp=None, task_vars=None: {})

    def execute(module_name, module_args, task_vars):
        asked.append((module_name, module_args["known"], module_args["enforce"]))
        conditions = looks.pop(0)
        return {"ok": all(one["verdict"] == "pass" for one in conditions), "conditions": conditions}

    action = object.__new__(plugin.ActionModule)
    action._task = mock.Mock(args={"expected": EXPECTED, "wait": 30}, check_mode=False)
    action._execute_module = execute
    assert action.run()["ok"] and not looks
    assert asked == [("ironrack.cluster." + name, [], "never"), ("ironrack.cluster." + name, ["a"], "never")]
    assert [line.split()[-2:] for line in lines] == [["a", "1"], ["b", "1"]]
