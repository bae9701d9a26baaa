# Copyright (c) 2026, ironrack.cluster contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Becomes the first process of an unpacked image as a pod's container would: a read-only root, no rights, process 1.

    unshare --mount --pid --fork --kill-child python3 tests/real/as_container.py ROOT UID COMMAND...
"""
import ctypes
import os
import subprocess
import sys

# linux/prctl.h
PR_CAPBSET_READ, PR_CAPBSET_DROP, PR_SET_NO_NEW_PRIVS = 23, 24, 38


def drop_rights(uid):
    """No capability, no way to get one, another user."""
    prctl = ctypes.CDLL(None, use_errno=True).prctl
    capability = 0
    while prctl(PR_CAPBSET_READ, capability, 0, 0, 0) >= 0:
        if prctl(PR_CAPBSET_DROP, capability, 0, 0, 0):
            raise OSError(ctypes.get_errno(), "capability %d stays" % capability)
        capability += 1
    os.setgroups([])
    os.setgid(uid)
    os.setuid(uid)
    if prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0):
        raise OSError(ctypes.get_errno(), "new rights stay possible")


def main(root, uid, *command):
    for mount in (["--bind", root, root], ["-o", "remount,ro,bind", root], ["-t", "proc", "proc", root + "/proc"]):
        subprocess.run(["mount", *mount], check=True)
    os.chroot(root)
    os.chdir("/")
    drop_rights(int(uid))
    os.execv(command[0], command)


if __name__ == "__main__":
    main(*sys.argv[1:])
