# Copyright (c) 2026, ironrack.cluster contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What the person sees while a build runs, and the timings that stay behind."""

from __future__ import annotations

import threading
import time
import typing as t

from .store import Step


class Progress:
    """A line as each step starts, with an estimate of all that is left, and one as it ends.

    Estimates are the table's seconds for two idle cores with cold caches, scaled by how this run has fared so far.
    """

    def __init__(self, steps: t.Sequence[Step], say: t.Callable[[str], None] = print) -> None:
        self._say = say
        self._lock = threading.Lock()
        self._total = len(steps)
        self._open = {step.name: step.seconds for step in steps}
        self._started: dict[str, float] = {}
        self._expected = self._spent = 0.0
        self._count = 0
        self.timings: dict[str, dict[str, t.Any]] = {}
        self._begin = time.monotonic()

    def left(self) -> float:
        # Fifteen seconds on both sides: one small step says little about the large ones.
        scale = (self._spent + 15) / (self._expected + 15)
        return sum(self._open.values()) * scale

    def start(self, step: Step) -> None:
        with self._lock:
            self._count += 1
            self._started[step.name] = time.monotonic()
            self._line(f"[{self._count}/{self._total}] {step.name}: building; about {human_seconds(self.left())} left in all")

    def end(self, step: Step, size: int) -> None:
        with self._lock:
            seconds = time.monotonic() - self._started.pop(step.name)
            self._open.pop(step.name)
            self._expected += step.seconds
            self._spent += seconds
            self.timings[step.name] = {"seconds": round(seconds, 1), "estimate": step.seconds, "bytes": size, "cached": False}
            self._line(f"        {step.name}: {seconds:.1f} s, {human_bytes(size)}")

    def cached(self, step: Step) -> None:
        self.timings[step.name] = {"estimate": step.seconds, "cached": True}

    def seconds(self) -> float:
        return time.monotonic() - self._begin

    def _line(self, text: str) -> None:
        self._say(text)


def human_seconds(seconds: float) -> str:
    if seconds < 90:
        return f"{max(1, round(seconds))} s"
    return f"{round(seconds / 60)} min"


def human_bytes(count: float) -> str:
    for unit in ("B", "kB", "MB"):
        if count < 1000:
            return f"{count:.0f} {unit}" if unit == "B" else f"{count:.1f} {unit}"
        count /= 1000
    return f"{count:.1f} GB"
