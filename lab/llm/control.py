# Copyright (c) 2026, ironrack.cluster contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Where the switches are turned while the server runs: GET, PATCH and DELETE of /faults, on a port of its own."""
from __future__ import annotations

import asyncio
import http.client
import json
import typing as t

from . import wire
from .faults import Faults, Switches, changed
from .reply import Left, Reply
from .values import Refused

BODY_LIMIT = 64 * 1024  # bytes
PATH = "/faults"
TIMEOUT = 10  # seconds


class Control:
    """GET tells the faults, PATCH changes those that its JSON object names, DELETE ends all of them."""

    def __init__(self, switches: Switches) -> None:
        self._switches = switches
        self._server: asyncio.Server | None = None

    async def listen(self, host: str, port: int) -> tuple[str, int]:
        """:returns: where it listens. :raises OSError: where it can't."""
        self._server = await asyncio.start_server(self._serve, host, port)
        return self._server.sockets[0].getsockname()[:2]

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        reply = Reply(writer, [("Connection", "close")])
        try:
            async with asyncio.timeout(TIMEOUT):
                head = await wire.read_head(reader)
                method, target = head.request()
                await self._answer(method, target, await wire.whole(reader, head, False, BODY_LIMIT), reply)
        except (wire.Malformed, wire.TooLong) as error:
            await reply.error(400, str(error))
        except (wire.WireError, Left, OSError, TimeoutError):
            pass  # nobody is left to be told
        finally:
            writer.close()

    async def _answer(self, method: str, target: str, body: bytes, reply: Reply) -> None:
        if target != PATH:
            await reply.error(404, f"there is only {PATH}")
            return
        if method not in ("GET", "PATCH", "DELETE"):
            await reply.error(405, "expected GET, PATCH or DELETE", ("Allow", "GET, PATCH, DELETE"))
            return
        try:
            if method == "DELETE":
                self._switches.turn(Faults())
            elif method == "PATCH":
                self._switches.turn(changed(self._switches.faults, _object(body)))
        except Refused as refused:
            await reply.document(400, {"reasons": refused.reasons})
            return
        await reply.document(200, self._switches.faults._asdict())


def _object(body: bytes) -> dict[str, t.Any]:
    try:
        found = json.loads(body)
    except ValueError:
        found = None
    if not isinstance(found, dict):
        raise Refused(["the body is no JSON object, expected {NAME: VALUE}"])
    return found


def turn(host: str, port: int, words: t.Sequence[str]) -> str:
    """Ask a running server to turn its switches.

    :param words: NAME=VALUE; `none` ends all faults; nothing only asks.
    :returns: the faults after that, as JSON.
    :raises Refused: with the reasons of the server. :raises OSError: where there is none.
    """
    method, body = "GET", None
    if list(words) == ["none"]:
        method = "DELETE"
    elif words:
        bad = [f"{word!r} is no fault, expected NAME=VALUE, or none alone" for word in words if "=" not in word]
        if bad:
            raise Refused(bad)
        method, body = "PATCH", json.dumps(dict(word.split("=", 1) for word in words))
    connection = http.client.HTTPConnection(host, port, timeout=TIMEOUT)
    try:
        connection.request(method, PATH, body)
        answer = connection.getresponse()
        text = answer.read().decode()
    finally:
        connection.close()
    if answer.status != 200:
        raise Refused(json.loads(text).get("reasons", [text]))
    return text
