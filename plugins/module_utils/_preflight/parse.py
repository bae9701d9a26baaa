# Copyright (c) 2026, ironrack.cluster contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the kernel and the system say of themselves, from text to values. No I/O.

This is a private module_utils package: it may change in any release.
"""
from __future__ import annotations

import re
import socket
import struct
import sys

LISTEN = "0A"
CAP_SYS_RESOURCE = 24


def os_release(text):
    """:returns: /etc/os-release as a dictionary."""
    found = {}
    for line in text.splitlines():
        name, equals, value = line.partition("=")
        if equals and not line.startswith("#"):
            found[name.strip()] = value.strip().strip("\"'")
    return found


def memory_mib(text):
    """:returns: MemTotal of /proc/meminfo in MiB, or 0 where it is not said."""
    match = re.search(r"^MemTotal:\s+(\d+) kB", text, re.M)
    return int(match.group(1)) // 1024 if match else 0


def _address(word):
    """:returns: an address of /proc/net/tcp or tcp6: groups of four bytes, each in the machine's byte order (little-endian on x86)."""
    raw = b"".join(struct.pack("=I", int(word[start:start + 8], 16)) for start in range(0, len(word), 8))
    return socket.inet_ntop(socket.AF_INET if len(raw) == 4 else socket.AF_INET6, raw)


def listeners(text):
    """:returns: [(address, port, inode)] of the listening sockets in /proc/net/tcp or tcp6."""
    found = []
    for line in text.splitlines()[1:]:
        words = line.split()
        if len(words) > 9 and words[3] == LISTEN:
            address, dummy, port = words[1].partition(":")
            found.append((_address(address), int(port, 16), words[9]))
    return found


def local_ipv4(text):
    """:returns: the host's own IPv4 addresses from /proc/net/fib_trie."""
    found, address = [], ""
    for line in text.splitlines():
        match = re.search(r"\|-- (\S+)$", line)
        if match:
            address = match.group(1)
        elif "/32 host LOCAL" in line and address not in found:
            found.append(address)
    return found


def local_ipv6(text):
    """:returns: the host's own IPv6 addresses from /proc/net/if_inet6."""
    return [socket.inet_ntop(socket.AF_INET6, bytes.fromhex(line.split()[0])) for line in text.splitlines() if line.strip()]


def cgroup_v1_controllers(text):
    """:returns: enabled controllers from /proc/cgroups."""
    rows = [line.split() for line in text.splitlines() if line and not line.startswith("#")]
    return sorted(row[0] for row in rows if len(row) == 4 and row[3] == "1")


def kernel_config(text):
    """:returns: option -> y or m; an option that is not set is left out."""
    return dict(re.findall(r"^(CONFIG_[A-Z0-9_]+)=([ym])$", text, re.M))


def module_names(*texts):
    """:returns: names of kernel modules in modules.dep and modules.builtin, with '_' for '-'."""
    found = set()
    for text in texts:
        for line in text.splitlines():
            path = line.partition(":")[0].strip()
            if ".ko" in path:
                found.add(path.rpartition("/")[2].partition(".ko")[0].replace("-", "_"))
    return found


def features(wanted, config, modules, filesystems):
    """Whether the kernel can do something, as far as it says.

    :param wanted: name -> (option of the configuration, name of the module).
    :param config: :func:`kernel_config`, empty where the kernel does not show it.
    :param modules: :func:`module_names`.
    :param filesystems: names in /proc/filesystems.
    :returns: name -> True, False, or None where nothing tells.
    """
    told = {}
    for name, (option, module) in wanted.items():
        if module in modules or module in filesystems or config.get(option) == "y":
            told[name] = True
        elif config:
            # Configured as a module that is not installed: no role can load it either.
            told[name] = False if modules or option not in config else None
        else:
            told[name] = False if modules else None
    return told


def kubeconfig_server(text):
    """:returns: host:port that a kubeconfig points to, or an empty string. YAML or JSON: the hosts have no YAML reader."""
    match = re.search(r"[\"']?\bserver[\"']?:\s*[\"']?https?://([^\s\"'/,}]+)", text)
    return match.group(1) if match else ""


def open_files(limits, status, nr_open):
    """:returns: how many files a service may open: systemd's own limit, which it may only raise (to fs.nr_open) with CAP_SYS_RESOURCE.

    :param limits: /proc/1/limits. status: /proc/1/status. nr_open: /proc/sys/fs/nr_open. None where nothing tells.
    """
    may_raise = re.search(r"^CapBnd:\s*([0-9a-f]+)$", status, re.M)
    if may_raise and int(may_raise.group(1), 16) >> CAP_SYS_RESOURCE & 1 and nr_open.strip().isdigit():
        return int(nr_open)
    hard = re.search(r"^Max open files\s+\S+\s+(\d+|unlimited)", limits, re.M)
    if not hard:
        return None
    return int(hard.group(1)) if hard.group(1).isdigit() else sys.maxsize


def free_files(file_nr):
    """:returns: how many files the kernel can still open (/proc/sys/fs/file-nr: open, unused, most), or None where it does not say."""
    words = file_nr.split()
    return int(words[2]) - int(words[0]) if len(words) == 3 and all(word.isdigit() for word in words) else None


#: Variable of the inventory -> flag of a static pod that says what the cluster was built with.
BUILT_FLAGS = {
    "cluster_api_port": ("kube-apiserver", "secure-port"),
    "cluster_service_cidr": ("kube-apiserver", "service-cluster-ip-range"),
    "cluster_pod_cidr": ("kube-controller-manager", "cluster-cidr"),
    "cluster_name": ("kube-controller-manager", "cluster-name"),
}


def built(manifests, kubelet_config, kubelet_flags, node_certificate):
    """What a node was built with and runs with, in the names of the inventory.

    :param manifests: component -> text of its static pod's manifest; empty where there is none.
    :param kubelet_config: text of the kubelet's configuration, kubelet_flags of kubeadm's environment file for it.
    :param node_certificate: the kubelet's own certificate, DER.
    :returns: variable -> value as text; what nothing tells is left out.
    """
    found = {name: flag(manifests.get(component, ""), word) for name, (component, word) in BUILT_FLAGS.items()}
    domain = re.search(r"^clusterDomain:\s*[\"']?([^\s\"']+)", kubelet_config, re.M)
    found["cluster_domain"] = domain.group(1) if domain else ""
    found["cluster_node_address"] = flag(manifests.get("kube-apiserver", ""), "advertise-address") or flag(kubelet_flags, "node-ip")
    found["node name"] = node_name(node_certificate)
    return {name: value for name, value in found.items() if value}


def flag(text, name):
    """:returns: the value of --NAME=VALUE in a text, or an empty string."""
    match = re.search(r"--%s=([^\s\"']+)" % re.escape(name), text)
    return match.group(1) if match else ""


def node_name(certificate):
    """:returns: the node's name in a kubelet's certificate (DER), or an empty string.

    What follows the name may be a letter too, so its length is read, which stands before it.
    """
    place = certificate.find(b"system:node:")
    if place < 1:
        return ""
    return certificate[place:place + certificate[place - 1]].decode("ascii", "replace")[len("system:node:"):]


def image_version(manifest, image):
    """:returns: 1.36.4 from the line ``image: registry/IMAGE:v1.36.4`` of a static pod's manifest, or an empty string."""
    match = re.search(r"\bimage[\"']?:\s*[\"']?\S*\b%s:v?(\d+\.\d+\.\d+)" % re.escape(image), manifest)
    return match.group(1) if match else ""


def version_in(text):
    """:returns: the last 1.36.4 of a text, such as the path that a link leads to, or an empty string."""
    found = re.findall(r"(?<![\d.])(\d+\.\d+\.\d+)(?![\d.])", text)
    return found[-1] if found else ""
