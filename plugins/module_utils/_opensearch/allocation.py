# Copyright (c) 2026, ironrack.cluster contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Why a shard is where it is, from ``_cluster/allocation/explain`` to words. Pure.

This is a private module_utils package: it may change in any release.
"""
from __future__ import annotations

from collections import namedtuple

#: One line of ``_cat/shards``. ``node`` is empty where it is on none; of one that moves, it is the node that it leaves.
Shard = namedtuple("Shard", ("index", "number", "primary", "state", "node"))

#: States of a copy that serves; one that moves serves until it is where it goes.
ACTIVE = ("STARTED", "RELOCATING")
#: What an allocation decider of the engine means by its no.
DECIDERS = {
    "awareness": "its zone has as many copies as awareness allows",
    "cluster_rebalance": "the cluster does not rebalance now",
    "concurrent_rebalance": "as many shards move as may move at once",
    "disk_threshold": "too little disk space is left (absolute watermarks count what is free, percentages the whole disk)",
    "enable": "cluster.routing.allocation.enable holds it back",
    "filter": "an allocation filter or an exclusion keeps it away",
    "max_retry": "it failed too often there: mend the cause, then POST _cluster/reroute?retry_failed",
    "node_load_aware": "it would hold more shards than its share",
    "node_version": "it runs an older version than the node that holds the primary: this ends when it is upgraded too",
    "replica_after_primary_active": "its primary is not active",
    "restore_in_progress": "its restore failed or is running",
    "same_shard": "it holds a copy already",
    "shards_limit": "it holds as many shards as its limit allows",
    "snapshot_in_progress": "a snapshot of it is running",
    "throttling": "other recoveries there come first",
}
#: What the engine says of a shard as a whole, where no node can be blamed.
VERDICTS = {
    "allocation_delayed": "its node left, and is given time to come back",
    "awaiting_info": "what the nodes have on disk is still being asked",
    "no_attempt": "nobody has tried to place it yet",
    "no_valid_shard_copy": "no node has a usable copy of it: bring back a node that had one, or restore it from a snapshot",
    "throttled": "other recoveries come first",
    "yes": "it can be placed and is about to be",
}


def shards_of(rows):
    """:returns: each :class:`Shard` of an answer of ``_cat/shards`` as JSON."""
    # A shard that moves has "from -> address id to" as its node.
    return [Shard(row["index"], int(row["shard"]), row["prirep"] == "p", row["state"], (row.get("node") or "").split(" -> ")[0]) for row in rows]


def unassigned(shards):
    """:returns: those on no node, primaries first: they are the ones without which there is no data."""
    return sorted((one for one in shards if one.state == "UNASSIGNED"), key=lambda one: (not one.primary, one.index, one.number))


def left_on(shards, nodes):
    """:returns: name -> those that each of ``nodes`` still holds, all nodes among them."""
    return {name: [one for one in shards if one.node == name] for name in nodes}


def only_on(shards, node):
    """:returns: those whose one copy that can serve is on a node: without it nobody has their documents."""
    active = {}
    for one in shards:
        if one.state in ACTIVE:
            active.setdefault((one.index, one.number), []).append(one)
    return sorted(copies[0] for copies in active.values() if {one.node for one in copies} == {node})


def waits_for_version(explanation):
    """:param explanation: an answer of ``_cluster/allocation/explain`` about a shard on no node.

    :returns: whether some node would take it if only its version were not older than that of the primary's node.
    """
    if explanation.get("can_allocate") != "no":
        return False
    said = [{one.get("decider") for one in node.get("deciders") or [] if one.get("decision") == "NO"}
            for node in explanation.get("node_allocation_decisions") or []]
    return {"node_version"} in said


def name_of(shard):
    """:returns: a shard in words."""
    return "%s %d of %s" % ("primary" if shard.primary else "replica", shard.number, shard.index)


def why(explanation):
    """Why a shard is not placed, or does not move, in words.

    :param explanation: an answer of ``_cluster/allocation/explain``.
    :returns: a sentence without its subject.
    """
    since = (explanation.get("unassigned_info") or {}).get("reason")
    verdict = explanation.get("can_allocate") or explanation.get("can_move_to_other_node") or ""
    told = ["unassigned since %s" % since] if since else []
    nodes = _by_reason(explanation.get("node_allocation_decisions") or [])
    if verdict in VERDICTS:
        told.append(VERDICTS[verdict] + _delay(explanation))
    elif not nodes:
        told.append(explanation.get("allocate_explanation") or explanation.get("move_explanation") or "the engine gives no reason")
    if verdict != "yes":
        told += ["%s: %s" % (", ".join(names), reason) for reason, names in nodes.items()]
    return "; ".join(told)


def _delay(explanation):
    left = explanation.get("remaining_delay_in_millis")
    return " (%d s more)" % (left // 1000) if explanation.get("can_allocate") == "allocation_delayed" and isinstance(left, int) else ""


def _by_reason(decisions):
    found = {}
    for node in sorted(decisions, key=lambda one: one.get("node_name", "")):
        reasons = [DECIDERS.get(one.get("decider"), one.get("explanation") or str(one.get("decider")))
                   for one in node.get("deciders") or [] if one.get("decision") in ("NO", "THROTTLE")]
        if reasons:
            found.setdefault(" and ".join(dict.fromkeys(reasons)), []).append(node.get("node_name", "?"))
    return found
