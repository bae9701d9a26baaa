# Copyright (c) 2026, ironrack.cluster contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Where an image is in its registry, and what a registry's answer says. Pure.

This is a private module_utils package: it may change in any release.
"""
from __future__ import annotations

import re
from collections import namedtuple

# registry: host and port; path: of the image there; tag, digest: empty where it names none; name: without both.
Image = namedtuple("Image", ("registry", "path", "tag", "digest", "name"))

_IMAGE = re.compile(
    r"(?P<registry>[a-zA-Z0-9.-]+(:[0-9]+)?|\[[0-9a-fA-F:]+\](:[0-9]+)?)/(?P<path>[a-z0-9]+([._/-]+[a-z0-9]+)*)"
    r"(:(?P<tag>[A-Za-z0-9_][A-Za-z0-9._-]{0,127}))?(@(?P<digest>sha256:[0-9a-f]{64}))?\Z")
#: A single image or one for several processors, of Docker's or OCI's form.
MANIFESTS = ", ".join(("application/vnd.oci.image.index.v1+json", "application/vnd.oci.image.manifest.v1+json",
                       "application/vnd.docker.distribution.manifest.list.v2+json", "application/vnd.docker.distribution.manifest.v2+json"))


def parse(text):
    """:returns: the :class:`Image` of a reference with its registry; None where it is none. `library/llm` is a path and no registry."""
    found = _IMAGE.match(text)
    if not found:
        return None
    registry = found.group("registry")
    if not re.search(r"[.:\[]", registry) and registry != "localhost":
        return None
    return Image(registry, found.group("path"), found.group("tag") or "", found.group("digest") or "", "%s/%s" % (registry, found.group("path")))


def manifest_path(image):
    """:returns: the path of an image's manifest."""
    return "/v2/%s/manifests/%s" % (image.path, image.digest or image.tag or "latest")


def challenge(header):
    """:returns: the parts of a Bearer challenge (realm, service, scope); None where the registry asks for something else."""
    kind, _space, rest = (header or "").partition(" ")
    parts = dict(re.findall(r'(\w+)="([^"]*)"', rest))
    return parts if kind.lower() == "bearer" and parts.get("realm") else None


def verdict(text, status):
    """:returns: what a registry's answer for a manifest says against an image: (what, expected, mend), or None where it is there."""
    if status == 200:
        return None
    if status == 404:
        return "the registry has no %s" % text, "an image that is there", "Push it, or correct its name."
    if status in (401, 403):
        return "the registry does not let us see %s (status %d)" % (text, status), "an account that may pull it", "Give the account's name and password file."
    return "the registry answered %d for %s" % (status, text), "status 200", "See to the registry, then try again."
