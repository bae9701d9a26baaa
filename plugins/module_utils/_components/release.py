# Copyright (c) 2026, ironrack.cluster contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A release's components: what they ask for, and what a host already has. Pure.

This is a private module_utils package: it may change in any release.
"""
from __future__ import annotations

import posixpath
import re
from collections import namedtuple

from .._common.errors import IronrackError

# One component. files: dicts of the release file; links: member below the version's folder by absolute link path.
Component = namedtuple("Component", ("name", "version", "files", "links"))

_PLAIN = re.compile(r"^[A-Za-z0-9][A-Za-z0-9._+~-]*$")
_HEX = re.compile(r"^[0-9a-fA-F]{64}$")
_VENDORS_HEX = re.compile(r"^(?:[0-9a-fA-F]{64}|[0-9a-fA-F]{128})$")


def parse(components, source):
    """Read the release's entries.

    :param components: the release's components by name.
    :param source: mirror or upstream.
    :returns: a list of :class:`Component`.
    :raises IronrackError: with everything that is wrong.
    """
    problems, parsed = [], []
    for name, entry in components.items():
        version, files, links = str(entry.get("version") or ""), entry.get("files") or [], dict(entry.get("links") or {})
        if not _PLAIN.match(name) or not _PLAIN.match(version):
            problems.append("component %r has no plain name or version (%r)" % (name, version))
        if not files:
            problems.append("component %s names no files" % name)
        for item in files:
            links.update(item.get("links") or {})
            if not _PLAIN.match(str(item.get("file") or "")):
                problems.append("component %s: %r is no plain file name" % (name, item.get("file")))
            if source == "upstream" and not item.get("upstream"):
                problems.append("component %s: %s cannot be had from upstream; use a mirror or the host's own package" % (name, item.get("file")))
            if source == "upstream" and item.get("upstream") and not (item.get("sha256") or item.get("checksum")):
                problems.append("component %s: %s has neither sha256 nor checksum, and is not installed unverified" % (name, item.get("file")))
        for link, member in links.items():
            if not link.startswith("/") or member.startswith("/") or ".." in member.split("/"):
                problems.append("component %s: link %s -> %s leads out of the component" % (name, link, member))
        parsed.append(Component(name, version, files, links))
    if problems:
        raise IronrackError("the release's components are wrong:\n- %s" % "\n- ".join(problems), problems=problems)
    return parsed


def is_complete(component, record, exists, source):
    """Whether a version's folder holds what the release names.

    The folder's record decides, so that neither a mirror nor a vendor is asked when nothing is missing: an artifact that changes
    gets a new version.

    :param record: the parsed .complete, or None.
    :param exists: a callable that says whether a member of the folder is a file.
    """
    if not record or set(record.get("files", {})) != set(item["file"] for item in component.files):
        return False
    if source == "upstream" and any(
            item.get("sha256") and item["sha256"].lower() != record["files"][item["file"]] for item in component.files):
        return False
    return all(exists(member) for member in component.links.values())


def checksum_in(text, file, origin):
    """Find a file's SHA-256 or SHA-512 in what a vendor publishes: a bare sum, or lines of sum and name.

    :param text: the published text.
    :param file: names that the vendor may have given to the file, in the order of preference.
    :raises IronrackError: when it is not there.
    """
    rows = [line.split() for line in text.splitlines() if line.strip()]
    for name in file:
        for row in rows:
            if len(row) >= 2 and _VENDORS_HEX.match(row[0]) and posixpath.basename(row[-1].lstrip("*")) == name:
                return row[0].lower()
    if len(rows) == 1 and len(rows[0]) == 1 and _VENDORS_HEX.match(rows[0][0]):
        return rows[0][0].lower()
    raise IronrackError("%s holds no SHA-256 or SHA-512 of %s" % (origin, " or ".join(file)))


def algorithm_of(checksum):
    """:returns: what hashlib calls the algorithm of a sum that :func:`checksum_in` has found."""
    return "sha512" if len(checksum) == 128 else "sha256"


def checksum_of_manifest(manifest, file, origin):
    """:returns: the SHA-256 of ``files/FILE`` in a bundle's manifest. :raises IronrackError: where it does not name the file."""
    entry = (manifest.get("files") or {}).get("files/%s" % file)
    if not isinstance(entry, dict) or not _HEX.match(str(entry.get("sha256"))):
        raise IronrackError("the bundle's manifest %s does not name files/%s: is the bundle of this release?" % (origin, file))
    return entry["sha256"].lower()


def unsafe_member(name, linkname=None):
    """Whether a member of an archive would land outside of its folder.

    :param linkname: the target of a symbolic link, seen from the link.
    """
    path = posixpath.normpath(name)
    if path.startswith(("/", "../")) or path == "..":
        return True
    if linkname is None:
        return False
    target = posixpath.normpath(posixpath.join(posixpath.dirname(path), linkname))
    return linkname.startswith("/") or target.startswith("../") or target == ".."
