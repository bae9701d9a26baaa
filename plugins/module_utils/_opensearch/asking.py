# Copyright (c) 2026, ironrack.cluster contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Questions that several modules ask of a cluster, and how they bring it to a state.

This is a private module_utils package: it may change in any release.
"""
from __future__ import annotations

import json

from .._common.errors import IronrackError
from . import allocation
from .client import LOST, NO_HANDLER, OpenSearchClient, OpenSearchUnreachable, quoted, reason_of

#: How many shards are explained one by one: each is a question, and the first few tell the cause.
EXPLAINED = 5
#: A cluster without a manager says so after this time, not after the engine's 30 s, so that a wait sees more than its last moment.
PATIENCE = {"cluster_manager_timeout": "5s"}
#: What makes a name stand for others: a wildcard in a DELETE takes them all.
SPECIAL = "*?, /\\#"


def ask(module, question, connect=OpenSearchClient):
    """Ask what there is before anything is changed.

    :param question: a callable that takes a client.
    :returns: (client, its answer); (None, None) in a check run before there is a cluster, or while it has no manager to tell: everything would be new.
    """
    try:
        client = connect(module.params)
        return client, question(client)
    except OpenSearchUnreachable:
        if not module.check_mode:
            raise
    except IronrackError as error:
        if not module.check_mode or error.details.get("status") != LOST:
            raise
        module.warn("what there is cannot be said, so all of it is foreseen as new: %s" % error)
    return None, None


def get(client, path, what, params=None, plugin=None):
    """:returns: a document, or None where there is none of that name.

    :param what: as of :meth:`OpenSearchClient.expect`.
    :param plugin: the name of the engine's plugin that serves the path, where it is one's.
    :raises IronrackError: where that plugin is not installed.
    """
    status, answer = client.request("GET", path, params=params)
    if status == 404:
        return None
    if plugin and status == 400 and NO_HANDLER in reason_of(answer):
        raise IronrackError("this cluster has no plugin %s, which %s needs: install it on all nodes, or do without" % (plugin, what), plugin=plugin)
    if status != 200:
        raise client.refusal(status, answer, what)
    return answer


def put(client, method, path, body, what, params=None):
    """Change something, and have every node know of it.

    :raises OpenSearchError: where it was refused, or not all nodes said in time that they know.
    """
    answer = client.expect(method, path, body=body, params=params, what=what)
    if isinstance(answer, dict) and answer.get("acknowledged") is False:
        raise client.refusal(200, {"error": "not all nodes have taken it over in time; run this again to see whether they have by then"}, what)
    return answer


def delete(client, path, what, params=None):
    """Take something away; one that is gone already is well."""
    client.expect("DELETE", path, params=params, ok=(200, 404), what=what)


def bring(module, before, after, write, header):
    """Make what is there what is wanted.

    :param before: what is there, as what can be compared and shown; None where there is nothing.
    :param after: the same of what is wanted.
    :param write: a callable without arguments.
    :param header: what both are of, for the diff.
    :returns: ``changed`` and ``diff``.
    """
    changed = before != after
    if changed and not module.check_mode:
        write()
    return {"changed": changed, "diff": {"before_header": header, "after_header": header, "before": as_lines(before), "after": as_lines(after)}}


def as_lines(document):
    """:returns: a document for a diff; empty for None."""
    return "" if document is None else json.dumps(document, indent=1, sort_keys=True) + "\n"


def read_health(client):
    """:returns: the answer of ``_cluster/health``, whatever it says. :raises OpenSearchError: where there is none."""
    return client.expect("GET", "/_cluster/health", params=PATIENCE, ok=(200, 408), what="the question for its health")


def read_shards(client):
    """:returns: every :class:`allocation.Shard` of the cluster, hidden indices among them."""
    return allocation.shards_of(client.expect(
        "GET", "/_cat/shards", params={"format": "json", "h": "index,shard,prirep,state,node"}, what="the question for its shards"))


def explanation(client, shard, node=None):
    """:returns: the engine's word on one shard; None where it may have been placed, or be gone, since it was listed.

    :param node: the name of the node that it is to leave; None where it is on none.
    """
    body = dict({"index": shard.index, "shard": shard.number, "primary": shard.primary}, **({"current_node": node} if node else {}))
    status, answer = client.request("GET", "/_cluster/allocation/explain", body=body)
    return answer if status == 200 else None


def explain(client, shards, node=None):
    """:returns: a sentence about each of the first few of ``shards``, and one about how many more there are.

    :param node: the name of the node that they are to leave; None where they are on none.
    """
    told = []
    for shard in shards[:EXPLAINED]:
        answer = explanation(client, shard, node)
        told.append("%s: %s" % (allocation.name_of(shard), allocation.why(answer) if answer else "no longer there, or not to be explained"))
    if len(shards) > EXPLAINED:
        told.append("and %d more" % (len(shards) - EXPLAINED))
    return told


def tolerant(look):
    """:returns: a condition for wait_for out of one: nodes that do not answer, or have no manager, are something that is waited for."""
    def condition():
        try:
            return look()
        except OpenSearchUnreachable as error:
            return False, str(error)
        except IronrackError as error:
            if error.details.get("status") not in (408, 429, 502, 503, 504):
                raise
            return False, str(error)

    return condition


def path_of(base, name):
    """:returns: the path of one document of a kind. :raises IronrackError: where the name is none, or stands for several."""
    if not name or name == "_all" or any(sign in name for sign in SPECIAL):
        raise IronrackError("%r is no name of one thing: it is empty, or has one of the signs %s" % (name, " ".join(SPECIAL.replace(" ", ""))))
    return "%s/%s" % (base, quoted(name))
