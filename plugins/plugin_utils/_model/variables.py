# Copyright (c) 2026, ironrack.cluster contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Every variable that the model reads: its type, default and meaning. Type checks, defaults, 'did you mean' and the docs come from here."""
from __future__ import annotations

from collections import namedtuple

#: scope: cluster (one value, the same for all hosts) or host. keys: the keys a dictionary may have. secret: those of them that never
#: enter the model. default None: derived, as the description says.
Variable = namedtuple("Variable", ("name", "type", "default", "description", "scope", "choices", "keys", "secret"))


def _variable(name, kind, default, description, scope="cluster", choices=(), keys=(), secret=()):
    return Variable(name, kind, default, description, scope, choices, keys, secret)


VARIABLES = (
    _variable("cluster_name", "label", "ironrack", "Name of the cluster; it is in its kubeconfig and in etcd's cluster token."),
    _variable("cluster_profile", "str", "standard",
              "How much the cluster is asked to be: 'production' and 'standard' want real machines, 'lab' is content with small ones. "
              "'production' refuses etcd members, control planes or balancers that the loss of one zone would take away.",
              choices=("standard", "production", "lab")),
    _variable("cluster_kubernetes_version", "version", "1.36.4", "The Kubernetes release; one of the files in playbooks/vars/releases."),
    _variable("cluster_domain", "dns_name", "cluster.local", "DNS domain of Services."),
    _variable("cluster_pod_cidr", "network", None, "Network of the pods: 10.244.0.0/16, or fd00:10:244::/56 with IPv6."),
    _variable("cluster_service_cidr", "network", None, "Network of the Services: 10.96.0.0/16, or fd00:10:96::/112 with IPv6."),
    _variable("cluster_vip", "address", "", "A free address in the load balancers' network, that the healthy one of them holds."),
    _variable("cluster_vip_prefix", "prefix", 0, "Prefix length of the VIP's network; 0 means 24, or 64 with IPv6."),
    _variable("cluster_endpoint", "endpoint", "",
              "host or host:port of the API as clients know it: a DNS name for the VIP, or a load balancer that the site runs itself."),
    _variable("cluster_api_port", "port", 6443, "Port of the API servers, and of the load balancers in front of them."),
    _variable("cluster_pki_host", "str", None,
              "The host that keeps the certificate authorities; the first of group mirror, else the first of group etcd."),
    _variable("cluster_client_host", "str", "localhost", "Where the API is called from: localhost is the controller."),
    _variable("cluster_kubeconfig", "str", None,
              "Where the administrator's kubeconfig is put on the client host; ~/.ironrack/NAME/kubeconfig where it is not set. Reports go to its folder."),
    _variable("cluster_source", "str", None,
              "Where binaries and images come from; 'mirror' where the group mirror has a host, else 'upstream'.",
              choices=("mirror", "upstream")),
    _variable("cluster_registry", "dict", {}, "The site's own image registry, instead of the mirror's.",
              keys=("url", "username", "password", "ca_file"), secret=("password",)),
    _variable("cluster_proxy", "dict", {}, "HTTP proxy for everything that leaves the site.", keys=("http", "https", "no_proxy")),
    _variable("cluster_ntp_servers", "list of servers", [], "Time servers of the hosts; empty leaves time to the site."),
    _variable("cluster_dns_servers", "list of addresses", [], "Name servers of the hosts; empty leaves resolv.conf alone."),
    _variable("cluster_node_interface", "str", "", "Interface of the cluster's network; found by the host's address where empty.",
              scope="host"),
    _variable("cluster_node_address", "address", None, "The host's address in the cluster's network; ansible_host where not set.",
              scope="host"),
    _variable("cluster_address_family", "str", "ipv4", "Family of all addresses of the cluster.", choices=("ipv4", "ipv6")),
    _variable("cluster_mtu", "mtu", 0, "MTU of the pod network; 0 lets it find out."),
    _variable("cluster_extra_sans", "list of SANs", [], "More names and addresses in the API servers' certificates."),
    _variable("cluster_feature_gates", "feature gates", {}, "Kubernetes feature gates, for all components."),
    _variable("cluster_apiserver_extra_args", "arguments", {}, "More flags of kube-apiserver."),
    _variable("cluster_controller_manager_extra_args", "arguments", {}, "More flags of kube-controller-manager."),
    _variable("cluster_scheduler_extra_args", "arguments", {}, "More flags of kube-scheduler."),
    _variable("cluster_etcd_extra_args", "arguments", {}, "More flags of etcd."),
    _variable("cluster_kubelet_extra_config", "dict", {}, "More fields of KubeletConfiguration."),
    _variable("cluster_node_labels", "labels", {}, "Labels of the host's node.", scope="host"),
    _variable("cluster_node_taints", "list of taints", [], "Taints of the host's node.", scope="host"),
    _variable("cluster_tls_min_version", "str", "VersionTLS12",
              "The oldest TLS that the API server, the other control plane components and the kubelets speak. Where both sides can, 1.3 is used anyway.",
              choices=("VersionTLS12", "VersionTLS13")),
    _variable("cluster_tls_cipher_suites", "list of str",
              ["TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256", "TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384",
               "TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256", "TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384"],
              "The cipher suites of TLS 1.2 that they accept; those of 1.3 are not a matter of choice."),
    _variable("cluster_audit_rules", "audit rules", [],
              "Rules of the audit policy that stand before those of the collection: the first that fits a request counts."),
    _variable("cluster_pod_security", "str", "baseline",
              "The Pod Security level that pods must keep in namespaces without a label of their own.", choices=("privileged", "baseline", "restricted")),
    _variable("cluster_pod_security_warn", "str", "restricted",
              "The level below which a pod is let in with a warning to its user and a mark in the audit log.",
              choices=("privileged", "baseline", "restricted")),
    _variable("cluster_pod_security_exempt_namespaces", "list of namespaces", [],
              "Namespaces that Pod Security leaves alone, beside kube-system and the pod network's."),
    _variable("cluster_default_deny_namespaces", "list of namespaces", [],
              "Namespaces whose pods get no connection in or out, DNS apart, but those that a NetworkPolicy allows. They are made where they are not there."),
    _variable("cluster_host_firewall", "bool", False,
              "Whether each host takes only what the port matrix names for its groups, ssh always; the host's own table of nftables."),
    _variable("cluster_host_firewall_networks", "list of networks", [],
              "Networks of the cluster's hosts, for the firewall; found by the hosts' addresses and cluster_vip_prefix where empty."),
    _variable("cluster_pod_access", "bool", False,
              "Whether load balancers and monitoring hosts reach pods by their own addresses and names, which releases of a service behind NGINX need."),
    _variable("cluster_pki_kubernetes_ca", "dict of str", {},
              "The site's own CA for Kubernetes: paths of cert and key, and of the chain above an intermediate, on the PKI host.",
              keys=("cert", "key", "chain")),
    _variable("cluster_pki_etcd_ca", "dict of str", {},
              "The site's own CA for etcd: paths of cert and key, and of the chain above an intermediate, on the PKI host.",
              keys=("cert", "key", "chain")),
    _variable("cluster_encryption_at_rest", "bool", True,
              "Whether the API servers encrypt what they store in etcd. The key is made once and kept in the PKI store; 'false' is refused as "
              "long as data is encrypted."),
    _variable("cluster_encryption_resources", "list of str", ["secrets"],
              "The kinds of objects that are encrypted in etcd, such as 'secrets' or 'deployments.apps'. On a built cluster encryption_rotate.yml "
              "adds a kind; none is taken away."),
    _variable("cluster_opensearch_name", "label", None, "Name of the OpenSearch cluster; that of the cluster where it is not set."),
    _variable("cluster_opensearch_version", "version", "3.4.0", "The OpenSearch release; one of those that the release file names."),
    _variable("cluster_opensearch_dashboards_archive", "dict", {},
              "Where the hosts of opensearch_dashboards get the archive of OpenSearch Dashboards, whose 'sha256' nobody states but the site: 'url' is one of a "
              "server of the site, of the mirror, or file:// on the hosts. Needed where the group has a host.", keys=("url", "sha256")),
    _variable("cluster_opensearch_dashboards_names", "list of SANs", [],
              "More names and addresses in the certificates of OpenSearch Dashboards: those that users come by."),
    _variable("opensearch_index_replicas", "count", 1,
              "How many copies beside the first an index of OpenSearch has that is made without a number of its own; with 0 each such index is away while its "
              "node restarts, and no rolling restart begins. An inventory that cannot place them, or "
              "would lose all of them with one zone, is refused."),
    _variable("opensearch_heap", "heap", "",
              "Memory of the host's OpenSearch heap, such as 4g or 512m; half of the host's memory and at most 31g where it is not set.", scope="host"),
    _variable("opensearch_backup_schedule", "dict", {},
              "Has OpenSearch's nodes take backups themselves, by a timer on each: 'prefix' of the snapshots' names (hourly), 'slot', seconds of which each "
              "stretch has one snapshot (3600), 'interval', seconds between two looks of a node (300), and 'alert_after', the age in seconds after which "
              "Prometheus alerts (10800). With none of them there is no schedule.", keys=("prefix", "slot", "interval", "alert_after")),
    _variable("opensearch_index_expiry", "list of dict", [],
              "Deletes old indices where no ISM policy does, with the schedule's snapshots and with the playbook's: each with 'pattern', such as logs-app-*, "
              "'max_age' in seconds, 'min_count' of the newest that always stay (1), and 'without_snapshot', whether one goes that no proved snapshot has "
              "(false)."),
    _variable("cluster_packages_from_mirror", "bool", True, "Whether hosts of a mirrored cluster take OS packages from the mirror too."),
    _variable("cluster_hooks", "dict of str", {}, "The site's own tasks: name of a hook -> task file."),
    _variable("cluster_plan", "bool", False, "Run every play in check mode: nothing is changed, and the run says what would be."),
    _variable("zone", "label_value", "", "The failure domain the host stands in: a room, a row, a power feed.", scope="host"),
)

BY_NAME = {variable.name: variable for variable in VARIABLES}
PREFIX = "cluster_"
#: Roles whose names begin with the prefix: their variables are theirs.
ROLE_PREFIXES = ("cluster_addons_", "cluster_health_")
#: What a person tries first.
VARIABLE_ALIASES = {
    "cluster_version": "cluster_kubernetes_version", "cluster_k8s_version": "cluster_kubernetes_version",
    "cluster_interface": "cluster_node_interface", "cluster_address": "cluster_node_address", "cluster_labels": "cluster_node_labels",
    "cluster_taints": "cluster_node_taints",
}

#: Groups the model knows; those that later parts use are named, so that their hosts are part of the cluster from the start.
GROUPS = (
    "load_balancers", "etcd", "control_plane", "workers", "gpu_workers", "mirror",
    "monitoring", "object_store", "opensearch_managers", "opensearch_data", "opensearch_ingest", "opensearch_dashboards",
)
#: Groups whose hosts are a part of Kubernetes, or stand before it.
KUBERNETES_GROUPS = ("load_balancers", "etcd", "control_plane", "workers", "gpu_workers")
#: Groups that are a use of their own: an inventory that has them, and none of Kubernetes' groups, is one without Kubernetes.
OWN_USE_GROUPS = ("opensearch_managers", "opensearch_data", "opensearch_ingest", "object_store")
#: What other tools call them: difflib alone would not find these.
GROUP_ALIASES = {
    "kube_control_plane": "control_plane", "kube-master": "control_plane", "kube_master": "control_plane", "masters": "control_plane",
    "master": "control_plane", "controllers": "control_plane", "kube_node": "workers", "kube-node": "workers", "nodes": "workers",
    "lb": "load_balancers", "loadbalancers": "load_balancers", "gpu": "gpu_workers", "gpus": "gpu_workers", "registry": "mirror",
    "opensearch_master": "opensearch_managers", "opensearch_masters": "opensearch_managers", "opensearch_nodes": "opensearch_data",
    "opensearch_coordinating": "opensearch_ingest", "opensearch_clients": "opensearch_ingest",
}
