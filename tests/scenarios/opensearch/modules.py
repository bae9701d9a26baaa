# Copyright (c) 2026, ironrack.cluster contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Modules that have one thing on OpenSearch, each by itself on the real engine: what a check run says is what a run does, and what a run did is there."""
from __future__ import annotations

import secrets
import threading
import time

from ..common import NotProved, say
from . import api
from .adhoc import module
from .users import PATH

TEMPLATE, ALIAS, USER, ROLE = "lab-modules", "lab-modules", "lab-modules-user", "lab-modules-role"
INDICES = ["lab-modules-%06d" % number for number in (1, 2)]
#: A setting of the cluster that nothing in the lab depends on, and its default.
SETTING, DEFAULT = "cluster.max_shards_per_node", "1000"


def brought(nodes, name, arguments, look, expected, changed=True):
    """Have a module bring something about, with a check run before it and a second run behind it.

    :param look: asks the engine for what is there, without the module. :param expected: what that is afterwards. :param changed: whether the run changes it.
    :returns: the module's result. :raises NotProved: where one of the three does something else than it should.
    """
    before = look()
    foreseen = module(nodes, name, arguments, check=True)
    if foreseen.get("changed") is not changed or look() != before:
        raise NotProved("%s %s: its check run says %s; the engine has %s, and had %s" % (name, arguments, foreseen.get("msg") or foreseen, look(), before))
    done = module(nodes, name, arguments)
    if done.get("changed") is not changed or look() != expected:
        raise NotProved("%s %s: it says %s; the engine has %s, not %s" % (name, arguments, done.get("msg") or done, look(), expected))
    if done["diff"] != foreseen["diff"] or (done["diff"]["before"] != done["diff"]["after"]) is not changed:
        raise NotProved("%s %s: the difference is %s, and the check run's was %s" % (name, arguments, done["diff"], foreseen["diff"]))
    again = module(nodes, name, arguments)
    if again.get("changed") is not False or look() != expected:
        raise NotProved("%s %s: once more it says %s; the engine has %s" % (name, arguments, again.get("msg") or again, look()))
    return done


def refused(nodes, name, arguments, words, look):
    """Have a module refuse. :raises NotProved: where it does not, for another reason, or with a change."""
    before = look()
    told = module(nodes, name, arguments)
    if not told.get("failed") or words not in told.get("msg", "") or look() != before:
        raise NotProved("%s %s should be refused: %s; the engine has %s, and had %s" % (name, arguments, told.get("msg") or told, look(), before))


def listed(nodes, kind, name, document):
    """opensearch_info tells of a thing what the module that made it says of it. :raises NotProved: where it does not."""
    told = module(nodes, "info", {"gather": [kind]})
    if told.get("failed") or (told.get(kind) or {}).get(name) != document or told["changed"]:
        raise NotProved("opensearch_info tells of %s: %s, not %s" % (kind, told.get("msg") or (told.get(kind) or {}).get(name), document))


def found(address, path, *keys):
    """:returns: what stands below some keys of an answer; None where the engine has no such thing."""
    answer = api.ask(address, "GET", path)
    if answer.status == 404:
        return None
    if answer.status != 200:
        raise NotProved("GET %s: %d %s" % (path, answer.status, answer.body))
    value = answer.body
    for key in keys:
        value = value.get(key) if isinstance(value, dict) else value[key]
        if value is None:
            return None
    return value


def templates(nodes, address):
    """A template, which indices made later have, and those that were there do not."""
    def look():
        return found(address, "/_index_template/" + TEMPLATE, "index_templates", 0, "index_template", "template", "settings", "index")

    def replicas(index):
        return found(address, "/%s/_settings" % index, index, "settings", "index", "number_of_replicas")

    given = {"name": TEMPLATE, "index_patterns": [TEMPLATE + "-*"], "priority": 500,
             "template": {"settings": {"number_of_shards": 1, "number_of_replicas": 2}, "mappings": {"properties": {"at": {"type": "date"}}}}}
    brought(nodes, "index_template", given, look, {"number_of_shards": "1", "number_of_replicas": "2"})
    api.well(address, "PUT", "/" + INDICES[0])
    changed = dict(given, template={"settings": {"number_of_shards": 1, "number_of_replicas": 1}, "mappings": {"properties": {"at": {"type": "date"}}}})
    made = brought(nodes, "index_template", changed, look, {"number_of_shards": "1", "number_of_replicas": "1"})
    listed(nodes, "index_templates", TEMPLATE, made["template"])
    api.well(address, "PUT", "/" + INDICES[1])
    if [replicas(index) for index in INDICES] != ["2", "1"]:
        raise NotProved("indices of the template have %s replicas" % [replicas(index) for index in INDICES])
    refused(nodes, "index_template", dict(given, template={"settings": {"number_of_shards": "many"}}), "number_of_shards", look)
    brought(nodes, "index_template", {"name": TEMPLATE, "state": "absent"}, look, None)
    brought(nodes, "index_settings", {"indices": [TEMPLATE + "-*"], "settings": {"number_of_replicas": 1}},
            lambda: [replicas(index) for index in INDICES], ["1", "1"])


class Reader(threading.Thread):
    """Somebody who searches an alias all the while, and counts what was no answer."""

    def __init__(self, address):
        super().__init__(daemon=True)
        self.address, self.over, self.searches, self.missed = address, threading.Event(), 0, []

    def run(self):
        while not self.over.wait(0.01):
            answer = api.ask(self.address, "GET", "/%s/_search" % ALIAS)
            self.searches += 1
            if answer.status != 200:
                self.missed.append(answer)


def aliases(nodes, address):
    """An alias that goes from one index to another under a reader, with the writes behind it."""
    def look():
        answer = api.ask(address, "GET", "/_alias/" + ALIAS)
        return {index: entry["aliases"][ALIAS] for index, entry in answer.body.items()} if answer.status == 200 else {}

    def to(*writing):
        return {"name": ALIAS, "indices": [{"index": index, "is_write_index": index in writing} for index in INDICES]}

    brought(nodes, "alias", {"name": ALIAS, "indices": [{"index": INDICES[0]}]}, look, {INDICES[0]: {}})
    reader = Reader(address)
    reader.start()
    brought(nodes, "alias", to(INDICES[1]), look, {INDICES[0]: {"is_write_index": False}, INDICES[1]: {"is_write_index": True}})
    listed(nodes, "aliases", ALIAS, {INDICES[0]: {"is_write_index": False}, INDICES[1]: {"is_write_index": True}})
    went = api.well(address, "POST", "/%s/_doc?refresh=true" % ALIAS, {"at": "2026-01-01T00:00:00Z"})["_index"]
    brought(nodes, "alias", {"name": ALIAS, "indices": [{"index": INDICES[1], "is_write_index": True}]}, look, {INDICES[1]: {"is_write_index": True}})
    brought(nodes, "alias", {"name": ALIAS, "indices": [{"index": INDICES[0], "is_write_index": True}]}, look, {INDICES[0]: {"is_write_index": True}})
    refused(nodes, "alias", to(*INDICES), "are write indices", look)
    refused(nodes, "alias", {"name": ALIAS, "indices": [{"index": "lab-modules-none"}]}, "there is no index lab-modules-none", look)
    refused(nodes, "alias", {"name": INDICES[0], "indices": [{"index": INDICES[1]}]}, "no alias can have that name", look)
    reader.over.set()
    reader.join(30)
    if went != INDICES[1] or reader.missed or not reader.searches:
        raise NotProved("a document went to %s; of %d searches %d failed: %s" % (went, reader.searches, len(reader.missed), reader.missed[:1]))
    brought(nodes, "alias", {"name": ALIAS, "state": "absent"}, look, {})
    return reader.searches


def settings(nodes, address):
    """A setting of the cluster, nested and by dots; one that the engine does not know takes the others of its request with it; null is the default."""
    def look():
        return found(address, "/_cluster/settings?flat_settings=true", "persistent", SETTING)

    brought(nodes, "cluster_settings", {"settings": {SETTING: 1500}}, look, "1500")
    brought(nodes, "cluster_settings", {"settings": {"cluster": {"max_shards_per_node": "1500"}}}, look, "1500", changed=False)
    refused(nodes, "cluster_settings", {"settings": {SETTING: 1600, "cluster.no_such_setting": 1}}, "cluster.no_such_setting", look)
    api.well(address, "PUT", "/_cluster/settings", {"transient": {SETTING: 1200}})
    told = module(nodes, "cluster_settings", {"settings": {SETTING: 1500}})
    api.well(address, "PUT", "/_cluster/settings", {"transient": {SETTING: None}})
    if told.get("changed") is not False or SETTING not in str(told.get("shadowed")):
        raise NotProved("a transient setting wins, and it says %s" % told)
    brought(nodes, "cluster_settings", {"settings": {SETTING: None}}, look, None)
    if found(address, "/_cluster/settings?flat_settings=true&include_defaults=true", "defaults", SETTING) != DEFAULT:
        raise NotProved("the default of %s is not back" % SETTING)


def security(nodes, address):
    """A role, a user and a mapping between them: what the user may do is what the three say, and his password is no difference that anybody reads."""
    first, second = secrets.token_hex(16), secrets.token_hex(16)
    closed = api.context(certificate=False)

    def logs_in(password):
        return [api.ask(address, "GET", path, user=(USER, password), tls=closed).status for path in ("/%s/_count" % INDICES[0], "/_cluster/settings")]

    def look(kind, name, field):
        return lambda: found(address, PATH + "%s/%s" % (kind, name), name, field)

    reads = {"index_patterns": [TEMPLATE + "-*"], "allowed_actions": ["read"]}
    role, user, mapping = look("roles", ROLE, "cluster_permissions"), look("internalusers", USER, "backend_roles"), look("rolesmapping", ROLE, "backend_roles")
    brought(nodes, "security_role", {"name": ROLE, "cluster_permissions": [], "index_permissions": [reads]}, role, [])
    made = brought(nodes, "security_user", {"name": USER, "user_password": first, "backend_roles": ["lab-readers"]}, user, ["lab-readers"])
    listed(nodes, "users", USER, made["user"])
    if logs_in(first) != [403, 403]:
        raise NotProved("a user without a role gets %s" % logs_in(first))
    mapped = brought(nodes, "security_role_mapping", {"name": ROLE, "backend_roles": ["lab-readers"]}, mapping, ["lab-readers"])
    listed(nodes, "role_mappings", ROLE, mapped["mapping"])
    if logs_in(first) != [200, 403]:
        raise NotProved("a user who may read some indices gets %s" % logs_in(first))
    allowed = brought(nodes, "security_role", {"name": ROLE, "cluster_permissions": ["cluster_monitor"]}, role, ["cluster_monitor"])
    listed(nodes, "roles", ROLE, allowed["role"])
    if logs_in(first) != [200, 200]:
        raise NotProved("with cluster_monitor, and what was there before, the user gets %s" % logs_in(first))
    kept = {"name": USER, "user_password": second, "update_password": "on_create"}
    brought(nodes, "security_user", kept, lambda: logs_in(first), [200, 200], changed=False)
    brought(nodes, "security_user", {"name": USER, "user_password": second}, lambda: (logs_in(first), logs_in(second)), ([401, 401], [200, 200]))
    refused(nodes, "security_role", {"name": "all_access", "state": "absent"}, "built into", look("roles", "all_access", "static"))
    brought(nodes, "security_role_mapping", {"name": ROLE, "state": "absent"}, mapping, None)
    brought(nodes, "security_user", {"name": USER, "state": "absent"}, user, None)
    brought(nodes, "security_role", {"name": ROLE, "state": "absent"}, role, None)
    if logs_in(second) != [401, 401]:
        raise NotProved("the user was taken away, and gets %s" % logs_in(second))


def unknown(nodes):
    """What the engine has no plugin for is one sentence; what it has none of is an empty answer."""
    for kind in ("ism_policies", "sm_policies"):
        told = module(nodes, "info", {"gather": [kind]})
        if not told.get("failed") or "no plugin opensearch-index-management" not in told["msg"]:
            raise NotProved("opensearch_info tells of %s: %s" % (kind, told))
    registered = api.well(next(iter(nodes.values())), "GET", "/_snapshot")
    told = module(nodes, "info", {"gather": ["repositories"]})
    if {name: one["type"] for name, one in told["repositories"].items()} != {name: one["type"] for name, one in registered.items()}:
        raise NotProved("opensearch_info tells of repositories: %s, and the engine has %s" % (told["repositories"], registered))


def clear(address):
    """Take away what a run that was cut off has left."""
    for path in ["/" + index for index in INDICES] + ["/_index_template/" + TEMPLATE] + [
            PATH + one for one in ("rolesmapping/" + ROLE, "internalusers/" + USER, "roles/" + ROLE)]:
        if api.ask(address, "DELETE", path).status not in (200, 404):
            raise NotProved("%s cannot be deleted" % path)
    api.well(address, "PUT", "/_cluster/settings", {kind: {SETTING: None} for kind in ("persistent", "transient")})


def opensearch_modules(inventory):
    """Templates, aliases, settings of indices and of the cluster, users, roles and mappings."""
    nodes = api.nodes(inventory)
    address = next(iter(nodes.values()))
    clear(address)
    begun = time.monotonic()
    templates(nodes, address)
    searches = aliases(nodes, address)
    settings(nodes, address)
    security(nodes, address)
    unknown(nodes)
    clear(address)
    say("opensearch-modules: index template, index settings, alias, cluster settings, role, user and mapping: each change was said by a check run, with its "
        "difference, is what the engine has, and is none once more; %d searches of the alias on its way, 0 failed; what the engine or the security plugin "
        "refuses is one sentence, and changes nothing; opensearch_info tells of each what its module does; %.0f s" % (searches, time.monotonic() - begun))
