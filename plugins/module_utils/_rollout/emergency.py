# Copyright (c) 2026, ironrack.cluster contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the balancers are told where no API answers, from what they themselves say. Pure.

The record cannot be read then, so nobody knows which generation it gave last. A number far above all that the balancers have is newer than
anything that it gave in the meantime; the engine finds it, turns the rollout back, and goes on from there.

This is a private module_utils package: it may change in any release.
"""
from __future__ import annotations
from .._common.refusal import Refused, problem


#: More generations than a rollout gives between two changes of its traffic.
STRIDE = 1000
RELEASES = "releases"


def newest(statuses):
    """:returns: the status with the highest generation; None where no balancer says what it serves."""
    known = [status for status in statuses.values() if status and (status.get("served") or {}).get("stable")]
    return max(known, key=lambda status: status["generation"]) if known else None


def _names(status):
    return [one["name"] for one in status.get("releases") or []]


def target(status, undo=False, wanted=None):
    """:returns: the release that gets all of the traffic.

    :param undo: whether the release before is wanted, where the newer one is the stable one already.
    :param wanted: the release to go back to, where a person named it.
    :raises Refused: where an undo does not know it.
    """
    served = status["served"]
    stable = served["stable"]
    if not undo or served.get("candidate"):
        # What has a candidate was not promoted yet, or this was done to it already: an undo that is asked for twice does not undo itself.
        return stable
    others = sorted(set(_names(status)) - {stable})
    if wanted in others + [stable]:
        return wanted
    if len(others) == 1 and wanted is None:
        return others[0]
    raise Refused([problem("undo", "no API answers, and the balancers know %s beside %s" % (", ".join(others) or "no release", stable),
                           "one release that is still warm", "Name it in rollout_release where it is there, or wait for the API.")])


def traffic(statuses, stable, moved=None):
    """:returns: the traffic that is given back, under a generation of its own; None where there is nothing to move.

    :param statuses: what :meth:`.balancers.Balancers.statuses` says; one at least knows the service.
    :param stable: the release that gets all of it.
    :param moved: the generation that was given for the same before; None where none was.
    """
    status = newest(statuses)
    served = status["served"]
    if served.get("serve", RELEASES) != RELEASES:
        return None  # no release has traffic, so none is to lose it
    if all(is_moved(one, stable) for one in statuses.values() if one):
        return None
    weights = dict.fromkeys(_names(status), 0)
    losing = served.get("candidate") or (served["stable"] if served["stable"] != stable else None)
    # The same number once more for a balancer that was not told yet: a new one each time would chase itself.
    generation = status["generation"] if status["generation"] == moved else status["generation"] + STRIDE
    return {"generation": generation, "stable": stable, "candidate": losing, "weight": 0, "weights": dict(weights, **{stable: 100}),
            "serve": RELEASES, "chain": []}


def refuse_while_off(statuses):
    """:raises Refused: where the releases get no requests: there is nothing to move, and nothing would be kept of the wish."""
    status = newest(statuses)
    if status and status["served"].get("serve", RELEASES) != RELEASES:
        raise Refused([problem("serve", "no API answers, and the releases get no requests", "an API, to record it",
                               "No client meets the candidate now. Ask for this again when the API is back, before llm_enable.")])


def is_moved(status, stable):
    """:returns: whether a balancer gives all of the traffic to a release, and was not asked for anything else that it is about to do."""
    asked = status.get("asked") or {}
    return (status.get("weights") or {}) == {stable: 100} and not asked.get("weight") and asked.get("stable", stable) == stable
