# Copyright (c) 2026, ironrack.cluster contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Who may write the record: a Lease of the API, with an owner, an expiry and a number that only rises. Pure.

A tenure is the time between taking the lock and losing it. Its number, the fence, is the Lease's ``leaseTransitions``: it rises whenever the
lock is taken. Expiry alone cannot keep out a holder that stood still past it and comes back without noticing; its number can, because
whatever it writes is compared with the newest.

The API compares versions when a Lease is written, so of two that take an expired one at the same moment only one does.

This is a private module_utils package: it may change in any release.
"""
from __future__ import annotations

import calendar
import re
import time
from collections import namedtuple

from .._common.errors import IronrackError

#: Seconds that two controllers' clocks may differ: a lock is taken from its holder only when it is over on both.
SKEW = 5
_TIME = re.compile(r"(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d)(\.\d+)?Z")

#: holder: None where nobody has it; since, renewed and until in seconds since 1970; fence: the number of its tenure.
Lock = namedtuple("Lock", ("holder", "since", "renewed", "until", "fence"))


class Held(IronrackError):
    """Somebody else holds the lock. Its details carry ``holder``, ``since`` and ``until``."""


class Lost(IronrackError):
    """This run held the lock, and does not any more."""


def micro(seconds):
    """:returns: seconds since 1970 as the MicroTime of the API."""
    whole = int(seconds)
    return "%s.%06dZ" % (time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(whole)), int((seconds - whole) * 1000000))


def _seconds(text):
    found = _TIME.fullmatch(text or "")
    if not found:
        return 0.0  # no time at all, as in a Lease that was given back: long over
    return calendar.timegm(time.strptime(found.group(1), "%Y-%m-%dT%H:%M:%S")) + float(found.group(2) or 0)


def read(lease):
    """:returns: the :class:`Lock` that a Lease says; None where there is no Lease.

    :param lease: the object of the API, or None.
    """
    if lease is None:
        return None
    spec = lease.get("spec") or {}
    renewed = _seconds(spec.get("renewTime"))
    return Lock(spec.get("holderIdentity") or None, _seconds(spec.get("acquireTime")), renewed, renewed + (spec.get("leaseDurationSeconds") or 0),
                spec.get("leaseTransitions") or 0)


def is_held(lock, now):
    """:returns: whether nobody but its holder may have the lock."""
    return lock is not None and lock.holder is not None and now < lock.until + SKEW


def take(lease, me, now, duration, floor):
    """Begin a tenure.

    :param lease: the object of the API, or None.
    :param me: who asks; no two runs have the same name.
    :param now: seconds since 1970.
    :param duration: seconds that the lock lasts without being renewed.
    :param floor: the fence on record: the new one is higher, be it that the Lease was deleted meanwhile.
    :returns: the spec of the Lease.
    :raises Held: where another one holds it.
    """
    lock = read(lease)
    if is_held(lock, now) and lock.holder != me:
        raise Held("%s has held the lock since %s, and renewed it %d s ago; without another renewal it is free in %d s. Nothing was changed. Wait for its end, "
                   "or see to it that it is dead and wait for the lock's" % (lock.holder, micro(lock.since), now - lock.renewed, lock.until + SKEW - now + 1),
                   holder=lock.holder, since=micro(lock.since), until=micro(lock.until))
    fence = max(lock.fence if lock else 0, floor) + 1
    return {"holderIdentity": me, "acquireTime": micro(now), "renewTime": micro(now), "leaseDurationSeconds": duration, "leaseTransitions": fence}


def renew(lease, me, fence, now, duration):
    """Go on with a tenure. One that is past its expiry goes on where nobody took the lock.

    :param fence: the number of the tenure.
    :returns: the spec of the Lease.
    :raises Lost: where it is over.
    """
    lock = read(lease)
    if lock is None or lock.holder != me or lock.fence != fence:
        after = "the lock is gone" if lock is None else "it is free by now" if lock.holder is None else "%s has held it since %s" % (
            lock.holder, micro(lock.since))
        raise Lost("%s had the lock as tenure %d and has it no more: %s%s. This run must not go on: nothing was changed" % (
            me, fence, after, " as tenure %d" % lock.fence if lock else ""), holder=lock.holder if lock else None)
    return {"holderIdentity": me, "acquireTime": micro(lock.since), "renewTime": micro(now), "leaseDurationSeconds": duration, "leaseTransitions": fence}


def release(lease, me, fence):
    """:returns: the spec of a Lease that this tenure gives back; None where it is over already."""
    lock = read(lease)
    if lock is None or lock.holder != me or lock.fence != fence:
        return None
    # Without a holder the lock is free, whatever else it says; the API wants a duration above zero.
    return {"holderIdentity": None, "acquireTime": None, "renewTime": None, "leaseDurationSeconds": 1, "leaseTransitions": fence}
