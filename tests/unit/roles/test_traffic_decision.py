# Copyright (c) 2026, ironrack.cluster contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""When a balancer may serve: every state with every view, and the lives of balancers that come back."""
from __future__ import annotations

import importlib.util
import itertools
import pathlib

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

SOURCE = pathlib.Path(__file__).parents[3] / "roles" / "pod_access" / "files" / "traffic_decision.py"
spec = importlib.util.spec_from_file_location("traffic_decision", SOURCE)
decision = importlib.util.module_from_spec(spec)
spec.loader.exec_module(decision)

BOOT, CUT_OFF, STOOD_STILL, OLD = decision.BOOT, decision.CUT_OFF, decision.STOOD_STILL, decision.OLD
HEARD, BLIND, ISOLATED = decision.HEARD, decision.BLIND, decision.ISOLATED
NOW, UNPROVED = 1000.0, 60.0
MEMORIES = [decision.OPEN, decision.Memory("", NOW - 9, None, True), decision.Memory("", NOW - 9, 7, True)] + [
    decision.Memory("", NOW - ago, 7, decision.LATE) for ago in (9, 20)] + [
    decision.Memory(held, since, own, False) for held in (BOOT, CUT_OFF, STOOD_STILL, OLD) for since in (NOW - 1, NOW - 100) for own in (None, 6, 7)]
VIEWS = [decision.View(*parts) for parts in itertools.product(
    (None, 6, 7, 8), (False, True), (None, decision.NO_RECORD, 7), (False, True), ((), (None,), (7,), (8, None)), (False, True))]


def everything():
    """Every state, view, reach, and whether there are other balancers; without them nobody is heard."""
    for memory, view, reach, has_peers in itertools.product(MEMORIES, VIEWS, (HEARD, BLIND, ISOLATED), (False, True)):
        if has_peers or not view.peers and not view.awaited:
            yield memory, view, reach, has_peers, decision.step(memory, view, reach, NOW, UNPROVED, has_peers)


CASES = list(everything())


def test_there_are_enough_cases_and_each_has_its_words():
    assert len(CASES) > 20000
    assert all(decision.advice(after, view) for dummy, view, dummy, dummy, after in CASES)


def test_nothing_that_is_known_to_be_old_is_opened():
    opened = [(view, after) for memory, view, reach, dummy, after in CASES if memory.held and not after.held]
    assert opened and not [view for view, after in opened if decision.verdict(view) == decision.BEHIND]


def test_what_awaits_addresses_is_opened_by_time_alone():
    opened = [(memory, after) for memory, view, reach, dummy, after in CASES if memory.held and not after.held and not view.settled]
    assert opened and all(after.blind and NOW - memory.since >= UNPROVED for memory, after in opened)


def test_what_was_old_is_opened_by_proof_alone():
    for memory, view, dummy, dummy, after in CASES:
        if memory.held == OLD and not after.held:
            brought = memory.own is not None and view.own is not None and view.own > memory.own
            assert view.settled and (decision.verdict(view) == decision.CURRENT or brought)


def test_one_that_hears_somebody_all_along_is_never_held_for_being_behind():
    seen = [after for memory, view, reach, dummy, after in CASES if memory == decision.OPEN and reach == HEARD]
    assert seen and set(seen) == {decision.OPEN}


def test_isolation_holds_where_another_one_could_serve():
    for memory, dummy, reach, has_peers, after in CASES:
        if reach == ISOLATED and has_peers:
            assert after.held in (CUT_OFF, OLD) and after.since >= memory.since


def test_a_lone_balancer_that_serves_goes_on_whatever_is_silent():
    for memory, dummy, reach, has_peers, after in CASES:
        if memory == decision.OPEN and not has_peers:
            assert after == decision.OPEN


def test_a_sole_survivor_goes_on_and_is_judged_when_somebody_answers():
    silent = view(7)
    memory = decision.step(decision.OPEN, silent, BLIND, NOW, UNPROVED, True)
    assert not memory.held and memory.blind
    for later in range(1, 1000):
        memory = decision.step(memory, silent, BLIND, NOW + later, UNPROVED, True)
        assert not memory.held and memory.since == NOW
    assert decision.step(memory, view(7, record=7), HEARD, NOW + 1000, UNPROVED, True) == decision.OPEN
    assert decision.step(memory, view(7, record=8), HEARD, NOW + 1000, UNPROVED, True).blind == decision.LATE
    assert decision.step(memory, view(7), HEARD, NOW + 1000, UNPROVED, True) == memory


def test_one_that_ran_all_along_is_given_the_time_in_which_it_is_told():
    memory = decision.step(decision.OPEN, view(7), BLIND, NOW, UNPROVED, True)
    late = decision.step(memory, view(7, record=8), HEARD, NOW + 6, UNPROVED, True)
    assert not late.held and "15 s" in decision.advice(late, view(7, record=8))
    assert decision.step(late, view(7, record=8), HEARD, NOW + 20, UNPROVED, True) == late
    assert decision.step(late, view(8, record=8), HEARD, NOW + 20, UNPROVED, True) == decision.OPEN
    for seen, reach, after in ((view(7, record=8), HEARD, OLD), (view(7, record=9), HEARD, OLD), (view(7), ISOLATED, CUT_OFF), (view(7), HEARD, "")):
        assert decision.step(late, seen, reach, NOW + 21, UNPROVED, True).held == after
    # What was opened because nobody spoke against it has no such time.
    opened = decision.step(decision.Memory(BOOT, NOW, 7, False), view(7), BLIND, NOW + UNPROVED, UNPROVED, True)
    assert opened.blind and decision.step(opened, view(7, record=8), HEARD, NOW + 90, UNPROVED, True).held == OLD


def view(own, record=None, peers=(), patience=True, awaited=False, settled=True):
    return decision.View(own, settled, record, patience, tuple(peers), awaited)


@pytest.mark.parametrize("seen, verdict", [
    (view(7, record=7), "current"), (view(8, record=7), "current"), (view(6, record=7), "behind"), (view(None, record=0), "behind"),
    (view(0, record=0), "current"), (view(7, record=7, peers=[9]), "behind"),      # moved without an API, and not on record yet
    (view(7, patience=False, peers=[7]), "unknown"),                                # the API may still answer
    (view(7, peers=[7]), "current"), (view(6, peers=[7]), "behind"), (view(8, peers=[7]), "current"), (view(7), "unknown"),
    (view(7, peers=[None]), "unknown"), (view(7, peers=[7, None]), "current"),
    (view(7, record=decision.NO_RECORD), "current"), (view(7, record=decision.NO_RECORD, peers=[8]), "behind"),
    (view(7, record=decision.NO_RECORD, awaited=True), "unknown"), (view(7, record=decision.NO_RECORD, peers=[7], awaited=True), "unknown")])
def test_verdicts(seen, verdict):
    assert decision.verdict(seen) == verdict


# The table of docs/architecture.md.
@pytest.mark.parametrize("held, seen, reach, seconds, after", [
    (BOOT, view(7, record=7), HEARD, 1, ""), (BOOT, view(6, record=7), HEARD, 1, OLD), (BOOT, view(7, record=7, settled=False), HEARD, 1, BOOT),
    (BOOT, view(7, peers=[7]), HEARD, 6, ""), (BOOT, view(6, peers=[7]), HEARD, 6, OLD), (BOOT, view(7, patience=False, peers=[7]), HEARD, 1, BOOT),
    (BOOT, view(7), BLIND, 59, BOOT), (BOOT, view(7), BLIND, 60, ""), (BOOT, view(7), ISOLATED, 600, CUT_OFF), (BOOT, view(7), HEARD, 60, ""),
    (CUT_OFF, view(7, record=7), HEARD, 1, ""), (CUT_OFF, view(6, record=7), HEARD, 1, OLD), (CUT_OFF, view(7, peers=[7]), HEARD, 6, ""),
    (CUT_OFF, view(7), BLIND, 600, CUT_OFF), (CUT_OFF, view(7), HEARD, 59, CUT_OFF), (CUT_OFF, view(7), HEARD, 60, ""),
    (CUT_OFF, view(8), BLIND, 1, ""), (STOOD_STILL, view(7), BLIND, 60, ""), (STOOD_STILL, view(7, record=8), HEARD, 1, OLD),
    (OLD, view(7), BLIND, 6000, OLD), (OLD, view(7), HEARD, 6000, OLD), (OLD, view(8), BLIND, 1, ""), (OLD, view(8, record=8), HEARD, 1, ""),
    (OLD, view(8, record=9), HEARD, 1, OLD), (OLD, view(7, peers=[8]), HEARD, 6000, OLD)])
def test_a_held_balancer(held, seen, reach, seconds, after):
    assert decision.step(decision.Memory(held, NOW, 7, False), seen, reach, NOW + seconds, UNPROVED, True).held == after


def test_a_lone_balancer_that_boots_cut_off_serves_in_the_end():
    memory = decision.Memory(BOOT, NOW, 7, False)
    assert decision.step(memory, view(7), ISOLATED, NOW + 59, UNPROVED, False).held == BOOT
    assert not decision.step(memory, view(7), ISOLATED, NOW + 60, UNPROVED, False).held


@pytest.mark.parametrize("silence, witness, reach", [(4.9, 99, HEARD), (5, 0, BLIND), (5, 2.4, BLIND), (5, 2.5, ISOLATED), (99, 99, ISOLATED)])
def test_whom_it_hears(silence, witness, reach):
    assert decision.link(silence, witness, 5, 2.5) == reach


def test_which_ports_are_closed_and_how():
    def memory(held):
        return decision.Memory(held, NOW, 7, False)

    assert decision.ports_to_close([(decision.OPEN, (443,))]) == ([], [])
    assert decision.ports_to_close([(memory(BOOT), (443,)), (memory(OLD), (8443, 80)), (memory(CUT_OFF), (9443, 443))]) == ([80, 443, 8443], [9443])
    assert decision.ports_to_close([(memory(STOOD_STILL), (443,)), (decision.OPEN, (443,))]) == ([], [443])


@pytest.mark.parametrize("held, reach, fit, away", [
    ([], HEARD, [True], False), (["chat"], HEARD, [True], True), (["chat"], HEARD, [False, True], True), (["chat"], HEARD, [False], False),
    (["chat"], HEARD, [], False), (["chat"], BLIND, [False], False), (["chat"], ISOLATED, [False], True), ([], ISOLATED, [True], False)])
def test_the_virtual_address_is_left_to_one_that_can_have_it(held, reach, fit, away):
    assert decision.keeps_address_away(held, reach, [{"fit": one} for one in fit]) is away


EVENTS = st.lists(st.tuples(st.sampled_from(["boot", "cut", "heal", "switch", "bring", "api down", "api up", "peer down", "peer up", "look"]),
                            st.integers(1, 30)), min_size=1, max_size=40)


@settings(max_examples=300, deadline=None)
@given(EVENTS)
def test_no_life_ends_with_old_weights_served_while_somebody_knows_better(events):
    """A world of one balancer, an API and another balancer that has whatever the record says. Time passes in looks of one second."""
    world = {"record": 5, "own": 5, "cut": False, "api": True, "peer": True}
    memory, now, silent = decision.OPEN, 0.0, 0.0
    for event, seconds in events:
        if event == "boot":
            memory, silent = decision.Memory(BOOT, now, world["own"], False), 0.0
        elif event in ("cut", "heal"):
            world["cut"] = event == "cut"
        elif event == "switch" and (memory.held or world["cut"] or not world["peer"] or silent >= 5):
            world["record"] += 1     # those that are away, or cannot be reached, are left out
        elif event == "bring" and not world["cut"]:
            world["own"] = world["record"]
        elif event.startswith(("api", "peer")):
            world[event.split()[0]] = event.endswith("up")
        for dummy in range(seconds):
            now += 1
            api, peer = world["api"] and not world["cut"], world["peer"] and not world["cut"]
            silent = 0.0 if api or peer else silent + 1
            reach = HEARD if silent < 5 else ISOLATED if world["cut"] else BLIND
            settled_down = not (memory.held or memory.blind) or now - memory.since >= 5
            before = memory
            memory = decision.step(memory, decision.View(world["own"], True, world["record"] if api else None, settled_down,
                                                         (world["record"],) if peer else (), False), reach, now, UNPROVED, True)
            if before.held and not memory.held and (api or peer):
                assert world["own"] >= world["record"]
            if reach == ISOLATED:
                assert memory.held
