# Copyright (c) 2026, ironrack.cluster contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The verdicts of the release scenarios: what was not seen is never a pass, and each broken promise is told."""
from __future__ import annotations

import copy

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.scenarios.releases import verdicts
from tests.scenarios.releases.verdicts import Sample
from tests.traffic.tally import Answer, Stream

BOTH = ("lb1", "lb2")


def samples(*rows):
    """:param rows: (moment, balancer, generation, weights)."""
    return [Sample(*row) for row in rows]


def canary(weights, gap=10.0, lag=0.5):
    """Two balancers that go through the weights of v2, lb2 a little later."""
    rows = []
    for number, weight in enumerate(weights):
        for name, late in (("lb1", 0.0), ("lb2", lag)):
            served = {release: percent for release, percent in (("v2", weight), ("v1", 100 - weight)) if percent}
            rows += [(number * gap + late + tick, name, number + 1, served) for tick in (0.0, gap / 2)]
    return samples(*rows)


def answer(issued, release="v1", error="", key="client-1", lasted=0.1):
    return Answer(key, issued, issued + lasted, 0 if error else 200, release, error)


def stream(begun, ended, end="complete", release="v1"):
    return Stream("stream-1", begun - 0.1, begun, ended, 200, release, 60, end, "" if end == "complete" else "cut in the answer: X")


class TestSwitches:
    def test_one_for_each_generation_from_the_first_balancer_to_the_last(self):
        found = verdicts.switches(canary([0, 5, 100]), BOTH)
        assert [(one.generation, one.begun, one.ended) for one in found] == [(2, 10.0, 10.5), (3, 20.0, 20.5)]
        assert [one.weights for one in found] == [{"v2": 5, "v1": 95}, {"v2": 100}]

    def test_one_that_never_came_to_all_balancers_is_none(self):
        seen = canary([0, 5]) + samples((30.0, "lb1", 3, {"v2": 100}))
        assert [one.generation for one in verdicts.switches(seen, BOTH)] == [2]

    def test_a_balancer_that_passed_a_generation_over_has_the_newer_one(self):
        seen = samples((0, "lb1", 1, {"v1": 100}), (0, "lb2", 1, {"v1": 100}), (1, "lb1", 2, {"v2": 100}), (2, "lb1", 3, {"v1": 100}),
                       (3, "lb2", 3, {"v1": 100}))
        assert [(one.generation, one.ended) for one in verdicts.switches(seen, BOTH)] == [(2, 3), (3, 3)]

    @pytest.mark.parametrize("seen, balancers", [([], BOTH), (canary([0]), ("lb1", "lb3")), (canary([0]), ()),
                                                 (samples((0, "lb1", 1, {}), (0, "lb2", None, {})), BOTH)])
    def test_a_silent_balancer_is_told(self, seen, balancers):
        with pytest.raises(ValueError, match="never said|no balancer"):
            verdicts.switches(seen, balancers)


class TestWeights:
    def test_steps_are_what_all_balancers_have(self):
        assert verdicts.steps(canary([0, 5, 25]), "v2", BOTH) == [(5, 10.5, 20.0), (25, 20.5, 25.5)]
        assert verdicts.steps([], "v2", BOTH) == []
        assert verdicts.steps(canary([0, 5])[:-2], "v2", ("lb1", "lb2", "lb3")) == []

    @pytest.mark.parametrize("seen, wanted, right", [
        ([0, 5, 25, 100], (5, 25, 100), True), ([0, 5, 100], (5, 25, 100), False), ([0, 5, 0], (5,), False), ([0], (5,), False), ([5, 100], (5, 100), True)])
    def test_a_rise_is_each_step_once(self, seen, wanted, right):
        assert (verdicts.rise(canary(seen), "v2", BOTH, wanted) == []) is right

    def test_nobody_watched_is_no_rise(self):
        assert verdicts.rise([], "v2", (), ()) and verdicts.rise([], "v2", BOTH, (5,))

    @pytest.mark.parametrize("seen, within, told", [
        ([0, 5, 0], 30, ""), ([0, 5, 0], 10.4, "10.5 s after"), ([0, 5, 0], None, ""), ([0, 5, 25], 30, "still has a weight"),
        ([0, 0], 30, "never had a weight"), ([], 30, "never had")])
    def test_a_detection_has_a_beginning_and_an_end(self, seen, within, told):
        found = verdicts.turned_back(canary(seen), "v2", BOTH, within)
        assert (told in found[0]) if told else found == []

    def test_traffic_that_one_balancer_still_gives_has_not_ended(self):
        seen = canary([0, 5]) + samples((30.0, "lb1", 3, {"v1": 100}))
        assert verdicts.traffic_of(seen, "v2", BOTH) == (10.0, None)


class TestRequests:
    def test_too_few_say_nothing(self):
        assert "at least 2" in verdicts.failures([answer(1)], 2)[0]
        assert verdicts.failures([answer(1), answer(2)], 2) == []

    def test_a_failure_is_told_unless_it_is_counted_elsewhere(self):
        asked = [answer(1), answer(5, "", "closed while idle", lasted=2)]
        assert "1 of 2 requests failed: +4.00 s" in verdicts.failures(asked, 1)[0]
        # It was under way when the time began.
        assert verdicts.failures(asked, 1, [(6.5, 9)]) == []
        assert verdicts.failures(asked, 1, [(7.5, 9)])

    def test_blame_is_the_share_of_the_time(self):
        good = [answer(10 + number / 10) for number in range(95)]
        bad = [answer(10 + number, "bad", "HTTP 500") for number in range(5)]
        assert verdicts.blame(good + bad, 10, 20, 5) == []
        assert "its share of 1 %" in verdicts.blame(good + bad, 10, 20, 1)[0]
        assert any("requests failed" in line for line in verdicts.blame([*good, *bad, answer(40, "", "HTTP 502")], 10, 20, 5))
        assert "no request was issued" in verdicts.blame([], 10, 20, 5)[0]

    def test_a_request_without_an_answer_was_the_candidates(self):
        asked = [answer(1), answer(2, "bad"), answer(3, "", "no whole answer within 6 s"), answer(30, "bad")]
        assert verdicts.candidate_requests(asked, "bad", 0, 10) == 2

    def test_only_one_release_may_answer_a_balancer_that_came_back(self):
        late = [answer(5, "", "no connection: X"), answer(9), answer(10)]
        assert verdicts.only(late, "v1", 4, 2) == [] and "at least 3" in verdicts.only(late, "v1", 4, 3)[0]
        assert "answered by v2, 7.0 s after" in verdicts.only([*late, answer(11, "v2")], "v1", 4, 2)[0]
        # What was answered before that moment is not meant.
        assert verdicts.only([*late, answer(1, "v2")], "v1", 4, 2) == []


class TestShares:
    @staticmethod
    def asked(weight, keys, off=0.0):
        return [answer(10 + number / keys, "v2" if number < keys * (weight + off) / 100 else "v1", key="client-%d" % number) for number in range(keys)]

    @pytest.mark.parametrize("keys, off, right", [(20000, 0.9, True), (20000, 1.1, False), (2000, 3.0, True), (2000, 5.0, False)])
    def test_many_keys_are_within_a_point(self, keys, off, right):
        problems, parts = verdicts.shares(self.asked(50, keys, off), "v2", [(50, 4.0, 20.0)], 100)
        assert (problems == []) is right and parts[0]["keys"] == keys

    def test_too_few_or_none_are_told(self):
        assert "only 200 requests" in verdicts.shares(self.asked(50, 200), "v2", [(50, 4.0, 20.0)], 2000)[0][0]
        assert verdicts.shares([], "v2", [(50, 0.0, 20.0)], 1)[0][0].startswith("at 50 %: no answer named")
        assert verdicts.shares(self.asked(50, 200), "v2", [], 1) == (["no step was seen"], [])

    def test_who_went_back_is_told(self):
        assert verdicts.nobody_back([answer(1, "v1"), answer(2, "v2")], "v2") == []
        assert "1 keys went back" in verdicts.nobody_back([answer(1, "v2"), answer(2, "v1")], "v2")[0]
        assert "answered nobody" in verdicts.nobody_back([answer(1)], "v2")[0]


class TestStreams:
    def test_enough_at_each_switch_and_all_whole(self):
        held = [stream(1, 20), stream(2, 21)]
        assert verdicts.streams_whole(held, [5, 10], 2) == []
        assert "fewer than 2" in verdicts.streams_whole(held, [5, 20.5], 2)[0]

    def test_a_cut_is_told_unless_a_crash_made_it(self):
        held = [stream(1, 20), stream(2, 12, "cut")]
        assert "1 of 2 streams" in verdicts.streams_whole(held, [5], 1)[0]
        assert verdicts.streams_whole(held, [5], 1, [(11, 15)]) == []

    def test_nothing_held_or_switched_is_no_pass(self):
        assert verdicts.streams_whole([], [5], 1) and verdicts.streams_whole([stream(1, 2)], [], 1)


GOOD = {"record": {"rollout": None, "stable": "v2", "last": {"result": "promoted", "why": ""}},
        "pods": {"v2": {"replicas": 6, "ready": 6}, "v1": {"replicas": 0, "ready": 0}},
        "balancers": {"lb1": (9, {"v2": 100}), "lb2": (9, {"v2": 100, "v1": 0})}}


class TestClean:
    def test_a_finished_rollout(self):
        assert verdicts.clean(GOOD) == [] and verdicts.clean(GOOD, ("promoted",), "v2") == []

    @pytest.mark.parametrize("path, value, told", [
        (("record",), {}, "no record"), (("record", "rollout"), {"number": 4}, "still under way"), (("record", "last"), None, "the last rollout is None"),
        (("pods", "v2", "ready"), 5, "5 of 6 pods"), (("pods", "v1", "replicas"), 2, "v1 still has 2 pods"), (("pods",), {}, "0 of 0 pods"),
        (("balancers", "lb1"), (8, {"v2": 100}), "different generations"), (("balancers", "lb2"), (9, {"v2": 95, "v1": 5}), "lb2 serves"),
        (("balancers",), {}, "no balancer"), (("record", "stable"), "v1", "expected v2")])
    def test_what_is_left_is_told(self, path, value, told):
        state = copy.deepcopy(GOOD)
        place = state
        for part in path[:-1]:
            place = place[part]
        place[path[-1]] = value
        assert any(told in line for line in verdicts.clean(state, stable="v2"))


@given(st.lists(st.tuples(st.floats(0, 100), st.sampled_from(BOTH), st.one_of(st.none(), st.integers(1, 4)), st.sampled_from((0, 5, 100))), max_size=30))
def test_no_samples_make_a_detection_of_nothing(rows):
    seen = [Sample(at, name, generation, {"v2": weight} if weight and generation else {}) for at, name, generation, weight in rows]
    begun, ended = verdicts.traffic_of(seen, "v2", BOTH)
    had = [sample.at for sample in seen if sample.weights.get("v2")]
    assert (begun is None) == (not had) and (begun is None or begun == min(had))
    assert ended is None or ended >= begun
    assert (verdicts.turned_back(seen, "v2", BOTH) == []) == (ended is not None)
