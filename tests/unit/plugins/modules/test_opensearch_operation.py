# Copyright (c) 2026, ironrack.cluster contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Who takes nodes out of service says so in the cluster: others are refused until then, and whoever was killed is waited for no longer than that."""
from __future__ import annotations

import json
from datetime import timedelta

import pytest

from ansible_collections.ironrack.cluster.plugins.module_utils._common.errors import IronrackError
from ansible_collections.ironrack.cluster.plugins.module_utils._opensearch import moments, operating
from ansible_collections.ironrack.cluster.plugins.modules import opensearch_operation
from ansible_collections.ironrack.cluster.tests.unit.plugins.modules.opensearch_calls import absent_without_a_cluster, call_fixture, engine_fixture

FIXTURES = (call_fixture, engine_fixture)
RESTART = {"operation": "restart", "who": "ann", "seconds": 600}
NOW = moments.of_text("2026-11-29T12:00:00Z")


def put(engine, who, seconds):
    """Have the cluster hold what somebody has said."""
    engine.persistent[operating.SETTING] = operating.text(operating.Hold("upgrade", who, moments.now() + timedelta(seconds=seconds)))


def test_it_is_said_and_taken_away(engine, call):
    foreseen = call(opensearch_operation, check=True, **RESTART)
    assert foreseen["changed"] and not engine.writes()
    done = call(opensearch_operation, **RESTART)
    said = json.loads(engine.persistent[operating.SETTING])
    assert done["changed"] and said == {"operation": "restart", "who": "ann", "until": done["until"]}
    assert 590 < moments.seconds_between(moments.now(), moments.of_text(done["until"])) <= 600
    again = call(opensearch_operation, **dict(RESTART, seconds=1200))
    assert again["until"] > done["until"]
    gone = call(opensearch_operation, state="absent", **RESTART)
    assert gone["changed"] and gone["until"] is None and not engine.persistent
    assert not call(opensearch_operation, state="absent", **RESTART)["changed"]


@pytest.mark.parametrize("check", (False, True))
def test_others_are_refused_until_then_and_nothing_of_theirs_is_taken_away(engine, call, check):
    put(engine, "bob", 60)
    failed = call(opensearch_operation, check=check, **RESTART)
    assert "upgrade by bob is under way, and may be until" in failed["msg"] and "opensearch_take_over=true" in failed["msg"] and not engine.writes()
    kept = call(opensearch_operation, check=check, state="absent", **RESTART)
    assert not kept["changed"] and kept["until"] and not engine.writes()


@pytest.mark.parametrize("who, seconds, more", (("ann", 60, {}), ("bob", -1, {}), ("bob", 60, {"take_over": True})))
def test_one_goes_on_with_what_is_ones_own_over_or_taken_over(engine, call, who, seconds, more):
    put(engine, who, seconds)
    assert call(opensearch_operation, **dict(RESTART, **more))["changed"]
    assert json.loads(engine.persistent[operating.SETTING])["operation"] == "restart"


def test_of_two_at_once_one_sees_that_it_is_the_other_ones(engine, call, monkeypatch):
    values = iter((None, operating.text(operating.Hold("upgrade", "bob", moments.now()))))
    monkeypatch.setattr(operating, "value", lambda client: next(values))
    assert "somebody else has begun with this cluster at the same moment" in call(opensearch_operation, **RESTART)["msg"]


@pytest.mark.parametrize("value", ("", None, "{", "[]", "3", '{"who": "ann"}', '{"operation": "a", "who": "b", "until": "soon"}',
                                   '{"operation": "a", "who": "b", "until": "2026-11-29T12:00:00"}'))
def test_what_nobody_can_read_holds_nothing_up(value):
    assert operating.parse(value) is None
    assert operating.wanted(operating.parse(value), "restart", "ann", NOW, 60).until == NOW + timedelta(seconds=60)


def test_what_is_said_is_what_is_read():
    hold = operating.Hold("restart", "ann", NOW)
    assert operating.parse(operating.text(hold)) == hold
    with pytest.raises(IronrackError):
        operating.wanted(operating.Hold("restart", "bob", NOW + timedelta(seconds=1)), "restart", "ann", NOW, 60)


def test_a_check_run_before_there_is_a_cluster(call):
    predicted, failed = absent_without_a_cluster(call, opensearch_operation, **RESTART)
    assert predicted["changed"] and "no node of OpenSearch gave an answer" in failed["msg"]
