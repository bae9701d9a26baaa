# Copyright (c) 2026, ironrack.cluster contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Can this machine carry the lab? Every reason against it at once, before anything is installed.

It also runs as a plain script (``python3 lab/check.py``) on a bare Debian: standard library only, no import of its siblings.
"""
from __future__ import annotations

import os
import platform
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

DEFAULT_MEMORY_GIB = 12.0
DISK_GIB = 20.0
# A machine that is sold with 12 GiB shows its kernel's share less.
TOLERANCE = 0.94
GIB = 1024 ** 3


@dataclass(frozen=True)
class Facts:
    uid: int
    os_id: str
    os_version: str
    architecture: str
    memory_gib: float
    # (folder, GiB free, GiB that the lab has there already: what is built needs no room again)
    disks: tuple[tuple[str, float, float], ...]


def reasons(facts: Facts, memory_gib: float = DEFAULT_MEMORY_GIB, disk_gib: float = DISK_GIB) -> list[str]:
    found = []
    if facts.uid != 0:
        found.append("not root: hosts, their network and their disks need it; run this with sudo")
    if (facts.os_id, facts.os_version) != ("debian", "12"):
        found.append(f"this is {facts.os_id or 'an unknown system'} {facts.os_version}; the lab is built and tested on Debian 12")
    if facts.architecture != "x86_64":
        found.append(f"the processor is {facts.architecture}; the bundle is built for x86_64")
    if facts.memory_gib < memory_gib * TOLERANCE:
        found.append(f"{facts.memory_gib:.1f} GiB of memory; these hosts need {memory_gib:.1f} GiB")
    for folder, free, used in facts.disks:
        if free + used < disk_gib:
            has = f" beside {used:.1f} GiB that the lab has there already" if used >= 0.1 else ""
            found.append(f"{free:.1f} GiB free at {folder}{has}; the lab needs {disk_gib:.0f} GiB")
    return found


def message(found: list[str]) -> str:
    return "This machine cannot carry the lab:\n" + "\n".join(f"  - {reason}" for reason in found) + "\nNothing was installed or changed."


def gather(folders: list[Path]) -> Facts:
    release = dict(line.split("=", 1) for line in _read("/etc/os-release").splitlines() if "=" in line)
    total = next((int(line.split()[1]) for line in _read("/proc/meminfo").splitlines() if line.startswith("MemTotal:")), 0)
    return Facts(
        uid=os.geteuid(), os_id=release.get("ID", "").strip('"'), os_version=release.get("VERSION_ID", "").strip('"'),
        architecture=platform.machine(), memory_gib=total * 1024 / GIB, disks=_disks(folders),
    )


def _disks(folders: list[Path]) -> tuple[tuple[str, float, float], ...]:
    """One entry per file system, so that two folders on one disk do not ask for it twice."""
    by_device: dict[int, list] = {}
    for folder in folders:
        present = next(path for path in (folder, *folder.parents) if path.exists())
        status = os.statvfs(present)
        entry = by_device.setdefault(present.stat().st_dev, [str(folder), status.f_bavail * status.f_frsize / GIB, 0.0])
        # Counting what is there takes seconds with compilers' caches in it, so only where it decides.
        if folder.exists() and entry[1] < DISK_GIB:
            entry[2] += used_bytes(folder) / GIB
    return tuple((folder, free, used) for folder, free, used in by_device.values())


def used_bytes(folder: Path) -> int:
    """Disk blocks below a folder, without what is mounted there (the merged view of an overlay would count twice)."""
    done = subprocess.run(["du", "-sxk", str(folder)], capture_output=True, text=True, check=False)
    return int(done.stdout.split()[0]) * 1024 if done.stdout else 0


def _read(path: str) -> str:
    try:
        return Path(path).read_text()
    except OSError:
        return ""


def main() -> int:
    folders = [Path(os.environ.get(name) or default) for name, default in (
        ("IRONRACK_CACHE", "/var/cache/ironrack"), ("IRONRACK_LAB_STATE", "/var/lib/ironrack-lab"))]
    found = reasons(gather(folders))
    if found:
        print(message(found), file=sys.stderr)
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
