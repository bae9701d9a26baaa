# Copyright (c) 2026, ironrack.cluster contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The objects of one release in the Kubernetes API. Pure.

No object holds the number of pods: that is set by the scale of a Deployment alone, so that applying an object never takes it back from an
autoscaler. Of a release that is kept apart by zone, each zone has a Deployment and an autoscaler; all else is one for the release.

This is a private module_utils package: it may change in any release.
"""
from __future__ import annotations

import hashlib
import json
import math
import re
from collections import namedtuple

from .checks import grace_of
from .fields import is_label
from .spec import pod_of

MANAGER = "ironrack.cluster"
SERVICE, RELEASE, ZONE = "ironrack.cluster/service", "ironrack.cluster/release", "ironrack.cluster/zone"
GENERATION, CONFIG_HASH = "ironrack.cluster/generation", "ironrack.cluster/config-hash"
ZONE_LABEL, HOST_LABEL = "topology.kubernetes.io/zone", "kubernetes.io/hostname"
GPU = "nvidia.com/gpu"
PORT_NAME = "http"
#: Seconds between two probes: at the start, of readiness (each second, so that DNS follows at once), of life.
START_PERIOD, READY_PERIOD, LIFE_PERIOD = 2, 1, 10
#: Seconds that a model may take longer to load than was said, before it is started anew.
START_MARGIN = 30

#: A kind of objects: the API's path of its group, its plural.
Kind = namedtuple("Kind", ("api_version", "kind", "plural"))
DEPLOYMENT = Kind("apps/v1", "Deployment", "deployments")
HPA = Kind("autoscaling/v2", "HorizontalPodAutoscaler", "horizontalpodautoscalers")
VPA = Kind("autoscaling.k8s.io/v1", "VerticalPodAutoscaler", "verticalpodautoscalers")
PDB = Kind("policy/v1", "PodDisruptionBudget", "poddisruptionbudgets")
SERVICE_KIND = Kind("v1", "Service", "services")
CONFIG_MAP = Kind("v1", "ConfigMap", "configmaps")


def name_of(service, release, zone=""):
    """:returns: the name of a release's objects, or of those of one of its zones. A zone's name may hold what an object's cannot."""
    name = "%s-%s" % (service["name"], release)
    if not zone:
        return name
    return "%s-%s" % (name, zone if is_label(zone) else "z" + hashlib.sha256(zone.encode()).hexdigest()[:10])


def labels_of(service, release, zone=""):
    """:returns: the labels of a release's objects."""
    labels = {"app.kubernetes.io/name": service["name"], "app.kubernetes.io/managed-by": MANAGER, SERVICE: service["name"], RELEASE: release}
    return dict(labels, **({ZONE: zone} if zone else {}))


def selector_of(service, release, zone=""):
    """:returns: the labels that tell a release's pods from all others. They can never change."""
    return dict({SERVICE: service["name"], RELEASE: release}, **({ZONE: zone} if zone else {}))


def manifest(kind, service, name, labels, **content):
    """:returns: an object. All of a release but its Deployments is owned by them, so that it goes when the last of them goes, see :func:`owned`."""
    return dict({"apiVersion": kind.api_version, "kind": kind.kind,
                 "metadata": {"name": name, "namespace": service["namespace"], "labels": labels}}, **content)


def config_hash(service, release):
    """:returns: a digest of a release's configuration; empty where it has none."""
    config = service["releases"][release]["config"]
    return hashlib.sha256(json.dumps(config, sort_keys=True).encode()).hexdigest()[:16] if config else ""


def owned(document, deployments):
    """:returns: an object that is taken away by the API itself, once its Deployments are.

    So the one request that deletes a Deployment, and only as the version that was seen, is all that a deletion takes, and nothing is left of one that
    was killed in the middle.
    """
    owners = [dict(target(one["metadata"]["name"]), uid=one["metadata"]["uid"], controller=False, blockOwnerDeletion=False) for one in deployments]
    return dict(document, metadata=dict(document["metadata"], ownerReferences=owners))


def beside(service, release, replicas):
    """:returns: the release's objects beside its Deployments and their autoscalers.

    :param service: the complete description.
    :param replicas: the pods that it is meant to have: a budget that keeps as many would block every drain.
    """
    name, labels = name_of(service, release), labels_of(service, release)
    port = service["pod"]["port"]
    found = [manifest(SERVICE_KIND, service, name, labels, spec={
        "clusterIP": "None", "selector": selector_of(service, release),
        "ports": [{"name": PORT_NAME, "port": port, "targetPort": port, "protocol": "TCP"}]})]
    if service["releases"][release]["config"]:
        found.append(manifest(CONFIG_MAP, service, name, labels, data=service["releases"][release]["config"]))
    # A pod that is not ready anyway holds up no drain.
    found.append(manifest(PDB, service, name, labels, spec=dict(
        _budget(service["disruption"], replicas), unhealthyPodEvictionPolicy="AlwaysAllow", selector={"matchLabels": selector_of(service, release)})))
    return found


def _budget(disruption, replicas):
    kept = disruption["min_available"]
    if kept is None:
        return {"maxUnavailable": 1 if disruption["max_unavailable"] is None else disruption["max_unavailable"]}
    # A candidate begins with fewer pods than the stable release has.
    return {"minAvailable": kept if isinstance(kept, str) else max(0, min(kept, replicas - 1))}


def deployment(service, release, generation, zone=""):
    """:returns: the Deployment of a release, or of one of its zones, without the number of its pods."""
    labels, selector = labels_of(service, release, zone), selector_of(service, release, zone)
    found = manifest(DEPLOYMENT, service, name_of(service, release, zone), labels, spec={
        "selector": {"matchLabels": selector},
        "strategy": {"type": "RollingUpdate", "rollingUpdate": {"maxSurge": service["surge"], "maxUnavailable": service["unavailable"]}},
        "revisionHistoryLimit": 3,
        # Kubernetes' own ten minutes would call a model that still loads a failure.
        "progressDeadlineSeconds": service["pod"]["load_seconds"] + 600,
        "template": {"metadata": {"labels": labels, "annotations": _annotations(service, release)}, "spec": _pod(service, release, zone)}})
    found["metadata"]["annotations"] = {GENERATION: str(generation)}
    return found


def _annotations(service, release):
    digest = config_hash(service, release)
    return dict({"ironrack.cluster/metrics-path": service["pod"]["metrics_path"]}, **({CONFIG_HASH: digest} if digest else {}))


def _pod(service, release, zone):
    pod = pod_of(service, release)
    volumes, mounts = _volumes(service, release, pod)
    spec = {
        "serviceAccountName": service["name"], "automountServiceAccountToken": False, "enableServiceLinks": False,
        "terminationGracePeriodSeconds": grace_of(pod),
        "securityContext": dict({"runAsNonRoot": True, "seccompProfile": {"type": "RuntimeDefault"}}, **(
            {"runAsUser": pod["user"], "runAsGroup": pod["user"], "fsGroup": pod["user"]} if pod["user"] else {})),
        "affinity": {"podAntiAffinity": _apart(service, release)},
        "containers": [_container(pod, mounts)], "volumes": volumes}
    selector = dict(pod["node_selector"], **({ZONE_LABEL: zone} if zone else {}))
    optional = {
        "nodeSelector": selector, "tolerations": pod["tolerations"], "priorityClassName": pod["priority_class"],
        "runtimeClassName": pod["runtime_class"], "imagePullSecrets": [{"name": pod["pull_secret"]}] if pod["pull_secret"] else [],
        "topologySpreadConstraints": [] if zone else [_spread(service, release)]}
    return dict(spec, **{name: value for name, value in optional.items() if value})


def _apart(service, release):
    # With the release: pods of another one would else block those of this. With the template's hash: those that it replaces would, too.
    term = {"labelSelector": {"matchLabels": selector_of(service, release)}, "matchLabelKeys": ["pod-template-hash"], "topologyKey": HOST_LABEL}
    if service["spread"]["host"] == "required":
        return {"requiredDuringSchedulingIgnoredDuringExecution": [term]}
    return {"preferredDuringSchedulingIgnoredDuringExecution": [{"weight": 100, "podAffinityTerm": term}]}


def _spread(service, release):
    return {
        "maxSkew": 1, "topologyKey": ZONE_LABEL, "matchLabelKeys": ["pod-template-hash"],
        "labelSelector": {"matchLabels": selector_of(service, release)},
        "whenUnsatisfiable": "DoNotSchedule" if service["spread"]["zone"] == "required" else "ScheduleAnyway",
        # A zone whose nodes are all drained or lost is no zone to wait for.
        "nodeTaintsPolicy": "Honor"}


def _container(pod, mounts):
    found = {
        "name": "server", "image": pod["image"], "ports": [{"name": PORT_NAME, "containerPort": pod["port"], "protocol": "TCP"}],
        "resources": _resources(pod), "lifecycle": {"preStop": {"sleep": {"seconds": pod["drain_seconds"]}}},
        "startupProbe": _probe(pod, "health_path", START_PERIOD, 2, math.ceil((pod["load_seconds"] + START_MARGIN) / START_PERIOD)),
        "readinessProbe": _probe(pod, "ready_path", READY_PERIOD, 2, 3),
        # A server that is overloaded is slow: it is started anew only when it has been silent for half a minute.
        "livenessProbe": _probe(pod, "health_path", LIFE_PERIOD, 5, 3),
        "securityContext": {"allowPrivilegeEscalation": False, "readOnlyRootFilesystem": pod["read_only_root"], "capabilities": {"drop": ["ALL"]}},
        "volumeMounts": mounts}
    optional = {"command": pod["command"], "args": pod["args"], "env": [_variable(name, pod["env"][name]) for name in sorted(pod["env"])]}
    return dict(found, **{name: value for name, value in optional.items() if value})


def _variable(name, value):
    if isinstance(value, dict):
        return {"name": name, "valueFrom": {"secretKeyRef": {"name": value["secret"], "key": value["key"]}}}
    # YAML's true is what a person wrote as true.
    return {"name": name, "value": str(value).lower() if isinstance(value, bool) else str(value)}


def _probe(pod, path, period, timeout, failures):
    return {"httpGet": {"path": pod[path], "port": PORT_NAME}, "periodSeconds": period, "timeoutSeconds": timeout, "failureThreshold": failures}


def _resources(pod):
    """A GPU is asked for as a limit, which is its request too."""
    found = {kind: {name: str(amount) for name, amount in sorted(amounts.items())} for kind, amounts in pod["resources"].items()}
    if pod["gpus"]:
        found["limits"][GPU] = str(pod["gpus"])
    return {kind: amounts for kind, amounts in found.items() if amounts}


def _volumes(service, release, pod):
    volumes, mounts = [], []

    def add(path, source, **more):
        name = "v%d%s" % (len(volumes), re.sub(r"[^a-z0-9]+", "-", path.lower()).rstrip("-")[:50])
        volumes.append(dict({"name": name}, **source))
        mounts.append(dict({"name": name, "mountPath": path}, **more))

    for path in pod["writable"]:
        # GPU libraries share memory there, and the runtime's own 64 MiB are too little for them.
        add(path, {"emptyDir": {"medium": "Memory"} if path == "/dev/shm" else {}})
    for path in sorted(pod["claims"]):
        add(path, {"persistentVolumeClaim": {"claimName": pod["claims"][path], "readOnly": True}}, readOnly=True)
    if service["releases"][release]["config"]:
        add(pod["config_path"], {"configMap": {"name": name_of(service, release)}}, readOnly=True)
    return volumes, mounts


def scales(service):
    """:returns: whether the service has an autoscaler."""
    return bool(service["autoscaling"]["max_replicas"])


def autoscaler(service, release, least, zone="", part=1.0):
    """:returns: the HorizontalPodAutoscaler of a Deployment.

    :param least: pods that it keeps.
    :param part: of the release's most pods that this zone may have.
    """
    scaling = service["autoscaling"]
    metrics = list(scaling["metrics"])
    if scaling["cpu_percent"]:
        metrics.insert(0, {"type": "Resource", "resource": {
            "name": "cpu", "target": {"type": "Utilization", "averageUtilization": scaling["cpu_percent"]}}})
    name = name_of(service, release, zone)
    return manifest(HPA, service, name, labels_of(service, release, zone), spec={
        "scaleTargetRef": target(name), "minReplicas": max(1, least),
        "maxReplicas": max(1, least, math.ceil(scaling["max_replicas"] * part)), "metrics": metrics})


def vertical(service, release, zone=""):
    """:returns: the VerticalPodAutoscaler of a Deployment."""
    name = name_of(service, release, zone)
    mode = {"recommend": "Off", "initial": "Initial", "recreate": "Recreate"}[service["vertical"]]
    return manifest(VPA, service, name, labels_of(service, release, zone), spec={"targetRef": target(name), "updatePolicy": {"updateMode": mode}})


def target(name):
    """:returns: a reference to a Deployment."""
    return {"apiVersion": DEPLOYMENT.api_version, "kind": DEPLOYMENT.kind, "name": name}


def spread(replicas, zones):
    """:returns: zone -> pods, as even as can be; the first zones have one more."""
    share, rest = divmod(replicas, len(zones))
    return {zone: share + (1 if number < rest else 0) for number, zone in enumerate(zones)}
