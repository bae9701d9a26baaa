# Copyright (c) 2026, ironrack.cluster contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""An answer's way to the client, with the header fields that every answer carries."""
from __future__ import annotations

import asyncio
import json
import typing as t

from . import wire

REASONS = {200: "OK", 400: "Bad Request", 404: "Not Found", 405: "Method Not Allowed", 413: "Content Too Large",
           500: "Internal Server Error", 502: "Bad Gateway", 503: "Service Unavailable"}
JSON = "application/json"


class Left(Exception):
    """The client has left before the end of its answer."""


class Reply:
    """``status`` is 0 until something was written."""

    def __init__(self, writer: asyncio.StreamWriter, fields: t.Sequence[tuple[str, str]]) -> None:
        self._writer = writer
        self._fields = fields
        self.status = 0

    async def whole(self, status: int, data: bytes, content_type: str = JSON, *fields: tuple[str, str]) -> None:
        await self._send(self._head(status, ("Content-Type", content_type), ("Content-Length", str(len(data))), *fields) + data)

    async def document(self, status: int, value: t.Any, *fields: tuple[str, str]) -> None:
        await self.whole(status, json.dumps(value).encode() + b"\n", JSON, *fields)

    async def error(self, status: int, text: str, *fields: tuple[str, str]) -> None:
        """In the form that OpenAI's API has for errors."""
        kind = "server_error" if status >= 500 else "invalid_request_error"
        await self.document(status, {"error": {"code": status, "type": kind, "message": text}}, *fields)

    async def begin(self, status: int, content_type: str) -> None:
        await self._send(self._head(status, ("Content-Type", content_type), ("Cache-Control", "no-cache"), ("Transfer-Encoding", "chunked")))

    async def piece(self, data: bytes) -> None:
        await self._send(wire.chunk(data))

    async def end(self) -> None:
        await self._send(wire.LAST_CHUNK)

    def cut(self) -> None:
        """End the connection in the middle of an answer: the client can tell, since the last chunk is missing."""
        self._writer.transport.abort()

    def _head(self, status: int, *fields: tuple[str, str]) -> bytes:
        self.status = status
        return wire.message(f"HTTP/1.1 {status} {REASONS.get(status, 'Other')}", [*self._fields, *fields])

    async def _send(self, data: bytes) -> None:
        self._writer.write(data)
        try:
            await self._writer.drain()
        except OSError:
            raise Left from None
