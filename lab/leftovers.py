# Copyright (c) 2026, ironrack.cluster contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Removing what a lab left behind without asking podman: its state may be gone, half deleted, or from before a reboot."""
from __future__ import annotations

import json
import os
import signal
import time
from pathlib import Path

from .machine import Machine
from .mounts import MOUNTINFO, mounts_below, remove_tree, unmount_below
from .settings import BRIDGE, CGROUP, Paths
from .shell import Progress, run

NETNS = Path("/run/netns")
RUNC = Path("/run/runc")


def remove(paths: Paths, machine: Machine, subnet: str, progress: Progress) -> None:
    processes = lab_processes(paths)
    for pid in processes:
        _kill(pid)
    if processes:
        progress.say(f"Ended {len(processes)} processes of hosts that podman did not know any more")
        _wait_gone(processes)
    for namespace in lab_namespaces(subnet):
        run(["umount", namespace], ok=None)
        namespace.unlink(missing_ok=True)
    if Path("/sys/class/net", BRIDGE).exists():
        run(["ip", "link", "delete", BRIDGE])
    machine.remove_firewall(subnet)
    for change in machine.restore():
        progress.say(f"Restored {change}")
    for container in container_ids():
        remove_tree(RUNC / container)
    remove_cgroups()
    for folder in (paths.run, paths.state):
        unmount_below(folder)
        remove_tree(folder)
    # Shared with a user's own podman, so they go only when nobody uses them.
    for shared in (NETNS, RUNC):
        if shared.is_dir() and not any(shared.iterdir()) and not mounts_below(shared, MOUNTINFO.read_text()):
            shared.rmdir()


def found(paths: Paths) -> bool:
    """Is there anything on this machine that looks like a lab?"""
    return paths.state.exists() or paths.run.exists() or Path("/sys/class/net", BRIDGE).exists() or bool(lab_processes(paths))


def lab_processes(paths: Paths, proc: Path = Path("/proc")) -> list[int]:
    """The monitors (conmon) of this lab's hosts and the hosts' first processes, a host before its monitor."""
    parents, monitors = {}, []
    marks = (f"{paths.run}/".encode(), f"{paths.state}/".encode())
    for entry in proc.iterdir():
        if entry.name.isdigit():
            try:
                status = (entry / "stat").read_text()
                command = (entry / "cmdline").read_bytes()
            except OSError:
                continue
            parents[int(entry.name)] = int(status.rpartition(")")[2].split()[1])
            if status.partition("(")[2].startswith("conmon)") and any(mark in command for mark in marks):
                monitors.append(int(entry.name))
    return [pid for monitor in monitors for pid in (*(child for child, parent in parents.items() if parent == monitor), monitor)]


def lab_namespaces(subnet: str) -> list[Path]:
    """podman's named network namespaces that have an address of the lab."""
    prefix = subnet.rsplit(".", 1)[0] + "."
    found_here = []
    for path in NETNS.glob("netns-*") if NETNS.is_dir() else []:
        listed = run(["nsenter", f"--net={path}", "ip", "-json", "-4", "address"], ok=None)
        entries = json.loads(listed.stdout) if listed.returncode == 0 and listed.stdout.strip() else []
        if any(address["local"].startswith(prefix) for entry in entries for address in entry.get("addr_info", [])):
            found_here.append(path)
    return found_here


def container_ids(root: Path = Path("/sys/fs/cgroup")) -> set[str]:
    """What runc calls the lab's hosts, from their cgroups: podman calls those libpod-ID."""
    return {path.name.removeprefix("libpod-") for top in (root / CGROUP, *root.glob(f"*/{CGROUP}")) for path in top.glob("libpod-*")
            if not path.name.startswith("libpod-conmon-")}


def remove_cgroups(root: Path = Path("/sys/fs/cgroup")) -> None:
    for top in [root / CGROUP, *root.glob(f"*/{CGROUP}")]:
        if top.is_dir():
            for folder, _children, _files in os.walk(top, topdown=False):
                try:
                    os.rmdir(folder)
                except OSError:
                    pass  # a process is still ending; an empty cgroup costs nothing and goes with the next `down`


def _kill(pid: int) -> None:
    try:
        os.kill(pid, signal.SIGKILL)
    except ProcessLookupError:
        pass


def _wait_gone(pids: list[int], timeout: float = 10) -> None:
    deadline = time.monotonic() + timeout
    while any(Path("/proc", str(pid)).exists() for pid in pids) and time.monotonic() < deadline:
        time.sleep(0.1)
