# Copyright (c) 2026, ironrack.cluster contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A node leaves without losing a copy, another one of its name takes its place; and one whose host is dead is passed by."""
from __future__ import annotations

import json
import socket
import tempfile
import time

from ..common import NotProved, attempt, on, playbook, say
from ..operate import lab
from ..releases.service import until
from . import api
from .faults import NOTICED, WHOLE, colour, elected
from .restart import SETTINGS, allocation, foreseen
from .writer import Writer

INDEX = "lab-replaced"
DATA = "/var/lib/opensearch"
#: Seconds: that no new login is let in, and that the playbook waits for the node to leave.
CLOSED, WAITS = 90, 15


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
    say("opensearch-node-replace: the elected manager, %s; %d writes acknowledged, none lost, never red; a dead host, %s; %s" % (
        line, writer.count(), dead(inventory, nodes, seen), unreached(inventory, nodes, seen)))


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


def lets_in(address):
    """:returns: whether a host takes connections for logins."""
    try:
        socket.create_connection((address, 22), timeout=2).close()
    except OSError:
        return False
    return True


def unreached(inventory, nodes, first):
    """A host lets nobody log in, and its node serves on: it is told, its name stays excluded, and once there is a way the same command goes on.

    :returns: a sentence.
    """
    now = elected(first)
    victim = next(name for name, address in reversed(nodes.items()) if name != now and address != first)
    on(victim, "sudo", "systemd-run", "--on-active=%d" % CLOSED, "--timer-property=AccuracySec=1s", "systemctl", "start", "ssh")
    on(victim, "sudo", "systemctl", "stop", "ssh.socket", "ssh.service")
    begun = time.monotonic()
    with tempfile.TemporaryDirectory() as folder:  # a connection that is kept open would still get in
        status, _seconds, _counts, _followed, log = attempt(
            inventory, "opensearch_node_replace", *words(victim), "-e", "opensearch_wait=%d" % WAITS, record="opensearch-replace-unreached",
            variables={"ANSIBLE_SSH_CONTROL_PATH_DIR": folder})
    took, said = time.monotonic() - begun, log.read_text()
    excluded = api.well(first, "GET", "/_cluster/settings?flat_settings=true")["persistent"].get("cluster.routing.allocation.exclude._name")
    problems = ["it ended with status %d" % status] if not status else []
    problems += ["it was over after %.0f s, when logins were let in again" % took] if took >= CLOSED else []
    problems += ["it does not say what to do; see %s" % log] if "%s is still in the cluster: stop opensearch.service" % victim not in said else []
    problems += ["excluded is %s" % excluded] if excluded != victim else []
    problems += ["the cluster is %s" % (colour(first),)] if colour(first) != ("green", len(nodes)) else []
    if problems:
        raise NotProved("%s, which lets nobody log in: %s" % (victim, "; ".join(problems)))
    until("%s to let somebody log in" % victim, CLOSED, lambda: lets_in(nodes[victim]))
    playbook(inventory, "opensearch_node_replace", *words(victim), record="opensearch-replace-reached")
    if colour(first) != ("green", len(nodes) - 1):
        raise NotProved("the same command, once there was a way to %s: %s" % (victim, colour(first)))
    playbook(inventory, "site", "--limit", victim, record="opensearch-replace-reached-join")
    until("its share of the shards", WHOLE, lambda: colour(first) == ("green", len(nodes)) and shards_on(first, victim))
    return "%s let nobody log in and served on: told after %.0f s, nothing lost, and the same command went on once there was a way" % (victim, took)
