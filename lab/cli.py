# Copyright (c) 2026, ironrack.cluster contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The commands of the lab."""
from __future__ import annotations

import argparse
import fcntl
import json
import os
import sys
from contextlib import contextmanager
from pathlib import Path

from . import check, footprint
from .hosts import Lab, Status
from .inventory import load
from .settings import REPOSITORY, Paths
from .shell import LabError, Progress, run

DEFAULT_INVENTORY = REPOSITORY / "inventories" / "lab"
PACKAGES = (
    "aardvark-dns", "conmon", "debootstrap", "gcc", "iproute2", "iptables", "kmod", "libc6-dev", "netavark", "nftables", "openssh-client", "podman",
    "procps", "python3-yaml", "runc", "util-linux",
)


def parser() -> argparse.ArgumentParser:
    # SUPPRESS in the commands: the option may stand before or behind the command without the second place hiding the first.
    common = argparse.ArgumentParser(add_help=False)
    common.add_argument("--inventory", type=Path, default=argparse.SUPPRESS, metavar="FOLDER",
                        help="a lab inventory (default: the running lab's, else inventories/lab)")
    top = argparse.ArgumentParser(prog="python3 -m lab", description=__doc__, parents=[common])
    commands = top.add_subparsers(dest="command", required=True, metavar="COMMAND")

    def command(name: str, text: str, *arguments) -> argparse.ArgumentParser:
        added = commands.add_parser(name, help=text, description=text, parents=[common])
        for argument, options in arguments:
            added.add_argument(argument, **options)
        return added

    host = ("host", {"metavar": "HOST"})
    hosts = ("hosts", {"metavar": "HOST", "nargs": "*", "help": "hosts or groups; none means all"})
    as_json = ("--json", {"action": "store_true", "dest": "as_json"})
    command("check", "say every reason why this machine cannot carry the lab")
    command("prepare", "install the machine's packages (podman, debootstrap, ...)")
    command("up", "start hosts; those that run stay", hosts)
    command("down", "remove everything that the lab made; the cache stays")
    command("status", "show the hosts and their faults", as_json)
    command("ssh", "a shell or a command on a host", host, ("words", {"metavar": "CMD", "nargs": argparse.REMAINDER}))
    command("kill", "power off a host without warning (SIGKILL)", host)
    command("cut", "drop every packet from and to a host, silently", host)
    command("start", "bring a host back after kill, cut or pause", host, ("--no-wait", {"action": "store_false", "dest": "wait"}))
    command("pause", "stop a host's processes where they are", host)
    command("unpause", "let a paused host go on", host)
    command("partition", "drop every packet between two hosts", host, ("peer", {"metavar": "HOST"}))
    command("heal", "remove cuts, partitions and pauses", hosts)
    command("footprint", "disk and memory that the lab takes", as_json)
    return top


def main(argv: list[str] | None = None) -> int:
    options = parser().parse_args(argv)
    try:
        return run_command(options, Paths.from_environment(), Progress()) or 0
    except LabError as exc:
        print(f"lab: {exc}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("lab: interrupted; run the same command again to go on.", file=sys.stderr)
        return 130


def run_command(options: argparse.Namespace, paths: Paths, progress: Progress) -> int | None:
    asked = getattr(options, "inventory", None)
    if options.command == "check":
        return _check(paths, asked)
    if options.command == "footprint":
        measured = footprint.measure(paths)
        print(json.dumps(measured, indent=1) if options.as_json else footprint.render(measured))
        return 0
    if os.geteuid() != 0:
        raise LabError(f"`{options.command}` needs root.")
    if options.command == "prepare":
        return _prepare(progress)
    lab = Lab(paths, progress)
    topology = lab.topology(None if options.command == "down" else asked, asked or DEFAULT_INVENTORY)
    # Read-only commands and ssh do not wait for a long `up`.
    if options.command == "status":
        found = lab.status(topology)
        print(json.dumps([entry.as_dict() for entry in found], indent=1) if options.as_json else table(found))
        return 0
    if options.command == "ssh":
        return _ssh(paths, topology.one(options.host).name, options.words)
    with _lock(paths):
        return _change(options, lab, topology, progress)


def _change(options: argparse.Namespace, lab: Lab, topology, progress: Progress) -> None:
    if options.command == "up":
        _require_machine(lab.paths, topology.memory_gib)
        lab.up(topology, topology.select(options.hosts))
    elif options.command == "down":
        lab.down(topology)
    elif options.command == "heal":
        for line in lab.heal(topology.select(options.hosts), topology) or ["nothing to heal"]:
            progress.say(line)
    else:
        host = topology.one(options.host)
        if options.command == "partition":
            lab.partition(host, topology.one(options.peer), topology)
        elif options.command == "start":
            lab.start(host, topology, options.wait)
        elif options.command == "cut":
            lab.cut(host, topology)
        else:
            getattr(lab, options.command)(host)
        progress.say(f"{options.command} {host.name}{f' {options.peer}' if options.command == 'partition' else ''}: done")


def _check(paths: Paths, asked: Path | None) -> int:
    memory = load(asked).memory_gib if asked else check.DEFAULT_MEMORY_GIB
    _require_machine(paths, memory)
    print(f"This machine can carry the lab (it needs {memory:.1f} GiB of memory and {check.DISK_GIB:.0f} GiB of disk).")
    return 0


def _require_machine(paths: Paths, memory_gib: float) -> None:
    found = check.reasons(check.gather([paths.cache, paths.state]), memory_gib)
    if found:
        raise LabError(check.message(found))


def _prepare(progress: Progress) -> int:
    installed = run(["dpkg-query", "-W", "-f", "${Package} ${db:Status-Status}\\n", *PACKAGES], ok=None).stdout.splitlines()
    missing = [name for name in PACKAGES if f"{name} installed" not in installed]
    if missing:
        progress.say(f"Installing {' '.join(missing)}")
        env = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
        run(["apt-get", "update"], env=env, timeout=600)
        run(["apt-get", "install", "--yes", "--no-install-recommends", *missing], env=env, timeout=1200)
    progress.say("The machine's packages are here")
    return 0


def _ssh(paths: Paths, name: str, words: list[str]) -> int:
    if not paths.ssh_config.exists():
        raise LabError("No lab is up. Run `python3 -m lab up`.")
    os.execvp("ssh", ["ssh", "-F", str(paths.ssh_config), name, *words])


def table(found: list[Status]) -> str:
    rows = [("HOST", "ADDRESS", "ZONE", "STATE", "UP", "FAULTS", "GROUPS")]
    rows += [(entry.name, entry.address, entry.zone, entry.state, _span(entry.up_seconds), ", ".join(entry.faults) or "-", " ".join(entry.groups))
             for entry in found]
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    return "\n".join("  ".join(cell.ljust(width) for cell, width in zip(row, widths)).rstrip() for row in rows)


def _span(seconds: int) -> str:
    if seconds <= 0:
        return "-"
    return f"{seconds} s" if seconds < 120 else f"{seconds // 60} min" if seconds < 7200 else f"{seconds // 3600} h"


@contextmanager
def _lock(paths: Paths):
    """One change at a time; a second command waits for the first."""
    paths.cache.mkdir(parents=True, exist_ok=True)
    with (paths.cache / "lab.lock").open("w") as handle:
        fcntl.flock(handle, fcntl.LOCK_EX)
        yield
