# Copyright (c) 2026, ironrack.cluster contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Counters, gauges and histograms in Prometheus' text format (version 0.0.4).

https://prometheus.io/docs/instrumenting/exposition_formats/
"""
from __future__ import annotations

import bisect
import typing as t

# Seconds. Every bound of an SLO is a bucket: a share over a bound can only be counted where the bound is one.
BUCKETS = (0.1, 0.25, 0.5, 1.0, 2.0, 3.0, 5.0, 10.0, 30.0)
CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"


class Family:
    """One metric: its help, its type and a number for each set of labels."""

    def __init__(self, name: str, kind: str, text: str) -> None:
        self.name, self.kind, self.text = name, kind, text
        self.values: dict[tuple[tuple[str, str], ...], float] = {}

    def add(self, amount: float = 1.0, **labels: str) -> None:
        key = tuple(labels.items())
        self.values[key] = self.values.get(key, 0.0) + amount

    def set(self, value: float, **labels: str) -> None:
        self.values[tuple(labels.items())] = value

    def lines(self) -> t.Iterator[str]:
        yield from self._header()
        for labels, value in self.values.items():
            yield f"{self.name}{_labels(labels)} {_number(value)}"

    def _header(self) -> t.Iterator[str]:
        yield f"# HELP {self.name} {self.text}"
        yield f"# TYPE {self.name} {self.kind}"


class Histogram(Family):
    """Counts by upper bound; the text has them summed up, as the format wants."""

    def __init__(self, name: str, text: str) -> None:
        super().__init__(name, "histogram", text)
        self.counts: dict[tuple[tuple[str, str], ...], list[int]] = {}

    def prepare(self, **labels: str) -> None:
        """Zeros, so that a rate exists before the first observation."""
        self.counts.setdefault(tuple(labels.items()), [0] * (len(BUCKETS) + 1))

    def observe(self, seconds: float, **labels: str) -> None:
        self.prepare(**labels)
        self.counts[tuple(labels.items())][bisect.bisect_left(BUCKETS, seconds)] += 1
        self.add(seconds, **labels)

    def lines(self) -> t.Iterator[str]:
        yield from self._header()
        for labels, counts in self.counts.items():
            total = 0
            for bound, count in zip((*BUCKETS, float("inf")), counts):
                total += count
                yield f"{self.name}_bucket{_labels((*labels, ('le', _number(bound))))} {total}"
            yield f"{self.name}_sum{_labels(labels)} {_number(self.values.get(labels, 0.0))}"
            yield f"{self.name}_count{_labels(labels)} {total}"


class Metrics:
    """All that this server counts."""

    def __init__(self, cost: str, cache_hits: str, cache_misses: str, breaker: str) -> None:
        self.requests = Family("llm_requests_total", "counter", "Requests by HTTP status; 499 is a client that left.")
        self.streams = Family("llm_streams_total", "counter", "Streams by their end: complete, cut by the server, left by the client.")
        self.tokens = Family("llm_tokens_total", "counter", "Tokens that the model read (prompt) and wrote (completion).")
        self.duration = Histogram("llm_request_duration_seconds", "From the request's last byte to the answer's last.")
        self.inference = Histogram("llm_inference_duration_seconds", "The model's part of a request's time.")
        self.first_token = Histogram("llm_time_to_first_token_seconds", "From the request's last byte to a stream's first token.")
        self.in_flight = Family("llm_requests_in_flight", "gauge", "Requests that wait for the end of their answer.")
        self.open_streams = Family("llm_open_streams", "gauge", "Streams that have begun and not ended.")
        self.ready = Family("llm_ready", "gauge", "1 where the server says that it is ready.")
        self.memory = Family("process_resident_memory_bytes", "gauge", "Resident memory in bytes.")
        self.info = Family("llm_build_info", "gauge", "Which service, release and pod this is.")
        self.cost = Family(cost, "counter", "What the tokens cost, in units of LLM_PRICE.")
        self.cache_hits = Family(cache_hits, "counter", "Requests of whose prompt the model had at least half in its cache.")
        self.cache_misses = Family(cache_misses, "counter", "Requests of whose prompt the model had less than half in its cache.")
        self.breaker = Family(breaker, "gauge", "1 where the circuit breaker before the model is open.")
        for kind in ("plain", "stream"):
            # A series that begins with its first count is no rise to Prometheus. Other statuses are of faults that a test asks for.
            for status in ("200", "499"):
                self.requests.add(0, kind=kind, status=status)
            self.duration.prepare(kind=kind)
            self.inference.prepare(kind=kind)
        self.first_token.prepare()
        for end in ("complete", "cut", "left"):
            self.streams.add(0, end=end)
        for kind in ("prompt", "completion"):
            self.tokens.add(0, kind=kind)
        for family in (self.in_flight, self.open_streams, self.ready, self.cost, self.cache_hits, self.cache_misses, self.breaker):
            family.set(0)

    def text(self) -> str:
        self.memory.set(resident_bytes())
        families = [value for value in vars(self).values() if isinstance(value, Family)]
        return "".join(line + "\n" for family in families for line in family.lines())


def resident_bytes() -> int:
    with open("/proc/self/status", encoding="ascii") as stream:
        for line in stream:
            if line.startswith("VmRSS:"):
                return int(line.split()[1]) * 1024
    return 0


def _labels(pairs: t.Iterable[tuple[str, str]]) -> str:
    text = ",".join('%s="%s"' % (name, value.replace("\\", r"\\").replace('"', r"\"").replace("\n", r"\n")) for name, value in pairs)
    return "{%s}" % text if text else ""


def _number(value: float) -> str:
    if value == float("inf"):
        return "+Inf"
    return str(int(value)) if value == int(value) else repr(value)
