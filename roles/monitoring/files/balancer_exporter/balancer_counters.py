# Copyright (c) 2026, ironrack.cluster contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Numbers by metric and labels, and their text for Prometheus. Pure."""
from __future__ import annotations

import bisect
import math

#: What is there at 0 before the first request of a release: Prometheus sees no increase in a counter that is born with a value.
STATUSES = ("200", "429", "499", "500", "502", "503", "504")
TRIES = STATUSES + ("none", "broken")
COUNTERS = (
    ("ironrack_requests_total", "Requests by what the client got, and whether it got all of it: complete, broken by the pod, left by the client."),
    ("ironrack_upstream_tries_total", "Tries of a release by their status; none: no answer, broken: the answer was broken off."),
    ("ironrack_streams_total", "Answers of type text/event-stream by their end: complete, broken by the pod, left by the client."),
    ("ironrack_direct_requests_total", "Requests that a tester sent to a release by its name; they count nowhere else."),
    ("ironrack_log_lines_total", "Lines of the logs that were read: counted, error, or unreadable."),
    ("ironrack_log_files_lost_total", "Logs that were gone before they were read to their end."),
)
HISTOGRAMS = (
    ("ironrack_request_duration_seconds", "Whole requests that are no streams. One that the client gave up without an answer took longer than any bound."),
    ("ironrack_first_byte_seconds", "From the first try to the answer's header, streams included."),
)


class Counters:
    """Numbers by metric and labels."""

    def __init__(self, bounds):
        self.bounds = tuple(bounds)
        self.numbers = {name: {} for name, dummy in COUNTERS}
        self.buckets = {name: {} for name, dummy in HISTOGRAMS}     # labels -> [count of each bucket and above, sum]

    def add(self, metric, amount=1, **labels):
        key = tuple(labels.items())
        self.numbers[metric][key] = self.numbers[metric].get(key, 0) + amount

    def observe(self, metric, value, **labels):
        counts = self.buckets[metric].setdefault(tuple(labels.items()), [0] * (len(self.bounds) + 1) + [0.0])
        if value is not None:
            counts[bisect.bisect_left(self.bounds, value)] += 1
            counts[-1] += value if value < math.inf else self.bounds[-1]

    def prepare(self, service, release):
        """Have what a release will be counted by, at 0."""
        of = {"service": service, "release": release}
        for status in TRIES:
            self.add("ironrack_upstream_tries_total", 0, status=status, **of)
        for status in STATUSES:
            self.add("ironrack_requests_total", 0, status=status, completion="left" if status == "499" else "complete", **of)
        # What breaks began well: without a 0 before it, a first burst of broken answers would be no increase.
        for completion in ("broken", "left"):
            self.add("ironrack_requests_total", 0, status="200", completion=completion, **of)
        for completion in ("complete", "broken", "left"):
            self.add("ironrack_streams_total", 0, completion=completion, **of)
        for metric, dummy in HISTOGRAMS:
            self.observe(metric, None, **of)

    def count(self, request):
        of = {"service": request.service, "release": request.release}
        if request.direct:
            self.add("ironrack_direct_requests_total", status=request.status, **of)
            return
        if (("service", request.service), ("release", request.release)) not in self.buckets[HISTOGRAMS[0][0]]:
            self.prepare(request.service, request.release)
        self.add("ironrack_requests_total", status=request.status, completion=request.completion, **of)
        for status in request.tries:
            self.add("ironrack_upstream_tries_total", status=status, **of)
        if request.stream:
            self.add("ironrack_streams_total", completion=request.completion, **of)
        self.observe("ironrack_request_duration_seconds", request.duration, **of)
        self.observe("ironrack_first_byte_seconds", request.first_byte, **of)

    def dump(self):
        """:returns: all of it, for :meth:`load`."""
        return {"bounds": self.bounds, "numbers": {name: list(found.items()) for name, found in self.numbers.items()},
                "buckets": {name: list(found.items()) for name, found in self.buckets.items()}}

    def load(self, dumped):
        for name, found in dumped["numbers"].items():
            self.numbers.setdefault(name, {}).update((tuple(map(tuple, labels)), number) for labels, number in found)
        if tuple(dumped["bounds"]) == self.bounds:
            for name, found in dumped["buckets"].items():
                self.buckets.setdefault(name, {}).update((tuple(map(tuple, labels)), counts) for labels, counts in found)

    def lines(self):
        """:returns: all of it, in the text format of Prometheus."""
        for name, text in COUNTERS:
            yield from family(name, "counter", text, self.numbers[name])
        for name, text in HISTOGRAMS:
            yield "# HELP %s %s" % (name, text)
            yield "# TYPE %s histogram" % name
            for labels, counts in sorted(self.buckets[name].items()):
                below = 0
                for bound, count in zip(self.bounds + (math.inf,), counts):
                    below += count
                    yield "%s_bucket%s %d" % (name, braces(labels + (("le", "+Inf" if bound == math.inf else "%g" % bound),)), below)
                yield "%s_sum%s %.17g" % (name, braces(labels), counts[-1])
                yield "%s_count%s %d" % (name, braces(labels), below)


def family(name, kind, text, numbers):
    """:returns: the lines of one metric; ``numbers``: labels -> number."""
    yield "# HELP %s %s" % (name, text)
    yield "# TYPE %s %s" % (name, kind)
    for labels, number in sorted(numbers.items()):
        yield "%s%s %.17g" % (name, braces(labels), number)


def braces(labels):
    escaped = ['%s="%s"' % (name, str(value).replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")) for name, value in labels]
    return "{%s}" % ",".join(escaped) if escaped else ""
