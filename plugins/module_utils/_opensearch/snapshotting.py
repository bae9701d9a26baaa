# Copyright (c) 2026, ironrack.cluster contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Takes a snapshot, with its manifest. What is decided is decided by snapshots and manifest.

This is a private module_utils package: it may change in any release.
"""
from __future__ import annotations

import time

from .._common.errors import IronrackError
from .._common.refusal import problem, refuse
from .._common.waiting import WaitTimeout, wait_for
from . import manifest, moments, proving, snapshots
from .client import OpenSearchError, OpenSearchUnreachable
from .manifest import INDEX

#: Seconds between two looks at a snapshot.
INTERVAL = 1
#: What the engine says of a name that is taken, by a snapshot that is there or by one that runs.
_TAKEN = ("invalid_snapshot_name_exception", "snapshot_name_already_in_use_exception")


class SnapshotFailed(IronrackError):
    """The snapshot is over, and not what it has to be. Its details are those of the snapshot."""


class Taker:
    """Takes one snapshot.

    :param api: a BackupApi. :param records: the Records. :param repository: the repository's name. :param indices: names of indices, each by itself.
    :param token: random text by which this run knows its own snapshot again.
    """

    def __init__(self, api, records, repository, indices, token, clock=time.monotonic, sleep=time.sleep):
        self._api, self._records, self._repository, self._token = api, records, repository, token
        self._indices = proving.leave_out(indices)
        self._clock, self._sleep = clock, sleep

    def look(self, name, foretold=False):
        """:param foretold: whether there may be no repository yet, since only a check run asks.

        :returns: the :class:`~.snapshots.Snapshot` that has the name already, or None. :raises Refused: with all that speaks against taking it.
        """
        found = snapshots.engine_name_problems("repository", self._repository) + snapshots.engine_name_problems("snapshot", name)
        found += snapshots.index_problems(self._indices)
        refuse(found)
        registered = self._api.repository(self._repository) is not None
        if not registered and not foretold:
            found.append(problem("repository", "there is no repository %s" % self._repository, "one that is registered and verified",
                                 "Register it with opensearch_repository."))
        found += snapshots.presence_problems(self._indices, self._api.names()[0])
        refuse(found)
        return self._api.snapshot(self._repository, name) if registered else None

    def take(self, name, partial, timeout, checksum_seconds):
        """Take a snapshot, and wait for its end.

        :param partial: whether it may lack shards. :param timeout: seconds for the snapshot.
        :param checksum_seconds: for reading the documents of indices that nobody writes to; what is not read in that time is read next time.
        An index of which a shard has no copy is in a partial snapshot, and not in its manifest: nobody knows what it should have.

        :returns: (snapshot, whether this run took it, opening sheet or None, closing sheet or None).
        :raises Refused: where an index lacks a shard, and was not allowed to.
        :raises SnapshotFailed: where it is not whole, and was not allowed not to be.
        :raises WaitTimeout: where it is not over in time; it goes on.
        """
        red = self._api.red(self._indices)
        if not partial:
            refuse([problem("index %s" % one, "it is red: a shard of it has no copy", "a copy of each shard",
                            "Bring back a node that had one, or restore the index; or leave it out. What is left of it is taken with allow_partial.")
                    for one in red])
        self._records.ensure()
        sheet = self._open(name, [one for one in self._indices if one not in red])
        identity = self._records.write(sheet)
        body = snapshots.create_body(self._indices + [INDEX], manifest.metadata(sheet, self._token), partial)
        if not self._create(name, body):
            self._records.remove(identity)
            return self._api.snapshot(self._repository, name), False, None, None
        snapshot = self._ended(name, timeout)
        wrong = snapshots.shortcomings(snapshot)
        if wrong and not (partial and snapshot.state == snapshots.PARTIAL):
            raise SnapshotFailed("snapshot %s cannot be relied on: %s. It stays until its age is over; take another one" % (name, "; ".join(wrong)),
                                 **snapshots.told(snapshot))
        closed = self._close(sheet, snapshot, checksum_seconds)
        return snapshot, True, sheet, closed

    def _open(self, name, whole):
        self._api.refresh(whole)
        earlier = self._records.known(self._repository)
        versions = [node["version"] for node in self._api.nodes().values()]
        return manifest.opening(self._repository, name, self._described(whole), versions, moments.now(), earlier)

    def _described(self, names):
        found = {}
        for name, entry in self._api.describe(names).items():
            numbers = entry.pop("seq_nos")
            found[name] = dict(entry, writes=manifest.writes(numbers, entry["documents"]))
        return found

    def _create(self, name, body):
        """:returns: whether the snapshot is this run's: an answer that was lost, and a name that is taken, are told apart by its token."""
        lost = None
        try:
            status, answer = self._api.create(self._repository, name, body)
        except OpenSearchUnreachable as error:
            status, answer, lost = None, {}, error
        if status == 200:
            return True
        error = answer.get("error")
        if status is not None and not (status in (400, 409) and isinstance(error, dict) and error.get("type") in _TAKEN):
            raise self._api.client.refusal(status, answer, "creating snapshot %s" % name)
        there = self._api.snapshot(self._repository, name)
        if there is None:
            raise lost or self._api.client.refusal(status, answer, "creating snapshot %s" % name)
        return manifest.marked(there).get("token") == self._token

    def _ended(self, name, timeout):
        def over():
            try:
                found = self._api.snapshot(self._repository, name)
            except (OpenSearchError, OpenSearchUnreachable) as error:
                return False, str(error)
            if found is None:
                raise SnapshotFailed("snapshot %s is gone: somebody deleted it while it was taken" % name)
            return found.state != snapshots.IN_PROGRESS, "%s, %d of %d shards" % (found.state, found.shards["successful"], found.shards["total"]), found

        return wait_for(over, "snapshot %s to be over; it goes on by itself" % name, timeout, INTERVAL, self._clock, self._sleep)

    def _close(self, sheet, snapshot, seconds):
        there = self._api.names()[0]
        names = [name for name in sheet["indices"] if there.get(name) == "index"]
        red = self._api.red(names)
        names = [name for name in names if name not in red]
        self._api.refresh(names)
        after = self._described(names)
        closed = manifest.closing(sheet, snapshot, after, self._checksums(manifest.unchanged(sheet, after), after, self._clock() + seconds))
        self._records.write(closed)
        return closed

    def _checksums(self, names, after, deadline):
        """:returns: name -> checksum, of indices that nobody wrote to while they were read."""
        found = {}
        for name in sorted(names, key=lambda one: after[one]["documents"]):
            if self._clock() >= deadline:
                break
            try:
                read = self._api.checksum(name, deadline, self._clock)
                if read and self._described([name])[name]["writes"] == after[name]["writes"]:
                    found[name] = read[1]
            except OpenSearchError:
                # An index without sources, or one that went away: without a checksum its count is what it is compared by.
                continue
        return found


def delete(api, records, repository, snapshot, timeout, clock=time.monotonic, sleep=time.sleep):
    """Delete a snapshot, and what is written down about it.

    :param snapshot: the :class:`~.snapshots.Snapshot`. :param timeout: seconds until it is gone.
    :raises WaitTimeout: where it is still there then.
    """
    said = api.delete_snapshot(repository, snapshot.name)

    def gone():
        found = api.snapshot(repository, snapshot.name)
        return found is None or found.uuid != snapshot.uuid, said or "it is there, %s" % (found and found.state)

    try:
        wait_for(gone, "snapshot %s to be gone" % snapshot.name, timeout, INTERVAL, clock, sleep)
    except WaitTimeout as late:
        raise IronrackError("%s. The engine may still be at it; run this again to see" % late, **late.details)
    records.forget(repository, snapshot)
