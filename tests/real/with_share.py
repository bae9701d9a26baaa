# Copyright (c) 2026, ironrack.cluster contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Runs a program of an unpacked Debian package that looks for its files below /usr/share, in a mount namespace of its own.

    unshare --mount --kill-child --fork python3 tests/real/with_share.py FOLDER COMMAND...
"""
import os
import subprocess
import sys


def main(folder, *command):
    subprocess.run(["mount", "--bind", folder, "/usr/share"], check=True)
    os.execv(command[0], command)


if __name__ == "__main__":
    main(*sys.argv[1:])
