# Copyright (c) 2026, ironrack.cluster contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A request that is made again changes nothing, and one that means something else is refused."""
from __future__ import annotations

import pytest

from ansible_collections.ironrack.cluster.plugins.module_utils._common.refusal import Refused
from ansible_collections.ironrack.cluster.plugins.module_utils._release import machine, record as records
from ansible_collections.ironrack.cluster.plugins.module_utils._release.observation import Observation
from ansible_collections.ironrack.cluster.plugins.module_utils._release.request import Request

SEEN = Observation({}, {"lb1": {"generation": 3}})


def request(kind, candidate=None, strategy="canary", stable=None):
    return Request(kind, "ann", "why", {"service": "chat", "strategy": strategy, "stable": stable, "candidate": candidate, "settings": {"replicas": 2},
                                        "releases": {"v1": {"image": "one"}, "v2": {}, "v3": {}}})


def applied(record, *asked, **more):
    return request(*asked, **more).applied(record, {}, SEEN, 5)


def idle(stable="v2", previous="v1", **last):
    record = records.new("chat", stable)
    record["previous"] = previous
    record["releases"].update(v1={}, v2={})
    record["last"] = dict({"rollout": 1, "strategy": "canary", "result": machine.PROMOTED, "stable": stable, "candidate": stable, "why": ""}, **last)
    return record


def begun(*asked, **more):
    return applied(idle("v1", None), *asked, **more)[0]


def test_a_service_without_a_record_begins_with_the_release_that_it_has():
    assert request("begin", "v2", stable="v1").first()["releases"] == {"v1": {"image": "one"}}
    for asked in (request("begin", "v2"), request("continue", stable="v1"), request("undo", stable="v1")):
        with pytest.raises(Refused, match="chat has no record"):
            asked.first()


def test_what_is_under_way_or_done_is_left_as_it_is():
    record = begun("begin", "v2")
    for asked in (("begin", "v2"), ("continue",)):
        assert applied(record, *asked) == (record, {})
    done = idle()
    assert applied(done, "begin", "v2") == (done, {}) and applied(done, "undo", "v2") == (done, {})


@pytest.mark.parametrize("asked, more", ((("begin", "v3"), {}), (("begin", "v2"), {"strategy": "blue_green"}), (("undo", "v3"), {})))
def test_another_one_beside_it_is_refused(asked, more):
    with pytest.raises(Refused, match="rollout 1 of chat to v2 goes forward"):
        applied(begun("begin", "v2"), *asked, **more)


@pytest.mark.parametrize("named", (None, "v1"))
def test_an_undo_turns_back_what_is_under_way(named):
    record = begun("begin", "v2")
    assert applied(record, "undo", named) == (record, {"abort": {"rollout": 1, "who": "ann", "why": "why"}})
    record["rollout"]["released"] = True
    with pytest.raises(Refused, match="Let it end"):
        applied(record, "undo", named)


def test_an_undo_goes_back_once_and_not_back_and_forth():
    first = applied(idle(), "undo")[0]["rollout"]["plan"]
    assert (first["strategy"], first["stable"], first["candidate"]) == ("undo", "v2", "v1")
    for ended in ({"strategy": "undo", "candidate": "v1"}, {"result": machine.ROLLED_BACK, "candidate": "v2"}):
        record = idle("v1", "v2", **ended)
        with pytest.raises(Refused, match="gave the traffic back to v1 already.*before it was v2"):
            applied(record, "undo")
        assert applied(record, "undo", "v1") == (record, {})
        assert applied(record, "undo", "v2")[0]["rollout"]["plan"]["candidate"] == "v2"


def test_a_release_that_is_the_stable_for_another_reason_is_no_candidate():
    with pytest.raises(Refused, match="'v2' is the stable release already"):
        applied(idle(candidate="v3"), "begin", "v2")


def test_a_rollout_that_was_rolled_back_may_be_tried_again():
    assert applied(idle("v1", None, result=machine.ROLLED_BACK, candidate="v2"), "begin", "v2")[0]["rollout"]["number"] == 1
