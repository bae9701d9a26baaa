# Copyright (c) 2026, ironrack.cluster contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Files on a host: hashes, and writes that are either there as a whole or not at all.

This is a private module_utils package: it may change in any release.
"""
from __future__ import annotations

import hashlib
import os
import tempfile


def sha256_file(path):
    """:returns: the hex SHA-256 of a file's content, read in pieces of 1 MiB."""
    return sum_of_file(path, "sha256")


def sum_of_file(path, algorithm):
    """:returns: the hex sum of a file's content by an algorithm of hashlib, read in pieces of 1 MiB."""
    digest = hashlib.new(algorithm)
    with open(path, "rb") as stream:
        for piece in iter(lambda: stream.read(1 << 20), b""):
            digest.update(piece)
    return digest.hexdigest()


def read_or_none(path):
    """:returns: the content as bytes, or None where there is no such file."""
    try:
        with open(path, "rb") as stream:
            return stream.read()
    except (FileNotFoundError, NotADirectoryError):
        return None


def sync_directory(path):
    """Make a rename in ``path`` survive a power loss."""
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def atomic_write(path, data, mode=None, uid=None, gid=None):
    """Write ``data`` to ``path`` so that a reader, a kill or a power loss sees the old file or the new one.

    :param data: bytes.
    :param mode: permission bits; where None, those of the old file, else 0644.
    :param uid: owner; where None, the old file's, else the caller's.
    :param gid: group; likewise.
    """
    folder = os.path.dirname(path) or "."
    try:
        old = os.stat(path)
    except FileNotFoundError:
        old = None
    if mode is None:
        mode = old.st_mode & 0o7777 if old else 0o644
    handle, staged = tempfile.mkstemp(prefix=".%s." % os.path.basename(path), suffix=".ironrack", dir=folder)
    try:
        with os.fdopen(handle, "wb") as stream:
            stream.write(data)
            stream.flush()
            os.fchown(stream.fileno(),
                      uid if uid is not None else (old.st_uid if old else -1),
                      gid if gid is not None else (old.st_gid if old else -1))
            os.fchmod(stream.fileno(), mode)
            os.fsync(stream.fileno())
        os.rename(staged, path)
    except BaseException:
        os.unlink(staged)
        raise
    sync_directory(folder)
