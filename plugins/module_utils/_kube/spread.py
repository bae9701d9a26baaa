# Copyright (c) 2026, ironrack.cluster contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Whether a Deployment that is meant to be spread by zone has ended up in one. Pure.

The scheduler looks at zones when it places a pod, and never again: a node that moves to another zone takes its pods along, and so does the
loss of a zone that comes back.

This is a private module_utils package: it may change in any release.
"""
from __future__ import annotations

import hashlib
import json

from .._health.expected import ZONE_LABEL
from .._health.nodes import is_ready

#: On the pods' template: the zones for which they were last placed anew. Where that did not help, it is not tried again until they change.
ANNOTATION = "ironrack.cluster/placed-for-zones"


def zones_of(nodes, wanted):
    """:returns: name -> zone of the nodes that a pod could be placed on, as their labels will be.

    :param nodes: name -> Node. :param wanted: name -> labels that are about to be set.
    """
    found = {}
    for name, node in nodes.items():
        zone = dict(node["metadata"].get("labels") or {}, **wanted.get(name, {})).get(ZONE_LABEL, "")
        if is_ready(node) and zone and not node.get("spec", {}).get("unschedulable"):
            found[name] = zone
    return found


def digest(zones):
    """:returns: what stands for a mapping of nodes to zones."""
    return hashlib.sha256(json.dumps(zones, sort_keys=True).encode()).hexdigest()[:16]


def misplaced(deployment, pods, zones):
    """:returns: why the pods have to be placed anew, empty where they need not.

    :param deployment: the object. :param pods: its pods. :param zones: of :func:`zones_of`.
    """
    template, status = deployment["spec"]["template"], deployment.get("status", {})
    by_zone = any(one.get("topologyKey") == ZONE_LABEL for one in template["spec"].get("topologySpreadConstraints") or [])
    replicas = deployment["spec"].get("replicas", 1)
    under_way = status.get("observedGeneration") != deployment["metadata"].get("generation") or status.get("availableReplicas", 0) != replicas
    tried = (template["metadata"].get("annotations") or {}).get(ANNOTATION) == digest(zones)
    if not by_zone or replicas < 2 or under_way or tried:
        return ""
    stand = {zones.get(pod["spec"].get("nodeName"), "") for pod in pods if not pod["metadata"].get("deletionTimestamp")} - {""}
    return "all of it stood in zone %s" % stand.pop() if len(stand) == 1 and len(set(zones.values())) > 1 else ""


def patch(zones):
    """:returns: a merge patch that has the pods placed anew."""
    return {"spec": {"template": {"metadata": {"annotations": {ANNOTATION: digest(zones)}}}}}
