# Copyright (c) 2026, ironrack.cluster contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What is inside each image: layers of Debian's tools below, one layer with the product's binary on top."""

from __future__ import annotations

import dataclasses
import typing as t
from pathlib import Path

from .archive import Entry, file, tree
from .errors import BuildError
from .oci import ImageConfig

# CAP_NET_BIND_SERVICE, effective and permitted (struct vfs_cap_data, revision 2): a DNS server on port 53 that is not root.
BIND_LOW_PORTS = "\x01\x00\x00\x02\x00\x04\x00\x00" + "\x00" * 12


@dataclasses.dataclass(frozen=True)
class Image:
    product: str  # "kubernetes" stands for the release's own minor version
    binaries: t.Mapping[str, str]  # path in the image: binary of the product
    config: ImageConfig
    tools: tuple[str, ...] = ()  # layers of the step debian-tools
    also: t.Mapping[str, tuple[str, str]] = dataclasses.field(default_factory=dict)  # path: (other product, binary)
    capability: str = ""

    def layers(self, outputs: t.Callable[[str], Path]) -> list[dict[str, Entry]]:
        """outputs(step name) is the folder that the step has filled."""
        layers = [tree(outputs("debian-tools") / name) for name in self.tools]
        xattrs = {"security.capability": self.capability} if self.capability else {}
        top = {path: file(outputs(self.product) / name, 0o755, **xattrs) for path, name in self.binaries.items()}
        for path, (product, name) in self.also.items():
            top[path] = file(outputs(product) / name, 0o755)
        return [*layers, top]


def _control_plane(name: str) -> Image:
    # kubeadm's manifests call it by its name: PATH finds it.
    path = f"usr/local/bin/{name}"
    return Image("kubernetes", {path: name}, ImageConfig((f"/{path}",)), tools=("certificates",))


IMAGES = {
    "registry.k8s.io/kube-apiserver": _control_plane("kube-apiserver"),
    "registry.k8s.io/kube-controller-manager": _control_plane("kube-controller-manager"),
    "registry.k8s.io/kube-scheduler": _control_plane("kube-scheduler"),
    "registry.k8s.io/kube-proxy": Image(
        "kubernetes",
        {"usr/local/bin/kube-proxy": "kube-proxy"},
        ImageConfig(("/usr/local/bin/kube-proxy",)),
        tools=("nft",),
    ),
    "registry.k8s.io/coredns/coredns": Image(
        "coredns",
        {"coredns": "coredns"},
        ImageConfig(("/coredns",), user="65532:65532"),
        tools=("certificates",),
        capability=BIND_LOW_PORTS,
    ),
    "registry.k8s.io/pause": Image("pause", {"pause": "pause"}, ImageConfig(("/pause",), user="65535:65535")),
    # With nftables on, flanneld still needs an iptables: it cleans up the mode that it does not use.
    "ghcr.io/flannel-io/flannel": Image(
        "flannel",
        {"opt/bin/flanneld": "flanneld"},
        ImageConfig(("/opt/bin/flanneld",)),
        tools=("nft", "xtables", "busybox", "certificates"),
        also={"opt/cni/flannel": ("flannel-cni", "flannel")},
    ),
    "docker.io/cloudnativelabs/kube-router": Image(
        "kube-router",
        {"usr/local/bin/kube-router": "kube-router"},
        ImageConfig(("/usr/local/bin/kube-router",)),
        tools=("xtables", "ipset", "certificates"),
    ),
    # Its manifest sets uid 1000; nobody is upstream's own choice for those who run it without one.
    "registry.k8s.io/metrics-server/metrics-server": Image(
        "metrics-server",
        {"metrics-server": "metrics-server"},
        ImageConfig(("/metrics-server",), user="65534"),
        tools=("certificates",),
    ),
    "registry.k8s.io/e2e-test-images/agnhost": Image("agnhost", {"agnhost": "agnhost"}, ImageConfig(("/agnhost",), command=("pause",))),
}


def image(name: str) -> Image:
    try:
        return IMAGES[name]
    except KeyError:
        raise BuildError(f"the release file wants the image {name}, which {__file__} does not describe") from None
