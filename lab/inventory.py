# Copyright (c) 2026, ironrack.cluster contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The lab inventory is the one source of the hosts: their names, addresses, groups and zones."""
from __future__ import annotations

import ipaddress
from dataclasses import dataclass, field
from pathlib import Path

from .shell import LabError

# GiB that one host needs by what it carries, and what the machine itself keeps. The default topology adds up to 12.
MEMORY = {"control_plane": 2.0, "workers": 1.25, "gpu_workers": 1.25, "etcd": 0.5, "mirror": 0.75, "load_balancers": 0.25,
          "opensearch_managers": 0.75, "opensearch_data": 1.25, "opensearch_ingest": 0.75, "object_store": 0.25}
MACHINE_MEMORY = 1.0


@dataclass(frozen=True)
class Host:
    name: str
    address: str
    zone: str
    groups: tuple[str, ...]
    # Of a cluster on IPv6. Ansible keeps to the IPv4 address, as a site's management network may.
    address6: str = ""

    @property
    def mac(self) -> str:
        """A locally administered address made of the IPv4 address: stable over restarts, so faults can name a peer by it."""
        return "02:00:" + ":".join(f"{byte:02x}" for byte in ipaddress.IPv4Address(self.address).packed)


@dataclass(frozen=True)
class Topology:
    path: Path
    subnet: str
    gateway: str
    dns: str
    hosts: dict[str, Host] = field(default_factory=dict)
    # Address and prefix length of the machine in the hosts' IPv6 network; empty where there is none.
    gateway6: str = ""

    def select(self, names) -> list[Host]:
        """Hosts by name or by group, in the inventory's order; no name means all of them."""
        if not names:
            return list(self.hosts.values())
        groups = {group for host in self.hosts.values() for group in host.groups}
        unknown = [name for name in names if name not in self.hosts and name not in groups]
        if unknown:
            raise LabError(f"{', '.join(unknown)}: no such host or group in {self.path}. Hosts: {', '.join(self.hosts)}.")
        return [host for host in self.hosts.values() if host.name in names or set(host.groups) & set(names)]

    def one(self, name: str) -> Host:
        if name not in self.hosts:
            raise LabError(f"{name}: no such host in {self.path}. Hosts: {', '.join(self.hosts)}.")
        return self.hosts[name]

    @property
    def memory_gib(self) -> float:
        return MACHINE_MEMORY + sum(max((MEMORY.get(group, 0) for group in host.groups), default=0) for host in self.hosts.values())


def inventory_file(path: Path) -> Path:
    """``--inventory`` takes the folder, as ansible-playbook does, or its hosts.yml."""
    found = path / "hosts.yml" if path.is_dir() else path
    if not found.is_file():
        raise LabError(f"{path}: no lab inventory there (expected a folder with hosts.yml).")
    return found.resolve()


def load(path: Path) -> Topology:
    # python3-yaml is installed by `prepare`; `check` and `prepare` have to work before that.
    try:
        import yaml
    except ImportError as exc:
        raise LabError("Python's yaml module is missing. Run `python3 -m lab prepare` (it installs python3-yaml).") from exc
    path = inventory_file(path)
    return parse(yaml.safe_load(path.read_text()), path)


def parse(data: dict, path: Path) -> Topology:
    """Read the tree of groups as Ansible does: a host's variables may stand in any group that names it."""
    hosts: dict[str, dict] = {}
    groups: dict[str, list[str]] = {}

    def visit(name: str, group: dict | None, parents: tuple[str, ...]) -> None:
        names = (*parents, name) if name != "all" else parents
        for host, variables in ((group or {}).get("hosts") or {}).items():
            hosts.setdefault(host, {}).update(variables or {})
            member = groups.setdefault(host, [])
            member.extend(entry for entry in names if entry not in member)
        for child, content in ((group or {}).get("children") or {}).items():
            visit(child, content, names)

    visit("all", data.get("all"), ())
    variables = data.get("all", {}).get("vars") or {}
    missing = [name for name in ("lab_subnet", "lab_gateway", "lab_dns") if name not in variables]
    if missing:
        raise LabError(f"{path}: all.vars lacks {', '.join(missing)}, so it is no lab inventory.")
    faults = [f"{name} lacks {key}" for name, own in hosts.items() for key in ("ansible_host", "zone") if not own.get(key)]
    network = ipaddress.ip_network(variables["lab_subnet"])
    addresses: dict[str, str] = {}
    for name, own in hosts.items():
        address = str(own.get("ansible_host", ""))
        if address and ipaddress.ip_address(address) not in network:
            faults.append(f"{name}: {address} is outside of {network}")
        if address in addresses:
            faults.append(f"{name} and {addresses[address]} both have {address}")
        addresses[address] = name
        if own.get("cluster_node_address") and "lab_gateway6" not in variables:
            faults.append(f"{name} has a cluster_node_address, and all.vars lacks lab_gateway6")
    if faults:
        raise LabError(f"{path}: {'; '.join(faults)}.")
    return Topology(
        path=path, subnet=str(network), gateway=str(variables["lab_gateway"]), dns=str(variables["lab_dns"]),
        hosts={name: Host(name, str(own["ansible_host"]), str(own["zone"]), tuple(groups[name]), str(own.get("cluster_node_address", "")))
               for name, own in sorted(hosts.items(), key=_order)},
        gateway6=str(variables.get("lab_gateway6", "")),
    )


def _order(item):
    return int(ipaddress.ip_address(item[1]["ansible_host"]))
