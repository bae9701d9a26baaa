# Copyright (c) 2026, ironrack.cluster contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Decide what an etcd member needs. Pure: no Ansible, no I/O.

Two facts carry everything here. A member that has once been part of a cluster has promised its votes to it: started with an empty data
folder under its old identity it breaks those promises, and the cluster can lose what it had acknowledged. So an empty data folder on a
known member is refused, whoever asks. And a cluster of n voters works while more than half of them do: so nothing stops one unless all
the others are healthy at that moment.

This is a private module_utils package: it may change in any release.
"""
from __future__ import annotations

from collections import namedtuple

#: A member as the cluster's own list has it. id: hex. Until it has published itself it has no client URLs (etcd's own criterion).
Member = namedtuple("Member", ("id", "name", "peer_urls", "client_urls", "learner"))

#: What a host sees. model: the names of all members of the inventory; data: its data folder holds a log; formed: it has once been ready
#: as part of a cluster; state: systemd's ActiveState; stale: why what runs is not what is on disk; members: the list of the cluster that
#: answers, or None; living: something listens where other members should (asked in check mode only, where there may be no client yet);
#: unformed: the members known to have never been part of a cluster, or None where that was not asked yet.
Observation = namedtuple("Observation", ("name", "peer_url", "model", "data", "formed", "state", "stale", "members", "living", "unformed"))

#: action: none, start, restart, agree, bootstrap, join (add as a learner where id is "", start, promote), promote or refuse.
#: guarded: only under the quorum guard. id: the member's, hex.
Decision = namedtuple("Decision", ("action", "reasons", "guarded", "id"))

RUNNING = ("active", "reloading", "activating", "refreshing")


def decide(seen):
    """What the member of this host needs.

    :param seen: an :class:`Observation`.
    :returns: a :class:`Decision`.
    """
    me = find(seen)
    wrong = misfit(seen, me)
    if wrong:
        return refuse(wrong, me)
    if seen.state in RUNNING:
        return decide_running(seen, me)
    if seen.data:
        return Decision("start", ["it is %s and has its data" % seen.state], False, me.id if me else "")
    if seen.members is not None or seen.living:
        return decide_join(seen, me)
    return decide_bootstrap(seen)


def find(seen):
    """:returns: this host's entry in the cluster's list, by its peer URL or else its name; None where it has none."""
    for member in seen.members or ():
        if seen.peer_url in member.peer_urls:
            return member
    for member in seen.members or ():
        if member.name == seen.name:
            return member
    return None


def misfit(seen, me):
    """:returns: why the cluster's list and this host contradict each other, or ""."""
    if seen.members is None:
        return ""
    if me is None:
        if seen.data or seen.state == "active":
            return ("it has data of a cluster that does not list it (any more), so it was removed. To take it in again as a new member: "
                    "systemctl stop etcd, move its data folder aside, and run this again")
        return ""
    if seen.peer_url not in me.peer_urls:
        return ("the cluster lists %s with the peer URL %s, but this host is to have %s. Move it with: etcdctl member update %s "
                "--peer-urls=%s" % (me.name, ",".join(me.peer_urls), seen.peer_url, me.id, seen.peer_url))
    if me.client_urls and not seen.data and seen.state not in RUNNING:
        return ("it is a known member (ID %s) with an empty data folder: never bootstrapped, as it has promised votes that it no longer "
                "remembers. If the data are elsewhere, put them back. If they are lost, remove the member on a living one with: etcdctl "
                "member remove %s, then run this again: it joins as a new learner" % (me.id, me.id))
    return ""


def refuse(reason, me=None):
    """:returns: a refusal."""
    return Decision("refuse", [reason], False, me.id if me else "")


def decide_running(seen, me):
    """What a member that runs, or is being started, needs."""
    if seen.stale:
        # one that waits for its quorum, or fails again and again, serves nobody: restarting it can cost nothing
        return Decision("restart", list(seen.stale), seen.state != "activating", me.id if me else "")
    if me is not None and me.learner:
        return Decision("promote", ["it is a learner"], False, me.id)
    return Decision("none", [], False, me.id if me else "")


def decide_join(seen, me):
    """How a host without data comes into a cluster that lives."""
    if me is None:
        return Decision("join", ["the cluster lives and does not list it"], True, "")
    return Decision("join", ["the cluster lists it and it has never been started"], False, me.id)


def decide_bootstrap(seen):
    """Whether a host without data may found a cluster, when no other member answers.

    Silence says nothing: the others may be cut off or stopped. So each host says first what it has itself (``agree``), and a cluster is
    founded only when every member of the inventory was asked and none has ever been part of one.
    """
    if seen.formed:
        return refuse("it has been a member before (its record says so), its data folder is empty, and no other member answers: never "
                      "bootstrapped. Put its data back; or bring the other members back, and this says how to replace it; or restore the "
                      "cluster from a snapshot")
    if seen.unformed is None:
        return Decision("agree", ["it has no data and no other member answers"], False, "")
    doubtful = sorted(set(seen.model) - set(seen.unformed) - {seen.name})
    if doubtful:
        return refuse("it has no data, no other member answers, and whether %s ever had any is not known or they do: a new cluster beside "
                      "an old one would lose the old one's data. Include all etcd hosts in this run and have them reachable; where they "
                      "are stopped, start etcd there; where they are gone for good, take them out of the inventory"
                      % " and ".join(doubtful))
    return Decision("bootstrap", ["no member of the inventory has ever been part of a cluster"], False, "")


def quorum_guard(members, mine, health):
    """Say why the member ``mine`` must not be stopped now.

    :param members: all of the cluster.
    :param mine: the ID of the one that would be stopped.
    :param health: {ID: ""} for each that answered a linearizable read, {ID: what it said} for the others.
    :returns: the reasons; none where it may be stopped.
    """
    reasons = []
    others = [member for member in members if member.id != mine and not member.learner]
    if not any(member.id == mine for member in members):
        return ["the cluster does not list this member"]
    for member in others:
        if health.get(member.id, "nobody asked"):
            reasons.append("%s is not healthy: %s" % (member.name or member.id, health.get(member.id, "nobody asked")))
    stops_voter = any(member.id == mine and not member.learner for member in members)
    voters = len(others) + stops_voter
    if stops_voter and others and len(others) < voters // 2 + 1:
        reasons.append("of %d voting members %d would remain, and %d are needed: a cluster of two cannot spare one. Add a third member first"
                       % (voters, len(others), voters // 2 + 1))
    return reasons


def join_guard(members, health):
    """Say why no member may be added now.

    :returns: the reasons; none where one may.
    """
    reasons = ["%s (ID %s) is not healthy: %s" % (member.name or "an unstarted member", member.id, health.get(member.id, "nobody asked"))
               for member in members if not member.learner and health.get(member.id, "nobody asked")]
    reasons += ["%s (ID %s) is a learner still: let it be promoted first" % (member.name or "an unstarted member", member.id)
                for member in members if member.learner]
    return reasons


def initial_environment(pairs, state, token):
    """:returns: the environment file that a first start reads: the members to begin with, and whether they are a cluster yet."""
    return "".join("%s=%s\n" % pair for pair in (
        ("ETCD_INITIAL_CLUSTER", ",".join("%s=%s" % pair for pair in pairs)),
        ("ETCD_INITIAL_CLUSTER_STATE", state),
        ("ETCD_INITIAL_CLUSTER_TOKEN", token)))


def joined_pairs(members, name, peer_url):
    """:returns: (name, peer URL) of every member, as ``etcdctl member add`` prints them; the one without a name is this host."""
    return [(name if peer_url in member.peer_urls else member.name or member.id, url) for member in members for url in member.peer_urls]
