# Copyright (c) 2026, ironrack.cluster contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What one line of a service's logs says of a request. Pure."""
from __future__ import annotations

import math
import re
from collections import namedtuple

SEVERAL = re.compile(r", | : ")
BROKEN = re.compile(r' \*(\d+) (?:.*) while reading upstream, (?:.*)upstream: "[a-z]+://([^/"]+)')
#: ``completion``: complete, broken or left; ``tries``: the status of each; ``duration`` and ``first_byte``: seconds, or None where they do not count.
Request = namedtuple("Request", ("service", "release", "status", "direct", "completion", "stream", "tries", "duration", "first_byte"))


def several(text):
    """:returns: the parts of a field that holds one for each try."""
    return [part.strip() for part in SEVERAL.split(text)] if text else []


def seconds(text):
    """:returns: a time of the log, or None where there is none."""
    try:
        return float(text)
    except ValueError:
        return None


def break_of(text):
    """:returns: (connection, address of the pod) of an error line that says that an answer broke off; None of any other line."""
    found = BROKEN.search(text) if "while reading upstream," in text and ' subrequest: "' not in text else None
    return (found.group(1), found.group(2)) if found else None


def key_of(entry):
    """:returns: what an error line of the same request would be known by."""
    return str(entry.get("connection", "")), (several(entry.get("upstream_addr", "")) or [""])[-1]


def request_of(entry, broken, patience):
    """Judge one line of an access log.

    :param entry: the line as a dictionary.
    :param broken: whether the error log says that its answer broke off.
    :param patience: seconds after which a client that left without an answer is one that was kept waiting.
    :returns: :class:`Request`.
    """
    status = entry["status"]
    stream = entry.get("content_type", "").startswith("text/event-stream")
    statuses = several(entry["upstream_status"])
    completion = "broken" if broken else "complete" if entry["completion"] == "OK" else "left"
    tries = [one if one.isdigit() else "none" for one in statuses]
    if tries and status == "499" and tries[-1] == "none":
        tries[-1] = "499"      # the client did not wait for it
    if tries and broken:
        tries[-1] = "broken"
    times, headers = several(entry["upstream_response_time"]), several(entry["upstream_header_time"])
    header = seconds(headers[-1]) if headers else None
    first_byte = None if header is None else sum(seconds(one) or 0.0 for one in times[:-1]) + header
    duration = None
    if tries and not stream:
        took = seconds(entry["request_time"])
        if status == "499" and header is None:
            duration = math.inf if took is not None and took >= patience else None
        elif completion == "complete":
            duration = took
    return Request(entry["service"], entry["release"] or "none", status, entry.get("direct") == "1", completion, stream, tries, duration, first_byte)
