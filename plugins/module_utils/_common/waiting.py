# Copyright (c) 2026, ironrack.cluster contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Waiting with a bound, a name for what is waited for, and the last thing that was seen.

This is a private module_utils package: it may change in any release.
"""
from __future__ import annotations

import time

from .errors import IronrackError


class WaitTimeout(IronrackError):
    """The condition did not come true in time. A time-out is a failure, always."""


def wait_for(condition, what, timeout, interval=0.5, clock=time.monotonic, sleep=time.sleep):
    """Ask ``condition`` until it is done, or until ``timeout`` seconds have passed.

    :param condition: a callable that returns (done, seen) or (done, seen, value).
    :param what: the condition in words, for the error.
    :param timeout: seconds; the condition is asked at least once.
    :param interval: seconds between two questions.
    :returns: the value of the last answer, or None.
    :raises WaitTimeout: with what was waited for and what was seen last.
    """
    end = clock() + timeout
    while True:
        answer = condition()
        if answer[0]:
            return answer[2] if len(answer) > 2 else None
        if clock() >= end:
            raise WaitTimeout("waited %g s for %s; last seen: %s" % (timeout, what, answer[1]), waited_for=what, last_seen=answer[1])
        sleep(min(interval, max(0.0, end - clock())))
