# Copyright (c) 2026, ironrack.cluster contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Retention over histories of any kind: what goes is old, and what is relied on stays."""
from __future__ import annotations

from datetime import timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ansible_collections.ironrack.cluster.plugins.module_utils._opensearch import moments, retention, snapshots

NOW = moments.of_text("2026-11-28T12:00:00Z")
HOUR, DAY = 3600, 86400
POLICY = retention.Policy(max_age=7 * DAY, min_count=2, failed_max_age=DAY, tolerance=300)


def made(hours, state="SUCCESS", prefix="hourly", number=0, scheduled=True, failed=0):
    """:returns: a snapshot that began some hours ago."""
    began = NOW - timedelta(hours=hours)
    name = snapshots.scheduled_name(prefix, began, HOUR) if scheduled else snapshots.manual_name(prefix, began, "%08x" % number)
    return snapshots.Snapshot(name, "uuid-%s-%s" % (name, number), state, "3.4.0", ["a"], [], began, began + timedelta(seconds=60),
                              {"total": 1, "failed": failed, "successful": 1 - failed}, [], {})


def proof(snapshot, verdict="pass", hours=0, complete=True):
    return retention.Proof(snapshot.uuid, verdict, NOW - timedelta(hours=hours), complete, "because")


def decide(listed, proofs, policy=POLICY, now=NOW, cluster_time=None):
    return retention.decide(listed, "hourly", proofs, policy, now, cluster_time or now)


def gone(decision):
    return [name for name, _why in decision.delete]


def test_an_old_snapshot_goes_when_enough_newer_ones_are_proved():
    old, first, second = made(10 * 24), made(48), made(24)
    assert gone(decide([old, first, second], [proof(first), proof(second)])) == [old.name]
    short = decide([old, first, second], [proof(first)])
    assert gone(short) == [] and "1 newer ones are proved (2 have to stay)" in dict(short.keep)[old.name]
    # Proved ones that are old as well, and newest, stay.
    ancient = [made(24 * days) for days in (40, 30, 20)]
    assert gone(decide(ancient, [proof(one) for one in ancient])) == [ancient[0].name]


def test_success_alone_is_no_proof_and_neither_is_a_part_of_one():
    listed = [made(10 * 24)] + [made(hours) for hours in range(1, 60)]
    assert gone(decide(listed, [])) == []
    assert gone(decide(listed, [proof(one, complete=False) for one in listed])) == []
    assert gone(decide(listed, [proof(one, "inconclusive") for one in listed])) == []


def test_failed_and_partial_ones_never_count_and_have_an_age_of_their_own():
    old, failed, partial, young = made(10 * 24), made(48, "FAILED"), made(47, "PARTIAL"), made(3, "FAILED")
    listed = [old, failed, partial, young]
    assert gone(decide(listed, [proof(one) for one in listed])) == [failed.name]  # what is PARTIAL may be all that there is
    assert gone(decide(listed + [made(2), made(1)], [proof(made(2)), proof(made(1))])) == [old.name, failed.name, partial.name]


@pytest.mark.parametrize("word, stops", [(["fail"], True), (["fail", "inconclusive"], True), (["fail", "pass"], False), (["pass", "fail"], True)])
def test_the_last_word_of_any_snapshot_stops_all_deletion_where_it_is_a_failure(word, stops):
    old, first, second, other = made(10 * 24), made(48), made(24), made(5, prefix="nightly")
    proofs = [proof(first), proof(second)] + [proof(other, verdict, 10 - at) for at, verdict in enumerate(word)]
    decision = decide([old, first, second, other], proofs)
    assert bool(decision.stopped) == stops and gone(decision) == ([] if stops else [old.name])
    if stops:
        assert other.name in decision.stopped[0] and "nothing is deleted now; otherwise" in dict(decision.keep)[old.name]
    # The proof of a snapshot that is gone says nothing about those that are there.
    assert gone(decide([old, first, second], proofs)) == [old.name]


def test_nothing_goes_while_a_snapshot_runs_or_clocks_are_apart():
    listed = [made(10 * 24), made(48), made(24)]
    proofs = [proof(one) for one in listed]
    assert "runs" in decide(listed + [made(0, "IN_PROGRESS", prefix="x")], proofs).stopped[0]
    assert "in the future" in decide(listed + [made(-1)], proofs).stopped[0]
    assert "+600 s from that of the cluster" in decide(listed, proofs, cluster_time=NOW - timedelta(seconds=600)).stopped[0]
    assert decide(listed, proofs, cluster_time=NOW - timedelta(seconds=200)).stopped == []


def test_manual_snapshots_and_those_of_others_neither_go_nor_count():
    manual = [made(hours, scheduled=False, number=hours) for hours in (9 * 24, 30, 20)]
    others = [made(hours, prefix="nightly") for hours in (9 * 24, 30, 20)]
    decision = decide([made(10 * 24)] + manual + others, [proof(one) for one in manual + others])
    assert decision.delete == [] and [name for name, _why in decision.keep] == [made(10 * 24).name]


def test_a_policy_that_keeps_nothing_is_refused():
    found = retention.policy_problems(retention.Policy(max_age=0, min_count=0, failed_max_age=-1, tolerance=300))
    assert [one["where"] for one in found] == ["min_count", "max_age", "failed_max_age"]
    assert retention.policy_problems(POLICY) == []


STATES = st.sampled_from(["SUCCESS", "SUCCESS", "SUCCESS", "FAILED", "PARTIAL"])
#: Hours ago, minutes that the clock was off then, state, shards that failed, verdicts of its proofs in their order, each complete or not.
ENTRIES = st.tuples(st.integers(0, 900), st.integers(-4, 4), STATES, st.sampled_from([0, 0, 0, 1]),
                    st.lists(st.tuples(st.sampled_from(["pass", "pass", "pass", "inconclusive"]), st.booleans()), max_size=3))
HISTORIES = st.lists(ENTRIES, max_size=25, unique_by=lambda entry: entry[0])


def history(entries):
    """:returns: (snapshots, proofs)."""
    listed, proofs = [], []
    for number, (hours, off, state, failed, verdicts) in enumerate(entries):
        one = made(hours, state, number=number, failed=failed)
        one = one._replace(started=one.started + timedelta(minutes=off))
        listed.append(one)
        proofs += [proof(one, verdict, 20 - at, complete) for at, (verdict, complete) in enumerate(verdicts)]
    return listed, proofs


@settings(max_examples=300)
@given(HISTORIES, st.integers(1, 4), st.integers(1, 30), st.integers(1, 30))
def test_what_goes_is_old_and_leaves_enough_that_is_newer_and_proved(entries, min_count, days, failed_days):
    listed, proofs = history(entries)
    policy = retention.Policy(days * DAY, min_count, failed_days * DAY, 300)
    decision = decide(listed, proofs, policy)
    assert sorted(gone(decision) + [name for name, _why in decision.keep]) == sorted(one.name for one in listed)
    stay = [one for one in listed if one.name not in gone(decision)]
    good = [one for one in stay if one.state == "SUCCESS" and not one.shards["failed"] and one.uuid in retention.proved(proofs)]
    for one in (one for one in listed if one.name in gone(decision)):
        whole = one.state == "SUCCESS" and not one.shards["failed"]
        assert moments.seconds_between(one.started, NOW) > (policy.max_age if whole else policy.failed_max_age)
        # Whatever the clocks of then were: it began before each of those that are relied on.
        newer = [other for other in good if other.started > one.started + timedelta(seconds=300)]
        assert one.state == "FAILED" or len(newer) >= min_count
    # What could be gone back to before can be gone back to afterwards, as new as before.
    every = [one for one in listed if one.state == "SUCCESS" and not one.shards["failed"] and one.uuid in retention.proved(proofs)]
    assert [one.name for one in sorted(every, key=lambda one: one.started)][-min_count:] == [
        one.name for one in sorted(good, key=lambda one: one.started)][-min_count:]


@settings(max_examples=100)
@given(HISTORIES, st.integers(0, 24), st.sampled_from(["fail", "running", "future", "clock"]))
def test_whatever_stops_it_stops_all_of_it(entries, at, why):
    listed, proofs = history(entries + [(901, 0, "FAILED", 0, [])])
    one, cluster_time = listed[at % len(listed)], NOW
    if why == "fail":
        proofs.append(proof(one, "fail", -1))
    elif why == "clock":
        cluster_time = NOW + timedelta(seconds=301)
    else:
        listed.append(made(0, "IN_PROGRESS", number=99) if why == "running" else made(-2, number=99))
    decision = decide(listed, proofs, cluster_time=cluster_time)
    assert decision.stopped and decision.delete == []


@settings(max_examples=100)
@given(HISTORIES)
def test_a_second_run_finds_nothing_left_to_do(entries):
    listed, proofs = history(entries)
    first = decide(listed, proofs)
    stay = [one for one in listed if one.name not in gone(first)]
    assert gone(decide(stay, proofs)) == []
