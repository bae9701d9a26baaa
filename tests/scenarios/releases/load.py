# Copyright (c) 2026, ironrack.cluster contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Clients and streams at the balancers' own addresses, and a watch of what those serve, for as long as a block of a step lasts."""
from __future__ import annotations

import threading
import time
from contextlib import ExitStack

from ...traffic import tally
from ...traffic.client import Clients, Streams, chat, get

from ..common import NotProved
from ..share import among_hosts
from . import service
from .size import KEYS
from .verdicts import Sample

#: Seconds between two looks at a balancer.
LOOK = 0.1
WORKERS, TIME_OUT = 24, 6.0
#: A stream of the lab's application lasts for its tokens times LLM_FAULT_TOKEN_SECONDS of the inventory.
TOKENS, TOKEN_SECONDS, STREAM_LIMIT = 60, 0.25, 60.0
#: Requests are bounded by their number, too: nobody is asked for ever where a step hangs.
MOST = 400000


class Watch(threading.Thread):
    """Asks one balancer, again and again, what its running workers serve. ``samples`` holds the answers."""

    def __init__(self, name, address):
        super().__init__(daemon=True)
        self._name, self._address = name, address
        self._halt = threading.Event()
        self.samples = []

    def run(self):
        while not self._halt.is_set():
            try:
                status = service.running(self._address)
            except OSError:
                status = None
            generation, weights = (status["generation"], status["weights"]) if status else (None, {})
            self.samples.append(Sample(time.time(), self._name, generation, weights))
            self._halt.wait(LOOK)

    def stop(self):
        """Look no more."""
        self._halt.set()
        self.join()


class Load:
    """Clients, streams and watches, running inside of a ``with`` block.

    :param inventory: of the lab.
    :param port: of the service on its balancers.
    :param rate: requests a second of all clients together, at most.
    :param workers: connections. A request that is slow holds one: with few of them it would hold up all others.
    :param streams: how many to keep open, 0 for none.
    :param only: balancers that are asked; all are watched.
    :param patience: seconds from a request to the end of its answer; after that it has failed.
    """

    def __init__(self, inventory, port, rate, workers=WORKERS, streams=0, only=None, patience=TIME_OUT):
        self.balancers = service.balancers(inventory)
        asked = service.targets([address for name, address in self.balancers.items() if only is None or name in only], port)
        self._clients = Clients(asked, get("/v1/models"), workers, KEYS, rate, patience, MOST)
        # Begun evenly over a stream's life: together they would end together, and a switch would meet none.
        self._streams = Streams(asked, chat(TOKENS, stream=True), streams, STREAM_LIMIT, TOKENS * TOKEN_SECONDS / streams) if streams else None
        self._watches = [Watch(name, address) for name, address in self.balancers.items()]
        self._parts = [self._clients, *([self._streams] if streams else []), *self._watches]
        self.begun = None
        self._share = ExitStack()

    def __enter__(self):
        self._share.enter_context(among_hosts())
        self.begun = time.time()
        for part in self._parts:
            part.start()
        return self

    def __exit__(self, kind, error, trace):
        with self._share:
            for part in self._parts:
                part.stop()

    @property
    def answers(self):
        """What became of each request so far."""
        return self._clients.answers

    @property
    def streams(self):
        """The streams that have ended."""
        return self._streams.streams if self._streams else []

    @property
    def samples(self):
        """What the balancers said, in the order of time."""
        return sorted((sample for watch in self._watches for sample in list(watch.samples)), key=lambda sample: sample.at)

    def open_streams(self):
        """:returns: how many streams are open now."""
        return self._streams.open() if self._streams else 0

    def latest(self):
        """:returns: {balancer: the newest :class:`Sample` of it}."""
        return {watch.samples[-1].balancer: watch.samples[-1] for watch in self._watches if watch.samples}

    def weights(self, release):
        """:returns: {balancer: percent of a release now, None where it does not answer}."""
        return {name: None if sample.generation is None else sample.weights.get(release, 0) for name, sample in self.latest().items()}

    def rate(self, seconds=5.0):
        """:returns: answers a second in the last so many seconds."""
        since = time.time() - seconds
        return sum(1 for answer in list(self.answers) if answer.finished >= since and not answer.error) / seconds

    def warm(self, streams=0):
        """Wait until requests are answered and so many streams are open. :raises NotProved: where they never are."""
        service.until("an answer of the service", 60, lambda: any(not answer.error for answer in list(self.answers)))
        if streams:
            service.until("%d open streams" % streams, 90, lambda: self.open_streams() >= streams)

    def summary(self):
        """:returns: the clients' counts. :raises NotProved: where nothing was asked."""
        if not self.answers:
            raise NotProved("the clients asked nothing")
        found = dict(tally.summarise(self.answers), connections=self._clients.connections)
        found["failures"] = found["failures"][:200]
        return found
