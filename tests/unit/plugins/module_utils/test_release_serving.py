# Copyright (c) 2026, ironrack.cluster contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A service is switched off, on, or to its pool at any moment of any rollout, with and without the record, and nothing is served against that."""
from __future__ import annotations

import copy

import pytest
from ansible_collections.ironrack.cluster.plugins.module_utils._common.refusal import Refused
from ansible_collections.ironrack.cluster.plugins.module_utils._nginx.generation import note_line
from ansible_collections.ironrack.cluster.plugins.module_utils._release import machine, record as records, serving
from ansible_collections.ironrack.cluster.plugins.module_utils._release.observation import FAIL, Observation
from ansible_collections.ironrack.cluster.plugins.module_utils._release.plan import plan_rollout, plan_undo
from ansible_collections.ironrack.cluster.plugins.module_utils._release.serving import STRIDE, Wish, chain_of
from ansible_collections.ironrack.cluster.plugins.module_utils._release.traffic import NOBODY, POOL, RELEASES
from ansible_collections.ironrack.cluster.tests.unit.plugins.module_utils.release_world import KINDS, LOOK, SIZE, World, happen, until

SERVED = {NOBODY: {}, POOL: {"fallback": 100}}


def looks(world, number):
    """Drive a world for some looks. :returns: the kinds of the intents."""
    world.fence += 1
    kinds, driver = [], world.steps(world.fence)
    while len(kinds) < number:
        name = next(driver, None)
        if name is None:
            break
        if name.startswith("record of "):
            kinds.append(name[len("record of "):])
    return kinds


@pytest.mark.parametrize("mode", (NOBODY, POOL))
@pytest.mark.parametrize("recorded", (True, False))
@pytest.mark.parametrize("kind", KINDS)
def test_off_at_any_boundary_stays_off_and_on_again_ends_as_ever(kind, recorded, mode):
    world, held = World(kind), 0
    for name, other in world.killed_everywhere():
        if other.record["rollout"] is None:
            continue
        at, released = other.record["rollout"]["plan"]["strategy"], other.record["rollout"]["released"]
        other.serve(mode, recorded=recorded)
        kinds = looks(other, 25)
        assert [one["weights"] for one in other.balancers.values()] == [SERVED[mode]] * 2, name
        assert other.record["serve"]["mode"] == other.record["traffic"]["serve"] == mode
        if at != "undo" and other.record["rollout"]:
            assert "pause" in kinds and other.record["rollout"]["phase"] == "forward", name
            held += 1
        # What is on record is carried out, and nothing begins: at the very end that may be all.
        assert other.record["rollout"] or released or at == "undo", name
        other.serve(RELEASES)
        other.run()
        assert other.result == "promoted", name
        assert {one["generation"] for one in other.balancers.values()} == {other.record["traffic"]["generation"]}
        assert [one["weights"] for one in other.balancers.values()] == [{other.record["stable"]: 100}] * 2
    unbroken = World(kind)
    unbroken.run()
    assert other.end()["releases"] == unbroken.end()["releases"]
    assert held > 20 or kind == "undo"


@pytest.mark.parametrize("kind", KINDS)
def test_beside_a_driver_that_goes_on_it_is_refused_or_reads_again_and_stays_off(kind):
    """The same process drives on: what it has in hand is refused by the balancers, and its next look reads who answers."""
    stops = len(World(kind).run())
    for stop in range(stops - 1):
        world = World(kind)
        world.fence = 1
        driver = world.steps(1)
        for _boundary in range(stop + 1):
            next(driver)
        if world.record["rollout"] is None:
            continue
        world.serve(NOBODY)
        for _boundary in driver:
            assert [one["weights"] for one in world.balancers.values()] == [{}, {}]
        world.serve(RELEASES)
        world.run()
        assert world.result == "promoted"


@pytest.mark.parametrize("recorded", (True, False))
def test_while_it_is_off_a_rollout_can_be_aborted_and_an_undo_goes_to_its_end(recorded):
    for kind in KINDS:
        world = World(kind)
        until(world, "record of set_weight")
        world.serve(NOBODY, recorded=recorded)
        if kind != "undo":
            looks(world, 3)
            happen(world, "abort")
        world.run()
        assert world.result == ("promoted" if kind == "undo" else "rolled_back")
        assert [one["weights"] for one in world.balancers.values()] == [{}, {}] and world.record["serve"]["mode"] == NOBODY
        world.serve(RELEASES)
        assert [one["weights"] for one in world.balancers.values()] == [{"v1": 100}] * 2


def test_a_gate_counts_anew_when_the_releases_answer_again_and_one_that_failed_still_turns_back():
    world = World("canary")
    until(world, "record of gate")
    before = dict(world.record["rollout"]["pending"])
    world.serve(NOBODY)
    assert world.record["rollout"]["pending"] == before
    world.now += 1000
    world.serve(RELEASES)
    after = world.record["rollout"]["pending"]
    assert (after["since"], after["until"]) == (world.now, world.now + 30) and after["generation"] > before["generation"]
    world = World("canary", {"weight 5": [FAIL]})
    driver = until(world, "record of gate")
    world.serve(NOBODY)
    for _boundary in driver:
        pass
    assert world.result == "rolled_back" and [one["weights"] for one in world.balancers.values()] == [{}, {}]


def test_a_paused_keeping_keeps_and_its_time_begins_anew():
    world = World("blue_green")
    until(world, "record of keep")
    world.serve(NOBODY)
    world.now += 10 * LOOK
    assert looks(world, 3)[-1] == "pause" and world.releases["v1"]["replicas"] == SIZE
    world.serve(RELEASES)
    assert world.record["rollout"]["pending"]["until"] == world.now + 60


def test_no_rollout_begins_while_nobody_answers_and_an_undo_does():
    world = World("canary")
    world.run()
    world.serve(NOBODY)
    plan = plan_rollout("chat", "canary", "v2", "v3", {"v1", "v2", "v3"}, {"replicas": SIZE})
    with pytest.raises(Refused, match="nobody answers, by ann since .*: a page; expected the releases"):
        machine.begin(world.record, plan, {}, world.seen(), world.now, "bob", "")
    undo = plan_undo("chat", "v2", "v1", {"v1", "v2"}, {"replicas": SIZE})
    record = machine.begin(world.record, undo, {}, world.seen(), world.now, "bob", "")
    assert record["rollout"]["plan"]["strategy"] == "undo" and "nobody answers" in machine.where(record)


def test_what_was_switched_without_the_record_is_no_reason_to_refuse_an_undo():
    world = World("canary")
    world.run()
    world.serve(NOBODY, recorded=False)
    undo = plan_undo("chat", "v2", "v1", {"v1", "v2"}, {"replicas": SIZE})
    record = machine.begin(world.record, undo, {}, world.seen(), world.now, "bob", "")
    assert record["serve"]["who"] == serving.UNKNOWN and record["traffic"]["serve"] == NOBODY


def wish(mode, chain=(), pool=("a", "b")):
    return Wish(mode, list(chain), list(pool), "ann", "a page")


def seen(generation, weights):
    return Observation(balancers={"lb1": {"generation": generation, "weights": weights}, "lb2": {}})


def test_a_wish_changes_the_record_once_and_takes_a_generation_above_all():
    record = records.new("chat", "v1")
    first = serving.followed(record, wish(POOL), seen(41, {"v1": 100}), 0)
    assert (first["generation"], first["traffic"]["generation"], first["traffic"]["chain"]) == (42, 42, ["a", "b"])
    assert first["serve"] == {"mode": POOL, "chain": ["a", "b"], "who": "ann", "why": "a page", "when": "1970-01-01T00:00:00Z"}
    assert first["history"][-1]["what"] == "serve: the fallback pool answers (a, then b)" and record["serve"]["mode"] == RELEASES
    assert serving.followed(first, wish(POOL), seen(42, {"fallback": 100}), 9) == first
    again = serving.followed(first, wish(POOL, ["b", "a"]), seen(42, {"fallback": 100}), 9)
    assert again["traffic"]["chain"] == ["b", "a"] and again["generation"] == 43
    # Whoever asks for the pool without an order leaves it as it is.
    assert serving.followed(again, wish(POOL), seen(43, {"fallback": 100}), 9) == again
    back = serving.followed(again, wish(RELEASES), seen(43, {"fallback": 100}), 9)
    assert (back["traffic"]["serve"], back["traffic"]["chain"], back["traffic"]["weights"]) == (RELEASES, [], {"v1": 100})


@pytest.mark.parametrize("asked, mode, chain, found", (
    ([], RELEASES, [], ["a", "b"]), (["b"], RELEASES, [], ["b", "a"]), ([], POOL, ["b", "a"], ["b", "a"]), ([], POOL, ["gone", "b"], ["b", "a"]),
    (["b", "a"], POOL, ["a", "b"], ["b", "a"]), ([], NOBODY, ["b"], ["a", "b"])))
def test_the_chain_has_all_of_the_pool_and_nothing_else(asked, mode, chain, found):
    assert chain_of(wish(POOL, asked), mode, chain) == found and chain_of(wish(NOBODY, asked), mode, chain) == []


STATUS = {"generation": 7, "serve": RELEASES, "stable": "v1", "candidate": "v2", "weight": 5, "releases": {"v1": "", "v2": ""}, "note": {}}


def test_without_a_record_the_split_is_kept_and_the_generation_is_out_of_reach():
    traffic, note = serving.without_record([dict(STATUS, generation=6, weight=0), STATUS, {}], wish(NOBODY), 0)
    assert (traffic["generation"], traffic["serve"], traffic["weights"]) == (7 + STRIDE, NOBODY, {"v1": 95, "v2": 5})
    assert (note["who"], note["mode"]) == ("ann", NOBODY)
    off = dict(STATUS, generation=7 + STRIDE, serve=NOBODY, note=note)
    assert serving.without_record([off], wish(NOBODY), 9) == (traffic, note)
    # One that missed it does not make it another wish, and the newest does not become older.
    assert serving.without_record([STATUS, off], wish(NOBODY), 9) == (traffic, note)
    on, _note = serving.without_record([off], wish(RELEASES), 9)
    assert (on["generation"], on["serve"], on["weights"]) == (7 + 2 * STRIDE, RELEASES, {"v1": 95, "v2": 5})
    pool, left = serving.without_record([off], wish(POOL, ["b", "a"]), 9)
    there = dict(off, serve=POOL, generation=pool["generation"], note=left)
    assert serving.without_record([there], wish(POOL, ["b", "a"]), 9)[0] == pool
    assert serving.without_record([there], wish(POOL, ["a", "b"]), 9)[0]["generation"] == pool["generation"] + STRIDE
    with pytest.raises(Refused, match="no balancer says what it serves"):
        serving.without_record([{}], wish(NOBODY), 0)


def test_what_was_left_on_the_balancers_gets_into_the_record_with_who_and_why():
    record = dict(records.new("chat", "v1"), generation=50)
    left = {"chain": ["b", "a"], "who": "bob", "why": "no API"}
    after = serving.followed(record, wish(POOL), seen(1007, {"fallback": 100}), 9, left)
    assert (after["serve"]["who"], after["traffic"]["chain"], after["generation"]) == ("bob", ["b", "a"], 1008)
    after = serving.followed(record, wish(RELEASES), seen(1007, {"fallback": 100}), 9, left)
    assert [entry["who"] for entry in after["history"]] == ["bob", "ann"] and after["traffic"]["serve"] == RELEASES
    # A pool that was found without a note is asked in the description's order.
    after = serving.followed(record, wish(POOL), seen(1007, {"fallback": 100}), 9)
    assert after["traffic"]["chain"] == ["a", "b"] and [entry["who"] for entry in after["history"]] == [serving.UNKNOWN, "ann"]


def test_a_split_that_somebody_moved_stops_no_stop_and_is_not_taken_for_the_records():
    record = records.new("chat", "v1")
    moved = seen(9, {"v1": 50, "v2": 50})
    assert serving.followed(record, wish(NOBODY), moved, 0)["traffic"]["generation"] == 10
    with pytest.raises(Refused, match="balancer lb1: it serves v1 50 %, v2 50 % under generation 9, which the record never gave"):
        serving.followed(record, wish(RELEASES), moved, 0)
    unknown = Observation(balancers={"lb1": {"generation": 9}})
    assert serving.taken_over(copy.deepcopy(record), unknown, 0) is True


def test_a_split_that_was_taken_back_before_a_stop_without_an_api_is_not_given_again():
    world = World("canary")
    until(world, "record of gate")
    record, generation = world.record, world.record["generation"]
    note = {"mode": NOBODY, "chain": [], "who": "ann", "why": "bad", "when": "2026-01-01T00:00:00Z",
            "split": {"generation": generation + STRIDE, "weights": {"v1": 100}}}
    seen = Observation(balancers={name: {"generation": generation + 2 * STRIDE, "weights": {}} for name in ("lb1", "lb2")})
    after = serving.followed(record, Wish(RELEASES, [], [], "bob", "again"), seen, world.now, note)
    assert after["rollout"]["phase"] == "back" and after["traffic"]["weights"]["v1"] == 100 and after["traffic"]["serve"] == RELEASES
    # The record's own split, which its balancers had not got yet, is no reason.
    note["split"] = {"generation": generation - 1, "weights": {"v1": 100}}
    assert serving.followed(record, Wish(RELEASES, [], [], "bob", "again"), seen, world.now, note)["rollout"]["phase"] == "forward"


def test_an_abort_without_an_api_is_kept_where_somebody_stops_the_service_then():
    world = World("canary")
    until(world, "record of gate")
    generation = world.record["generation"] + STRIDE
    seen = Observation(balancers={name: {"generation": generation, "weights": {"v1": 100}} for name in ("lb1", "lb2")})
    after = serving.followed(world.record, Wish(NOBODY, [], [], "bob", "bad"), seen, world.now)
    assert (after["rollout"]["phase"], after["traffic"]["serve"], after["traffic"]["weights"]["v1"]) == ("back", NOBODY, 100)


def test_off_and_on_without_an_api_gets_onto_the_record():
    world = World("canary")
    until(world, "record of gate")
    record = world.record
    weights = {name: part for name, part in record["traffic"]["weights"].items() if part}
    seen = Observation(balancers={name: {"generation": record["generation"] + 2 * STRIDE, "weights": weights} for name in ("lb1", "lb2")})
    after = serving.followed(record, Wish(RELEASES, [], [], "bob", "again"), seen, world.now)
    assert after["rollout"]["phase"] == "forward" and after["traffic"]["weights"] == record["traffic"]["weights"]
    assert after["traffic"]["generation"] > record["generation"] + 2 * STRIDE


def test_a_reason_of_any_letters_has_room_in_a_balancers_file():
    long = records.shortened("\u00e4" * 3000)
    assert len(note_line({"who": records.shortened("\U0001f525" * 500, serving.WHO_BYTES), "why": long})[0]) < 3000 and long.endswith(" ...")
    assert records.shortened("short") == "short"


def test_the_first_record_of_a_service_is_what_its_balancers_have():
    assert serving.first("chat", "v1", [{}])["traffic"] == records.new("chat", "v1")["traffic"]
    record = serving.first("chat", "v0", [STATUS])
    assert (record["stable"], record["traffic"]["weights"], record["generation"]) == ("v1", {"v1": 95, "v2": 5}, 7)
    off = serving.first("chat", "v0", [dict(STATUS, serve=NOBODY)])
    after = serving.followed(off, wish(NOBODY), seen(7, {}), 0, {"chain": [], "who": "bob", "why": "w"})
    assert (after["serve"]["who"], after["traffic"]["weights"], after["generation"]) == ("bob", {"v1": 95, "v2": 5}, 8)


def test_the_split_that_enabling_finds_moved_turns_the_rollout_back():
    """Switched off with the record, and on again without it by another split."""
    world = World("canary")
    until(world, "record of gate")
    world.serve(NOBODY)
    highest = world.record["generation"] + STRIDE
    for balancer in world.balancers.values():
        balancer.update(generation=highest, weights={"v1": 100})
    world.beyond = highest
    step = machine.advance(world.record, {}, world.seen(), world.now, "run", world.fence + 1)
    assert step.record["rollout"]["phase"] == "back" and step.record["traffic"]["serve"] == RELEASES and step.record["generation"] > highest
