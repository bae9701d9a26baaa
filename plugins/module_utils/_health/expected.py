# Copyright (c) 2026, ironrack.cluster contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a healthy cluster looks like, picked from the model.

This is a private module_utils package: it may change in any release.
"""
from __future__ import annotations

ZONE_LABEL = "topology.kubernetes.io/zone"


def expectations(model):
    """Pick what the health conditions compare with.

    :param model: the result of ironrack.cluster.cluster_model; what this function returned is returned as it is.
    """
    if "hosts" not in model:
        return model
    hosts, groups = model["hosts"], model["groups"]
    return {
        "name": model["name"],
        "kubernetes_version": model["kubernetes_version"],
        "domain": model["domain"],
        "endpoint": model["endpoint"]["address"],
        "api_servers": [{"name": one["name"], "address": one["address"], "port": one["port"]} for one in model["api_servers"]],
        "nodes": [_node(hosts[name]) for name in groups["nodes"]],
        "etcd_members": [one["name"] for one in model["etcd"]["members"]],
        "balancers": [{"name": name, "address": hosts[name]["address"]} for name in groups["load_balancers"]],
    }


def _node(host):
    labels = dict(host.get("labels") or {})
    if host.get("zone"):
        labels[ZONE_LABEL] = host["zone"]
    return {"name": host["node_name"], "address": host["address"], "zone": host.get("zone") or "",
            "control_plane": host["is_control_plane"], "labels": labels}


def best_etcd_view(views):
    """Choose among what the etcd hosts said: the first view that reached the cluster, else the first one.

    :param views: results of ironrack.cluster.etcd_cluster_info, one an etcd host.
    """
    usable = [one for one in views if one.get("reachable")]
    return (usable or list(views) or [{}])[0]


def address_url(address, port):
    """:returns: host:port, with an IPv6 address in brackets."""
    return "[%s]:%d" % (address, port) if ":" in address else "%s:%d" % (address, port)
