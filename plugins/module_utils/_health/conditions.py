# Copyright (c) 2026, ironrack.cluster contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The ordered list of health conditions: an operator reads it from top to bottom, the first red one is the one to mend.

This is a private module_utils package: it may change in any release.
"""
from __future__ import annotations

from . import control_plane, nodes, workloads
from .verdict import Condition


def _always(expected):
    return True


def _given(part):
    def applies(expected):
        return bool(expected.get(part))
    return applies


def _has_etcd_view(expected):
    return expected.get("etcd") is not None


def _condition(judge, how_to_mend, applies=_always):
    return Condition(judge.__name__, judge, how_to_mend, applies)


CONDITIONS = [
    _condition(control_plane.balancers_answer,
               "On the balancer: `systemctl status ironrack-nginx ironrack-balancer-health keepalived`; then run site.yml limited to it.",
               _given("balancers")),
    _condition(control_plane.api_endpoint_answers,
               "Who holds the address: playbooks/info.yml. Then look at api_servers_ready and at the balancers' journal."),
    _condition(control_plane.api_servers_ready,
               "On that control plane: /var/log/pods/kube-system_kube-apiserver*; `journalctl -u kubelet`; etcd first."),
    _condition(control_plane.api_certificates_valid, "Run site.yml: it renews what is near its end and restarts what uses it."),
    _condition(control_plane.etcd_healthy, "On the member's host: `systemctl status etcd`, `journalctl -u etcd`; then run site.yml."),
    _condition(control_plane.etcd_alarms,
               "NOSPACE: compact, defragment, raise the quota, then disarm. CORRUPT: replace the member that names it, never disarm first.",
               _has_etcd_view),
    _condition(nodes.nodes_present, "Missing: run site.yml limited to it. A stranger: add it to the inventory, or drain and delete the node."),
    _condition(nodes.nodes_ready, "`kubectl describe node NAME`, and `journalctl -u kubelet -u containerd` on it."),
    _condition(nodes.node_versions, "Run site.yml for a new node; a change of the release is an upgrade, an operation of its own."),
    _condition(nodes.node_zones, "Run site.yml: it sets the labels that the inventory names.", nodes.has_labels),
    _condition(control_plane.control_plane_pods_ready, "`kubectl -n kube-system describe pod NAME`; on its host `journalctl -u kubelet`."),
    _condition(workloads.daemon_set_condition("kube_proxy"), "`kubectl -n kube-system describe daemonset kube-proxy`, then its pods' logs."),
    _condition(workloads.daemon_set_condition("pod_network"), "`kubectl describe` the DaemonSet, then its pods' logs; UDP 8472 must pass between nodes.",
               _given("pod_network")),
    _condition(workloads.daemon_set_condition("policy_engine"), "`kubectl describe` the DaemonSet, then its pods' logs.", _given("policy_engine")),
    _condition(workloads.dns_ready, "`kubectl -n kube-system describe deployment coredns`, then its pods' logs."),
    _condition(workloads.dns_spread, "`kubectl -n kube-system rollout restart deployment coredns` once the nodes are Ready."),
    _condition(nodes.kubelet_serving_certificates,
               "`kubectl get csr`, and `systemctl status ironrack-csr-approver` on the control planes."),
    _condition(nodes.no_pending_csrs, "`systemctl status ironrack-csr-approver` on the control planes; a stranger's request: `kubectl certificate deny`."),
    _condition(nodes.metrics_available, "`kubectl -n kube-system logs deployment/metrics-server`; it reads each kubelet on port 10250.",
               _given("metrics")),
]
