# Copyright (c) 2026, ironrack.cluster contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Objects of one service in the Kubernetes API, by plain requests: read, applied on the server's side, scaled. It decides nothing.

This is a private module_utils package: it may change in any release.
"""
from __future__ import annotations

import copy
from urllib.parse import quote, urlencode

from .._common.errors import IronrackError
from .._kube.client import KubeError, KubeUnreachable
from .objects import DEPLOYMENT, MANAGER, RELEASE, SERVICE

APPLY, MERGE = "application/apply-patch+yaml", "application/merge-patch+json"
METADATA = "application/json;as=PartialObjectMetadataList;g=meta.k8s.io;v=v1"
NOT_FOUND, CONFLICT, TOO_MANY = 404, 409, 429
#: A manager of its own: the one that applies must never own the number of pods.
SCALER = MANAGER + ".scale"
#: What the server writes for itself, and differs without any change.
_SERVERS_OWN = ("managedFields", "resourceVersion", "generation", "uid", "creationTimestamp", "selfLink")


class Conflict(IronrackError):
    """Somebody wrote since it was read."""


class ServiceApi:
    """Requests for the objects of one service.

    :param request: KubeClient.request.
    :param namespace: the service's namespace.
    :param dry_run: whether the API only says what would come of a change.
    """

    def __init__(self, request, namespace, dry_run=False):
        self._request, self._namespace, self.dry_run = request, namespace, dry_run
        #: (name, before, after) of each object that was changed, or would be; None where it was not there.
        self.changes = []

    def path(self, kind, name=None):
        """:returns: the path of an object, or of all of its kind in the namespace."""
        base = "/%s/%s" % ("apis" if "/" in kind.api_version else "api", kind.api_version)
        if kind.kind != "Namespace":
            base += "/namespaces/%s" % quote(self._namespace, safe="")
        return "%s/%s%s" % (base, kind.plural, "/" + quote(name, safe="") if name else "")

    def ask(self, method, path, body=None, **headers):
        """:returns: (status, document). :raises KubeUnreachable: where nothing can be said: no answer, or an API that is not able to give one."""
        status, document = self._request(method, path, body=body, **headers)
        if status >= 500 or status == TOO_MANY:
            raise KubeUnreachable("%s %s was answered %d: %s" % (method, path, status, _words(document)), status=status)
        return status, document

    def get(self, path):
        """:returns: an object; None where it is not there."""
        status, document = self.ask("GET", path)
        if status == NOT_FOUND:
            return None
        return _good("GET", path, status, document)

    def listed(self, path, labels=None, accept="application/json"):
        """:returns: the objects of a kind with some labels."""
        query = "?" + urlencode({"labelSelector": ",".join("%s=%s" % pair for pair in sorted(labels.items()))}) if labels else ""
        status, document = self.ask("GET", path + query, accept=accept)
        items = _good("GET", path, status, document).get("items")
        if items is None:
            raise KubeError("the list of %s holds no items: that is no answer to build on" % path, status=status)
        return items

    def apply(self, kind, document, version=None):
        """Have an object as it is described; what the description leaves out is left to others.

        :param version: the version that it has to be still; None where any will do.
        :returns: (whether that changed it, the object as it is now).
        :raises Conflict: where it is another version by now.
        """
        name = document["metadata"]["name"]
        path = self.path(kind, name)
        before = self.get(path)
        _refuse_foreign(kind, before, document)
        body = copy.deepcopy(document)
        if version:
            body["metadata"]["resourceVersion"] = version
        status, after = self.ask("PATCH", "%s?%s" % (path, self._query(fieldManager=MANAGER, force="true")), body=body, content_type=APPLY)
        if status == NOT_FOUND and self.dry_run:
            after = body  # the namespace is not there yet, and a dry run does not make it
        elif status == CONFLICT:
            raise Conflict("%s was changed by somebody else meanwhile: %s" % (path, _words(after)), status=status)
        else:
            _good("PATCH", path, status, after)
        changed = before is None or content(before) != content(after)
        if changed:
            self._note(kind, name, before, after)
        return changed, after

    def _query(self, **parts):
        return urlencode(dict(parts, **({"dryRun": "All"} if self.dry_run else {})))

    def _note(self, kind, name, before, after):
        self.changes.append(("%s/%s/%s" % (kind.kind, self._namespace, name), before and content(before), after and content(after)))

    def create(self, kind, document):
        """:returns: whether an object had to be made. One that is there is left as it is."""
        name = document["metadata"]["name"]
        if self.get(self.path(kind, name)) is not None:
            return False
        if not self.dry_run:
            status, answer = self.ask("POST", self.path(kind), body=document)
            if status == CONFLICT:
                return False
            _good("POST", self.path(kind), status, answer)
        self._note(kind, name, None, document)
        return True

    def scale(self, deployment, replicas):
        """Set the number of pods of a Deployment that is still as it was read.

        :returns: whether that changed it. :raises Conflict: where it is another one by now.
        """
        before = deployment["spec"].get("replicas", 1)
        if before == replicas:
            return False
        metadata = deployment["metadata"]
        if not self.dry_run:
            path = self.path(DEPLOYMENT, metadata["name"]) + "/scale"
            body = {"metadata": {"name": metadata["name"], "namespace": self._namespace, "uid": metadata["uid"],
                                 "resourceVersion": metadata["resourceVersion"]}, "spec": {"replicas": replicas}}
            status, answer = self.ask("PATCH", "%s?%s" % (path, urlencode({"fieldManager": SCALER})), body=body, content_type=MERGE)
            if status in (CONFLICT, NOT_FOUND):
                raise Conflict("%s was changed by somebody else meanwhile: %s" % (path, _words(answer)), status=status)
            _good("PATCH", path, status, answer)
        self.changes.append(("Deployment/%s/%s" % (self._namespace, metadata["name"]), {"replicas": before}, {"replicas": replicas}))
        return True

    def delete(self, kind, document, exact=False):
        """Delete an object that was read, and only that one.

        :param exact: whether it has to be the version that was read, too.
        :returns: whether it was there. :raises Conflict: where it is another one by now.
        """
        metadata = document["metadata"]
        if not self.dry_run:
            wanted = {"uid": metadata["uid"]}
            if exact:
                wanted["resourceVersion"] = metadata["resourceVersion"]
            path = self.path(kind, metadata["name"])
            status, answer = self.ask("DELETE", path, body={"kind": "DeleteOptions", "apiVersion": "v1", "preconditions": wanted,
                                                            "propagationPolicy": "Background"})
            if status == NOT_FOUND:
                return False
            if status == CONFLICT:
                raise Conflict("%s was changed by somebody else meanwhile: %s" % (path, _words(answer)), status=status)
            _good("DELETE", path, status, answer)
        self._note(kind, metadata["name"], document, None)
        return True


def _words(document):
    return str((document or {}).get("message", ""))[:300]


def _good(method, path, status, document):
    if status not in (200, 201, 202):
        raise KubeError("%s %s was answered %d: %s" % (method, path, status, _words(document)), status=status)
    return document


def content(document):
    """:returns: an object without what the server writes for itself."""
    metadata = {name: value for name, value in document.get("metadata", {}).items() if name not in _SERVERS_OWN}
    annotations = {name: value for name, value in (metadata.get("annotations") or {}).items() if name != "deployment.kubernetes.io/revision"}
    metadata.pop("annotations", None)
    if annotations:
        metadata["annotations"] = annotations
    return dict({name: value for name, value in document.items() if name != "status"}, metadata=metadata)


def _refuse_foreign(kind, there, document):
    """An object of that name that is not of this release is somebody else's, and taking it over would take it away from there."""
    if there is None:
        return
    labels, wanted = there["metadata"].get("labels") or {}, document["metadata"]["labels"]
    for name in (SERVICE, RELEASE):
        if labels.get(name) != wanted.get(name):
            raise IronrackError("%s %s is there and is not ours: its label %s is %r, expected %r. Rename the service or the release, or delete it first" % (
                kind.kind, document["metadata"]["name"], name, labels.get(name), wanted.get(name)))
