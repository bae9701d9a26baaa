# Copyright (c) 2026, ironrack.cluster contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What certificates a cluster needs, and which host gets which of their files."""
from __future__ import annotations

from .addresses import is_address, nth
from .dashboards import GROUP as DASHBOARDS
from .dashboards import names as dashboards_names
from .opensearch import NODES
from .opensearch import nodes as opensearch_nodes

LEAF_DAYS = 365
STORE = "/etc/ironrack/pki"
ETCD = "/etc/etcd/pki"
KUBERNETES = "/etc/kubernetes/pki"
OURS = "/etc/ironrack"
SERVICE_CA = OURS + "/service-ca.crt"
#: What the API servers read beside their certificates. Their pod mounts the folder, so it is not one that holds anything else.
APISERVER_FOLDER = "/etc/kubernetes/ironrack"
ENCRYPTION = "encryption.yaml"
#: Beside opensearch.yml: the engine reads certificates in its folder of settings only.
OPENSEARCH = "/etc/opensearch"
#: Of what asks the node beside it, the schedule of backups and the exporter: each has a folder, which is its account's alone.
OPENSEARCH_CLIENTS = {"backup": OURS + "/opensearch/backup", "metrics": OURS + "/opensearch/metrics"}
#: What tells a node's certificate from the administrator's: an inventory that grows then changes no setting of the nodes that are there.
OPENSEARCH_NODES = "opensearch-nodes"
#: The account of the exporter beside OpenSearch.
EXPORTER = "opensearch-exporter"
CLIENT, SERVER, BOTH = ("client",), ("server",), ("server", "client")


def _sans(names):
    return ["%s:%s" % ("IP" if is_address(name) else "DNS", name) for name in dict.fromkeys(names) if name]


def loopback(plan):
    """:returns: the loopback address of the cluster's family."""
    return "::1" if plan.values["cluster_address_family"] == "ipv6" else "127.0.0.1"


def apiserver_sans(plan, endpoint):
    """:returns: what every API server's certificate names beside its own host, in kubeadm's plain form."""
    domain = plan.values["cluster_domain"]
    names = ["kubernetes", "kubernetes.default", "kubernetes.default.svc", "kubernetes.default.svc." + domain, "localhost",
             nth(plan.values["cluster_service_cidr"], 1), loopback(plan), endpoint["host"], endpoint["vip"]]
    return [name for name in dict.fromkeys(names + plan.values["cluster_extra_sans"]) if name]


def _certificate(name, authority, common_name, usages, organizations=(), sans=()):
    return {"name": name, "authority": authority, "common_name": common_name, "organizations": list(organizations),
            "sans": list(sans), "usages": list(usages), "days": LEAF_DAYS}


def bundle(plan, host, sans, mirrored):
    """:returns: the part ``pki`` of the model: authorities, key pairs and certificates of the whole cluster.

    :param host: the host that keeps the store.
    :param sans: see :func:`apiserver_sans`.
    """
    own = {"kubernetes-ca": plan.values["cluster_pki_kubernetes_ca"], "etcd-ca": plan.values["cluster_pki_etcd_ca"]}
    names = {"etcd-ca": "etcd-ca", "kubernetes-ca": "kubernetes", "front-proxy-ca": "front-proxy-ca"} if plan.kubernetes else {}
    names["service-ca"] = "ironrack-service-ca"
    if opensearch_nodes(plan):
        names["opensearch-ca"] = "ironrack-opensearch-ca"
    authorities = [
        {"name": name, "common_name": common_name, "cert": own.get(name, {}).get("cert", ""), "key": own.get(name, {}).get("key", ""),
         "chain": own.get(name, {}).get("chain", "")}
        for name, common_name in names.items()]
    made = (_of_kubernetes(plan, sans) if plan.kubernetes else []) + _of_services(plan, mirrored) + _of_opensearch(plan)
    return {"host": host, "store": STORE, "authorities": authorities, "keypairs": [{"name": "sa"}] if plan.kubernetes else [], "certificates": made,
            "passwords": _passwords(plan)}


def _of_kubernetes(plan, sans):
    made = [_certificate("etcd-" + one.name, "etcd-ca", one.name, BOTH,
                         sans=_sans([one.name, one.address, "localhost", loopback(plan)])) for one in plan.group("etcd")]
    made += [_certificate("apiserver-" + one.name, "kubernetes-ca", "kube-apiserver", SERVER,
                          sans=_sans([one.name, one.address] + sans)) for one in plan.group("control_plane")]
    made += [
        _certificate("apiserver-etcd-client", "etcd-ca", "kube-apiserver-etcd-client", CLIENT),
        _certificate("etcd-health-client", "etcd-ca", "ironrack-etcd-health", CLIENT),
        _certificate("apiserver-kubelet-client", "kubernetes-ca", "kube-apiserver-kubelet-client", CLIENT, ["kubeadm:cluster-admins"]),
        _certificate("front-proxy-client", "front-proxy-ca", "front-proxy-client", CLIENT),
        _certificate("admin", "kubernetes-ca", "ironrack-admin", CLIENT, ["system:masters"]),
        _certificate("csr-approver", "kubernetes-ca", "ironrack:kubelet-csr-approver", CLIENT),
        _certificate("balancer-probe", "kubernetes-ca", "ironrack:balancer-probe", CLIENT),
    ]
    if plan.values["cluster_pod_access"]:
        made.append(_certificate("pod-access", "kubernetes-ca", "ironrack:pod-access", CLIENT))
    if plan.group("monitoring"):
        # The role monitoring puts it in place: it belongs to an account that a package makes.
        made.append(_certificate("monitoring", "kubernetes-ca", "ironrack:monitoring", CLIENT))
    return made


def _of_services(plan, mirrored):
    """:returns: servers' certificates that their roles put in place."""
    made = []
    if mirrored:
        made += [_certificate("mirror-" + one.name, "service-ca", one.name, SERVER,
                              sans=_sans([one.name, one.address])) for one in plan.group("mirror")]
    made += [_certificate("prometheus-" + one.name, "service-ca", one.name, SERVER,
                          sans=_sans([one.name, one.address, "localhost", loopback(plan)])) for one in plan.group("monitoring")]
    made += [_certificate("object-store-" + one.name, "service-ca", one.name, SERVER,
                          sans=_sans([one.name, one.address, "localhost", loopback(plan)])) for one in plan.group("object_store")]
    made += [_certificate("dashboards-" + one.name, "service-ca", one.name, SERVER,
                          sans=_sans([one.name, one.address, "localhost", loopback(plan)] + dashboards_names(plan))) for one in plan.group(DASHBOARDS)]
    return made


def _of_opensearch(plan):
    hosts = opensearch_nodes(plan)
    made = [_certificate("opensearch-" + one.name, "opensearch-ca", one.name, BOTH, [OPENSEARCH_NODES],
                         _sans([one.name, one.address, "localhost", loopback(plan)])) for one in hosts]
    # The last two are users of the API by their common name, without a password that somebody would have to keep.
    names = {"opensearch-admin": "opensearch-admin", "opensearch-backup": "backup", "opensearch-metrics": "metrics"} if hosts else {}
    return made + [_certificate(name, "opensearch-ca", user, CLIENT) for name, user in names.items()]


def _passwords(plan):
    """:returns: passwords that are made once: of OpenSearch's first user; the object store's key, which every node of OpenSearch is told; of the user by whom
    Dashboards asks OpenSearch, and what its cookies are sealed with, which all instances have to know.
    """
    return ((["opensearch-admin"] if opensearch_nodes(plan) else []) + (["object-store-account"] if plan.group("object_store") else [])
            + (["dashboards-account", "dashboards-cookie"] if plan.group(DASHBOARDS) else []))


def _pair(path, source):
    return [(path + ".crt", source + ".crt"), (path + ".key", source + ".key")]


def reaches_pods(host, pod_access):
    """:returns: whether a host gets routes to pods and their names.

    :param pod_access: whether such hosts do at all.
    """
    return pod_access and host.is_in("load_balancers", "monitoring")


def host_files(host, encrypted, pod_access=False):
    """:returns: the part ``pki_files`` of one host: where which file of the bundle goes, in the order of their paths.

    :param encrypted: whether the API servers encrypt what they store.
    :param pod_access: whether load balancers and monitoring hosts reach pods.
    """
    files = []
    if host.is_in("etcd"):
        files += [(ETCD + "/ca.crt", "etcd-ca.crt")] + _pair(ETCD + "/member", "etcd-" + host.name)
        files += _pair(ETCD + "/health-client", "etcd-health-client")
    if host.is_in("control_plane"):
        files += _pair(KUBERNETES + "/ca", "kubernetes-ca") + [(KUBERNETES + "/ca-chain.crt", "kubernetes-ca-chain.crt")]
        files += [(KUBERNETES + "/sa.key", "sa.key"), (KUBERNETES + "/sa.pub", "sa.pub")]
        files += _pair(KUBERNETES + "/front-proxy-ca", "front-proxy-ca") + _pair(KUBERNETES + "/front-proxy-client", "front-proxy-client")
        files += _pair(KUBERNETES + "/apiserver", "apiserver-" + host.name)
        files += _pair(KUBERNETES + "/apiserver-kubelet-client", "apiserver-kubelet-client")
        files += _pair(KUBERNETES + "/apiserver-etcd-client", "apiserver-etcd-client") + [(KUBERNETES + "/etcd/ca.crt", "etcd-ca.crt")]
        files += _pair(OURS + "/csr-approver", "csr-approver")
        files += [("%s/%s" % (APISERVER_FOLDER, ENCRYPTION), ENCRYPTION)] if encrypted else []
    if host.is_in("workers"):
        files.append((KUBERNETES + "/ca.crt", "kubernetes-ca.crt"))
    if host.is_in("load_balancers"):
        files += [(OURS + "/kubernetes-ca.crt", "kubernetes-ca.crt")] + _pair(OURS + "/balancer-probe", "balancer-probe")
    if reaches_pods(host, pod_access):
        files += [(OURS + "/kubernetes-ca.crt", "kubernetes-ca.crt")] + _pair(OURS + "/pod-access", "pod-access")
    if host.is_in(*NODES):
        # The chain: while the authority is rotated it has two.
        files += [(OPENSEARCH + "/ca.crt", "opensearch-ca-chain.crt")] + _pair(OPENSEARCH + "/node", "opensearch-" + host.name)
        for name, folder in OPENSEARCH_CLIENTS.items():
            files += [(folder + "/ca.crt", "opensearch-ca-chain.crt")] + _pair(folder + "/client", "opensearch-" + name)
    # The mirror's own certificate is put in place by its role, and the authority's by role host, which needs it for its packages.
    return [_file(path, source) for path, source in sorted(set(files))]


def _file(path, source):
    owner = "etcd" if path.startswith(ETCD + "/") else "opensearch" if path.startswith(OPENSEARCH + "/") else "root"
    if path.startswith(OPENSEARCH_CLIENTS["metrics"] + "/"):
        owner = EXPORTER
    # Kubernetes' certificates are no secret, but only root's processes read them, and the CIS benchmark asks for it.
    private = source.endswith(".key") or source == ENCRYPTION or path.startswith(KUBERNETES + "/")
    return {"path": path, "source": source, "mode": "0600" if private else "0644", "owner": owner, "group": owner}
