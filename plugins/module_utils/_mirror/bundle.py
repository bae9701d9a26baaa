# Copyright (c) 2026, ironrack.cluster contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A bundle's manifest, and what differs between it and a folder. Pure.

This is a private module_utils package: it may change in any release.
"""
from __future__ import annotations

import json
import posixpath
import re

from .._common.errors import IronrackError

MANIFEST = "manifest.json"
_HEX = re.compile(r"^[0-9a-f]{64}$")
_PART = re.compile(r"^[A-Za-z0-9][A-Za-z0-9._+~%:-]*$")


def parse_manifest(text, origin):
    """Read and check a manifest.

    :param text: its JSON.
    :param origin: where it comes from, for the error.
    :returns: the manifest.
    :raises IronrackError: with everything that is wrong.
    """
    try:
        manifest = json.loads(text)
    except ValueError as error:
        raise IronrackError("%s is no JSON (%s): build the bundle again" % (origin, error))
    if not isinstance(manifest, dict) or manifest.get("version") != 1 or not isinstance(manifest.get("files"), dict):
        raise IronrackError("%s is no manifest of version 1: was it made by another release of this collection?" % origin)
    problems = []
    for name, entry in sorted(manifest["files"].items()):
        if not all(_PART.match(part) for part in name.split("/")) or name == MANIFEST:
            problems.append("%r is no plain path" % name)
        elif not isinstance(entry, dict) or not _HEX.match(str(entry.get("sha256"))) or not isinstance(entry.get("size"), int):
            problems.append("%s has no sha256 or no size" % name)
        elif name.startswith("images/") and not (entry.get("image") and entry.get("tag")):
            problems.append("%s has no image or no tag" % name)
    if not manifest["files"]:
        problems.append("it names no files")
    if problems:
        raise IronrackError("%s is wrong:\n- %s" % (origin, "\n- ".join(problems)), problems=problems)
    return manifest


def differences(manifest, index, stats, digest):
    """Compare a manifest with a folder.

    :param manifest: the parsed manifest.
    :param index: {name: {"sha256", "size", "mtime_ns"}} of what was verified earlier, so that a file that was not touched since
        is not read again.
    :param stats: a callable: (size, mtime_ns) of a name, or None.
    :param digest: a callable: SHA-256 of a name.
    :returns: (the names that are missing or different, the index of those that are right).
    """
    needed, right = [], {}
    for name, entry in sorted(manifest["files"].items()):
        found = stats(name)
        known = index.get(name)
        if found is None or found[0] != entry["size"]:
            needed.append(name)
            continue
        if known and (known["size"], known["mtime_ns"]) == tuple(found):
            sha256 = known["sha256"]
        else:
            sha256 = digest(name)
        if sha256 != entry["sha256"]:
            needed.append(name)
        else:
            right[name] = {"sha256": sha256, "size": found[0], "mtime_ns": found[1]}
    return needed, right


def to_remove(manifest, index, old_manifest):
    """:returns: the names that an earlier bundle brought and this one does not have; files of anybody else are no business of ours."""
    ours = set(index) | set((old_manifest or {}).get("files", {}))
    return sorted(name for name in ours if name not in manifest["files"] and all(_PART.match(part) for part in name.split("/")))


def batches(names, sizes, limit):
    """Cut a list of files into parts that are sent one at a time.

    :param limit: bytes of a part; a larger file is a part of its own.
    """
    parts, room = [], 0
    for name in names:
        if not parts or sizes[name] > room:
            parts.append([])
            room = limit
        parts[-1].append(name)
        room -= sizes[name]
    return parts


def images_of(manifest):
    """:returns: a list of dicts with file, path (the repository in any registry), tag and digest ("" where the manifest has none)."""
    return [
        {"file": name, "path": repository_path(entry["image"]), "tag": entry["tag"], "digest": entry.get("digest") or ""}
        for name, entry in sorted(manifest["files"].items()) if entry.get("image")]


def repository_path(image):
    """:returns: an image's name without its registry: the part before the first slash, where that looks like a host."""
    first, slash, rest = image.partition("/")
    return rest if slash and ("." in first or ":" in first or first == "localhost") else posixpath.normpath(image)
