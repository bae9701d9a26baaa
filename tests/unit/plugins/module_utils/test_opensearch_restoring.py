# Copyright (c) 2026, ironrack.cluster contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The order of a restore: what moves, what is kept from coming into being, and what no kill and no bad luck may break."""
from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ansible_collections.ironrack.cluster.plugins.module_utils._common.errors import IronrackError
from ansible_collections.ironrack.cluster.plugins.module_utils._common.waiting import WaitTimeout
from ansible_collections.ironrack.cluster.plugins.module_utils._opensearch import alias_moves, autocreate, foreseeing, moments, recovering, restoring
from ansible_collections.ironrack.cluster.plugins.module_utils._opensearch.alias_moves import WRITE, Move
from ansible_collections.ironrack.cluster.plugins.module_utils._opensearch.backup_api import BackupApi
from ansible_collections.ironrack.cluster.plugins.module_utils._opensearch.records import Records
from ansible_collections.ironrack.cluster.plugins.module_utils._opensearch.restore_checks import Wish
from ansible_collections.ironrack.cluster.plugins.module_utils._opensearch.restorer import Restorer
from ansible_collections.ironrack.cluster.plugins.module_utils._opensearch.snapshotting import Taker
from ansible_collections.ironrack.cluster.tests.unit.plugins.opensearch_store import AUTO, Direct, Killed, Store

BEGAN = moments.of_text("2026-11-28T12:00:00Z")
NAMES = ["logs-1", "logs-2", "logs-3", "logs-4"]
OPTIONS = st.fixed_dictionaries({}, optional={WRITE: st.booleans(), "filter": st.just({"term": {"a": 1}})})


def one_writer(entries):
    """:returns: entries of an alias with at most one that is marked, as the engine has them."""
    marked = [index for index, options in sorted(entries.items()) if options.get(WRITE)]
    return {index: {name: value for name, value in options.items() if name != WRITE or not value or index == marked[0]} for index, options in entries.items()}


ALIASES = st.dictionaries(st.sampled_from(["logs", "other"]), st.dictionaries(st.sampled_from(NAMES), OPTIONS, min_size=1).map(one_writer))


@settings(max_examples=300)
@given(ALIASES, st.sets(st.sampled_from(NAMES), min_size=1), st.data())
def test_aliases_move_without_a_second_writer_and_without_a_lost_one(aliases, restored, data):
    moves = []
    for index in sorted(restored):
        is_there = data.draw(st.booleans())
        listed = {alias: its[index] for alias, its in aliases.items() if index in its}
        if not is_there:
            # The index was deleted; with it went its entries, and the manifest has them still.
            aliases = {alias: {name: options for name, options in its.items() if name != index} for alias, its in aliases.items()}
        moves.append(Move(index if is_there else None, index + "-restored", dict(listed, **({} if is_there else {index: {}}))))
    aliases = {alias: its for alias, its in aliases.items() if its}
    assert alias_moves.problems_of(moves, aliases) == []
    actions = alias_moves.actions(moves, aliases)
    after = foreseeing.applied(aliases, actions)
    for alias, its in after.items():
        assert sum(bool(options.get(WRITE)) for options in its.values()) <= 1
        before = alias_moves.writer(aliases.get(alias, {}))
        if before:
            now = alias_moves.writer(its)
            assert now is not None
            marked = [move.target for move in moves if move.old is None and move.aliases.get(alias, {}).get(WRITE)]
            assert now in [before, before + "-restored"] + marked
    for move in moves:
        assert all(move.target in after[alias] and move.old not in after[alias] for alias in move.aliases)
        if move.old is None:
            assert alias_moves.writer(after[move.target[:-len("-restored")]]) == move.target
    touched = {move.old for move in moves} | {move.target for move in moves}
    for alias, its in aliases.items():
        assert {name: options.get("filter") for name, options in its.items() if name not in touched} == {
            name: options.get("filter") for name, options in after[alias].items() if name not in touched}
    assert alias_moves.actions(moves, after) == []


def test_an_alias_that_stood_alone_gets_a_mark_when_it_gets_a_second_index():
    actions = alias_moves.actions([Move(None, "new", {"logs": {"filter": {"a": 1}}})], {"logs": {"logs-2": {"index_routing": "1"}}})
    assert actions == [{"add": {"index": "logs-2", "alias": "logs", "index_routing": "1", WRITE: True}},
                       {"add": {"index": "new", "alias": "logs", "filter": {"a": 1}, WRITE: False}}]
    # What was the write index when the snapshot was taken is it again, where nobody is marked.
    actions = alias_moves.actions([Move(None, "new", {"logs": {WRITE: True}})], {"logs": {"logs-2": {WRITE: False}}})
    assert actions == [{"add": {"index": "new", "alias": "logs", WRITE: True}}]
    two = [Move(None, "new-1", {"logs": {WRITE: True}}), Move(None, "new-2", {"logs": {WRITE: True}})]
    assert "new-1, new-2 would all be its write index" in alias_moves.problems_of(two, {})[0]["what"]


@given(st.sampled_from([None, "true", "false", "+a*,-b*", "-x,+*", "a*"]), st.lists(st.sampled_from(["logs-1", "a1", "x"]), unique=True, min_size=1))
def test_a_deleted_name_is_kept_away_and_given_back(value, names):
    store = Store.__new__(Store)
    store.transient, store.persistent = {}, {} if value is None else {AUTO: value}
    others = {name: store.creates(name) for name in ("other", "a2", "b1")}
    fresh = [name for name in names if not autocreate.is_blocked(value, name)]
    value_now = autocreate.blocked(value, names)
    store.persistent = {} if value_now is None else {AUTO: value_now}
    assert not any(store.creates(name) for name in names) and all(autocreate.is_blocked(value_now, name) for name in names)
    assert {name: store.creates(name) for name in others} == others
    assert autocreate.blocked(value_now, names) == value_now
    assert autocreate.unblocked(value_now, fresh, value, value or "true") == value


def test_what_somebody_else_set_meanwhile_stays():
    assert autocreate.unblocked("-mine,-theirs,+*", ["mine"], None, "true") == "-theirs,+*"
    assert autocreate.unblocked("false", ["mine"], None, "true") == "false"


# The whole of it, against the engine of the test

def clock():
    """:returns: a clock and its sleep, which takes no time."""
    now = [0.0]
    return (lambda: now[0]), (lambda seconds: now.__setitem__(0, now[0] + seconds))


def restorer(client, indices=("logs-1", "logs-2"), **options):
    known = dict({"late": "auto", "copies": True, "confirmed": False, "abort": False, "aliases": {}, "checksum": True, "timeout": 60}, **options)
    api, holder = BackupApi(client), "test pid 1 of None, started None, 0"
    ticks, sleep = clock()
    return Restorer(api, Records(api), Wish("backups", "s", list(indices), False, False), known, holder, ticks, sleep)


def restore(client, **options):
    one = restorer(client, **options)
    return one.result(one.run(one.look()))


def documents(first, count):
    return {str(number): {"n": number} for number in range(first, first + count)}


def backed_up():
    """:returns: a cluster with two indices of an alias and their snapshot. One is deleted then, a client writes on, the other one is spoiled."""
    store = Store()
    store.stop()  # nobody needs its HTTP
    store.repositories["backups"] = {"type": "fs", "settings": {"location": "/b"}}
    store.stored["backups"] = {}
    store.make("logs-1", documents(0, 20), {"logs": {}})
    store.make("logs-2", documents(100, 10), {"logs": {WRITE: True}})
    api = BackupApi(Direct(store))
    ticks, sleep = clock()
    Taker(api, Records(api), "backups", ["logs-1", "logs-2"], "token", ticks, sleep).take("s", False, 60, 60)
    store.shift += 60
    return store


def disaster(store):
    store.answer("DELETE", "/logs-1", {}, None, "")
    assert store.write("logs-1", "late-1", {"late": True}) and store.write("logs-1", "0", {"late": "again"})
    store.data["logs-2"].remove("100")
    assert store.write("logs", "after", {"n": -1})


def checked(store, log, confirmed=False):
    """What holds at any moment."""
    pointed = {}
    for index, its in store.aliases.items():
        for alias in its:
            pointed.setdefault(alias, []).append(index)
    swapped = any("-restored-" in index for index in pointed.get("logs", ()))
    # Both move in the same moment.
    assert not swapped or all("-restored-" in index for index in pointed["logs"])
    log.append(swapped)
    assert log == sorted(log)
    # An old index is there until somebody signs off.
    assert confirmed or {"logs-1", "logs-2"} <= set(store.data)
    if swapped:
        assert all(store.data[index].documents for index in pointed["logs"])
        late = store.data[[index for index in store.data if index.startswith("logs-1-restored")][0]].documents
        assert len(late) >= 21 and late["late-1"] == {"late": True} and late["0"] == {"late": "again"}


def test_a_restore_goes_all_the_way_and_waits_for_a_signature():
    store = backed_up()
    disaster(store)
    foreseen = restorer(Direct(store))
    steps = [step.kind for step in foreseen.foresee(foreseen.look())[0]]
    assert steps == ["restore", "restore", "compare", "compare", "fence", "merge", "swap", "fence", "pause"]
    found = restore(Direct(store))
    first, second = (found["restored"][name] for name in ("logs-1", "logs-2"))
    assert found["phase"] == "swapped" and found["old_indices"] == ["logs-1", "logs-2"]
    assert first["compared"]["documents"] == 20 and first["compared"]["checksum_compared"] and first["merged"] == {
        "documents": 2, "replaced": 1, "from": "logs-1"}
    assert second["merged"] is None and len(store.data[second["target"]].documents) == 10
    assert store.persistent == {} and not store.write("logs-2", "x", {}) and store.write("logs", "x", {})
    again = restore(Direct(store))
    assert again["steps"] == [] and again["phase"] == "swapped"
    signed = restore(Direct(store), confirmed=True)
    assert signed["phase"] == "done" and signed["old_indices"] == [] and set(store.data) == {"ironrack-backups", first["target"], second["target"]}
    # Who writes by the old name writes to the restored one.
    assert store.write("logs-2", "y", {}) and "y" in store.data[second["target"]].documents
    assert restore(Direct(store), confirmed=True)["steps"] == []


def test_a_deleted_name_cannot_come_into_being_and_is_an_alias_in_the_end():
    store = backed_up()
    store.answer("DELETE", "/logs-1", {}, None, "")
    seen = []
    store.hooks[("POST", "/_snapshot/backups/s/_restore")] = lambda: seen.append(store.write("logs-1", "x", {}))
    found = restore(Direct(store), indices=("logs-1",))
    assert seen == [False] and found["phase"] == "done" and store.persistent == {}
    assert store.write("logs-1", "x", {}) and "logs-1" not in store.data
    # logs-2 is marked still, and its alias has the restored one beside it again
    assert store.aliases[found["restored"]["logs-1"]["target"]] == {"logs": {WRITE: False}, "logs-1": {WRITE: True}}


@pytest.mark.parametrize("damage", ["blob", "document", "count"])
def test_what_is_found_wrong_turns_back_before_any_alias_moves(damage):
    store = backed_up()
    disaster(store)
    kept = store.stored["backups"]["s"]["data"]["logs-2"]
    if damage == "blob":
        store.damaged["logs-2"] = "CorruptIndexException[checksum failed]"
    elif damage == "document":
        kept.documents["101"] = {"n": "other"}
    else:
        kept.remove("101")
    aliases, names = dict(store.aliases), set(store.data)
    with pytest.raises(IronrackError) as failed:
        restore(Direct(store))
    assert "nothing was restored, no alias has moved" in str(failed.value) and {
        "blob": "checksum failed", "document": "not the same ones", "count": "9 documents, and at least 10"}[damage] in str(failed.value)
    assert (store.aliases, set(store.data), store.persistent) == (aliases, names, {})
    assert not any(index.blocked for index in store.data.values())
    # Once it is mended, it begins anew.
    store.damaged.clear()
    kept.documents.update(documents(100, 10))
    assert restore(Direct(store))["phase"] == "swapped"


def test_a_wait_that_is_over_can_be_gone_on_with_or_be_aborted():
    for abort in (False, True):
        store = backed_up()
        disaster(store)
        store.looks = 10 ** 6
        with pytest.raises(WaitTimeout, match="can be gone on with, or be aborted"):
            restore(Direct(store))
        store.looks = 1
        found = restore(Direct(store), abort=abort)
        assert found["phase"] == ("failed" if abort else "swapped")
        if abort:
            assert not any("restored" in name for name in store.data) and restore(Direct(store), abort=True)["steps"] == []


def test_an_abort_after_the_aliases_have_moved_is_refused():
    store = backed_up()
    disaster(store)
    restore(Direct(store))
    with pytest.raises(IronrackError, match="the aliases have moved"):
        restore(Direct(store), abort=True)


def test_another_index_than_the_one_that_was_replaced_is_not_deleted():
    store = backed_up()
    disaster(store)
    restore(Direct(store))
    store.answer("DELETE", "/logs-2", {}, None, "")
    store.make("logs-2", documents(0, 3), **{"index.blocks.write": "true"})
    with pytest.raises(IronrackError, match="logs-2 is another index than the one that was replaced"):
        restore(Direct(store), confirmed=True)
    assert len(store.data["logs-2"].documents) == 3


@pytest.mark.parametrize("after", [False, True])
@pytest.mark.parametrize("is_deleted", [False, True])
def test_a_kill_at_any_write_is_gone_on_from(after, is_deleted):
    kills = 0
    for dies in range(1, 200):
        store = backed_up()
        if is_deleted:
            store.answer("DELETE", "/logs-1", {}, None, "")
        else:
            disaster(store)
        log = []
        store.hooks[("POST", "/_aliases")] = (lambda: None) if is_deleted else (lambda store=store, log=log: checked(store, log))
        try:
            restore(Direct(store, dies, after))
        except Killed:
            kills += 1
        else:
            break
        found = restore(Direct(store))
        assert found["phase"] == "swapped" and store.persistent == {} if not is_deleted else found["phase"] in ("done", "swapped")
        assert store.persistent == {} and set(found["old_indices"]) <= {"logs-1", "logs-2"} & set(store.data)
        if not is_deleted:
            checked(store, log)
        assert store.aliases[found["restored"]["logs-2"]["target"]]["logs"] == {WRITE: True}
        signed = restore(Direct(store), confirmed=True)
        assert signed["phase"] == "done" and not {"logs-1", "logs-2"} & set(store.data)
    assert kills > 15


STATES = st.sampled_from([None, (recovering.RUNNING, ""), (recovering.READY, ""), (recovering.BROKEN, "")])
OLDS = st.one_of(st.none(), st.builds(lambda late, blocked: restoring.Old(
    "a", "u1", BEGAN + moments.timedelta(seconds=60 if late else -60), blocked), st.booleans(), st.booleans()))


@settings(max_examples=300)
@given(STATES, OLDS, st.booleans(), st.booleans(), st.booleans(), st.sampled_from(["forward", "back", "swapped"]), st.booleans(), st.booleans(), st.booleans())
def test_no_step_comes_before_what_it_needs(state, old, complete, compared, merged, phase, confirmed, abort, aliased):
    plan = restoring.Plan([restoring.Item("a", "a-restored", {"x": {}})], "auto", True, confirmed, abort, BEGAN)
    aliases = {"x": {"a-restored": {WRITE: True}}} if aliased else {"x": {"a": {}}} if old else {}
    seen = restoring.Seen({"a": state}, {"a": complete}, {"a": old}, {"a": "index" if old else None}, aliases, "true")
    record = restoring.begun(plan, seen, None)
    record.update(phase=phase, blocked=["a"])
    record["items"]["a"].update(compared={"documents": 1} if compared else None, merged={"documents": 1} if merged else None, old="u1" if old else None)
    step = restoring.next_step(plan, record, seen)
    lacks = restoring.unmet(step, plan, record, seen)
    if step.kind == restoring.SWAP:
        # Only a record that lags behind gets here with aliases that have moved.
        assert (compared and (aliased or state[0] == recovering.READY)) and (aliased or not lacks)
    if step.kind == restoring.SIGN_OFF:
        assert confirmed and phase == restoring.SWAPPED and old.write_block
    if step.kind == restoring.DISCARD:
        assert bool(lacks) == aliased
    if step.kind in (restoring.RESTORE, restoring.MERGE):
        assert not lacks


@settings(max_examples=200)
@given(OLDS, st.booleans(), st.booleans())
def test_a_restore_that_goes_well_comes_to_an_end(old, confirmed, abort):
    plan = restoring.Plan([restoring.Item("a", "a-restored", {"x": {}})], "auto", True, confirmed, abort, BEGAN)
    seen = restoring.Seen({"a": None}, {"a": False}, {"a": old}, {"a": "index" if old else None}, {"x": {"a": {}}} if old else {}, "true")
    steps, later = foreseeing.foreseen(plan, restoring.begun(plan, seen, None), seen)
    wanted = restoring.GIVE_UP if abort else restoring.PAUSE if old and not confirmed else restoring.FINISH
    assert steps[-1].kind == wanted and later.autocreate == "true"
    if not abort:
        assert later.aliases["x"] == {"a-restored": {WRITE: True}} and ((old and not confirmed) or later.aliases["a"] == {"a-restored": {WRITE: True}})
