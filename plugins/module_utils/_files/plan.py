# Copyright (c) 2026, ironrack.cluster contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Compare what a path should be with what it is. Pure: no file is touched here.

This is a private module_utils package: it may change in any release.
"""
from __future__ import annotations

from collections import namedtuple

from .payload import to_text

# What is at a path. kind: absent, file, directory, link or other; data: a file's bytes; target: a link's.
Seen = namedtuple("Seen", ("kind", "data", "mode", "uid", "gid", "target", "entries"))
ABSENT = Seen("absent", None, None, None, None, None, ())

# What a path should be. data is None for a directory, a link and an absent path; a mode, uid or gid of None is left as it is;
# -1 is an owner whose name does not exist yet (only in check mode), so equal to no owner that is there.
Wanted = namedtuple("Wanted", ("path", "state", "data", "mode", "uid", "gid", "target", "secret"))

# What has to be done. problem: why it cannot be.
Change = namedtuple("Change", ("wanted", "seen", "content", "attributes", "problem"))


def compare(wanted, seen, leaving=frozenset()):
    """Decide what one path needs.

    :param leaving: paths that the same call removes, so that a folder that holds only these counts as empty.
    :returns: a :class:`Change`, or None where nothing is to be done.
    """
    if wanted.state == "absent":
        if seen.kind == "absent":
            return None
        rest = [name for name in seen.entries if "%s/%s" % (wanted.path.rstrip("/"), name) not in leaving]
        problem = "%s is to be absent, but it is a folder with %s in it: move that away first" % (
            wanted.path, ", ".join(sorted(rest)[:5])) if rest else None
        return Change(wanted, seen, True, False, problem)
    if wanted.state == "link":
        if seen.kind == "link" and seen.target == wanted.target:
            return None
        problem = _in_the_way(wanted, seen, ("absent", "file", "link"))
        return Change(wanted, seen, True, False, problem)
    if wanted.state == "directory":
        problem = _in_the_way(wanted, seen, ("absent", "directory"))
        content = seen.kind != "directory"
    else:
        problem = _in_the_way(wanted, seen, ("absent", "file", "link"))
        content = seen.kind != "file" or seen.data != wanted.data
    attributes = seen.kind == wanted.state and any(
        want is not None and want != have
        for want, have in ((wanted.mode, seen.mode), (wanted.uid, seen.uid), (wanted.gid, seen.gid)))
    if not (content or attributes or problem):
        return None
    return Change(wanted, seen, content, attributes, problem)


def _in_the_way(wanted, seen, allowed):
    if seen.kind in allowed:
        return None
    return "%s should be a %s, but there is a %s: move it away first" % (
        wanted.path, wanted.state, "device, socket or pipe" if seen.kind == "other" else seen.kind)


def diff_of(change):
    """:returns: before and after for Ansible's --diff; a secret's content never appears in it."""
    wanted, seen = change.wanted, change.seen
    return {
        "before_header": wanted.path, "after_header": wanted.path,
        "before": _describe(seen.kind, seen.data, wanted.secret, seen.mode, seen.target, change, _changed_owner(seen.uid, seen.gid)),
        "after": _describe(
            wanted.state, wanted.data, wanted.secret, wanted.mode if wanted.mode is not None else seen.mode, wanted.target, change,
            _changed_owner(wanted.uid if wanted.uid is not None else seen.uid, wanted.gid if wanted.gid is not None else seen.gid)),
    }


def _changed_owner(uid, gid):
    return "owner %s:%s" % tuple("(new)" if number == -1 else number for number in (uid, gid))


def _describe(kind, data, secret, mode, target, change, owner):
    if kind == "absent":
        return ""
    lines = []
    if kind in ("directory", "link"):
        lines.append(kind + (" to %s" % target if kind == "link" else ""))
    if change.attributes:
        lines.append("mode %04o %s" % (mode, owner))
    head = "".join(line + "\n" for line in lines)
    if kind != "file" or not change.content:
        return head
    if secret:
        return head + "(secret content)\n"
    if b"\0" in data[:8192] or len(data) > 256 * 1024:
        return head + "(%d bytes)\n" % len(data)
    return head + to_text(data).encode("utf-8", "replace").decode("utf-8")


def replace_block(text, block, marker):
    """Put ``block`` between its two marker lines, at the end where they are missing; an empty block takes both lines away.

    :param text: the file as it is.
    :param marker: a line with {mark} in it.
    :returns: the file as it should be.
    """
    begin, end = marker.replace("{mark}", "BEGIN"), marker.replace("{mark}", "END")
    lines = text.splitlines()
    middle = [begin] + block.splitlines() + [end] if block.strip() else []
    if begin in lines and end in lines[lines.index(begin):]:
        first = lines.index(begin)
        last = lines.index(end, first)
        lines[first:last + 1] = middle
    else:
        # a lone marker line is what a hand left of an old block
        lines = [line for line in lines if line not in (begin, end)] + middle
    return "".join(line + "\n" for line in lines)
