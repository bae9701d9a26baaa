# Copyright (c) 2026, ironrack.cluster contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""All that a rollout acts on, and what is done to it: the API's releases, the balancers' pages, pods, gates.

This is a private module_utils package: it may change in any release.
"""
from __future__ import annotations

import time
from collections import namedtuple

from .._common.errors import IronrackError
from .._kube.client import KubeUnreachable
from .._service import balancing
from .._service.releases import Releases, Superseded
from . import requests
from .balancers import Balancers, observed
from .gatekeeper import Gatekeeper
from .probes import Probes

#: releases: None where the API did not say; statuses: what each balancer says; away: names of those that no client reaches.
Seen = namedtuple("Seen", ("releases", "statuses", "away"))


def is_silent(error):
    """:returns: whether an error says that the API gave no answer, which another look may get; and no refusal."""
    status = error.details.get("status") if isinstance(error, IronrackError) else None
    return isinstance(error, KubeUnreachable) or isinstance(status, int) and (status >= 500 or status == 429)


class World:
    """The world of one service.

    :param service: a complete description.
    :param request: KubeClient.request.
    :param addresses: balancer -> address.
    :param zones: the cluster's, in their order.
    :param domain: cluster_domain.
    """

    superseded = Superseded

    def __init__(self, service, request, addresses, zones, domain, clock=time.time, sleep=time.sleep):
        self.service, self.domain, self.zones = service, domain, list(zones)
        self._request, self._balancers = request, Balancers(addresses, service["name"])
        self.probes = Probes({"ROLLOUT_SERVICE": service["name"], "ROLLOUT_NAMESPACE": service["namespace"],
                              "ROLLOUT_BALANCERS": ",".join(addresses[name] for name in sorted(addresses))})
        self.gates = Gatekeeper(service, self.probes)
        self.clock, self.sleep = clock, sleep

    def _releases(self, described):
        """:param described: release -> description of the record: a rollout that was begun ends as it was planned."""
        known = dict(self.service["releases"], **{name: one for name, one in described.items() if one})
        return Releases(self._request, dict(self.service, releases=known), self.zones)

    def look(self, releases=True):
        """:param releases: whether to ask the API for them.

        :returns: :class:`Seen`.
        """
        if not releases:
            return Seen(None, *self._balancers.look())
        try:
            releases = self._releases({}).look()
        except IronrackError as error:
            if not is_silent(error):
                raise
            releases = None
        return Seen(releases, *self._balancers.look())

    def upstream(self, traffic):
        """:returns: the options of nginx_upstream for a traffic."""
        order = traffic.get("chain") or []
        pool = sorted(self.service["fallback"], key=lambda one: order.index(one["name"]) if one["name"] in order else len(order))
        return balancing.options(self.service, dict(traffic, fallback=pool), self.domain)

    def deploy(self, intent, described):
        """Carry out a deploy. The stable release keeps its size from now on, whatever its autoscaler thinks of a part of its traffic."""
        releases = self._releases(described)
        releases.pin(intent["stable"], intent["stable_replicas"])
        return releases.deploy(intent["release"], intent["replicas"], intent["generation"], zones=intent.get("zones"), pinned=intent["replicas"])

    def take_away(self, intent, described):
        """Carry out a scale_down or a delete."""
        act = getattr(self._releases(described), intent["kind"])
        return act(intent["release"], intent["precondition"])

    def settle(self, record):
        """After the end: the autoscaler of the stable release has its own least again."""
        least = self.service["autoscaling"]["min_replicas"] or self.service["replicas"]
        return self._releases(record["releases"]).pin(record["stable"], least)

    def pods(self, release, described):
        """:returns: name and address of each ready pod of a release."""
        return [{"name": pod["name"], "address": pod["address"]} for pod in self._releases(described).pods(release) if pod["ready"] and pod["address"]]

    def warm_up(self, pods):
        """:returns: (verdict, why) of requests to pods, from here."""
        return requests.warm_up(pods, self.service["pod"]["port"], self.service["warm_up"])


def size_of(service, releases, stable):
    """:returns: pods of the stable release: what an autoscaler made of it counts, where there is one. Pure."""
    least = service["autoscaling"]["min_replicas"] or service["replicas"]
    if not service["autoscaling"]["max_replicas"]:
        return service["replicas"]
    return max(least, (releases or {}).get(stable, {}).get("replicas", 0))


def seen_by_engine(seen, outcome=None):
    """:returns: an observation as the engine takes it. Pure."""
    return {"releases": seen.releases, "balancers": observed(seen.statuses, seen.away), "outcome": outcome or {}}
