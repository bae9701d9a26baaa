# Copyright (c) 2026, ironrack.cluster contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""All that speaks against an upgrade before it begins, and the order of its nodes. Pure.

This is a private module_utils package: it may change in any release.
"""
from __future__ import annotations

from collections import namedtuple

from .._common.refusal import problem
from .restore_checks import version

#: version: the one that is wanted; nodes: names that the cluster has to have; max_age: seconds that the last proved snapshot may be old;
#: status: the least that the cluster has to be.
Wish = namedtuple("Wish", ("version", "nodes", "max_age", "status"))
#: nodes, indices: as opensearch_info tells of them; status: the cluster's; proved: (name, age in seconds, what it lacks) of the snapshot that one could go
#: back to, as :func:`way_back` finds it, or None.
There = namedtuple("There", ("nodes", "indices", "status", "proved"))

#: The last minor of a major version, which alone the next one joins. Source: minimumCompatibilityVersion of the engine, https://docs.opensearch.org
LAST_MINOR = {1: 3, 2: 19}
#: How many names of indices one sentence has.
NAMED = 10
#: Majors whose indices a major version opens: the one before and itself; 1 and 2 count those of the engine that it came from among them.
OPENS = {1: (6, 7, 1), 2: (7, 1, 2)}


def turns(nodes, wanted):
    """The order in which nodes are upgraded: those without a vote, then those that may be elected, and the elected one last, so that there is one election.

    :param nodes: as opensearch_info tells of them.
    :returns: names of those that do not run the version yet.
    """
    left = [one for one in nodes if one["version"] != wanted]
    return [one["name"] for one in sorted(left, key=lambda one: (one["is_elected"], is_manager(one), one["name"]))]


def is_manager(node):
    """:returns: whether a node may be elected."""
    return bool({"cluster_manager", "master"} & set(node["roles"]))


def problems_of(wish, there):
    """:returns: each reason not to begin, or not to go on, as :func:`problem` gives it.

    :param wish: :class:`Wish`. :param there: :class:`There`.
    """
    left = turns(there.nodes, wish.version)
    found = _nodes(wish, there) + _versions(wish, there)
    if not left:
        return found
    found += _plugins(there) + _indices(wish, there)
    if len(left) == len(there.nodes):
        # Once the first node is another version, the cluster cannot go back, and a snapshot that is taken now would be the new version's.
        found += _snapshot(wish, there) + _status(wish, there)
    return found


def _nodes(wish, there):
    names = {one["name"] for one in there.nodes}
    found = [problem("node %s" % name, "it is not in the cluster", "all nodes of the inventory", "Start it, or take it out of the inventory.")
             for name in wish.nodes if name not in names]
    found += [problem("node %s" % name, "the inventory does not know it", "the nodes of the inventory alone",
                      "Put it into the inventory, or drain it and take it away.") for name in sorted(names - set(wish.nodes))]
    return found


def _versions(wish, there):
    wanted, found = version(wish.version), []
    for node in there.nodes:
        has = version(node["version"])
        where = "node %s" % node["name"]
        if not has or not wanted:
            found.append(problem(where, "it runs %r, and %r is asked for" % (node["version"], wish.version), "versions that can be compared",
                                 "Look at the node."))
        elif has > wanted:
            found.append(problem(where, "it runs %s, which is newer than %s" % (node["version"], wish.version), "a version that is not older than any node's",
                                 "An older one reads nothing that a newer one has written: restore a snapshot into a cluster of that version."))
        elif not _may_join(has, wanted):
            found.append(problem(where, "it runs %s, and nodes of %s join those of %s alone" % (
                node["version"], wish.version, _from(wanted)), "a step that the engine allows", "Upgrade to %s first." % _before(has)))
    return found


def _may_join(has, wanted):
    if has[0] == wanted[0]:
        return True
    return wanted[0] == has[0] + 1 and LAST_MINOR.get(has[0]) is not None and has[1] >= LAST_MINOR[has[0]]


def _from(wanted):
    last = LAST_MINOR.get(wanted[0] - 1)
    return "%d%s" % (wanted[0], " or %d.%d" % (wanted[0] - 1, last) if last is not None else "")


def _before(has):
    last = LAST_MINOR.get(has[0])
    return "%d.%d" % (has[0], last) if last is not None and has[1] < last else "the last minor version of %d" % (has[0] + (last is not None))


def _plugins(there):
    by_version, found = {}, []
    for node in there.nodes:
        by_version.setdefault(node["version"], {}).setdefault(tuple(one["name"] for one in node["plugins"]), []).append(node["name"])
        found += [problem("node %s" % node["name"], "its plugin %s is of %s" % (one["name"], one["version"]), "that of the node, %s" % node["version"],
                          "Have the node run what is on disk, with site.yml.")
                  for one in node["plugins"] if one["version"] and not one["version"].startswith(node["version"])]
    # A version may bring others than the one before: only nodes of the same one are compared.
    for by_set in by_version.values():
        if len(by_set) > 1:
            found.append(problem("plugins", "; ".join("%s: %s" % (", ".join(names), ", ".join(plugins) or "none") for plugins, names in sorted(by_set.items())),
                                 "the same ones on all nodes of a version", "Have all nodes run what is on disk, with site.yml."))
    return found


def _indices(wish, there):
    wanted, found = version(wish.version), []
    # The copies that an index has beside the first one are what serves it while a node is away.
    alone = sum(1 for one in there.nodes if "data" in one["roles"]) < 2
    for index in there.indices:
        made = version(index["created_by_version"])
        where = "index %s" % index["name"]
        if wanted and made and made[0] not in OPENS.get(wanted[0], (wanted[0] - 1, wanted[0])):
            found.append(problem(where, "it was made by %s, and %s does not open it" % (index["created_by_version"], wish.version),
                                 "indices of the major versions %s" % ", ".join(str(one) for one in OPENS.get(wanted[0], (wanted[0] - 1, wanted[0]))),
                                 "Reindex it under another name and delete it, or delete it."))
        if index["replicas"] == 0 and not alone:
            found.append(problem(where, "it has no replica: it would be red while the node of its shard is away", "one replica at least",
                                 "Set index.number_of_replicas to 1, or delete it."))
    return found


def _snapshot(wish, there):
    if wish.max_age <= 0:
        return []
    mend = "Run opensearch_backup with -e '{\"opensearch_backup_prove_every\": 0}'."
    if there.proved is None:
        return [problem("snapshots", "none is proved by a restore: there is no way back from an upgrade but a snapshot",
                        "one that is proved, at most %d s old" % wish.max_age, mend)]
    name, age, lacking = there.proved
    found = []
    if age > wish.max_age:
        found.append(problem("snapshot %s" % name, "it is the last one that is proved, and %d s old" % age, "at most %d s" % wish.max_age, mend))
    if lacking:
        more = " and %d more" % (len(lacking) - NAMED) if len(lacking) > NAMED else ""
        found.append(problem("snapshot %s" % name, "it is the last one that is proved, and does not have what was there when it was taken: %s%s" % (
            ", ".join(lacking[:NAMED]), more), "a proved snapshot of all indices", mend + " Without opensearch_backup_indices it takes all there are."))
    return found


def way_back(proved, there):
    """Which snapshot one could go back to after an upgrade: the newest that has all that was there when it was taken, else the newest.

    :param proved: (:class:`snapshots.Snapshot`, age in seconds) of those that a scratch restore has proved.
    :param there: name -> when it was made, an aware moment, or None where nobody knows, of the indices and data streams that should be in it.
    :returns: (name, age in seconds, names that it lacks), or None where none is proved. What was made later is in none, and what it lacks by then.
    """
    found = []
    for one, age in sorted(proved, key=lambda pair: pair[1]):
        held = set(one.indices) | set(one.data_streams)
        lacking = sorted(name for name, made in there.items() if name not in held and (made is None or made < one.started))
        found.append((one.name, age, lacking))
    return next((one for one in found if not one[2]), found[0] if found else None)


def _status(wish, there):
    if there.status == "red":
        return [problem("cluster", "it is red: some shard has no copy", "a cluster that is green", "Bring its nodes back, or restore a snapshot.")]
    if there.status == "yellow" and wish.status == "green":
        return [problem("cluster", "it is yellow: some shard lacks a copy", "a cluster that is green",
                        "Wait for its copies; or, where they cannot be placed, say opensearch_restart_status=yellow, by which a node is stopped only where "
                        "each of its shards has another copy.")]
    return []
