# Copyright (c) 2026, ironrack.cluster contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which release gets how many percent of a service's traffic, under which generation. Pure.

The traffic of a service is one dictionary, the same for all of its balancers:

generation  a whole number that only rises; a balancer refuses an older one
stable      the release that is the baseline
candidate   the release whose keys come first in the range of a split, so that a rising weight sends nobody back; None where there is none
weights     release -> whole percents that make 100; one at 0 has its upstream ready, and gets what asks for it by name only
serve       who answers: releases (by those weights), fallback (the pool beside the releases) or nobody. See :mod:`.serving`
chain       names of the pool's servers in the order in which they are tried; empty for the order of the service's description

This is a private module_utils package: it may change in any release.
"""
from __future__ import annotations

from .plan import ADD_UPSTREAM, PROMOTE, REMOVE_UPSTREAM, ROLL_BACK, SET_WEIGHT
from .settings import FALLBACK

#: Who answers. A balancer with the fallback pool says that it gives "fallback" 100 percent, one with nobody says no weights.
RELEASES, POOL, NOBODY = "releases", "fallback", "nobody"
MODES = (RELEASES, POOL, NOBODY)


def only(release, generation):
    """:returns: the traffic of a service of one release."""
    return {"generation": generation, "stable": release, "candidate": None, "weights": {release: 100}, "serve": RELEASES, "chain": []}


def effective(traffic):
    """:returns: who really gets how many percent: the weights of the releases are for when they are served."""
    serve = traffic.get("serve", RELEASES)
    return {FALLBACK: 100} if serve == POOL else {} if serve == NOBODY else traffic["weights"]


def mode_of(weights):
    """:returns: who answers on a balancer that says these weights; None where it says none."""
    if weights is None:
        return None
    return NOBODY if not weights else POOL if weights == {FALLBACK: 100} else RELEASES


def after(op, plan, traffic):
    """:returns: the traffic that an operation asks for, still under the generation of before."""
    stable, candidate = plan["stable"], plan["candidate"]
    kind, weights = op["kind"], traffic["weights"]
    if kind == ADD_UPSTREAM:
        return dict(traffic, candidate=candidate, weights=dict({candidate: 0}, **weights))
    if kind == SET_WEIGHT:
        return dict(traffic, stable=stable, candidate=candidate, weights={stable: 100 - op["weight"], candidate: op["weight"]})
    if kind == PROMOTE:
        return dict(traffic, stable=candidate, candidate=None, weights={stable: 0, candidate: 100})
    if kind == ROLL_BACK and candidate in weights:
        return dict(traffic, stable=stable, candidate=candidate, weights={stable: 100, candidate: 0})
    if kind == REMOVE_UPSTREAM:
        return dict(traffic, candidate=None, weights={name: weight for name, weight in weights.items() if name != op["release"]})
    return traffic


def same(one, other):
    """:returns: whether two traffics send every request the same way. Who is the candidate does not matter at 0 and 100 percent."""
    whole = max(one["weights"].values()) == 100
    return (one["weights"], one["stable"]) == (other["weights"], other["stable"]) and (whole or one["candidate"] == other["candidate"])


def lacking(traffic, seen, release=None):
    """What keeps the balancers from being known to serve a traffic.

    :param seen: the :class:`.observation.Observation`.
    :param release: one whose upstream has to have addresses on each of them as well, where the releases are what is served.
    :returns: sentences; none where every balancer that clients reach serves it, and there is one.
    """
    served = seen.served()
    release = release if traffic.get("serve", RELEASES) == RELEASES else None
    if not served:
        return ["no balancer is known to serve"]
    found = []
    for name, one in sorted(served.items()):
        if one.get("generation") is None:
            found.append("%s did not answer" % name)
        elif one["generation"] != traffic["generation"]:
            found.append("%s serves generation %d" % (name, one["generation"]))
        elif differs(one, traffic):
            found.append("%s serves %s under that generation" % (name, shown(one["weights"])))
        elif release and one.get("addresses") is None and one.get("weights") is None:
            found.append("%s says neither what it serves nor its addresses of %s" % (name, release))
        elif release and one.get("addresses") is not None and not one["addresses"].get(release):
            found.append("%s has no address of %s" % (name, release))
    return found


def differs(served, traffic):
    """:returns: whether a balancer says that it sends requests another way.

    :param served: what was seen of it; without its weights it says nothing.
    """
    if served.get("weights") is None:
        return False
    one, other = ({name: weight for name, weight in weights.items() if weight} for weights in (served["weights"], effective(traffic)))
    return one != other


def shown(weights):
    """:returns: weights in words."""
    return ", ".join("%s %d %%" % pair for pair in sorted(weights.items())) or "nothing"


def behind(traffic, seen):
    """:returns: names of balancers that clients reach and that serve an older generation."""
    return sorted(name for name, one in seen.served().items() if one.get("generation") is not None and one["generation"] < traffic["generation"])
