# Copyright (c) 2026, ironrack.cluster contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A service, nodes and pods to try things on, and as much of an API server as applies, scales and deletes objects by their versions."""
from __future__ import annotations

import copy
import json
from urllib.parse import parse_qs, urlsplit

from ansible_collections.ironrack.cluster.plugins.module_utils._service import spec

DIGEST = "sha256:" + "4b" * 32
GI = 2**30


def described(**more):
    """:returns: a description with what has to be said, and changes: names to values, with dots for what is inside."""
    service = {
        "name": "chat", "namespace": "inference", "stable": "v1",
        "releases": {"v1": {"image": "registry.example.org/chat@" + DIGEST}, "v2": {"image": "registry.example.org/chat:2"}}}
    for path, value in more.items():
        put(service, path.split("__"), value)
    return service


def put(target, names, value):
    """Set what is inside."""
    for name in names[:-1]:
        target = target.setdefault(name, {})
    target[names[-1]] = value


def complete(**more):
    """:returns: the same with its defaults."""
    return spec.complete(described(**more))


def node(name, zone="a", cpu="8", memory="64Gi", gpus=0, **more):
    """:returns: a Node that takes pods."""
    allocatable = dict({"cpu": cpu, "memory": memory, "pods": "110"}, **({"nvidia.com/gpu": str(gpus)} if gpus else {}))
    labels = {"topology.kubernetes.io/zone": zone} if zone else {}
    return {"metadata": {"name": name, "labels": labels}, "spec": more,
            "status": {"allocatable": allocatable, "conditions": [{"type": "Ready", "status": "True"}]}}


def pod(name, where, requests=None, release=None, **more):
    """:returns: a Pod that runs on a node."""
    labels = {"ironrack.cluster/service": "chat", "ironrack.cluster/release": release} if release else {}
    return {"metadata": dict({"name": name, "labels": labels}, **more), "status": {"phase": "Running"},
            "spec": {"nodeName": where, "containers": [{"resources": {"requests": requests or {}}}]}}


class Api:
    """Objects by path. Writers are told apart by what they applied last: what one leaves out then goes, unless another owns it."""

    def __init__(self, namespaces=("inference",), verticals=False):
        self.objects, self.applied, self.version, self.asked, self.before = {}, {}, 0, [], {}
        self.verticals = verticals
        for name in namespaces:
            self.put("/api/v1/namespaces/" + name, {"metadata": {"name": name}})

    def request(self, method, path, body=None, accept="", content_type=""):
        """As KubeClient.request."""
        parts = urlsplit(path)
        query = {name: values[0] for name, values in parse_qs(parts.query).items()}
        self.asked.append((method, parts.path, query, copy.deepcopy(body)))
        for interfere in self.before.pop((method, parts.path), []):
            interfere()
        status, document = getattr(self, method.lower())(parts.path, query, json.loads(json.dumps(body)), content_type)
        return status, copy.deepcopy(document)

    def get(self, path, query, body, content_type):
        """Answer a GET."""
        if path.startswith("/apis/autoscaling.k8s.io/v1") and not self.verticals:
            return 404, {"message": "no such group"}
        if path == "/apis/autoscaling.k8s.io/v1":
            return 200, {"kind": "APIResourceList"}
        if path in self.objects:
            return 200, self.objects[path]
        if path.rpartition("/")[2] in PLURALS:
            wanted = dict(pair.split("=") for pair in query.get("labelSelector", "").split(",") if pair)
            return 200, {"items": [one for key, one in sorted(self.objects.items()) if key.rpartition("/")[0] == path and wanted.items() <= (
                one["metadata"].get("labels") or {}).items()]}
        return 404, {"message": "not found"}

    def post(self, path, query, body, content_type):
        """Answer a POST."""
        return 201, self.put("%s/%s" % (path, body["metadata"]["name"]), body)

    def patch(self, path, query, body, content_type):
        """Answer a PATCH."""
        if path.endswith("/scale"):
            return self._scale(path[:-len("/scale")], body)
        assert content_type == "application/apply-patch+yaml" and query["fieldManager"] == "ironrack.cluster" and query["force"] == "true"
        there = self.objects.get(path)
        if not self._namespace(path):
            return 404, {"message": "namespaces not found"}
        wanted = body["metadata"].pop("resourceVersion", None)
        if wanted and (there is None or wanted != there["metadata"]["resourceVersion"]):
            return 409, {"message": "the object has been modified"}
        result = merged(without(copy.deepcopy(there or {}), self.applied.get(path, {}), body), copy.deepcopy(body))
        if body["kind"] == "Deployment":
            result["spec"].setdefault("replicas", 1)
        if query.get("dryRun"):
            return (200 if there else 201), result
        self.applied[path] = body
        if result == there:
            return 200, there
        return (200 if there else 201), self.put(path, result)

    def _namespace(self, path):
        return "/api/v1/namespaces/" + path.split("/namespaces/")[1].split("/")[0] in self.objects

    def _scale(self, path, body):
        there = self.objects.get(path)
        if there is None:
            return 404, {"message": "not found"}
        if body["metadata"]["resourceVersion"] != there["metadata"]["resourceVersion"] or body["metadata"]["uid"] != there["metadata"]["uid"]:
            return 409, {"message": "the object has been modified"}
        return 200, self.put(path, dict(there, spec=dict(there["spec"], replicas=body["spec"]["replicas"])))

    def delete(self, path, query, body, content_type):
        """Answer a DELETE, and do what the garbage collector does."""
        there = self.objects.get(path)
        if there is None:
            return 404, {"message": "not found"}
        wanted = body["preconditions"]
        if any(there["metadata"][name] != value for name, value in wanted.items()):
            return 409, {"message": "the preconditions do not hold"}
        del self.objects[path]
        self.applied.pop(path, None)
        for key, one in list(self.objects.items()):
            owners = one["metadata"].get("ownerReferences") or []
            if owners and not {owner["uid"] for owner in owners} & {other["metadata"]["uid"] for other in self.objects.values()}:
                del self.objects[key]
        return 200, {}

    def put(self, path, document):
        """Write an object."""
        self.version += 1
        document = copy.deepcopy(document)
        document["metadata"].setdefault("uid", "uid%d" % self.version)
        document["metadata"]["resourceVersion"] = str(self.version)
        self.objects[path] = document
        return document

    def bump(self, path):
        """Somebody writes its status."""
        self.put(path, self.objects[path])

    def names(self):
        """:returns: plural/name of all objects but namespaces."""
        return sorted("/".join(path.split("/")[-2:]) for path in self.objects if not path.startswith("/api/v1/namespaces/inference") or path.count("/") > 4)

    def writes(self):
        """:returns: requests that ask for a change."""
        return [one for one in self.asked if one[0] != "GET" and "dryRun" not in one[2]]


PLURALS = ("deployments", "pods", "nodes", "horizontalpodautoscalers", "verticalpodautoscalers", "configmaps")


def merged(there, patch):
    """:returns: dictionaries merged, all else replaced."""
    if not isinstance(there, dict) or not isinstance(patch, dict):
        return patch
    return dict(there, **{name: merged(there.get(name), value) for name, value in patch.items()})


def without(there, former, new):
    """:returns: an object without what was applied formerly and is not any more."""
    for name, value in former.items():
        if name not in new:
            there.pop(name, None)
        elif isinstance(value, dict) and isinstance(new[name], dict) and isinstance(there.get(name), dict):
            without(there[name], value, new[name])
    return there
