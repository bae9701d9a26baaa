# Copyright (c) 2026, ironrack.cluster contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The record and the lock of a service's rollouts in the Kubernetes API. It reads and writes and decides nothing.

A ConfigMap holds the record, and beside it one key for each flag: a flag is set and taken away by itself, whoever has the lock. A Lease of the
same name is the lock. Both are written only as the version that was read.

This is a private module_utils package: it may change in any release.
"""
from __future__ import annotations

import json
from collections import namedtuple
from urllib.parse import quote

from .._common.errors import IronrackError
from . import record as records

CONFLICT, NOT_FOUND = 409, 404
MERGE = "application/merge-patch+json"
#: Flags that are set without the lock.
FLAGS = ("pause", "abort", "promote")
#: What each holds, and what one may hold beside it.
_FLAG, _MORE = ("rollout", "who", "why", "when"), ("full", "generation")
#: How often a decision is made anew because somebody wrote in between.
ATTEMPTS = 5

#: What the ConfigMap holds: the record (None where there is none), the flags that are set, its version, and the data as text.
Stored = namedtuple("Stored", ("record", "flags", "version"))


class Conflict(IronrackError):
    """Somebody else wrote between our read and our write."""


class Store:
    """The record and the lock of one service.

    :param request: called with (method, path, body=, content_type=), returns (status, document), as KubeClient.request.
    :param namespace: the service's namespace.
    :param service: its name.
    """

    def __init__(self, request, namespace, service):
        self._request = request
        self.name = "rollout-%s" % service
        self._labels = {"app.kubernetes.io/managed-by": "ironrack.cluster", "ironrack.cluster/service": service}
        self._maps = "/api/v1/namespaces/%s/configmaps" % quote(namespace, safe="")
        self._leases = "/apis/coordination.k8s.io/v1/namespaces/%s/leases" % quote(namespace, safe="")
        self.where = "ConfigMap %s/%s" % (namespace, self.name)

    def _ask(self, method, path, body=None, content_type="application/json"):
        """:returns: the document; None where it is not there. :raises Conflict: where it is another version by now."""
        status, document = self._request(method, path, body=body, content_type=content_type)
        if status in (200, 201):
            return document
        if status == NOT_FOUND and method == "GET":
            return None
        words = str((document or {}).get("message", ""))[:300]
        if status == CONFLICT or status == NOT_FOUND and method == "PATCH":
            raise Conflict("%s was changed by somebody else meanwhile: %s" % (path, words), status=status)
        raise IronrackError("%s %s was answered %d: %s" % (method, path, status, words), status=status)

    def read(self):
        """:returns: :class:`Stored`. :raises RecordError: where the ConfigMap holds no record that can be built on."""
        found = self._ask("GET", self._path())
        if found is None:
            return Stored(None, {}, None)
        data = found.get("data") or {}
        return Stored(records.decode(data, self.where), self._flags(data), found["metadata"]["resourceVersion"])

    def _path(self):
        return "%s/%s" % (self._maps, self.name)

    def _flags(self, data):
        flags = {}
        for name in FLAGS:
            if name in data:
                try:
                    flag = json.loads(data[name])
                    flags[name] = dict({part: flag[part] for part in _FLAG}, **{part: flag[part] for part in _MORE if part in flag})
                except (ValueError, KeyError, TypeError):
                    raise records.RecordError("%s: its key '%s' is no flag. Take it away, then set it with rollout_flag" % (self.where, name))
        return flags

    def write(self, record, version):
        """Write the record as the successor of a version; where that is None, as the first.

        :raises Conflict: where somebody wrote since: a flag, or another record.
        """
        metadata = {"name": self.name, "labels": self._labels}
        if version is None:
            self._ask("POST", self._maps, {"apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata, "data": records.encode(record)})
            return
        self._ask("PATCH", self._path(), {"metadata": dict(metadata, resourceVersion=version), "data": records.encode(record)}, MERGE)

    def flag(self, name, value, version):
        """Set a flag, or take it away.

        :param value: rollout, who, why and when; None takes it away.
        :param version: of the record that it was decided on.
        :raises Conflict: where that is not the newest any more.
        """
        text = None if value is None else json.dumps(value, sort_keys=True)
        self._ask("PATCH", self._path(), {"metadata": {"resourceVersion": version}, "data": {name: text}}, MERGE)

    def lease(self):
        """:returns: the Lease; None where there is none."""
        return self._ask("GET", "%s/%s" % (self._leases, self.name))

    def write_lease(self, lease, spec):
        """Write the spec of the Lease as the successor of the one that was read.

        :param lease: the one that was read; None where there was none.
        :raises Conflict: where somebody else was faster.
        """
        metadata = {"name": self.name, "labels": self._labels}
        body = {"apiVersion": "coordination.k8s.io/v1", "kind": "Lease", "metadata": metadata, "spec": spec}
        if lease is None:
            self._ask("POST", self._leases, body)
            return
        metadata["resourceVersion"] = lease["metadata"]["resourceVersion"]
        self._ask("PUT", "%s/%s" % (self._leases, self.name), body)


def settled(decide, attempts=ATTEMPTS):
    """Decide and write, and decide anew where somebody wrote in between.

    :param decide: a callable that reads, decides and writes.
    :returns: what it returns.
    :raises Conflict: where others were faster each time.
    """
    for _attempt in range(attempts - 1):
        try:
            return decide()
        except Conflict:
            continue
    return decide()
