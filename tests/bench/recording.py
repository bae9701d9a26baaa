# Copyright (c) 2026, ironrack.cluster contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What site.yml would do on each host, as data: which files, packages, components, settings, units and images. Pure, but for the reading.

It is recorded by a run of site.yml on the connection `stub`, so that the floor ends in the very state that site.yml ends in, and nothing has to
be written down twice.
"""
from __future__ import annotations

import io
import json
import os
import shlex
import tarfile

from ansible_collections.ironrack.cluster.plugins.module_utils._etcd.decide import initial_environment
from ansible_collections.ironrack.cluster.plugins.module_utils._files import payload
from ansible_collections.ironrack.cluster.plugins.module_utils._host.packages import APT_OPTIONS

#: Modules after which a unit waits for kubeadm.
JOINING = "kubeadm_node"
COMPONENTS = "/opt/ironrack"
#: What apt-get is called with, and what stands for the mirror's own package source, which it alone may read.
APT = "DEBIAN_FRONTEND=noninteractive NEEDRESTART_SUSPEND=1 apt-get"
ETC_HOSTS_BLOCK = "/run/ironrack-floor-block"


class Steps:
    """What one host needs, put together from what its modules were asked.

    :param calls: list of (module, arguments) in their order.
    """

    def __init__(self, calls):
        self.files, self.components, self.packages, self.users, self.modules, self.units, self.late_units, self.images = [], [], [], [], [], [], [], []
        self.sysctl, self.source_file, self.base_url, self.ca_file = {}, "", "", ""
        self.documents, self.endpoint, self.etcd, self.manifests, self.pki, self.kubeconfig, self.bundle_root = None, "", None, [], None, None, ""
        for module, arguments in calls:
            read = getattr(self, "_" + module.replace(".", "_"), None)
            if read:
                read(arguments)

    def _files(self, arguments):
        self.files += payload.unpack(arguments["payload"])

    def _components(self, arguments):
        self.base_url, self.ca_file = arguments["base_url"], arguments.get("ca_file") or ""
        self.components += [(name, one["version"], item) for name, one in arguments["components"].items() for item in one["files"]]

    def _packages(self, arguments):
        self.packages += [name for name in arguments["names"] if name not in self.packages]
        self.source_file = self.source_file or arguments.get("source_file") or ""

    def _host_settings(self, arguments):
        self.users, self.modules, self.sysctl = arguments.get("users") or [], arguments.get("modules") or [], arguments.get("sysctl") or {}

    def _units(self, arguments):
        (self.late_units if self.documents else self.units).extend(one["name"] for one in arguments["units"] if one.get("state") != "stopped")

    def _image_preload(self, arguments):
        self.images = arguments["images"]

    def _kubeadm_node(self, arguments):
        self.documents, self.endpoint = arguments["documents"], arguments["endpoint"]

    def _etcd_member(self, arguments):
        self.etcd = arguments

    def _kubernetes_core_k8s(self, arguments):
        self.manifests += arguments["resource_definition"]

    def _pki_bundle(self, arguments):
        self.pki = arguments

    def _kubeconfig(self, arguments):
        self.kubeconfig = arguments

    def _mirror_sync(self, arguments):
        self.bundle_root = arguments["root"]

    def archive(self, contents):
        """:returns: the bytes of a tar with every file of the host.

        :param contents: stand-in -> real content of the certificates' files.
        """
        stream = io.BytesIO()
        with tarfile.open(fileobj=stream, mode="w") as tar:
            for item in self.files + self._initial():
                _add(tar, item, contents)
        return stream.getvalue()

    def _initial(self):
        if not self.etcd:
            return []
        pairs = [(member["name"], member["peer_url"]) for member in self.etcd["members"]]
        return [{"path": "/etc/etcd/initial.env", "content": initial_environment(pairs, "new", self.etcd["token"])}]

    def base(self):
        """:returns: the commands, as one script that takes the archive on its standard input, that bring everything onto the host."""
        lines = ["set -eu", "mkdir -p /run/ironrack"]
        lines += ["id %s >/dev/null 2>&1 || useradd --system --home-dir %s --shell /usr/sbin/nologin %s" % (
            one["name"], one.get("home") or "/nonexistent", one["name"]) for one in self.users]
        lines += ["tar x -C /"]
        if any(item.get("block") is not None for item in self.files):
            lines.append("cat %s >> /etc/hosts" % ETC_HOSTS_BLOCK)
        lines += ["rm -rf -- %s" % shlex.quote(item["path"]) for item in self.files if item.get("state") == "absent"]
        lines += ["modprobe %s" % name for name in self.modules]
        lines += ["echo %s > /proc/sys/%s" % (shlex.quote(str(value)), key.replace(".", "/")) for key, value in self.sysctl.items()]
        parallel = [self._fetch(*one) for one in self.components]
        if self.packages:
            source = ("-o Dir::Etc::sourcelist=%s -o Dir::Etc::sourceparts=-" % self.source_file) if self.source_file else ""
            parallel.append("%s update -q %s && %s install %s -- %s" % (APT, source, APT, " ".join(APT_OPTIONS), " ".join(self.packages)))
        return "\n".join(lines + in_parallel(parallel) + ["systemctl daemon-reload"])

    def _fetch(self, name, version, item):
        folder = "%s/%s/%s" % (COMPONENTS, name, version)
        url, unpack = "%s/%s" % (self.base_url, item["file"]), item.get("unpack")
        get = "curl -sSf %s %s" % ("--cacert %s" % self.ca_file if self.ca_file and url.startswith("https:") else "", url)
        fetch = "%s | tar xz --no-same-owner -C %s" % (get, folder) if unpack else "%s -o %s/%s && chmod 755 %s/%s" % (
            get, folder, item["file"], folder, item["file"])
        links = ["mkdir -p %s && ln -sfn %s/%s %s" % (os.path.dirname(path), folder, member, path) for path, member in item["links"].items()]
        return "set -o pipefail; mkdir -p %s && %s && %s" % (folder, fetch, " && ".join(links))

    def services(self):
        """:returns: the commands that start what runs before Kubernetes, and pull its images."""
        units = list(dict.fromkeys(self.units))
        lines = ["set -eu"] + ["systemctl enable -q %s && systemctl restart %s" % (unit, unit) for unit in units]
        # The members become ready together, when a majority runs: last, so that nothing else waits for it.
        parallel = ["systemctl enable -q etcd.service && systemctl restart etcd.service"] if self.etcd else []
        pull = "/usr/local/bin/ctr --namespace k8s.io images pull --hosts-dir /etc/containerd/certs.d %s >/dev/null"
        parallel += [pull % image for image in self.images]
        lines += in_parallel(parallel)
        lines += ["/usr/local/bin/ctr --namespace k8s.io images label %s io.cri-containerd.pinned=pinned >/dev/null" % image
                  for image in self.images if "/pause:" in image]
        return "\n".join(lines)

    def kubeadm(self, verb):
        """:returns: the commands that take kubeadm's configuration on their standard input and end with the host's late units running."""
        path = "/run/ironrack/kubeadm-run.yaml"
        return "\n".join([
            "set -eu", "umask 077", "cat > %s" % path, "PATH=/usr/local/bin:$PATH kubeadm %s --config %s" % (verb, path), "rm %s" % path,
            *("systemctl enable -q --now %s" % unit for unit in dict.fromkeys(self.late_units))])


def _add(tar, item, contents):
    state = item.get("state") or "file"
    if state == "absent":
        return
    path, data = item["path"], b""
    if item.get("block") is not None:
        begin, end = (payload.MARKER.replace("{mark}", mark) for mark in ("BEGIN", "END"))
        path, data = ETC_HOSTS_BLOCK, payload.to_bytes("%s\n%s\n%s\n" % (begin, item["block"].rstrip("\n"), end))
    elif state == "file":
        data = payload.to_bytes(contents.get(item["content"], item["content"]))
    entry = tarfile.TarInfo(path.lstrip("/"))
    entry.type = {"directory": tarfile.DIRTYPE, "link": tarfile.SYMTYPE}.get(state, tarfile.REGTYPE)
    entry.linkname = item.get("target") or ""
    entry.mode = int(item.get("mode") or ("0755" if state == "directory" else "0644"), 8)
    entry.uname, entry.gname = item.get("owner") or "root", item.get("group") or "root"
    entry.size = len(data) if state == "file" else 0
    tar.addfile(entry, io.BytesIO(data) if state == "file" else None)


def in_parallel(commands):
    """:returns: lines of a bash script that runs all commands at once and fails where one of them does."""
    if not commands:
        return []
    return ["pids="] + ["( %s ) & pids=\"$pids $!\"" % command for command in commands] + ["for pid in $pids; do wait $pid; done"]


def workloads(manifests):
    """:returns: (namespace, kind/name) of everything that has to be rolled out."""
    kinds = ("DaemonSet", "Deployment")
    return [(one["metadata"]["namespace"], "%s/%s" % (one["kind"].lower(), one["metadata"]["name"])) for one in manifests if one["kind"] in kinds]


def read(folder, addresses):
    """Read a recording.

    :param addresses: host -> its address.
    :returns: host -> :class:`Steps`.
    :raises OSError: where a host was asked nothing.
    """
    found = {}
    for host, address in addresses.items():
        with open(os.path.join(folder, address), encoding="utf-8") as stream:
            found[host] = Steps([(one["module"], one["arguments"]) for one in map(json.loads, stream)])
    return found
