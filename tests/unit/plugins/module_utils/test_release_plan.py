# Copyright (c) 2026, ironrack.cluster contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What is refused before a rollout, all at once, and what is planned otherwise."""
from __future__ import annotations

import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ansible_collections.ironrack.cluster.plugins.module_utils._common.refusal import Refused
from ansible_collections.ironrack.cluster.plugins.module_utils._release.plan import batches, plan_rollout, plan_undo
from ansible_collections.ironrack.cluster.plugins.module_utils._release.settings import MOST_ZONES

KNOWN = {"v1", "v2", "v3"}


def refused(**changes):
    asked = dict({"service": "chat", "strategy": "canary", "stable": "v1", "candidate": "v2", "releases": KNOWN, "settings": {"replicas": 6}}, **changes)
    with pytest.raises(Refused) as error:
        plan_rollout(**asked)
    problems = error.value.details["problems"]
    assert all(set(one) == {"where", "what", "expected", "mend"} and all(one.values()) for one in problems)
    assert all(one["where"] in str(error.value) and one["mend"] in str(error.value) for one in problems)
    return [(one["where"], one["what"]) for one in problems]


@pytest.mark.parametrize("changes, found", (
    ({"candidate": "v1"}, [("candidate", "'v1' is the stable release already")]),
    ({"candidate": "v9"}, [("candidate", "release 'v9' is unknown")]),
    ({"candidate": None}, [("candidate", "None"), ("candidate", "release None is unknown")]),
    ({"service": "Chat"}, [("service", "'Chat'")]),
    ({"candidate": "fallback", "releases": {"fallback"}}, [("candidate", "'fallback'")]),
    ({"service": "c" * 64}, [("service", repr("c" * 64))]),
    ({"strategy": "recreate"}, [("strategy", "'recreate'")]),
    ({"settings": {}}, [("settings.replicas", "it is None")]),
    ({"settings": {"replicas": True}}, [("settings.replicas", "it is True")]),
    ({"settings": {"replicas": 6, "soak": 0}}, [("settings.soak", "it is 0")]),
    ({"settings": {"replicas": 6, "stepps": [100]}}, [("settings.stepps", "strategy canary has no such setting")]),
    ({"settings": {"replicas": 6, "zones": ["a"]}}, [("settings.zones", "strategy canary has no such setting")]),
    ({"settings": {"replicas": 6, "steps": [5, 5, 100]}}, [("settings.steps", "[5, 5, 100] does not rise at each step")]),
    ({"settings": {"replicas": 6, "steps": [50, 25]}}, [("settings.steps", "[50, 25] does not rise at each step"), ("settings.steps", "the last step is 25")]),
    ({"settings": {"replicas": 6, "steps": [0, 100]}}, [("settings.steps", "[0, 100] leaves the range")]),
    ({"settings": {"replicas": 6, "steps": []}}, [("settings.steps", "it is []")]),
    ({"settings": {"replicas": 6, "steps": [5.5, 100]}}, [("settings.steps", "it is [5.5, 100]")]),
    ({"strategy": "rolling"}, [("settings.zones", "it is None")]),
    ({"strategy": "rolling", "settings": {"replicas": 6, "zones": ["a", "a"]}}, [("settings.zones", "['a', 'a'] names a zone twice")]),
    ({"strategy": "rolling", "settings": {"replicas": 99, "zones": ["z%d" % one for one in range(51)]}}, [("settings.zones", "51 zones")]),
    ({"strategy": "blue_green", "settings": {"replicas": 6, "watch": -1, "keep": "long"}}, [("settings.keep", "it is 'long'"), ("settings.watch", "it is -1")]),
    ({"candidate": "v1", "service": "-", "settings": {"replicas": 0, "steps": [100, 5]}}, [
        ("service", "'-'"), ("candidate", "'v1' is the stable release already"), ("settings.replicas", "it is 0"),
        ("settings.steps", "[100, 5] does not rise at each step"), ("settings.steps", "the last step is 5")]),
))
def test_all_that_is_wrong_is_told_at_once(changes, found):
    assert refused(**changes) == found


def test_there_has_to_be_something_to_undo():
    for previous, words in ((None, "there is nothing to undo"), ("v0", "v0, is not described any more")):
        with pytest.raises(Refused, match=words):
            plan_undo("chat", "v2", previous, KNOWN, {"replicas": 6})
    with pytest.raises(Refused, match="settings.steps"):
        plan_undo("chat", "v2", "v1", KNOWN, {"replicas": 6, "steps": [100]})


def words(plan):
    return [" ".join(str(op[part]) for part in ("kind", "name", "release", "weight", "replicas", "timeout") if part in op) for op in plan["forward"]]


def test_a_canary_grows_with_its_share():
    plan = plan_rollout("chat", "canary", "v1", "v2", KNOWN, {"replicas": 6}, previous="v0")
    assert [(op["kind"], op.get("replicas"), op.get("weight")) for op in plan["forward"] if op["kind"] in ("deploy", "set_weight", "gate")] == [
        ("deploy", 2, None), ("set_weight", 2, 5), ("gate", None, 5), ("set_weight", 2, 25), ("gate", None, 25),
        ("deploy", 3, None), ("set_weight", 3, 50), ("gate", None, 50), ("deploy", 6, None), ("set_weight", 6, 100), ("gate", None, 100)]
    assert words(plan)[-7:] == [
        "promote v2 300", "keep v1 600", "wait_ready v2 6 900", "remove_upstream v1 300", "scale_down v1 300", "delete v1 300", "delete v0 300"]
    assert [op["kind"] for op in plan["back"]] == ["roll_back", "remove_upstream", "delete"]


def test_blue_green_smokes_before_it_switches_and_watches_ten_minutes():
    plan = plan_rollout("chat", "blue_green", "v1", "v2", KNOWN, {"replicas": 6})
    assert words(plan) == [
        "deploy v2 6 300", "wait_ready v2 6 900", "warm_up v2 300", "add_upstream v2 300", "gate smoke v2 0 300", "wait_ready v2 6 900",
        "set_weight v2 100 6 300", "gate watch v2 100 600", "promote v2 300", "keep v1 3600", "wait_ready v2 6 900",
        "remove_upstream v1 300", "scale_down v1 300"]


def test_rolling_goes_by_zones():
    plan = plan_rollout("chat", "rolling", "v1", "v2", KNOWN, {"replicas": 5, "zones": ["a", "b", "c"]})
    assert [(op["zones"], op["replicas"]) for op in plan["forward"] if op["kind"] == "deploy"] == [
        ({"a": 2}, 2), ({"a": 2, "b": 2}, 4), ({"a": 2, "b": 2, "c": 1}, 5)]
    assert [(op["name"], op["weight"]) for op in plan["forward"] if op["kind"] == "gate"] == [("zone a", 40), ("zone b", 80), ("zone c", 100)]
    assert batches(["a", "b", "c"], 2) == [{"a": 1}, {"a": 1, "b": 1}]


@st.composite
def wishes(draw):
    replicas = draw(st.integers(1, 400))
    strategy = draw(st.sampled_from(("canary", "blue_green", "rolling")))
    asked = {"replicas": replicas, "keep": draw(st.sampled_from((0, 60)))}
    if strategy == "canary":
        asked.update(steps=sorted(draw(st.sets(st.integers(1, 99)))) + [100], minimum=draw(st.integers(1, 10)))
    if strategy == "rolling":
        asked["zones"] = ["z%d" % number for number in range(draw(st.integers(1, MOST_ZONES)))]
    return strategy, asked


@settings(deadline=None)
@given(wishes())
def test_every_plan_is_sound(wish):
    strategy, asked = wish
    plan = plan_rollout("chat", strategy, "v1", "v2", KNOWN, asked, previous="v3")
    assert json.loads(json.dumps(plan)) == plan
    ops = plan["forward"]
    weights = [op["weight"] for op in ops if op["kind"] == "set_weight"]
    assert weights == sorted(set(weights)) and weights[-1] == 100 and weights[0] >= 1
    deployed = added = ready = 0
    for op in ops:
        if op["kind"] == "deploy":
            assert deployed < op["replicas"] <= asked["replicas"] and sum(op.get("zones", {0: op["replicas"]}).values()) == op["replicas"]
            deployed = op["replicas"]
        elif op["kind"] == "wait_ready":
            ready = op["replicas"]
        elif op["kind"] == "add_upstream":
            added += 1
        elif op["kind"] == "set_weight":
            # Its share has pods, they were awaited, and its upstream was there before.
            assert added == 1 and op["replicas"] == ready == deployed and deployed * 100 >= asked["replicas"] * op["weight"]
    kinds = [op["kind"] for op in ops]
    assert kinds.count("promote") == 1 and kinds.index("promote") > max(number for number, kind in enumerate(kinds) if kind == "set_weight")
    for number, op in enumerate(ops):
        if op["release"] == "v1" and op["kind"] in ("scale_down", "delete"):
            assert "remove_upstream" in kinds[kinds.index("promote"):number]
        if op["kind"] == "set_weight":
            assert kinds[number + 1] == "gate"
    assert all(op["timeout"] > 0 for op in ops)
