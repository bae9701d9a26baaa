# Copyright (c) 2026, ironrack.cluster contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Where site.yml is killed: points that are generated from recorded runs, and what they will cost. No I/O.

Two records are needed: of a run on fresh hosts, which says how long the work takes, and of a run that had nothing to do, which says how fast
a later run passes what earlier ones have done. A task is known by its name, with the include that brought it, and by which one of that name it is.
"""
from __future__ import annotations

import json
from collections import namedtuple

from .common import NotProved

#: at: seconds since the run's first event. lasted: seconds to the next task's start, or to the end. changed: whether it changed a host.
Step = namedtuple("Step", "name number action at lasted changed")
#: kind: "boundary", or what is under way there. delay: seconds after the task's start; 0 at a boundary.
Point = namedtuple("Point", "name number kind delay")

BOUNDARY = "boundary"
INIT, JOIN = "kubeadm init", "kubeadm join"
ETCD, PACKAGES, SWITCH = "etcd start", "package installation", "file switch"
ACTIONS = {"ironrack.cluster.packages": PACKAGES, "ironrack.cluster.components": SWITCH, "ironrack.cluster.files": SWITCH,
           "ironrack.cluster.etcd_member": ETCD, "ironrack.cluster.kubeadm_node": JOIN}
#: Kind -> (how many of its longest tasks, at which parts of their time). Sixteen points, which leaves nine of 25 for boundaries.
CHAIN = {PACKAGES: (1, (0.2, 0.5, 0.8)), SWITCH: (2, (0.3, 0.7)), ETCD: (1, (0.2, 0.5, 0.8)), INIT: (1, (0.2, 0.5, 0.8)), JOIN: (1, (0.2, 0.5, 0.8))}
FRESH = {PACKAGES: (1, (0.5,)), ETCD: (1, (0.5,)), INIT: (1, (0.5,))}
EVERYWHERE = {kind: (99, (0.2, 0.5, 0.8)) for kind in CHAIN}
EARLY = (0.3, 0.12)
#: Seconds that a task must take longer on a fresh host than on a built one, before there is an inside of it.
WORK = 0.5
#: Seconds from the start of ansible-playbook to its first task, and from a kill to the next start.
BEGINNING = 3.0


class NoPoints(NotProved):
    """The records do not show what is to be killed: nothing would be proved."""


def events(text):
    """:returns: the events of a record; a last line that a kill cut off is left out."""
    found = []
    for line in text.splitlines():
        try:
            found.append(json.loads(line))
        except ValueError:
            continue
    return found


def steps(text):
    """:returns: [:class:`Step`] of a record in their order."""
    seen = events(text)
    places = [place for place, event in enumerate(seen) if event["event"] == "task"]
    if not places:
        raise NoPoints("the record holds no task")
    counted, found = {}, []
    for place, following in zip(places, [*places[1:], len(seen) - 1]):
        event, end = seen[place], seen[following]["at"]
        number = counted[event["name"]] = counted.get(event["name"], 0) + 1
        found.append(Step(event["name"], number, event["action"], event["at"] - seen[0]["at"], end - event["at"],
                          any(other["event"] == "changed" for other in seen[place:following])))
    return found


def failures(text):
    """:returns: [(host, task, message)] of what failed in a record and was not ignored."""
    return [(event["host"], event["task"], event["message"]) for event in events(text) if event["event"] == "failed" and not event["ignored"]]


def kind_of(step, found):
    """:returns: what a task does that takes long, or None. The first kubeadm that had work to do founded the cluster.

    :param found: the steps that were looked at before.
    """
    kind = ACTIONS.get(step.action)
    return INIT if kind == JOIN and not any(ACTIONS.get(other.action) == JOIN for other in found) else kind


def working(fresh, again):
    """:returns: [(kind, Step)] of the tasks that had work on fresh hosts and none on built ones, in their order.

    Those that changed nothing are none of them, however long they took: a machine may stand still in any task.
    """
    idle = {(step.name, step.number): step.lasted for step in again}
    found = []
    for step in fresh:
        # What no later run includes, as the founding of the cluster, takes it no time.
        if step.changed and step.action in ACTIONS and step.lasted - idle.get((step.name, step.number), 0.0) >= WORK:
            found.append((kind_of(step, [other for dummy, other in found]), step))
    return found


def inside(fresh, again, wanted):
    """:returns: the points inside of long tasks, not yet in order.

    :param wanted: kind -> (number of its longest tasks, parts of their time).
    :raises NoPoints: where a kind is not in the records.
    """
    found, tasks = [], working(fresh, again)
    for kind, (number, parts) in wanted.items():
        longest = sorted((step for seen, step in tasks if seen == kind), key=lambda step: -step.lasted)[:number]
        if not longest:
            raise NoPoints("no task of the recorded run was a %s of at least %s s more than in a run without work: is it the record of fresh hosts?" % (
                kind, WORK))
        found += [Point(step.name, step.number, kind, round(part * step.lasted, 2)) for step in longest for part in parts]
    return found


def aims(kind, points, fresh):
    """:returns: points early in the first task that those of a kind are in: a task that a busy machine drew out when it was recorded is over sooner."""
    first = next(point for point in points if point.kind == kind)
    lasted = next(step.lasted for step in fresh if (step.name, step.number) == (first.name, first.number))
    return [first._replace(delay=round(part * lasted, 2)) for part in EARLY]


def boundaries(fresh, again):
    """:returns: the points at the starts of all tasks that both runs came to, but the first, before which nothing is done."""
    known = {(step.name, step.number) for step in again}
    return [Point(step.name, step.number, BOUNDARY, 0.0) for step in fresh[1:] if (step.name, step.number) in known]


def rising(points, fresh):
    """:returns: the points in the order in which a run comes to them."""
    place = {(step.name, step.number): position for position, step in enumerate(fresh)}
    return sorted(set(points), key=lambda point: (place[point.name, point.number], point.delay))


def seconds(points, fresh, again):
    """:returns: the estimated seconds of each killed run, and of the last one to the end.

    A run passes what is done as fast as one that has nothing to do, and starts the task anew in which its forerunner was killed.
    """
    work = {(step.name, step.number): step.at for step in fresh}
    idle = _passed(fresh, again)
    found, done = [], None
    for point in points:
        key = (point.name, point.number)
        found.append(BEGINNING + _until(work[key] + point.delay, idle[key], work, idle, done))
        done = key
    ends = [run[-1].at + run[-1].lasted for run in (fresh, again)]
    return [*found, BEGINNING + _until(ends[0], ends[1], work, idle, done)]


def _passed(fresh, again):
    """:returns: {task of the fresh run: when a run without work has come past all before it}."""
    starts, found, at = {(step.name, step.number): step.at for step in again}, {}, 0.0
    for step in fresh:
        at = found[step.name, step.number] = starts.get((step.name, step.number), at)
    return found


def _until(at, idle_at, work, idle, done):
    if done is None:
        return at
    return max(idle[done] + at - work[done], idle_at)


def spread(items, number):
    """:returns: that many of the items, evenly over all of them."""
    if number >= len(items):
        return list(items)
    return [items[(2 * place + 1) * len(items) // (2 * number)] for place in range(number)]


def chain(fresh, again, count, budget):
    """Choose the points of one lab life: inside of each kind of long task, and boundaries spread over the rest.

    Where that costs more than the budget, the last boundary gives way to the earliest that is free: early ones cost least.

    :param budget: seconds. A machine on which the recorded runs were slow gets the cheapest chain, which then takes longer.
    :returns: [:class:`Point`], rising.
    :raises NoPoints: where the records give too few.
    """
    fixed = inside(fresh, again, CHAIN)
    # The start of a long task is left to the points inside of it.
    taken = {(point.name, point.number) for point in fixed}
    free = [point for point in boundaries(fresh, again) if (point.name, point.number) not in taken]
    if len(fixed) + len(free) < count:
        raise NoPoints("the recorded runs give %d points, and %d are wanted" % (len(fixed) + len(free), count))
    chosen = rising(spread(free, count - len(fixed)), fresh)
    while chosen and sum(seconds(rising(fixed + chosen, fresh), fresh, again)) > budget:
        spare = next((point for point in free if point not in chosen), None)
        if spare is None or free.index(spare) > free.index(chosen[-1]):
            break
        chosen = rising([*chosen[:-1], spare], fresh)
    return rising(fixed + chosen, fresh)


def following(point, fresh):
    """:returns: the tasks after a point's, as (name, number)."""
    tasks = [(step.name, step.number) for step in fresh]
    return tasks[tasks.index((point.name, point.number)) + 1:]


def reached(text, point, after=()):
    """How far a run is, from its record so far.

    :param after: the tasks that come after the point's, see :func:`following`: where one has begun, the point was passed, or nothing included it.
    :returns: (monotonic time of the start of the point's task or None, whether a later task has started, whether the run is at its end).
    """
    started, later, counts, after = None, False, {}, set(after)
    seen = events(text)
    for event in seen:
        if event["event"] == "task":
            number = counts[event["name"]] = counts.get(event["name"], 0) + 1
            later = later or started is not None or (event["name"], number) in after
            if (event["name"], number) == (point.name, point.number):
                started = event["at"]
    return started, later, bool(seen) and seen[-1]["event"] == "end"


def family(parents, leader):
    """:returns: a process and everything below it, whatever session or group that is in.

    :param parents: process -> its parent.
    """
    found = {leader}
    while True:
        more = {process for process, parent in parents.items() if parent in found} - found
        if not more:
            return found
        found |= more


def without_hit(kinds, hits):
    """:returns: the kinds that no kill has hit inside, sorted.

    :param hits: (:class:`Point`, whether the kill was inside of its task).
    """
    return sorted(set(kinds) - {point.kind for point, was_inside in hits if was_inside})
