# Copyright (c) 2026, ironrack.cluster contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What an etcd member needs, over every combination of what a host can see; the quorum guard over every small cluster."""
from __future__ import annotations

import itertools

import pytest
from ansible_collections.ironrack.cluster.plugins.module_utils._etcd.decide import (
    RUNNING, Member, Observation, decide, find, initial_environment, join_guard, joined_pairs, quorum_guard)

ME = "https://10.0.0.1:2380"


def member(number, learner=False, started=True, name=None):
    name = "cp%d" % number if name is None else name
    return Member("a%d" % number, name, ("https://10.0.0.%d:2380" % number,),
                  ("https://10.0.0.%d:2379" % number,) if started else (), learner)


OTHERS = (member(2), member(3))
LISTS = {
    "silent": None,
    "lists us": (member(1),) + OTHERS,
    "lists us as a learner": (member(1, learner=True),) + OTHERS,
    "lists us, never started": (member(1, started=False),) + OTHERS,
    "lists us as a learner, never started": (member(1, learner=True, started=False, name=""),) + OTHERS,
    "does not list us": OTHERS,
    "lists our name elsewhere": (member(1)._replace(peer_urls=("https://10.0.0.9:2380",)),) + OTHERS,
}


def see(**fields):
    values = dict(name="cp1", peer_url=ME, model=("cp1", "cp2", "cp3"), data=False, formed=False, state="inactive", stale=(), members=None,
                  living=None, unformed=None)
    values.update(fields)
    return Observation(**values)


def everything():
    """Every combination of what matters."""
    for words, members in LISTS.items():
        for data, formed, state, stale, unformed in itertools.product(
                (False, True), (False, True), ("active", "activating", "inactive", "failed"), ((), ("etcd.env changed",)),
                (None, (), ("cp1",), ("cp1", "cp2"), ("cp1", "cp2", "cp3"))):
            yield words, see(members=members, data=data, formed=formed, state=state, stale=stale, unformed=unformed)


def test_every_combination_has_a_decision_with_a_reason():
    for dummy, seen in everything():
        decision = decide(seen)
        assert decision.action in ("none", "start", "restart", "agree", "bootstrap", "join", "promote", "refuse")
        assert decision.action == "none" or decision.reasons


def test_a_cluster_is_founded_only_where_nobody_has_ever_had_one():
    founded = [(words, seen) for words, seen in everything() if decide(seen).action == "bootstrap"]
    assert founded
    for words, seen in founded:
        assert words == "silent" and not seen.data and not seen.formed and seen.state not in RUNNING
        assert set(seen.unformed) | {"cp1"} == set(seen.model)


def test_an_empty_folder_never_joins_or_founds_as_a_member_that_once_started():
    for words, seen in everything():
        if words in ("lists us", "lists us as a learner") and not seen.data and seen.state not in RUNNING:
            decision = decide(seen)
            assert decision.action == "refuse" and "etcdctl member remove a1" in decision.reasons[0]


def test_an_active_member_is_restarted_under_guard_only():
    for dummy, seen in everything():
        decision = decide(seen)
        if decision.action == "restart":
            assert decision.guarded == (seen.state == "active") and seen.stale


@pytest.mark.parametrize("fields, action, words", (
    (dict(state="active", data=True, members=LISTS["lists us"]), "none", ""),
    (dict(state="active", data=True), "none", ""),
    (dict(state="activating", data=True), "none", ""),
    (dict(state="active", data=True, members=LISTS["lists us"], stale=("x changed",)), "restart", "x changed"),
    (dict(state="activating", data=True, stale=("x changed",)), "restart", "x changed"),
    (dict(state="active", data=True, members=LISTS["lists us as a learner"]), "promote", "learner"),
    (dict(state="active", data=True, members=LISTS["does not list us"]), "refuse", "was removed"),
    (dict(state="active", data=True, members=LISTS["lists our name elsewhere"]), "refuse", "member update a1 --peer-urls=" + ME),
    (dict(data=True), "start", "has its data"),
    (dict(data=True, members=LISTS["lists us"]), "start", "has its data"),
    (dict(data=True, members=LISTS["lists us as a learner"]), "start", "has its data"),
    (dict(data=True, members=LISTS["does not list us"]), "refuse", "move its data folder aside"),
    (dict(members=LISTS["does not list us"]), "join", "does not list it"),
    (dict(members=LISTS["does not list us"], formed=True), "join", "does not list it"),
    (dict(members=LISTS["lists us, never started"]), "join", "never been started"),
    (dict(members=LISTS["lists us as a learner, never started"]), "join", "never been started"),
    (dict(living=True), "join", ""),
    (dict(), "agree", "no other member answers"),
    (dict(formed=True), "refuse", "never bootstrapped"),
    (dict(formed=True, unformed=("cp1", "cp2", "cp3")), "refuse", "never bootstrapped"),
    (dict(unformed=("cp1", "cp2")), "refuse", "whether cp3 ever had any"),
    (dict(unformed=("cp1", "cp2", "cp3")), "bootstrap", "ever been part"),
    (dict(model=("cp1",), unformed=("cp1",)), "bootstrap", ""),
))
def test_decisions(fields, action, words):
    decision = decide(see(**fields))
    assert decision.action == action
    assert words in " ".join(decision.reasons)


def test_a_peer_url_counts_more_than_a_name():
    members = (member(2, name="cp1"), member(1, name="other"))
    assert find(see(members=members)).id == "a1"


def test_quorum_guard_over_all_small_clusters():
    for size in range(1, 8):
        members = [member(number) for number in range(1, size + 1)]
        for healthy in itertools.product((True, False), repeat=size):
            health = {entry.id: "" if well else "no answer" for entry, well in zip(members, healthy)}
            for mine in members:
                allowed = not quorum_guard(members, mine.id, health)
                others = [well for entry, well in zip(members, healthy) if entry is not mine]
                # the promise: all others are well, and they are a majority of the whole; alone, there is nobody to harm
                assert allowed == (all(others) and (size == 1 or len(others) > size // 2))
                if size == 2:
                    assert not allowed


def test_quorum_guard_and_learners():
    members = [member(1), member(2), member(3), member(4, learner=True)]
    health = {"a1": "", "a2": "", "a3": "", "a4": "not asked"}
    assert quorum_guard(members, "a1", health) == []
    assert quorum_guard(members, "a4", health) == []
    assert quorum_guard([member(1), member(2), member(3, learner=True)], "a1", health)
    assert quorum_guard(members, "gone", health) == ["the cluster does not list this member"]
    assert quorum_guard([member(1), member(2), member(3)], "a1", {"a2": ""}) == ["cp3 is not healthy: nobody asked"]


def test_join_guard():
    health = {"a2": "", "a3": ""}
    assert join_guard(OTHERS, health) == []
    assert "is not healthy" in join_guard(OTHERS, {"a2": ""})[0]
    assert "learner still" in join_guard(OTHERS + (member(4, learner=True),), health)[0]


def test_the_first_start_reads_what_member_add_would_print():
    pairs = joined_pairs(OTHERS + (member(1, learner=True, started=False, name=""),), "cp1", ME)
    assert initial_environment(pairs, "existing", "lab").splitlines() == [
        "ETCD_INITIAL_CLUSTER=cp2=https://10.0.0.2:2380,cp3=https://10.0.0.3:2380,cp1=" + ME,
        "ETCD_INITIAL_CLUSTER_STATE=existing", "ETCD_INITIAL_CLUSTER_TOKEN=lab"]
