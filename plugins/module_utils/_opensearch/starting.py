# Copyright (c) 2026, ironrack.cluster contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Decide what the OpenSearch node of a host needs. Pure: no Ansible, no I/O.

Two facts carry everything here. Only managers that are told so found a cluster, and one that is founded beside an old one would take its nodes'
indices from it: so they are told once, when every manager was asked and none of all nodes has ever been part of a cluster. And a node that serves
is only restarted by whoever has seen that all the others are well: so a restart is asked for, and never taken.

This is a private module_utils package: it may change in any release.
"""
from __future__ import annotations

from collections import namedtuple

#: What a host sees. managers: names of the cluster's managers; state: systemd's ActiveState; stale: why what runs is not what is on disk;
#: formed: it has once been part of a cluster; known: node -> whether it has, of those that were asked; None where nobody was asked yet;
#: may_restart: whoever asks has seen that all the others are well.
Observation = namedtuple("Observation", ("name", "managers", "state", "stale", "formed", "known", "may_restart"))

#: action: none, start, found (start as one of the founders), restart, agree (the others have to be asked first), wait (for a turn to be
#: restarted) or refuse.
Decision = namedtuple("Decision", ("action", "reasons"))

RUNNING = ("active", "reloading", "activating", "refreshing")
#: Actions after which another process runs.
ACTS = ("start", "found", "restart")


def decide(seen):
    """What the node of this host needs.

    :param seen: an :class:`Observation`.
    :returns: a :class:`Decision`.
    """
    if seen.state in RUNNING:
        return _of_running(seen)
    reason = "it is %s" % (seen.state or "unknown")
    if seen.formed:
        return Decision("start", [reason])
    if seen.known is None:
        return Decision("agree", [reason])
    return _of_new(seen, reason)


def _of_running(seen):
    if not seen.stale:
        return Decision("none", [])
    if seen.may_restart:
        return Decision("restart", list(seen.stale))
    if seen.formed:
        return Decision("wait", list(seen.stale))
    if seen.known is None:
        return Decision("agree", list(seen.stale))
    # Nobody has a cluster yet: there is nothing that a restart could cost, and all of them may be restarted at once.
    return Decision("wait" if any(seen.known.values()) else "restart", list(seen.stale))


def _of_new(seen, reason):
    formed = sorted(name for name, has in seen.known.items() if has)
    unasked = sorted(set(seen.managers) - set(seen.known) - {seen.name})
    if not formed and not unasked:
        if seen.name not in seen.managers:
            return Decision("start", [reason])
        return Decision("found", [reason, "no node has ever been part of a cluster"])
    lost = not unasked and not set(formed).intersection(seen.managers)
    if lost:
        return Decision("refuse", [
            "%s %s been part of a cluster, and none of its managers (%s) remembers one: new managers would found a cluster that knows no index of "
            "the old one. Put the managers' data and %s back; or, where nobody needs the old indices, move the data of %s aside with its record "
            "that it was part of a cluster" % (", ".join(formed), "has" if len(formed) == 1 else "have", ", ".join(sorted(seen.managers)),
                                               "their record of it", ", ".join(formed))])
    return Decision("start", [reason, "it joins a cluster that is there"])


def first_start(managers):
    """:returns: the environment of a founder's start: the engine ignores it as soon as there is a cluster, and it is taken away then."""
    return ("# Written by ironrack.cluster.opensearch_node for the first start; taken away once there is a cluster.\n"
            "FIRST_START=-Ecluster.initial_cluster_manager_nodes=%s\n" % ",".join(managers))
