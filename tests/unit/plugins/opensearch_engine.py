# Copyright (c) 2026, ironrack.cluster contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A small OpenSearch over real HTTP: it keeps what it is sent, answers in the shapes of 3.4.0, and adds to documents what the real one adds."""
from __future__ import annotations

import base64
import contextlib
import copy
import fnmatch
import http.server
import json
import threading
import time
from urllib.parse import parse_qsl, unquote, urlsplit

from ansible_collections.ironrack.cluster.plugins.module_utils._opensearch.settings import as_text, flat

HEALTH = {"cluster_name": "logs", "status": "green", "timed_out": False, "number_of_nodes": 3, "number_of_data_nodes": 3, "discovered_master": True,
          "discovered_cluster_manager": True, "active_primary_shards": 2, "active_shards": 4, "relocating_shards": 0, "initializing_shards": 0,
          "unassigned_shards": 0, "delayed_unassigned_shards": 0}
ROLES = ["cluster_manager", "data", "ingest"]
ISM, SM, SECURITY = "/_plugins/_ism/policies/", "/_plugins/_sm/policies/", "/_plugins/_security/api/"


def error(status, reason, kind="illegal_argument_exception"):
    return status, {"error": {"root_cause": [{"type": kind, "reason": reason}], "type": kind, "reason": reason}, "status": status}


def shard(index, number, primary, state, node=None):
    return {"index": index, "shard": str(number), "prirep": "p" if primary else "r", "state": state, "node": node}


def of_ism(document):
    """:returns: a policy as index management gives it back."""
    found = dict(copy.deepcopy(document), policy_id="x", last_updated_time=1795312800000, schema_version=21)
    found.setdefault("error_notification", None)
    templates = found.get("ism_template")
    found["ism_template"] = [dict(one, last_updated_time=1795312800000) for one in templates] if templates else None
    for state in found.get("states", []):
        state.setdefault("transitions", [])
        for action in state.get("actions", []):
            action.setdefault("retry", {"count": 3, "backoff": "exponential", "delay": "1m"})
            if "rollover" in action:
                action["rollover"].setdefault("copy_alias", False)
    return found


def of_sm(name, document):
    """:returns: a snapshot policy as index management gives it back."""
    found = dict({"description": "", "enabled": True}, **copy.deepcopy(document))
    found.update(name=name, schema_version=21, last_updated_time=1795312800000, enabled_time=1795312800000,
                 schedule={"interval": {"start_time": 1795312800000, "period": 1, "unit": "Minutes"}})
    if "deletion" in found:
        found["deletion"].setdefault("schedule", found["creation"]["schedule"])
        found["deletion"]["condition"].setdefault("min_count", 1)
    return found


class Engine:
    """What a cluster holds. ``answers`` (method, path) -> (status, document or text) comes before all of it."""

    def __init__(self):
        self.persistent, self.transient, self.health = {}, {}, dict(HEALTH)
        self.nodes = {name: list(ROLES) for name in ("os1", "os2", "os3")}
        self.rows, self.explanations = [], {}
        self.indices, self.aliases, self.documents = {"logs-1", "logs-2"}, {}, {}
        self.passwords, self.index_settings = {}, {}
        self.plugins = {"_ism", "_sm", "_security"}
        self.answers, self.asked, self.delay = {}, [], 0
        engine = self

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"
            # Head and body are two packets, and the second one would wait 40 ms for word of the first.
            disable_nagle_algorithm = True

            def work(self):
                split = urlsplit(self.path)
                raw = self.rfile.read(int(self.headers.get("Content-Length") or 0))
                login = base64.b64decode((self.headers["Authorization"] or "Basic ").split(" ")[1]).decode()
                body = json.loads(raw) if raw and self.headers["Content-Type"] == "application/json" else raw.decode() or None
                path, query = unquote(split.path), dict(parse_qsl(split.query))
                engine.asked.append((self.command, path, query, body, login))
                time.sleep(engine.delay)
                status, answer = engine.answer(self.command, path, query, body, login)
                data = answer.encode() if isinstance(answer, str) else json.dumps(answer).encode()
                self.send_response(status)
                self.send_header("Content-Type", "text/plain" if isinstance(answer, str) else "application/json; charset=UTF-8")
                self.send_header("Content-Length", str(len(data)))
                self.end_headers()
                if self.command != "HEAD":
                    with contextlib.suppress(OSError):  # whoever asked may have given up
                        self.wfile.write(data)

            do_GET = do_HEAD = do_PUT = do_POST = do_DELETE = work

            def log_message(self, *arguments):
                """Say nothing."""

        self._http = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._http.daemon_threads = True
        self.url = "http://127.0.0.1:%d" % self._http.server_address[1]
        threading.Thread(target=self._http.serve_forever, args=(0.01,), daemon=True).start()

    def stop(self):
        self._http.shutdown()
        self._http.server_close()

    def writes(self):
        """:returns: (method, path, query, body) of whatever was no question."""
        return [asked[:4] for asked in self.asked if asked[0] not in ("GET", "HEAD")]

    def answer(self, method, path, query, body, login):
        if (method, path) in self.answers:
            return self.answers[(method, path)]
        if path == "/_cluster/settings":
            return self._settings(method, query, body)
        if path.endswith("/_settings"):
            return self._of_indices(method, path.split("/")[1], body)
        if path.startswith(("/_plugins/_ism/", "/_plugins/_sm/", "/_plugins/_security/")):
            if path.split("/")[2] not in self.plugins:
                return 400, {"error": "no handler found for uri [%s] and method [%s]" % (path, method)}
            return self._plugin(method, path, query, body, login)
        if path == "/_aliases":
            return self._move(body["actions"])
        if path.startswith("/_alias/"):
            name = path.rsplit("/", 1)[1]
            found = {index: {"aliases": {name: its[name]}} for index, its in self.aliases.items() if name in its}
            return (200, found) if found else (404, {"error": "alias [%s] missing" % name, "status": 404})
        if path.startswith("/_index_template/"):
            return self._template(method, path, body)
        return self._question(method, path, body)

    def _question(self, method, path, body):
        if path == "/_cluster/health":
            return 200, self.health
        if path.startswith("/_nodes"):
            return 200, {"nodes": {"id-" + name: {"name": name, "roles": roles} for name, roles in self.nodes.items()}}
        if path == "/_cat/shards":
            return 200, self.rows
        if path == "/_cluster/allocation/explain":
            found = self.explanations.get((body["index"], body["shard"], body["primary"]))
            return (200, found) if found else error(400, "unable to find any unassigned shards to explain")
        if method == "HEAD":
            return (200 if path[1:] in self.indices else 404), ""
        return error(405, "nobody answers %s %s here" % (method, path))

    def _settings(self, method, query, body):
        if method == "PUT":
            for name, value in flat(body["persistent"]).items():
                if name.startswith("archived") or name == "nonsense":
                    return error(400, "persistent setting [%s], not recognized" % name)
                if value is None:
                    self.persistent.pop(name, None)
                else:
                    self.persistent[name] = value
            return 200, {"acknowledged": True, "persistent": body["persistent"], "transient": {}}
        assert query["flat_settings"] == "true"
        return 200, {"persistent": self.persistent, "transient": self.transient}

    def _of_indices(self, method, names, body):
        found = [index for index in sorted(self.index_settings) if any(fnmatch.fnmatchcase(index, name) for name in unquote(names).split(","))]
        if method == "PUT":
            for index in found:
                self.index_settings[index].update(flat(body))
            return 200, {"acknowledged": True}
        return 200, {index: {"settings": dict(self.index_settings[index])} for index in found}

    def _move(self, actions):
        after = copy.deepcopy(self.aliases)
        for action in actions:
            (verb, one), = action.items()
            if verb == "remove":
                del after[one["index"]][one["alias"]]
                continue
            if one["index"] not in self.indices:
                return error(404, "no such index [%s]" % one["index"], "index_not_found_exception")
            kept = {name: value for name, value in one.items() if name not in ("index", "alias")}
            after.setdefault(one["index"], {})[one["alias"]] = kept
        self.aliases = after
        return 200, {"acknowledged": True}

    def _template(self, method, path, body):
        name = path.rsplit("/", 1)[1]
        if method == "PUT":
            self.documents[path] = body
            return 200, {"acknowledged": True}
        if path not in self.documents:
            return error(404, "index template matching [%s] not found" % name, "resource_not_found_exception")
        if method == "DELETE":
            del self.documents[path]
            return 200, {"acknowledged": True}
        found = dict({"composed_of": []}, **copy.deepcopy(self.documents[path]))
        if (found.get("template") or {}).get("settings"):
            found["template"]["settings"] = {"index": {
                name[6:] if name.startswith("index.") else name: as_text(value) for name, value in flat(found["template"]["settings"]).items()}}
        return 200, {"index_templates": [{"name": name, "index_template": found}]}

    def _plugin(self, method, path, query, body, login):
        if path == "/_plugins/_security/authinfo":
            user, _colon, password = login.partition(":")
            return (200, {"user_name": user}) if user in self.passwords and self.passwords[user] == password else (401, "Unauthorized")
        name = path.rsplit("/", 1)[1]
        kept, sequence = self.documents.get(path, (None, 0))
        if method == "DELETE":
            found = self.documents.pop(path, None)
            return (200, {"status": "OK"}) if found else (404, {"status": "NOT_FOUND", "message": "Resource '%s' not found." % name})
        if method == "GET":
            if kept is None:
                return 404, {"status": "NOT_FOUND", "message": "Resource '%s' not found." % name}
            if path.startswith(SECURITY):
                return 200, {name: dict({"hash": "", "reserved": False, "hidden": False, "static": False, "backend_roles": []}, **kept)}
            known = {"_id": name, "_version": 1, "_seq_no": sequence, "_primary_term": 1}
            return 200, dict(known, policy=of_ism(kept)) if path.startswith(ISM) else dict(known, sm_policy=of_sm(name, kept))
        return self._keep(method, path, query, body, kept, sequence)

    def _keep(self, method, path, query, body, kept, sequence):
        name = path.rsplit("/", 1)[1]
        if path.startswith(SECURITY):
            if kept and kept.get("reserved"):
                return 403, {"status": "FORBIDDEN", "message": "Resource '%s' is reserved." % name}
            body = dict(body)
            if "password" in body:
                self.passwords[name] = body.pop("password")
            elif path.startswith(SECURITY + "internalusers/") and not kept and "hash" not in body:
                return 400, {"status": "error", "reason": "Please specify either 'hash' or 'password' when creating a new internal user."}
            self.documents[path] = (body, 0)
            return (200 if kept else 201), {"status": "OK" if kept else "CREATED", "message": "'%s' updated." % name}
        asked = (query.get("if_seq_no"), query.get("if_primary_term"))
        created = method == "POST" if path.startswith(SM) else asked == (None, None)
        if created != (kept is None) or (kept is not None and asked != (str(sequence), "1")):
            return error(409, "[%s]: version conflict" % name, "version_conflict_engine_exception")
        self.documents[path] = (body["policy"] if path.startswith(ISM) else body, sequence + 1)
        return (201 if created else 200), {"_id": name}
