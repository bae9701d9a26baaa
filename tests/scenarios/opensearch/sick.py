# Copyright (c) 2026, ironrack.cluster contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What validate and info say of OpenSearch: well, without a node, with something held back, and without the backups that a schedule promises."""
from __future__ import annotations

import json

from ..common import OUTPUT, NotProved, attempt, on, playbook, say
from ..releases.service import until
from . import api
from .faults import WHOLE, colour, elected
from .restart import SETTINGS
from .schedule import SCHEDULE

#: Conditions that a node which is off makes red: it does not answer, the cluster is without it, and its copies are nowhere.
WITHOUT_A_NODE = {"opensearch_nodes_answer", "opensearch_nodes_present", "opensearch_green"}
INDEX = "lab-sick"
#: Seconds that a look at a cluster without a manager may take: nobody waits for each question of each node.
LOOK = 60
HELD = {"cluster.routing.allocation.enable": "primaries"}


def red(inventory, *words):
    """:returns: (names of the conditions that failed, seconds). :raises NotProved: where validate does not fail, or names none."""
    status, seconds, _counts, _followed, log = attempt(inventory, "validate", *words, record="opensearch-sick")
    report = json.loads(next(OUTPUT.glob("*-health.json")).read_text())
    failed = {one["name"] for one in report["conditions"] if one["verdict"] == "fail"}
    if not status or not failed:
        raise NotProved("validate ended with status %d, failed: %s; see %s" % (status, sorted(failed), log))
    return failed, seconds


def expect(what, found, wanted):
    """Say what was red. :raises NotProved: where that is not what was broken."""
    if found != wanted:
        raise NotProved("%s: red are %s, not %s" % (what, sorted(found), sorted(wanted)))
    say("  %s: red are %s" % (what, ", ".join(sorted(found))))


def told(inventory):
    """:returns: what info says, as data. It never fails on a sick cluster."""
    _status, _seconds, _counts, _followed, log = attempt(inventory, "info", "-e", "info_format=json", record="opensearch-info")
    text = log.read_text()
    return json.JSONDecoder().raw_decode(text[text.index("{\n"):])[0]


def opensearch_sick(inventory):
    """Each is named, and nothing else; and all is green again behind it."""
    nodes = api.nodes(inventory)
    first = next(iter(nodes.values()))
    api.ask(first, "DELETE", "/" + INDEX)
    api.well(first, "PUT", "/" + INDEX, SETTINGS)
    until("a green cluster with an index", WHOLE, lambda: colour(first) == ("green", len(nodes)))
    playbook(inventory, "validate")
    victim = next(name for name, address in nodes.items() if name != elected(first) and address != first)
    on(victim, "sudo", "systemctl", "stop", "opensearch")
    try:
        until("a cluster without it", WHOLE, lambda: (colour(first) or ("", 0))[1] == len(nodes) - 1)
        found, seconds = red(inventory)
        expect("%s is off" % victim, found & WITHOUT_A_NODE, WITHOUT_A_NODE)
        seen = {host["name"]: host for zone in told(inventory)["zones"] for host in zone["hosts"]}
        if seen[victim]["ready"] is not False or not all(seen[name]["ready"] for name in nodes if name != victim):
            raise NotProved("info says of readiness: %s" % {name: seen[name]["ready"] for name in nodes})
        if "elected" not in seen[elected(first)]["marks"]:
            raise NotProved("info does not say who is elected: %s" % seen[elected(first)])
    finally:
        on(victim, "sudo", "systemctl", "start", "opensearch")
    until("a whole cluster", WHOLE, lambda: colour(first) == ("green", len(nodes)))
    without_a_manager(inventory, nodes, first)
    api.well(first, "PUT", "/_cluster/settings", {"transient": HELD})
    try:
        expect("%s by the API" % HELD, red(inventory)[0], {"opensearch_allocation_free"})
    finally:
        api.well(first, "PUT", "/_cluster/settings", {"transient": dict.fromkeys(HELD)})
    expect("a schedule without a snapshot", red(inventory, "-e", json.dumps(SCHEDULE))[0], {"opensearch_backups_recent", "opensearch_backups_proved"})
    api.well(first, "DELETE", "/" + INDEX)
    well, _counts = playbook(inventory, "validate")
    say("opensearch-sick: each of 4 faults named by validate, and by info where it is a node; %.0f s without a node, %.0f s well" % (seconds, well))


def without_a_manager(inventory, nodes, first):
    """Most of the nodes are off: it is told soon, and the one that is left is not called down."""
    off = [name for name, address in nodes.items() if address != first]
    for name in off:
        on(name, "sudo", "systemctl", "stop", "opensearch")
    try:
        until("a cluster without a manager", WHOLE, lambda: api.ask(
            first, "GET", "/_cat/cluster_manager?cluster_manager_timeout=1s", timeout=20).status == 503)
        found, seconds = red(inventory)
        expect("%s are off" % " and ".join(off), found & {"opensearch_nodes_answer", "opensearch_manager_elected"},
               {"opensearch_nodes_answer", "opensearch_manager_elected"})
        if seconds > LOOK:
            raise NotProved("validate took %.0f s without a manager" % seconds)
        say("  told after %.0f s" % seconds)
    finally:
        for name in off:
            on(name, "sudo", "systemctl", "start", "opensearch")
    until("a whole cluster", WHOLE, lambda: colour(first) == ("green", len(nodes)))
