# Copyright (c) 2026, ironrack.cluster contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A cluster of the version before is upgraded under a writer: at once, or by runs that are killed and stop at a node that does not come back."""
from __future__ import annotations

import tempfile
import time

from ..common import NotProved, attempt, on, playbook, say, send
from ..releases.runs import Run
from ..releases.service import until
from . import api
from .restart import INDEX, LATER, SETTINGS, allocation, foreseen, fresh_indices, invocations, killed_run, of_writes, problems_of
from .writer import Writer

OLD, NEW = "2.19.4", "3.4.0"
ALONE = "lab-alone"
#: No package registry has repository-s3 for the old version, so the lab has no snapshot of it.
UNPROVED = ("-e", "opensearch_upgrade_snapshot_max_age=0")
#: Far more than an upgrade of a lab has tasks.
MOST_KILLS = 200
DROP_IN = "/etc/systemd/system/opensearch.service.d/does-not-start.conf"


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
    others = {name: address for name, address in nodes.items() if name != victim}
    before = invocations(others)
    with tempfile.NamedTemporaryFile("w", suffix=".conf") as file:
        file.write("[Service]\nExecStartPre=/bin/false\n")
        file.flush()
        send(victim, file.name, "drop-in.conf")
    on(victim, "sudo", "install", "-D", "--owner=root", "--mode=0644", "drop-in.conf", DROP_IN)
    try:
        status, seconds, _counts, _followed, log = attempt(inventory, "opensearch_upgrade", *UNPROVED, record="opensearch-upgrade-away")
    finally:
        on(victim, "sudo", "rm", DROP_IN)
        on(victim, "sudo", "systemctl", "daemon-reload")
    text = " ".join(log.read_text().split())
    problems = [] if status else ["it ended well"]
    problems += [] if "OpenSearch on %s did not start" % victim in text else ["it does not name %s: %s" % (victim, text[-1500:])]
    problems += [] if invocations(others) == before else ["others restarted"]
    found = versions(next(iter(others.values())))
    problems += [] if {found[name] for name in others} == {OLD} else ["versions are %s" % found]
    if problems:
        raise NotProved("an upgrade whose node does not come back: %s" % "; ".join(problems))
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


def _killed_next(inventory, number, hit, done):
    """Upgrade, and kill the run at the first task that no run was killed at with as many upgraded nodes.

    :param hit: (task, which one of its name, upgraded nodes) of the kills so far; the new one is added.
    :returns: whether there was one. :raises NotProved: where the run fails by itself.
    """
    with Run(inventory, "opensearch_upgrade", "opensearch-upgrade-everywhere-%02d" % number, UNPROVED) as run:
        while run.alive():
            ahead = next(((step.name, step.number, done) for step in run.steps() if (step.name, step.number, done) not in hit), None)
            if ahead and run.alive():
                run.kill()
                hit.append(ahead)
                return True
            time.sleep(0.02)
        if run.wait().status:
            raise NotProved("run %d failed: %s" % (number, run.tail()))
    return False


def opensearch_upgrade_everywhere(inventory):
    """Whoever upgrades is killed at each task, of the first run and of those that go on after a node is done; the same command brings it to its end."""
    nodes = api.nodes(inventory)
    first = next(iter(nodes.values()))
    fresh_indices(first)
    before, held, hit = invocations(nodes), allocation(first), []
    with Writer(nodes.values(), INDEX) as writer:
        time.sleep(2)
        begun = time.monotonic()
        while _killed_next(inventory, len(hit) + 1, hit, _done(nodes)):
            if len(hit) == MOST_KILLS:
                raise NotProved("after %d kills there is still a task that none was at: %s" % (len(hit), hit[-1]))
        seconds = time.monotonic() - begun
        time.sleep(2)
    found = ended(inventory, nodes, writer, before, held)
    if found:
        raise NotProved("an upgrade that is killed at each task: %s" % "; ".join(found))
    counts = [sum(done == number for _name, _number, done in hit) for number in range(len(nodes) + 1)]
    say("opensearch-upgrade-everywhere: killed at %d tasks (%s), and run again each time: all of %s after %.0f s; %s" % (
        len(hit), ", ".join("%d with %d nodes upgraded" % (count, number) for number, count in enumerate(counts)), NEW, seconds, of_writes(writer)))


def _done(nodes):
    """:returns: how many nodes run the new version, as one that answers tells it."""
    for address in nodes.values():
        try:
            return list(versions(address).values()).count(NEW)
        except (OSError, NotProved):
            continue
    return 0
