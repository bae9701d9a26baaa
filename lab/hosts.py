# Copyright (c) 2026, ironrack.cluster contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The lab as a whole: bring hosts up, take everything down, and the faults in between."""
from __future__ import annotations

import json
import subprocess
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass
from pathlib import Path

from . import faults, image, leftovers
from .inventory import Host, Topology, load
from .machine import Machine, favour_hosts, weigh
from .mounts import remove_tree
from .podman import CUT_OFF, Container, Podman, shares
from .settings import BRIDGE, DEVICE, USER, Paths
from .shell import LabError, Progress, run, tail

READY_TIMEOUT = 120


@dataclass(frozen=True)
class Status:
    name: str
    address: str
    zone: str
    groups: tuple[str, ...]
    state: str
    faults: tuple[str, ...]
    up_seconds: int

    def as_dict(self) -> dict:
        return asdict(self)


class Lab:
    def __init__(self, paths: Paths, progress: Progress):
        self.paths = paths
        self.podman = Podman(paths)
        self.machine = Machine(paths, progress)
        self._progress = progress

    def topology(self, asked: Path | None, default: Path) -> Topology:
        """The inventory that the running lab was started from; another one cannot be used beside it."""
        running = self._record().get("inventory")
        if asked is None:
            return load(Path(running) if running and Path(running).exists() else default)
        topology = load(asked)
        if running and running != str(topology.path):
            raise LabError(f"The lab that is up was started from {running}, not from {topology.path}, and both use the same network. "
                           "Run `python3 -m lab down` first.")
        return topology

    def up(self, topology: Topology, selected: list[Host]) -> None:
        self._refuse_other_state()
        present = self._living()
        if not present and leftovers.found(self.paths):
            self._progress.say("Removing what an earlier lab left behind")
            self.down(topology)
        if present:
            image_key = self._record()["image"]
            if image_key != image.key():
                self._progress.say("The image's definition has changed; this lab keeps the image it was started with until `down`")
            if not image.is_built(self.paths, image_key):
                raise LabError(f"The image {image_key} of the running lab is gone from {self.paths.images}. Run `python3 -m lab down`, then `up`.")
        else:
            image_key = image.ensure(self.paths, self._progress)
        self.machine.prepare()
        self.podman.configure(image_key, topology)
        public_key = self._make_key(bool(present))
        self.paths.ssh_config.write_text(ssh_config(topology, self.paths))
        self._write_record({"inventory": str(topology.path), "image": image_key})

        missing = [host for host in selected if host.name not in present or not present[host.name].is_running]
        if missing:
            self._progress.say(f"Starting {' '.join(host.name for host in missing)}")
        self._each(missing, lambda host: self._bring(host, present.get(host.name), topology, image_key, public_key))
        favour_hosts()
        self._each(selected, lambda host: self._wait_ready(host, host.name not in present))
        self._progress.say(f"{len(selected)} hosts are up: {' '.join(host.name for host in selected)}")

    def down(self, topology: Topology) -> None:
        if not leftovers.found(self.paths):
            self._progress.say("Nothing of a lab is here")
            return
        # The configuration is made of the paths alone, so podman can be asked even when the state is half gone.
        if self.paths.state.exists():
            self.podman.configure(self._record().get("image", image.key()), topology)
            self.podman.remove_all()
        leftovers.remove(self.paths, self.machine, topology.subnet, self._progress)
        self._progress.say("The lab is gone; the cache stays")

    def status(self, topology: Topology) -> list[Status]:
        present = self.podman.containers()

        def one(host: Host) -> Status:
            container = present.get(host.name)
            state = container.state if container else "absent"
            has_network = container and container.pid and (container.is_running or container.is_paused)
            seen = faults.read(container.pid).describe() if has_network else []
            seconds = int(time.time() - container.started_at) if container and container.is_running else 0
            return Status(host.name, host.address, host.zone, host.groups, state, tuple(seen), seconds)

        return self._each(topology.hosts.values(), one)

    def kill(self, host: Host) -> None:
        container = self._container(host)
        if container.is_paused:
            self.podman.unpause(host.name)
        self.podman.kill(host.name)

    def start(self, host: Host, topology: Topology, wait: bool = True) -> None:
        """Bring a host back from whatever took it: power (kill), the network (cut), the processor (pause)."""
        container = self._container(host, running=False)
        if container.is_paused:
            self.podman.unpause(host.name)
        elif container.is_running:
            faults.write(container.pid, faults.Faults(), topology)
            weigh(container.pid, shares(host))
        else:
            self.podman.start(host.name)
            self._address6(host, topology)
        if wait:
            self._wait_ready(host, False)

    def pause(self, host: Host) -> None:
        if not self._container(host).is_paused:
            self.podman.pause(host.name)

    def unpause(self, host: Host) -> None:
        if self._container(host).is_paused:
            self.podman.unpause(host.name)

    def cut(self, host: Host, topology: Topology) -> None:
        container = self._container(host)
        faults.write(container.pid, faults.replace(faults.read(container.pid), cut=True), topology)
        weigh(container.pid, CUT_OFF)

    def partition(self, first: Host, second: Host, topology: Topology) -> None:
        if first == second:
            raise LabError("A host cannot be parted from itself; name two.")
        # On both sides: the partition stays while one of them is killed and started.
        pairs = [(self._container(host), peer) for host, peer in ((first, second), (second, first))]
        for container, peer in pairs:
            faults.write(container.pid, faults.partitioned(faults.read(container.pid), peer.name), topology)

    def heal(self, selected: list[Host], topology: Topology) -> list[str]:
        """Take away pauses, cuts and partitions; returns what was healed."""
        names = {host.name for host in selected}
        done = []
        for name, container in self.podman.containers().items():
            if name in names and container.is_paused:
                self.podman.unpause(name)
                done.append(f"{name}: pause")
            if container.is_running or container.is_paused:
                seen = faults.read(container.pid)
                left = faults.healed(seen, name, names)
                if left != seen:
                    faults.write(container.pid, left, topology)
                    if seen.cut and not left.cut:
                        weigh(container.pid, shares(topology.hosts[name]))
                    done += [f"{name}: {fault}" for fault in seen.describe() if fault not in left.describe()]
        return done

    # -- the parts of it

    def _container(self, host: Host, running: bool = True) -> Container:
        container = self.podman.containers().get(host.name)
        if container is None:
            raise LabError(f"{host.name} does not exist. Run `python3 -m lab up {host.name}`.")
        if running and not (container.is_running or container.is_paused):
            raise LabError(f"{host.name} is {container.state}, not running. Run `python3 -m lab start {host.name}`.")
        return container

    def _bring(self, host: Host, container: Container | None, topology: Topology, image_key: str, public_key: str) -> None:
        if container is None:
            self.podman.create(host, topology, image_key, public_key)
        elif container.is_paused:
            self.podman.unpause(host.name)
        else:
            self.podman.start(host.name)
        self._address6(host, topology)

    def _address6(self, host: Host, topology: Topology) -> None:
        """Give host and bridge their IPv6 addresses. podman would set rules of its own for them, which nothing here needs."""
        if not host.address6:
            return
        run(["ip", "-6", "address", "replace", topology.gateway6, "dev", BRIDGE, "nodad"])
        inside = ["nsenter", "--target", str(self._container(host).pid), "--net"]
        gateway, length = topology.gateway6.split("/")
        run([*inside, "sysctl", "-q", "-w", f"net.ipv6.conf.{DEVICE}.disable_ipv6=0"])
        run([*inside, "ip", "-6", "address", "replace", f"{host.address6}/{length}", "dev", DEVICE, "nodad"])
        run([*inside, "ip", "-6", "route", "replace", "default", "via", gateway])

    def _wait_ready(self, host: Host, fresh: bool) -> None:
        """ssh answers; and on a fresh host every unit of the image has started."""
        deadline = time.monotonic() + READY_TIMEOUT
        while True:
            state, error = self._system_state(host)
            if state == "running" or (state and not fresh):
                return
            if state == "degraded":
                failed = self._ssh(host, "systemctl --failed --no-legend --plain").stdout
                raise LabError(f"{host.name} has started with failed units:\n{failed}`python3 -m lab ssh {host.name} journalctl -b` says more.")
            if time.monotonic() > deadline:
                raise LabError(f"{host.name} ({host.address}) was not ready after {READY_TIMEOUT} s; "
                               + (f"systemd says {state}." if state else f"ssh says: {error}. `python3 -m lab status` shows faults that were left."))
            time.sleep(0.2)

    def _system_state(self, host: Host) -> tuple[str, str]:
        try:
            done = self._ssh(host, "systemctl is-system-running")
        except subprocess.TimeoutExpired:
            return "", "no answer within 15 s"
        return ("", tail(done.stderr, 1)) if done.returncode == 255 else (done.stdout.strip(), "")

    def _ssh(self, host: Host, command: str) -> subprocess.CompletedProcess:
        return subprocess.run(["ssh", "-F", str(self.paths.ssh_config), "-o", "ConnectTimeout=2", host.name, command],
                              stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False, timeout=15)

    def _living(self) -> dict[str, Container]:
        """The hosts of a lab whose state is whole; nothing if it has to be started from nothing."""
        if not (self.podman.is_configured and self._record() and self.paths.key.exists()):
            return {}
        if self.paths.machine_record.exists() and not self.machine.record():
            # /run is usually empty after a reboot; where it is not, podman believes that its hosts still run.
            return {}
        try:
            return self.podman.containers()
        except LabError as exc:
            self._progress.say(f"The lab's podman does not answer ({str(exc).splitlines()[-1]})")
            return {}

    def _refuse_other_state(self) -> None:
        other = self.machine.record().get("state", str(self.paths.state))
        if other != str(self.paths.state) and Path(other).exists():
            raise LabError(f"A lab with its state in {other} is up on this machine, and there is room for one. "
                           f"Use it with IRONRACK_LAB_STATE={other}, or take it down first.")

    def _make_key(self, present: bool) -> str:
        public = self.paths.key.with_suffix(".pub")
        if not present:
            for path in (self.paths.key, public):
                remove_tree(path)
            run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", "ironrack-lab", "-f", self.paths.key])
        return public.read_text().strip()

    def _record(self) -> dict:
        try:
            return json.loads(self.paths.record.read_text())
        except (OSError, ValueError):
            return {}

    def _write_record(self, content: dict) -> None:
        temporary = self.paths.record.with_suffix(".new")
        temporary.write_text(json.dumps(content, indent=1))
        temporary.replace(self.paths.record)

    @staticmethod
    def _each(items, function) -> list:
        """For all at once; the first error is raised when all have ended."""
        items = list(items)
        with ThreadPoolExecutor(max_workers=max(len(items), 1)) as pool:
            return list(pool.map(function, items))


def ssh_config(topology: Topology, paths: Paths) -> str:
    """For people, for this program, and for the hop of a jump host (ssh hands its -F to the hop, not its -o)."""
    lines = []
    for host in topology.hosts.values():
        lines += [f"Host {host.name} {host.address}", f"  HostName {host.address}"]
    return "\n".join([
        *lines, "Host *", f"  User {USER}", f"  IdentityFile {paths.key}", "  IdentitiesOnly yes", "  BatchMode yes", "  StrictHostKeyChecking no",
        "  UserKnownHostsFile /dev/null", "  LogLevel ERROR", "  ConnectTimeout 5", ""])
