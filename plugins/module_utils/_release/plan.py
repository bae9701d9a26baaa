# Copyright (c) 2026, ironrack.cluster contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The operations of a rollout, in their order. Pure.

A plan is a dictionary that JSON can hold: it is kept in the record, so that a rollout that was begun ends as it was planned, whatever the
inventory says meanwhile. It holds two lists of operations: ``forward``, and ``back`` for a rollback from wherever it is.

The stable release keeps its size until the candidate has had all of the traffic and the old one was kept warm for as long as was asked.
So a rollback finds it whole, and the price is room for both: a canary and a rolling rollout grow the candidate with its share.

This is a private module_utils package: it may change in any release.
"""
from __future__ import annotations

from .._common.refusal import Refused, problem
from . import settings as wishes
from .settings import BLUE_GREEN, CANARY, ROLLING, STRATEGIES, UNDO

#: Where a rollout goes: to its candidate, or back to what was stable.
FORWARD, BACK = "forward", "back"
DEPLOY, WAIT_READY, WARM_UP = "deploy", "wait_ready", "warm_up"
ADD_UPSTREAM, SET_WEIGHT, PROMOTE, ROLL_BACK, REMOVE_UPSTREAM = "add_upstream", "set_weight", "promote", "roll_back", "remove_upstream"
GATE, KEEP, SCALE_DOWN, DELETE = "gate", "keep", "scale_down", "delete"
#: Those that tell the balancers something new.
TRAFFIC = (ADD_UPSTREAM, SET_WEIGHT, PROMOTE, ROLL_BACK, REMOVE_UPSTREAM)
#: Those that change something, wherever; the rest waits and looks.
EFFECTS = TRAFFIC + (DEPLOY, WARM_UP, SCALE_DOWN, DELETE)
#: Seconds for the verdict of a smoke test, which has no soak.
SMOKE = 300


def current(rollout):
    """:returns: the operation that a rollout stands at; None at its end."""
    ops = rollout["plan"][rollout["phase"]]
    return ops[rollout["position"]] if rollout["position"] < len(ops) else None


def spell(op, now):
    """:returns: the time of an operation that begins now: since and until, in seconds since 1970."""
    return {"since": int(now), "until": int(now) + (op["soak"] if op["kind"] == GATE else op["timeout"])}


def plan_rollout(service, strategy, stable, candidate, releases, settings, previous=None):
    """:returns: the plan of a release.

    :param service: the service's name.
    :param strategy: canary, blue_green or rolling.
    :param stable: the release that has the traffic.
    :param candidate: the one that is to get it.
    :param previous: the stable release before this one; what is left of it goes at the end.
    :param releases: names of all releases that are described.
    :param settings: the strategy's own, see :data:`.settings.DEFAULTS`; times in seconds.
    :raises Refused: with all that is wrong.
    """
    found = wishes.names_problems(service, {"stable": stable, "candidate": candidate})
    if candidate == stable:
        found.append(problem("candidate", "%r is the stable release already" % (candidate,), "a release that differs from the baseline",
                             "Give the new version a release name of its own."))
    if candidate not in releases:
        known = "one of %s" % ", ".join(sorted(releases)) if releases else "a release that is described, and none is"
        found.append(problem("candidate", "release %r is unknown" % (candidate,), known, "Describe the release or correct its name."))
    if strategy not in STRATEGIES:
        found.append(problem("strategy", "%r" % (strategy,), "one of %s" % ", ".join(STRATEGIES), "Choose one."))
    else:
        found += wishes.problems_of(strategy, settings)
    if found:
        raise Refused(found)
    complete = wishes.complete(strategy, settings)
    forward = {CANARY: _canary, BLUE_GREEN: _blue_green, ROLLING: _rolling}[strategy](candidate, complete)
    return _plan(service, strategy, stable, candidate, complete, forward + _tail(
        stable, candidate, complete, gone=[stable] * (strategy != BLUE_GREEN) + [previous] * (previous not in (None, stable, candidate))))


def plan_undo(service, stable, previous, releases, settings):
    """:returns: the plan that gives the traffic back to the release before, without a gate: whoever undoes has decided.

    :param previous: the release that was the stable before; None where there is none.
    :raises Refused: with all that is wrong.
    """
    found = wishes.problems_of(UNDO, settings)
    if not previous:
        found.append(problem("undo", "there is nothing to undo", "a release that was promoted before", "Release the wanted version instead."))
    elif previous not in releases:
        found.append(problem("undo", "the release before, %s, is not described any more" % previous, "one of %s" % ", ".join(sorted(releases)),
                             "Describe it again, or release another version."))
    if found:
        raise Refused(found)
    complete = wishes.complete(UNDO, settings)
    forward = _grow(previous, complete["replicas"], complete) + [_traffic(ADD_UPSTREAM, previous, complete)]
    forward += [_weight(previous, 100, complete["replicas"], complete)]
    return _plan(service, UNDO, stable, previous, complete, forward + _tail(stable, previous, complete, gone=[]))


def _plan(service, strategy, stable, candidate, settings, forward):
    back = [_traffic(ROLL_BACK, candidate, settings), _traffic(REMOVE_UPSTREAM, candidate, settings), _pods(DELETE, candidate, settings)]
    return {"service": service, "strategy": strategy, "stable": stable, "candidate": candidate, "replicas": settings["replicas"],
            "extensions": settings["extensions"], "effect_timeout": settings["effect_timeout"], "forward": forward, "back": back}


def _canary(candidate, settings):
    ops, size = [], 0
    for weight in settings["steps"]:
        replicas = settings["replicas"]
        # Never more than the stable has, however high the least size is.
        needed = max(-(-replicas * weight // 100), min(settings["minimum"], replicas))
        ops += _grow(candidate, needed, settings) if needed > size else [_wait(candidate, size, settings)]
        ops += [] if size else [_traffic(ADD_UPSTREAM, candidate, settings)]
        size = max(size, needed)
        ops += [_weight(candidate, weight, size, settings), _gate("weight %d" % weight, candidate, weight, settings["soak"])]
    return ops


def _blue_green(candidate, settings):
    size = settings["replicas"]
    return _grow(candidate, size, settings) + [
        _traffic(ADD_UPSTREAM, candidate, settings), _gate("smoke", candidate, 0, 0), _wait(candidate, size, settings),
        _weight(candidate, 100, size, settings), _gate("watch", candidate, 100, settings["watch"])]


def batches(zones, replicas):
    """:returns: for each batch of a rolling rollout, zone -> pods of the candidate after it. Zones that would get no pod are left out.

    :param zones: the zones in their order.
    :param replicas: pods in all.
    """
    share, rest = divmod(replicas, len(zones))
    sizes = [(zone, share + (1 if number < rest else 0)) for number, zone in enumerate(zones)]
    sizes = [pair for pair in sizes if pair[1]]
    return [dict(sizes[:number]) for number in range(1, len(sizes) + 1)]


def _rolling(candidate, settings):
    ops, replicas = [], settings["replicas"]
    for number, zones in enumerate(batches(settings["zones"], replicas), 1):
        size = sum(zones.values())
        ops += _grow(candidate, size, settings, zones)
        ops += [_traffic(ADD_UPSTREAM, candidate, settings)] if number == 1 else []
        # A share like the pods' own, rounded down so that no pod of the candidate gets more than one of the stable would.
        weight = 100 * size // replicas
        ops += [_weight(candidate, weight, size, settings), _gate("zone %s" % list(zones)[-1], candidate, weight, settings["soak"])]
    return ops


def _tail(stable, candidate, settings, gone):
    keep = [{"kind": KEEP, "release": stable, "timeout": settings["keep"]}] if settings["keep"] else []
    # The old release goes only while the new one is whole: after that there is no way back but another rollout.
    return [_traffic(PROMOTE, candidate, settings)] + keep + [
        _wait(candidate, settings["replicas"], settings), _traffic(REMOVE_UPSTREAM, stable, settings), _pods(SCALE_DOWN, stable, settings)] + [
            _pods(DELETE, release, settings) for release in gone]


def _grow(release, replicas, settings, zones=None):
    deploy = dict(_pods(DEPLOY, release, settings), replicas=replicas)
    if zones:
        deploy["zones"] = zones
    return [deploy, _wait(release, replicas, settings), _pods(WARM_UP, release, settings)]


def _wait(release, replicas, settings):
    return {"kind": WAIT_READY, "release": release, "replicas": replicas, "timeout": settings["ready_timeout"]}


def _weight(release, weight, replicas, settings):
    return dict(_traffic(SET_WEIGHT, release, settings), weight=weight, replicas=replicas)


def _traffic(kind, release, settings):
    return {"kind": kind, "release": release, "timeout": settings["effect_timeout"]}


def _pods(kind, release, settings):
    return {"kind": kind, "release": release, "timeout": settings["effect_timeout"]}


def _gate(name, release, weight, soak):
    # Without a verdict for as long again as it takes, a gate has been inconclusive once.
    return {"kind": GATE, "name": name, "release": release, "weight": weight, "soak": soak, "timeout": soak or SMOKE}
