# Copyright (c) 2026, ironrack.cluster contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Expiry over histories of any kind: what goes is old and can be had back, and enough of what is newer stays."""
from __future__ import annotations

from datetime import timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ansible_collections.ironrack.cluster.plugins.module_utils._opensearch import expiry, manifest, moments, restoring

NOW = moments.of_text("2026-11-28T12:00:00Z")
HOUR, DAY = 3600, 86400
RULE = {"pattern": "logs-*", "max_age": 7 * DAY}


def made(name, hours, **more):
    """:returns: an index that was made some hours ago."""
    return expiry.Index(**dict({"name": name, "uuid": "uuid-" + name, "since": NOW - timedelta(hours=hours), "is_open": True, "hidden": False, "stream": "",
                                "writes": [], "restoring": False}, **more))


def decide(indices, *rules, lacks=None, stopped=(), tolerance=300):
    return expiry.decide(indices, expiry.rules_of(rules or [RULE]), lacks or {}, list(stopped), NOW, tolerance)


def gone(decision):
    return [one.index.name for one in decision.expire]


def words(decision):
    return {one.index.name: one.word for one in decision.keep}


def test_the_old_ones_go_oldest_first_and_the_newest_always_stays():
    indices = [made("logs-%d" % number, 24 * (20 - number)) for number in range(4)] + [made("other-1", 999 * 24)]
    decision = decide(indices)
    assert gone(decision) == ["logs-0", "logs-1", "logs-2"] and words(decision) == {"logs-3": "needed"}
    assert decision.expire[0].why == "it is 1728000 s old (limit 604800 s), and 3 newer ones are there (1 have to stay)"
    assert gone(decide(indices, dict(RULE, min_count=3))) == ["logs-0"]
    assert gone(decide(indices, dict(RULE, min_count=9))) == []
    assert gone(decide(indices, dict(RULE, max_age=18 * DAY + 12 * HOUR))) == ["logs-0", "logs-1"]


def test_an_index_goes_later_by_what_clocks_may_differ():
    new = made("logs-2", 1)
    assert words(decide([made("logs-1", 0, since=NOW - timedelta(seconds=7 * DAY + 300)), new]))["logs-1"] == "young"
    assert gone(decide([made("logs-1", 0, since=NOW - timedelta(seconds=7 * DAY + 301)), new])) == ["logs-1"]


@pytest.mark.parametrize("more, word", [
    ({"writes": ["logs"]}, "write_index"), ({"stream": "s"}, "data_stream"), ({"hidden": True}, "hidden"), ({"restoring": True}, "restore"),
    ({"since": NOW + timedelta(seconds=301)}, "future")])
def test_what_something_depends_on_stays_whatever_its_age(more, word):
    one = made("logs-1", 900 * 24, **more)
    assert words(decide([one, made("logs-2", 1)]))["logs-1"] == word


def test_what_lacks_is_said_only_of_what_would_go():
    lacks = {"logs-1": ("managed", "by x"), "logs-2": ("not_in_snapshot", "y"), "logs-4": ("not_in_snapshot", "z")}
    decision = decide([made("logs-%d" % number, 24 * (30 - number)) for number in range(5)], lacks=lacks)
    assert gone(decision) == ["logs-0", "logs-3"] and words(decision) == {"logs-1": "managed", "logs-2": "not_in_snapshot", "logs-4": "needed"}
    assert expiry.overdue(decision.keep, 0) == ["logs-2"]
    assert expiry.overdue(decision.expire, 0) == ["logs-0", "logs-3"] and expiry.overdue(decision.expire, 19 * DAY) == ["logs-0", "logs-3"]
    assert expiry.overdue(decision.expire, 22 * DAY) == ["logs-0"]


def test_what_is_closed_hidden_or_of_the_future_is_none_of_the_newest_that_stay():
    old = made("logs-1", 30 * 24)
    for more in ({"is_open": False}, {"hidden": True}, {"stream": "s"}, {"since": NOW + timedelta(days=1)}):
        assert words(decide([old, made("logs-2", 1, **more)]))["logs-1"] == "needed"


def test_an_index_that_changed_or_that_was_restored():
    one, seen = made("logs-1", 1), {"uuid": "uuid-logs-1", "seq_nos": {"0": 6, "1": None}, "documents": 7}
    entry = {"uuid": "uuid-logs-1", "writes": manifest.writes(seen["seq_nos"], 7)}
    assert expiry.lack(one, "hourly-1", entry, seen) == ""
    assert "does not have it" in expiry.lack(one, "hourly-1", None, seen)
    assert "another index" in expiry.lack(one, "hourly-1", dict(entry, uuid="x"), seen)
    assert "another index" in expiry.lack(one, "hourly-1", entry, dict(seen, uuid="x"))
    for written in ({"seq_nos": {"0": 7, "1": None}}, {"documents": 6}):
        assert "written to since hourly-1" in expiry.lack(one, "hourly-1", entry, dict(seen, **written))


def record(phase, target="logs-1-restored", replaces="logs-1"):
    return {"phase": phase, "items": {"logs-1": {"target": target, "replaces": replaces}}}


@pytest.mark.parametrize("phase, stops, busy, since", [
    (restoring.FORWARD, True, set(), False), (restoring.BACK, True, set(), False), (restoring.SWAPPED, False, {"logs-1", "logs-1-restored"}, True),
    (restoring.DONE, False, set(), True), (restoring.FAILED, False, set(), False)])
def test_a_restore_stops_all_or_keeps_its_own(phase, stops, busy, since):
    found = expiry.of_restores([("hourly-1", NOW, record(phase)), ("hourly-1", NOW - timedelta(days=1), record(phase))])
    assert bool(found.stops) == stops and found.busy == busy and found.since == ({"logs-1-restored": NOW} if since else {})


def test_what_the_engine_says_of_indices():
    old = int((NOW - timedelta(days=30) - moments.EPOCH).total_seconds() * 1000)
    resolved = {"indices": [{"name": name, "attributes": ["closed" if name == "logs-3" else "open"]} for name in ("logs-1", "logs-2", "logs-3", "logs-4")],
                "aliases": [{"name": "logs", "indices": ["logs-1", "logs-2"]}, {"name": "alone", "indices": ["logs-3"]}, {"name": "none", "indices": "logs-4"},
                            {"name": "two", "indices": ["logs-4", "other-1"]}]}
    settings_of = {name: {"settings": {"index.uuid": "u", "index.creation_date": str(old), "index.hidden": str(name == "logs-2").lower()}}
                   for name in ("logs-1", "logs-2", "logs-3", "logs-4", "logs-5")}
    aliased = {"logs-1": {"aliases": {"logs": {}}}, "logs-2": {"aliases": {"logs": {"is_write_index": True}}}, "logs-3": {"aliases": {"alone": {}}},
               "logs-4": {"aliases": {"none": {"is_write_index": False}, "two": {}}}}
    found = {one.name: one for one in expiry.read(resolved, settings_of, aliased, expiry.Restores([], {"logs-1"}, {"logs-4": NOW}))}
    assert sorted(found) == ["logs-1", "logs-2", "logs-3", "logs-4"]  # one that is not listed any more is gone
    assert {name: one.writes for name, one in found.items()} == {"logs-1": [], "logs-2": ["logs"], "logs-3": ["alone"], "logs-4": []}
    assert found["logs-2"].hidden and not found["logs-3"].is_open and found["logs-1"].restoring
    assert found["logs-4"].since == NOW and found["logs-1"].since == NOW - timedelta(days=30)


@pytest.mark.parametrize("pattern, what", [
    ("*", "stands for too much"), ("lo*", "stands for too much"), (".logs-*", "of the engine"), ("logs", "it is 'logs'"), ("lo*gs*", "it is 'lo*gs*'"),
    ("Logs-*", "no beginning"), ("-logs*", "no beginning"), ("_all*", "no beginning"), ("logs-,a*", "no beginning"), ("ironrack-*", "backups and their"),
    ("iron*", "backups and their"), ("ironrack-proof-x*", "backups and their"), (None, "it is None"), (7, "it is 7")])
def test_a_pattern_that_takes_in_too_much_is_refused(pattern, what):
    (found,) = expiry.problems_of([dict(RULE, pattern=pattern)])
    assert found["where"] == "rules, number 1, pattern" and what in found["what"]


def test_all_that_is_wrong_with_rules_is_told_at_once():
    found = expiry.problems_of([RULE, {"pattern": "logs-app-*", "max_age": 0, "min_count": 0, "without_snapshot": "no", "age": 1}, {"max_age": True}])
    assert [one["where"] for one in found] == [
        "rules, number 2", "rules, number 2, max_age", "rules, number 2, min_count", "rules, number 2, without_snapshot", "rules, number 3, pattern",
        "rules, number 3, max_age", "rules"]
    assert "numbers 1 and 2 are both for logs-app-*" in found[-1]["what"]
    assert len(expiry.problems_of([RULE, RULE])) == 1 and expiry.problems_of([RULE, dict(RULE, pattern="log_*")]) == []
    assert expiry.rules_of([RULE]) == [expiry.Rule("logs-*", 7 * DAY, 1, False)]


AGES = st.integers(-2, 900)
#: Hours ago, open, hidden, a write index, of a stream, of a restore, what it lacks.
ENTRIES = st.tuples(AGES, st.booleans(), st.sampled_from([False] * 5 + [True]), st.sampled_from([False] * 3 + [True]), st.sampled_from([False] * 5 + [True]),
                    st.sampled_from([False] * 5 + [True]), st.sampled_from(["", "", ""] + list(expiry.LACKS) + [expiry.MANAGED]))
HISTORIES = st.lists(ENTRIES, max_size=25)


def history(entries):
    """:returns: (indices of two rules, what they lack)."""
    indices = [made("%s-%02d" % ("logs" if number % 3 else "app", number), hours, is_open=is_open, hidden=hidden, writes=["a"] if written else [],
                    stream="s" if stream else "", restoring=restore)
               for number, (hours, is_open, hidden, written, stream, restore, _lack) in enumerate(entries)]
    return indices, {one.name: (entry[-1], "why") for one, entry in zip(indices, entries) if entry[-1]}


@settings(max_examples=300)
@given(HISTORIES, st.integers(1, 4), st.integers(1, 30), st.integers(1, 30))
def test_what_goes_is_old_lacks_nothing_and_leaves_enough_that_is_newer(entries, min_count, days, other_days):
    indices, lacks = history(entries)
    rules = [dict(RULE, max_age=days * DAY, min_count=min_count), {"pattern": "app-*", "max_age": other_days * DAY}]
    decision = decide(indices, *rules, lacks=lacks)
    assert sorted(gone(decision) + list(words(decision))) == sorted(one.name for one in indices)
    for rule in expiry.rules_of(rules):
        goes = [one.index for one in decision.expire if one.rule == rule]
        stays = [one for one in decision.keep if one.rule == rule]
        usable = [one.index for one in stays if one.index.is_open and one.word not in ("hidden", "data_stream", "future")]
        for one in goes:
            assert not (one.writes or one.stream or one.hidden or one.restoring or one.name in lacks)
            assert moments.seconds_between(one.since, NOW) > rule.max_age + 300
            assert sum(expiry.order(other) > expiry.order(one) for other in usable) >= rule.min_count
        # Nothing goes that is newer than what stays for its age, or for being one of the newest.
        for kept in (one.index for one in stays if one.word in ("young", "needed")):
            assert all(expiry.order(one) < expiry.order(kept) for one in goes)
        assert [expiry.order(one) for one in goes] == sorted(expiry.order(one) for one in goes)


@settings(max_examples=100)
@given(HISTORIES)
def test_whatever_stops_it_stops_all_of_it(entries):
    indices, lacks = history(entries)
    free, held = decide(indices, lacks=lacks), decide(indices, lacks=lacks, stopped=["a proof failed"])
    assert held.expire == [] and {name for name, word in words(held).items() if word == "stopped"} >= set(gone(free))
    assert set(gone(free)) <= set(expiry.overdue(held.keep, 0))


@settings(max_examples=100)
@given(HISTORIES, st.integers(1, 4))
def test_a_second_run_finds_nothing_left_to_do(entries, min_count):
    indices, lacks = history(entries)
    first = decide(indices, dict(RULE, min_count=min_count), lacks=lacks)
    stay = [one for one in indices if one.name not in gone(first)]
    second = decide(stay, dict(RULE, min_count=min_count), lacks=lacks)
    assert gone(second) == [] and words(second) == words(first)
