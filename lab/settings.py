# Copyright (c) 2026, ironrack.cluster contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Where the lab keeps what it makes, and the names that it uses on the machine."""
from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

REPOSITORY = Path(__file__).resolve().parent.parent
CODENAME = "bookworm"
# The ordinary user of every host; the image makes it, inventories/lab names it as ansible_user.
USER = "operator"
# A fixed name instead of podman's next free podmanN: `down` then knows its own bridge even without any state.
BRIDGE = "ironrack0"
CGROUP = "ironrack-lab"
DEVICE = "eth0"
# Folders that cannot lie in a host's own overlay: containerd's overlayfs, kubelet's mounts, etcd's data (disks.py).
VOLUMES = {"containerd": "/var/lib/containerd", "kubelet": "/var/lib/kubelet", "etcd": "/var/lib/etcd"}


@dataclass(frozen=True)
class Paths:
    """The folders of one lab. ``run`` holds what must not outlive a reboot of the machine."""

    state: Path
    cache: Path
    run: Path = Path("/run/ironrack-lab")

    @classmethod
    def from_environment(cls, environ: dict[str, str] | None = None) -> Paths:
        env = os.environ if environ is None else environ
        return cls(
            state=Path(env.get("IRONRACK_LAB_STATE") or "/var/lib/ironrack-lab"),
            cache=Path(env.get("IRONRACK_CACHE") or "/var/cache/ironrack"),
        )

    @property
    def key(self) -> Path:
        return self.state / "id_ed25519"

    @property
    def ssh_config(self) -> Path:
        return self.state / "ssh_config"

    @property
    def record(self) -> Path:
        """What the running lab was started from (inventory, image)."""
        return self.state / "lab.json"

    @property
    def machine_record(self) -> Path:
        """What the machine was like before the lab came (sysctls, modules, nft tables)."""
        return self.run / "machine.json"

    @property
    def images(self) -> Path:
        return self.cache / "lab-image"
