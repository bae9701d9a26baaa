# Copyright (c) 2026, ironrack.cluster contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What all releases of a service share in the Kubernetes API: namespace, account, policy, and who may read the record of rollouts. Pure.

It is the service's and no release's: a pod that still ends its streams must not lose its policy when its release goes.

This is a private module_utils package: it may change in any release.
"""
from __future__ import annotations

from .fields import is_network
from .objects import MANAGER, SERVICE, Kind, manifest

NAMESPACE = Kind("v1", "Namespace", "namespaces")
ACCOUNT = Kind("v1", "ServiceAccount", "serviceaccounts")
POLICY = Kind("networking.k8s.io/v1", "NetworkPolicy", "networkpolicies")
ROLE = Kind("rbac.authorization.k8s.io/v1", "Role", "roles")
BINDING = Kind("rbac.authorization.k8s.io/v1", "RoleBinding", "rolebindings")
KINDS = (ACCOUNT, POLICY, ROLE, BINDING)
LEVEL = "pod-security.kubernetes.io/enforce"
RESTRICTED = "restricted"
NAMESPACE_NAME = "kubernetes.io/metadata.name"
#: As whom balancers and monitoring hosts read the API.
READER = "ironrack:pod-access"


def labels_of(service):
    """:returns: the labels of what all releases share."""
    return {"app.kubernetes.io/name": service["name"], "app.kubernetes.io/managed-by": MANAGER, SERVICE: service["name"]}


def namespace(service):
    """:returns: the namespace, for one that is not there yet. The labels of one that is are its owner's."""
    return {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": service["namespace"], "labels": {LEVEL: RESTRICTED}}}


def account(service):
    """:returns: the pods' account, which may nothing and whose token no pod gets."""
    return manifest(ACCOUNT, service, service["name"], labels_of(service), automountServiceAccountToken=False)


def policy(service, peers):
    """:returns: who may reach the pods. (The kubelet's probes always may.)

    :param peers: addresses or networks of the balancers and monitoring hosts.
    """
    sources = [_block(one) for one in sorted(peers)]
    sources += [_block(one) if is_network(one) else {"namespaceSelector": {"matchLabels": {NAMESPACE_NAME: one}}} for one in service["tenants"]]
    # A rule without sources would let everybody in.
    rules = [{"from": sources, "ports": [{"protocol": "TCP", "port": service["pod"]["port"]}]}] if sources else []
    return manifest(POLICY, service, service["name"], labels_of(service), spec={
        "podSelector": {"matchLabels": {SERVICE: service["name"]}}, "policyTypes": ["Ingress"], "ingress": rules})


def _block(address):
    return {"ipBlock": {"cidr": address if "/" in address else "%s/%d" % (address, 128 if ":" in address else 32)}}


def readers(service):
    """:returns: a Role and its RoleBinding: balancers may read the record, by which they know whether what they serve is the newest."""
    name, labels = "rollout-%s-reader" % service["name"], labels_of(service)
    rule = {"apiGroups": [""], "resources": ["configmaps"], "resourceNames": ["rollout-%s" % service["name"]], "verbs": ["get"]}
    group = ROLE.api_version.partition("/")[0]
    return [manifest(ROLE, service, name, labels, rules=[rule]),
            manifest(BINDING, service, name, labels, roleRef={"apiGroup": group, "kind": "Role", "name": name},
                     subjects=[{"apiGroup": group, "kind": "User", "name": READER}])]


def shared(service, peers):
    """:returns: all of it but the namespace."""
    return [account(service), policy(service, peers)] + readers(service)
