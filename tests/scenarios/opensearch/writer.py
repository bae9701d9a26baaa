# Copyright (c) 2026, ironrack.cluster contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A writer that remembers what was acknowledged, and a watch of the cluster's colour, while a step lasts."""
from __future__ import annotations

import itertools
import secrets
import threading
import time

from ..common import NotProved
from . import api

#: Seconds between two writes, and between two looks.
PACE, LOOK = 0.1, 0.25
#: Seconds that one write may take. It is not asked again: what has no answer is neither acknowledged nor lost.
PATIENCE = 30
BATCH = 500


class Writer:
    """Documents with ids of their own, one at a time, to the nodes in turn. To be used in a ``with`` block.

    :param addresses: of the nodes. :param index: that the first documents go to; :meth:`turn_to` names another one.
    """

    def __init__(self, addresses, index):
        # Another writer of the same step writes into the same index.
        self._token = secrets.token_hex(4)
        self._addresses, self._index, self._stop = list(addresses), index, threading.Event()
        self._threads = [threading.Thread(target=self._write, daemon=True), threading.Thread(target=self._watch, daemon=True)]
        self.acknowledged, self.failed, self.colours, self.gap = {}, [], [], 0.0

    def __enter__(self):
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, kind, error, trace):
        self._stop.set()
        for thread in self._threads:
            thread.join(2 * PATIENCE)

    def turn_to(self, index):
        """Write into another index from now on."""
        self._index = index

    def _write(self):
        context, last = api.context(), time.monotonic()
        for number, address in zip(itertools.count(), itertools.cycle(self._addresses)):
            if self._stop.wait(PACE):
                return
            index, key = self._index, "doc-%s-%d" % (self._token, number)
            try:
                answer = api.ask(address, "PUT", "/%s/_create/%s" % (index, key), {"number": number}, tls=context, timeout=PATIENCE)
            except OSError as error:
                # A node that is down takes no connection: the next one is asked for the next document.
                self.failed.append((time.time(), address, str(error)))
                continue
            if answer.status == 201:
                self.acknowledged.setdefault(index, []).append(key)
                self.gap, last = max(self.gap, time.monotonic() - last), time.monotonic()
            else:
                self.failed.append((time.time(), address, "%d %s" % (answer.status, str(answer.body)[:200])))

    def _watch(self):
        context = api.context()
        for address in itertools.cycle(self._addresses):
            if self._stop.wait(LOOK):
                return
            try:
                answer = api.ask(address, "GET", "/_cluster/health", tls=context, timeout=5)
            except OSError:
                continue
            if answer.status == 200 and (not self.colours or self.colours[-1][1] != answer.body["status"]):
                self.colours.append((time.time(), answer.body["status"]))

    def lost(self, address):
        """:returns: [(index, copy, id)] of acknowledged documents that a copy has not. :raises NotProved: where nothing was acknowledged."""
        if not any(self.acknowledged.values()):
            raise NotProved("no write was acknowledged: nothing can be said; %d failed, as %s" % (len(self.failed), self.failed[:1]))
        missing = []
        for index, keys in self.acknowledged.items():
            api.well(address, "POST", "/%s/_refresh" % index)
            for copy in ("_primary", "_replica"):
                for start in range(0, len(keys), BATCH):
                    wanted = set(keys[start:start + BATCH])
                    hits = api.well(address, "POST", "/%s/_search?preference=%s" % (index, copy),
                                    {"size": BATCH, "_source": False, "query": {"ids": {"values": sorted(wanted)}}})["hits"]["hits"]
                    missing += [(index, copy, key) for key in sorted(wanted - {hit["_id"] for hit in hits})]
        return missing

    def count(self):
        """:returns: how many writes were acknowledged."""
        return sum(len(keys) for keys in self.acknowledged.values())
