# Copyright (c) 2026, ironrack.cluster contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What stands against a service in the cluster as it is: room for its pods, its namespace, the objects of others. Pure.

This is a private module_utils package: it may change in any release.
"""
from __future__ import annotations

from .._common.refusal import problem
from .checks import PRODUCTION
from .placement import place, quantity
from .spec import place_of, pod_of
from .surroundings import LEVEL, RESTRICTED


def quantity_problems(service, releases):
    """:returns: a problem for each amount that Kubernetes could not read."""
    found = []
    for release in releases:
        for kind, amounts in sorted(pod_of(service, release)["resources"].items()):
            for name, amount in sorted(amounts.items()):
                try:
                    quantity(amount)
                except ValueError as error:
                    found.append(problem("%s.releases.%s.resources.%s.%s" % (place_of(service), release, kind, name), str(error),
                                         "a quantity such as 500m or 8Gi", "Correct it."))
    return found


def room_problems(service, release, replicas, nodes, pods):
    """:returns: a problem where a release's pods, with those that a restart has beside them, cannot all be placed.

    :param replicas: the pods of the release.
    :param nodes: Node objects; pods: all pods of the cluster.
    """
    wanted = replicas + service["surge"]
    found = place(service, release, wanted, nodes, pods)
    if not found.short:
        return []
    return [problem("%s.releases.%s" % (place_of(service), release), "; ".join(found.short),
                    "room for %d pods and %d more during a restart (surge)" % (replicas, service["surge"]),
                    "Free or add what is short, or ask for less.")]


def namespace_problems(service, namespace, default_level, profile):
    """:returns: a problem where the pods' namespace lets more in than these pods need, in profile production.

    :param namespace: the object; None where it is not there yet, and is made with the level 'restricted'.
    :param default_level: of namespaces without a label.
    """
    if namespace is None or profile != PRODUCTION:
        return []
    level = (namespace["metadata"].get("labels") or {}).get(LEVEL) or default_level
    if level == RESTRICTED:
        return []
    return [problem("%s.namespace" % place_of(service), "namespace %s has the Pod Security level %s" % (service["namespace"], level),
                    "%s in profile production, which these pods keep" % RESTRICTED,
                    "Label it: %s=%s; other pods there have to keep it too." % (LEVEL, RESTRICTED))]
