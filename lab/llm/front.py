# Copyright (c) 2026, ironrack.cluster contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The front: keep-alive connections of clients, the paths that it answers, and the way out when the server has to end."""
from __future__ import annotations

import asyncio
import typing as t

from . import engine, metrics, wire
from .faults import Switches
from .forward import Forwarder
from .reply import Left, Reply
from .settings import Settings

BODY_LIMIT = 1024 * 1024  # bytes
BACKLOG = 1024
SOON = ("Retry-After", "1")


class Watched(asyncio.StreamReaderProtocol):
    """Knows at once when the client has left, also while nobody reads. A client that only closes its sending half counts as gone."""

    def __init__(self, reader: asyncio.StreamReader, connected: t.Callable[..., t.Any]) -> None:
        super().__init__(reader, connected)
        self.gone = asyncio.get_running_loop().create_future()

    def eof_received(self) -> bool | None:
        self._left()
        return super().eof_received()

    def connection_lost(self, exc: Exception | None) -> None:
        self._left()
        super().connection_lost(exc)

    def _left(self) -> None:
        if not self.gone.done():
            self.gone.set_result(None)


class Front:
    """Serves clients from listen() to close()."""

    def __init__(self, settings: Settings, counted: metrics.Metrics, switches: Switches) -> None:
        self._settings = settings
        self._metrics = counted
        self._switches = switches
        self._forwarder = Forwarder(counted, switches, settings.price)
        self._server: asyncio.Server | None = None
        self._open: dict[asyncio.Task[t.Any], asyncio.StreamWriter] = {}
        self._idle: set[asyncio.Task[t.Any]] = set()
        self.model: engine.Model | None = None  # None until it is loaded and its time to become ready is over
        self.draining = False

    async def listen(self) -> tuple[str, int]:
        """:returns: where it listens. :raises OSError: where it can't."""
        host, port = self._settings.listen
        self._server = await asyncio.get_running_loop().create_server(self._protocol, host, port, backlog=BACKLOG)
        return self._server.sockets[0].getsockname()[:2]

    async def close(self, limit: float) -> int:
        """Accept nobody any more, let what is under way end.

        :param limit: for how long, in seconds.
        :returns: how many requests were cut then.
        """
        self._server.close()
        for task in list(self._idle):
            self._open[task].close()
        if self._open:
            await asyncio.wait(set(self._open), timeout=limit)
        left = set(self._open)
        for task in left:
            self._open[task].transport.abort()
            task.cancel()
        await asyncio.gather(*left, return_exceptions=True)
        return len(left)

    async def is_ready(self) -> bool:
        ready = self.model is not None and not self.draining and not self._switches.faults.never_ready and await self.model.client.is_healthy()
        self._metrics.ready.set(int(ready))
        return ready

    def _protocol(self) -> Watched:
        return Watched(asyncio.StreamReader(limit=wire.LIMIT), self._serve)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        gone = writer.transport.get_protocol().gone
        self._open[task] = writer
        try:
            while not gone.done():
                self._idle.add(task)
                async with asyncio.timeout(self._settings.idle):
                    head = await wire.read_head(reader)
                self._idle.discard(task)
                if not await self._one(head, reader, writer, gone):
                    break
        except (wire.WireError, Left, OSError, TimeoutError):
            pass  # the client ended it, in one way or another: nobody is left to be told
        finally:
            self._idle.discard(task)
            del self._open[task]
            writer.close()

    async def _one(self, head: wire.Head, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, gone: asyncio.Future[None]) -> bool:
        """:returns: whether another request may follow."""
        last = self.draining or not head.keeps_alive()
        reply = Reply(writer, self._fields(head, last))
        try:
            method, target = head.request()
            async with asyncio.timeout(self._settings.idle):
                body = await wire.whole(reader, head, False, BODY_LIMIT)
        except (wire.Malformed, wire.TooLong) as error:
            # What follows on this connection can't be told from this request's rest.
            await Reply(writer, self._fields(head, True)).error(413 if isinstance(error, wire.TooLong) else 400, str(error))
            return False
        await self._route(method, target.partition("?")[0], head, body, reply, gone)
        return not last

    def _fields(self, head: wire.Head, last: bool) -> list[tuple[str, str]]:
        fields = [("X-Service", self._settings.service), ("X-Release", self._settings.release), ("X-Pod", self._settings.pod)]
        fields += [("X-Request-Id", head.get("x-request-id"))] if head.get("x-request-id") else []
        return fields + [("Connection", "close" if last else "keep-alive")]

    async def _route(self, method: str, path: str, head: wire.Head, body: bytes, reply: Reply, gone: asyncio.Future[None]) -> None:
        if path.startswith("/v1/"):
            await self._model(head, body, reply, gone)
        elif path not in ("/headers", "/health", "/ready", "/metrics"):
            await reply.error(404, f"there is no {path[:100]}")
        elif method != "GET":
            await reply.error(405, f"{path} can only be read", ("Allow", "GET"))
        elif path == "/metrics":
            await self.is_ready()
            await reply.whole(200, self._metrics.text().encode(), metrics.CONTENT_TYPE)
        elif path == "/headers":
            await reply.document(200, {"target": head.request()[1], "headers": dict(head.fields)})
        elif path == "/ready":
            ready = await self.is_ready()
            await reply.document(200 if ready else 503, {"ready": ready, "draining": self.draining, "loaded": self.model is not None})
        else:
            # A server that still loads is alive: to kill it for that would start the load anew.
            alive = self.model is None or await self.model.client.is_healthy()
            await reply.document(200 if alive else 503, {"alive": alive})

    async def _model(self, head: wire.Head, body: bytes, reply: Reply, gone: asyncio.Future[None]) -> None:
        if self.model is None:
            await self._refuse("the model is still loading", reply)
        elif self._switches.faults.breaker_open:
            await self._refuse("the circuit breaker is open", reply)
        else:
            await self._forwarder.forward(self.model.client, head, body, reply, gone)

    async def _refuse(self, text: str, reply: Reply) -> None:
        self._metrics.requests.add(kind="plain", status="503")
        await reply.error(503, text, SOON)
