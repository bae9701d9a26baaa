# Copyright (c) 2026, ironrack.cluster contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The engine of the test with documents in its indices, snapshot repositories and restores. It answers in the shapes of 3.4.0."""
from __future__ import annotations

import copy
import fnmatch
import json
import time
from urllib.parse import unquote

from ansible_collections.ironrack.cluster.plugins.module_utils._opensearch.client import OpenSearchClient
from ansible_collections.ironrack.cluster.tests.unit.plugins.opensearch_engine import Engine, error

AUTO = "action.auto_create_index"
GONE = "index_not_found_exception"


def missing(name):
    return error(404, "no such index [%s]" % name, GONE)


class Index:
    """An index: documents by id, each with the sequence number of its last write."""

    def __init__(self, uuid, created, settings=None, version="3.4.0"):
        self.uuid, self.created, self.version = uuid, created, version
        self.settings = dict({"index.number_of_shards": "1", "index.number_of_replicas": "1"}, **(settings or {}))
        self.documents, self.numbers, self.sequence = {}, {}, -1
        self.is_closed, self.source, self.damaged, self.looks = False, None, "", 0

    def put(self, identity, source):
        self.sequence += 1
        self.documents[identity], self.numbers[identity] = copy.deepcopy(source), self.sequence

    def remove(self, identity):
        self.sequence += 1
        del self.documents[identity], self.numbers[identity]

    @property
    def blocked(self):
        return self.settings.get("index.blocks.write") == "true"


class Store(Engine):
    """A cluster that can be backed up."""

    def __init__(self):
        self.data, self.streams, self.repositories, self.stored, self.count = {}, {}, {}, {}, 0
        self.shift, self.looks, self.unable, self.lost, self.damaged = 0, 1, {}, {}, {}
        self.versions, self.free, self.hooks, self.scrolls = {}, 100 << 30, {}, {}
        # index -> the policy by which ISM manages it; names of those that whoever asks may not manage.
        self.managed, self.unseen = {}, set()
        super().__init__()
        self.aliases, self.persistent = {}, {}

    # The base class keeps names only.
    @property
    def indices(self):
        return set(self.data)

    @indices.setter
    def indices(self, _names):
        """Nobody sets it here."""

    def writes(self):
        """:returns: as that of the base class, without searches, which are sent by POST."""
        return [one for one in super().writes() if not one[1].endswith(("/_search", "/_search/scroll", "/_cluster/allocation/explain"))]

    def millis(self):
        return int((time.time() + self.shift) * 1000)

    def make(self, name, documents=(), aliases=None, **settings):
        """:returns: the :class:`Index`, made by hand."""
        self.count += 1
        made = self.data[name] = Index("uuid-%d" % self.count, self.millis(), settings)
        for identity, source in dict(documents).items():
            made.put(identity, source)
        if aliases:
            self.aliases[name] = dict(aliases)
        return made

    def write(self, name, identity, source):
        """:returns: whether a client's write to a name was acknowledged."""
        pointed = {index: its[name] for index, its in self.aliases.items() if name in its}
        if pointed:
            marked = [index for index, options in pointed.items() if options.get("is_write_index")]
            if not marked and (len(pointed) > 1 or next(iter(pointed.values())).get("is_write_index") is False):
                return False
            name = (marked or list(pointed))[0]
        if name not in self.data:
            if not self.creates(name):
                return False
            self.make(name)
        if self.data[name].blocked:
            return False
        self.data[name].put(identity, source)
        return True

    def creates(self, name):
        """:returns: whether a write to a name brings it into being."""
        value = str(self.transient.get(AUTO, self.persistent.get(AUTO, "true")))
        if value in ("true", "false"):
            return value == "true"
        for part in value.split(","):
            sign, pattern = (part[0], part[1:]) if part[0] in "+-" else ("+", part)
            if pattern == name or pattern.endswith("*") and name.startswith(pattern[:-1]):
                return sign == "+"
        return False

    def answer(self, method, path, query, body, login):
        if (method, path) in self.hooks:
            self.hooks[(method, path)]()
        if (method, path) in self.answers:
            return self.answers[(method, path)]
        parts = path.strip("/").split("/")
        if parts[0] == "_snapshot":
            return self._snapshots(method, parts[1:], body)
        for found in (self._cluster(method, path, query, body), self._documents(method, parts, query, body), self._index(method, parts, query, body)):
            if found:
                return found
        return super().answer(method, path, query, body, login)

    def _cluster(self, method, path, query, body):
        if path == "/_cluster/settings" and method == "GET" and query.get("include_defaults"):
            return 200, {"persistent": self.persistent, "transient": self.transient, "defaults": {
                AUTO: "true", "cluster.routing.allocation.disk.watermark.low": "4gb"}}
        if path == "/_cluster/stats":
            return 200, {"timestamp": self.millis()}
        if path == "/_nodes":
            return 200, {"nodes": {self.node_id(name): {"name": name, "roles": roles, "version": self.versions.get(name, "3.4.0")}
                                   for name, roles in self.nodes.items()}}
        if path == "/_nodes/stats/fs":
            return 200, {"nodes": {self.node_id(name): {"name": name, "roles": roles, "fs": {"total": {
                "total_in_bytes": 250 << 30, "available_in_bytes": self.free}}} for name, roles in self.nodes.items()}}
        if path == "/_resolve/index/*":
            return 200, self._resolved()
        if path == "/_alias":
            return 200, {index: {"aliases": self.aliases.get(index, {})} for index in self.data}
        if path.startswith("/_plugins/_ism/explain/") and "_ism" in self.plugins:
            return self._ism(path.rsplit("/", 1)[1].split(","))
        if path.startswith("/_cluster/health/"):
            return self._health(path.rsplit("/", 1)[1])
        if path == "/_cluster/allocation/explain":
            return self._explained(body)
        if path == "/_reindex":
            return self._reindex(body)
        if path.startswith("/_tasks/"):
            found = self.documents.get(path)
            return (200, found) if found else error(404, "task isn't running and hasn't stored its results", "resource_not_found_exception")
        return None

    def _ism(self, names):
        gone = [name for name in names if name not in self.data]
        found = {name: {"index.plugins.index_state_management.policy_id": self.managed.get(name), "enabled": name in self.managed or None,
                        "index.opendistro.index_state_management.policy_id": self.managed.get(name)} for name in names if name not in self.unseen}
        return missing(gone[0]) if gone else (200, dict(found, total_managed_indices=len(self.managed)))

    @staticmethod
    def node_id(name):
        return (name + "-abcdefghijklmnopqrstuvw")[:22]

    def _resolved(self):
        pointed = {}
        for index, its in self.aliases.items():
            for alias in its:
                pointed.setdefault(alias, []).append(index)
        of_stream = {one: name for name, backing in self.streams.items() for one in backing}
        indices = [dict({"name": name, "attributes": ["closed" if index.is_closed else "open"]}, **(
            {"data_stream": of_stream[name]} if name in of_stream else {})) for name, index in sorted(self.data.items())]
        return {"indices": indices,
                "aliases": [{"name": name, "indices": members} for name, members in pointed.items()],
                "data_streams": [{"name": name, "backing_indices": backing, "timestamp_field": "@timestamp"} for name, backing in self.streams.items()]}

    # Recovery

    def _health(self, name):
        index = self.data.get(name)
        if index is None:
            return 408, {"status": "red", "timed_out": True, "indices": {}}
        index.looks += 1
        there = index.source is None or index.looks > self.looks and not index.damaged
        replicas = int(index.settings["index.number_of_replicas"])
        status = "red" if not there else "green" if replicas < len(self.nodes) else "yellow"
        return 200, {"status": status, "timed_out": False, "indices": {name: {
            "status": status, "number_of_shards": 1, "active_primary_shards": int(there), "unassigned_shards": 0,
            "shards": {"0": {"status": status, "primary_active": there}}}}}

    def _explained(self, body):
        index = self.data[body["index"]]
        decision = [{"node_name": "os1", "deciders": [{"decider": "restore_in_progress", "decision": "NO", "explanation": "shard has failed"}]}]
        return 200, {"index": body["index"], "shard": body["shard"], "primary": True, "unassigned_info": {
            "reason": "ALLOCATION_FAILED", "details": index.damaged}, "can_allocate": "no",
            "node_allocation_decisions": decision if index.damaged and index.looks > self.looks else []}

    def _reindex(self, body):
        source, target = self.data[body["source"]["index"]], self.data[body["dest"]["index"]]
        self.count += 1
        kinds = ((body["source"].get("query") or {}).get("terms") or {}).get("kind")
        wanted = {identity: one for identity, one in source.documents.items() if kinds is None or one.get("kind") in kinds}
        task, there = "os1:%d" % self.count, sum(identity in target.documents for identity in wanted)
        for identity, document in wanted.items():
            if body["dest"]["op_type"] == "index" or identity not in target.documents:
                target.put(identity, document)
        self.documents["/_tasks/" + task] = {"completed": True, "task": {}, "response": {
            "total": len(wanted), "created": len(wanted) - there, "updated": there if body["dest"]["op_type"] == "index" else 0, "failures": []}}
        return 200, {"task": task}

    # Documents

    def _documents(self, method, parts, query, body):
        if parts == ["_search", "scroll"]:
            if method == "DELETE":
                return 200, {"succeeded": self.scrolls.pop(body["scroll_id"][0], None) is not None}
            return 200, self._page(body["scroll_id"])
        if len(parts) == 2 and parts[1] == "_search":
            return self._search(parts[0], query, body) if parts[0] in self.data else missing(parts[0])
        if len(parts) == 3 and parts[1] == "_doc":
            return self._document(method, parts[0], parts[2], query, body)
        return None

    def _search(self, name, query, body):
        found = [{"_index": name, "_id": identity, "_source": source} for identity, source in self.data[name].documents.items()]
        if self.data[name].settings.get("no_source"):
            found = [{"_index": name, "_id": one["_id"]} for one in found]
        if "scroll" in query:
            self.count += 1
            self.scrolls["scroll-%d" % self.count] = [found, body["size"], len(found)]
            return 200, self._page("scroll-%d" % self.count)
        for clause in body["query"]["bool"]["filter"]:
            (field, value), = clause["term"].items()
            found = [one for one in found if one["_source"].get(field) == value]
        found.sort(key=lambda one: one["_source"].get("time") or "", reverse=True)
        return 200, {"_shards": {"total": 1, "successful": 1, "failed": 0}, "hits": {"total": {"value": len(found)}, "hits": copy.deepcopy(found)}}

    def _page(self, scroll):
        found, size, total = self.scrolls[scroll]
        self.scrolls[scroll][0] = found[size:]
        return {"_scroll_id": scroll, "_shards": {"total": 1, "successful": 1, "failed": 0}, "hits": {"total": {"value": total}, "hits": found[:size]}}

    def _document(self, method, name, identity, query, body):
        index = self.data.get(name)
        if index is None:
            return missing(name)
        number = index.numbers.get(identity)
        if method == "GET":
            return (200, {"found": True, "_id": identity, "_seq_no": number, "_primary_term": 1, "_source": copy.deepcopy(index.documents[identity])}) \
                if number is not None else (404, {"found": False, "_id": identity})
        wanted = query.get("if_seq_no")
        if query.get("op_type") == "create" and number is not None or wanted is not None and wanted != str(number):
            return error(409, "[%s]: version conflict" % identity, "version_conflict_engine_exception")
        if method == "DELETE":
            if number is None:
                return 404, {"result": "not_found"}
            index.remove(identity)
            return 200, {"result": "deleted"}
        index.put(identity, body)
        return (201 if number is None else 200), {"_id": identity, "_seq_no": index.sequence, "_primary_term": 1}

    # Indices

    def _index(self, method, parts, query, body):
        names = parts[0].split(",")
        if parts[0].startswith("_") or not parts[0]:
            return None
        if len(parts) == 1 and method == "PUT":
            if parts[0] in self.data:
                return error(400, "index [%s] already exists" % parts[0], "resource_already_exists_exception")
            self.make(parts[0], **body.get("settings", {}))
            return 200, {"acknowledged": True}
        if method == "GET" and query.get("ignore_unavailable") == "true":
            names = [name for name in sorted(self.data) if any(fnmatch.fnmatchcase(name, one) for one in names)]
        gone = [name for name in names if name not in self.data]
        if gone:
            return missing(gone[0]) if method != "HEAD" else (404, "")
        if len(parts) == 1:
            if method == "DELETE":
                self._drop(names[0])
            return 200, {"acknowledged": True} if method == "DELETE" else ""
        return self._about(method, parts, names, body)

    def _drop(self, name):
        del self.data[name]
        self.aliases.pop(name, None)

    def _about(self, method, parts, names, body):
        kind, indices = parts[1], {name: self.data[name] for name in names}
        if kind == "_settings" and method == "PUT":
            for name, value in body.items():
                if value is None:
                    indices[names[0]].settings.pop(name, None)
                else:
                    indices[names[0]].settings[name] = str(value).lower()
            return 200, {"acknowledged": True}
        if kind == "_settings":
            return 200, {name: {"settings": dict(index.settings, **{
                "index.uuid": index.uuid, "index.creation_date": str(index.created), "index.version.created_string": index.version})}
                for name, index in indices.items()}
        if kind == "_stats":
            return 200, {"indices": {name: {"primaries": {"docs": {"count": len(index.documents)}, "store": {"size_in_bytes": 100 * len(index.documents)}},
                                            "shards": {"0": [{"routing": {"primary": True}, "seq_no": {"max_seq_no": index.sequence}}]}}
                                     for name, index in indices.items()}}
        if kind == "_alias":
            return 200, {name: {"aliases": self.aliases.get(name, {})} for name in names}
        if kind == "_count":
            return 200, {"count": len(indices[names[0]].documents), "_shards": {"total": 1, "successful": 1, "failed": 0}}
        if kind == "_recovery":
            return 200, {name: {"shards": [{"primary": True, "index": {"size": {"total_in_bytes": 100, "recovered_in_bytes": 50}}}]} for name in names}
        return (200, {"_shards": {"total": 1, "successful": 1, "failed": 0}}) if kind == "_refresh" else None

    def _move(self, actions):
        data, after = dict(self.data), copy.deepcopy(self.aliases)
        for action in actions:
            (verb, one), = action.items()
            if one["index"] not in data:
                return missing(one["index"])
            if verb == "remove_index":
                del data[one["index"]]
                after.pop(one["index"], None)
            elif verb == "remove":
                if one["alias"] not in after.get(one["index"], {}):
                    return error(404, "aliases [%s] missing" % one["alias"], "aliases_not_found_exception")
                del after[one["index"]][one["alias"]]
            else:
                if one["alias"] in data:
                    return error(400, "alias [%s] has the name of an index" % one["alias"], "invalid_alias_name_exception")
                after.setdefault(one["index"], {})[one["alias"]] = {name: value for name, value in one.items() if name not in ("index", "alias")}
        for alias in {alias for its in after.values() for alias in its}:
            if sum(bool(its.get(alias, {}).get("is_write_index")) for its in after.values()) > 1:
                return error(400, "alias [%s] has more than one write index" % alias, "illegal_state_exception")
        self.data, self.aliases = data, after
        return 200, {"acknowledged": True}

    # Snapshots

    def _snapshots(self, method, parts, body):
        if parts == ["_status"]:
            return 200, {"snapshots": [{"repository": repository, "snapshot": name} for repository, its in self.stored.items()
                                       for name, one in its.items() if one["entry"]["state"] == "IN_PROGRESS"]}
        repository = parts[0]
        if len(parts) == 1:
            return self._repository(method, repository, body)
        if repository not in self.repositories:
            return error(404, "[%s] missing" % repository, "repository_missing_exception")
        if parts[1] == "_verify":
            return self._verify(repository)
        if len(parts) == 3:
            return self._restore(repository, parts[1], body)
        if method == "PUT":
            return self._create(repository, parts[1], body)
        return self._listed(method, repository, parts[1])

    def _repository(self, method, name, body):
        if method == "PUT":
            self.repositories[name] = {"type": body["type"], "settings": {key: str(value) for key, value in body["settings"].items()}}
            self.stored.setdefault(name, {})
            return 200, {"acknowledged": True}
        if name not in self.repositories:
            return error(404, "[%s] missing" % name, "repository_missing_exception")
        if method == "DELETE":
            del self.repositories[name]
            return 200, {"acknowledged": True}
        return 200, {name: copy.deepcopy(self.repositories[name])}

    def _verify(self, repository):
        if self.unable:
            failures = ", ".join("[%s, 'RemoteTransportException[[%s][192.0.2.5:9300][internal:admin/repository/verify]]; nested: "
                                 "RepositoryVerificationException[[%s] store location is not accessible on the node]; nested: IOException[%s];']" % (
                                     self.node_id(name), name, repository, why) for name, why in self.unable.items())
            return error(500, "[%s] [%s]" % (repository, failures), "repository_verification_exception")
        return 200, {"nodes": {self.node_id(name): {"name": name} for name in self.nodes}}

    def _create(self, repository, name, body):
        if name in self.stored[repository]:
            return error(400, "[%s:%s] Invalid snapshot name [%s], snapshot with the same name already exists" % (repository, name, name),
                         "invalid_snapshot_name_exception")
        names = body["indices"].split(",")
        gone = [one for one in names if one not in self.data]
        if gone:
            return missing(gone[0])
        if len(json.dumps(body["metadata"], separators=(",", ":"))) > 1024:
            return error(400, "metadata must be smaller than 1024 bytes", "action_request_validation_exception")
        self.keep(repository, name, names, metadata=body["metadata"], state="IN_PROGRESS")
        return 200, {"accepted": True}

    def keep(self, repository, name, names, state="SUCCESS", age=0, metadata=None, failures=()):
        """Have a snapshot, made by hand."""
        self.count += 1
        began = self.millis() - int(age * 1000)
        failed = [{"index": one, "index_uuid": one, "shard_id": 0, "reason": why, "node_id": "n", "status": "INTERNAL_SERVER_ERROR"} for one, why in failures]
        data = {one: copy.deepcopy(self.data[one]) for one in names if one in self.data}
        self.stored.setdefault(repository, {})[name] = {"looks": 0, "data": data, "entry": {
            "snapshot": name, "uuid": "snapshot-%d" % self.count, "version": "3.4.0", "indices": list(names), "data_streams": [], "state": state,
            "include_global_state": False, "metadata": metadata, "start_time_in_millis": began, "end_time_in_millis": began + 1500, "failures": failed,
            "shards": {"total": len(names), "failed": len(failed), "successful": len(names) - len(failed)}}}

    def _listed(self, method, repository, name):
        its = self.stored[repository]
        if name == "_all":
            return 200, {"snapshots": [one["entry"] for one in its.values()]}
        if name not in its:
            return error(404, "[%s:%s] is missing" % (repository, name), "snapshot_missing_exception")
        if method == "DELETE":
            del its[name]
            return 200, {"acknowledged": True}
        one = its[name]
        one["looks"] += 1
        if one["entry"]["state"] == "IN_PROGRESS" and one["looks"] > self.looks:
            state, failed = self.lost.get(name[:2], ("SUCCESS", 0))
            one["entry"].update(state=state, shards=dict(one["entry"]["shards"], failed=failed), failures=[
                {"index": one["entry"]["indices"][0], "shard_id": 0, "node_id": "n", "reason": "IOException[no space]"}][:failed])
        return 200, {"snapshots": [one["entry"]]}

    def _restore(self, repository, name, body):
        one = self.stored[repository].get(name)
        if one is None or body["indices"] not in one["data"]:
            return error(404, "[%s:%s] %s is missing" % (repository, name, body["indices"]), "snapshot_restore_exception")
        target = body["rename_replacement"].replace("\\$", "$").replace("\\\\", "\\")
        if target in self.data:
            return error(500, "cannot restore index [%s] because an open index with same name already exists" % target, "snapshot_restore_exception")
        assert (body["include_aliases"], body["include_global_state"], body["partial"]) == (False, False, False)
        self.count += 1
        made = copy.deepcopy(one["data"][body["indices"]])
        made.uuid, made.source, made.looks = "uuid-%d" % self.count, (repository, name), 0
        made.damaged = self.damaged.get(body["indices"], "")
        made.settings.update({key: str(value) for key, value in body.get("index_settings", {}).items()})
        if "index.blocks.*" in body["ignore_index_settings"]:
            made.settings = {key: value for key, value in made.settings.items() if not key.startswith("index.blocks.")}
        self.data[target] = made
        return 200, {"accepted": True}


class Killed(BaseException):
    """The process ends here."""


class Direct(OpenSearchClient):
    """A client without a network, which dies at a request where it is told to.

    :param store: the :class:`Store`. :param dies: number of the writing request at which it ends, from 1. :param after: whether that one is carried out.
    """

    def __init__(self, store, dies=0, after=False):
        self._store, self._dies, self._after, self.sent = store, dies, after, 0

    def request(self, method, path, body=None, params=None, timeout=None):
        query = {name: str(value).lower() if isinstance(value, bool) else str(value) for name, value in (params or {}).items() if value is not None}
        self.sent += method not in ("GET", "HEAD")
        dies = self._dies and self.sent >= self._dies
        if dies and (not self._after or self.sent > self._dies or method in ("GET", "HEAD")):
            raise Killed()
        status, answer = self._store.answer(method, unquote(path), query, json.loads(json.dumps(body)), "")
        if dies:
            raise Killed()
        return status, json.loads(json.dumps(answer)) if answer != "" else {}
