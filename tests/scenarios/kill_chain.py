# Copyright (c) 2026, ironrack.cluster contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""site.yml is killed at points generated from recorded runs, run again, and the end state compared with that of an undisturbed build.

``kill-chain`` is one lab life with a chain of rising points, ``kill-fresh`` three points from fresh hosts each, ``kill-everywhere`` a chain of
every task's start and of every long task's inside, ``kill-join`` one of the joins of further control planes. Each begins with new hosts, and
leaves a built cluster behind. A kind of long task that no kill of a chain was inside of is killed once more, on new hosts. What they compare
with is the build that they find: ``converge`` and ``again`` on this lab, with no disturbance since; where there is none they make one.
"""
from __future__ import annotations

import json
import os
import signal
import subprocess
import time
from pathlib import Path

from . import end_state, kill_points
from .common import OUTPUT, ROOT, NotProved, playbook, prepared, say
from .operate import lab

CHAIN_POINTS = 25
# Seconds that the chain may take by the estimate, on a machine as quick as the small lab needs.
CHAIN_BUDGET = 480
# Seconds after which a run that is to be killed counts as stuck.
KILL_WITHIN = 900
# Seconds between two looks at the record of a run.
LOOK = 0.02
KNOWN = "undisturbed.json"
# What includes the joins of the control planes in site.yml.
CONTROL_PLANES_JOIN = "by Join the control planes"


def undisturbed(inventory):
    """What is compared with, kept over the lives of the lab.

    :returns: the records of a run on fresh hosts and of one without work, and the end state, as text and dictionaries.
    """
    kept = OUTPUT / KNOWN
    if kept.exists():
        return json.loads(kept.read_text())
    records = [OUTPUT / name for name in ("converge.jsonl", "again.jsonl")]
    if not all(path.exists() for path in records):
        new_hosts(inventory, None)
        playbook(inventory, "site", record="converge")
        _seconds, counts = playbook(inventory, "site", record="again")
        if counts["changed"]:
            raise NotProved("the second run changed: %s" % counts["changed"])
    known = {"fresh": records[0].read_text(), "again": records[1].read_text(), "state": end_state.read(inventory)}
    _keep(known)
    return known


def _keep(known):
    OUTPUT.mkdir(parents=True, exist_ok=True)
    (OUTPUT / KNOWN).write_text(json.dumps(known, indent=1, sort_keys=True))


def new_hosts(inventory, known):
    """All hosts are made anew: a reset leaves packages and binaries, with which nothing is left to be killed in.

    :param known: what :func:`undisturbed` gave, which lies where the lab's state does; or None.
    """
    lab(inventory, "down")
    lab(inventory, "up")
    if known:
        _keep(known)


def parents():
    """:returns: process -> its parent, of the whole machine."""
    found = {}
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                found[int(entry.name)] = int((entry / "stat").read_text().rpartition(")")[2].split()[1])
            except OSError:
                continue
    return found


def kill(leader):
    """SIGKILL a process and all that it started here. Ansible's workers lead sessions of their own, so that its process group is not enough.

    They are stopped first, so that none starts another while they are listed. What runs on the hosts is left to itself.
    """
    stopped = set()
    while True:
        more = kill_points.family(parents(), leader) - stopped
        if not more:
            break
        for process in more:
            _signal(process, signal.SIGSTOP)
        stopped |= more
    for process in stopped:
        _signal(process, signal.SIGKILL)


def _signal(process, number):
    try:
        os.kill(process, number)
    except ProcessLookupError:
        pass  # it has ended by itself


def killed(inventory, point, after, record):
    """Run site.yml and kill it at a point.

    :param after: the tasks that come after the point's.
    :returns: whether the kill was inside of the point's task; where that was over sooner, it hit the start of the task after it.
    :raises NotProved: where the run ended before it could be killed.
    """
    # A run stops itself at a task's start: until this process has seen it there, the task's modules would be on their way to the hosts, which
    # end them by themselves, and the next kill inside of that task would find nothing to kill.
    stop = {"RECORDED_RUN_STOP": json.dumps(([] if point.delay else [(point.name, point.number)]) + after)}
    argv, environment, log, _counts, followed = prepared(inventory, "site", (), record, stop)
    with log.open("w") as output:
        run = subprocess.Popen(argv, cwd=ROOT, env=environment, stdin=subprocess.DEVNULL, stdout=output, stderr=subprocess.STDOUT,
                               start_new_session=True)
        started, later = None, False
        limit = time.monotonic() + KILL_WITHIN
        while run.poll() is None and time.monotonic() < limit:
            started, later, _ended = kill_points.reached(followed.read_text() if followed.exists() else "", point, after)
            if later or started is not None and time.monotonic() >= started + point.delay:
                break
            time.sleep(LOOK)
        alive = run.poll() is None
        if alive:
            kill(run.pid)
        status = run.wait()
    started, later, ended = kill_points.reached(followed.read_text() if followed.exists() else "", point, after)
    if started is None and not later or not alive or status != -signal.SIGKILL or ended:
        raise NotProved("the run was to be killed %.1f s into %r, and %s (status %d): %s\n%s" % (
            point.delay, point.name, "ended before" if started is not None or later else "never came there", status,
            kill_points.failures(followed.read_text() if followed.exists() else ""), log.read_text()[-3000:]))
    return not later


def follow(inventory, points, fresh, name):
    """Kill one run after the other, each where the next point is.

    :param fresh: the steps of a run on fresh hosts.
    :returns: [(point, whether the kill was inside of its task)].
    """
    hits = []
    for number, point in enumerate(points, 1):
        begun = time.monotonic()
        was_inside = killed(inventory, point, kill_points.following(point, fresh), "%s-%02d" % (name, number))
        hits.append((point, was_inside))
        say("  %s %d of %d: %s, %.1f s after the start of %r%s (%.0f s)" % (
            name, number, len(points), point.kind, point.delay, point.name, "" if was_inside else ", which was over: killed at the start of the next",
            time.monotonic() - begun))
    return hits


def finish(inventory, known, name):
    """The last run, which nobody kills, and the comparison.

    :returns: its seconds.
    :raises NotProved: where it fails, or the end state is another.
    """
    seconds, _counts = playbook(inventory, "site", record=name)
    differing = end_state.compare(known["state"], end_state.read(inventory))
    if differing:
        raise NotProved("%s: the end state differs from that of an undisturbed build in %d places:\n  %s" % (name, len(differing), "\n  ".join(differing[:60])))
    return seconds


def _records(known):
    return kill_points.steps(known["fresh"]), kill_points.steps(known["again"])


def _chain(inventory, name, choose, kinds, budget=None):
    known = undisturbed(inventory)
    fresh, again = _records(known)
    points = choose(fresh, again)
    estimate = kill_points.seconds(points, fresh, again)
    say("%s: %d kill points, estimated at %.0f s: %.0f s of killed runs, the dearest %.0f s, and %.0f s for the last run%s" % (
        name, len(points), sum(estimate), sum(estimate[:-1]), max(estimate[:-1]), estimate[-1],
        "; the recorded runs were too slow for the budget of %d s" % budget if budget and sum(estimate) > budget else ""))
    new_hosts(inventory, known)
    begun = time.monotonic()
    hits = follow(inventory, points, fresh, name)
    seconds = finish(inventory, known, name + "-end")
    say("%s: killed %d times, %d of them inside of a task, each time run again; the end state is that of an undisturbed build. "
        "%.0f s (estimated: %.0f s), the last run %.0f s" % (
            name, len(hits), sum(was_inside and point.delay > 0 for point, was_inside in hits), time.monotonic() - begun, sum(estimate), seconds))
    # What earlier kills left half done is finished sooner than the record says, and the kill comes too late. On new hosts time goes as recorded.
    for kind in kill_points.without_hit(kinds, hits):
        _on_new_hosts(inventory, known, kill_points.aims(kind, points, fresh), "%s-%s" % (name, kind.replace(" ", "-")))


def _on_new_hosts(inventory, known, aims, name):
    """Kill a run inside of a task on new hosts, and run it again.

    :param aims: points of the task, the next for where it was over before the last.
    :raises NotProved: where no kill was inside, or the end state is another.
    """
    for point in aims:
        new_hosts(inventory, known)
        if follow(inventory, [point], kill_points.steps(known["fresh"]), name)[0][1]:
            break
    else:
        raise NotProved("no kill was inside of %r" % aims[0].name)
    seconds = finish(inventory, known, name + "-end")
    say("%s: run again to the end in %.0f s; the end state is that of an undisturbed build" % (name, seconds))


def kill_chain(inventory):
    """One lab life with 25 rising kill points."""
    _chain(inventory, "kill-chain", lambda fresh, again: kill_points.chain(fresh, again, CHAIN_POINTS, CHAIN_BUDGET), kill_points.CHAIN,
           CHAIN_BUDGET)


def kill_everywhere(inventory):
    """One lab life with a kill at the start of every task and inside of every long one."""
    def choose(fresh, again):
        return kill_points.rising(kill_points.boundaries(fresh, again) + kill_points.inside(fresh, again, kill_points.EVERYWHERE), fresh)
    _chain(inventory, "kill-everywhere", choose, kill_points.EVERYWHERE)


def kill_join(inventory):
    """One lab life with kills inside of the joins of all control planes but the first."""
    def choose(fresh, again):
        points = kill_points.inside(fresh, again, {kill_points.JOIN: kill_points.EVERYWHERE[kill_points.JOIN]})
        found = [point for point in points if CONTROL_PLANES_JOIN in point.name]
        if not found:
            raise NotProved("no recorded task is a join of a control plane: has the inventory more than one?")
        return kill_points.rising(found, fresh)
    _chain(inventory, "kill-join", choose, [kill_points.JOIN])


def kill_fresh(inventory):
    """Three kill points, each from fresh hosts."""
    known = undisturbed(inventory)
    fresh, again = _records(known)
    points = kill_points.rising(kill_points.inside(fresh, again, kill_points.FRESH), fresh)
    for number, point in enumerate(points, 1):
        _on_new_hosts(inventory, known, [point, *kill_points.aims(point.kind, [point], fresh)], "kill-fresh-%d" % number)
