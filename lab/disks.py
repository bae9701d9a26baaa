# Copyright (c) 2026, ironrack.cluster contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Disks that a host does not share with the others.

All other folders of all hosts lie on one file system of the machine, whose journal makes each fsync wait for what the other hosts
write: 7 of 4,671 of an etcd leader took more than a second, and it lost its office. A site gives etcd a disk of its own; in the
lab that disk is memory, mounted outside of the host, so that it outlives a host that is killed.
"""
from __future__ import annotations

from pathlib import Path

from .inventory import Host
from .mounts import MOUNTINFO, mounts_below
from .settings import VOLUMES, Paths
from .shell import run

SIZE = "2G"


def volumes(host: Host, paths: Paths) -> dict[str, str]:
    """What a host has where: a folder of the machine or podman's name of a volume, by the place in the host."""
    own = {"etcd": str(_folder(host, paths))} if "etcd" in host.groups else {}
    return {target: own.get(name, f"{host.name}-{name}") for name, target in VOLUMES.items()}


def mount(host: Host, paths: Paths) -> None:
    """Give a host that is about to be created its disk. ``down`` unmounts whatever is below the lab's folder in /run."""
    folder = _folder(host, paths)
    if "etcd" in host.groups and not mounts_below(folder, MOUNTINFO.read_text()):
        folder.mkdir(parents=True, exist_ok=True)
        run(["mount", "-t", "tmpfs", "-o", f"size={SIZE},mode=0755", "ironrack-lab", folder])


def _folder(host: Host, paths: Paths) -> Path:
    return paths.run / "disks" / host.name / "etcd"
