# Copyright (c) 2026, ironrack.cluster contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The record is what a later run has: it is whole, it stays small, and what is none is refused."""
from __future__ import annotations

import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ansible_collections.ironrack.cluster.plugins.module_utils._release import record as records
from ansible_collections.ironrack.cluster.plugins.module_utils._release.record import RecordError


def test_it_comes_back_as_it_went():
    record = records.new("chat", "v1", {"image": "a@sha256:1"})
    records.note(record, 0, "ann", "begin", "line\nbreak")
    records.note(record, 1, "ann", "no reason")
    data = records.encode(record)
    assert records.decode(data, "x") == record and all(isinstance(text, str) for text in data.values())
    assert record["history"] == [{"when": "1970-01-01T00:00:00Z", "who": "ann", "what": "begin", "why": "line\nbreak", "generation": 0},
                                 {"when": "1970-01-01T00:00:01Z", "who": "ann", "what": "no reason", "generation": 0}]
    assert len(data["history"].splitlines()) == 2


@settings(max_examples=30, deadline=None)
@given(st.lists(st.tuples(st.integers(1, 300), st.integers(0, 5000), st.sampled_from("aé\n\"\U0001f600")), min_size=1, max_size=6))
def test_its_history_is_bounded_in_size_and_keeps_the_newest(rows):
    record = records.new("chat", "v1")
    total = 0
    for times, letters, letter in rows:
        for _time in range(times):
            total += 1
            records.note(record, total, "ann", "event %d" % total, letter * letters)
    assert len(record["history"]) <= records.HISTORY_ENTRIES and len(records.encode(record)["history"].encode()) <= records.HISTORY_BYTES
    assert [entry["what"] for entry in record["history"]] == ["event %d" % number for number in range(total - len(record["history"]) + 1, total + 1)]
    assert record["history"] and records.decode(records.encode(record), "x") == record


def test_a_long_history_loses_its_oldest_by_size_too(monkeypatch):
    monkeypatch.setattr(records, "HISTORY_BYTES", 10000)
    record = records.new("chat", "v1")
    for number in range(50):
        records.note(record, number, "ann", "event %d" % number, "w" * 100)
    assert 0 < len(record["history"]) < 8 and record["history"][-1]["what"] == "event 49"


def changed(**changes):
    state = json.loads(records.encode(records.new("chat", "v1"))["record"])
    state.update(changes)
    return {"record": json.dumps(state), "history": ""}


@pytest.mark.parametrize("data, words", (
    ({}, "holds no record"),
    ({"record": "{"}, "holds no record"),
    ({"record": "[]"}, "holds no record"),
    ({"record": "{}"}, "holds no record"),
    (changed(version="1"), "holds no record"),
    (changed(extra=1), "holds no record"),
    (changed(traffic={"weights": {"v1": 99}}), "holds no record"),
    (changed(rollout={"phase": "forward"}), "holds no record"),
    (dict(changed(), history="no json"), "holds no record"),
    (changed(traffic={"weights": {"v1": 100}, "serve": "some"}), "holds no record"),
    (changed(version=3, new_part=1), "x is of version 3, and this collection knows 2"),
))
def test_what_cannot_be_built_on_is_refused_with_the_way_out(data, words):
    with pytest.raises(RecordError, match=words):
        records.decode(data, "x")


def test_a_record_of_before_is_read_as_one_whose_releases_answer():
    record = records.new("chat", "v1", {"image": "a"})
    records.note(record, 0, "ann", "begin")
    data = records.encode(record)
    before = json.loads(data["record"])
    del before["serve"], before["traffic"]["serve"], before["traffic"]["chain"]
    before["version"] = 1
    assert records.decode(dict(data, record=json.dumps(before)), "x") == record
