# Copyright (c) 2026, ironrack.cluster contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The folder of a mirror host that holds a bundle.

This is a private module_utils package: it may change in any release.
"""
from __future__ import annotations

import hashlib
import json
import os
import shutil
import tarfile

from .._common.errors import IronrackError
from .._common.fs import atomic_write, read_or_none, sha256_file
from .bundle import MANIFEST, differences, to_remove

INDEX = ".sync.json"
INCOMING = ".incoming"


class Folder:
    """A bundle's folder.

    :param root: its path.
    """

    def __init__(self, root):
        self._root = root

    def _path(self, name):
        return os.path.join(self._root, name)

    def _json(self, name):
        try:
            return json.loads(read_or_none(self._path(name)) or b"null")
        except ValueError:
            return None

    def _stats(self, name):
        try:
            status = os.lstat(self._path(name))
        except (FileNotFoundError, NotADirectoryError):
            return None
        return status.st_size, status.st_mtime_ns

    def compare(self, manifest):
        """:returns: (needed names, names to remove, whether the manifest itself differs, index of what is right)."""
        index = self._json(INDEX) or {}
        old = self._json(MANIFEST)
        needed, right = differences(manifest, index, self._stats, lambda name: sha256_file(self._path(name)))
        remove = [name for name in to_remove(manifest, index, old) if self._stats(name) is not None]
        return needed, remove, old != manifest, right

    def free_bytes(self):
        """:returns: the space that is left on the file system that the folder is on, or will be on."""
        place = self._root
        while not os.path.isdir(place):
            place = os.path.dirname(place)
        return shutil.disk_usage(place).free

    def store(self, archive, names, manifest):
        """Take files out of an archive, verify each and put it in place.

        :raises IronrackError: where one is not what the manifest says; the ones before it stay.
        """
        incoming = self._path(INCOMING)
        os.makedirs(incoming, mode=0o755, exist_ok=True)
        index = self._json(INDEX) or {}
        with tarfile.open(archive, "r:") as tar:
            for number, name in enumerate(names):
                staged = os.path.join(incoming, str(number))
                sha256 = _copy(tar, name, staged)
                if sha256 != manifest["files"][name]["sha256"]:
                    os.unlink(staged)
                    raise IronrackError(
                        "%s arrived with the SHA-256 %s, expected %s: run again, and look at the connection and the disk if it stays so" % (
                            name, sha256, manifest["files"][name]["sha256"]))
                self._make_parents(name)
                os.rename(staged, self._path(name))
                size, mtime = self._stats(name)
                index[name] = {"sha256": sha256, "size": size, "mtime_ns": mtime}
        self._write(INDEX, index)

    def finish(self, manifest, text, remove, right):
        """Remove what the bundle no longer has, and say by the manifest that the folder is whole.

        :param text: the manifest as it was sent.
        :param right: the index of what was right before.
        """
        os.makedirs(self._root, mode=0o755, exist_ok=True)
        index = dict(right, **(self._json(INDEX) or {}))
        atomic_write(self._path(MANIFEST), text.encode("utf-8"), mode=0o644)
        for name in remove:
            os.unlink(self._path(name))
        self._write(INDEX, dict((name, entry) for name, entry in index.items() if name in manifest["files"]))
        shutil.rmtree(self._path(INCOMING), ignore_errors=True)

    def _make_parents(self, name):
        # apt's own user and nginx's read here, whatever umask the connection has
        place = self._root
        for part in os.path.dirname(name).split("/"):
            place = os.path.join(place, part)
            if not os.path.isdir(place):
                os.mkdir(place)
                os.chmod(place, 0o755)

    def _write(self, name, value):
        atomic_write(self._path(name), json.dumps(value, sort_keys=True).encode("ascii"), mode=0o644)


def _copy(tar, name, path):
    digest = hashlib.sha256()
    with tar.extractfile(name) as source, open(path, "wb") as target:
        for piece in iter(lambda: source.read(1 << 20), b""):
            digest.update(piece)
            target.write(piece)
        target.flush()
        os.fsync(target.fileno())
    os.chmod(path, 0o644)
    return digest.hexdigest()
