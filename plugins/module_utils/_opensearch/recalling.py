# Copyright (c) 2026, ironrack.cluster contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Brings manifests and proofs back from a snapshot, after the loss of the cluster that had them.

Their index is restored under a scratch name and copied from there, because the new cluster may have one of its own already. What the new one says
stays; what the old one was about to do, and who was at it, is not copied.

This is a private module_utils package: it may change in any release.
"""
from __future__ import annotations

import json
import time

from .._common.errors import IronrackError
from .._common.waiting import wait_for
from . import manifest, proving, recovering
from .manifest import INDEX
from .records import Lease

#: Seconds between two looks.
INTERVAL = 1


def can_be(snapshot):
    """:returns: whether a :class:`~.snapshots.Snapshot` holds its own manifest."""
    return bool(manifest.marked(snapshot)) and INDEX in snapshot.indices


def recall(api, records, repository, snapshot, token, holder, timeout, clock=time.monotonic, sleep=time.sleep):
    """Have the manifests and proofs that a snapshot holds.

    :param token: eight random digits of base 16. :param holder: of :func:`.holding.holder`. :param timeout: seconds for each wait.
    :returns: the users and roles in it, as documents of Records.find: those that the cluster has kept itself may be newer.
    :raises IronrackError: where they cannot be had.
    """
    records.ensure()
    # A proof that begins meanwhile would take the scratch index for one that was left behind.
    lease = Lease(api, records, proving.LEASE, holder, clock)
    lease.take()
    scratch = proving.scratch_name(token, INDEX)
    try:
        api.restore(repository, snapshot.name, recovering.body(INDEX, scratch, scratch=True))

        def there():
            lease.keep()
            state, seen = recovering.look(api, scratch)
            return state != recovering.RUNNING, seen, (state, seen)

        state, seen = wait_for(there, "the manifests in snapshot %s" % snapshot.name, timeout, INTERVAL, clock, sleep)
        if state == recovering.BROKEN:
            raise IronrackError("the manifests in snapshot %s cannot be restored: %s" % (snapshot.name, seen))
        task = api.reindex(scratch, INDEX, {"terms": {"kind": [manifest.OPENING, manifest.CLOSING, manifest.PROOF, manifest.SEALED]}}, op_type="create")
        wait_for(lambda: _copied(api, task), "the manifests to be copied", timeout, INTERVAL, clock, sleep)
        return records.find(manifest.SEALED, repository, index=scratch)
    finally:
        api.delete_index(scratch)
        lease.give_back()


def _copied(api, task):
    found = api.task(task)
    response = (found or {}).get("response") or {}
    if found is None or found.get("error") or response.get("failures"):
        raise IronrackError("the manifests could not be copied: %s" % json.dumps((found or {}).get("error") or response.get("failures") or "no task")[:400])
    return found.get("completed", False), "not all of them are there"
