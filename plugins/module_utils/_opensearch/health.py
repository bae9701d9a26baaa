# Copyright (c) 2026, ironrack.cluster contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Whether a cluster is where it has to be. Pure.

This is a private module_utils package: it may change in any release.
"""
from __future__ import annotations

#: From bad to good.
STATUSES = ("red", "yellow", "green")


def at_least(status, wanted):
    """:returns: whether a status is the wanted one or better; what is no status is worse than all."""
    return status in STATUSES and STATUSES.index(status) >= STATUSES.index(wanted)


def has_manager(health):
    """:returns: whether an answer of ``_cluster/health`` says that there is an elected manager."""
    return health.get("discovered_cluster_manager", health.get("discovered_master")) is True


def lacking(health, nodes=1, status="green"):
    """What a cluster lacks to be settled.

    :param health: an answer of ``_cluster/health``.
    :param nodes: how many nodes have to be there, at least.
    :param status: ``green`` or ``yellow``, at least.
    :returns: a sentence for each condition that does not hold, none where it is settled. What the answer does not tell does not hold.
    """
    told = []
    if not has_manager(health):
        told.append("there is no elected cluster manager")
    if not _number(health, "number_of_nodes") or health["number_of_nodes"] < nodes:
        told.append("nodes: %s of at least %d" % (health.get("number_of_nodes", "unknown"), nodes))
    if not at_least(health.get("status"), status):
        told.append("status: %s, not %s%s" % (health.get("status", "unknown"), status, _unassigned(health)))
    for name, words in (("relocating_shards", "relocating"), ("initializing_shards", "initializing")):
        if not _number(health, name) or health[name]:
            told.append("shards that are %s: %s" % (words, health.get(name, "unknown")))
    return told


def _number(health, name):
    return isinstance(health.get(name), int) and not isinstance(health[name], bool)


def _unassigned(health):
    count, delayed = health.get("unassigned_shards"), health.get("delayed_unassigned_shards")
    if not count:
        return ""
    return " (shards unassigned: %s%s)" % (count, ", of which %s wait for their node to come back" % delayed if delayed else "")


def shown(health):
    """:returns: a health in one line, for the last thing that was seen."""
    return "%s, %s nodes, %s relocating, %s initializing, %s unassigned" % tuple(
        health.get(name, "?") for name in ("status", "number_of_nodes", "relocating_shards", "initializing_shards", "unassigned_shards"))
