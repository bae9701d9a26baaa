# Copyright (c) 2026, ironrack.cluster contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The server's life: listen, load the model, become ready, serve, drain, end."""
from __future__ import annotations

import asyncio
import json
import signal
import time
import typing as t

from . import engine, harm
from .control import Control
from .faults import Switches
from .front import Front
from .metrics import Metrics
from .settings import Settings

HEALTH_LIMIT = 30.0  # seconds that a loaded model may take until its own /health says so
HEALTH_STEP = 0.02


def say(event: str, **facts: t.Any) -> None:
    """One line of JSON for the log."""
    print(json.dumps({"time": round(time.time(), 3), "event": event, **facts}), flush=True)


async def serve(settings: Settings) -> None:
    """Serve until SIGTERM or SIGINT, and drain then.

    :raises OSError: where an address can't be listened on. :raises RuntimeError: where the model can't be loaded.
    """
    started = time.monotonic()
    counted = Metrics(settings.metric_cost, settings.metric_cache_hits, settings.metric_cache_misses, settings.metric_breaker)
    counted.info.set(1, service=settings.service, release=settings.release, pod=settings.pod)
    switches = Switches(settings.faults)
    switches.watch(lambda: counted.breaker.set(int(switches.faults.breaker_open)))
    switches.watch(lambda: say("faults", **switches.faults._asdict()))
    switches.turn(settings.faults)
    front, ending = Front(settings, counted, switches), asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, ending.set)
    control = Control(switches)
    say("listens", address=await front.listen(), control=await control.listen(*settings.control), release=settings.release, pod=settings.pod)
    loading, end = asyncio.create_task(_load(settings, front, started)), asyncio.create_task(ending.wait())
    harms = [asyncio.create_task(work) for work in (harm.Leak(switches, settings.leak_limit_mib).run(), harm.die(switches, say))]
    await asyncio.wait({loading, end}, return_when=asyncio.FIRST_COMPLETED)
    if loading.done():
        loading.result()
        await end
    await _drain(settings, front)
    for task in (loading, *harms):
        task.cancel()


async def _load(settings: Settings, front: Front, started: float) -> None:
    model = await asyncio.to_thread(engine.Model, settings)
    loaded = time.monotonic()
    while not await model.client.is_healthy():
        if time.monotonic() - loaded > HEALTH_LIMIT:
            raise RuntimeError(f"the model's /health on port {model.client.port} gave no 200 within {HEALTH_LIMIT:g} s")
        await asyncio.sleep(HEALTH_STEP)
    await asyncio.sleep(max(0.0, started + settings.ready_after - time.monotonic()))
    front.model = model
    say("ready", seconds=round(time.monotonic() - started, 3))


async def _drain(settings: Settings, front: Front) -> None:
    """Not ready at once; for the grace every answer ends its connection, and new ones are still taken: balancers learn it late."""
    front.draining = True
    say("drains", grace=settings.drain_grace)
    await asyncio.sleep(settings.drain_grace)
    cut = await front.close(settings.drain_limit)
    say("ends", cut=cut)
