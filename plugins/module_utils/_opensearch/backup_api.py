# Copyright (c) 2026, ironrack.cluster contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What snapshots, restores and their proofs ask of the engine. It reads and writes and decides nothing.

No request waits for the end of anything: a time-out of ours would say nothing about it then. Whoever wants the end asks again.

This is a private module_utils package: it may change in any release.
"""
from __future__ import annotations

import time

from . import moments, snapshots
from .client import NO_HANDLER, OpenSearchError, OpenSearchUnreachable, quoted, reason_of
from .hashing import Checksum
from .restoring import Old

#: Documents that one page of a search brings, and how long the engine keeps its place between two.
PAGE, KEEP = 1000, "2m"
#: The reason of an index that keeps its documents without their source: they can be counted, and that is all.
NO_SOURCE = "source"
#: Settings that say how old an index is, which one, and whose.
OF_AGE = "index.uuid,index.creation_date,index.hidden"
#: What ISM's answers call the policy of an index; with the first two it says so of one that it does not manage as well.
OF_ISM = ("index.plugins.index_state_management.policy_id", "index.opendistro.index_state_management.policy_id", "policy_id")


class BackupApi:
    """Requests about snapshots and about the indices in them.

    :param client: an OpenSearchClient.
    """

    def __init__(self, client):
        self.client = client
        #: Called now and then during what takes long, so that a lease is kept.
        self.beat = lambda: None

    def get(self, path, what, params=None):
        """:returns: a document, or None where it is not there."""
        status, answer = self.client.request("GET", path, params=params)
        if status == 404:
            return None
        if status != 200:
            raise self.client.refusal(status, answer, what)
        return answer

    # Repositories

    def repository(self, name):
        """:returns: type and settings of a repository, or None where there is none."""
        return (self.get("/_snapshot/%s" % quoted(name), "reading repository %s" % name) or {}).get(name)

    def put_repository(self, name, body):
        """Register a repository, without a look at whether it can be used: that one would leave it there and say no."""
        self.client.expect("PUT", "/_snapshot/%s" % quoted(name), body=body, params={"verify": False}, what="registering repository %s" % name)

    def delete_repository(self, name):
        """Forget a repository; what is in it stays."""
        self.client.expect("DELETE", "/_snapshot/%s" % quoted(name), ok=(200, 404), what="forgetting repository %s" % name)

    def verify(self, name, timeout=None):
        """Have all nodes write into a repository. :returns: (status, answer), whatever it is."""
        return self.client.request("POST", "/_snapshot/%s/_verify" % quoted(name), timeout=timeout)

    def nodes(self):
        """:returns: id -> name, roles, version of every node."""
        answer = self.get("/_nodes", "reading the nodes", {"filter_path": "nodes.*.name,nodes.*.roles,nodes.*.version"}) or {}
        return answer.get("nodes") or {}

    # Snapshots

    def snapshot(self, repository, name):
        """:returns: the :class:`~.snapshots.Snapshot`, or None where it is not there."""
        answer = self.get("/_snapshot/%s/%s" % (quoted(repository), quoted(name)), "reading snapshot %s" % name)
        entries = [one for one in (answer or {}).get("snapshots") or [] if one["snapshot"] == name]
        return snapshots.read(entries[0]) if entries else None

    def snapshots(self, repository):
        """:returns: all of a repository, oldest first; None where there is no such repository."""
        answer = self.get("/_snapshot/%s/_all" % quoted(repository), "listing the snapshots of %s" % repository)
        return answer and sorted((snapshots.read(one) for one in answer.get("snapshots") or []), key=lambda one: (one.started or moments.EPOCH, one.name))

    def running(self):
        """:returns: "repository/snapshot" of each snapshot that runs now, in any repository."""
        answer = self.get("/_snapshot/_status", "asking which snapshots run") or {}
        return sorted("%s/%s" % (one["repository"], one["snapshot"]) for one in answer.get("snapshots") or [])

    def create(self, repository, name, body):
        """Begin a snapshot. :returns: (status, answer), whatever it is."""
        return self.client.request(
            "PUT", "/_snapshot/%s/%s" % (quoted(repository), quoted(name)), body=body, params={"wait_for_completion": False})

    def delete_snapshot(self, repository, name):
        """Delete a snapshot. The engine answers when it is over, which may be later than we wait: then it goes on by itself."""
        try:
            self.client.expect("DELETE", "/_snapshot/%s/%s" % (quoted(repository), quoted(name)), ok=(200, 404), what="deleting snapshot %s" % name)
        except OpenSearchUnreachable as error:
            # No answer in time is one that is still at it; the caller asks until it is gone. What never came about is told by that as well.
            return str(error)
        return ""

    # The cluster

    def cluster_time(self):
        """:returns: the aware time of the cluster manager."""
        return moments.of_millis(self.client.expect("GET", "/_cluster/stats", params={"filter_path": "timestamp"}, what="asking for the time")["timestamp"])

    def names(self):
        """:returns: (name -> ``index``, ``closed``, ``alias`` or ``data_stream``, index -> the data stream that it belongs to)."""
        answer = self.client.expect("GET", "/_resolve/index/*", params={"expand_wildcards": "all"}, what="listing all names")
        found = {one["name"]: "index" if "open" in one.get("attributes", ()) else "closed" for one in answer.get("indices") or []}
        found.update({one["name"]: "alias" for one in answer.get("aliases") or []})
        found.update({one["name"]: "data_stream" for one in answer.get("data_streams") or []})
        return found, {one["name"]: one["data_stream"] for one in answer.get("indices") or [] if one.get("data_stream")}

    def aliases(self):
        """:returns: alias -> index -> its options."""
        found = {}
        for index, entry in (self.get("/_alias", "reading the aliases") or {}).items():
            for alias, options in (entry.get("aliases") or {}).items():
                found.setdefault(alias, {})[index] = options
        return found

    def change_aliases(self, actions):
        """All of these at once, or none."""
        self.client.expect("POST", "/_aliases", body={"actions": actions}, what="moving the aliases")

    def cluster_settings(self):
        """:returns: persistent, transient and defaults, each flat name -> value."""
        return self.client.expect("GET", "/_cluster/settings", params={"flat_settings": True, "include_defaults": True}, what="reading the cluster's settings")

    def put_cluster_setting(self, name, value):
        """Set one for good; None takes it back."""
        self.client.expect("PUT", "/_cluster/settings", body={"persistent": {name: value}}, what="setting %s" % name)

    def disks(self):
        """:returns: id -> roles and fs.total of every node."""
        answer = self.get("/_nodes/stats/fs", "reading the nodes' disks", {"filter_path": "nodes.*.name,nodes.*.roles,nodes.*.fs.total"}) or {}
        return answer.get("nodes") or {}

    # Indices

    def describe(self, names):
        """:returns: name -> uuid, documents, bytes, shards, replicas, created_version, seq_nos (shard -> number) and aliases, of open indices."""
        found = {}
        for batch in snapshots.batches(names):
            path = ",".join(quoted(name) for name in batch)
            settings = self.client.expect("GET", "/%s/_settings" % path, params={"flat_settings": True, "human": True}, what="reading indices' settings")
            stats = self.client.expect("GET", "/%s/_stats/docs,store" % path, params={"level": "shards"}, what="reading indices' numbers")["indices"]
            aliases = self.client.expect("GET", "/%s/_alias" % path, what="reading indices' aliases")
            for name in batch:
                found[name] = self._described(name, settings[name]["settings"], stats.get(name) or {}, (aliases.get(name) or {}).get("aliases") or {})
        return found

    def _described(self, name, settings, stats, aliases):
        seq_nos = {}
        for shard, copies in (stats.get("shards") or {}).items():
            for copy in copies:
                if copy["routing"]["primary"]:
                    seq_nos[shard] = (copy.get("seq_no") or {}).get("max_seq_no")
        return {
            "uuid": settings["index.uuid"], "documents": self.count(name), "bytes": ((stats.get("primaries") or {}).get("store") or {}).get("size_in_bytes", 0),
            "shards": int(settings["index.number_of_shards"]), "replicas": int(settings.get("index.number_of_replicas", 0)),
            "created_version": settings.get("index.version.created_string") or "", "seq_nos": seq_nos, "aliases": aliases}

    def old(self, name):
        """:returns: the :class:`~.restoring.Old` of an index that is to be replaced."""
        settings = self.client.expect("GET", "/%s/_settings" % quoted(name), params={"flat_settings": True}, what="reading settings of %s" % name)
        found = settings[name]["settings"]
        return Old(name, found["index.uuid"], moments.of_millis(int(found["index.creation_date"])), str(found.get("index.blocks.write")).lower() == "true")

    def count(self, index):
        """:returns: how many documents a search finds. :raises OpenSearchError: where a shard did not answer: its documents would lack."""
        answer = self.client.expect("GET", "/%s/_count" % quoted(index), what="counting the documents of %s" % index)
        self._whole(answer, "counting the documents of %s" % index)
        return answer["count"]

    @staticmethod
    def _whole(answer, what):
        shards = answer.get("_shards") or {}
        if not shards.get("total") or shards.get("failed") or shards.get("successful") != shards["total"]:
            raise OpenSearchError("%s: %s of %s shards answered, so what is there is not known" % (
                what, shards.get("successful"), shards.get("total")), status=200, reason="shards")

    def refresh(self, names):
        """Have all that was written be found."""
        for batch in snapshots.batches(names):
            self.client.expect("POST", "/%s/_refresh" % ",".join(quoted(name) for name in batch), what="refreshing indices")

    def checksum(self, index, deadline, clock=time.monotonic):
        """Read every document of an index.

        :param deadline: of the clock; what is not read by then is left.
        :returns: (documents, checksum); None where the time is over.
        :raises OpenSearchError: where a document is missing, or has no source.
        """
        what, found, scroll = "reading all documents of %s" % index, Checksum(), None
        try:
            answer = self.client.expect("POST", "/%s/_search" % quoted(index), params={"scroll": KEEP}, what=what,
                                        body={"size": PAGE, "sort": ["_doc"], "track_total_hits": True, "query": {"match_all": {}}})
            total = answer["hits"]["total"]["value"]
            while True:
                scroll = answer.get("_scroll_id", scroll)
                self._whole(answer, what)
                for hit in answer["hits"]["hits"]:
                    found.add(hit)
                if not answer["hits"]["hits"]:
                    break
                if clock() >= deadline:
                    return None
                self.beat()
                answer = self.client.expect("POST", "/_search/scroll", body={"scroll": KEEP, "scroll_id": scroll}, what=what)
        except ValueError as error:
            raise OpenSearchError("%s: %s, so no checksum can be had" % (what, error), status=200, reason=NO_SOURCE)
        finally:
            if scroll:
                self.client.request("DELETE", "/_search/scroll", body={"scroll_id": [scroll]})
        if found.documents != total:
            raise OpenSearchError("%s: %d came, and there are %d" % (what, found.documents, total), status=200, reason="documents")
        return found.documents, found.hexdigest()

    def matching(self, patterns):
        """:returns: the engine's answers about names: ``_resolve/index`` of all, and ``_settings`` and ``_alias`` of the indices that fit.

        :param patterns: names of indices, or patterns of them.
        """
        resolved = self.client.expect("GET", "/_resolve/index/*", params={"expand_wildcards": "all"}, what="listing all names")
        settings, aliases, wide = {}, {}, {"expand_wildcards": "all", "ignore_unavailable": True}
        for batch in snapshots.batches(patterns):
            path = ",".join(quoted(one) for one in batch)
            settings.update(self.client.expect("GET", "/%s/_settings/%s" % (path, OF_AGE), params=dict(wide, flat_settings=True),
                                               what="reading the age of indices"))
            aliases.update(self.client.expect("GET", "/%s/_alias" % path, params=wide, what="reading indices' aliases"))
        return resolved, settings, aliases

    def policies(self, names):
        """:returns: index -> the ISM policy that manages it, or None. What whoever asks may not see is not in it."""
        found = {}
        for batch in snapshots.batches(names):
            status, answer = self.client.request("GET", "/_plugins/_ism/explain/" + ",".join(quoted(one) for one in batch))
            if status == 400 and NO_HANDLER in reason_of(answer):
                return dict.fromkeys(names)
            # One of them went away meanwhile.
            if status != 404:
                if status != 200:
                    raise self.client.refusal(status, answer, "asking ISM what it manages")
                found.update({name: next((answer[name][key] for key in OF_ISM if answer[name].get(key)), None)
                              for name in batch if any(key in (answer.get(name) or {}) for key in OF_ISM)})
        return found

    def delete_index(self, name):
        """Delete an index; one that is gone is well."""
        self.client.expect("DELETE", "/%s" % quoted(name), ok=(200, 404), what="deleting index %s" % name)

    def put_index_settings(self, name, settings):
        """Change settings of an index."""
        self.client.expect("PUT", "/%s/_settings" % quoted(name), body=settings, what="changing settings of index %s" % name)

    # Restores

    def restore(self, repository, snapshot, body):
        """Begin a restore."""
        self.client.expect("POST", "/_snapshot/%s/%s/_restore" % (quoted(repository), quoted(snapshot)), body=body,
                           params={"wait_for_completion": False}, what="restoring from snapshot %s" % snapshot)

    def health(self, index):
        """:returns: the health of one index with its shards, or None where it is not there."""
        status, answer = self.client.request("GET", "/_cluster/health/%s" % quoted(index), params={"level": "shards", "timeout": "2s"})
        # Of an index that is not there the engine waits, and tells a red cluster then.
        if status not in (200, 404, 408):
            raise self.client.refusal(status, answer, "reading the health of %s" % index)
        return (answer.get("indices") or {}).get(index)

    def red(self, names):
        """:returns: those of some indices of which a shard has no copy: what asks them for their documents gets no answer, or not all of it."""
        answer = self.get("/_cluster/health", "reading the health of the indices", {"level": "indices", "timeout": "2s"}) or {}
        told = answer.get("indices") or {}
        return [name for name in names if (told.get(name) or {}).get("status") == "red"]

    def recovery(self, index):
        """:returns: each copy's recovery, as the engine tells it."""
        return ((self.get("/%s/_recovery" % quoted(index), "reading the recovery of %s" % index) or {}).get(index) or {}).get("shards") or []

    def explain(self, index, shard):
        """:returns: why the primary of a shard is not placed, or None where it is by now."""
        status, answer = self.client.request("POST", "/_cluster/allocation/explain", body={"index": index, "shard": shard, "primary": True})
        return answer if status == 200 else None

    def reindex(self, source, target, query=None, op_type="index"):
        """Begin to copy documents of an index into another one.

        :param query: which ones; all of them where None. :param op_type: ``create`` leaves what is there.
        :returns: the task's id.
        """
        body = {"source": dict({"index": source}, **({"query": query} if query else {})), "dest": {"index": target, "op_type": op_type}}
        if op_type == "create":
            body["conflicts"] = "proceed"
        return self.client.expect("POST", "/_reindex", body=body, params={"wait_for_completion": False, "refresh": True},
                                  what="copying %s into %s" % (source, target))["task"]

    def task(self, identity):
        """:returns: a task as the engine tells it, or None where nobody knows of it."""
        return self.get("/_tasks/%s" % quoted(identity), "asking for the task %s" % identity)
