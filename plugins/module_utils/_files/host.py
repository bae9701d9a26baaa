# Copyright (c) 2026, ironrack.cluster contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Look at paths of a host and change them; what to change is decided in plan.py.

This is a private module_utils package: it may change in any release.
"""
from __future__ import annotations

import glob
import grp
import os
import pwd
import stat
import uuid

from .._common.fs import atomic_write, read_or_none, sync_directory
from .payload import MARKER, to_bytes, to_text
from .plan import ABSENT, Seen, Wanted, replace_block


def look(path):
    """:returns: what is at ``path``, as :class:`Seen`."""
    try:
        status = os.lstat(path)
    except (FileNotFoundError, NotADirectoryError):
        return ABSENT
    kind, data, target, entries = "other", None, None, ()
    if stat.S_ISREG(status.st_mode):
        kind, data = "file", read_or_none(path)
    elif stat.S_ISDIR(status.st_mode):
        kind, entries = "directory", tuple(os.listdir(path))
    elif stat.S_ISLNK(status.st_mode):
        kind, target = "link", os.readlink(path)
    return Seen(kind, data, stat.S_IMODE(status.st_mode), status.st_uid, status.st_gid, target, entries)


class Owners:
    """What a host has that an item only names: numbers of user and group names, and files to be copied.

    :param check_mode: where True, a name that does not exist yet is -1: an earlier task of the real run makes it.
    """

    def __init__(self, check_mode):
        self._check_mode = check_mode
        self.problems = []

    def copied(self, path, replace):
        """:returns: the bytes of another file of this host, with texts replaced; in check mode, of one that an earlier task of the real run brings, a word."""
        data = read_or_none(path)
        if data is None:
            if not self._check_mode:
                self.problems.append("there is no %s on this host to be copied" % path)
            return to_bytes("(what %s will hold)\n" % path)
        for old, new in replace.items():
            data = data.replace(to_bytes(old), to_bytes(new))
        return data

    def uid(self, name):
        """:returns: the number of user ``name``; None where no name is given."""
        return self._number(name, "user", lambda: pwd.getpwnam(name).pw_uid)

    def gid(self, name):
        """:returns: the number of group ``name``; None where no name is given."""
        return self._number(name, "group", lambda: grp.getgrnam(name).gr_gid)

    def _number(self, name, kind, ask):
        if not name:
            return None
        if name.isdigit():
            return int(name)
        try:
            return ask()
        except KeyError:
            if not self._check_mode:
                self.problems.append("there is no %s %s on this host" % (kind, name))
            return -1


def wanted_of(item, owners):
    """:returns: an item of the payload as :class:`Wanted`; a block is merged into the file as it is now."""
    state = item.get("state") or "file"
    secret = bool(item.get("secret"))
    path, data = item["path"], None
    mode = int(item["mode"], 8) if item.get("mode") else None
    if state == "file":
        if item.get("block") is not None:
            # a managed block lives in somebody else's file: that one stays where a link points, and keeps its mode
            path = os.path.realpath(path)
            now = to_text(read_or_none(path) or b"")
            data = to_bytes(replace_block(now, item["block"], item.get("marker") or MARKER))
        elif item.get("copy_of") is not None:
            data = owners.copied(item["copy_of"], item.get("replace") or {})
            mode = 0o644 if mode is None else mode
        else:
            data = to_bytes(item["content"])
            if mode is None:
                mode = 0o600 if secret else 0o644
    elif state == "directory" and mode is None:
        mode = 0o755
    return Wanted(
        path, state, data, mode, owners.uid(item.get("owner")), owners.gid(item.get("group")), item.get("target"), secret)


def stage(wanted, folder, number):
    """Write a file's content below ``folder`` under its own name, for a validator.

    :returns: the path of the staged file.
    """
    place = os.path.join(folder, str(number))
    os.mkdir(place, 0o700)
    path = os.path.join(place, os.path.basename(wanted.path))
    handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(handle, "wb") as stream:
        stream.write(wanted.data)
    return path


def apply(change):
    """Bring one path to what it should be."""
    wanted, seen = change.wanted, change.seen
    folder = os.path.dirname(wanted.path)
    if wanted.state == "absent":
        if seen.kind == "directory":
            os.rmdir(wanted.path)
        else:
            os.unlink(wanted.path)
        return
    os.makedirs(folder, mode=0o755, exist_ok=True)
    if wanted.state == "link":
        replace_by_link(wanted.path, wanted.target)
    elif wanted.state == "directory":
        if seen.kind == "absent" and not os.path.isdir(wanted.path):
            os.mkdir(wanted.path, 0o700)
        _set_attributes(wanted)
    elif change.content:
        for leftover in glob.glob(os.path.join(glob.escape(folder), ".%s.*.ironrack" % glob.escape(os.path.basename(wanted.path)))):
            os.unlink(leftover)  # of a run that was killed
        atomic_write(wanted.path, wanted.data, mode=wanted.mode, uid=wanted.uid, gid=wanted.gid)
    else:
        _set_attributes(wanted)


def _set_attributes(wanted):
    # the owner first: chown takes away set-id bits
    if wanted.uid is not None or wanted.gid is not None:
        os.chown(wanted.path, -1 if wanted.uid is None else wanted.uid, -1 if wanted.gid is None else wanted.gid)
    if wanted.mode is not None:
        os.chmod(wanted.path, wanted.mode)


def replace_by_link(path, target):
    """Make ``path`` a link to ``target`` by a rename, so that there is no moment without one."""
    folder = os.path.dirname(path)
    staged = os.path.join(folder, ".%s.%s.ironrack" % (os.path.basename(path), uuid.uuid4().hex))
    os.symlink(target, staged)
    os.rename(staged, path)
    sync_directory(folder)
