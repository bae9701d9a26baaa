# Copyright (c) 2026, ironrack.cluster contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The bundle on the controller: whether it is whole, and whether it is that of the release. mirror_sync looks again at what it sends."""
from __future__ import annotations

import os
from concurrent.futures import ThreadPoolExecutor

from ...module_utils._common.errors import IronrackError
from ...module_utils._common.fs import sha256_file
from ...module_utils._mirror.bundle import MANIFEST, parse_manifest, repository_path

WHERE = "the bundle"
#: Readings at once: hashing leaves the interpreter to the others, and a disk gains nothing from more.
READERS = 4
MOST_TOLD = 8


def bundle_problems(folder, release):
    """:returns: [(what, expected, mend)] of a bundle's folder, read here, and of the release that it has to serve."""
    if not folder:
        return [("mirror_bundle is not set", "the bundle's folder on the controller", "set mirror_bundle in group_vars/all")]
    folder = os.path.expanduser(folder)
    path = os.path.join(folder, MANIFEST)
    try:
        with open(path, encoding="utf-8") as stream:
            manifest = parse_manifest(stream.read(), path)
    except (OSError, UnicodeDecodeError) as error:
        return [("%s cannot be read (%s)" % (path, getattr(error, "strerror", None) or "it is no text"), "a bundle with its manifest",
                 "build or unpack the bundle, or correct mirror_bundle")]
    except IronrackError as error:
        return [(str(error), "the manifest that the bundle was built with", "build or copy the bundle again")]
    return list(lacking(manifest, release)) + list(damaged(folder, manifest))


def lacking(manifest, release):
    """What the release needs and the manifest does not name. Pure."""
    wanted = release.get("version", "")
    if manifest.get("release", wanted) != wanted:
        yield ("it is the bundle of %s" % manifest["release"], "the bundle of %s" % wanted,
               "point mirror_bundle to that one, or set cluster_kubernetes_version to %s" % manifest["release"])
        return
    files = {"files/" + item["file"] for component in release.get("components", {}).values() for item in component.get("files", ())}
    images = {(repository_path(entry["image"]), str(entry["tag"])) for entry in manifest["files"].values() if entry.get("image")}
    missing = sorted(files.difference(manifest["files"]))
    missing += ["%s:%s" % (image["name"], image["tag"]) for image in release.get("images", ())
                if (repository_path(image["name"]), str(image["tag"])) not in images]
    if missing:
        yield "its manifest does not name %s" % _told(missing), "every file and image of release %s" % wanted, "build the bundle again"


def damaged(folder, manifest):
    """Every file whose size or SHA-256 is not that of the manifest."""
    with ThreadPoolExecutor(READERS) as readers:
        found = [reason for reason in readers.map(lambda item: _damage(folder, *item), sorted(manifest["files"].items())) if reason]
    if found:
        yield _told(found, "; "), "files as its manifest says", "build or copy the bundle again: nothing of a damaged one is sent"


def _damage(folder, name, entry):
    path = os.path.join(folder, name)
    try:
        size = os.path.getsize(path)
        if size != entry["size"]:
            return "%s has %d bytes, the manifest says %d" % (name, size, entry["size"])
        return "" if sha256_file(path) == entry["sha256"] else "%s has another SHA-256 than the manifest says" % name
    except OSError as error:
        return "%s cannot be read (%s)" % (name, error.strerror)


def _told(found, between=", "):
    return between.join(found[:MOST_TOLD]) + (" and %d more" % (len(found) - MOST_TOLD) if len(found) > MOST_TOLD else "")
