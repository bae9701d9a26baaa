# Copyright (c) 2026, ironrack.cluster contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A node leaves without losing a copy, another one of its name takes its place; and one whose host is dead is passed by."""
from __future__ import annotations

import json
import time

from ..common import NotProved, on, playbook, say
from ..operate import lab
from ..releases.service import until
from . import api
from .faults import NOTICED, WHOLE, colour, elected
from .restart import SETTINGS, allocation, foreseen
from .writer import Writer

INDEX = "lab-replaced"
DATA = "/var/lib/opensearch"


def shards_on(address, node):
    """:returns: how many shards a node holds."""
    return sum(1 for row in api.well(address, "GET", "/_cat/shards?format=json") if row["node"] == node)


def identity(address, node):
    """:returns: the id that the engine gave a node; empty where it is not in the cluster."""
    return next((key for key, one in api.well(address, "GET", "/_nodes")["nodes"].items() if one["name"] == node), "")


def words(node):
    """:returns: the words behind the playbook's name."""
    return ["-e", json.dumps({"opensearch_replace": node})]


def replaced(inventory, nodes, victim, first):
    """One node is taken out, twice, and comes again. :returns: a sentence."""
    old, held = identity(first, victim), shards_on(first, victim)
    if not held:
        raise NotProved("%s holds no shard: nothing would be shown" % victim)
    foreseen(inventory, "opensearch_node_replace", words(victim))
    seconds, _counts = playbook(inventory, "opensearch_node_replace", *words(victim), record="opensearch-replace")
    _again, counts = playbook(inventory, "opensearch_node_replace", *words(victim), record="opensearch-replace-again")
    aside = on(victim, "sudo", "find", DATA, "-maxdepth", "1", "-name", "nodes.removed-*").split()
    problems = ["a second run changed %s" % counts["changed"]] if counts["changed"] else []
    problems += ["its data is not moved aside"] if len(aside) != 1 else []
    problems += ["the cluster is %s" % (colour(first),)] if colour(first) != ("green", len(nodes) - 1) else []
    if problems:
        raise NotProved("%s taken out: %s" % (victim, "; ".join(problems)))
    joined, _counts = playbook(inventory, "site", "--limit", victim, record="opensearch-replace-join")
    until("its share of the shards", WHOLE, lambda: colour(first) == ("green", len(nodes)) and shards_on(first, victim))
    if identity(first, victim) in ("", old):
        raise NotProved("%s is the node that it was" % victim)
    return "%s, which held %d shards, after a check run that changed nothing out in %.0f s, the same once more changes nothing; back as another node in " \
        "%.0f s, with %d shards" % (victim, held, seconds, joined, shards_on(first, victim))


def opensearch_node_replace(inventory):
    """Under a writer: nothing is lost, and nothing that holds shards back is left."""
    nodes = api.nodes(inventory)
    first = next(iter(nodes.values()))
    api.ask(first, "DELETE", "/" + INDEX)
    api.well(first, "PUT", "/" + INDEX, dict(SETTINGS, settings=dict(SETTINGS["settings"], **{"index.unassigned.node_left.delayed_timeout": "5s"})))
    held = allocation(first)
    victim = elected(first)
    others = {name: address for name, address in nodes.items() if name != victim}
    with Writer(others.values(), INDEX) as writer:
        time.sleep(3)
        line = replaced(inventory, nodes, victim, next(iter(others.values())))
        time.sleep(2)
    seen = next(iter(others.values()))
    lost = writer.lost(seen)
    problems = ["%d acknowledged documents are lost, as %s" % (len(lost), lost[:3])] if lost else []
    problems += ["it was red"] if "red" in [one for _at, one in writer.colours] else []
    problems += ["allocation is %s, before %s" % (allocation(seen), held)] if allocation(seen) != held else []
    if problems:
        raise NotProved("a node replaced: %s" % "; ".join(problems))
    say("opensearch-node-replace: the elected manager, %s; %d writes acknowledged, none lost, never red; a dead host, %s" % (
        line, writer.count(), dead(inventory, nodes, seen)))


def dead(inventory, nodes, first):
    """A host without power is passed by once its copies are made anew. :returns: a sentence."""
    now = elected(first)
    victim = next(name for name, address in reversed(nodes.items()) if name != now and address != first)
    for row in api.well(first, "GET", "/_cat/indices?format=json&expand_wildcards=all&h=index"):
        api.well(first, "PUT", "/%s/_settings" % row["index"], {"index.unassigned.node_left.delayed_timeout": "5s"})
    lab(inventory, "kill", victim)
    try:
        until("copies made anew", NOTICED + WHOLE, lambda: colour(first) == ("green", len(nodes) - 1))
        seconds, _counts = playbook(inventory, "opensearch_node_replace", *words(victim), record="opensearch-replace-dead")
    finally:
        lab(inventory, "start", victim)
    until("all nodes, green", WHOLE, lambda: colour(first) == ("green", len(nodes)))
    return "%s: passed by in %.0f s" % (victim, seconds)
