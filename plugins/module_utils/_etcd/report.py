# Copyright (c) 2026, ironrack.cluster contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What an etcd cluster says of itself, put together from its members' answers. Pure: no Ansible, no I/O.

This is a private module_utils package: it may change in any release.
"""
from __future__ import annotations


def report(endpoints, health, listing, status, alarms, keys):
    """Put the answers together.

    :param health: {endpoint: "" or what went wrong}, by linearizable reads.
    :param listing: the client's Listing, or None where no member answered.
    :param status: {endpoint: parsed status}.
    :returns: the result of etcd_cluster_info, less ``changed``.
    """
    result = {"reachable": listing is not None, "quorum": any(not error for error in health.values()), "leader": "", "cluster_id": "",
              "raft_term": 0, "members": [], "alarms": alarms, "keys": keys,
              "errors": dict((endpoint, error) for endpoint, error in health.items() if error)}
    if listing is None:
        return result
    result.update(cluster_id=listing.cluster_id, raft_term=listing.raft_term)
    by_id = dict((entry["id"], (endpoint, entry)) for endpoint, entry in status.items())
    for member in listing.members:
        endpoint, known = by_id.get(member.id, (None, {}))
        endpoint = endpoint or next((url for url in member.client_urls if url in health), None)
        error = "never started" if not member.client_urls else health.get(endpoint, "not among the endpoints that were asked")
        if member.learner and known and not known["errors"]:
            error = ""  # a learner answers no linearizable read; that it answers at all is its health
            result["errors"].pop(endpoint, None)
        leader = known.get("leader") == member.id
        if leader:
            result["leader"] = member.name
        result["members"].append({
            "id": member.id, "name": member.name, "peer_urls": list(member.peer_urls), "client_urls": list(member.client_urls),
            "learner": member.learner, "healthy": not error, "leader": leader, "version": known.get("version", ""),
            "db_size": known.get("db_size", 0), "db_size_in_use": known.get("db_size_in_use", 0), "error": error})
    return result


def shortcomings(found, expected_members):
    """Say what keeps the cluster from being as well as it is waited for.

    :param expected_members: how many voting members must be healthy; 0 where quorum is enough.
    :returns: the reasons; none where it is well.
    """
    if not found["reachable"] or not found["quorum"]:
        return ["no member answers a linearizable read (%s)" % ("; ".join(
            "%s: %s" % pair for pair in sorted(found["errors"].items())) or "no endpoint was asked")]
    healthy = [member for member in found["members"] if member["healthy"] and not member["learner"]]
    if len(healthy) >= expected_members:
        return []
    return ["%d of %d expected members are healthy" % (len(healthy), expected_members)] + [
        "%s: %s" % (member["name"] or member["id"], member["error"] or "it is a learner")
        for member in found["members"] if not member["healthy"] or member["learner"]]


def alarm_words(found):
    """:returns: what the cluster's alarms mean and what to do, in a sentence each."""
    names = dict((member["id"], member["name"]) for member in found["members"])
    cures = {
        "NOSPACE": "its database reached its quota and takes no more writes: find what fills it, compact and defragment it (etcdctl "
                   "defrag), or raise etcd_quota_backend_bytes, then etcdctl alarm disarm",
        "CORRUPT": "its data differ from the other members': take the member out and let it join anew, then etcdctl alarm disarm",
    }
    return ["%s on %s: %s" % (alarm["alarm"], names.get(alarm["member_id"]) or alarm["member_id"], cures.get(alarm["alarm"], "see etcdctl alarm list"))
            for alarm in found["alarms"]]
