# Copyright (c) 2026, ironrack.cluster contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a fault does to the server as a whole: memory that is never given back, and an end without a word."""
from __future__ import annotations

import asyncio
import os
import time
import typing as t

from .faults import Switches

MIB = 1024 * 1024
STEP = 0.1  # seconds between two pieces of the leak
CRASHED = 1  # exit status. A signal would not do: the kernel keeps those of its own from a container's first process


class Leak:
    """Keeps ``leak_mib_per_second`` until the limit: on a machine without limits the fault would not be the server's alone."""

    def __init__(self, switches: Switches, limit_mib: float) -> None:
        self._switches = switches
        self._limit = limit_mib
        self._held: list[bytes] = []
        self.mib = 0.0

    async def run(self) -> t.NoReturn:
        while True:
            await asyncio.sleep(STEP)
            self.grow(self._switches.faults.leak_mib_per_second * STEP)

    def grow(self, mib: float) -> None:
        mib = min(mib, self._limit - self.mib)
        if mib > 0:
            # Of another byte than 0: the kernel gives pages of zeros away without having them.
            self._held.append(b"\x01" * int(mib * MIB))
            self.mib += mib


async def die(switches: Switches, say: t.Callable[..., None]) -> t.NoReturn:
    """End the process ``die_after_seconds`` after that switch was turned, as a crash would: nothing is drained."""
    turned, wanted = time.monotonic(), switches.faults.die_after_seconds
    while True:
        await asyncio.sleep(STEP)
        if switches.faults.die_after_seconds != wanted:
            turned, wanted = time.monotonic(), switches.faults.die_after_seconds
        if wanted and time.monotonic() - turned >= wanted:
            say("dies", after=wanted)
            os._exit(CRASHED)
