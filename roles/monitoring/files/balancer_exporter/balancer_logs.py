# Copyright (c) 2026, ironrack.cluster contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The logs' files, followed through rotations, so that each line is read once."""
from __future__ import annotations

import glob
import hashlib
import logging
import os

LOG = logging.getLogger("balancer-exporter")
CHUNK = 4 << 20
HEAD = 256


class Follower:
    """One log file, whatever it is called by now: it is known by its inode and its beginning."""

    def __init__(self, path, stream, offset=0, head=(0, "")):
        self.path = path
        self.offset = offset
        self.replaced = None    # since when another file has its name
        self._stream = stream
        self._head = tuple(head)
        self._size = -1

    @property
    def identity(self):
        status = os.fstat(self._stream.fileno())
        return status.st_dev, status.st_ino

    def is_same(self):
        """:returns: whether the file begins as it did."""
        length, digest = self._head
        return not length or digest_of(os.pread(self._stream.fileno(), length, 0)) == digest

    def lines(self):
        """:returns: the whole lines that were written since; empty at the end."""
        size = os.fstat(self._stream.fileno()).st_size
        if size != self._size:
            self._size = size
            if not self.is_same():
                self.offset, self._head = 0, (0, "")      # emptied in place, and written anew
            self.offset = min(self.offset, size)          # a crash of the host took the end of the file
        data = os.pread(self._stream.fileno(), CHUNK, self.offset)
        whole = data.rfind(b"\n") + 1
        if not whole and len(data) == CHUNK:
            whole = len(data)
        self.offset += whole
        if self._head[0] < min(HEAD, self.offset):
            length = min(HEAD, self.offset)
            self._head = (length, digest_of(os.pread(self._stream.fileno(), length, 0)))
        # NGINX's own line ends alone: splitlines() knows others, which a client can put into a path or a header.
        text = data[:whole].decode("utf-8", "replace")
        return text.rstrip("\n").split("\n") if text else []

    def dump(self):
        return {"path": self.path, "identity": self.identity, "offset": self.offset, "head": self._head, "replaced": self.replaced}

    def close(self):
        self._stream.close()


def digest_of(data):
    return hashlib.sha256(data).hexdigest()


class Logs:
    """All files that match the patterns, and those that did until they were rotated away.

    :param grace: seconds that an old file is still read: longer than NGINX's old workers live.
    """

    def __init__(self, patterns, grace):
        self._patterns = patterns
        self._grace = grace
        self.followers = []
        self.lost = 0
        self.unreadable = 0

    def load(self, dumped):
        for known in dumped:
            stream = self._found(known)
            if stream is None:
                self.lost += 1
                LOG.error("%s of the last run is gone: what it held after byte %d was not counted", known["path"], known["offset"])
                continue
            follower = Follower(known["path"], stream, known["offset"], known["head"])
            follower.replaced = known["replaced"]
            self.followers.append(follower)

    @staticmethod
    def _found(known):
        """:returns: the file of the last run, opened, whatever its name is now."""
        for path in [known["path"]] + sorted(glob.glob(glob.escape(known["path"]) + ".*")):
            try:
                stream = open(path, "rb")
            except OSError:
                continue
            follower = Follower(path, stream, known["offset"], known["head"])
            if follower.identity == tuple(known["identity"]) and (path == known["path"] or follower.is_same()):
                return stream
            stream.close()
        return None

    def refresh(self, now):
        """Find files that are new under their names, and leave those that nobody writes to any more."""
        present, self.unreadable = {}, 0
        for pattern in self._patterns:
            for path in sorted(glob.glob(pattern)):
                try:
                    status = os.stat(path)
                except OSError:
                    continue
                present[(status.st_dev, status.st_ino)] = path
        known = {follower.identity: follower for follower in self.followers}
        for identity, path in present.items():
            if identity not in known:
                try:
                    self.followers.append(Follower(path, open(path, "rb")))
                except OSError as error:
                    self.unreadable += 1
                    LOG.error("%s cannot be read: %s", path, error)
        for identity, follower in known.items():
            if identity in present:
                follower.path, follower.replaced = present[identity], None
            elif follower.replaced is None:
                follower.replaced = now
            elif now - follower.replaced > self._grace:
                follower.close()
                self.followers.remove(follower)

    def lines(self):
        """:returns: (lines of access logs, lines of error logs); both empty at the end."""
        access, errors = [], []
        for follower in self.followers:
            if not follower.path.endswith("-error.log"):
                access += follower.lines()
        for follower in self.followers:
            if follower.path.endswith("-error.log"):
                more = follower.lines()
                while more:
                    errors += more
                    more = follower.lines()
        return access, errors
