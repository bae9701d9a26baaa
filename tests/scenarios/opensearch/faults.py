# Copyright (c) 2026, ironrack.cluster contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Hosts lose their power, or are cut off, under a writer: what colour the cluster has then is said beforehand, and nothing that was acknowledged is lost.

With one copy beside the first, in three zones: without a host that holds data, which is all data of its zone, the cluster is yellow and never red, since
forced awareness crowds no copies into the other zones; without a manager that holds none it stays green. Writes go on, and it is green once the host is back.
"""
from __future__ import annotations

import time
from pathlib import Path

from lab import inventory as topology

from ..common import NotProved, hosts_of, say
from ..operate import lab
from ..releases.service import until
from . import api
from .restart import SETTINGS
from .writer import Writer

INDEX = "lab-faults"
#: Seconds: that a host is without power; that the others may take to notice, and the cluster to be whole again.
AWAY, NOTICED, WHOLE = 40, 120, 300
#: How the lab ends a fault, and what it is called.
END = {"kill": "start", "cut": "heal"}
GONE = {"kill": "without power", "cut": "cut off"}


def elected(address):
    """:returns: the name of the elected manager."""
    return api.well(address, "GET", "/_cat/cluster_manager?format=json")[0]["node"]


def colour(address):
    """:returns: (the cluster's colour, its number of nodes); None while it has no manager to say so."""
    answer = api.ask(address, "GET", "/_cluster/health", timeout=10)
    return (answer.body["status"], answer.body["number_of_nodes"]) if answer.status == 200 else None


def holding_data(inventory):
    """:returns: names of the hosts that hold data."""
    return [name for name, entry in hosts_of(inventory).items() if "opensearch_data" in entry["groups"]]


def in_zone_of(inventory, nodes, host):
    """:returns: names of the nodes that are in the zone of one."""
    hosts = topology.load(Path(inventory)).hosts
    return [name for name in nodes if hosts[name].zone == hosts[host].zone]


def without(inventory, nodes, victims, what, fault="kill"):
    """Hosts go, together, and come back.

    :param fault: ``kill``: they lose their power; ``cut``: they run on, and no packet comes from or to them, which nothing tells to those they talked with.
    :returns: a sentence.
    """
    data = holding_data(inventory)
    expected = "yellow" if set(victims) & set(data) else "green"
    others = [address for name, address in nodes.items() if name not in victims]
    with Writer([nodes[name] for name in data], INDEX) as writer:
        time.sleep(5)
        killed = time.time()
        try:
            for victim in victims:
                lab(inventory, fault, victim)
            until("%d nodes" % len(others), NOTICED, lambda: colour(others[0]) == (expected, len(others)))
            noticed, manager = time.time() - killed, elected(others[0])
            before = writer.count()
            time.sleep(AWAY)
            meanwhile = writer.count() - before
        finally:
            for victim in victims:
                lab(inventory, END[fault], victim)
        started = time.time()
        until("all nodes, green", WHOLE, lambda: colour(others[0]) == ("green", len(nodes)))
        whole = time.time() - started
        time.sleep(2)
    lost = writer.lost(others[0])
    seen = [one for at, one in writer.colours if at >= killed]
    problems = [
        "%d acknowledged documents are lost, as %s" % (len(lost), lost[:3]) if lost else "",
        "no write was acknowledged while it was away" if not meanwhile else "",
        "it was red" if "red" in seen else "",
        "%s is still the manager" % manager if manager in victims else ""]
    if any(problems):
        raise NotProved("%s, %s: %s" % (what, GONE[fault], "; ".join(filter(None, problems))))
    return "%s, %s, %s: %s, as expected, after %.1f s, never red, %d writes acknowledged in the %d s after that, longest time between two %.1f s, all there " \
        "and green %.0f s after its return; %d acknowledged in all, none lost" % (
            what, " and ".join(victims), GONE[fault], expected, noticed, meanwhile, AWAY, writer.gap, whole, writer.count())


def opensearch_faults(inventory):
    """The elected manager, another host with data and all hosts of a zone lose their power, and a zone is cut off without a word."""
    nodes = api.nodes(inventory)
    first = next(iter(nodes.values()))
    api.ask(first, "DELETE", "/" + INDEX)
    api.well(first, "PUT", "/" + INDEX, SETTINGS)
    manager = elected(first)
    lines = [without(inventory, nodes, [manager], "the elected manager")]
    now = elected(first)
    held = next(name for name in holding_data(inventory) if name not in (manager, now))
    zone = in_zone_of(inventory, nodes, held)
    if zone != [held]:
        lines.append(without(inventory, nodes, [held], "a host with data"))
    lines += [without(inventory, nodes, zone, "a whole zone", fault) for fault in ("kill", "cut")]
    say("opensearch-faults: %s" % "; ".join(lines))
