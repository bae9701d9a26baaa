# Copyright (c) 2026, ironrack.cluster contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a release asks for, and whether a host has it."""
from __future__ import annotations

import pytest

from ansible_collections.ironrack.cluster.plugins.module_utils._common.errors import IronrackError
from ansible_collections.ironrack.cluster.plugins.module_utils._components import release

SUM = "ab" * 32
FILE = {
    "file": "x.tar.gz", "upstream": "https://example.com/x-1.tar.gz", "checksum": "https://example.com/SUMS", "unpack": True,
    "links": {"/usr/bin/x": "bin/x"}}


def component(**changed):
    return release.parse({"x": {"version": "1.0", "files": [dict(FILE, **changed)]}}, "mirror")[0]


def test_links_of_files_and_component_come_together():
    parsed = release.parse({"x": {"version": "1.0", "files": [FILE], "links": {"/usr/bin/y": "bin/y"}}}, "upstream")
    assert parsed[0].links == {"/usr/bin/x": "bin/x", "/usr/bin/y": "bin/y"}


@pytest.mark.parametrize("entry, source, word", [
    ({"version": "", "files": [FILE]}, "mirror", "version"),
    ({"version": "../1", "files": [FILE]}, "mirror", "version"),
    ({"version": "1", "files": []}, "mirror", "no files"),
    ({"version": "1", "files": [dict(FILE, file="../x")]}, "mirror", "plain"),
    ({"version": "1", "files": [dict(FILE, links={"/usr/bin/x": "../../etc/passwd"})]}, "mirror", "leads out"),
    ({"version": "1", "files": [dict(FILE, links={"usr/bin/x": "x"})]}, "mirror", "leads out"),
    ({"version": "1", "files": [dict(FILE, upstream="")]}, "upstream", "cannot be had"),
    ({"version": "1", "files": [dict(FILE, checksum="")]}, "upstream", "unverified"),
])
def test_a_wrong_release_is_refused_in_words(entry, source, word):
    with pytest.raises(IronrackError, match=word):
        release.parse({"x": entry}, source)


@pytest.mark.parametrize("complete, record, exists, source, pinned", [
    (True, {"files": {"x.tar.gz": SUM}}, True, "mirror", None),
    (False, {"files": {"x.tar.gz": SUM}}, False, "mirror", None),
    (False, {"files": {"other": SUM}}, True, "mirror", None),
    (False, None, True, "mirror", None),
    (True, {"files": {"x.tar.gz": SUM}}, True, "upstream", SUM.upper()),
    (False, {"files": {"x.tar.gz": SUM}}, True, "upstream", "cd" * 32),
    (True, {"files": {"x.tar.gz": SUM}}, True, "mirror", "cd" * 32),
])
def test_complete(complete, record, exists, source, pinned):
    assert release.is_complete(component(sha256=pinned), record, lambda member: exists, source) is complete


@pytest.mark.parametrize("text", [
    SUM, SUM + "\n", SUM + "  x.tar.gz", "00%s  other\n%s *dist/x.tar.gz\n" % (SUM[2:], SUM), "# sums\n%s  x-1.tar.gz" % SUM.upper(),
])
def test_checksums_as_vendors_publish_them(text):
    assert release.checksum_in(text, ("x-1.tar.gz", "x.tar.gz"), "the vendor") == SUM


@pytest.mark.parametrize("text", ["", "<html>", SUM + "  other.tar.gz", SUM + "\n" + SUM])
def test_a_missing_checksum_is_an_error(text):
    with pytest.raises(IronrackError, match="holds no SHA-256 or SHA-512"):
        release.checksum_in(text, ("x.tar.gz",), "the vendor")


@pytest.mark.parametrize("text", [SUM * 2, SUM * 2 + "  x.tar.gz", "%s  other\n%s  x.tar.gz" % (SUM, SUM.upper() * 2)])
def test_some_vendors_publish_the_longer_sum(text):
    found = release.checksum_in(text, ("x.tar.gz",), "the vendor")
    assert (found, release.algorithm_of(found)) == (SUM * 2, "sha512")
    assert release.algorithm_of(SUM) == "sha256"


def test_a_manifest_of_another_release_is_an_error():
    assert release.checksum_of_manifest({"files": {"files/x": {"sha256": SUM}}}, "x", "m") == SUM
    with pytest.raises(IronrackError, match="does not name files/y"):
        release.checksum_of_manifest({"files": {"files/x": {"sha256": SUM}}}, "y", "m")


@pytest.mark.parametrize("unsafe, name, link", [
    (False, "a/b", None), (False, "./a", None), (True, "/a", None), (True, "../a", None), (True, "a/../../b", None),
    (False, "a/b", "../c"), (True, "a/b", "../../c"), (True, "a", "/etc/passwd"),
])
def test_members_stay_below_their_folder(unsafe, name, link):
    assert release.unsafe_member(name, link) is unsafe
