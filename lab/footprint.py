# Copyright (c) 2026, ironrack.cluster contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the lab takes of the machine: disk by part, memory of the hosts."""
from __future__ import annotations

from pathlib import Path

from .check import used_bytes
from .settings import CGROUP, Paths

LIMIT_GIB = 25.0


def measure(paths: Paths) -> dict:
    parts = {}
    for title, folder in (("cache", paths.cache), ("state", paths.state)):
        for entry in sorted(folder.iterdir()) if folder.is_dir() else []:
            parts[f"{title} {entry.name}"] = used_bytes(entry)
    return {"disk": parts, "disk_total": sum(parts.values()), "limit": int(LIMIT_GIB * 1024 ** 3), "memory": memory()}


def memory(root: Path = Path("/sys/fs/cgroup")) -> int:
    """Bytes that the processes of all hosts hold; the page cache is the machine's to take back."""
    for path, name in ((root / "memory" / CGROUP / "memory.stat", "total_rss"), (root / CGROUP / "memory.stat", "anon")):
        if path.exists():
            return next((int(line.split()[1]) for line in path.read_text().splitlines() if line.split()[0] == name), 0)
    return 0


def render(measured: dict) -> str:
    width = max([len(name) for name in measured["disk"]] + [16])
    lines = [f"{name:<{width}} {_gib(size)}" for name, size in measured["disk"].items() if size >= 1024 ** 2]
    lines += [f"{'disk, all of it':<{width}} {_gib(measured['disk_total'])} of {_gib(measured['limit']).strip()} at most",
              f"{'memory of hosts':<{width}} {_gib(measured['memory'])}"]
    return "\n".join(lines)


def _gib(size: int) -> str:
    return f"{size / 1024 ** 3:7.2f} GiB"
