# Copyright (c) 2026, ironrack.cluster contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""HTTP/1.1 messages on asyncio streams, for a server and for a client; nothing is ever sent twice.

https://www.rfc-editor.org/rfc/rfc9112
"""
from __future__ import annotations

import asyncio
import re
import typing as t

LIMIT = 64 * 1024  # bytes of a head, and of what is read ahead
PIECE = 16 * 1024
LAST_CHUNK = b"0\r\n\r\n"


class WireError(Exception):
    """The other side did not keep to the protocol."""


class Closed(WireError):
    """The connection ended before a message's first byte."""


class Cut(WireError):
    """The connection ended inside a message."""


class Malformed(WireError):
    """What came is no HTTP/1.1 message."""


class TooLong(WireError):
    """A body of more bytes than are taken."""


class Head(t.NamedTuple):
    """A start line and the header fields, names in lower case."""

    first: str
    fields: tuple[tuple[str, str], ...]

    def get(self, name: str, default: str = "") -> str:
        return next((value for field, value in self.fields if field == name), default)

    def keeps_alive(self) -> bool:
        """Whether another message may follow on this connection."""
        options = self.get("connection").lower()
        return "keep-alive" in options if "HTTP/1.0" in self.first else "close" not in options

    def request(self) -> tuple[str, str]:
        """:returns: (method, target)."""
        words = self.first.split(" ")
        if len(words) != 3 or not words[2].startswith("HTTP/1."):
            raise Malformed(f"no request: {self.first[:80]!r}")
        return words[0], words[1]

    def status(self) -> int:
        words = self.first.split(" ", 2)
        if len(words) < 2 or not words[0].startswith("HTTP/1.") or not words[1].isdigit():
            raise Malformed(f"no answer: {self.first[:80]!r}")
        return int(words[1])


def message(first: str, fields: t.Iterable[tuple[str, str]], body: bytes = b"") -> bytes:
    lines = [first, *(f"{name}: {value}" for name, value in fields), "", ""]
    return "\r\n".join(lines).encode("latin-1") + body


def chunk(data: bytes) -> bytes:
    """One piece of a body of unknown length. An empty one would end it: use LAST_CHUNK for that."""
    return b"%x\r\n%s\r\n" % (len(data), data)


async def read_head(reader: asyncio.StreamReader) -> Head:
    """:raises Closed: at the connection's end.

    :raises Cut: inside the head.
    """
    try:
        text = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1")
    except asyncio.IncompleteReadError as error:
        raise (Cut("the connection ended inside a head") if error.partial else Closed("the connection ended")) from None
    except asyncio.LimitOverrunError:
        raise Malformed(f"a head of more than {LIMIT} bytes") from None
    first, *lines = text[:-4].split("\r\n")
    fields = []
    for line in lines:
        name, colon, value = line.partition(":")
        if not colon or not name or name != name.strip():
            raise Malformed(f"no header field: {line[:80]!r}")
        fields.append((name.lower(), value.strip()))
    return Head(first, tuple(fields))


async def body(reader: asyncio.StreamReader, head: Head, answer: bool) -> t.AsyncIterator[bytes]:
    """The body in pieces, as they come.

    :param answer: whether the head is an answer's: its body may last to the connection's end.
    :raises Cut: where the connection ends before the body does.
    """
    if answer and (head.status() in (204, 304) or head.status() < 200):
        return
    if "chunked" in head.get("transfer-encoding").lower():
        async for piece in _chunks(reader):
            yield piece
        return
    length = head.get("content-length")
    if length:
        if not length.isdigit():
            raise Malformed(f"a length of {length!r}")
        left = int(length)
        while left:
            piece = await _some(reader, left)
            left -= len(piece)
            yield piece
    elif answer:
        while True:
            piece = await reader.read(PIECE)
            if not piece:
                return
            yield piece


async def whole(reader: asyncio.StreamReader, head: Head, answer: bool, limit: int) -> bytes:
    """:raises TooLong: where the body has more than ``limit`` bytes; where its length says so, before it is read."""
    pieces, size = [], 0
    length = head.get("content-length")
    if length.isdigit() and int(length) > limit:
        raise TooLong(f"a body of {length} bytes, expected at most {limit}")
    async for piece in body(reader, head, answer):
        size += len(piece)
        if size > limit:
            raise TooLong(f"a body of more than {limit} bytes")
        pieces.append(piece)
    return b"".join(pieces)


async def _chunks(reader: asyncio.StreamReader) -> t.AsyncIterator[bytes]:
    while True:
        line = await _line(reader)
        length = line.partition(b";")[0].strip()
        if not re.fullmatch(rb"[0-9a-fA-F]{1,8}", length):
            raise Malformed(f"a chunk's length of {length[:20]!r}")
        left = int(length, 16)
        if left == 0:
            while await _line(reader):
                pass
            return
        while left:
            piece = await _some(reader, left)
            left -= len(piece)
            yield piece
        if await _line(reader):
            raise Malformed("a chunk that is longer than it says")


async def _some(reader: asyncio.StreamReader, most: int) -> bytes:
    piece = await reader.read(min(most, PIECE))
    if not piece:
        raise Cut("the connection ended inside a body")
    return piece


async def _line(reader: asyncio.StreamReader) -> bytes:
    try:
        return (await reader.readuntil(b"\r\n"))[:-2]
    except asyncio.IncompleteReadError:
        raise Cut("the connection ended inside a body") from None
    except asyncio.LimitOverrunError:
        raise Malformed("a line without an end") from None
