# Copyright (c) 2026, ironrack.cluster contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Conditions of what every cluster runs: kube-proxy, pod network, policy engine, DNS. Pure functions.

This is a private module_utils package: it may change in any release.
"""
from __future__ import annotations

from .control_plane import pod_ready
from .nodes import is_ready, takes, zone_of
from .verdict import Finding, listing


def daemon_set_condition(part):
    """:returns: a judge: the DaemonSet that ``expected[part]`` names ('namespace/name') is rolled out on every node."""
    def judge(seen, expected):
        return _rolled_out(seen.get("daemon_sets"), expected[part], len(expected["nodes"]))
    judge.__name__ = part + "_ready"
    return judge


def _rolled_out(daemon_sets, name, count):
    wanted = "%s: the current version ready on each of %d nodes" % (name, count)
    found = [one for one in daemon_sets if "%s/%s" % (one["metadata"]["namespace"], one["metadata"]["name"]) == name]
    if not found:
        return Finding(False, "there is no DaemonSet %s" % name, wanted)
    status = found[0].get("status") or {}
    numbers = [status.get(key) or 0 for key in ("desiredNumberScheduled", "updatedNumberScheduled", "numberReady")]
    observed = status.get("observedGeneration") == found[0]["metadata"].get("generation")
    return Finding(count > 0 and observed and all(one == count for one in numbers),
                   "%s: %d wanted, %d updated, %d ready%s" % tuple([name] + numbers + ["" if observed else ", its latest change not yet seen"]), wanted)


def dns_ready(seen, expected):
    """CoreDNS has all the replicas it asks for, and at least one."""
    found = [one for one in seen.get("deployments") if one["metadata"]["name"] == "coredns"]
    if not found:
        return Finding(False, "there is no Deployment kube-system/coredns", "coredns with all its replicas ready")
    wanted, status = found[0]["spec"].get("replicas", 1), found[0].get("status") or {}
    ready, updated = status.get("readyReplicas") or 0, status.get("updatedReplicas") or 0
    return Finding(wanted > 0 and ready == updated == wanted, "%d of %d replicas ready, %d updated" % (ready, wanted, updated),
                   "%d of %d replicas ready" % (max(wanted, 1), max(wanted, 1)))


def dns_spread(seen, expected):
    """CoreDNS stands on two nodes and in two zones wherever there are two that take it, so that one loss leaves DNS."""
    nodes = {one["metadata"]["name"]: one for one in seen.get("nodes")}
    pods = [one for one in seen.get("system_pods") if (one["metadata"].get("labels") or {}).get("k8s-app") == "kube-dns" and pod_ready(one)]
    on = {one["spec"].get("nodeName") for one in pods}
    zones = {zone_of(nodes.get(name, {})) for name in on} - {""}
    tolerations = pods[0]["spec"].get("tolerations") or [] if pods else []
    usable = {name: one for name, one in nodes.items() if is_ready(one) and takes(one, tolerations)}
    all_zones = {zone_of(one) for one in usable.values()} - {""}
    want_nodes, want_zones = min(2, max(1, len(usable))), min(2, len(all_zones))
    return Finding(bool(on) and len(on) >= want_nodes and len(zones) >= want_zones,
                   "ready on %s; zones: %s" % (listing(on), listing(zones)),
                   "on at least %d nodes%s" % (want_nodes, " and %d zones" % want_zones if want_zones else ""))
