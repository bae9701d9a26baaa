# Copyright (c) 2026, ironrack.cluster contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The proof of a snapshot: each of its indices is restored under a name of its own, compared with the manifest, and thrown away again.

One index after the other, so that a proof needs room for the largest of them only. A proof that could not be carried out is no verdict on the snapshot:
it is inconclusive, and neither counts nor stops anything.

This is a private module_utils package: it may change in any release.
"""
from __future__ import annotations

import time

from .._common.errors import IronrackError
from .._common.refusal import problem, refuse
from .._common.waiting import WaitTimeout, wait_for
from . import disk, manifest, moments, recovering, snapshots
from .backup_api import NO_SOURCE
from .client import OpenSearchError, OpenSearchUnreachable
from .hashing import sha256
from .manifest import INDEX
from .records import Lease
from .retention import FAIL, INCONCLUSIVE, PASS

#: Begins the name of every scratch index, and of nothing else.
SCRATCH = "ironrack-proof-"
LEASE = "proof of a snapshot"
#: Seconds between two looks at a restore.
INTERVAL = 1
#: Answers that tell something of who asks, or of how busy the cluster is, and nothing of a snapshot.
NO_WORD = (400, 401, 402, 403, 408, 409, 429, 502, 503, 504)


class Undecided(IronrackError):
    """What was to be proved could not be tried."""


def scratch_name(token, index):
    """:returns: the name under which an index is restored; a long one is cut, and told from others by its checksum."""
    name = "%s%s-%s" % (SCRATCH, token, index)
    return name if len(name.encode()) <= 255 else "%s%s-%s" % (SCRATCH, token, sha256(index)[:40])


def problems_of(snapshot, name, sheet):
    """:returns: why a snapshot cannot be proved at all.

    :param snapshot: the :class:`~.snapshots.Snapshot`, or None. :param sheet: its opening sheet, or None.
    """
    where = "snapshot %s" % name
    if snapshot is None:
        return [problem(where, "there is none", "one of the repository", "Correct its name; opensearch_snapshot_info lists them.")]
    found = [problem(where, one, "SUCCESS without a failed shard", "Take another one.") for one in snapshots.shortcomings(snapshot)]
    if sheet is None:
        found.append(problem(where, "it has no manifest", "one to compare with", "Take snapshots with opensearch_snapshot."))
    elif not sheet["indices"]:
        found.append(problem(where, "its manifest has no index", "one at least: nothing would be proved", "Take another one."))
    return found


def verdict(found, undecided, names):
    """:returns: (verdict, complete, why).

    :param found: index -> documents, checksum, problems. :param undecided: why it could not go on, or empty. :param names: of all indices.
    """
    wrong = ["%s: %s" % (index, one) for index, entry in sorted(found.items()) for one in entry["problems"]]
    complete = set(found) == set(names)
    if wrong:
        return FAIL, complete, "; ".join(wrong)
    if undecided or not complete:
        return INCONCLUSIVE, complete, undecided or "not all indices were restored"
    return PASS, True, "%d indices with %d documents were restored and are what the manifest says" % (
        len(found), sum(entry["documents"] for entry in found.values()))


class Prover:
    """Proves one snapshot.

    :param api: a BackupApi. :param records: the Records. :param token: eight random digits of base 16.
    :param timeout: seconds for all of it. :param checksum: whether all documents are read.
    """

    def __init__(self, api, records, token, timeout, checksum=True, clock=time.monotonic, sleep=time.sleep):
        self._api, self._records, self._token = api, records, token
        self._checksum, self._clock, self._sleep = checksum, clock, sleep
        self._end = clock() + timeout

    def look(self, repository, name, recall=None):
        """Look at a snapshot and its manifest.

        :param recall: has a manifest come back that only the snapshot has, and says whether it has it at all.
        :returns: (snapshot, opening sheet, closing sheet).
        :raises Refused: where it cannot be proved.
        """
        snapshot = self._api.snapshot(repository, name)
        sheet, closed = self._records.manifest(repository, snapshot) if snapshot else (None, None)
        if recall and snapshot and sheet is None and recall(snapshot):
            sheet, closed = self._records.manifest(repository, snapshot)
        refuse(problems_of(snapshot, name, sheet))
        return snapshot, sheet, closed

    def prove(self, repository, name, holder):
        """:returns: the sheet of the proof, which is written down by then.

        :param holder: of :func:`.holding.holder`.
        :raises Held: where another proof is under way.
        """
        snapshot, sheet, closed = self.look(repository, name)
        self._records.ensure()
        lease = Lease(self._api, self._records, LEASE, holder, self._clock)
        lease.take()
        self._api.beat = lease.keep
        try:
            # Only one proof is under way at a time: what is left of another one was left by a run that was killed.
            self._discard([one for one in self._api.names()[0] if one.startswith(SCRATCH)])
            found, undecided = {}, ""
            try:
                for index, entry in sorted(sheet["indices"].items(), key=lambda pair: pair[1]["bytes"]):
                    found[index] = self._index(repository, snapshot, index, entry, manifest.expected(index, sheet, closed, None))
            except (Undecided, WaitTimeout, OpenSearchUnreachable) as error:
                undecided = str(error)
            judged, complete, why = verdict(found, undecided, sheet["indices"])
            proof = manifest.proof(snapshot, repository, judged, why, found, complete, moments.now())
            self._records.write(proof)
            return proof
        finally:
            lease.give_back()

    def _discard(self, names):
        for name in names:
            self._api.delete_index(name)

    def _index(self, repository, snapshot, index, entry, wanted):
        """:returns: documents, checksum and problems of one index."""
        target = scratch_name(self._token, index)
        lacks = disk.shortage(self._api.disks(), self._api.cluster_settings(), entry["bytes"], 1)
        if lacks:
            raise Undecided("%s: %s" % (index, lacks))
        try:
            broken = self._restore(repository, snapshot, index, target)
            if broken:
                return {"documents": 0, "checksum": None, "problems": [broken]}
            documents, checksum = self._read(index, target)
            return {"documents": documents, "checksum": checksum, "problems": manifest.mismatches(wanted, documents, checksum)}
        finally:
            self._discard([target])

    def _read(self, index, target):
        self._api.refresh([target])
        if not self._checksum:
            return self._api.count(target), None
        try:
            read = self._api.checksum(target, self._end, self._clock)
        except OpenSearchError as error:
            if error.details.get("reason") == NO_SOURCE:
                return self._api.count(target), None
            raise Undecided("%s: %s" % (index, error))
        if read is None:
            raise Undecided("%s: the time of the proof was over before all of its documents were read" % index)
        return read

    def _restore(self, repository, snapshot, index, target):
        """:returns: why it cannot be restored, or empty."""
        try:
            self._api.restore(repository, snapshot.name, recovering.body(index, target, scratch=True))
        except OpenSearchError as error:
            # A cluster that has no time, and a store that cannot be reached, say nothing about what is in it. One that all nodes can use, and that lacks
            # something, does.
            if error.details.get("status", 0) in NO_WORD or self._api.verify(repository)[0] != 200:
                raise Undecided("%s: %s" % (index, error))
            return str(error)

        def there():
            self._api.beat()
            state, seen = recovering.look(self._api, target)
            return state != recovering.RUNNING, "%s: %s" % (index, seen), (state, seen)

        state, seen = wait_for(there, "the scratch restore of %s" % index, max(0, self._end - self._clock()), INTERVAL, self._clock, self._sleep)
        return seen if state == recovering.BROKEN else ""


def backed_up(names, streams):
    """:returns: the indices that a backup has where none is named, in order: open ones of their own, neither the engine's nor those of ours that come and go.

    :param names: name -> kind. :param streams: index -> the data stream that it belongs to, both as of :meth:`BackupApi.names`.
    """
    return leave_out(sorted(name for name, kind in names.items() if kind == "index" and not snapshots.is_system(name) and name not in streams))


def leave_out(names):
    """:returns: names without the indices of ours that come and go."""
    return [name for name in names if name != INDEX and not name.startswith(SCRATCH)]
