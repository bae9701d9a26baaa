# Copyright (c) 2026, ironrack.cluster contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What ``cluster_profile: production`` refuses: a layout that cannot lose one zone."""
from __future__ import annotations

from ..settle import some
from .registry import check


def _zones(plan, group):
    """:returns: (zone -> names of its hosts, names of those without a zone) of a group."""
    zones = {}
    for host in plan.group(group):
        zones.setdefault(host.values["zone"], []).append(host.name)
    return zones, zones.pop("", [])


@check("cluster_profile", "zone")
def production_zones_named(plan, releases):
    if plan.values["cluster_profile"] == "production":
        names = [name for group in ("etcd", "control_plane", "load_balancers") for name in _zones(plan, group)[1]]
        if names:
            yield ("hosts %s" % some(list(dict.fromkeys(names))), "they have no zone, so nobody can say what fails together",
                   "a zone for each host of etcd, control_plane and load_balancers (cluster_profile: production)",
                   "set zone to the host's room, row or power feed")


@check("cluster_profile", "zone")
def production_etcd_survives_a_zone(plan, releases):
    zones, unknown = _zones(plan, "etcd")
    size = len(plan.groups["etcd"])
    if plan.values["cluster_profile"] != "production" or unknown or not size:
        return
    quorum = size // 2 + 1
    for zone, names in zones.items():
        if size - len(names) < quorum:
            what = "zone %s holds %d of its %d members (%s): without that zone %d are left, and a quorum is %d" % (
                zone, len(names), size, some(names), size - len(names), quorum)
            yield ("group etcd", what,
                   "members that keep their quorum without any one zone (cluster_profile: production)",
                   "spread 3 members over 3 zones, or 5 over at least 3 with at most 2 in one")


@check("cluster_profile", "zone")
def production_control_plane_survives_a_zone(plan, releases):
    zones, unknown = _zones(plan, "control_plane")
    if plan.values["cluster_profile"] == "production" and not unknown and len(zones) == 1:
        zone, names = zones.popitem()
        yield ("group control_plane", "all of it (%s) stands in zone %s: without that zone there is no API" % (some(names), zone),
               "control planes in two zones or more (cluster_profile: production)", "put one into another zone")


@check("cluster_profile", "zone")
def production_balancers_survive_a_zone(plan, releases):
    zones, unknown = _zones(plan, "load_balancers")
    if plan.values["cluster_profile"] == "production" and not unknown and len(zones) == 1:
        zone, names = zones.popitem()
        yield ("group load_balancers", "all of it (%s) stands in zone %s: without that zone the endpoint is away" % (some(names), zone),
               "load balancers in two zones or more (cluster_profile: production)",
               "put one into another zone, or name a balancer of the site's own in cluster_endpoint")
