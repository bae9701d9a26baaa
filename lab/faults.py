# Copyright (c) 2026, ironrack.cluster contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Faults in the network of a host: nftables rules in the host's own network namespace, set from outside.

They sit on the host's one network card (netdev family, ingress and egress), so ARP and VRRP go with the rest, loopback stays, and
the host sees no carrier loss: the silent cut that a dead switch port makes. A partition drops frames by the peer's MAC address, so
an address that moves (the VIP) and pods behind the peer go too. A host that is killed loses its rules with its namespace.
"""
from __future__ import annotations

import json
from dataclasses import dataclass, replace

from .inventory import Topology
from .settings import DEVICE
from .shell import LabError, run

TABLE = "ironrack_lab_faults"


@dataclass(frozen=True)
class Faults:
    cut: bool = False
    peers: frozenset[str] = frozenset()

    def describe(self) -> list[str]:
        return (["cut"] if self.cut else []) + [f"partition from {peer}" for peer in sorted(self.peers)]


def ruleset(faults: Faults, macs: dict[str, str]) -> str:
    """An nft script that replaces the host's faults in one transaction."""
    lines = [f"add table netdev {TABLE}", f"delete table netdev {TABLE}"]
    if faults.cut or faults.peers:
        lines.append(f"table netdev {TABLE} {{")
        for chain, hook, field in (("in", "ingress", "saddr"), ("out", "egress", "daddr")):
            lines += [f"chain {chain} {{", f"type filter hook {hook} device {DEVICE} priority -500; policy accept;"]
            lines += ['drop comment "cut"'] if faults.cut else []
            lines += [f'ether {field} {macs[peer]} drop comment "partition {peer}"' for peer in sorted(faults.peers)]
            lines.append("}")
        lines.append("}")
    return "\n".join(lines) + "\n"


def parse(listing: str) -> Faults:
    """The faults in the output of ``nft -j list ruleset``."""
    comments = {
        entry["rule"].get("comment", "") for entry in json.loads(listing)["nftables"]
        if entry.get("rule", {}).get("table") == TABLE
    }
    return Faults("cut" in comments, frozenset(text.split(" ", 1)[1] for text in comments if text.startswith("partition ")))


def read(pid: int) -> Faults:
    done = _nft(pid, ["-j", "list", "table", "netdev", TABLE], ok=None)
    return parse(done.stdout) if done.returncode == 0 else Faults()


def write(pid: int, faults: Faults, topology: Topology) -> None:
    _nft(pid, ["-f", "-"], data=ruleset(faults, {name: host.mac for name, host in topology.hosts.items()}))
    if (seen := read(pid)) != faults:
        raise LabError(f"nftables took the rules but reports {seen.describe() or 'no fault'} instead of {faults.describe() or 'no fault'}.")


def partitioned(faults: Faults, peer: str) -> Faults:
    return replace(faults, peers=faults.peers | {peer})


def healed(faults: Faults, name: str, selected: set[str]) -> Faults:
    """What is left on host ``name`` when ``selected`` hosts are healed: nothing on them, and no partition from them elsewhere."""
    return Faults() if name in selected else replace(faults, peers=faults.peers - selected)


def _nft(pid: int, arguments: list[str], *, ok=(0,), data: str | None = None):
    return run(["nsenter", "--target", str(pid), "--net", "nft", *arguments], ok=ok, data=data, timeout=20)
