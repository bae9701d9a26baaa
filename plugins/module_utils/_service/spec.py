# Copyright (c) 2026, ironrack.cluster contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The description of a service: its keys with their defaults, and everything that is wrong with one. Pure.

This is a private module_utils package: it may change in any release.
"""
from __future__ import annotations

import copy

from .._common.refusal import problem
from . import checks
from .fields import REQUIRED, anything, check, choice, filled, inside, is_label, is_network, label, listed, mapped, share, text, truth, whole

#: A Service's name is a DNS label that begins with a letter, and so does every name that begins with the service's.
SERVICE_NAME = text("a DNS label that begins with a letter, at most 40 characters", r"[a-z]([a-z0-9-]{0,38}[a-z0-9])?")
PATH = r"/[A-Za-z0-9._~/?&=%-]*"
#: Two seconds of DNS and two of connections that the balancers keep idle: a pod that ends before is still sent requests.
LEAST_DRAIN = 5
DAY = 86400


def is_env(value):
    """:returns: whether a value may be an environment variable's: a text or number, or the key of a Secret."""
    if isinstance(value, dict):
        return set(value) == {"secret", "key"} and all(isinstance(one, str) and one for one in value.values())
    return isinstance(value, (str, int, float))


def _is_amount(value):
    return isinstance(value, (str, int, float)) and not isinstance(value, bool)


def _is_tenant(value):
    return is_label(value) or isinstance(value, str) and is_network(value)


ENV = mapped("names to texts, numbers or {secret, key}", is_env)
AMOUNTS = mapped("resources to quantities such as 500m or 8Gi", _is_amount)
RESOURCES = {"requests": AMOUNTS, "limits": AMOUNTS}
TEXTS = listed("texts", lambda value: isinstance(value, str))

RELEASE = {
    "image": text("an image with its registry, such as registry.example.org/chat@sha256:...", r"\S+"),
    "command": TEXTS,
    "args": TEXTS,
    "env": ENV,
    "resources": inside(RESOURCES),
    "gpus": whole(0, 64, "GPUs of a pod", None),
    "config": mapped("file names to texts", lambda value: isinstance(value, str)),
}
POD = {
    "port": whole(1, 65535, "the TCP port of the pods", 8080),
    "health_path": text("a path such as /health", PATH, "/health"),
    "ready_path": text("a path such as /ready", PATH, "/ready"),
    "metrics_path": text("a path such as /metrics", PATH, "/metrics"),
    "load_seconds": whole(1, DAY, "seconds that a model takes to load at most", 600),
    "stream_seconds": whole(1, DAY, "seconds of the longest stream", 300),
    "drain_seconds": whole(LEAST_DRAIN, 3600, "seconds from a pod's leaving the DNS answer until its server is told to end", 10),
    "grace_seconds": whole(1, 2 * DAY, "seconds from a pod's deletion until it is killed", None),
    "env": ENV,
    "resources": inside(RESOURCES),
    "gpus": whole(0, 64, "GPUs of a pod", 0),
    "config_path": text("the folder of the configuration's files", r"/[A-Za-z0-9._/-]+", "/etc/service"),
    "read_only_root": truth(True),
    "writable": listed("absolute paths", lambda value: isinstance(value, str) and value.startswith("/"), ("/tmp",)),
    "claims": mapped("absolute paths to names of PersistentVolumeClaims", is_label),
    "user": whole(1, 2147483647, "the user ID of the process", None),
    "pull_secret": label(None),
    "priority_class": text("a PriorityClass", r"[a-z0-9.-]+", None),
    "runtime_class": text("a RuntimeClass", r"[a-z0-9.-]+", None),
    "node_selector": mapped("labels to values", lambda value: isinstance(value, str)),
    "tolerations": listed("tolerations as Kubernetes has them", lambda value: isinstance(value, dict)),
}
FORCE = ("required", "preferred")
SERVICE = {
    "name": SERVICE_NAME,
    "namespace": label(),
    "stable": label(),
    "replicas": whole(1, 10000, "pods of the stable release", 6),
    "releases": mapped("release names to dictionaries", lambda value: isinstance(value, dict), REQUIRED),
    "pod": inside(POD),
    "surge": whole(0, 10000, "pods more than wanted during a restart", 2),
    "unavailable": whole(0, 10000, "pods less than wanted during a restart", 1),
    "spread": inside({"zone": choice(FORCE, "required"), "host": choice(FORCE, "preferred")}),
    "autoscaling": inside({
        "min_replicas": whole(1, 10000, "pods", None), "max_replicas": whole(1, 10000, "pods", None),
        "cpu_percent": whole(1, 1000, "percent of the CPU that is requested", None),
        "metrics": listed("metrics as autoscaling/v2 has them", lambda value: isinstance(value, dict))}),
    "vertical": choice(("none", "recommend", "initial", "recreate"), "recommend"),
    "disruption": inside({"max_unavailable": share(None), "min_available": share(None)}),
    "warm_up": inside({
        "path": text("a path such as /v1/models", PATH, "/v1/models"), "method": choice(("GET", "POST", "HEAD"), "GET"),
        "body": text("a text", r".*", None), "requests": whole(0, 1000, "requests to each pod", 3), "timeout": whole(1, 3600, "seconds", 30)}),
    "tenants": listed("networks or namespaces", _is_tenant),
    "balancer": mapped("options of nginx_upstream", lambda value: True),
    "fallback": listed("dictionaries with name, host and port", lambda value: isinstance(value, dict)),
    # What these say is judged by the parts that read them.
    "prometheus": anything(dict, "options of a connection to Prometheus"),
    "gates": anything(list, "a list of gates"),
    "look_interval": whole(1, 3600, "seconds between two looks", 10),
    "rollout": anything(dict, "a strategy and its settings"),
    "smoke": anything(dict, "a smoke test"),
    "hooks": anything(dict, "hooks"),
    "pipeline": anything(dict, "tests of a release before it gets traffic"),
}
FALLBACK_SERVER = {"name": label(), "host": text("an address or a DNS name", r"\S+"), "port": whole(1, 65535, "a TCP port")}


def complete(description):
    """:returns: a description with its defaults, whatever is wrong with it."""
    service = filled(copy.deepcopy(description), SERVICE)
    if isinstance(service, dict) and isinstance(service.get("releases"), dict):
        service["releases"] = {name: filled(release, RELEASE) for name, release in service["releases"].items()}
    # Defaults are shared by all descriptions.
    return copy.deepcopy(service)


def pod_of(service, release):
    """:returns: what a pod of a release is: what the service says of all pods, with what its release says.

    :param service: a complete description.
    """
    pod, own = service["pod"], service["releases"][release]
    resources = {kind: dict(pod["resources"].get(kind) or {}, **(own["resources"].get(kind) or {})) for kind in RESOURCES}
    return dict(pod, **dict(own, env=dict(pod["env"], **own["env"]), resources=resources, gpus=pod["gpus"] if own["gpus"] is None else own["gpus"]))


def problems(description, profile):
    """Judge one description.

    :param profile: cluster_profile: 'production' asks for more.
    :returns: everything that is wrong with it, each as :func:`.._common.refusal.problem` has it.
    """
    if not isinstance(description, dict):
        return [problem("llm_services", "it holds %r" % (description,), "dictionaries, one for each service", "Describe the service.")]
    where = place_of(description)
    service = complete(description)
    found = check(where, description, SERVICE)
    for name, release in sorted(_entries(service, "releases", dict), key=str):
        if isinstance(release, dict):
            found += check("%s.releases.%s" % (where, name), release, RELEASE)
    for number, server in enumerate(service["fallback"] if isinstance(service["fallback"], list) else ()):
        if isinstance(server, dict):
            found += check("%s.fallback[%d]" % (where, number), server, FALLBACK_SERVER)
    return found + checks.deeper(where, service, profile, found, pod_of)


def place_of(description):
    """:returns: what a description is called in messages."""
    return "llm_services.%s" % description.get("name", "(without a name)")


def _entries(service, part, kind):
    return service[part].items() if isinstance(service.get(part), kind) else ()


def problems_of_all(descriptions, profile, taken=(), zones=()):
    """Judge all descriptions, each for itself and beside the others.

    :param taken: (port, by whom) of the balancers that are not for services.
    :param zones: the cluster's zones, which are part of the names of Deployments.
    """
    if not isinstance(descriptions, list):
        return [problem("llm_services", "it is %r" % (descriptions,), "a list of descriptions", "Begin each with a dash.")]
    found = [one for description in descriptions for one in problems(description, profile)]
    return found + checks.beside_each_other([complete(one) for one in descriptions if isinstance(one, dict)], taken, zones)
