# Copyright (c) 2026, ironrack.cluster contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What is wrong with a host, from what was read of it. No I/O: recorded probes are its tests.

Only what no role can mend is a problem here: swap, modules to load, packages, time servers and the like are set up by the roles.
A host of a built cluster passes as a bare one does.

This is a private module_utils package: it may change in any release.
"""
from __future__ import annotations

import ipaddress
from collections import namedtuple

from . import opensearch

#: parts: groups of the host, and 'pki' for the host of the certificate store. servers: host:port that a kubelet of this cluster may use.
#: version: of Kubernetes. left_out: what the limit of this run leaves out, as the model has it. authorities, store: of the model's pki.
#: fixed: what a built node must have been built with, as parse.built() names it.
#: api_servers: host:port of those of the inventory. opensearch: name, version and heap of its OpenSearch.
Wants = namedtuple(
    "Wants", ("address", "parts", "profile", "api_port", "endpoint_port", "servers", "cgroup_v1", "version", "left_out", "authorities", "store",
              "fixed", "api_servers", "opensearch"),
    defaults=("", (), (), "", {}, (), {}))

NODE = ("control_plane", "workers")
#: Oldest and newest tried version by os-release's ID; None: any newer one will do.
SYSTEMS = {"debian": (12, None), "ubuntu": (22.04, None), "rhel": (9, 10), "rocky": (9, 10), "almalinux": (9, 10), "ol": (9, 10),
           "centos": (9, 10)}
PYTHON = (3, 8)
#: MiB of memory that a part adds to the host's own; the second number is for profile lab.
HOST_MEMORY = (384, 128)
MEMORY = {"control_plane": (1536, 1024), "etcd": (512, 256), "workers": (1024, 512), "load_balancers": (256, 64), "mirror": (512, 256),
          "opensearch_managers": (1536, 640), "opensearch_data": (2048, 768), "opensearch_ingest": (1536, 640), "object_store": (256, 64),
          "opensearch_dashboards": (1024, 512)}
#: Folder, size of its file system in MiB, and MiB that have to be free: enough to do a run, not to fill one's day with images.
DISKS = {
    "control_plane": (("/var/lib/containerd", 15360, 2048), ("/opt", 2048, 512)),
    "workers": (("/var/lib/containerd", 15360, 2048), ("/opt", 2048, 512)),
    "etcd": (("/var/lib/etcd", 8192, 1024),),
    "load_balancers": (("/var", 2048, 256),),
    "mirror": (("/var", 10240, 2048),),
    "opensearch_managers": (("/opt", 4096, 1024), ("/var/lib/opensearch", 4096, 1024)),
    "opensearch_data": (("/opt", 4096, 1024), ("/var/lib/opensearch", 20480, 4096)),
    "opensearch_ingest": (("/opt", 4096, 1024), ("/var/lib/opensearch", 1024, 256)),
    "object_store": (("/var/lib/object-store", 20480, 4096),),
    "opensearch_dashboards": (("/opt", 4096, 2048),),
}
LAB_DISK = (2048, 256)
#: Files that a part's largest service opens; the second number is for profile lab. nginx says so in its configuration, the others are
#: what a busy one was seen to hold, not what their units ask for (1048576), which systemd cuts to what it may give.
FILES = {"control_plane": (65536, 8192), "workers": (65536, 8192), "etcd": (16384, 4096), "load_balancers": (9216, 9216), "mirror": (8192, 4096),
         "opensearch_managers": (65535, 8192), "opensearch_data": (65535, 8192), "opensearch_ingest": (65535, 8192), "object_store": (8192, 4096),
         "opensearch_dashboards": (8192, 4096)}
#: Minors that a kubelet may be older than the API servers, by Kubernetes' version skew policy.
KUBELET_BEHIND = 3
CONTROLLERS = ("cpu", "cpuset", "memory", "pids")
#: Feature -> (option of the kernel's configuration, module).
FEATURES = {
    "overlay": ("CONFIG_OVERLAY_FS", "overlay"), "br_netfilter": ("CONFIG_BRIDGE_NETFILTER", "br_netfilter"),
    "bridge": ("CONFIG_BRIDGE", "bridge"), "veth": ("CONFIG_VETH", "veth"), "vxlan": ("CONFIG_VXLAN", "vxlan"),
    "nf_tables": ("CONFIG_NF_TABLES", "nf_tables"), "nf_conntrack": ("CONFIG_NF_CONNTRACK", "nf_conntrack"),
    "ip_set": ("CONFIG_IP_SET", "ip_set"),
}
API, ENDPOINT = "api_port", "endpoint_port"
#: Part -> port -> processes of ours that may hold it (as in /proc/PID/comm, which ends after 15 letters).
PORTS = {
    "etcd": {2379: ("etcd",), 2380: ("etcd",), 2381: ("etcd",)},
    "control_plane": {API: ("kube-apiserver",), 10257: ("kube-controller", "kube-controller-manager"), 10259: ("kube-scheduler",),
                      10250: ("kubelet",), 10248: ("kubelet",), 10249: ("kube-proxy",), 10256: ("kube-proxy",)},
    "workers": {10250: ("kubelet",), 10248: ("kubelet",), 10249: ("kube-proxy",), 10256: ("kube-proxy",)},
    "load_balancers": {ENDPOINT: ("nginx",)},
    "mirror": {8443: ("nginx",), 5000: ("nginx", "docker-registry")},
    "opensearch_managers": {9200: ("java",), 9300: ("java",)},
    "opensearch_data": {9200: ("java",), 9300: ("java",)},
    "opensearch_ingest": {9200: ("java",), 9300: ("java",)},
    "object_store": {7070: ("versitygw",)},
    # Newer releases of Node.js call their main thread so.
    "opensearch_dashboards": {5601: ("node", "MainThread")},
}
FOREIGN_RUNTIMES = {"dockerd": "docker", "crio": "CRI-O", "k3s-server": "k3s", "k3s": "k3s", "rke2": "RKE2", "microk8s": "MicroK8s"}


def decide(probe, wants):
    """:returns: every problem of the host, as dictionaries of check, what, expected and mend."""
    found = []
    for check in CHECKS:
        for what, expected, mend in check(probe, wants):
            found.append({"check": check.__name__, "what": what, "expected": expected, "mend": mend})
    return found


def ports(wants):
    """:returns: port -> names of processes that may hold it, for all parts of the host."""
    found = {}
    for part in wants.parts:
        for port, names in PORTS.get(part, {}).items():
            number = getattr(wants, port) if port in (API, ENDPOINT) else port
            found[number] = tuple(sorted(set(found.get(number, ()) + names)))
    return found


def disk_folders(parts):
    """:returns: the folders whose file system matters to these parts."""
    return sorted({folder for part in parts for folder, dummy, dummy2 in DISKS.get(part, ())})


def _is_node(wants):
    return any(part in wants.parts for part in NODE)


def root(probe, wants):
    if probe["uid"] != 0:
        yield ("the module ran as uid %s" % probe["uid"], "root, by sudo",
               "run with become, and let the login user sudo (visudo: USER ALL=(ALL) NOPASSWD: ALL, or --ask-become-pass)")


def operating_system(probe, wants):
    name, version = probe["os"].get("ID", ""), probe["os"].get("VERSION_ID", "")
    shown = probe["os"].get("PRETTY_NAME") or "%s %s" % (name or "an unknown system", version)
    expected = "Debian 12 or newer, Ubuntu 22.04 or newer, or RHEL 9 and its rebuilds"
    try:
        number = float(version)
    except ValueError:
        number = 0
    oldest, next_one = SYSTEMS.get(name, (None, None))
    if oldest is None or number < oldest or next_one is not None and number >= next_one:
        yield "it runs %s" % shown, expected, "install one of these, or take the host out of the inventory"


def machine(probe, wants):
    if probe["machine"] != "x86_64":
        yield "its processors are %s" % probe["machine"], "x86_64, which the release's files are built for", "take another machine"


def python(probe, wants):
    if tuple(probe["python"][:2]) < PYTHON:
        yield ("Python is %s" % ".".join(str(number) for number in probe["python"]), "Python 3.8 or newer",
               "install one and name it in ansible_python_interpreter")


def systemd(probe, wants):
    if probe["init"] != "systemd":
        yield "the first process is %s" % (probe["init"] or "not to be seen"), "systemd", "take a machine, or a container, that systemd runs"


def memory(probe, wants):
    column = 1 if wants.profile == "lab" else 0
    # workers and control planes on one host share the kubelet and containerd that both numbers hold: the sum errs to the safe side.
    need = HOST_MEMORY[column] + sum(MEMORY[part][column] for part in set(wants.parts) if part in MEMORY)
    if probe["memory_mib"] < need:
        yield ("it has %d MiB of memory" % probe["memory_mib"], "at least %d MiB for %s" % (need, ", ".join(wants.parts)),
               "add memory, or move a part to another host%s" % ("" if column else " (cluster_profile: lab asks for less)"))


def disk(probe, wants):
    needs = {}
    for part in wants.parts:
        for folder, size, free in DISKS.get(part, ()):
            old = needs.get(folder, (0, 0))
            needs[folder] = (max(old[0], size), max(old[1], free))
    for folder, (size, free) in sorted(needs.items()):
        seen = probe["disks"].get(folder)
        if wants.profile == "lab":
            size, free = min(size, LAB_DISK[0]), min(free, LAB_DISK[1])
        if seen and seen["size_mib"] < size:
            yield ("the file system of %s has %d MiB" % (folder, seen["size_mib"]), "at least %d MiB" % size, "give it a larger one")
        elif seen and seen["free_mib"] < free:
            yield ("the file system of %s has %d MiB free" % (folder, seen["free_mib"]), "at least %d MiB to do a run" % free, "free some")


def file_handles(probe, wants):
    column = 1 if wants.profile == "lab" else 0
    need = max([FILES[part][column] for part in wants.parts if part in FILES] or [0])
    limit, free = probe["files"]["limit"], probe["files"]["free"]
    if limit is not None and limit < need:
        yield ("a service may open %d files" % limit, "at least %d for %s" % (need, ", ".join(wants.parts)),
               "raise DefaultLimitNOFILE or fs.nr_open; where the host is a container, the nofile limit that it is started with")
    elif free is not None and free < need:
        yield ("the kernel can open %d more files" % max(free, 0), "at least %d for %s" % (need, ", ".join(wants.parts)),
               "raise fs.file-max, or stop what holds them (cat /proc/sys/fs/file-nr)")


def cgroups(probe, wants):
    if not _is_node(wants):
        return
    missing = [name for name in CONTROLLERS if name not in probe["cgroup"]["controllers"]]
    if missing:
        yield ("the cgroup controllers %s are missing" % ", ".join(missing), "the controllers " + ", ".join(CONTROLLERS),
               "enable them on the kernel's command line (cgroup_enable=%s)" % missing[0])
    if probe["cgroup"]["version"] == 1 and not wants.cgroup_v1:
        yield ("it runs cgroup v1, which the kubelet refuses from 1.35 on", "cgroup v2",
               "boot with systemd.unified_cgroup_hierarchy=1; or, for now, set failCgroupV1: false in cluster_kubelet_extra_config")


def kernel(probe, wants):
    if not _is_node(wants):
        return
    missing = sorted(name for name in FEATURES if probe["features"].get(name) is False)
    if missing:
        yield ("kernel %s has no %s, not even as a module" % (probe["kernel"], ", ".join(missing)), "a kernel with %s" % ", ".join(FEATURES),
               "boot the distribution's standard kernel, and install its modules (linux-modules-extra, kernel-modules)")


def free_ports(probe, wants):
    allowed = ports(wants)
    told = set()
    for seen in probe["listening"]:
        names, port = allowed.get(seen["port"]), seen["port"]
        if names and seen["process"] not in names and (port, seen["process"]) not in told:
            told.add((port, seen["process"]))
            yield ("port %d is held by %s" % (port, "%s (pid %s)" % (seen["process"], seen["pid"]) if seen["process"] else "an unknown process"),
                   "a free port, or %s" % " or ".join(names), "stop that program, or move it to another port")


def own_address(probe, wants):
    if probe["addresses"] and wants.address not in probe["addresses"]:
        seen = [address for address in probe["addresses"] if not address.startswith(("127.", "::1", "fe80:"))]
        yield ("%s is none of its addresses (%s)" % (wants.address, ", ".join(seen[:6])), "an address of one of its interfaces",
               "correct ansible_host, or set cluster_node_address where Ansible comes by another way than the cluster")


def foreign_cluster(probe, wants):
    if not _is_node(wants):
        return
    server = probe["kubelet_server"]
    if server and server not in wants.servers:
        yield ("its kubelet belongs to the cluster at %s" % server, "a host of no cluster, or of this one (%s)" % ", ".join(wants.servers),
               "give that cluster's node back first (kubeadm reset); if it is this cluster under a former endpoint, set that again")
    elif probe["kubernetes_other"]:
        yield ("%s is there" % ", ".join(probe["kubernetes_other"]), "a host of no other Kubernetes", "uninstall that one first")


#: What no run changes on a built cluster -> why, and what to do instead.
FIXED = {
    "cluster_pod_cidr": ("every pod and every node's share of the network has an address of the old one",
                         "build a second cluster beside this one and move the workloads"),
    "cluster_service_cidr": ("every Service and the API's own certificate have an address of the old one",
                             "build a second cluster beside this one and move the workloads"),
    "cluster_domain": ("running pods and the issuer of their tokens have the old one",
                       "build a second cluster beside this one and move the workloads"),
    "cluster_name": ("etcd's cluster token and the kubeconfigs carry the old one", "set the old name again"),
    "cluster_api_port": ("every kubelet, balancer and kubeconfig is told the old one", "set the old port again"),
    "cluster_node_address": ("etcd's members, certificates and the other hosts know it by the old one",
                             "take the host out of the cluster (reset.yml, kubectl delete node), then add it with its new address"),
    "node name": ("its Node object and its certificate have the old one",
                  "call the host in the inventory what its node is called; or take it out (reset.yml, kubectl delete node) and add it again"),
    "pod_network_provider": ("running pods are connected by the old one and would be cut off",
                             "set the old one again; or empty and reset the nodes one after the other"),
    "policy engine": ("NetworkPolicies that are enforced now would silently be no more",
                      "set the old one again; or delete kube-router's DaemonSet and reboot the nodes first, if nobody relies on a policy"),
}


def _same(one, other):
    """:returns: whether two settings are the same; an address has several spellings."""
    try:
        return ipaddress.ip_network(one, strict=False) == ipaddress.ip_network(other, strict=False)
    except ValueError:
        return one == other


def fixed_settings(probe, wants):
    """What would strand what runs is compared with what runs, and not with what an earlier run was told."""
    for name, value in sorted(wants.fixed.items()):
        built = probe["built"].get(name)
        if built and not _same(built, value):
            why, mend = FIXED[name]
            yield "it was built with %s %s, and %s is asked for" % (name, built, value or "none"), "%s: %s" % (built, why), mend


def removed_host(probe, wants):
    """A balancer would forget an API server that serves, and nobody would know of it any more."""
    for seen in probe["removed"]:
        yield ("its balancer leads to the API server of %s (%s), which answers, and the inventory does not have it" % (seen["name"], seen["server"]),
               "every API server that runs in the inventory",
               "put %s back into the inventory; if it is to go for good: where it is an etcd member `etcdctl member remove ID` by another one, "
               "then kubectl delete node %s, and switch it off" % (seen["name"], seen["name"]))


def numbers(version):
    """:returns: 1.36.4 as numbers."""
    return tuple(int(part) for part in version.split("."))


def version(probe, wants):
    """Only what a run with this version would break."""
    if not wants.version:
        return
    wanted = numbers(wants.version)
    for part, behind in (("api", 1), ("kubelet", KUBELET_BEHIND)):
        running = probe["versions"].get(part)
        name = "API server" if part == "api" else "kubelet"
        if not running:
            continue
        if numbers(running) > wanted:
            yield ("its %s is %s, and %s would be a downgrade" % (name, running, wants.version), "%s or newer" % running,
                   "set cluster_kubernetes_version to %s: what Kubernetes has written is not read by an older one" % running)
        elif wanted[0] == numbers(running)[0] and wanted[1] - numbers(running)[1] > behind:
            yield ("its %s is %s, and %s is %d minors away" % (name, running, wants.version, wanted[1] - numbers(running)[1]),
                   "at most %d minor%s at once" % (behind, "" if behind == 1 else "s"),
                   "go to %d.%d first" % (wanted[0], numbers(running)[1] + behind))


def another_minor(probe, wants):
    """A newer patch is rolled out like any change. A step of one minor is allowed by Kubernetes, and is an operation of its own, which
    accepts this check. Of a longer step :func:`version` tells."""
    for part, name, behind in (("api", "API server", 1), ("kubelet", "kubelet", KUBELET_BEHIND)):
        running = probe["versions"].get(part)
        if wants.version and running and numbers(running)[0] == numbers(wants.version)[0] and (
                1 <= numbers(wants.version)[1] - numbers(running)[1] <= behind):
            yield ("its %s is %s, and %s is another minor" % (name, running, wants.version), "a patch of %d.%d" % numbers(running)[:2],
                   "set cluster_kubernetes_version to the one that runs: an upgrade drains each node and has an order, and site.yml has neither")


def left_out(probe, wants):
    said = {
        "etcd": ("no etcd member answers", "a living etcd to join: a new one is founded by all its members in one run"),
        "api": ("no API server answers", "a living API server to join"),
        "mirror": ("it does not answer", "a mirror that serves, since this host has nothing yet"),
    }
    for need in wants.left_out:
        if need["name"] in probe["no_answer"]:
            seen, expected = said[need["name"]]
            names = ", ".join(need["hosts"][:4]) + (" and %d more" % (len(need["hosts"]) - 4) if len(need["hosts"]) > 4 else "")
            yield ("--limit leaves out %s, and %s (%s)" % (names, seen, ", ".join(need["servers"][:4])), expected,
                   "run without --limit, or with %s in it" % names)


def authorities(probe, wants):
    for seen in probe["authorities"]:
        yield from _authority(seen)


def _authority(seen):
    name = "the authority %s: " % seen["name"]
    if seen["missing"]:
        yield (name + "%s cannot be read" % " and ".join(seen["missing"]), "files on the host of the certificate store",
               "put them there, or correct cluster_pki_%s" % seen["name"].replace("-", "_"))
        return
    if seen["unreadable"]:
        yield name + seen["unreadable"], "certificate and key in PEM, without a passphrase", "convert it: openssl x509 or openssl pkey"
        return
    if not seen["is_ca"]:
        yield (name + "%s may not sign others" % seen["cert"], "a certificate with CA:TRUE", "name the authority's own certificate")
    if not seen["key_fits"]:
        yield (name + "the key %s does not belong to %s" % (seen["key"], seen["cert"]), "the pair that belongs together",
               "put it back from the backup, or from whoever issued it")
    if seen["ended"]:
        yield name + "%s expired on %s" % (seen["cert"], seen["ended"]), "one that is valid", "rotate it, old and new trusted together"
    if seen["begins"]:
        yield name + "%s is valid from %s on only" % (seen["cert"], seen["begins"]), "one that is valid", "wait, or set the host's clock"
    if not seen["leads_to_root"]:
        chain = "%s does not lead to a root" % seen["chain"] if seen["chain"] else "no chain is named"
        yield (name + "%s was issued by %s, and %s" % (seen["cert"], seen["issuer"], chain),
               "a chain up to the root: clients trust nothing below a root that they do not know", "name the certificates above it as chain")
    if seen["other_than_store"]:
        yield (name + "the store holds another one than %s" % seen["cert"], "the one that the hosts trust",
               "drop it from the inventory, or rotate with old and new trusted together")


def foreign_etcd(probe, wants):
    if probe["etcd_manifest"] and ("etcd" in wants.parts or "control_plane" in wants.parts):
        yield ("there is an etcd as a static pod (/etc/kubernetes/manifests/etcd.yaml)", "no etcd but this cluster's own",
               "that is a control plane of another cluster: take it out there first")
    if "etcd" in wants.parts and probe["etcd_foreign_data"]:
        yield ("%s holds data of an etcd that this collection did not set up" % probe["etcd_foreign_data"], "no data, or this cluster's",
               "move that folder aside if nobody needs it; it is never deleted here")


def container_runtime(probe, wants):
    if not _is_node(wants):
        return
    found = sorted({FOREIGN_RUNTIMES[process] for process in probe["runtimes"]})
    if found:
        yield ("%s is running" % " and ".join(found), "containerd of this collection as the only container runtime",
               "stop and disable it: it changes the same iptables rules and cgroups")


def openssl(probe, wants):
    if "pki" in wants.parts and not probe["openssl"]:
        yield "there is no openssl", "openssl on the host of the certificate store", "install the package openssl"


CHECKS = (root, operating_system, machine, python, systemd, memory, disk, file_handles, cgroups, kernel, free_ports, own_address,
          foreign_cluster, fixed_settings, removed_host, version, another_minor, left_out, authorities, foreign_etcd, container_runtime, openssl,
          opensearch.opensearch_version, opensearch.opensearch_name, opensearch.opensearch_roles, opensearch.opensearch_heap)
NAMES = tuple(check.__name__ for check in CHECKS)
