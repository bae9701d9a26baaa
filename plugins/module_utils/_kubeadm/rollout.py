# Copyright (c) 2026, ironrack.cluster contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a finished node lacks of the configuration that it should have, and whether it may be touched now. Pure.

kubeadm itself renders the files that are wanted (`kubeadm init phase ... --dry-run`), so that they are compared byte by byte with those
that it wrote when the node was built: there is no second opinion here on what a flag or a field becomes.

This is a private module_utils package: it may change in any release.
"""
from __future__ import annotations

import hashlib
import json
import re
from collections import namedtuple

from .plan import CONTROL_PLANE, KUBELET_CONFIG, MANIFESTS

KUBELET_FLAGS = "/var/lib/kubelet/kubeadm-flags.env"
KUBELET_FILES = (KUBELET_CONFIG, KUBELET_FLAGS)
#: The folder of the files that the API server's flags name. It reads them when it starts, so a change of one has to restart it.
READ_AT_START = "/etc/kubernetes/ironrack"
#: But these: the API server reads them again while it runs.
RELOADED = ("encryption.yaml",)
#: On the API server's static pod: what its files held. Another value is another pod, which the kubelet then starts.
ANNOTATION = "ironrack.cluster/files-sha256"

#: manifests, kubelet: paths that have to be written, or that were written and not seen through. upload: whether the cluster's own copy of the
#: configuration (the ConfigMaps that a joining node reads) is older. proxy: whether kube-proxy's is.
Steps = namedtuple("Steps", ("manifests", "kubelet", "upload", "proxy"))
NOTHING = Steps((), (), False, False)


def files_of(role):
    """:returns: the files whose content kubeadm's configuration decides, in the order in which they are rolled out."""
    return (MANIFESTS if role == CONTROL_PLANE else ()) + KUBELET_FILES


def digest(value):
    """:returns: the SHA-256 of anything that JSON can say."""
    return hashlib.sha256(json.dumps(value, sort_keys=True).encode()).hexdigest()


def contents_sum(hashes):
    """:returns: one SHA-256 for the files that the API server reads when it starts; an empty string where there are none.

    :param hashes: file name -> SHA-256 of everything in :data:`READ_AT_START`.
    """
    counted = {name: value for name, value in hashes.items() if name not in RELOADED}
    return digest(counted) if counted else ""


def sums(documents, contents):
    """What tells one configuration from another.

    :param documents: kubeadm's documents for this host.
    :param contents: :func:`contents_sum`.
    :returns: {"config", "uploaded", "proxy"}: of all that a node is rendered from, of what the cluster keeps, of kube-proxy's part.
    """
    by_kind = {document["kind"]: document for document in documents}
    cluster, proxy = by_kind.get("ClusterConfiguration"), by_kind.get("KubeProxyConfiguration")
    return {
        "config": digest([documents, contents]),
        "uploaded": digest([cluster, by_kind.get("KubeletConfiguration")]),
        # Its DaemonSet carries the release's image.
        "proxy": digest([proxy, cluster.get("kubernetesVersion", "") if cluster else ""]),
    }


def is_current(record, wanted, present):
    """Whether nothing has to be rendered: this very configuration was rolled out here, and the files are those of then.

    :param record: of the node.
    :param wanted: :func:`sums`.
    :param present: path -> SHA-256, None where it is missing.
    """
    done = record.get("rolled_out") or {}
    return (not record.get("unfinished") and all(done.get(name) == wanted[name] for name in ("config", "uploaded", "proxy"))
            and done.get("files") == present)


def steps(role, record, wanted, rendered, present):
    """What has to be done.

    :param rendered: path -> SHA-256 of what kubeadm renders.
    :param present: path -> SHA-256 of what is there.
    :returns: :class:`Steps`.
    """
    unfinished = record.get("unfinished") or []
    todo = [path for path in files_of(role) if path in unfinished or rendered[path] != present.get(path)]
    done = record.get("rolled_out") or {}
    shared = role == CONTROL_PLANE
    return Steps(tuple(path for path in todo if path in MANIFESTS), tuple(path for path in todo if path in KUBELET_FILES),
                 shared and done.get("uploaded") != wanted["uploaded"], shared and done.get("proxy") != wanted["proxy"])


def reasons(chosen):
    """:returns: what :class:`Steps` would do, as sentences without an end."""
    told = []
    for path in chosen.manifests:
        told.append("%s restarts with its new manifest" % path.rpartition("/")[2][:-len(".yaml")])
    if chosen.kubelet:
        told.append("the kubelet restarts with its new %s" % " and ".join(path.rpartition("/")[2] for path in chosen.kubelet))
    if chosen.upload:
        told.append("the cluster keeps the new configuration for nodes that join")
    if chosen.proxy:
        told.append("kube-proxy gets its new configuration, one node after the other")
    return told


def guard(chosen, servers):
    """Why a control plane must not be touched now.

    :param chosen: :class:`Steps`.
    :param servers: name of each OTHER API server -> what is wrong with it, empty where it is ready. An API server that is ready has just
        read from etcd, so that where all of them are, etcd has its quorum too.
    :returns: the reasons; none where it may be touched.
    """
    if not chosen.manifests and not chosen.kubelet:
        return []
    return ["the API server of %s is not ready: %s" % (name, wrong) for name, wrong in sorted(servers.items()) if wrong]


def annotation_patch(contents):
    """:returns: a merge patch for kubeadm that stamps the API server's pod with what its files hold."""
    return json.dumps({"metadata": {"annotations": {ANNOTATION: contents}}}, sort_keys=True)


def with_patches(documents, folder):
    """:returns: the documents with kubeadm's patches from ``folder``; a folder that a document names already stays."""
    patched = []
    for document in documents:
        if folder and document["kind"] in ("InitConfiguration", "JoinConfiguration") and not document.get("patches"):
            document = dict(document, patches={"directory": folder})
        patched.append(document)
    return patched


def component_endpoint(manifest):
    """:returns: (address, port) of the health check of kube-controller-manager or kube-scheduler, by the probe in its manifest.

    :param manifest: text of the static pod as kubeadm writes it.
    """
    flags = dict(re.findall(r"- --(bind-address|secure-port)=(\S+)", manifest))
    address, name = flags.get("bind-address", "127.0.0.1"), re.search(r"^  name: (\S+)$", manifest, re.M)
    default = 10259 if name and name.group(1) == "kube-scheduler" else 10257
    return {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(address, address), int(flags.get("secure-port", default))


def health_endpoint(kubelet_config):
    """:returns: (address, port) of the kubelet's own health check, port 0 where it is switched off.

    :param kubelet_config: text of KubeletConfiguration as kubeadm writes it: YAML with one field a line.
    """
    port = re.search(r"^healthzPort: (\d+)$", kubelet_config, re.M)
    address = re.search(r"^healthzBindAddress: [\"']?([^\"'\s]+)[\"']?$", kubelet_config, re.M)
    return (address.group(1) if address else "127.0.0.1"), (int(port.group(1)) if port else 10248)
