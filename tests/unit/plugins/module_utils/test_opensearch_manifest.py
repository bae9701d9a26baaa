# Copyright (c) 2026, ironrack.cluster contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Manifests: what is written down, what cannot be changed unseen, and what a restored index is compared with."""
from __future__ import annotations

import json
from datetime import datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.ironrack.cluster.plugins.module_utils._opensearch import hashing, manifest, moments, snapshots
from ansible_collections.ironrack.cluster.plugins.module_utils._opensearch.manifest import ManifestError

NOW = moments.of_text("2026-11-28T12:00:00Z")


def entry(documents=10, mark="w1", uuid="u1"):
    return {"uuid": uuid, "documents": documents, "bytes": 1000, "shards": 1, "replicas": 1, "created_version": "3.4.0", "writes": mark, "aliases": {}}


def opened(indices, earlier=None):
    return manifest.opening("backups", "hourly-20261128t1200z", indices, ["3.4.0", "3.4.0"], NOW, (earlier or {}).get("indices", {}))


def taken(sheet, **changed):
    made = snapshots.Snapshot("hourly-20261128t1200z", "s1", "SUCCESS", "3.4.0", sorted(sheet["indices"]), [], NOW, NOW + timedelta(seconds=3),
                              {"total": 1, "failed": 0, "successful": 1}, [], manifest.metadata(sheet, "token"))
    return made._replace(**changed)


def closed(sheet, after, checksums=None):
    return manifest.closing(sheet, taken(sheet), after, checksums or {})


def test_a_sheet_that_was_changed_is_found():
    sheet = opened({"a": entry()})
    assert manifest.opened(json.dumps(sheet), "it") == sheet and sheet["versions"] == ["3.4.0"] and sheet["documents"] == 10
    for change in ({"documents": 11}, {"time": "2026-11-28T12:00:00.000"}, {"format": 2}, {"kind": "x"}):
        with pytest.raises(ManifestError):
            manifest.opened(json.dumps(dict(sheet, **change)), "it")
    for text in ("", "[]", "null", None, "{"):
        with pytest.raises(ManifestError, match="no sheet of a manifest"):
            manifest.opened(text, "it")
    naive = manifest.seal(dict(sheet, time="2026-11-28T12:00:00"))
    with pytest.raises(ManifestError, match="no time with a zone"):
        manifest.opened(json.dumps(naive), "it")


def test_the_mark_on_the_snapshot_tells_its_own_manifest_and_fits_there():
    many = opened({"an-index-with-a-long-name-%05d" % number: entry() for number in range(3000)})
    mark = manifest.metadata(many, "t" * 32)
    assert len(json.dumps(mark, separators=(",", ":"))) < manifest.METADATA_BYTES / 2
    assert manifest.belongs(many, taken(many)) == []
    other = opened({"a": entry(11)})
    assert "names another manifest" in manifest.belongs(other, taken(many))[0]
    assert "carries no mark" in manifest.belongs(many, taken(many, metadata=None))[0]
    assert "should be in snapshot" in manifest.belongs(many, taken(many, indices=[]))[0]
    with pytest.raises(ManifestError, match="more than 1024 bytes"):
        manifest.metadata(many, "t" * 1000)


def test_what_nobody_wrote_to_is_compared_exactly_and_what_was_written_to_lies_between():
    sheet = opened({"done": entry(10), "busy": entry(20, "w2", "u2"), "gone": entry(5, "w3", "u3")})
    after = {"done": entry(10), "busy": entry(26, "w9", "u2")}
    assert manifest.unchanged(sheet, after) == ["done"]
    end = closed(sheet, after, {"done": "c1", "busy": "never"})
    assert manifest.problems_of(end) == []
    exact = manifest.expected("done", sheet, end, None)
    assert exact[:3] == (10, 10, "c1")
    assert manifest.mismatches(exact, 10, "c1") == [] and manifest.mismatches(exact, 10, None) == []
    assert "at least 10" in manifest.mismatches(exact, 9, "c1")[0] and "at most 10" in manifest.mismatches(exact, 11, "c1")[0]
    assert "not the same ones" in manifest.mismatches(exact, 10, "c2")[0]
    between = manifest.expected("busy", sheet, end, None)
    assert between[:3] == (20, 26, None)
    assert [bool(manifest.mismatches(between, count, "x")) for count in (19, 20, 23, 26, 27)] == [True, False, False, False, True]
    # It was deleted while the snapshot was taken: the count before is all that is known.
    assert manifest.expected("gone", sheet, end, None)[:3] == (5, None, None)
    assert manifest.expected("stranger", sheet, end, None) is None


def test_the_opening_sheet_alone_knows_what_was_closed_off_before():
    first = opened({"done": entry(10), "busy": entry(20, "w2", "u2")})
    end = closed(first, {"done": entry(10), "busy": entry(20, "w2", "u2")}, {"done": "c1"})
    second = opened({"done": entry(10), "busy": entry(30, "w3", "u2"), "new": entry(1, "w1", "u9")}, end)
    assert {name: one["checksum"] for name, one in second["indices"].items()} == {"done": "c1", "busy": None, "new": None}
    assert [second["indices"][name]["settled"] for name in ("busy", "done", "new")] == [False, True, False]
    alone = manifest.expected("done", second, None, None)
    assert alone[:3] == (10, None, "c1") and manifest.mismatches(alone, 12, "c2") == [] and manifest.mismatches(alone, 10, "c2")
    # An index of the same name that was made anew has nothing of the old one.
    assert opened({"done": entry(10, uuid="u8")}, end)["indices"]["done"]["checksum"] is None


def test_a_proof_that_passed_is_the_best_that_there_is():
    sheet = opened({"busy": entry(20)})
    end = closed(sheet, {"busy": entry(26, "w9")})
    proof = manifest.proof(taken(sheet), "backups", "pass", "well", {"busy": {"documents": 23, "checksum": "c3", "problems": []}}, True, NOW)
    assert manifest.problems_of(proof) == []
    wanted = manifest.expected("busy", sheet, end, proof)
    assert wanted[:3] == (23, 23, "c3") and manifest.mismatches(wanted, 22, "c3")


def test_times_have_a_zone():
    with pytest.raises(ValueError, match="has no zone"):
        manifest.opening("backups", "x", {}, ["3.4.0"], datetime(2026, 11, 28), {})
    assert moments.text(moments.of_text("2026-11-28T13:00:00.500+01:00")) == "2026-11-28T12:00:00.500Z"


def test_a_write_is_seen_by_its_mark():
    assert manifest.writes({"0": 5, "1": 7}, 12) == manifest.writes({"1": 7, "0": 5}, 12)
    assert len({manifest.writes({"0": 5, "1": 7}, 12), manifest.writes({"0": 5, "1": 8}, 12), manifest.writes({"0": 5, "1": 7}, 11)}) == 3


HITS = st.lists(st.builds(lambda identity, value: {"_id": str(identity), "_source": {"n": value, "t": "ü", "x": [1, {"a": None}]}},
                          st.integers(0, 50), st.one_of(st.integers(), st.text(max_size=5), st.floats(allow_nan=False))), max_size=20,
                unique_by=lambda hit: hit["_id"])


def checksum(hits):
    found = hashing.Checksum()
    for hit in hits:
        found.add(hit)
    return found.hexdigest()


@given(HITS, st.randoms())
def test_a_checksum_is_that_of_the_documents_and_not_of_their_order(hits, random):
    mixed = list(hits)
    random.shuffle(mixed)
    assert checksum(mixed) == checksum(json.loads(json.dumps(hits))) and len(checksum(hits)) == 64
    if hits:
        assert checksum(hits[1:]) != checksum(hits)
        assert checksum(hits + hits[:1]) != checksum(hits)  # twice is not none
        assert checksum([dict(hits[0], _routing="r")] + hits[1:]) != checksum(hits)
        assert checksum([dict(hits[0], _source={})] + hits[1:]) != checksum(hits)


def test_a_document_without_its_source_has_no_checksum():
    with pytest.raises(ValueError, match="document 1 has no source"):
        checksum([{"_id": "1"}])
