# Copyright (c) 2026, ironrack.cluster contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""llama.cpp's own HTTP server, on a loopback port of this process, and the way to ask it."""
from __future__ import annotations

import asyncio
import contextlib
import time
import typing as t
import urllib.parse

from . import wire
from .settings import Settings

HOST = "127.0.0.1"
# Errors only, as llama.cpp counts: a line for each token would be the larger part of the work.
VERBOSITY = 1
# Tokens of an answer whose request names no number: the model never ends one by itself.
ANSWER = 128
# Bytes: what a stream of a whole context has. One that is passed on slowly would else hold a slot of the model until its end.
READ_AHEAD = 1024 * 1024
# Seconds that an idle connection is good for: llama.cpp ends one after five.
KEPT = 2.0


class Model:
    """The server, once it is loaded. It ends when nothing refers to it any more: the library has no other way."""

    def __init__(self, settings: Settings) -> None:
        import xllamacpp  # here, so that what asks a server can be tested without one

        parameters = xllamacpp.CommonParams()
        parameters.model.path = settings.model
        parameters.model_alias = {settings.model_name}
        parameters.hostnames = [HOST]
        parameters.port = 0
        parameters.n_ctx = settings.context
        parameters.n_parallel = settings.slots
        parameters.cpuparams.n_threads = settings.threads
        parameters.n_predict = ANSWER
        parameters.use_jinja = True
        parameters.offline = True
        parameters.ui = False
        # Both look at the machine's memory, which in a container is not the container's.
        parameters.fit_params = False
        parameters.cache_ram_mib = 0
        parameters.verbosity = VERBOSITY
        self._server = xllamacpp.Server(parameters)
        self.client = Client(urllib.parse.urlsplit(self._server.listening_address).port or 0)


class Answer(t.NamedTuple):
    head: wire.Head
    pieces: t.AsyncIterator[bytes]


class Client:
    """Asks the model. One idle connection is kept and no more: each holds one of the few threads that llama.cpp serves with."""

    def __init__(self, port: int) -> None:
        self.port = port
        self._idle: tuple[float, asyncio.StreamReader, asyncio.StreamWriter] | None = None

    @contextlib.asynccontextmanager
    async def ask(self, method: str, target: str, fields: t.Iterable[tuple[str, str]], body: bytes) -> t.AsyncIterator[Answer]:
        """One request, sent once; leaving before the answer's end closes its connection, and llama.cpp stops its work.

        :raises OSError: where nothing answers.
        :raises wire.WireError: where no whole answer comes.
        """
        reader, writer = self._kept() or await asyncio.open_connection(HOST, self.port, limit=READ_AHEAD)
        again = False

        async def pieces() -> t.AsyncIterator[bytes]:
            nonlocal again
            async for piece in wire.body(reader, head, answer=True):
                yield piece
            again = head.keeps_alive()

        try:
            told = [("Host", f"{HOST}:{self.port}"), *fields, ("Content-Length", str(len(body)))]
            writer.write(wire.message(f"{method} {target} HTTP/1.1", told, body))
            await writer.drain()
            head = await wire.read_head(reader)
            yield Answer(head, pieces())
        finally:
            if again and self._idle is None:
                self._idle = (time.monotonic(), reader, writer)
            else:
                writer.close()

    async def is_healthy(self) -> bool:
        """Whether the model's own /health says so, within a second."""
        try:
            async with asyncio.timeout(1), self.ask("GET", "/health", [], b"") as answer:
                async for _piece in answer.pieces:
                    pass
                return answer.head.status() == 200
        except (OSError, TimeoutError, wire.WireError):
            return False

    def _kept(self) -> tuple[asyncio.StreamReader, asyncio.StreamWriter] | None:
        """:returns: the idle connection, where there is one that the model has not ended and is not about to."""
        if self._idle is None:
            return None
        (since, reader, writer), self._idle = self._idle, None
        if time.monotonic() - since > KEPT or reader.at_eof():
            writer.close()
            return None
        return reader, writer
