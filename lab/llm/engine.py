# Copyright (c) 2026, ironrack.cluster contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""llama.cpp's own HTTP server, on a loopback port of this process, and the way to ask it."""
from __future__ import annotations

import asyncio
import contextlib
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
        self.port = urllib.parse.urlsplit(self._server.listening_address).port or 0


class Answer(t.NamedTuple):
    head: wire.Head
    pieces: t.AsyncIterator[bytes]


@contextlib.asynccontextmanager
async def ask(port: int, method: str, target: str, fields: t.Iterable[tuple[str, str]], body: bytes) -> t.AsyncIterator[Answer]:
    """One request on a connection of its own; leaving early closes it, and llama.cpp stops its work.

    :raises OSError: where nothing answers.
    :raises wire.WireError: where no whole answer comes.
    """
    reader, writer = await asyncio.open_connection(HOST, port, limit=READ_AHEAD)
    try:
        told = [("Host", f"{HOST}:{port}"), *fields, ("Content-Length", str(len(body))), ("Connection", "close")]
        writer.write(wire.message(f"{method} {target} HTTP/1.1", told, body))
        await writer.drain()
        head = await wire.read_head(reader)
        yield Answer(head, wire.body(reader, head, answer=True))
    finally:
        writer.close()


async def is_healthy(port: int) -> bool:
    """Whether the model's own /health says so, within a second."""
    try:
        async with asyncio.timeout(1), ask(port, "GET", "/health", [], b"") as answer:
            return answer.head.status() == 200
    except (OSError, TimeoutError, wire.WireError):
        return False
