# Copyright (c) 2026, ironrack.cluster contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the lab changes on the machine itself, and how it puts that back.

Sysctls that have no namespace belong to the whole machine: the lab raises some, and a kubelet in a host writes others
(vm.overcommit_memory, kernel.panic, ...). Their values are noted before the first host starts. The note lies in /run with the
boot's id, because a reboot of the machine undoes everything by itself.
"""
from __future__ import annotations

import json
import shlex
from pathlib import Path

from .settings import BRIDGE, CGROUP, Paths
from .shell import LabError, Progress, run

RAISED = {
    "fs.inotify.max_user_instances": "8192",
    "fs.inotify.max_user_watches": "1048576",
    "kernel.keys.maxkeys": "2000",
    "net.ipv4.ip_forward": "1",
}
# Frames between hosts are no business of this machine's iptables: netavark would give a balancer's packet for a routed pod address the bridge's own
# address, which the pods' network policy refuses. The value belongs to a network namespace, so that nodes keep theirs.
SET = {"net.bridge.bridge-nf-call-iptables": "0", "net.bridge.bridge-nf-call-ip6tables": "0"}
WRITTEN_BY_HOSTS = (
    "fs.aio-max-nr", "fs.file-max", "fs.nr_open", "kernel.keys.root_maxbytes", "kernel.keys.root_maxkeys", "kernel.panic", "kernel.panic_on_oops",
    "kernel.pid_max", "kernel.threads-max", "net.core.somaxconn", "vm.dirty_background_ratio", "vm.dirty_ratio", "vm.max_map_count",
    "vm.overcommit_memory", "vm.panic_on_oom", "vm.swappiness",
)
MODULES = ("overlay", "br_netfilter", "nf_conntrack", "nf_tables", "vxlan", "veth", "ip_set", "ip_tables", "ip6_tables")
TABLE = "ironrack_lab"
# Hosts reach each other and this machine, nothing else: the air-gap path runs in every test, and a mistake fails at once.
AIR_GAP = f"""
add table inet {TABLE}
delete table inet {TABLE}
table inet {TABLE} {{
  chain forward {{
    type filter hook forward priority filter - 10; policy accept;
    iifname "{BRIDGE}" oifname != "{BRIDGE}" reject with icmpx admin-prohibited
    oifname "{BRIDGE}" iifname != "{BRIDGE}" reject with icmpx admin-prohibited
  }}
}}
"""


def favour_hosts(root: Path = Path("/sys/fs/cgroup")) -> None:
    """Give the lab's own cgroup the weight of twenty processes. Hosts are machines of their own, which a compiler outside does not slow down;

    with the weight of a single process the balancers missed each other's adverts under load, and the virtual address went to and fro.
    """
    for path, weight in ((root / "cpu" / CGROUP / "cpu.shares", 20 * 1024), (root / CGROUP / "cpu.weight", 20 * 100)):
        if path.exists():
            path.write_text(f"{weight}\n")


def stand_among_hosts(pid: int, root: Path = Path("/sys/fs/cgroup")) -> None:
    """Give a process of this machine, such as a client that has to keep time, the share of a balancer among the hosts.

    Outside of their cgroup it would get what they leave, and measure itself. ``down`` removes the cgroup.
    """
    for parent, name, weight in ((root / "cpu" / CGROUP, "cpu.shares", 8 * 1024), (root / CGROUP, "cpu.weight", 8 * 100)):
        if (parent / name).exists():
            own = parent / "client"
            own.mkdir(exist_ok=True)
            (own / name).write_text(f"{weight}\n")
            (own / "cgroup.procs").write_text(f"{pid}\n")


def stands(root: Path = Path("/sys/fs/cgroup"), proc: Path = Path("/proc/self")) -> list[Path]:
    """Where this process shares the processors now: the lists of processes that :func:`stand_among_hosts` takes it from."""
    found = []
    for line in (proc / "cgroup").read_text().splitlines():
        _number, controllers, path = line.split(":", 2)
        folder = root / "cpu" if "cpu" in controllers.split(",") else None if controllers else root
        if folder is not None and (folder / path.lstrip("/") / "cgroup.procs").exists():
            found.append(folder / path.lstrip("/") / "cgroup.procs")
    return found


def weigh(pid: int, weight: int, root: Path = Path("/sys/fs/cgroup"), proc: Path = Path("/proc")) -> None:
    """Give the host whose first process is ``pid`` another share of the processors (1024 is a host's usual one), until it starts anew."""
    for line in (proc / str(pid) / "cgroup").read_text().splitlines():
        _number, controllers, path = line.split(":", 2)
        parts = [part for part in path.split("/") if part]
        if CGROUP in parts[:1] and len(parts) > 1:
            for name, value in (("cpu.shares", weight), ("cpu.weight", max(1, weight * 100 // 1024))):
                folder = root / "cpu" if "cpu" in controllers.split(",") else root
                if (folder / parts[0] / parts[1] / name).exists():
                    (folder / parts[0] / parts[1] / name).write_text(f"{value}\n")


def boot_id() -> str:
    return Path("/proc/sys/kernel/random/boot_id").read_text().strip()


class Machine:
    def __init__(self, paths: Paths, progress: Progress, proc: Path = Path("/proc")):
        self._paths = paths
        self._progress = progress
        self._proc = proc

    def record(self) -> dict:
        """The note of this boot, or an empty one."""
        try:
            found = json.loads(self._paths.machine_record.read_text())
        except (OSError, ValueError):
            return {}
        return found if found.get("boot_id") == boot_id() else {}

    def prepare(self) -> None:
        """Note what is there, then raise what the hosts need. A second call changes nothing."""
        if not self.record():
            names = sorted({*RAISED, *SET, *WRITTEN_BY_HOSTS})
            note = {
                "boot_id": boot_id(), "state": str(self._paths.state), "tables": nft_tables(),
                "sysctls": {name: value for name in names if (value := self.read(name)) is not None},
                "modules": self._missing_modules(),
            }
            self._paths.run.mkdir(parents=True, exist_ok=True)
            temporary = self._paths.machine_record.with_suffix(".new")
            temporary.write_text(json.dumps(note, indent=1))
            temporary.replace(self._paths.machine_record)
        for module in self.record()["modules"]:
            run(["modprobe", module], ok=None)
        for name, value in RAISED.items():
            present = self.read(name)
            if present is not None and int(present) < int(value):
                self.write(name, value)
        noted = self.record()["sysctls"]
        for name, value in SET.items():
            # The note of a lab of before may not have it: what could not be put back is left alone.
            if name in noted and self.read(name) != value:
                self.write(name, value)
        run(["nft", "-f", "-"], data=AIR_GAP)

    def restore(self) -> list[str]:
        """Put everything back; returns what was changed."""
        note = self.record()
        changed = []
        for name, value in note.get("sysctls", {}).items():
            if self.read(name) not in (None, value):
                changed.append(f"{name}: {self.read(name)} -> {value}")
                self.write(name, value)
        for module in reversed(note.get("modules", [])):
            run(["modprobe", "-r", module], ok=None)
        if run(["nft", "list", "table", "inet", TABLE], ok=None).returncode == 0:
            run(["nft", "delete", "table", "inet", TABLE])
        return changed

    def remove_firewall(self, subnet: str) -> None:
        """Take away what netavark left in iptables; its shared chains go only when no other network of podman uses them."""
        note = self.record()
        for table, rule in leftover_rules(run(["iptables-save"]).stdout, subnet):
            run(["iptables", "-w", "-t", table, *rule])
        # iptables-nft leaves its empty tables behind; they go if they were not there before and nothing is in them.
        if "tables" in note:
            for family, name in nft_tables():
                if [family, name] not in note["tables"] and family in ("ip", "ip6") and empty_table(run(["nft", "list", "table", family, name]).stdout):
                    run(["nft", "delete", "table", family, name])

    def read(self, name: str) -> str | None:
        try:
            return "\t".join(self._file(name).read_text().split())
        except OSError:
            return None

    def write(self, name: str, value: str) -> None:
        try:
            self._file(name).write_text(value)
        except OSError as exc:
            raise LabError(f"sysctl {name} cannot be set to {value}: {exc}") from exc

    def _file(self, name: str) -> Path:
        return self._proc / "sys" / name.replace(".", "/")

    def _missing_modules(self) -> list[str]:
        """Modules that this machine has to load for its hosts; a kernel without loadable modules has no /proc/modules."""
        try:
            loaded = {line.split()[0] for line in (self._proc / "modules").read_text().splitlines()}
        except OSError:
            return []
        return [name for name in MODULES if name not in loaded and run(["modprobe", "-n", "--first-time", name], ok=None).returncode == 0]


def nft_tables() -> list[list[str]]:
    listed = json.loads(run(["nft", "-j", "list", "tables"]).stdout)["nftables"]
    return [[entry["table"]["family"], entry["table"]["name"]] for entry in listed if "table" in entry]


def empty_table(listing: str) -> bool:
    """True for a table that holds base chains without rules only."""
    body = [line.strip() for line in listing.splitlines()]
    return all(not line or line == "}" or line.startswith(("table ", "chain ", "type ", "#")) for line in body)


def leftover_rules(save: str, subnet: str) -> list[tuple[str, list[str]]]:
    """From the text of iptables-save, the (table, arguments) that remove a lab network's rules and chains, in a working order."""
    tables: dict[str, tuple[list[str], list[list[str]]]] = {}
    current = ""
    for line in save.splitlines():
        if line.startswith("*"):
            current = line[1:].strip()
            tables[current] = ([], [])
        elif line.startswith(":"):
            tables[current][0].append(line[1:].split()[0])
        elif line.startswith("-A "):
            tables[current][1].append(shlex.split(line))
    own: dict[str, set[str]] = {}
    for table, (chains, rules) in tables.items():
        own[table] = {_target(rule) for rule in rules if subnet in rule and _target(rule).startswith("NETAVARK-")} & set(chains)
    # netavark's shared chains serve every network of every podman on the machine.
    others = any(
        chain.startswith("NETAVARK-") and not chain.startswith("NETAVARK-HOSTPORT") and chain not in own[table]
        for table, (chains, _rules) in tables.items() for chain in chains
    )
    commands: list[tuple[str, list[str]]] = []
    for table, (chains, rules) in tables.items():
        going = own[table] | (set() if others else {chain for chain in chains if chain.startswith("NETAVARK")})
        for rule in rules:
            if rule[1] not in going and (subnet in rule or _target(rule) in going):
                commands.append((table, ["-D", *rule[1:]]))
        commands += [(table, ["-F", chain]) for chain in chains if chain in going]
        commands += [(table, ["-X", chain]) for chain in chains if chain in going]
    return commands


def _target(rule: list[str]) -> str:
    return rule[rule.index("-j") + 1] if "-j" in rule[:-1] else ""
