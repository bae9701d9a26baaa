# Copyright (c) 2026, ironrack.cluster contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What ironrack.cluster.files decides, without touching a file."""
from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.ironrack.cluster.plugins.module_utils._files import payload
from ansible_collections.ironrack.cluster.plugins.module_utils._files.plan import ABSENT, Seen, Wanted, compare, diff_of, replace_block

FILE = Seen("file", b"old\n", 0o644, 0, 0, None, ())


def wanted(state="file", data=b"old\n", mode=0o644, uid=None, gid=None, target=None, secret=False):
    return Wanted("/etc/x", state, data if state == "file" else None, mode, uid, gid, target, secret)


@pytest.mark.parametrize("want, seen, changes", [
    (wanted(), FILE, False),
    (wanted(), ABSENT, True),
    (wanted(data=b"new\n"), FILE, True),
    (wanted(mode=0o600), FILE, True),
    (wanted(uid=0, gid=0), FILE, False),
    (wanted(uid=-1), FILE, True),
    (wanted(), Seen("link", None, 0o777, 0, 0, "/dev/null", ()), True),
    (wanted("directory", mode=None), Seen("directory", None, 0o700, 5, 5, None, ("a",)), False),
    (wanted("directory", mode=0o755), Seen("directory", None, 0o700, 5, 5, None, ()), True),
    (wanted("link", target="y"), Seen("link", None, 0o777, 0, 0, "y", ()), False),
    (wanted("link", target="y"), Seen("link", None, 0o777, 0, 0, "z", ()), True),
    (wanted("absent"), ABSENT, False),
    (wanted("absent"), FILE, True),
])
def test_a_path_changes_only_where_it_differs(want, seen, changes):
    change = compare(want, seen)
    assert (change is not None) is changes
    assert change is None or change.problem is None


@pytest.mark.parametrize("want, seen, word", [
    (wanted(), Seen("directory", None, 0o755, 0, 0, None, ()), "there is a directory"),
    (wanted("directory", mode=0o755), FILE, "there is a file"),
    (wanted(), Seen("other", None, 0o644, 0, 0, None, ()), "device"),
    (wanted("absent"), Seen("directory", None, 0o755, 0, 0, None, ("keep",)), "keep"),
])
def test_what_is_in_the_way_is_named(want, seen, word):
    assert word in compare(want, seen).problem


def test_a_folder_is_empty_when_the_same_call_removes_all_of_it():
    seen = Seen("directory", None, 0o755, 0, 0, None, ("a", "b"))
    assert compare(wanted("absent"), seen, frozenset(["/etc/x/a", "/etc/x/b"])).problem is None


def test_a_secret_that_goes_does_not_show_in_the_diff_either():
    change = compare(wanted("absent", secret=True), Seen("file", b"hunter1\n", 0o600, 0, 0, None, ()))
    assert "hunter1" not in str(diff_of(change)) and "secret" in diff_of(change)["before"]


def test_a_secret_never_shows_in_the_diff():
    change = compare(wanted(data=b"hunter2\n", secret=True), Seen("file", b"hunter1\n", 0o644, 0, 0, None, ()))
    assert "hunter" not in repr(diff_of(change))
    assert "secret" in diff_of(change)["after"]


def test_a_new_file_has_an_empty_before():
    diff = diff_of(compare(wanted(data=b"one\n"), ABSENT))
    assert (diff["before"], diff["after"]) == ("", "one\n")


def test_a_mode_shows_in_the_diff():
    diff = diff_of(compare(wanted(mode=0o600), FILE))
    assert "0644" in diff["before"] and "0600" in diff["after"]


MARKER = payload.MARKER
LINES = st.lists(st.text(st.characters(codec="ascii", exclude_characters="\n\r\x0b\x0c\x1c\x1d\x1e"), max_size=8).filter(
    lambda line: "ironrack" not in line), max_size=6)


@given(LINES, LINES)
def test_a_block_is_put_in_once_and_taken_out_again(others, block):
    text = "".join(line + "\n" for line in others)
    inside = "\n".join(block)
    once = replace_block(text, inside, MARKER)
    assert replace_block(once, inside, MARKER) == once
    assert replace_block(once, "", MARKER) == text


def test_a_lone_marker_is_cleared_away():
    assert replace_block("a\n# BEGIN ironrack.cluster\nb\n", "x", MARKER) == "a\nb\n# BEGIN ironrack.cluster\nx\n# END ironrack.cluster\n"


@given(st.binary())
def test_any_content_survives_the_way(data):
    packed = payload.pack([{"content": payload.to_text(data)}])
    assert payload.to_bytes(payload.unpack(packed)[0]["content"]) == data


@pytest.mark.parametrize("item, word", [
    ({"path": "relative", "content": ""}, "absolute"),
    ({"path": "/a"}, "exactly one"),
    ({"path": "/a", "content": "", "src": "b"}, "exactly one"),
    ({"path": "/a", "content": "", "mode": 420}, "octal"),
    ({"path": "/a", "content": "", "mode": "rw"}, "octal"),
    ({"path": "/a", "content": "", "colour": "red"}, "colour"),
    ({"path": "/a", "state": "link"}, "target"),
    ({"path": "/a", "state": "directory", "content": ""}, "takes no content"),
    ({"path": "/a", "state": "gone"}, "state must be"),
    ({"path": "/a", "content": "", "validate": ["true"]}, "%s"),
    ({"path": "/a", "block": "", "marker": "# mine"}, "{mark}"),
    ("text", "no mapping"),
])
def test_wrong_entries_are_refused_in_words(item, word):
    assert word in " ".join(payload.problems_of([item]))


def test_every_problem_is_named_and_a_path_named_twice_too():
    found = payload.problems_of([{"path": "/a"}, {"path": "/b", "mode": "x", "content": ""}, {"path": "/a", "content": ""}])
    assert len(found) == 3
