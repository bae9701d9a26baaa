# Copyright (c) 2026, ironrack.cluster contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A changed setting is rolled out: one node after the other restarts, under a writer, and nothing that was acknowledged is lost."""
from __future__ import annotations

import json
import secrets
import socket
import tempfile
import time

from ..common import NotProved, attempt, on, playbook, say, send
from ..files import UNWATCHED, everything, nothing_changed
from ..releases.runs import Run
from ..releases.service import until
from . import api
from .writer import Writer

#: What programs write by themselves while they serve.
DATA = ("/var/lib/opensearch", "/var/lib/object-store", "/var/lib/prometheus")
INDEX, LATER = "lab-writes", "lab-writes-later"
#: Seconds until the first node is down.
KILL_WITHIN = 400
#: Far more than an upgrade of a lab has tasks.
MOST_KILLS = 200
#: Seconds until a node is back once nothing keeps it from starting.
BACK = 300
DROP_IN = "/etc/systemd/system/opensearch.service.d/does-not-start.conf"
SETTINGS = {"settings": {"number_of_shards": 2, "number_of_replicas": 1}}


def invocations(nodes):
    """:returns: {node: systemd's id of the process that runs}."""
    return {name: on(name, "systemctl", "show", "--property", "InvocationID", "--value", "opensearch").strip() for name in nodes}


def allocation(address):
    """:returns: the settings of allocation that the API has set."""
    found = api.well(address, "GET", "/_cluster/settings?flat_settings=true")
    return {name: value for kind in found.values() for name, value in kind.items() if ".allocation." in name}


def fresh_indices(address):
    """Have the first index empty and the later one not there."""
    for index in (INDEX, LATER):
        api.ask(address, "DELETE", "/" + index)
    api.well(address, "PUT", "/" + INDEX, SETTINGS)


def problems_of(nodes, writer, before, held):
    """:returns: what does not hold after all nodes have restarted."""
    first = next(iter(nodes.values()))
    after, health = invocations(nodes), api.well(first, "GET", "/_cluster/health")
    same = [name for name in nodes if before[name] == after[name]]
    lost = writer.lost(first)
    return list(filter(None, [
        "%s did not restart" % ", ".join(same) if same else "",
        "the cluster was red" if "red" in [colour for _at, colour in writer.colours] else "",
        "the colour was never seen" if not writer.colours else "",
        "%d acknowledged documents are lost, as %s" % (len(lost), lost[:3]) if lost else "",
        "the cluster is %s" % health["status"] if health["status"] != "green" else "",
        "allocation is %s, before %s" % (allocation(first), held) if allocation(first) != held else ""]))


def foreseen(inventory, name, words):
    """A check run of a playbook changes no file and restarts nobody, and predicts something. :returns: what it predicts, as sorted pairs."""
    nodes = api.nodes(inventory)
    before, running = everything(inventory, UNWATCHED + DATA), invocations(nodes)
    _seconds, counts = playbook(inventory, name, "--check", *words, record=name.replace("_", "-") + "-check")
    nothing_changed("the check run of %s" % name, before, everything(inventory, UNWATCHED + DATA))
    if invocations(nodes) != running or not counts["changed"]:
        raise NotProved("the check run of %s restarted a node, or predicts nothing: %s" % (name, counts["changed"]))
    return counts["changed"]


def of_writes(writer):
    """:returns: a sentence on what became of the writes."""
    return "%d writes acknowledged, both copies have all of them; %d had no good answer (%s); longest time between two acknowledged ones %.1f s; colours %s" % (
        writer.count(), len(writer.failed), writer.failed[0][2][:80] if writer.failed else "none", writer.gap,
        ", ".join(colour for _at, colour in writer.colours))


def opensearch_restart(inventory):
    """All nodes run with a new setting, the cluster is never red, and both copies have each acknowledged document."""
    nodes = api.nodes(inventory)
    first = next(iter(nodes.values()))
    fresh_indices(first)
    before, held = invocations(nodes), allocation(first)
    words = ["-e", json.dumps({"opensearch_environment": {"LAB_RESTART": secrets.token_hex(4)}})]
    with Writer(nodes.values(), INDEX) as writer:
        time.sleep(5)
        api.well(first, "PUT", "/" + LATER, SETTINGS)
        writer.turn_to(LATER)
        seconds, _counts = playbook(inventory, "site", *words, record="opensearch-restart")
        time.sleep(2)
    found = problems_of(nodes, writer, before, held)
    if found:
        raise NotProved("a rolling restart: %s" % "; ".join(found))
    say("opensearch-restart: %d nodes in %.0f s, %.0f s each; %s" % (len(nodes), seconds, seconds / len(nodes), of_writes(writer)))


def is_down(address):
    """:returns: whether nothing listens at a node's API."""
    try:
        socket.create_connection((address, api.PORT), 1).close()
    except OSError:
        return True
    return False


def killed_run(inventory, name, words, number, waiting):
    """Run a playbook until one of the nodes that are waited for is down, and kill it then.

    :returns: the node's name; None where the run ended before.
    """
    with Run(inventory, name, "%s-killed-%d" % (name.replace("_", "-"), number), words) as run:
        begun = time.monotonic()
        while run.alive():
            down = next((name for name, address in waiting.items() if is_down(address)), None)
            if down:
                run.kill()
                return down
            if time.monotonic() - begun > KILL_WITHIN:
                raise NotProved("no node was restarted within %d s: %s" % (KILL_WITHIN, run.tail()))
            time.sleep(0.1)
    return None


def opensearch_restart_killed(inventory):
    """Whoever restarts the nodes is killed while each of them is down, and run again: each restarts, and nothing is lost."""
    nodes = api.nodes(inventory)
    first = next(iter(nodes.values()))
    fresh_indices(first)
    before, held, waiting, hit = invocations(nodes), allocation(first), dict(nodes), []
    begun = time.monotonic()
    words = ["-e", "opensearch_restart_since=%d" % time.time()]
    with Writer(nodes.values(), INDEX) as writer:
        time.sleep(2)
        while waiting:
            down = killed_run(inventory, "opensearch_restart", words, len(hit) + 1, waiting)
            if down is None:
                break
            hit.append(down)
            del waiting[down]
        playbook(inventory, "opensearch_restart", *words, record="opensearch-restart-killed-end")
        time.sleep(2)
    found = problems_of(nodes, writer, before, held) + (["%s never went down" % ", ".join(waiting)] if waiting else [])
    if found:
        raise NotProved("a rolling restart that is killed: %s" % "; ".join(found))
    say("opensearch-restart-killed: killed while %s was down, and run again each time: all restarted after %.0f s; %s" % (
        ", then while ".join(hit), time.monotonic() - begun, of_writes(writer)))


def stopped_at(inventory, victim, nodes, name, words):
    """A run of a playbook stops at a node that does not come back, says what to do, and leaves the others as they were. :returns: its seconds."""
    others = {name: address for name, address in nodes.items() if name != victim}
    before, held = invocations(others), allocation(next(iter(others.values())))
    with tempfile.NamedTemporaryFile("w", suffix=".conf") as file:
        file.write("[Service]\nExecStartPre=/bin/false\n")
        file.flush()
        send(victim, file.name, "drop-in.conf")
    on(victim, "sudo", "install", "-D", "--owner=root", "--mode=0644", "drop-in.conf", DROP_IN)
    try:
        status, seconds, _counts, _followed, log = attempt(inventory, name, *words, record=name.replace("_", "-") + "-away")
    finally:
        on(victim, "sudo", "rm", DROP_IN)
        on(victim, "sudo", "systemctl", "daemon-reload")
    text, now = " ".join(log.read_text().split()), allocation(next(iter(others.values())))
    problems = [] if status else ["it ended well"]
    problems += ["it does not say %r: %s" % (words, text[-1500:]) for words in (
        "OpenSearch on %s did not start" % victim, "make the same run again") if words not in text]
    problems += [] if invocations(others) == before else ["others restarted"]
    problems += [] if now == held else ["allocation is %s, before %s" % (now, held)]
    if problems:
        raise NotProved("%s with a node that does not come back: %s" % (name, "; ".join(problems)))
    return seconds


def said(address):
    """:returns: what whoever takes out nodes has said in the cluster; None where nobody has."""
    return api.well(address, "GET", "/_cluster/settings?flat_settings=true")["persistent"].get("cluster.metadata.ironrack_operation")


def another_is_refused(inventory, nodes, words):
    """Somebody else's run, behind one that has stopped and not ended. :raises NotProved: where it goes on."""
    before = invocations(nodes)
    status, _seconds, _counts, _followed, log = attempt(
        inventory, "opensearch_restart", *words, "-e", "opensearch_operation_who=somebody-else", record="opensearch-restart-another")
    text = " ".join(log.read_text().split())
    if not status or "is under way, and may be until" not in text or invocations(nodes) != before:
        raise NotProved("somebody else restarts nodes meanwhile: %s" % text[-1500:])


def opensearch_restart_hindered(inventory):
    """A node does not come back: the run stops there, and the same command goes on behind it."""
    nodes = api.nodes(inventory)
    first = next(iter(nodes.values()))
    fresh_indices(first)
    before, held = invocations(nodes), allocation(first)
    manager = api.well(first, "GET", "/_cat/cluster_manager?format=json")[0]["node"]
    victim = sorted(name for name in nodes if name != manager)[0]
    words = ["-e", "opensearch_restart_since=%d" % time.time()]
    with Writer(nodes.values(), INDEX) as writer:
        time.sleep(2)
        begun = time.monotonic()
        away = stopped_at(inventory, victim, nodes, "opensearch_restart", words)
        until("%s back" % victim, BACK, lambda: api.ask(
            next(address for name, address in nodes.items() if name != victim), "GET", "/_cluster/health").body["number_of_nodes"] == len(nodes))
        another_is_refused(inventory, nodes, words)
        playbook(inventory, "opensearch_restart", *words, record="opensearch-restart-hindered")
        seconds = time.monotonic() - begun
        time.sleep(2)
    found = problems_of(nodes, writer, before, held) + (["it still says that it is under way"] if said(first) else [])
    if found:
        raise NotProved("a rolling restart that is hindered: %s" % "; ".join(found))
    say("opensearch-restart-hindered: %s did not start: stopped there after %.0f s, the others and allocation as they were; somebody else was refused; the "
        "same command brought it to its end, %.0f s in all; %s" % (victim, away, seconds, of_writes(writer)))


def killed_next(inventory, name, words, hit, done):
    """Run a playbook, and kill it at the first task that no run was killed at with as many nodes that are done.

    :param hit: (task, which one of its name, nodes that are done) of the kills so far; the new one is added.
    :returns: whether there was one. :raises NotProved: where the run fails by itself, or there are more tasks than there can be.
    """
    with Run(inventory, name, "%s-everywhere-%02d" % (name.replace("_", "-"), len(hit) + 1), words) as run:
        while run.alive():
            ahead = next(((step.name, step.number, done) for step in run.steps() if (step.name, step.number, done) not in hit), None)
            if ahead and run.alive():
                run.kill()
                hit.append(ahead)
                if len(hit) == MOST_KILLS:
                    raise NotProved("after %d kills there is still a task that none was at: %s" % (len(hit), ahead))
                return True
            time.sleep(0.02)
        if run.wait().status:
            raise NotProved("run %d failed: %s" % (len(hit) + 1, run.tail()))
    return False


def of_kills(hit, nodes):
    """:returns: at how many tasks a run was killed, by the number of nodes that were done."""
    counts = [sum(done == number for _name, _number, done in hit) for number in range(len(nodes) + 1)]
    return ", ".join("%d with %d" % (count, number) for number, count in enumerate(counts))


def opensearch_restart_everywhere(inventory):
    """Whoever restarts the nodes is killed at each task, of the first run and of those that go on after a node is done; the same command ends it."""
    nodes = api.nodes(inventory)
    first = next(iter(nodes.values()))
    fresh_indices(first)
    before, held, hit = invocations(nodes), allocation(first), []
    words = ["-e", "opensearch_restart_since=%d" % time.time()]

    def done():
        now = invocations(nodes)
        return sum(now[name] != before[name] for name in nodes)

    with Writer(nodes.values(), INDEX) as writer:
        time.sleep(2)
        begun = time.monotonic()
        while killed_next(inventory, "opensearch_restart", words, hit, done()):
            pass
        seconds = time.monotonic() - begun
        time.sleep(2)
    found = problems_of(nodes, writer, before, held) + (["it still says that it is under way"] if said(first) else [])
    if found:
        raise NotProved("a rolling restart that is killed at each task: %s" % "; ".join(found))
    say("opensearch-restart-everywhere: killed at %d tasks (%s nodes restarted), and run again each time: all restarted after %.0f s; %s" % (
        len(hit), of_kills(hit, nodes), seconds, of_writes(writer)))
