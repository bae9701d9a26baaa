# Copyright (c) 2026, ironrack.cluster contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the operator sees while a cluster becomes healthy."""
from __future__ import annotations

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
