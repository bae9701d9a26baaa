# Copyright (c) 2026, ironrack.cluster contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The ordered list of OpenSearch's health conditions, as :mod:`.._health.conditions` has those of Kubernetes. Pure.

``expected`` is the part ``opensearch`` of the model, and ``backups``: the series whose age is judged, or None.

This is a private module_utils package: it may change in any release.
"""
from __future__ import annotations

from .._health.peer import valid_for_a_month
from .._health.verdict import Condition, Finding, Unknown, listing
from . import disk, exclusion

#: What keeps shards where they are, with the value by which it keeps none.
HOLDING = {"cluster.routing.allocation.enable": "all", "cluster.routing.rebalance.enable": "all"}
EXCLUDE = "cluster.routing.allocation.exclude."
BLOCKS = ("cluster.blocks.read_only", "cluster.blocks.read_only_allow_delete")


def _names(expected):
    return [one["name"] for one in expected["nodes"]]


def _tally(expected, wrong, words):
    count = len(expected["nodes"])
    return Finding(count > 0 and not wrong, "%d of %d %s%s" % (count - len(wrong), count, words, "".join("; " + one for one in wrong)),
                   "%d of %d %s" % (count, count, words))


def opensearch_nodes_answer(seen, expected):
    """Each node speaks TLS with a certificate of the cluster's authority that names its address."""
    answers = seen.get("peers")
    told = {name: answers.get(name, {"error": "not asked"}) for name in _names(expected)}
    return _tally(expected, ["%s: %s" % (name, one.get("untrusted") or one.get("error")) for name, one in told.items() if not one.get("verified")],
                  "answer with a certificate that can be trusted")


def opensearch_certificates_valid(seen, expected):
    """The certificate that each node shows is good for another month."""
    return valid_for_a_month(seen.get("peers"), _names(expected), seen.get("now"))


def opensearch_manager_elected(seen, expected):
    """The managers have elected one of them."""
    name = seen.get("elected")
    return Finding(bool(name), "elected: %s" % (name or "none"), "one of %s is elected" % listing(expected["managers"]))


def opensearch_nodes_present(seen, expected):
    """The cluster has the nodes of the inventory, and no others."""
    there = {one["name"] for one in seen.get("members")}
    wrong = ["%s is not in the cluster" % name for name in _names(expected) if name not in there]
    strangers = sorted(there - set(_names(expected)))
    found = _tally(expected, wrong, "in the cluster")
    if not strangers:
        return found
    return Finding(False, "%s; the inventory does not know: %s" % (found.seen, listing(strangers)), found.expected + ", and no others")


def opensearch_green(seen, expected):
    """Every shard has all of its copies."""
    health = seen.get("health")
    status = health.get("status", "unknown")
    if status == "green":
        return Finding(True, "green", "green")
    why = seen.values.get("unassigned") or []
    return Finding(False, "%s, shards unassigned: %s%s" % (status, health.get("unassigned_shards", "unknown"), "".join("; " + one for one in why)), "green")


def opensearch_versions(seen, expected):
    """All nodes run the version of the inventory, with the same plugins."""
    members = seen.get("members")
    wrong = ["%s runs %s" % (one["name"], one["version"]) for one in members if one["version"] != expected["version"]]
    sets = {}
    for one in members:
        sets.setdefault(tuple(plugin["name"] for plugin in one["plugins"]), []).append(one["name"])
    if len(sets) > 1:
        usual = max(sets, key=lambda plugins: len(sets[plugins]))
        wrong += ["%s: plugins %s, others have %s" % (listing(names), listing(plugins), listing(usual))
                  for plugins, names in sorted(sets.items()) if plugins != usual]
    return Finding(bool(members) and not wrong, "; ".join(wrong) or "%s, %d plugins on each" % (expected["version"], len(next(iter(sets), ()))),
                   "version %s, and the same plugins everywhere" % expected["version"])


def opensearch_zones(seen, expected):
    """Each node says the zone that the inventory says, for copies are spread by what it says."""
    zones = {one["name"]: one["zone"] or "none" for one in seen.get("members")}
    wrong = ["%s says %s, not %s" % (one["name"], zones[one["name"]], one["zone"] or "none")
             for one in expected["nodes"] if one["name"] in zones and zones[one["name"]] != (one["zone"] or "none")]
    missing = [name for name in _names(expected) if name not in zones]
    if missing and not wrong:
        raise Unknown("not in the cluster: %s" % listing(missing))
    return _tally(expected, wrong, "in the zone of the inventory")


def opensearch_allocation_free(seen, expected):
    """Nothing that somebody has set keeps shards from their places, or the cluster from writes."""
    settings = seen.get("settings")
    wrong = ["%s is %s" % (name, disk.setting(settings, name)) for name, free in HOLDING.items() if (disk.setting(settings, name) or free) != free]
    merged = dict(settings.get("persistent") or {}, **settings.get("transient") or {})
    wrong += ["%s is %s" % (name, value) for name, value in sorted(merged.items()) if name.startswith(EXCLUDE) and value]
    wrong += ["%s is true" % name for name in BLOCKS if str(merged.get(name)).lower() == "true"]
    return Finding(not wrong, "; ".join(wrong) or "nothing is held back", "no setting holds shards back, excludes a node or forbids writes")


def opensearch_disks(seen, expected):
    """Each data node is below the low watermark: above it a node takes no more shards, and says so in a log alone."""
    watermark = disk.setting(seen.get("settings"), disk.WATERMARK) or disk.DEFAULT
    data = [one for one in seen.get("members") if exclusion.DATA in one["roles"]]
    unknown = [one["name"] for one in data if not one["disk_bytes"] or one["disk_free_bytes"] is None]
    wrong = ["%s has %d MiB free" % (one["name"], one["disk_free_bytes"] >> 20) for one in data
             if one["name"] not in unknown and one["disk_free_bytes"] < disk.kept_free(watermark, one["disk_bytes"])]
    if unknown and not wrong:
        raise Unknown("no disk is told by: %s" % listing(unknown))
    return Finding(bool(data) and not wrong, "; ".join(wrong) or "%d data nodes, the fullest has %d MiB free" % (
        len(data), min([one["disk_free_bytes"] >> 20 for one in data], default=0)), "each data node is below the low watermark (%s)" % watermark)


def opensearch_backups_recent(seen, expected):
    """The newest good snapshot of the schedule is young enough: its age is what would be lost now."""
    age, limit = seen.get("backups")["age_seconds"], expected["backups"]["alert_after"]
    wanted = "a SUCCESS that is at most %d s old" % limit
    return Finding(age is not None and age <= limit, "there is none" if age is None else "it is %d s old" % age, wanted)


def opensearch_backups_proved(seen, expected):
    """One has been restored as a trial, not too long ago, and no such trial has failed."""
    told, limit = seen.get("backups"), expected["backups"]["proof_max_age"]
    wrong = ["failed: %s" % listing(told["failed_proofs"])] if told["failed_proofs"] else []
    wrong += [] if told["last_proved"] else ["none is proved"]
    if told["last_proved"] and told["proved_age_seconds"] > limit:
        wrong.append("the last one, %s, is %d s old" % (told["last_proved"], told["proved_age_seconds"]))
    return Finding(not wrong, "; ".join(wrong) or "the last one is %s" % told["last_proved"],
                   "one proved by a scratch restore that is at most %d s old, and no proof failed" % limit)


def _always(expected):
    return True


def _is_spread(expected):
    return bool(expected["spread"])


def _has_backups(expected):
    return bool(expected.get("backups"))


def _condition(judge, how_to_mend, applies=_always):
    return Condition(judge.__name__, judge, how_to_mend, applies)


CONDITIONS = [
    _condition(opensearch_nodes_answer, "On that host: `systemctl status opensearch`, `journalctl -u opensearch`; then run site.yml."),
    _condition(opensearch_certificates_valid, "Run site.yml: it renews what is near its end, and the nodes read it anew."),
    _condition(opensearch_manager_elected, "Most of the managers have to run and reach each other on port 9300: start those first."),
    _condition(opensearch_nodes_present,
               "Missing: run site.yml. A stranger: add it to the inventory, or drain it and take its opensearch.service away (reset.yml)."),
    _condition(opensearch_green, "Start the nodes that are missing; what else is named is the engine's own reason for each shard."),
    _condition(opensearch_versions, "opensearch_upgrade.yml: run again, it goes on where it was ended."),
    _condition(opensearch_zones, "Run site.yml: a node whose zone has changed is restarted with it.", _is_spread),
    _condition(opensearch_allocation_free,
               "A drain that ended early leaves an exclusion: run opensearch_node_replace.yml again. What else is set: opensearch_cluster_settings."),
    _condition(opensearch_disks, "Delete indices that nobody needs, or add data nodes; above the flood stage indices take no writes."),
    _condition(opensearch_backups_recent,
               "On the nodes: `systemctl list-timers`, `journalctl -u ironrack-opensearch-backup`; opensearch_backup.yml takes one now.", _has_backups),
    _condition(opensearch_backups_proved, "opensearch_backup.yml takes one and proves it; of one whose proof failed, its output says why.", _has_backups),
]
