# Copyright (c) 2026, ironrack.cluster contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which process holds a lease, and whether it is gone for sure.

This is a private module_utils package: it may change in any release.
"""
from __future__ import annotations

import os
import secrets
import socket

#: Where a process's start stands, after its name, which may hold blanks and brackets.
_START = 19


def _started(pid):
    """:returns: when a process of this host started, in its kernel's ticks; None where there is none, or nobody can tell."""
    try:
        with open("/proc/%s/stat" % pid, encoding="utf-8", errors="replace") as stream:
            return stream.read().rsplit(")", 1)[1].split()[_START]
    except (OSError, IndexError):
        return None


def _boot():
    """:returns: what tells this boot, and this container of it, from others that have the same name."""
    try:
        with open("/proc/sys/kernel/random/boot_id", encoding="utf-8") as stream:
            return "%s/%s" % (stream.read().strip(), os.readlink("/proc/self/ns/pid"))
    except OSError:
        return None


def holder():
    """:returns: a text that no other run has, and by which others on this host see whether it is still there."""
    return "%s pid %d of %s, started %s, %s" % (socket.gethostname(), os.getpid(), _boot(), _started(os.getpid()), secrets.token_hex(4))


def is_dead(text):
    """:returns: whether the process of a holder ran on this host, in this boot, and is gone. False where nobody can tell."""
    words = text.split(" ")
    mine = holder().split(" ")
    if len(words) != len(mine) or "None," in words or (words[0], words[4]) != (mine[0], mine[4]):
        return False
    return _started(words[2]) != words[6].rstrip(",")
