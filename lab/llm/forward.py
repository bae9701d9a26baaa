# Copyright (c) 2026, ironrack.cluster contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""One request to the model: forwarded, counted and, where a switch says so, spoiled."""
from __future__ import annotations

import asyncio
import json
import time

from . import answers, engine, wire
from .faults import Plan, Switches
from .metrics import Metrics
from .reply import Left, Reply

# What the model is told of a request's header fields; the rest is between the client and this server.
PASSED = ("accept", "content-type")
CLIENT_LEFT = "499"
# After how many of its events a stream ends that is to be cut.
CUT_AFTER = 3


class Forwarder:
    """Forwards requests below /v1/ to the model, each of them once."""

    def __init__(self, metrics: Metrics, switches: Switches, price: float) -> None:
        """:param price: of 1,000 tokens."""
        self._metrics = metrics
        self._switches = switches
        self._price = price

    async def forward(self, model: engine.Client, head: wire.Head, body: bytes, reply: Reply, gone: asyncio.Future[None]) -> None:
        """Answer one request and count it; all work for a client that leaves is ended.

        :param gone: is done when the client has left.
        :raises Left: where the client did.
        """
        kind = "stream" if answers.document(body).get("stream") is True else "plain"
        begun = time.monotonic()
        status = CLIENT_LEFT
        self._metrics.in_flight.add(1)
        work = asyncio.ensure_future(self._answer(model, head, body, kind, reply, begun))
        try:
            await asyncio.wait({work, gone}, return_when=asyncio.FIRST_COMPLETED)
            if not work.done():
                raise Left
            work.result()
            status = str(reply.status)
        finally:
            work.cancel()
            await asyncio.gather(work, return_exceptions=True)
            self._metrics.in_flight.add(-1)
            self._metrics.requests.add(kind=kind, status=status)
            self._metrics.duration.observe(time.monotonic() - begun, kind=kind)

    async def _answer(self, model: engine.Client, head: wire.Head, body: bytes, kind: str, reply: Reply, begun: float) -> None:
        plan = self._switches.plan()
        if plan.hang:
            await asyncio.Event().wait()
        if plan.error:
            await asyncio.sleep(plan.delay)
            await reply.error(500, "this answer was made to fail")
            return
        try:
            await (self._stream if kind == "stream" else self._plain)(model, head, body, plan, reply, begun)
        except (OSError, wire.WireError) as error:
            # The client's own failures are Left: these are the model's.
            if reply.status:
                reply.cut()
            else:
                await reply.error(502, f"the model gave no answer: {type(error).__name__}: {error}")

    def _ask(self, model: engine.Client, head: wire.Head, body: bytes):
        method, target = head.request()
        return model.ask(method, target, [(name, value) for name, value in head.fields if name in PASSED], body)

    async def _plain(self, model: engine.Client, head: wire.Head, body: bytes, plan: Plan, reply: Reply, begun: float) -> None:
        await asyncio.sleep(plan.delay)
        async with self._ask(model, head, body) as answer:
            data = b"".join([piece async for piece in answer.pieces])
        self._metrics.inference.observe(time.monotonic() - begun, kind="plain")
        found = answers.document(data)
        self._count(answers.usage(found))
        if plan.wrong:
            data = json.dumps(answers.spoiled(found)).encode()
        await reply.whole(answer.head.status(), data, answer.head.get("content-type"))

    async def _stream(self, model: engine.Client, head: wire.Head, body: bytes, plan: Plan, reply: Reply, begun: float) -> None:
        await asyncio.sleep(plan.delay)
        async with self._ask(model, head, body) as answer:
            if answer.head.status() != 200:
                await reply.whole(answer.head.status(), b"".join([piece async for piece in answer.pieces]), answer.head.get("content-type"))
                return
            await reply.begin(200, answer.head.get("content-type"))
            end = "left"
            self._metrics.open_streams.add(1)
            try:
                end = await self._events(answer, plan, reply, begun)
            except (OSError, wire.WireError):
                end = "cut"
                raise
            finally:
                self._metrics.open_streams.add(-1)
                self._metrics.streams.add(end=end)

    async def _events(self, answer: engine.Answer, plan: Plan, reply: Reply, begun: float) -> str:
        """:returns: how the stream ended."""
        count, waiting = 0, True
        async for event in answers.events(answer.pieces):
            found = answers.event_document(event)
            if waiting and answers.has_token(found):
                waiting = False
                self._metrics.first_token.observe(time.monotonic() - begun)
            self._count(answers.usage(found))
            if plan.cut and count == CUT_AFTER:
                reply.cut()
                return "cut"
            await reply.piece(answers.spoiled_event(event) if plan.wrong else event)
            await asyncio.sleep(plan.token_seconds)
            count += 1
        self._metrics.inference.observe(time.monotonic() - begun, kind="stream")
        await reply.end()
        return "complete"

    def _count(self, used: answers.Usage | None) -> None:
        if used is None:
            return
        self._metrics.tokens.add(used.prompt, kind="prompt")
        self._metrics.tokens.add(used.completion, kind="completion")
        self._metrics.cost.add((used.prompt + used.completion) * self._price / 1000)
        (self._metrics.cache_hits if used.cache_hit else self._metrics.cache_misses).add()
