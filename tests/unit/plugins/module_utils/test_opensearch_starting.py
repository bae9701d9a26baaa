# Copyright (c) 2026, ironrack.cluster contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Who founds a cluster, who joins one, and who may be restarted: over every state and everything that hosts can say of themselves."""
from __future__ import annotations

import itertools

import pytest

from ansible_collections.ironrack.cluster.plugins.module_utils._opensearch.starting import ACTS, RUNNING, Observation, decide, first_start

NODES = ("m1", "m2", "m3", "d1")
MANAGERS = NODES[:3]


def seen(name="m1", state="inactive", stale=(), formed=False, known=None, may_restart=False):
    return Observation(name, MANAGERS, state, tuple(stale), formed, known, may_restart)


def views():
    """:returns: what a host can know of the four nodes: each formed, not formed, or never asked; and nothing asked yet."""
    yield None
    for answers in itertools.product((True, False, None), repeat=len(NODES)):
        yield {name: answer for name, answer in zip(NODES, answers) if answer is not None}


def everything():
    for name, state, stale, formed, known, may in itertools.product(
            ("m1", "d1"), ("inactive", "failed", "active", "activating"), ((), ("x changed",)), (True, False), views(), (True, False)):
        yield seen(name, state, stale, formed, None if known is None else dict(known, **{name: formed}), may)


def test_a_cluster_is_founded_only_where_every_manager_was_asked_and_nobody_has_ever_had_one():
    founding = [one for one in everything() if decide(one).action == "found"]
    assert founding
    for one in founding:
        assert one.name in MANAGERS and not one.formed and set(MANAGERS) <= set(one.known) and not any(one.known.values())


def test_a_node_that_serves_is_restarted_by_nobody_who_has_not_seen_the_others():
    restarts = [one for one in everything() if decide(one).action == "restart"]
    assert restarts
    for one in restarts:
        assert one.state in RUNNING and one.stale
        assert one.may_restart or not one.formed and one.known is not None and not any(one.known.values())


def test_what_runs_and_is_current_is_left_alone():
    assert {decide(one).action for one in everything() if one.state in RUNNING and not one.stale} == {"none"}


def test_whoever_has_been_part_of_a_cluster_starts_at_once_and_founds_nothing():
    assert {decide(one).action for one in everything() if one.formed and one.state not in RUNNING} == {"start"}


@pytest.mark.parametrize("name, known, action", [
    ("m1", None, "agree"), ("d1", None, "agree"),
    ("m1", {"m1": False, "m2": False, "m3": False, "d1": False}, "found"),
    ("d1", {"m1": False, "m2": False, "m3": False, "d1": False}, "start"),
    ("m1", {"m1": False, "m2": False, "m3": False}, "found"),  # a data node that is away joins later
    ("m1", {"m1": False, "m2": False}, "start"),  # who was not asked may have a cluster
    ("m1", {"m1": False, "m2": True, "m3": True}, "start"),  # its disk was lost
    ("m1", {"m1": False, "m2": False, "m3": False, "d1": True}, "refuse")])
def test_a_new_host(name, known, action):
    assert decide(seen(name, known=known)).action == action


def test_a_refusal_says_whose_indices_would_be_lost_and_what_to_do():
    words = decide(seen(known={"m1": False, "m2": False, "m3": False, "d1": True})).reasons[0]
    assert "d1 has been part of a cluster" in words and "m1, m2, m3" in words and "Put the managers' data" in words


def test_every_action_has_a_reason_and_every_state_one_action():
    for one in everything():
        decision = decide(one)
        assert decision.action in ACTS + ("none", "agree", "wait", "refuse")
        assert bool(decision.reasons) == (decision.action != "none")


def test_the_first_start_names_all_managers():
    assert first_start(MANAGERS).endswith("\nFIRST_START=-Ecluster.initial_cluster_manager_nodes=m1,m2,m3\n")
