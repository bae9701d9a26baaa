# Copyright (c) 2026, ironrack.cluster contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A bundle's manifest, and what differs from it."""
from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.ironrack.cluster.plugins.module_utils._common.errors import IronrackError
from ansible_collections.ironrack.cluster.plugins.module_utils._mirror import bundle

A, B = "ab" * 32, "cd" * 32


def manifest(**files):
    return {"version": 1, "files": files or {"files/a": {"sha256": A, "size": 1}}}


@pytest.mark.parametrize("text, word", [
    ("{", "no JSON"),
    ("[]", "version 1"),
    ('{"version": 2, "files": {}}', "version 1"),
    ('{"version": 1, "files": {}}', "no files"),
    (json.dumps(manifest(**{"../a": {"sha256": A, "size": 1}})), "plain path"),
    (json.dumps(manifest(**{"/a": {"sha256": A, "size": 1}})), "plain path"),
    (json.dumps(manifest(**{"manifest.json": {"sha256": A, "size": 1}})), "plain path"),
    (json.dumps(manifest(**{".sync.json": {"sha256": A, "size": 1}})), "plain path"),
    (json.dumps(manifest(a={"sha256": "x", "size": 1})), "sha256"),
    (json.dumps(manifest(a={"sha256": A})), "size"),
    (json.dumps(manifest(**{"images/a.tar": {"sha256": A, "size": 1}})), "image"),
])
def test_a_wrong_manifest_is_refused(text, word):
    with pytest.raises(IronrackError, match=word):
        bundle.parse_manifest(text, "m")


def test_a_good_manifest_passes():
    assert bundle.parse_manifest(json.dumps(manifest()), "m") == manifest()


@pytest.mark.parametrize("stats, index, content, needed, read", [
    (None, {}, A, True, False),
    ((2, 5), {}, A, True, False),
    ((1, 5), {}, A, False, True),
    ((1, 5), {}, B, True, True),
    ((1, 5), {"sha256": A, "size": 1, "mtime_ns": 5}, B, False, False),
    ((1, 6), {"sha256": A, "size": 1, "mtime_ns": 5}, B, True, True),
    ((1, 5), {"sha256": B, "size": 1, "mtime_ns": 5}, A, True, False),
])
def test_differences(stats, index, content, needed, read):
    reads = []

    def digest(name):
        reads.append(name)
        return content

    found, right = bundle.differences(manifest(), {"files/a": index} if index else {}, lambda name: stats, digest)
    assert (found == ["files/a"]) is needed and ("files/a" in right) is not needed and bool(reads) is read


def test_only_what_an_earlier_bundle_brought_is_removed():
    assert bundle.to_remove(manifest(), {"files/old": {}, "files/a": {}, "../evil": {}}, {"files": {"apt/old": {}}}) == ["apt/old", "files/old"]


@given(st.dictionaries(st.text(min_size=1, max_size=3), st.integers(0, 50), max_size=20), st.integers(1, 60))
def test_batches_keep_everything_in_order_and_within_the_limit(sizes, limit):
    names = sorted(sizes)
    parts = bundle.batches(names, sizes, limit)
    assert [name for part in parts for name in part] == names
    assert all(part and (len(part) == 1 or sum(sizes[name] for name in part) <= limit) for part in parts)


@pytest.mark.parametrize("image, path", [
    ("registry.k8s.io/pause", "pause"), ("registry.k8s.io/coredns/coredns", "coredns/coredns"), ("docker.io/library/busybox", "library/busybox"),
    ("localhost/x", "x"), ("site:5000/x/y", "x/y"), ("library/busybox", "library/busybox"), ("busybox", "busybox"),
])
def test_repository_path(image, path):
    assert bundle.repository_path(image) == path
