# Copyright (c) 2026, ironrack.cluster contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""One process at a time: a lock on a file, which the kernel gives back whatever ends its holder.

This is a private module_utils package: it may change in any release.
"""
from __future__ import annotations

import contextlib
import fcntl

from .waiting import wait_for

# The folder of the hosts' locks, and of whatever else lives as long as the host is up.
RUN_DIR = "/run/ironrack"


def try_lock(handle):
    """:returns: whether this process holds the lock on an open file now; until it is closed.

    :param handle: a file object or its descriptor.
    """
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        return False
    return True


@contextlib.contextmanager
def locked(path, timeout=60):
    """Hold the lock on a file, which is made where it is missing and stays.

    :param path: the file; its folder has to be there.
    :param timeout: seconds to wait for another holder.
    :raises WaitTimeout: where the other one holds it for longer.
    """
    with open(path, "w", encoding="utf-8") as lock:
        wait_for(lambda: (try_lock(lock), "another run holds it"), "the lock %s" % path, timeout=timeout)
        yield
