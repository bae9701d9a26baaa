# Copyright (c) 2026, ironrack.cluster contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What can be made wrong on purpose, and the switches that do it while the server runs."""
from __future__ import annotations

import random
import typing as t

from .values import Number, Refused, truth

share = Number(0, 1)
READERS: dict[str, t.Callable[[str], t.Any]] = {
    "error_share": share,
    "latency_seconds": Number(0, 3600),
    "latency_share": share,
    "token_seconds": Number(0, 60),
    "hang_share": share,
    "cut_share": share,
    "wrong_share": share,
    "leak_mib_per_second": Number(0, 1024),
    "die_after_seconds": Number(0, 864000),
    "never_ready": truth,
    "breaker_open": truth,
}


class Faults(t.NamedTuple):
    """Shares are of requests, 0 to 1. A server without faults has these values."""

    error_share: float = 0.0
    latency_seconds: float = 0.0
    latency_share: float = 1.0
    token_seconds: float = 0.0
    hang_share: float = 0.0
    cut_share: float = 0.0
    wrong_share: float = 0.0
    leak_mib_per_second: float = 0.0
    die_after_seconds: float = 0.0
    never_ready: bool = False
    breaker_open: bool = False


class Plan(t.NamedTuple):
    """What happens to one request."""

    hang: bool
    delay: float
    error: bool
    wrong: bool
    cut: bool
    token_seconds: float


def changed(before: Faults, given: t.Mapping[str, t.Any], prefix: str = "") -> Faults:
    """:param prefix: of the variables that the values come from; the reasons then name those.

    :raises Refused: with every name that is unknown and every value that is wrong; nothing is changed then.
    """
    reasons, values = [], {}
    for name, value in given.items():
        said = (prefix + name).upper() if prefix else name
        if name not in READERS:
            reasons.append(f"{said} is not known, expected one of {', '.join(READERS)}")
            continue
        try:
            values[name] = READERS[name](str(value))
        except ValueError as expected:
            reasons.append(f"{said} is {value!r}, expected {expected}")
    if reasons:
        raise Refused(reasons)
    return before._replace(**values)


class Switches:
    """The faults of now, and the dice that pick the requests that they meet."""

    def __init__(self, faults: Faults, dice: random.Random | None = None) -> None:
        self.faults = faults
        self._dice = dice or random.Random()
        self._watchers: list[t.Callable[[], None]] = []

    def watch(self, watcher: t.Callable[[], None]) -> None:
        """Call ``watcher`` after each change."""
        self._watchers.append(watcher)

    def turn(self, faults: Faults) -> None:
        self.faults = faults
        for watcher in self._watchers:
            watcher()

    def plan(self) -> Plan:
        faults = self.faults
        return Plan(
            hang=self._hit(faults.hang_share),
            delay=faults.latency_seconds if self._hit(faults.latency_share) else 0.0,
            error=self._hit(faults.error_share),
            wrong=self._hit(faults.wrong_share),
            cut=self._hit(faults.cut_share),
            token_seconds=faults.token_seconds,
        )

    def _hit(self, share_of_requests: float) -> bool:
        return self._dice.random() < share_of_requests
