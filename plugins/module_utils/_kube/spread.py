# Copyright (c) 2026, ironrack.cluster contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Whether a Deployment that is meant to be spread by host or zone has ended up on one. Pure.

The scheduler looks around when it places a pod, and never again: pods that came before the second node stay together on the first, a node
that moves to another zone takes its pods along, and after a loss all of them stand where the rest was.

This is a private module_utils package: it may change in any release.
"""
from __future__ import annotations

import hashlib
import json

from .._health.expected import ZONE_LABEL
from .._health.nodes import is_ready, takes

HOST_LABEL = "kubernetes.io/hostname"
#: On the pods' template: the nodes and zones for which they were last placed anew. Where that did not help, it is not tried again until they
#: change.
ANNOTATION = "ironrack.cluster/placed-for-zones"


def places(nodes, wanted, deployment, ready=True):
    """:returns: name -> zone, or "", of the nodes that a Deployment's pods could be placed on, as their labels and taints will be.

    :param nodes: name -> Node. :param wanted: name -> {labels, taints} that are about to be set.
    :param ready: whether they have to be ready; where not, those that are only wanted count too.
    """
    tolerations = deployment["spec"]["template"]["spec"].get("tolerations") or []
    found = {}
    for name in sorted(nodes if ready else set(nodes) | set(wanted)):
        node, ours = nodes.get(name, {}), wanted.get(name, {})
        spec = dict(node.get("spec", {}), taints=(node.get("spec", {}).get("taints") or []) + list(ours.get("taints") or []))
        if (is_ready(node) or not ready and name in wanted) and takes({"spec": spec}, tolerations):
            found[name] = dict(node.get("metadata", {}).get("labels") or {}, **ours.get("labels") or {}).get(ZONE_LABEL, "")
    return found


def digest(found):
    """:returns: what stands for a mapping of nodes to zones."""
    return hashlib.sha256(json.dumps(found, sort_keys=True).encode()).hexdigest()[:16]


def misplaced(deployment, pods, found):
    """:returns: why the pods have to be placed anew, empty where they need not.

    :param deployment: the object. :param pods: its pods. :param found: of :func:`places`.
    """
    template, status = deployment["spec"]["template"], deployment.get("status", {})
    keys = {one.get("topologyKey") for one in template["spec"].get("topologySpreadConstraints") or []}
    replicas = deployment["spec"].get("replicas", 1)
    under_way = status.get("observedGeneration") != deployment["metadata"].get("generation") or status.get("availableReplicas", 0) != replicas
    tried = (template["metadata"].get("annotations") or {}).get(ANNOTATION) == digest(found)
    if replicas < 2 or under_way or tried:
        return ""
    hosts = {pod["spec"].get("nodeName", "") for pod in pods if not pod["metadata"].get("deletionTimestamp")} - {""}
    zones = {found.get(name, "") for name in hosts} - {""}
    if HOST_LABEL in keys and len(hosts) == 1 and set(found) - hosts:
        return "all of it stood on node %s" % hosts.pop()
    return "all of it stood in zone %s" % zones.pop() if ZONE_LABEL in keys and len(zones) == 1 and set(found.values()) - zones - {""} else ""


def patch(found):
    """:returns: a merge patch that has the pods placed anew."""
    return {"spec": {"template": {"metadata": {"annotations": {ANNOTATION: digest(found)}}}}}
