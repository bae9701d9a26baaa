# Copyright (c) 2026, ironrack.cluster contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A cluster of the version before is upgraded under a writer: at once, or by runs that are killed and stop at a node that does not come back."""
from __future__ import annotations

import time

from ..common import NotProved, attempt, playbook, say
from ..releases.runs import Run
from ..releases.service import until
from . import api
from .restart import (
    INDEX, LATER, SETTINGS, allocation, foreseen, fresh_indices, invocations, killed_next, killed_run, of_kills, of_writes, problems_of, stopped_at)
from .writer import Writer

OLD, NEW = "2.19.4", "3.4.0"
ALONE = "lab-alone"
#: No package registry has repository-s3 for the old version, so the lab has no snapshot of it.
UNPROVED = ("-e", "opensearch_upgrade_snapshot_max_age=0")


def versions(address):
    """:returns: {node: version}."""
    return {row["name"]: row["version"] for row in api.well(address, "GET", "/_cat/nodes?format=json&h=name,version")}


def opensearch_old(inventory):
    """Fresh hosts run the version before, and a second run changes nothing."""
    words = ["-e", "cluster_opensearch_version=" + OLD]
    seconds, _counts = playbook(inventory, "site", *words, record="opensearch-old")
    again, counts = playbook(inventory, "site", *words, record="opensearch-old-again")
    found = versions(next(iter(api.nodes(inventory).values())))
    if set(found.values()) != {OLD} or counts["changed"]:
        raise NotProved("nodes of %s; the second run changed %s" % (found, counts["changed"]))
    say("opensearch-old: %d nodes of %s in %.0f s, again in %.0f s without a change" % (len(found), OLD, seconds, again))


def refused(inventory, words, *reasons):
    """Have a run refused before anything is changed. :returns: its seconds."""
    nodes = api.nodes(inventory)
    before = invocations(nodes)
    status, seconds, counts, _followed, log = attempt(inventory, "opensearch_upgrade", *words, record="opensearch-upgrade-refused")
    text = " ".join(log.read_text().split())
    problems = [] if status else ["it ended well"]
    problems += ["it does not say %r: %s" % (reason, text[-1500:]) for reason in reasons if reason not in text]
    problems += ["it changed %s" % counts["changed"]] if counts["changed"] else []
    problems += ["nodes restarted"] if invocations(nodes) != before else []
    if problems:
        raise NotProved("an upgrade that has to be refused: %s" % "; ".join(problems))
    return seconds


def refusals(inventory, first):
    """What an upgrade does not begin with, all at once, and a way back that there is none of."""
    api.ask(first, "DELETE", "/" + ALONE)
    api.well(first, "PUT", "/" + ALONE, {"settings": {"number_of_shards": 1, "number_of_replicas": 0}})
    try:
        refused(inventory, [], "index %s: it has no replica" % ALONE, "none is proved by a restore")
    finally:
        api.well(first, "DELETE", "/" + ALONE)


def ended(inventory, nodes, writer, before, held):
    """:returns: what does not hold after the upgrade."""
    first = next(iter(nodes.values()))
    found = versions(first)
    problems = problems_of(nodes, writer, before, held)
    problems += [] if set(found.values()) == {NEW} else ["versions are %s" % found]
    # The new version of the lab has the plugin of the object store, whose keys are rolled out now.
    playbook(inventory, "site", record="opensearch-upgrade-site")
    _seconds, counts = playbook(inventory, "site", record="opensearch-upgrade-site-again")
    return problems + (["the second site.yml after it changed %s" % counts["changed"]] if counts["changed"] else [])


def opensearch_upgrade(inventory):
    """All nodes run the new version: the cluster is never red, and both copies have each document, those of an index that was made in the middle as well."""
    nodes = api.nodes(inventory)
    first = next(iter(nodes.values()))
    refusals(inventory, first)
    foretold = foreseen(inventory, "opensearch_upgrade", UNPROVED)
    fresh_indices(first)
    before, held = invocations(nodes), allocation(first)
    with Writer(nodes.values(), INDEX) as writer:
        time.sleep(5)
        with Run(inventory, "opensearch_upgrade", "opensearch-upgrade", UNPROVED) as run:
            begun = time.monotonic()
            until("a node of the new version", 400, lambda: run.alive() and NEW in _versions(nodes))
            api.well(next(iter(nodes.values())), "PUT", "/" + LATER, SETTINGS)
            writer.turn_to(LATER)
            status = run.wait().status
            seconds = time.monotonic() - begun
        if status:
            raise NotProved("the upgrade ended with %s: %s" % (status, run.tail()))
        time.sleep(2)
    found = ended(inventory, nodes, writer, before, held)
    back = refused(inventory, ["-e", "cluster_opensearch_version=" + OLD, *UNPROVED], "which is newer than " + OLD)
    if found:
        raise NotProved("an upgrade: %s" % "; ".join(found))
    say("opensearch-upgrade: refused with an index without a replica and without a proved snapshot, at once; a check run predicted %d changes and "
        "made none; %s to %s, %d nodes in %.0f s, %.0f s each; %s; the way back refused in %.0f s" % (
            len(foretold), OLD, NEW, len(nodes), seconds, seconds / len(nodes), of_writes(writer), back))


def _versions(nodes):
    for address in nodes.values():
        try:
            return set(versions(address).values())
        except (OSError, NotProved):
            continue
    return set()


def stays_away(inventory, victim, nodes):
    """An upgrade stops at a node that does not come back: the others are as they were. :returns: its seconds."""
    seconds = stopped_at(inventory, victim, nodes, "opensearch_upgrade", UNPROVED)
    found = versions(next(address for name, address in nodes.items() if name != victim))
    if {found[name] for name in nodes if name != victim} != {OLD}:
        raise NotProved("an upgrade whose node does not come back: versions are %s" % found)
    return seconds


def opensearch_upgrade_hindered(inventory):
    """The first node does not come back, and whoever upgrades is killed while each of the others is down; the same command brings it to its end."""
    nodes = api.nodes(inventory)
    first = next(iter(nodes.values()))
    foretold = foreseen(inventory, "opensearch_upgrade", UNPROVED)
    fresh_indices(first)
    before, held = invocations(nodes), allocation(first)
    elected = api.well(first, "GET", "/_cat/cluster_manager?format=json")[0]["node"]
    victim = sorted(name for name in nodes if name != elected)[0]
    with Writer(nodes.values(), INDEX) as writer:
        time.sleep(2)
        begun = time.monotonic()
        away = stays_away(inventory, victim, nodes)
        waiting, hit = {name: address for name, address in nodes.items() if name != victim}, []
        until("%s of the new version" % victim, 300, lambda: versions(next(iter(waiting.values()))).get(victim) == NEW)
        while waiting:
            down = killed_run(inventory, "opensearch_upgrade", UNPROVED, len(hit) + 1, waiting)
            if down is None:
                break
            hit.append(down)
            del waiting[down]
        playbook(inventory, "opensearch_upgrade", *UNPROVED, record="opensearch-upgrade-end")
        seconds = time.monotonic() - begun
        time.sleep(2)
    found = ended(inventory, nodes, writer, before, held) + (["%s never went down" % ", ".join(waiting)] if waiting else [])
    if found:
        raise NotProved("an upgrade that is hindered: %s" % "; ".join(found))
    say("opensearch-upgrade-hindered: a check run predicted %d changes and made none; %s did not start: stopped there after %.0f s, the others as they "
        "were; killed while %s was down, and run again each time: all of %s after %.0f s; %s" % (
            len(foretold), victim, away, ", then while ".join(hit), NEW, seconds, of_writes(writer)))


def opensearch_upgrade_everywhere(inventory):
    """Whoever upgrades is killed at each task, of the first run and of those that go on after a node is done; the same command brings it to its end."""
    nodes = api.nodes(inventory)
    first = next(iter(nodes.values()))
    fresh_indices(first)
    before, held, hit = invocations(nodes), allocation(first), []
    with Writer(nodes.values(), INDEX) as writer:
        time.sleep(2)
        begun = time.monotonic()
        while killed_next(inventory, "opensearch_upgrade", UNPROVED, hit, _done(nodes)):
            pass
        seconds = time.monotonic() - begun
        time.sleep(2)
    found = ended(inventory, nodes, writer, before, held)
    if found:
        raise NotProved("an upgrade that is killed at each task: %s" % "; ".join(found))
    say("opensearch-upgrade-everywhere: killed at %d tasks (%s nodes upgraded), and run again each time: all of %s after %.0f s; %s" % (
        len(hit), of_kills(hit, nodes), NEW, seconds, of_writes(writer)))


def _done(nodes):
    """:returns: how many nodes run the new version, as one that answers tells it."""
    for address in nodes.values():
        try:
            return list(versions(address).values()).count(NEW)
        except (OSError, NotProved):
            continue
    return 0
