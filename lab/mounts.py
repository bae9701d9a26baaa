# Copyright (c) 2026, ironrack.cluster contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Removing folders that may hold mounts: never delete through one (a chroot's /proc, a volume that is still in use)."""
from __future__ import annotations

import shutil
import time
from pathlib import Path

from .shell import LabError, run

MOUNTINFO = Path("/proc/self/mountinfo")


def mounts_below(folder: Path, mountinfo: str) -> list[str]:
    """Mount points at or below a folder, the deepest and latest first."""
    points = [line.split()[4].encode().decode("unicode_escape") for line in mountinfo.splitlines()]
    return [point for point in reversed(points) if point == str(folder) or point.startswith(f"{folder}/")]


def unmount_below(folder: Path) -> None:
    deadline = time.monotonic() + 10
    while found := mounts_below(folder, MOUNTINFO.read_text()):
        for point in found:
            if run(["umount", point], ok=None).returncode != 0:
                run(["umount", "--lazy", point], ok=None)
        if time.monotonic() > deadline:
            raise LabError(f"{found[0]} is still mounted and cannot be unmounted, so {folder} was not removed. `fuser -vm {found[0]}` says who uses it.")


def remove_tree(path: Path) -> None:
    if path.is_symlink() or path.is_file():
        path.unlink()
    elif path.exists():
        unmount_below(path.resolve())
        shutil.rmtree(path)
