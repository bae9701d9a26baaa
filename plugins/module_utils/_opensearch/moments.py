# Copyright (c) 2026, ironrack.cluster contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Times as aware UTC, as text of RFC 3339, and as the part of a snapshot's name. Pure.

This is a private module_utils package: it may change in any release.
"""
from __future__ import annotations

from datetime import datetime, timedelta, timezone

#: 1970 in UTC: where slots are counted from.
EPOCH = datetime(1970, 1, 1, tzinfo=timezone.utc)
#: Seconds that the clocks of two hosts may differ without any harm.
TOLERANCE = 300


def now():
    """:returns: the time of this host's clock, aware and in UTC."""
    return datetime.now(timezone.utc)


def aware(moment):
    """:returns: a moment in UTC. :raises ValueError: where it has no zone: nobody can tell then when it was."""
    if moment.tzinfo is None or moment.utcoffset() is None:
        raise ValueError("the time %s has no zone" % moment.isoformat())
    return moment.astimezone(timezone.utc)


def of_millis(millis):
    """:returns: the moment of milliseconds since 1970, as the engine gives them."""
    return EPOCH + timedelta(milliseconds=millis)


def text(moment):
    """:returns: a moment as RFC 3339 with milliseconds, which sorts as it passes."""
    moment = aware(moment)
    return "%s.%03dZ" % (moment.strftime("%Y-%m-%dT%H:%M:%S"), moment.microsecond // 1000)


def of_text(words):
    """:returns: the moment of what :func:`text` gave, or of any RFC 3339 with a zone.

    :raises ValueError: where it is none, or has no zone.
    """
    # Python before 3.11 reads no Z.
    return aware(datetime.fromisoformat(words[:-1] + "+00:00" if words.endswith("Z") else words))


def slot(moment, seconds):
    """:returns: when the time slot began that a moment lies in; slots are counted from 1970.

    :param seconds: how long a slot is.
    """
    return EPOCH + timedelta(seconds=int((aware(moment) - EPOCH).total_seconds()) // seconds * seconds)


def seconds_between(earlier, later):
    """:returns: seconds from one moment to another; negative where the second one was before."""
    return (aware(later) - aware(earlier)).total_seconds()
