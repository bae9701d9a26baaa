# Copyright (c) 2026, ironrack.cluster contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What is refused of OpenSearch and of the object store that its snapshots go to."""
from __future__ import annotations

from ansible_collections.ironrack.cluster.plugins.module_utils._opensearch import expiry, snapshots

from ..opensearch import DATA, INGEST, MANAGERS, NODES, S3, SCHEDULE, data_zones, managers_survive_a_zone, nodes, placeable, schedule, versions
from ..problems import did_you_mean
from ..settle import some
from .registry import check


def _is_production(plan):
    return plan.values["cluster_profile"] == "production"


@check()
def opensearch_has_both(plan, releases):
    for group, what in ((MANAGERS, "elects and keeps the state of the cluster"), (DATA, "keeps the indices")):
        other = next((name for name in NODES if plan.groups[name]), None)
        if other and not plan.groups[group]:
            yield ("group %s" % group, "it has no host, and %s has %s" % (other, some(plan.groups[other])), "a host that %s" % what,
                   "put hosts into it; those of %s will do" % other)


@check("cluster_kubernetes_version", "cluster_opensearch_version")
def opensearch_version_known(plan, releases):
    release = releases.get(plan.values["cluster_kubernetes_version"])
    version = plan.values["cluster_opensearch_version"]
    known = sorted(versions(release or {}))
    if nodes(plan) and release is not None and version not in known:
        yield ("cluster_opensearch_version", "the release file names no OpenSearch %s" % version, "one of %s" % (", ".join(known) or "none yet"),
               did_you_mean(version, known) or "take one of them, or add it to playbooks/vars/releases/%s.yml" % plan.values["cluster_kubernetes_version"])


@check("opensearch_index_replicas", "zone")
def opensearch_replicas_placeable(plan, releases):
    copies, placed, data = plan.values["opensearch_index_replicas"] + 1, placeable(plan), plan.groups[DATA]
    if data and placed < copies:
        spread = ", ".join("%d in %s" % (size, zone or "no zone") for zone, size in sorted(data_zones(plan).items()))
        yield ("opensearch_index_replicas", "each index has %d copies with it, and %d find a place on %d data nodes (%s)" % (
            copies, placed, len(data), spread), "a data node for each copy, in the zone whose share it is: the cluster would never be green",
            "set it to %d, or add data nodes" % (placed - 1))


@check("opensearch_backup_schedule")
def opensearch_schedule_sound(plan, releases):
    asked, where = schedule(plan), "opensearch_backup_schedule, %s"
    if not asked:
        return
    if not isinstance(asked["prefix"], str) or not snapshots.PREFIX.fullmatch(asked["prefix"]):
        yield (where % "prefix", "it is %r" % (asked["prefix"],), "what a snapshot's name may begin with: lower-case letters, digits, dots and dashes",
               "such as hourly")
    wrong = [name for name in ("slot", "interval", "alert_after") if not isinstance(asked[name], int) or isinstance(asked[name], bool) or asked[name] < 1]
    for name in wrong:
        yield (where % name, "it is %r" % (asked[name],), "seconds, a whole number from 1", "such as %d" % SCHEDULE[name])
    if wrong:
        return
    if asked["slot"] % 60:
        yield (where % "slot", "it is %d seconds" % asked["slot"], "whole minutes, since the snapshot's name has its slot to the minute",
               "set it to %d" % (60 * max(1, round(asked["slot"] / 60))))
    if asked["interval"] > asked["slot"] // 2:
        yield (where % "interval", "it is %d seconds, of a slot of %d" % (asked["interval"], asked["slot"]),
               "at most half of the slot, so that another node takes over within it", "set it to %d or less" % (asked["slot"] // 2))
    if asked["alert_after"] <= asked["slot"] + asked["interval"]:
        yield (where % "alert_after", "it is %d seconds, and the newest snapshot is up to %d old with all well" % (
            asked["alert_after"], asked["slot"] + asked["interval"]), "more than that", "set it to three slots, %d" % (3 * asked["slot"]))


@check("opensearch_index_expiry")
def opensearch_expiry_sound(plan, releases):
    for one in expiry.problems_of(plan.values["opensearch_index_expiry"], "opensearch_index_expiry"):
        yield one["where"], one["what"], one["expected"], one["mend"]


@check("opensearch_backup_schedule", "cluster_kubernetes_version", "cluster_opensearch_version")
def opensearch_schedule_has_a_store(plan, releases):
    found = versions(releases.get(plan.values["cluster_kubernetes_version"]) or {}).get(plan.values["cluster_opensearch_version"])
    if schedule(plan) and nodes(plan) and found is not None and S3 not in found.get("plugins", []):
        yield ("opensearch_backup_schedule", "OpenSearch %s of the release file has no plugin %s" % (found["version"], S3),
               "a release that knows an object store", "leave the schedule out until the upgrade")


@check("cluster_profile")
def production_opensearch_managers_odd(plan, releases):
    size = len(plan.groups[MANAGERS])
    if _is_production(plan) and size and (size < 3 or size % 2 == 0):
        yield ("group %s" % MANAGERS, "it has %d host%s: %s" % (
            size, "" if size == 1 else "s", "the loss of one stops the cluster" if size < 3 else "the last one adds no safety, only work"),
            "3 or 5 hosts (cluster_profile: production)", "add one or take one out; a manager may hold data too")


@check("cluster_profile", "zone")
def production_opensearch_zones_named(plan, releases):
    names = [host.name for host in nodes(plan) if not host.values["zone"]]
    if _is_production(plan) and names:
        yield ("hosts %s" % some(names), "they have no zone, so copies of one shard may fail together",
               "a zone for each host of OpenSearch (cluster_profile: production)", "set zone to the host's room, row or power feed")


@check("cluster_profile", "zone", "opensearch_index_replicas")
def production_opensearch_survives_a_zone(plan, releases):
    hosts = nodes(plan)
    if not _is_production(plan) or not hosts or any(not host.values["zone"] for host in hosts):
        return
    zones, replicas = data_zones(plan), plan.values["opensearch_index_replicas"]
    if plan.groups[MANAGERS] and not managers_survive_a_zone(plan):
        stand = ", ".join("%s in %s" % (host.name, host.values["zone"]) for host in plan.group(MANAGERS))
        yield ("group %s" % MANAGERS, "without one zone its majority is gone (%s)" % stand,
               "managers that keep their majority without any one zone (cluster_profile: production)", "spread 3 over 3 zones; one may be a manager only")
    if len(zones) == 1:
        yield ("group %s" % DATA, "all of it stands in zone %s: with that zone all indices are away" % list(zones)[0],
               "data nodes in two zones or more (cluster_profile: production)", "put some into another zone")
    elif zones and not replicas:
        yield ("opensearch_index_replicas", "it is 0: with a lost zone, and with a lost node, indices are lost", "1 or more (cluster_profile: production)",
               "leave it out (1 is the default)")


@check("cluster_profile", "zone")
def production_opensearch_ingest_redundant(plan, releases):
    hosts = plan.group(INGEST)
    if _is_production(plan) and len(hosts) == 1:
        yield ("group %s" % INGEST, "it has 1 host: while it restarts, no document goes through a pipeline", "2 hosts or more (cluster_profile: production)",
               "add one, or take it out: data nodes run the pipelines then")
    elif _is_production(plan) and hosts and len({host.values["zone"] for host in hosts}) == 1:
        yield ("group %s" % INGEST, "all of it stands in zone %s: with that zone no document goes through a pipeline" % (hosts[0].values["zone"] or "''"),
               "ingest nodes in two zones or more (cluster_profile: production)", "put one into another zone")


@check("cluster_profile")
def production_object_store_apart(plan, releases):
    both = [host.name for host in plan.group("object_store") if host.is_in("monitoring")]
    if _is_production(plan) and both:
        yield ("host %s" % some(both), "it is in object_store and in monitoring: with that host go the snapshots and the word that they are old",
               "an object store and a monitoring host apart (cluster_profile: production)", "take another host for one of them")


@check("cluster_profile", "zone")
def production_object_store_in_another_zone(plan, releases):
    zones = data_zones(plan)
    for host in plan.group("object_store"):
        if _is_production(plan) and zones and set(zones) == {host.values["zone"]} and host.values["zone"]:
            what = "the object store stands in zone %s, as all data nodes do: a fire there takes the snapshots too" % host.values["zone"]
            yield ("host %s" % host.name, what,
                   "an object store in another zone than all data (cluster_profile: production)", "put it, or some of the data, into another zone")
