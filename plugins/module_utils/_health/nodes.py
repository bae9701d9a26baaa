# Copyright (c) 2026, ironrack.cluster contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Conditions of the nodes: there, ready, of the right version and zone, with certificates that verify. Pure functions.

This is a private module_utils package: it may change in any release.
"""
from __future__ import annotations

from .expected import ZONE_LABEL
from .verdict import Finding, Unknown, listing


def _nodes(seen):
    return {one["metadata"]["name"]: one for one in seen.get("nodes")}


def _tally(expected, wrong, word):
    """:returns: a finding about the model's nodes. An inventory without nodes is never a pass.

    :param wrong: what is wrong, in words, one for each node that is.
    """
    count = len(expected["nodes"])
    return Finding(count > 0 and not wrong, "%d of %d %s%s" % (count - len(wrong), count, word, ": " + listing(wrong) if wrong else ""),
                   "%d of %d %s" % (count, count, word))


def nodes_present(seen, expected):
    """The API knows exactly the inventory's nodes: none is missing, none is a stranger."""
    there, wanted = set(_nodes(seen)), {one["name"] for one in expected["nodes"]}
    wrong = ["%s is missing" % name for name in wanted - there] + ["%s is not in the inventory" % name for name in there - wanted]
    return Finding(bool(wanted) and not wrong, "%d nodes%s" % (len(there), ": " + listing(wrong) if wrong else ""),
                   "%d nodes: %s" % (len(wanted), listing(wanted)))


def is_ready(node):
    """:returns: whether a node's Ready condition is True."""
    return any(one["type"] == "Ready" and one["status"] == "True" for one in node.get("status", {}).get("conditions") or [])


def takes(node, tolerations):
    """:returns: whether cordon and taints let a pod onto a node.

    What a node's own condition taints it with (``node.kubernetes.io/...``) comes and goes by itself and does not count.

    :param tolerations: of the pod's spec.
    """
    spec = node.get("spec", {})
    return not spec.get("unschedulable") and all(
        taint.get("effect") not in ("NoSchedule", "NoExecute") or taint.get("key", "").startswith("node.kubernetes.io/")
        or any(_tolerated(taint, one) for one in tolerations) for taint in spec.get("taints") or [])


def _tolerated(taint, toleration):
    if toleration.get("key") and toleration["key"] != taint.get("key") or toleration.get("effect") and toleration["effect"] != taint.get("effect"):
        return False
    return toleration.get("operator") == "Exists" or bool(toleration.get("key")) and (toleration.get("value") or "") == (taint.get("value") or "")


def nodes_ready(seen, expected):
    """Every node's kubelet reports it Ready."""
    nodes = _nodes(seen)
    return _tally(expected, [one["name"] for one in expected["nodes"] if not is_ready(nodes.get(one["name"], {}))], "Ready")


def node_versions(seen, expected):
    """Every kubelet runs the release's version."""
    nodes, wanted = _nodes(seen), "v" + expected["kubernetes_version"]
    wrong = []
    for one in expected["nodes"]:
        version = nodes.get(one["name"], {}).get("status", {}).get("nodeInfo", {}).get("kubeletVersion", "no version")
        if version != wanted:
            wrong.append("%s has %s" % (one["name"], version))
    return _tally(expected, wrong, "on %s" % wanted)


def node_zones(seen, expected):
    """Every node carries the zone and the labels that the inventory gives it."""
    nodes, wrong = _nodes(seen), []
    for one in expected["nodes"]:
        labels = nodes.get(one["name"], {}).get("metadata", {}).get("labels") or {}
        differ = ["%s=%s instead of %s" % (key.rsplit("/", 1)[-1], labels.get(key, "(none)"), value)
                  for key, value in sorted(one["labels"].items()) if labels.get(key) != str(value)]
        if differ:
            wrong.append("%s: %s" % (one["name"], ", ".join(differ)))
    return _tally(expected, wrong, "labelled as the inventory says")


def has_labels(expected):
    """:returns: whether the inventory gives any node a zone or labels."""
    return any(one["labels"] for one in expected["nodes"])


def kubelet_serving_certificates(seen, expected):
    """Each kubelet's certificate chains to the cluster's CA and names the node's address.

    Where the client cannot reach a kubelet's port, the API server's proxy says whether it verified: that counts only if
    every API server was started with --kubelet-certificate-authority, because without it the proxy verifies nothing.
    """
    kubelets = seen.get("kubelets")
    wrong, unknown, relayed = [], [], 0
    for one in expected["nodes"]:
        name, answer = one["name"], kubelets.get(one["name"], {"error": "not asked"})
        if answer.get("verified"):
            continue
        if answer.get("untrusted"):
            wrong.append("%s: %s" % (name, answer["untrusted"]))
        elif answer.get("proxied") and _api_verifies_kubelets(seen):
            relayed += 1
        else:
            unknown.append("%s: %s" % (name, answer.get("error", "no answer")))
    if unknown and not wrong:
        raise Unknown("; ".join(unknown))
    finding = _tally(expected, wrong + unknown, "verify")
    return finding._replace(seen="%s (%d of them through the API server)" % (finding.seen, relayed)) if relayed else finding


def _api_verifies_kubelets(seen):
    servers = [one for one in seen.get("system_pods") if one["metadata"].get("labels", {}).get("component") == "kube-apiserver"]
    commands = [" ".join((one["spec"]["containers"][0].get("command") or []) + (one["spec"]["containers"][0].get("args") or [])) for one in servers]
    return bool(commands) and all("--kubelet-certificate-authority=" in one for one in commands)


def no_pending_csrs(seen, expected):
    """No certificate request waits for an approval. (No request at all is fine: it is the usual state.)"""
    pending = ["%s of %s" % (one["metadata"]["name"], one["spec"].get("username", "?")) for one in seen.get("csrs")
               if not (one.get("status") or {}).get("conditions") and not (one.get("status") or {}).get("certificate")]
    return Finding(not pending, "%d pending%s" % (len(pending), ": " + listing(pending) if pending else ""), "0 pending")


def metrics_available(seen, expected):
    """The metrics API tells about every node, so that `kubectl top` and autoscalers work."""
    told = {one["metadata"]["name"] for one in seen.get("node_metrics")}
    return _tally(expected, [one["name"] for one in expected["nodes"] if one["name"] not in told], "have metrics")


def zone_of(node):
    """:returns: the zone label of a node, or an empty string."""
    return (node.get("metadata", {}).get("labels") or {}).get(ZONE_LABEL, "")
