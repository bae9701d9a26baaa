# Copyright (c) 2026, ironrack.cluster contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What was seen on the way of a rollout, a JSON line each, on the host that drives it. It outlives a kill and is added to by whoever drives on.

The record says what was decided; this says what it was decided by. Nothing depends on it but the report.

This is a private module_utils package: it may change in any release.
"""
from __future__ import annotations

import json
import os

#: Bytes after which only one look in a hundred is kept: a gate that a person leaves paused for a week must not fill the disk.
MOST = 16 * 1024 * 1024
THINNED = 100


class Journal:
    """The file of one rollout.

    :param folder: of all of them.
    """

    def __init__(self, folder, service):
        self._folder, self._service, self._looks = folder, service, 0

    def path(self, number):
        """:returns: the file of a rollout."""
        return os.path.join(self._folder, "%s-%d.jsonl" % (self._service, number))

    def write(self, number, now, kind, **content):
        """Add a line. A disk that is full costs the report a line, and the rollout nothing.

        :returns: why it could not be written; empty where it was.
        """
        path = self.path(number)
        self._looks += 1
        try:
            os.makedirs(self._folder, mode=0o750, exist_ok=True)
            if kind == "look" and os.path.exists(path) and os.path.getsize(path) > MOST and self._looks % THINNED:
                return ""
            handle = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o640)
            with os.fdopen(handle, "a", encoding="utf-8") as stream:
                # One write: a kill leaves a whole line or none, and at worst a part that a reader leaves out.
                stream.write(json.dumps(dict(content, at=round(now, 1), kind=kind), sort_keys=True) + "\n")
        except OSError as error:
            return "the journal %s cannot be written: %s" % (path, error)
        return ""


def parse(text):
    """:returns: the lines of a journal, oldest first; what a kill has cut short is left out."""
    found = []
    for line in text.splitlines():
        try:
            one = json.loads(line)
        except ValueError:
            continue
        if isinstance(one, dict) and isinstance(one.get("at"), (int, float)):
            found.append(one)
    return found
