# Copyright (c) 2026, ironrack.cluster contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the balancers are told where no API answers, from what they themselves say. Pure.

The record cannot be read then, so nobody knows which generation it gave last. A number far above all that the balancers have is newer than
anything that it gave in the meantime; the engine finds it, turns the rollout back, and goes on from there.

This is a private module_utils package: it may change in any release.
"""
from __future__ import annotations

from .._release.settings import RolloutRefused, problem

#: More generations than a rollout gives between two changes of its traffic.
STRIDE = 1000
RELEASES = "releases"


def newest(statuses):
    """:returns: the status with the highest generation; None where no balancer says what it serves."""
    known = [status for status in statuses.values() if status and (status.get("served") or {}).get("stable")]
    return max(known, key=lambda status: status["generation"]) if known else None


def _names(status):
    return [one["name"] for one in status.get("releases") or []]


def target(status, undo=False, candidate=None):
    """:returns: the release that gets all of the traffic.

    :param undo: whether the release before is wanted, where the newer one is the stable one already.
    :param candidate: the release to go back to, where a person named it.
    :raises RolloutRefused: where an undo does not know it.
    """
    served = status["served"]
    stable, weight = served["stable"], served.get("weight") or 0
    if weight or not undo:
        return stable
    others = sorted(set(_names(status)) - {stable})
    if candidate in others + [stable]:
        return candidate
    if len(others) == 1 and candidate is None:
        return others[0]
    raise RolloutRefused([problem("undo", "no API answers, and the balancers know %s beside %s" % (", ".join(others) or "no release", stable),
                                  "one release that is still warm", "Name it in rollout_release where it is there, or wait for the API.")])


def traffic(statuses, undo=False, candidate=None):
    """:returns: the traffic that is given back, under a generation of its own; None where there is nothing to move.

    :param statuses: what :meth:`.balancers.Balancers.statuses` says.
    :raises RolloutRefused: where no balancer says what it serves, or an undo does not know the release to go back to.
    """
    status = newest(statuses)
    if status is None:
        raise RolloutRefused([problem("balancers", "none says what it serves", "one that answers", "Look at nginx_upstream_info on a balancer.")])
    stable, served = target(status, undo, candidate), status["served"]
    if served.get("serve", RELEASES) != RELEASES:
        return None  # no release has traffic, so none is to lose it
    if all(is_moved(one, stable) for one in statuses.values() if one):
        return None
    weights = dict.fromkeys(_names(status), 0)
    return {"generation": status["generation"] + STRIDE, "stable": stable, "candidate": None, "weight": 0, "weights": dict(weights, **{stable: 100}),
            "serve": RELEASES, "chain": []}


def is_moved(status, stable):
    """:returns: whether a balancer gives all of the traffic to a release, and was not asked for anything else that it is about to do."""
    asked = status.get("asked") or {}
    return (status.get("weights") or {}) == {stable: 100} and not asked.get("weight") and asked.get("stable", stable) == stable
