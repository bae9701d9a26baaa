# Copyright (c) 2026, ironrack.cluster contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Where manifests, proofs and restores are written down, and who may do what now. It reads and writes and decides nothing.

They are documents of an index of the cluster itself. Its name has no dot in front: names with one are the engine's and the plugins' own, are left out of
snapshots and of users' rights, and a restore refuses them. Whichever host runs the schedule finds it there, other than a file of one host. The
index is part of every snapshot, so it comes back after the loss of the cluster, with all but what was written since the last one. What is lost so
are proofs: a snapshot counts as not proved then, and stays.

This is a private module_utils package: it may change in any release.
"""
from __future__ import annotations

import json
import time

from .._common.errors import IronrackError
from . import holding, manifest, moments
from .client import OpenSearchUnreachable, quoted
from .hashing import canonical, sha256
from .manifest import INDEX
from .retention import Proof

LEASE, RESTORE = "lease", "restore"
#: How many closing sheets are looked into: several series with other indices each may share a repository.
CLOSINGS = 10
#: Seconds that a lease holds without being renewed, and those that the clocks of two cluster managers may differ.
LEASE_SECONDS, LEASE_SLACK = 120, 30
#: How many documents one search brings; more of a kind than these means that nobody applies retention.
MOST = 10000

#: A copy on up to three hosts, as many as there are: with forced awareness a fixed number stays yellow when a zone is lost. A template that
#: matches every name could set a pipeline, or have the index rolled over.
_BODY = {
    "settings": {"index.number_of_shards": 1, "index.auto_expand_replicas": "0-2", "index.hidden": False},
    "mappings": {"dynamic": False, "properties": dict(
        {name: {"type": "keyword"} for name in ("kind", "repository", "snapshot", "uuid", "verdict")},
        time={"type": "date"}, body={"type": "text", "index": False})},
}


class Held(IronrackError):
    """Somebody else is at it. Its details carry ``holder`` and ``until``."""


class Records:
    """Documents about backups.

    :param api: a BackupApi.
    """

    def __init__(self, api):
        self._api = api
        self.client = api.client

    def ensure(self):
        """Have the index."""
        if self.client.request("HEAD", "/" + INDEX)[0] == 200:
            return
        status, answer = self.client.request("PUT", "/" + INDEX, body=_BODY)
        kind = (answer.get("error") or {}).get("type") if isinstance(answer.get("error"), dict) else None
        if status != 200 and kind != "resource_already_exists_exception":
            raise self.client.refusal(status, answer, "making the index %s" % INDEX)

    @staticmethod
    def identity(sheet):
        """:returns: the id of a sheet's document. Two hosts that write at once must not take each other's for their own."""
        return "%s-%s" % (sheet["kind"], sha256(canonical([sheet["repository"], sheet["snapshot"], sheet["checksum"]]))[:40])

    def write(self, sheet):
        """Write a sheet of a manifest, or one of a proof; it is there, and found, when this is over."""
        fields = {name: sheet.get(name) for name in ("kind", "repository", "snapshot", "uuid", "verdict")}
        self.put(self.identity(sheet), dict(fields, time=sheet.get("time") or sheet.get("ended"), body=canonical(sheet)))
        return self.identity(sheet)

    def put(self, identity, document, params=None):
        """:returns: the engine's answer. :raises OpenSearchError: where it did not take it."""
        return self.client.expect(
            "PUT", self._path(identity), body=document, params=dict(params or {}, refresh=True), what="writing down %s" % identity)

    @staticmethod
    def _path(identity):
        return "/%s/_doc/%s" % (INDEX, quoted(identity))

    def get(self, identity):
        """:returns: the engine's answer with _source, _seq_no and _primary_term; None where there is none."""
        answer = self._api.get(self._path(identity), "reading %s" % identity)
        return answer if answer and answer.get("found") else None

    def remove(self, identity, params=None):
        """Take a document away."""
        self.client.expect("DELETE", self._path(identity), params=dict(params or {}, refresh=True), ok=(200, 404), what="removing %s" % identity)

    def find(self, kind, repository, index=INDEX, **terms):
        """:returns: (id, source) of each document of a kind, newest first; none where the index is not there.

        :param repository: its name; None for all of them.
        :param index: what a snapshot held of it, in place of the cluster's own.
        """
        filters = [{"term": {name: value}} for name, value in dict(terms, kind=kind, repository=repository).items() if value is not None]
        body = {"size": MOST, "query": {"bool": {"filter": filters}}, "sort": [{"time": {"order": "desc"}}]}
        status, answer = self.client.request("POST", "/%s/_search" % quoted(index), body=body)
        if status == 404:
            return []
        if status != 200 or answer["_shards"].get("failed") or not answer["_shards"].get("successful"):
            raise self.client.refusal(status, answer, "reading %s, of which not all shards answered" % index)
        return [(hit["_id"], hit["_source"]) for hit in answer["hits"]["hits"]]

    def manifest(self, repository, snapshot):
        """The manifest of a :class:`~.snapshots.Snapshot`.

        :returns: (opening sheet, closing sheet or None); (None, None) where there is none.
        :raises ManifestError: where one is not what was written, or belongs to another snapshot.
        """
        mark = manifest.marked(snapshot)
        what = "the manifest of %s" % snapshot.name
        found = [manifest.opened(source["body"], what) for _id, source in self.find(manifest.OPENING, repository, snapshot=snapshot.name)]
        mine = [sheet for sheet in found if sheet["checksum"] == mark.get("manifest")]
        if not mine:
            if found:
                raise manifest.ManifestError("%s cannot be relied on: %s" % (what, "; ".join(manifest.belongs(found[0], snapshot))))
            return None, None
        wrong = manifest.belongs(mine[0], snapshot)
        if wrong:
            raise manifest.ManifestError("%s cannot be relied on: %s" % (what, "; ".join(wrong)))
        closed = [manifest.opened(source["body"], what) for _id, source in self.find(manifest.CLOSING, repository, uuid=snapshot.uuid)]
        return mine[0], next((sheet for sheet in closed if sheet["opening"] == mine[0]["checksum"]), None)

    def known(self, repository):
        """:returns: index -> its newest entry in the last closing sheets of a repository that can be relied on: what is missing there is read anew."""
        found = {}
        for _id, source in self.find(manifest.CLOSING, repository)[:CLOSINGS]:
            sheet = json.loads(source["body"])
            if not manifest.problems_of(sheet):
                found = dict(sheet["indices"], **found)
        return found

    def proofs(self, repository):
        """:returns: each :class:`~.retention.Proof` of a repository. One that was changed says that nothing may be relied on."""
        found = []
        for identity, source in self.find(manifest.PROOF, repository):
            sheet = manifest.opened(source["body"], "the proof %s in %s" % (identity, INDEX))
            found.append(Proof(sheet["uuid"], sheet["verdict"], moments.of_text(sheet["time"]), sheet["complete"], sheet["why"]))
        return found

    def restores(self):
        """:returns: (snapshot, aware time of the last step, record as of restoring) of each restore, from whatever repository."""
        return [(source["snapshot"], moments.of_text(source["time"]), json.loads(source["body"])) for _id, source in self.find(RESTORE, None)]

    def passed(self, repository, snapshot):
        """:returns: the sheet of the newest proof of a snapshot, where it passed; None otherwise."""
        for _id, source in self.find(manifest.PROOF, repository, uuid=snapshot.uuid):
            sheet = manifest.opened(source["body"], "a proof of %s" % snapshot.name)
            if sheet["verdict"] != "inconclusive":
                return sheet if sheet["verdict"] == "pass" else None
        return None

    def forget(self, repository, snapshot):
        """Take away what is written down about a snapshot that is gone.

        :param snapshot: the :class:`~.snapshots.Snapshot` that it was.
        """
        for kind in (manifest.OPENING, manifest.CLOSING, manifest.PROOF):
            for identity, _source in self.find(kind, repository, snapshot=snapshot.name):
                self.remove(identity)


class Lease:
    """Who may do something now: a document with a holder and an end, written only as the successor of the one that was read.

    Times are those of the cluster, so that hosts whose clocks are apart agree. It is short, and kept by whoever is at it: where its holder was
    killed the next run comes in soon, and at once where it sees that the process is gone.

    :param api: a BackupApi. :param records: :class:`Records`. :param name: what it is for. :param holder: of :func:`.holding.holder`.
    """

    def __init__(self, api, records, name, holder, clock=time.monotonic):
        self._api, self._records, self._holder, self._clock = api, records, holder, clock
        self._identity = "%s-%s" % (LEASE, sha256(name)[:40])
        self._name, self._version, self._renew_at = name, None, 0.0

    def take(self):
        """Take it, or renew it.

        :raises Held: where somebody else has it.
        """
        found, now = self._records.get(self._identity), self._api.cluster_time()
        source = (found or {}).get("_source") or {}
        if source and source["holder"] != self._holder and not holding.is_dead(source["holder"]):
            until = moments.of_text(source["until"]) + moments.timedelta(seconds=LEASE_SLACK)
            if until > now:
                raise Held("%s is at it (%s). Wait for it; where it was killed, run this again after %s" % (
                    source["holder"], self._name, moments.text(until)), holder=source["holder"], until=moments.text(until))
        document = {"kind": LEASE, "holder": self._holder, "name": self._name, "until": moments.text(now + moments.timedelta(seconds=LEASE_SECONDS))}
        self._version = self._write(document, {"if_seq_no": found["_seq_no"], "if_primary_term": found["_primary_term"]} if found else {"op_type": "create"})
        self._renew_at = self._clock() + LEASE_SECONDS / 3.0

    def keep(self):
        """Renew it, where a third of it is over. :raises Held: where it was lost: whoever has it now goes on with it."""
        if self._clock() >= self._renew_at:
            self.take()

    def _write(self, document, version):
        path = "/%s/_doc/%s" % (INDEX, quoted(self._identity))
        status, answer = self._records.client.request("PUT", path, body=document, params=dict(version, refresh=True))
        if status == 409:
            raise Held("somebody else took %s at this moment; run this again later" % self._name, holder=None, until=None)
        if status not in (200, 201):
            raise self._records.client.refusal(status, answer, "writing down who is at %s" % self._name)
        return {"if_seq_no": answer["_seq_no"], "if_primary_term": answer["_primary_term"]}

    def give_back(self):
        """Let others have it; what somebody else took over meanwhile is theirs."""
        try:
            if self._version:
                self._records.client.request("DELETE", "/%s/_doc/%s" % (INDEX, quoted(self._identity)), params=dict(self._version, refresh=True))
        except OpenSearchUnreachable:
            # It ends by itself, and what happened before must not be hidden by this.
            self._version = None
