# Copyright (c) 2026, ironrack.cluster contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Reads a host, and changes nothing on it.

This is a private module_utils package: it may change in any release.
"""
from __future__ import annotations

import base64
import gzip
import json
import os
import re
import shutil
import socket
import sys
import time

from .._pki.openssl import OpenSsl
from . import authorities, opensearch, parse
from .decide import FEATURES, FOREIGN_RUNTIMES, disk_folders, ports

#: What other distributions of Kubernetes leave where they are installed.
OTHER_KUBERNETES = ("/etc/rancher/k3s/k3s.yaml", "/etc/rancher/rke2/rke2.yaml", "/var/snap/microk8s/current")
ETCD_OURS = "/etc/etcd/pki/ca.crt"
ETCD_FORMED = "/etc/etcd/formed"
SERVICE_CA = "/etc/ironrack/service-ca.crt"
KUBELET_CONF = "/etc/kubernetes/kubelet.conf"
KUBELET_CERT = "/var/lib/kubelet/pki/kubelet-client-current.pem"
MANIFEST = "/etc/kubernetes/manifests/%s.yaml"
FLANNEL, KUBE_ROUTER = "10-flannel.conflist", "kube-router"
BALANCER = "/etc/ironrack/balancer-health.json"
KUBELETS = ("/usr/local/bin/kubelet", "/usr/bin/kubelet")
#: Our packet filter is on, or will be after the next boot. Not what is refused, but what a run has to switch off where nobody wants it any more.
FIREWALL = ("/run/systemd/units/invocation:ironrack-firewall.service", "/etc/systemd/system/multi-user.target.wants/ironrack-firewall.service")
#: Seconds for a host that a limited run leaves out to take a connection.
ANSWER_WITHIN = 3
ETCD_DATA = ("/var/lib/etcd/data/member", "/var/lib/etcd/member", "/var/lib/etcd/default/member")


def text_of(path):
    """:returns: a file's text, or nothing where it cannot be read: a probe says what it sees."""
    try:
        with open(path, "r", encoding="utf-8", errors="replace") as stream:
            return stream.read()
    except OSError:
        return ""


def probe(wants, cli=None):
    """Look at this host.

    :param cli: runs openssl on the host of the certificate store; without it no authority is looked at.
    :returns: what decide() and the verdict look at.
    """
    names = ports(wants)
    release = os.uname().release
    openssl = shutil.which("openssl") or ""
    kubelet_server = parse.kubeconfig_server(text_of(KUBELET_CONF))
    return {
        "time": time.time(),
        "hostname": socket.gethostname(),
        "machine_id": text_of("/etc/machine-id").strip(),
        "os": parse.os_release(text_of("/etc/os-release")),
        "machine": os.uname().machine,
        "kernel": release,
        "python": list(sys.version_info[:3]),
        "uid": os.geteuid(),
        "init": text_of("/proc/1/comm").strip(),
        "memory_mib": parse.memory_mib(text_of("/proc/meminfo")),
        "disks": {folder: _disk(folder) for folder in disk_folders(wants.parts)},
        "cgroup": _cgroup(),
        "features": parse.features(FEATURES, _kernel_config(release), _kernel_modules(release), text_of("/proc/filesystems").split()),
        "listening": _listening(names),
        "addresses": parse.local_ipv4(text_of("/proc/net/fib_trie")) + parse.local_ipv6(text_of("/proc/net/if_inet6")),
        "kubelet_server": kubelet_server,
        "versions": _versions() if kubelet_server else {},
        "built": _built() if kubelet_server else {},
        "removed": _removed(wants.api_servers) if "load_balancers" in wants.parts and wants.api_servers else [],
        "etcd_formed": os.path.exists(ETCD_FORMED),
        "files": {
            "limit": parse.open_files(*[text_of(path) for path in ("/proc/1/limits", "/proc/1/status", "/proc/sys/fs/nr_open")]),
            "free": parse.free_files(text_of("/proc/sys/fs/file-nr"))},
        "no_answer": [need["name"] for need in wants.left_out if _lacks(need, wants.parts, kubelet_server) and not _answers(need["servers"])],
        "store": os.path.exists(os.path.join(wants.store, "kubernetes-ca.crt")) if "pki" in wants.parts else None,
        "opensearch": dict(opensearch.built(text_of(opensearch.UNIT), text_of(opensearch.SETTINGS)), formed=os.path.exists(opensearch.FORMED)),
        "opensearch_ca": os.path.exists(os.path.join(wants.store, "opensearch-ca.crt")) if "pki" in wants.parts and wants.opensearch else None,
        "authorities": authorities.read(OpenSsl(cli, wants.store), wants.authorities, wants.store) if cli and openssl else [],
        "kubernetes_other": [path for path in OTHER_KUBERNETES if os.path.exists(path)],
        "etcd_manifest": os.path.exists("/etc/kubernetes/manifests/etcd.yaml"),
        "etcd_foreign_data": "" if os.path.exists(ETCD_OURS) else next((path for path in ETCD_DATA if os.path.isdir(path)), ""),
        "runtimes": sorted({name for dummy, name in _processes()}.intersection(FOREIGN_RUNTIMES)),
        "openssl": openssl,
        "firewall": any(os.path.lexists(path) for path in FIREWALL),
    }


def _versions():
    """:returns: what runs of Kubernetes here: the API server's static pod, and the kubelet, whose version is in the path its link leads to."""
    kubelet = next((os.path.realpath(path) for path in KUBELETS if os.path.exists(path)), "")
    return {"api": parse.image_version(text_of("/etc/kubernetes/manifests/kube-apiserver.yaml"), "kube-apiserver"),
            "kubelet": parse.version_in(kubelet)}


def _built():
    """:returns: what this node was built with, by the names of the inventory's variables."""
    manifests = {name: text_of(MANIFEST % name) for name in ("kube-apiserver", "kube-controller-manager")}
    match = re.search("-----BEGIN CERTIFICATE-----(.+?)-----END CERTIFICATE-----", text_of(KUBELET_CERT), re.S)
    found = parse.built(manifests, text_of("/var/lib/kubelet/config.yaml"), text_of("/var/lib/kubelet/kubeadm-flags.env"),
                        base64.b64decode(match.group(1)) if match else b"")
    networks = os.listdir("/etc/cni/net.d") if os.path.isdir("/etc/cni/net.d") else []
    if networks:
        found["pod_network_provider"] = "flannel" if FLANNEL in networks else "none"
    if any(name == KUBE_ROUTER for dummy, name in _processes()):
        found["policy engine"] = KUBE_ROUTER
    return found


def _removed(api_servers):
    """:returns: the API servers that this balancer leads to, the inventory does not have, and that still take a connection."""
    try:
        servers = json.loads(text_of(BALANCER) or "{}").get("servers", [])
        listed = [(one["name"], "%s:%d" % ("[%s]" % one["address"] if ":" in one["address"] else one["address"], one["port"])) for one in servers]
    except (ValueError, KeyError, TypeError, AttributeError):
        return []
    return [{"name": name, "server": server} for name, server in listed if server not in api_servers and _answers([server])]


def _lacks(need, parts, kubelet_server):
    """:returns: whether the host still needs what those give who are left out: a built host goes on without."""
    if not set(need["parts"]).intersection(parts):
        return False
    if need["name"] == "etcd" and "etcd" in parts:
        return not os.path.exists(ETCD_FORMED)
    return not os.path.exists(SERVICE_CA) if need["name"] == "mirror" else not kubelet_server


def _answers(servers):
    """:returns: whether any of these host:port takes a connection."""
    for server in servers:
        host, dummy, port = server.rpartition(":")
        try:
            socket.create_connection((host.strip("[]"), int(port)), timeout=ANSWER_WITHIN).close()
            return True
        except OSError:
            continue
    return False


def _disk(folder):
    while not os.path.isdir(folder):
        folder = os.path.dirname(folder)
    seen = os.statvfs(folder)
    return {"size_mib": seen.f_blocks * seen.f_frsize >> 20, "free_mib": seen.f_bavail * seen.f_frsize >> 20}


def _cgroup():
    unified = text_of("/sys/fs/cgroup/cgroup.controllers").split()
    if unified:
        return {"version": 2, "controllers": sorted(unified)}
    return {"version": 1, "controllers": parse.cgroup_v1_controllers(text_of("/proc/cgroups"))}


def _kernel_config(release):
    try:
        with gzip.open("/proc/config.gz", "rt", encoding="ascii", errors="replace") as stream:
            return parse.kernel_config(stream.read())
    except OSError:
        return parse.kernel_config(text_of("/boot/config-" + release))


def _kernel_modules(release):
    found = parse.module_names(*[text_of("/lib/modules/%s/%s" % (release, name)) for name in ("modules.dep", "modules.builtin")])
    loaded = {line.split()[0] for line in text_of("/proc/modules").splitlines() if line}
    # What is loaded counts, and is no sign that the list of all modules is there.
    return found | loaded if found else found


def _processes():
    """:returns: (pid, name) of every process; one that ends meanwhile is left out."""
    for pid in os.listdir("/proc"):
        if pid.isdigit():
            name = text_of("/proc/%s/comm" % pid).strip()
            if name:
                yield pid, name


def _listening(wanted):
    """:returns: who listens on the wanted ports. Descriptors of processes are only gone through where one of those is in use."""
    sockets = []
    for path in ("/proc/net/tcp", "/proc/net/tcp6"):
        sockets += [entry for entry in parse.listeners(text_of(path)) if entry[1] in wanted]
    owners = _owners({"socket:[%s]" % inode for dummy, dummy2, inode in sockets}) if sockets else {}
    found = []
    for address, port, inode in sockets:
        pid, name = owners.get("socket:[%s]" % inode, ("", ""))
        found.append({"address": address, "port": port, "process": name, "pid": pid})
    return found


def _owners(links):
    owners = {}
    for pid, name in _processes():
        try:
            descriptors = os.listdir("/proc/%s/fd" % pid)
        except OSError:
            continue
        for descriptor in descriptors:
            try:
                link = os.readlink("/proc/%s/fd/%s" % (pid, descriptor))
            except OSError:
                continue
            # systemd holds the sockets it activates too: the program that was started with it is the one to name.
            if link in links and (link not in owners or owners[link][0] == "1"):
                owners[link] = (pid, name)
        if len(owners) == len(links) and "1" not in [owner for owner, dummy in owners.values()]:
            break
    return owners
