# Copyright (c) 2026, ironrack.cluster contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The objects of the network check, and what its measurements mean. Pure functions.

This is a private module_utils package: it may change in any release.
"""
from __future__ import annotations

import datetime
from collections import namedtuple

from .verdict import FAIL, INCONCLUSIVE, PASS, listing, verdict

PORT = 8080
LABEL = "ironrack.cluster/network-check"
FRIEND = {"ironrack.cluster/network-check-friend": "true"}
ROUND = "ironrack.cluster/round"
REPLICAS = 3
#: Up to this many pods, each of them calls every other; beyond, each calls its neighbour in a ring.
MESH_LIMIT = 10
#: A check that was killed leaves its namespace behind; one that is older than this is nobody's any more.
LEFTOVER_SECONDS = 15 * 60

#: One try to connect. ``error`` is what the tool said where it did not come through; ``ran`` is False where it could not even be tried.
Attempt = namedtuple("Attempt", ("source", "target", "through", "error", "ran"))


def _container(image, binary):
    return {
        "name": "probe", "image": image, "imagePullPolicy": "IfNotPresent",
        "command": [binary, "netexec", "--http-port=%d" % PORT],
        "ports": [{"containerPort": PORT}],
        "readinessProbe": {"tcpSocket": {"port": PORT}, "periodSeconds": 1},
        # A pod that ends leaves the Service first: without this pause the last connections hit a closed port.
        "lifecycle": {"preStop": {"sleep": {"seconds": 5}}},
        "resources": {"requests": {"cpu": "5m", "memory": "16Mi"}, "limits": {"memory": "128Mi"}},
        "securityContext": {"allowPrivilegeEscalation": False, "capabilities": {"drop": ["ALL"]},
                            "runAsNonRoot": True, "runAsUser": 65534, "seccompProfile": {"type": "RuntimeDefault"}},
    }


def _pod_spec(image, binary):
    return {"containers": [_container(image, binary)], "terminationGracePeriodSeconds": 8, "automountServiceAccountToken": False,
            "enableServiceLinks": False, "tolerations": [{"operator": "Exists"}]}


def namespace(name):
    """:returns: the namespace, which admits what the strictest pod security admits."""
    return {"apiVersion": "v1", "kind": "Namespace",
            "metadata": {"name": name, "labels": {LABEL: "true", "pod-security.kubernetes.io/enforce": "restricted"}}}


def probes(image, binary):
    """:returns: a DaemonSet with one pod on every node that takes pods, tainted ones included."""
    return {"apiVersion": "apps/v1", "kind": "DaemonSet", "metadata": {"name": "probe"}, "spec": {
        "selector": {"matchLabels": {"app": "probe"}},
        "template": {"metadata": {"labels": {"app": "probe"}}, "spec": _pod_spec(image, binary)}}}


def target(image, binary, node):
    """:returns: the pod that the policy is about, on the node of one of the probes."""
    return {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "target", "labels": {"app": "target"}},
            "spec": dict(_pod_spec(image, binary), affinity={"nodeAffinity": {"requiredDuringSchedulingIgnoredDuringExecution": {
                "nodeSelectorTerms": [{"matchFields": [{"key": "metadata.name", "operator": "In", "values": [node]}]}]}}})}


def rolling(image, binary):
    """:returns: a Deployment that has to stay available while it rolls."""
    return {"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "rolling"}, "spec": {
        "replicas": REPLICAS, "selector": {"matchLabels": {"app": "rolling"}},
        "strategy": {"type": "RollingUpdate", "rollingUpdate": {"maxUnavailable": 0, "maxSurge": 1}},
        "template": {"metadata": {"labels": {"app": "rolling"}, "annotations": {ROUND: "1"}}, "spec": _pod_spec(image, binary)}}}


# JSON patches, because releases of the client library disagree about the kind of patch that a dict is.
def next_round():
    """:returns: the patch that makes the Deployment roll."""
    return [{"op": "replace", "path": "/spec/template/metadata/annotations/" + _escaped(ROUND), "value": "2"}]


def befriending():
    """:returns: the patch that makes a pod a friend."""
    return [{"op": "add", "path": "/metadata/labels/" + _escaped(key), "value": value} for key, value in FRIEND.items()]


def _escaped(key):
    return key.replace("~", "~0").replace("/", "~1")


def service(name, kind="ClusterIP"):
    """:returns: a Service of the pods labelled app=name."""
    return {"apiVersion": "v1", "kind": "Service", "metadata": {"name": name},
            "spec": {"type": kind, "selector": {"app": name}, "ports": [{"port": PORT, "targetPort": PORT}]}}


def policy():
    """:returns: a policy that lets friends alone reach the target."""
    return {"apiVersion": "networking.k8s.io/v1", "kind": "NetworkPolicy", "metadata": {"name": "friends-only"}, "spec": {
        "podSelector": {"matchLabels": {"app": "target"}}, "policyTypes": ["Ingress"],
        "ingress": [{"from": [{"podSelector": {"matchLabels": FRIEND}}]}]}}


def pairs(names):
    """:returns: who calls whom: everybody everybody for a few, a ring for many; nobody calls himself."""
    names = sorted(names)
    if len(names) <= MESH_LIMIT:
        return [(one, other) for one in names for other in names if one != other]
    return list(zip(names, names[1:] + names[:1]))


def leftovers(namespaces, now):
    """:returns: the names of namespaces that a killed check left behind.

    :param namespaces: the namespaces with our label, as the API gives them.
    :param now: an aware datetime.
    """
    old = []
    for one in namespaces:
        made = datetime.datetime.strptime(one["metadata"]["creationTimestamp"], "%Y-%m-%dT%H:%M:%SZ").replace(tzinfo=datetime.timezone.utc)
        if (now - made).total_seconds() > LEFTOVER_SECONDS:
            old.append(one["metadata"]["name"])
    return old


def reached(name, attempts, how_to_mend):
    """All attempts have to come through; no attempt at all is no pass."""
    lost = [one for one in attempts if one.error]
    seen = "%d of %d came through" % (len(attempts) - len(lost), len(attempts))
    if lost:
        seen += "; first: %s to %s: %s" % (lost[0].source, lost[0].target, lost[0].error)
    wanted = "%d of %d come through" % (len(attempts), len(attempts))
    return _judged(name, attempts, not lost, seen, wanted, how_to_mend)


def blocked(name, attempts, how_to_mend):
    """No attempt may come through; no attempt at all is no pass, and neither is one that could not be made."""
    through = [one for one in attempts if not one.error]
    seen = "%d of %d blocked" % (len(attempts) - len(through), len(attempts))
    if through:
        seen += "; let through: " + listing("%s to %s" % (one.source, one.target) for one in through)
    return _judged(name, attempts, not through, seen, "%d of %d blocked" % (len(attempts), len(attempts)), how_to_mend)


def _judged(name, attempts, good, seen, wanted, how_to_mend):
    if not attempts:
        return verdict(name, INCONCLUSIVE, "nothing could be tried: no pods", "at least one attempt", how_to_mend)
    untried = [one for one in attempts if not one.ran]
    if untried:
        return verdict(name, INCONCLUSIVE, "%s could not try: %s" % (untried[0].source, untried[0].error), wanted, how_to_mend)
    return verdict(name, PASS if good else FAIL, seen, wanted, how_to_mend)


def stayed_available(name, samples, complete, how_to_mend):
    """A Deployment rolled to its end, never had fewer replicas than asked for, and never refused a connection.

    :param samples: (available replicas, error of a connection or an empty string), one a look.
    """
    wanted = "never fewer than %d available, no connection lost, the new version everywhere" % REPLICAS
    if not samples:
        return verdict(name, INCONCLUSIVE, "the rollout was never looked at", wanted, how_to_mend)
    fewest, errors = min(one[0] for one in samples), [one[1] for one in samples if one[1]]
    seen = "%s after %d looks; fewest available: %d; connections lost: %d%s" % (
        "complete" if complete else "not complete", len(samples), fewest, len(errors), " (%s)" % errors[0] if errors else "")
    return verdict(name, PASS if complete and fewest >= REPLICAS and not errors else FAIL, seen, wanted, how_to_mend)


def rollout_complete(deployment):
    """:returns: whether a Deployment runs its newest version everywhere and nothing else."""
    status = deployment.get("status") or {}
    return (status.get("observedGeneration", 0) >= deployment["metadata"]["generation"]
            and status.get("updatedReplicas") == status.get("replicas") == status.get("availableReplicas") == REPLICAS)
