# Copyright (c) 2026, ironrack.cluster contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Tar archives whose bytes depend on their content alone: sorted, no owner, no time, gzip without a name."""

from __future__ import annotations

import hashlib
import io
import os
import tarfile
import typing as t
import zlib
from pathlib import Path

# Go binaries: level 3 is three times as fast as level 6 and 4 % larger.
LEVEL = 3


class Entry(t.NamedTuple):
    """What stands at one path: a file of the disk, bytes, or a symbolic link."""

    source: Path | None = None
    content: bytes | None = None
    link: str = ""
    mode: int = 0o644
    xattrs: t.Mapping[str, str] = {}


def file(source: Path, mode: int | None = None, **xattrs: str) -> Entry:
    if mode is None:
        mode = 0o755 if source.stat().st_mode & 0o100 else 0o644
    return Entry(source=source, mode=mode, xattrs=xattrs)


def tree(folder: Path) -> dict[str, Entry]:
    """Every file and link below a folder, by its path inside it."""
    entries = {}
    for path in sorted(folder.rglob("*")):
        name = str(path.relative_to(folder))
        if path.is_symlink():
            entries[name] = Entry(link=os.readlink(path))
        elif path.is_file():
            entries[name] = file(path)
    return entries


class _GzipSink(io.RawIOBase):
    """Compresses what is written to it; keeps the sums of both sides (an image layer needs both)."""

    def __init__(self, target: t.BinaryIO) -> None:
        self._target = target
        self._zip = zlib.compressobj(LEVEL, zlib.DEFLATED, 31)
        self.plain = hashlib.sha256()
        self.packed = hashlib.sha256()
        self.size = 0

    def writable(self) -> bool:
        return True

    def write(self, data: t.Any) -> int:
        self.plain.update(data)
        self._emit(self._zip.compress(data))
        return len(data)

    def finish(self) -> None:
        self._emit(self._zip.flush())

    def _emit(self, data: bytes) -> None:
        self.packed.update(data)
        self.size += len(data)
        self._target.write(data)


class Packed(t.NamedTuple):
    sha256: str
    plain_sha256: str
    size: int


def write_tar_gz(path: Path, entries: t.Mapping[str, Entry]) -> Packed:
    with open(path, "wb") as target:
        sink = _GzipSink(target)
        write_tar(sink, entries)
        sink.finish()
    return Packed(sink.packed.hexdigest(), sink.plain.hexdigest(), sink.size)


def write_tar(target: t.Any, entries: t.Mapping[str, Entry]) -> None:
    with tarfile.open(fileobj=target, mode="w|", format=tarfile.PAX_FORMAT, bufsize=1 << 20) as tar:
        for folder in _folders(entries):
            info = tarfile.TarInfo(folder)
            info.type, info.mode = tarfile.DIRTYPE, 0o1777 if folder in ("tmp", "var/tmp") else 0o755
            tar.addfile(info)
        for name, entry in sorted(entries.items()):
            _add(tar, name, entry)


def _folders(entries: t.Mapping[str, Entry]) -> list[str]:
    found = set()
    for name in entries:
        found.update(str(parent) for parent in Path(name).parents if str(parent) != ".")
    return sorted(found)


def _add(tar: tarfile.TarFile, name: str, entry: Entry) -> None:
    info = tarfile.TarInfo(name)
    if entry.link:
        info.type, info.linkname, info.mode = tarfile.SYMTYPE, entry.link, 0o777
        tar.addfile(info)
        return
    info.mode = entry.mode
    info.pax_headers = {f"SCHILY.xattr.{key}": value for key, value in entry.xattrs.items()}
    if entry.source is None:
        content = entry.content or b""
        info.size = len(content)
        tar.addfile(info, io.BytesIO(content))
        return
    info.size = entry.source.stat().st_size
    with open(entry.source, "rb") as stream:
        tar.addfile(info, stream)
