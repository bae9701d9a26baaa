# Copyright (c) 2026, ironrack.cluster contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""All that speaks against a restore, before anything is changed. Pure.

This is a private module_utils package: it may change in any release.
"""
from __future__ import annotations

import re
from collections import namedtuple

from .._common.refusal import problem
from . import alias_moves, autocreate, disk, manifest, recovering, snapshots
from .manifest import INDEX

#: repository, snapshot, indices: names; partial: whether a PARTIAL snapshot may be restored from; unverified: whether one without a manifest may.
Wish = namedtuple("Wish", ("repository", "snapshot", "indices", "partial", "unverified"))
#: What is there: registered: whether the repository is; snapshot: the Snapshot, or None; sheets: opening, closing and proof, each may be None; damage: why
#: the manifest cannot be relied on, or empty; running: names of snapshots that run; versions: of the nodes; names: name -> what it is; aliases: alias ->
#: index -> options; disks and settings: of the cluster; own: targets that an earlier run of this restore made; recallable: whether the manifest is still to be
#: had from the snapshot itself.
There = namedtuple("There", (
    "registered", "snapshot", "sheets", "damage", "running", "versions", "names", "aliases", "disks", "settings", "own", "recallable"))
#: opening, closing and proof of a snapshot.
Sheets = namedtuple("Sheets", ("opening", "closing", "proof"))
_VERSION = re.compile(r"(\d+)\.(\d+)\.(\d+)")

STREAM = ("Make sure that its index template is there, and that no data stream of its name is (delete it, or rename the restored one by rename_pattern and "
          "rename_replacement); restore it as a whole by POST _snapshot/REPOSITORY/SNAPSHOT/_restore with its name in indices; then wait for "
          "_cat/recovery, and compare its count. An alias cannot be swapped under a data stream, so writers are stopped meanwhile")


def version(text):
    """:returns: (major, minor, patch) of a version, or None."""
    found = _VERSION.match(text or "")
    return tuple(int(part) for part in found.groups()) if found else None


def target_name(index, snapshot):
    """:returns: the name that an index of a snapshot is restored under: the same for each run, so that one that was killed is gone on with."""
    return "%s-restored-%s" % (index, snapshot.started.strftime("%Y%m%dt%H%M%Sz"))


def problems_of(wish, there):
    """:returns: each reason against the restore.

    :param wish: :class:`Wish`. :param there: :class:`There`.
    """
    found = snapshots.index_problems(wish.indices)
    if INDEX in wish.indices:
        found.append(problem("indices", "%s holds the manifests" % INDEX, "indices of your own", "Leave it out; what is needed of it comes back by itself."))
    if not there.registered:
        return found + [problem("repository", "there is no repository %s" % wish.repository, "one that is registered and verified",
                                "Register it with opensearch_repository.")]
    if there.snapshot is None:
        return found + [problem("snapshot", "there is no %s in %s" % (wish.snapshot, wish.repository), "one of the repository",
                                "Correct its name; opensearch_snapshot_info lists them.")]
    return found + _snapshot(wish, there) + _contents(wish, there) + _versions(wish, there) + _manifest(wish, there) + _surroundings(wish, there)


def _snapshot(wish, there):
    wrong = snapshots.shortcomings(there.snapshot)
    if not wrong or (wish.partial and there.snapshot.state == snapshots.PARTIAL):
        return []
    return [problem("snapshot %s" % wish.snapshot, one, "SUCCESS without a failed shard",
                    "Take another one%s." % ("; or allow it with allow_partial, where some documents are better than none"
                                             if there.snapshot.state == snapshots.PARTIAL else "")) for one in wrong]


def _contents(wish, there):
    found = []
    for index in wish.indices:
        where = "index %s" % index
        if index in there.snapshot.data_streams:
            found.append(problem(where, "it is a data stream", "an index", STREAM + "."))
        elif index not in there.snapshot.indices:
            found.append(problem(where, "it is not in snapshot %s" % wish.snapshot, "one of %s" % (", ".join(there.snapshot.indices) or "none"),
                                 "Correct its name, or choose another snapshot."))
        broken = [one for one in there.snapshot.failures if one["index"] == index]
        if broken:
            found.append(problem(where, "%d of its shards are not in the snapshot: %s" % (len(broken), broken[0]["reason"]), "all of them",
                                 "Choose another snapshot: an index cannot be restored in part in the safe order."))
    return found


def _versions(wish, there):
    taken, ours = version(there.snapshot.version), [version(one) for one in there.versions]
    if not taken or not ours or None in ours:
        return [problem("versions", "that of the snapshot is %r, those of the nodes are %s" % (there.snapshot.version, ", ".join(there.versions) or "none"),
                        "versions that can be compared", "Look at the nodes.")]
    found = []
    if taken > min(ours):
        found.append(problem("snapshot %s" % wish.snapshot, "it was taken by %s, and a node runs %s" % (
            there.snapshot.version, ".".join(str(part) for part in min(ours))), "a version of the nodes that is not older", "Upgrade the nodes first."))
    for index in wish.indices:
        entry = ((there.sheets.opening or {}).get("indices") or {}).get(index) or {}
        made = version(entry.get("created_version"))
        if made and made[0] < max(ours)[0] - 1:
            found.append(problem("index %s" % index, "it was made by %s, and the nodes run %s" % (entry["created_version"], max(there.versions)),
                                 "an index of the major version of the nodes, or of the one before",
                                 "Restore it into an older cluster, and reindex from there."))
    return found


def _manifest(wish, there):
    where = "manifest of %s" % wish.snapshot
    if there.damage:
        return [problem(where, there.damage, "the one that was written", "Choose another snapshot.")]
    if there.sheets.opening is None:
        return [] if wish.unverified or there.recallable else [
            problem(where, "there is none, so nothing tells what has to be in it", "one to compare with",
                    "Allow it with allow_unverified, and count by yourself.")]
    return [] if wish.unverified else [
        problem(where, "it says nothing of %s" % index, "the indices that are to be restored", "Allow it with allow_unverified, and count by yourself.")
        for index in wish.indices if index in there.snapshot.indices and index not in there.sheets.opening["indices"]]


def _surroundings(wish, there):
    found = [problem("snapshots", "%s runs" % one, "none", "Wait for it.") for one in there.running]
    if (there.settings.get("transient") or {}).get(autocreate.SETTING) is not None:
        found.append(problem(autocreate.SETTING, "it is set until the next restart of the cluster", "a value that is set for good, or none",
                             "Take the transient one back: it would hide what this restore sets."))
    size, copies = 0, 1
    for index in wish.indices:
        found += _names(index, there)
        entry = ((there.sheets.opening or {}).get("indices") or {}).get(index) or {}
        # What is restored already is on the disks.
        if target_name(index, there.snapshot) not in there.own:
            size += entry.get("bytes", 0) * (1 + entry.get("replicas", 0))
        copies = max(copies, 1 + entry.get("replicas", 0))
    lacks = disk.shortage(there.disks, there.settings, size, 1) or disk.shortage(there.disks, there.settings, 0, copies)
    if lacks:
        found.append(problem("disks", lacks, "room for all copies", "Delete what is not needed, or add a node."))
    return found


def _names(index, there):
    target = target_name(index, there.snapshot)
    found = [problem("index %s" % target, one, "a name that an index can have", "Give the index a shorter one before its next snapshot.")
             for one in recovering.target_problems(target)]
    if there.names.get(target) and target not in there.own:
        found.append(problem("index %s" % target, "it is there, and this restore did not make it", "a name that is free", "Rename or delete it."))
    kind = there.names.get(index)
    if kind == "data_stream":
        found.append(problem("index %s" % index, "a data stream has that name now", "an index, an alias or nothing", "Rename the data stream."))
    if kind == "closed":
        found.append(problem("index %s" % index, "it is closed, so nobody can tell what is in it", "an open index, or none", "Open or delete it."))
    if kind == "alias" and len(there.aliases.get(index) or {}) > 1:
        found.append(problem("index %s" % index, "an alias of several indices has that name now", "an alias of one", "Take the alias away from all but one."))
    return found


def alias_problems(moves, aliases):
    """:returns: the aliases that cannot move. :param moves: of :class:`~.alias_moves.Move`. :param aliases: as they are now."""
    found = alias_moves.problems_of(moves, aliases)
    for alias, entries in sorted(aliases.items()):
        marked = sorted(index for index, options in entries.items() if options.get(alias_moves.WRITE))
        if len(marked) > 1 and any(alias in move.aliases for move in moves):
            found.append(problem("alias %s" % alias, "%s are all marked as its write index" % ", ".join(marked), "one at most",
                                 "Take the mark off the others."))
    return found


def expected(index, sheets):
    """:returns: the :class:`~.manifest.Expected` of an index, or None where no manifest tells it."""
    return manifest.expected(index, sheets.opening, sheets.closing, sheets.proof) if sheets.opening else None
