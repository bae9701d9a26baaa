# Copyright (c) 2026, ironrack.cluster contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""One run of the schedule on a node, and what Prometheus is told of it.

Every node runs it, each few minutes. The snapshot is named after its time slot, so that one of them takes it, whoever is alive; the others only look.

This is a private module_utils package: it may change in any release.
"""
from __future__ import annotations

from .._common.errors import IronrackError
from . import health, moments, operating, snapshots, steps
from .records import Held

#: Seconds for reading the documents of indices that nobody writes to; what is not read in that time is read next time.
CHECKSUM_SECONDS = 300
PREFIX = "ironrack_opensearch_backup_"
#: name -> help, in the order in which they are written.
METRICS = {
    "last_success_timestamp_seconds": "When the newest SUCCESS of the series began.",
    "last_proved_timestamp_seconds": "When the newest one began that a scratch restore has proved.",
    "unprotected_indices": "Indices and data streams that the newest SUCCESS does not have.",
    "failed_proofs": "Snapshots of the repository that could not be restored.",
    "indices_overdue": "Indices that ought to have gone by their age two slots ago, and are there.",
    "run_timestamp_seconds": "When this node last looked.",
    "run_success": "Whether that went well: 1 or 0.",
}


def stands_back(api, nodes, now, slot):
    """Why nothing is begun now: an operation that takes out one node after the other, or what looks like a node that restarts.

    An operation says that it is under way, and ends by itself where whoever has said so is killed. Without such a word it is for half of a slot at most: a
    node that stays away must not end all backups.

    :param nodes: how many there should be.
    :returns: reasons in words.
    """
    operation = operating.under_way(api.client, now)
    if operation:
        return [operation]
    if moments.seconds_between(moments.slot(now, slot), now) >= slot / 2:
        return []
    answer = api.client.expect("GET", "/_cluster/health", params={"timeout": "2s"}, ok=(200, 408), what="reading the cluster's health")
    return health.lacking(answer, nodes, "yellow")


def back_up(settings, api, clock=moments.now):
    """Take the snapshot of the time slot where there is none, prove it where that is due, and delete what is old: of snapshots, and of indices.

    :param settings: ``repository``, ``prefix``, ``slot``, ``indices``, ``nodes``, ``prove_every``, ``max_age``, ``min_count``, ``failed_max_age``,
        ``clock_tolerance``, ``timeout`` and ``expiry`` (rules as of expiry), times in seconds.
    :param clock: a callable that returns the time. A snapshot and its proof take their time: what is judged after them is judged by the time of then, which
        is compared with the cluster's.
    :returns: dict of ``snapshot`` (its name, or None), ``waits_for`` (why nothing was begun), ``deleted``, ``stopped`` (why no snapshot may go),
        ``expired``, and ``overdue``: indices that ought to have gone, with why they stay.
    :raises IronrackError: where anything is not as it has to be.
    """
    now = clock()
    told = steps.age(settings, api, now)
    if not told["exists"]:
        raise IronrackError("there is no repository %s: run site.yml, which registers it" % settings["repository"])
    result = {"snapshot": None, "waits_for": stands_back(api, settings["nodes"], now, settings["slot"]), "deleted": [], "stopped": [], "expired": [],
              "overdue": []}
    if result["waits_for"]:
        return result
    taken = steps.take(dict(
        settings, indices=settings["indices"] or told["indices"], allow_partial=False, checksum_timeout=CHECKSUM_SECONDS), api, False, now)
    result["snapshot"] = taken["snapshot"]
    if taken["state"] in (snapshots.FAILED, snapshots.PARTIAL):
        raise IronrackError("snapshot %s is %s: the next slot's is the next one" % (taken["snapshot"], taken["state"]))
    if taken["state"] == snapshots.SUCCESS and (told["proved_age_seconds"] is None or told["proved_age_seconds"] >= settings["prove_every"]):
        try:
            steps.prove(dict(settings, snapshot=taken["snapshot"], checksum=True, max_age=settings["prove_every"]), api, False, clock())
        except Held as held:
            result["waits_for"] = [str(held)]
            return result
    # Several at once would get into each other's way: whoever took the snapshot of the slot does it.
    if not taken["stood_back"]:
        retained = steps.retain(dict(settings, dry_run=False), api, False, clock())
        result.update(deleted=retained["deleted"], stopped=retained["stopped"])
        if settings.get("expiry"):
            told = steps.expire(dict(settings, rules=settings["expiry"], dry_run=False), api, False, clock())
            result.update(expired=told["expired"], overdue=[one for one in told["kept"] if one["index"] in told["overdue"]])
    return result


def seen(settings, api, now):
    """:returns: metric -> number, of what there is; one that nobody knows is left out."""
    told = steps.age(settings, api, now)
    found = {"unprotected_indices": len(told["unprotected"]), "failed_proofs": len(told["failed_proofs"])}
    for name, age in (("last_success_timestamp_seconds", told["age_seconds"]), ("last_proved_timestamp_seconds", told["proved_age_seconds"])):
        if age is not None:
            found[name] = round(now.timestamp() - age, 3)
    if settings.get("expiry"):
        try:
            # One slot for whoever comes next, and one for a proof that takes long.
            found["indices_overdue"] = len(steps.overdue(dict(settings, rules=settings["expiry"]), api, now, 2 * settings["slot"]))
        except IronrackError:
            pass  # nobody knows it then; how old the backups are is known all the same
    return found


def exposition(values, labels):
    """:returns: Prometheus' text format.

    :param values: metric without its prefix -> number. :param labels: name -> value, of each.
    """
    marked = ",".join('%s="%s"' % (name, value) for name, value in sorted(labels.items()))
    lines = []
    for name, words in METRICS.items():
        if name in values:
            lines += ["# HELP %s%s %s" % (PREFIX, name, words), "# TYPE %s%s gauge" % (PREFIX, name), "%s%s{%s} %s" % (PREFIX, name, marked, values[name])]
    return "".join(line + "\n" for line in lines)
