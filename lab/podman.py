# Copyright (c) 2026, ironrack.cluster contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The lab's own podman: its store, its network and its locks lie in the lab's folders, so a user's podman is never touched."""
from __future__ import annotations

import hashlib
import json
import secrets
from dataclasses import dataclass
from pathlib import Path

from . import disks
from .image import podman_environment, reference, store
from .inventory import Host, Topology
from .settings import BRIDGE, CGROUP, Paths
from .shell import run

# The rest of the name is new for each lab: podman keeps the addresses of all networks of the machine in one database in /run,
# where a lab that died without podman leaves its own as taken for ever.
NETWORK_PREFIX = "ironrack-lab-"


@dataclass(frozen=True)
class Container:
    name: str
    state: str
    pid: int
    started_at: float

    @property
    def is_running(self) -> bool:
        return self.state == "running"

    @property
    def is_paused(self) -> bool:
        return self.state == "paused"


class Podman:
    def __init__(self, paths: Paths):
        self._paths = paths
        self._folder = paths.state / "podman"
        self._env = podman_environment(self._folder / "containers.conf", self._folder / "storage.conf", self._folder / "tmp")

    @property
    def is_configured(self) -> bool:
        return (self._folder / "storage.conf").exists()

    def configure(self, image_key: str, topology: Topology) -> None:
        """Write what podman reads. All of it follows from the arguments, so it can be written again when it was lost."""
        for name in ("tmp", "networks"):
            (self._folder / name).mkdir(parents=True, exist_ok=True)
        (self._folder / "containers.conf").write_text(containers_conf(self._paths, self._folder))
        (self._folder / "storage.conf").write_text(storage_conf(self._paths, self._folder, image_key))
        for name in self.networks() or [f"{NETWORK_PREFIX}{secrets.token_hex(4)}"]:
            (self._folder / "networks" / f"{name}.json").write_text(json.dumps(network(name, topology), indent=1))

    def networks(self) -> list[str]:
        return [path.stem for path in (self._folder / "networks").glob(f"{NETWORK_PREFIX}*.json")]

    def containers(self) -> dict[str, Container]:
        if not self.is_configured:
            return {}
        return parse_containers(self._podman("ps", "--all", "--format", "json").stdout)

    def create(self, host: Host, topology: Topology, image_key: str, public_key: str) -> None:
        disks.mount(host, self._paths)
        self._podman(*run_arguments(host, topology, self.networks()[0], image_key, public_key, disks.volumes(host, self._paths)))

    def start(self, name: str) -> None:
        self._podman("start", name)

    def kill(self, name: str) -> None:
        self._podman("kill", "--signal", "KILL", name)

    def pause(self, name: str) -> None:
        self._podman("pause", name)

    def unpause(self, name: str) -> None:
        self._podman("unpause", name)

    def remove_all(self) -> None:
        """Hosts with their disks. Failures do not stop it: what podman cannot remove, leftovers.py removes without podman."""
        for arguments in (("unpause", "--all"), ("kill", "--signal", "KILL", "--all"), ("rm", "--force", "--all", "--volumes", "--time", "0"),
                          ("volume", "rm", "--all", "--force"), ("network", "rm", "--force", *self.networks())):
            self._podman(*arguments, ok=None)

    def _podman(self, *arguments: str, ok=(0,)):
        return run(["podman", *arguments], env=self._env, ok=ok, timeout=120)


def containers_conf(paths: Paths, folder: Path) -> str:
    # lock_type file: the default is one shared-memory segment for every podman of the machine.
    # static_dir: conmon's clean-up after a killed host names the store only and looks for the database there; without that
    # clean-up a dead host's network lives on and answers for it.
    return f"""\
[containers]
cgroupns = "private"
default_ulimits = []
log_driver = "k8s-file"
[engine]
cgroup_manager = "cgroupfs"
events_logger = "file"
runtime = "runc"
lock_type = "file"
static_dir = "{folder}/store/libpod"
volume_path = "{folder}/volumes"
tmp_dir = "{paths.run}/libpod"
[network]
network_backend = "netavark"
network_config_dir = "{folder}/networks"
"""


def storage_conf(paths: Paths, folder: Path, image_key: str) -> str:
    return f"""\
[storage]
driver = "overlay"
graphroot = "{folder}/store"
runroot = "{paths.run}/containers"
[storage.options]
additionalimagestores = ["{store(paths, image_key)}"]
"""


def network(name: str, topology: Topology) -> dict:
    """netavark's description of the network, written by hand: podman 4.3 cannot choose the bridge's name."""
    return {
        "name": name, "id": hashlib.sha256(name.encode()).hexdigest(), "driver": "bridge", "network_interface": BRIDGE,
        "created": "2026-01-01T00:00:00Z", "subnets": [{"subnet": topology.subnet, "gateway": topology.gateway}],
        "ipv6_enabled": False, "internal": False, "dns_enabled": False, "options": {"mtu": "1500"}, "ipam_options": {"driver": "host-local"},
    }


# A host that is cut off goes on working, in a rack on processors of its own; here it would take those of the others.
CUT_OFF = 64


def shares(host: Host) -> int:
    """The weight of a host's processors: machines of their own would not wait for each other.

    A balancer has little to do, and all of it at once. An etcd host is late for its heartbeats while another host boots.
    """
    if "load_balancers" in host.groups:
        return 8192
    return 4096 if "etcd" in host.groups else 1024


def run_arguments(host: Host, topology: Topology, network_name: str, image_key: str, public_key: str,
                  volumes: dict[str, str]) -> list[str]:
    return [
        "run", "--detach", "--pull=never", "--name", host.name, "--hostname", host.name,
        "--privileged", "--cgroupns=private", f"--cgroup-parent=/{CGROUP}", "--systemd=false", "--pids-limit=-1", "--ulimit=host",
        f"--cpu-shares={shares(host)}",
        # `always` is for a host that reboots itself; podman leaves one alone that was killed.
        "--restart=always", "--stop-signal=SIGRTMIN+3",
        "--tmpfs=/run:rw,exec,mode=755", "--tmpfs=/run/lock:rw,mode=1777", "--tmpfs=/tmp:rw,exec,mode=1777",
        f"--network={network_name}", f"--ip={host.address}", f"--mac-address={host.mac}", "--no-hosts", f"--dns={topology.dns}", "--dns-search=.",
        *(f"--volume={source}:{target}" for target, source in volumes.items()),
        f"--env=LAB_AUTHORIZED_KEY={public_key}", reference(image_key),
    ]


def parse_containers(listing: str) -> dict[str, Container]:
    return {
        entry["Names"][0]: Container(entry["Names"][0], entry["State"], int(entry.get("Pid") or 0), float(entry.get("StartedAt") or 0))
        for entry in json.loads(listing or "[]") or []
    }
