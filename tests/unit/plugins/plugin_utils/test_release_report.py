# Copyright (c) 2026, ironrack.cluster contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The report of a rollout: from a record and a journal of a simulated one to data, lines and a page."""
from __future__ import annotations

import json
import re
from html.parser import HTMLParser
from xml.etree import ElementTree

import pytest

from ansible_collections.ironrack.cluster.plugins.module_utils._release.observation import FAIL, INCONCLUSIVE
from ansible_collections.ironrack.cluster.plugins.module_utils._rollout import preflight
from ansible_collections.ironrack.cluster.plugins.module_utils._rollout.journal import parse
from ansible_collections.ironrack.cluster.plugins.plugin_utils._release_report import data, html, text
from ansible_collections.ironrack.cluster.tests.unit.plugins.module_utils.rollout_sim import Sim


@pytest.fixture
def reported(tmp_path, monkeypatch):
    """:returns: a function that runs a rollout and collects its report."""
    monkeypatch.setattr(preflight, "connection_problems", lambda service, connection: [])
    monkeypatch.setattr(preflight, "budget_of", lambda service, connection: {"policy": "go", "reasons": ["1.0 % is consumed"]})

    def report(verdicts=None, stop=None, journal=True, **flags):
        sim = Sim(tmp_path, verdicts)
        sim.drive("begin", stop=stop)
        record = sim.record
        known = {"exists": True, "record": record, "history": record["history"], "flags": flags,
                 "lock": {"holder": "ann@ops1", "renewed": "2026-11-28T05:00:00.000000Z", "held": True}}
        path = tmp_path / "chat-1.jsonl"
        lines = parse(path.read_text()) if journal else []
        assert data.number_of(known) == 1
        return dict(data.collect("chat", known, 1, lines, sim.now), made_at="now")

    return report


class Checker(HTMLParser):
    """Every element is closed, and nothing is loaded from elsewhere."""

    def __init__(self, page):
        super().__init__()
        self.open, self.tags = [], []
        self.feed(page)
        assert self.open == []

    def handle_starttag(self, tag, attrs):
        self.tags.append(tag)
        assert tag != "script" and not {"src", "href"} & {name for name, _value in attrs}
        if tag not in ("meta", "line", "rect", "polyline", "polygon"):
            self.open.append(tag)

    def handle_endtag(self, tag):
        if tag not in ("line", "rect", "polyline", "polygon"):
            assert self.open.pop() == tag


def test_a_release_is_reported_with_weights_and_gates(reported):
    found = reported()
    assert (found["result"], found["why"], found["candidate"], found["strategy"]) == ("promoted", "", "v2", "canary")
    assert [weight for _at, weight in found["asked"]] == [0, 5, 50, 100]
    assert [(step["gate"], step["verdict"], step["at_end"]) for step in found["steps"]] == [
        ("weight 5", "pass", True), ("weight 50", "pass", True), ("weight 100", "pass", True)]
    assert found["reason"].startswith("new; error budget go") and found["measured"] and found["left"] is None
    assert found["decisions"][0]["what"].startswith("begin rollout 1") and found["decisions"][-1]["what"] == "end rollout 1: promoted"
    assert json.loads(json.dumps(found)) == found


def test_the_page_says_the_verdict_first_and_shows_a_picture(reported):
    page = html.page(reported())
    assert page.index("Released") < page.index("v2 took over all of the traffic of chat from v1.") < page.index("<svg")
    assert {"svg", "polygon", "polyline", "table", "details"} <= set(Checker(page).tags)
    picture = ElementTree.fromstring(re.search("<svg.*</svg>", page, re.DOTALL).group(0))
    assert len(picture.findall("g")) == 3 and [one.get("class") for one in picture.findall("g")] == ["pass"] * 3
    left, _top, width, _height = (float(part) for part in picture.get("viewBox").split())
    points = [tuple(map(float, pair.split(","))) for pair in picture.find("polygon").get("points").split()]
    assert all(left <= x <= width for x, _y in points) and [x for x, _y in points[:-1]] == sorted(x for x, _y in points[:-1])


def test_a_rollback_says_why_and_where(reported):
    found = reported({50: {"fail_after": 15}})
    assert (found["result"], found["steps"][-1]["verdict"]) == ("rolled_back", FAIL) and "gate weight 50 failed" in found["why"]
    page = html.page(found)
    Checker(page)
    assert page.index("Rolled back") < page.index("gate weight 50 failed") and 'class="back"' in page and 'class="verdict fail"' in page


def test_while_it_runs_the_lines_say_step_weight_verdict_time_and_who(reported):
    found = reported(stop=lambda result: result["intent"]["kind"] == "gate")
    told = "\n".join(text.lines(found))
    assert "rollout 1 of chat, v1 to v2 by canary: under way" in told and "v2 has 5 % of the traffic of chat, v1 the rest." in told
    assert "5 % with v2, step 1 of 3; at gate weight 5" in told and "inconclusive so far: errors: as scripted; at least" in told
    assert "ann@ops1 drives, renewed 2026-11-28T05:00:00" in told and found["left"] > 100 and found["ended"] is None
    Checker(html.page(found))
    paused = reported(stop=lambda result: result["intent"]["kind"] == "gate", pause={"rollout": 1, "why": "lunch"})
    assert (paused["result"], paused["why"]) == ("paused", "lunch") and INCONCLUSIVE == paused["steps"][-1]["verdict"]


def test_without_a_journal_the_record_alone_is_told(reported):
    found = reported(journal=False)
    assert found["steps"] == [] and [weight for _at, weight in found["asked"]] == [5, 50, 100] and found["measured"] == []
    Checker(html.page(found))


def test_what_people_wrote_is_text_and_no_markup(reported):
    found = reported()
    found.update(why="<script>x</script>", reason="<b>", who="<i>")
    found["steps"][0].update(gate="<svg>", why="<x>")
    found["decisions"][0]["what"] = "begin <y>"
    Checker(html.page(found))


def test_the_numbers_of_gates_stand_beside_their_limits():
    gate = {"candidate": {"bad": 1, "total": 200}, "baseline": {"bad": 2, "total": 400}, "upper_bound": 0.0236, "limit": 0.05, "bound": 2}
    assert html.numbers(gate) == "candidate 1 of 200 bad, baseline 2 of 400 bad, at most 2.36 % at 95 %; limit 5 %, over 2 s"
    assert html.numbers({"candidate": {"bad": None, "total": None}, "limit": 0.05}) == "candidate not known; limit 5 %"
    assert html.numbers({"value": 3.5, "at_most": 4, "fail_over": 5}) == "value 3.5; at most 4, fail over 5" and html.numbers({}) == ""


def test_entries_belong_to_their_rollout():
    history = [{"what": what} for what in ("begin rollout 1: a to b by canary", "x", "end rollout 1: promoted", "serve: nobody answers",
                                           "begin rollout 2: b to c by rolling", "y")]
    assert [entry["what"] for entry in data.entries_of(history, 1)] == ["begin rollout 1: a to b by canary", "x", "end rollout 1: promoted"]
    assert len(data.entries_of(history, 2)) == 2 and data.entries_of(history, 3) == []
    assert data.thinned([], 5) == [] and data.thinned(list(range(11)), 5) == [0, 3, 6, 9, 10] and data.thinned([1, 2], 5) == [1, 2]


def test_a_history_is_told_line_by_line():
    entries = [{"when": "2026-11-28T05:00:00Z", "who": "ann", "what": "deploy", "why": "new"}, {"when": "t", "who": "bob", "what": "x"}]
    assert text.history(entries) == ["2026-11-28T05:00:00Z  ann: deploy (new)", "t  bob: x"] and text.holder(None) == "nobody drives"
    assert text.holder({"holder": "a", "held": False}) == "nobody drives: the lock of a is over"
