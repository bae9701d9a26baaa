# Copyright (c) 2026, ironrack.cluster contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a snapshot is said to hold, so that a restore can be compared with it. Pure.

A manifest has two sheets. The opening one is written before the snapshot begins, with what is known then; it lies in an index that is part of that
snapshot, so it survives the loss of the cluster, and its checksum stands in the metadata of the snapshot itself, which nobody can change afterwards
(and which takes 1024 bytes, so the sheet itself does not fit there). The closing one is written when the snapshot is over: it says how many
documents there were by then, which indices nobody wrote to meanwhile, and the checksum over all documents of those. It comes with the next
snapshot. Where it is lost, the opening one alone still gives the fewest documents that there have to be.

An index whose highest sequence numbers and count are the same as in an earlier closing sheet has the same documents, so its checksum is taken over from
there instead of reading it again.

This is a private module_utils package: it may change in any release.
"""
from __future__ import annotations

import json
from collections import namedtuple

from .._common.errors import IronrackError
from . import moments
from .hashing import canonical, sha256

#: The index of manifests, proofs and restores. It has no dot in front: see records.
INDEX = "ironrack-backups"
FORMAT = 1
OPENING, CLOSING, PROOF = "opening", "closing", "proof"
#: Users and roles, encrypted, see security_backup.
SEALED = "security"
#: The key of ours in a snapshot's metadata, and how many bytes of JSON the engine takes there in all.
KEY, METADATA_BYTES = "ironrack", 1024
#: Times that each kind of sheet has.
_TIMES = {OPENING: ("time",), CLOSING: ("started", "ended"), PROOF: ("time",)}

#: least and most documents (most is None where nobody knows); checksum to be had with exactly ``least`` documents, or None; basis: where it is from.
Expected = namedtuple("Expected", ("least", "most", "checksum", "basis"))


class ManifestError(IronrackError):
    """A sheet that is not what was written."""


def seal(sheet):
    """:returns: a sheet with the format and its own checksum in it."""
    body = dict({name: value for name, value in sheet.items() if name != "checksum"}, format=FORMAT)
    return dict(body, checksum=sha256(canonical(body)))


def problems_of(sheet):
    """:returns: why a sheet cannot be relied on, in words."""
    if not isinstance(sheet, dict) or sheet.get("kind") not in _TIMES:
        return ["it is no sheet of a manifest"]
    if sheet.get("format") != FORMAT:
        return ["its format is %s, and this release reads %d" % (sheet.get("format"), FORMAT)]
    if seal(sheet)["checksum"] != sheet.get("checksum"):
        return ["its content does not have the checksum that it says"]
    for name in _TIMES[sheet["kind"]]:
        try:
            moments.of_text(sheet[name])
        except (KeyError, TypeError, ValueError):
            return ["its %s is no time with a zone" % name]
    return []


def opened(text, what):
    """:returns: the sheet of a stored text.

    :param what: which one, for the error.
    :raises ManifestError: where it is not what was written.
    """
    try:
        sheet = json.loads(text)
    except (TypeError, ValueError):
        sheet = None
    problems = problems_of(sheet)
    if problems:
        raise ManifestError("%s cannot be relied on: %s" % (what, "; ".join(problems)), problems=problems)
    return sheet


def writes(shards, documents):
    """:returns: a mark of an index that is another one after each write.

    :param shards: shard -> highest sequence number of its primary. :param documents: their count.
    """
    return sha256(canonical([sorted((str(shard), number) for shard, number in shards.items()), documents]))[:32]


def opening(repository, snapshot, indices, versions, now, earlier):
    """:returns: the sheet of before.

    :param indices: name -> uuid, documents, bytes, shards, replicas, created_version, writes and aliases.
    :param versions: of the nodes. :param now: an aware time.
    :param earlier: name -> its entry in an earlier closing sheet, as far as there is one.
    """
    entries = {}
    for name, entry in indices.items():
        last = earlier.get(name) or {}
        settled = (last.get("uuid"), last.get("writes")) == (entry["uuid"], entry["writes"])
        entries[name] = dict(entry, settled=settled, checksum=last.get("checksum") if settled else None)
    return seal({"kind": OPENING, "repository": repository, "snapshot": snapshot, "versions": sorted(set(versions)), "time": moments.text(now),
                 "indices": entries, "documents": sum(entry["documents"] for entry in entries.values())})


def closing(sheet, snapshot, after, checksums):
    """:returns: the sheet of after.

    :param sheet: the opening one. :param snapshot: the :class:`~.snapshots.Snapshot`, over by now.
    :param after: name -> uuid, documents and writes; an index that is gone by then is not in it.
    :param checksums: name -> checksum over all documents, of those that it could be had of.
    """
    entries = {}
    for name, before in sheet["indices"].items():
        now = after.get(name) or {}
        changed = (now.get("uuid"), now.get("writes")) != (before["uuid"], before["writes"])
        entries[name] = {"uuid": before["uuid"], "documents": now.get("documents"), "writes": now.get("writes"), "changed": changed,
                         "checksum": None if changed else checksums.get(name) or before["checksum"]}
    return seal({"kind": CLOSING, "repository": sheet["repository"], "snapshot": snapshot.name, "uuid": snapshot.uuid, "opening": sheet["checksum"],
                 "state": snapshot.state, "started": moments.text(snapshot.started), "ended": moments.text(snapshot.ended), "indices": entries})


def unchanged(sheet, after):
    """:returns: names of indices that nobody wrote to during the snapshot, and of which no checksum is known yet.

    :param sheet: the opening one. :param after: as of :func:`closing`.
    """
    return [name for name, before in sorted(sheet["indices"].items())
            if not before["checksum"] and name in after and (after[name]["uuid"], after[name]["writes"]) == (before["uuid"], before["writes"])]


def metadata(sheet, token):
    """:returns: what is written on the snapshot itself.

    :param token: random text of the one who creates it, who knows it again by that.
    :raises ManifestError: where it is more than the engine takes.
    """
    found = {KEY: {"format": FORMAT, "manifest": sheet["checksum"], "indices": len(sheet["indices"]), "documents": sheet["documents"],
                   "time": sheet["time"], "token": token}}
    if len(canonical(found)) > METADATA_BYTES:
        raise ManifestError("what is to be written on snapshot %s has more than %d bytes" % (sheet["snapshot"], METADATA_BYTES))
    return found


def marked(snapshot):
    """:returns: what we wrote on a :class:`~.snapshots.Snapshot`; empty where it is none of ours."""
    found = (snapshot.metadata or {}).get(KEY)
    return found if isinstance(found, dict) else {}


def belongs(sheet, snapshot):
    """:returns: why an opening sheet is not the one of a snapshot, in words; nothing where it is."""
    mark = marked(snapshot)
    if not mark:
        return ["snapshot %s carries no mark of ours, so nobody knows which manifest is its own" % snapshot.name]
    if mark.get("manifest") != sheet["checksum"]:
        return ["the mark on snapshot %s names another manifest" % snapshot.name]
    missing = sorted(set(sheet["indices"]) - set(snapshot.indices))
    return ["%s should be in snapshot %s, and is not" % (", ".join(missing), snapshot.name)] if missing else []


def proof(snapshot, repository, verdict, why, found, complete, now):
    """:returns: the sheet of a scratch restore.

    :param found: index -> documents, checksum and problems, of those that were restored.
    :param complete: whether those are all. :param now: an aware time.
    """
    return seal({"kind": PROOF, "repository": repository, "snapshot": snapshot.name, "uuid": snapshot.uuid, "verdict": verdict, "why": why,
                 "complete": complete, "indices": found, "time": moments.text(now)})


def expected(index, sheet, closed, proved):
    """What a restored index has to hold.

    :param sheet: the opening sheet. :param closed: the closing one, or None. :param proved: a sheet of a proof that passed, or None.
    :returns: :class:`Expected`, or None where the opening sheet does not have the index.
    """
    before = sheet["indices"].get(index)
    if before is None:
        return None
    restored = ((proved or {}).get("indices") or {}).get(index)
    if restored:
        return Expected(restored["documents"], restored["documents"], restored.get("checksum"), "the proof of %s" % proved["time"])
    after = ((closed or {}).get("indices") or {}).get(index)
    if after and not after["changed"]:
        return Expected(before["documents"], before["documents"], after["checksum"], "the manifest; nobody wrote to it during the snapshot")
    if after and after["documents"] is not None:
        least, most = sorted((before["documents"], after["documents"]))
        return Expected(least, most, None, "the manifest; between the counts before and after the snapshot")
    return Expected(before["documents"], None, before["checksum"], "the opening sheet of the manifest alone; at least the count before the snapshot")


def mismatches(wanted, documents, checksum):
    """:returns: in what a restored index differs from what it has to hold, in words.

    :param wanted: :class:`Expected`. :param documents: its count. :param checksum: over all of them; None where nobody read them.
    """
    found = []
    if documents < wanted.least:
        found.append("%d documents, and at least %d were expected (%s)" % (documents, wanted.least, wanted.basis))
    if wanted.most is not None and documents > wanted.most:
        found.append("%d documents, and at most %d were expected (%s)" % (documents, wanted.most, wanted.basis))
    if not found and checksum and wanted.checksum and documents == wanted.least and checksum != wanted.checksum:
        found.append("as many documents as expected, and not the same ones: their checksum is %s, not %s (%s)" % (checksum, wanted.checksum, wanted.basis))
    return found
