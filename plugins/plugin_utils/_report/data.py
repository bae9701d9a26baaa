# Copyright (c) 2026, ironrack.cluster contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a report or a summary says, as plain data: the model and what was seen of it. Pure.

This is a private plugin_utils package: it may change in any release.
"""
from __future__ import annotations

import json

from ansible_collections.ironrack.cluster.plugins.module_utils._health.expected import best_etcd_view
from ansible_collections.ironrack.cluster.plugins.module_utils._health.verdict import overall

#: What a host does, in the order in which people think of it: flag of the model -> word.
ROLES = (("is_load_balancer", "balancer"), ("is_control_plane", "control plane"), ("is_etcd", "etcd"), ("is_worker", "worker"), ("is_mirror", "mirror"),
         ("is_opensearch", "OpenSearch"), ("is_object_store", "object store"), ("is_opensearch_dashboards", "Dashboards"))


def vip_holders(addresses, vip):
    """:returns: the hosts that hold ``vip``, from results of `ip -json address show to VIP`, one a host (as a loop registers them)."""
    holders = []
    for one in addresses or []:
        try:
            links = json.loads(one.get("stdout") or "[]")
        except ValueError:
            continue
        if any(address.get("local") == vip for link in links for address in link.get("addr_info") or []):
            holders.append(one["item"])
    return holders


def collect(model, results=(), etcd=(), addresses=()):
    """Bring the model and what was seen together.

    :param results: results of cluster_health_info, network_check and opensearch_health_info; a skipped one has no conditions.
    :param etcd: results of etcd_cluster_info, one a host.
    :param addresses: see :func:`vip_holders`.
    :returns: the data that pages, texts and the JSON report are made of.
    """
    conditions = [one for result in results or [] for one in (result or {}).get("conditions") or []]
    judged = [one for one in conditions if one["verdict"] != "skipped"]
    nodes, members = _named(results, "nodes"), _named(results, "members")
    leaders = {one.get("name") for one in best_etcd_view(etcd or []).get("members") or [] if one.get("leader")}
    holders = vip_holders(addresses, model["endpoint"].get("vip"))
    hosts = [_host(one, nodes, members, leaders, holders) for one in model["hosts"].values()]
    search = model.get("opensearch") or {}
    return {
        "cluster": model["name"],
        "kubernetes_version": model["kubernetes_version"] if model.get("kubernetes", True) else "",
        "profile": model.get("profile", ""),
        "endpoint": model["endpoint"]["url"],
        "kubeconfig": model["kubeconfig"] if model.get("kubernetes", True) else "",
        "opensearch": {key: search[key] for key in ("version", "urls", "ca_file", "cert_file", "key_file")} if search.get("enabled") else {},
        "client_host": model["client_host"],
        "etcd_leader": sorted(leaders - {None}),
        "vip": model["endpoint"].get("vip") or "",
        "vip_holder": holders,
        "verdict": overall(judged) if judged else "not judged",
        "counts": {word: sum(one["verdict"] == word for one in conditions) for word in ("pass", "fail", "inconclusive", "skipped")},
        "conditions": conditions,
        "zones": [{"zone": zone, "hosts": [one for one in hosts if one["zone"] == zone]}
                  for zone in sorted({one["zone"] for one in hosts}, key=lambda zone: (not zone, zone))],
        "promises": model.get("promises") or {"kept": [], "not_kept": []},
    }


def _named(results, kind):
    return {one["name"]: one for result in results or [] for one in (result or {}).get(kind) or []}


def _host(host, nodes, members, leaders, holders):
    unknown = {"ready": False if nodes and host.get("is_node") else None, "version": ""}  # the API answers and does not know it: that is no unknown
    node = nodes.get(host.get("node_name"), unknown) if host.get("is_node") else unknown
    member, ready = members.get(host["name"], {}), node["ready"]
    if members and host.get("is_opensearch"):
        ready = bool(member) and ready is not False
    marks = [word for word, there in (("leader", host["name"] in leaders), ("elected", member.get("is_elected")), ("VIP", host["name"] in holders)) if there]
    return {"name": host["name"], "address": host["address"], "zone": host.get("zone") or "",
            "roles": [word for flag, word in ROLES if host.get(flag)], "marks": marks,
            "is_node": bool(host.get("is_node")), "ready": ready, "version": node["version"] or member.get("version") or ""}
