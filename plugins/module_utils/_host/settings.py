# Copyright (c) 2026, ironrack.cluster contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a host's kernel, swap and users are, and what they should be. Pure parsers and compares.

This is a private module_utils package: it may change in any release.
"""
from __future__ import annotations

import posixpath

OFF = "# switched off by ironrack.cluster: "


def builtin_modules(text):
    """:returns: names of the modules that a kernel's modules.builtin lists."""
    return frozenset(
        posixpath.basename(line.strip()).split(".")[0].replace("-", "_") for line in text.splitlines() if line.strip())


def missing_modules(wanted, loaded, builtin):
    """Which modules have to be loaded.

    :param loaded: a callable that says whether /sys/module has a name.
    :param builtin: what :func:`builtin_modules` returned. A built-in module without parameters is not below /sys/module.
    """
    return [name for name in wanted if name.replace("-", "_") not in builtin and not loaded(name.replace("-", "_"))]


def sysctl_path(key):
    """:returns: a key's path below /proc/sys. As sysctl(8) has it, the first separator that occurs decides which one it is."""
    first = next((letter for letter in key if letter in "./"), ".")
    return key if first == "/" else key.translate(str.maketrans("./", "/."))


def same_value(one, other):
    """Whether two sysctl values are equal; the kernel separates numbers by tabs."""
    return str(one).split() == str(other).split()


def swap_devices(text):
    """:returns: the devices and files that /proc/swaps lists."""
    return [line.split()[0] for line in text.splitlines()[1:] if line.strip()]


def without_swap(text):
    """:returns: an fstab whose swap entries are comments, so that no boot brings swap back."""
    lines = []
    for line in text.splitlines(True):
        fields = line.split()
        is_swap = len(fields) >= 3 and not fields[0].startswith("#") and fields[2] == "swap"
        lines.append(OFF + line if is_swap else line)
    return "".join(lines)


def useradd(user):
    """:returns: the argv that makes a system user with a group of its own name."""
    argv = ["useradd", "--system", "--no-create-home", "--home-dir", user.get("home") or "/nonexistent"]
    argv += ["--shell", user.get("shell") or "/usr/sbin/nologin"]
    argv += ["--gid", user["group"]] if user.get("group") else ["--user-group"]
    if user.get("comment"):
        argv += ["--comment", user["comment"]]
    return argv + ["--", user["name"]]
