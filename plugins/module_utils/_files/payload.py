# Copyright (c) 2026, ironrack.cluster contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the controller sends: the list of files with their contents, packed into one text.

This is a private module_utils package: it may change in any release.
"""
from __future__ import annotations

import base64
import json
import re
import zlib

KEYS = frozenset((
    "path", "state", "content", "template", "src", "vars", "block", "marker", "copy_of", "replace",
    "mode", "owner", "group", "secret", "target", "validate", "if_absent"))
SOURCES = ("content", "template", "src", "block", "copy_of")
STATES = ("file", "directory", "link", "absent")
MARKER = "# {mark} ironrack.cluster"


def pack(items):
    """:returns: ``items`` as one text of ASCII letters. Contents are texts; bytes that are no UTF-8 are kept by surrogates."""
    return base64.b64encode(zlib.compress(json.dumps(items).encode("ascii"))).decode("ascii")


def unpack(text):
    """:returns: what :func:`pack` was given."""
    return json.loads(zlib.decompress(base64.b64decode(text)).decode("ascii"))


def to_bytes(text):
    """:returns: the bytes of a content."""
    return text.encode("utf-8", "surrogateescape")


def to_text(data):
    """:returns: the content of ``data``."""
    return data.decode("utf-8", "surrogateescape")


def problems_of(items):
    """Everything that is wrong with a list of files as a playbook wrote it.

    :returns: sentences; empty when all is well.
    """
    found = []
    seen = set()
    for number, item in enumerate(items, 1):
        if not isinstance(item, dict):
            found.append("entry %d is no mapping" % number)
            continue
        path = item.get("path")
        if not isinstance(path, str) or not path.startswith("/"):
            found.append("entry %d: path must be absolute, got %r" % (number, path))
            continue
        if path in seen:
            found.append("%s is named twice" % path)
        seen.add(path)
        found.extend("%s: %s" % (path, problem) for problem in _problems_of_item(item))
    return found


def _problems_of_item(item):
    unknown = sorted(set(item) - KEYS)
    if unknown:
        yield "unknown keys %s" % ", ".join(unknown)
    state = item.get("state") or "file"
    if state not in STATES:
        yield "state must be one of %s, got %r" % (", ".join(STATES), state)
    given = [name for name in SOURCES if item.get(name) is not None]
    if state == "file" and len(given) != 1:
        yield "exactly one of %s is needed, got %s" % (", ".join(SOURCES), ", ".join(given) or "none")
    if state in ("directory", "link", "absent") and given:
        yield "state %s takes no %s" % (state, ", ".join(given))
    if (state == "link") != (item.get("target") is not None):
        yield "target belongs to state link, and state link needs it"
    mode = item.get("mode")
    if mode is not None and not (isinstance(mode, str) and re.match(r"^[0-7]{3,4}$", mode)):
        # 0644 without quotes is the number 420 to YAML, and 420 is a mode too
        yield "mode must be a text of octal digits, as in \"0644\", got %r" % (mode,)
    validate = item.get("validate")
    if validate and not (isinstance(validate, (list, tuple)) and any("%s" in str(word) for word in validate)):
        yield "validate must be a list of words with %s in one of them"
    if item.get("copy_of") is not None and not str(item["copy_of"]).startswith("/"):
        yield "copy_of must be absolute, got %r" % (item["copy_of"],)
    if item.get("replace") is not None and (item.get("copy_of") is None or not isinstance(item["replace"], dict)):
        yield "replace is a dictionary, and belongs to copy_of"
    if "{mark}" not in (item.get("marker") or MARKER):
        yield "marker must contain {mark}"
