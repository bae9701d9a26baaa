# Copyright (c) 2026, ironrack.cluster contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What is inside the model's answers: their usage, the first token of a stream, and how to make them wrong."""
from __future__ import annotations

import json
import typing as t

END_OF_EVENT = b"\n\n"
WRONG = "wrong"


class Usage(t.NamedTuple):
    """Tokens of one request; ``cached`` are those of the prompt that the model had in its cache."""

    prompt: int
    completion: int
    cached: int

    @property
    def cache_hit(self) -> bool:
        # Every prompt shares its first tokens with the last one: a few of them are no hit.
        return 2 * self.cached >= self.prompt


def document(data: bytes) -> dict[str, t.Any]:
    """:returns: the JSON object, empty where it is none."""
    try:
        found = json.loads(data)
    except ValueError:
        return {}
    return found if isinstance(found, dict) else {}


def event_document(event: bytes) -> dict[str, t.Any]:
    """:returns: what a server-sent event carries, empty where that is no JSON object (`[DONE]`)."""
    return document(event[len(b"data:"):]) if event.startswith(b"data:") else {}


def usage(answer: t.Mapping[str, t.Any]) -> Usage | None:
    """From llama.cpp's ``timings``, which the last event of a stream has too; None where there are none."""
    timings = answer.get("timings")
    if not isinstance(timings, dict):
        return None
    cached = int(timings.get("cache_n", 0))
    return Usage(cached + int(timings.get("prompt_n", 0)), int(timings.get("predicted_n", 0)), cached)


def has_token(event: t.Mapping[str, t.Any]) -> bool:
    """Whether an event of a stream carries text: the first one of a chat only names the role."""
    return any(choice.get("text") or (choice.get("delta") or {}).get("content") for choice in event.get("choices") or [])


def spoiled(answer: dict[str, t.Any]) -> dict[str, t.Any]:
    """The same answer with another text: well-formed, and wrong."""
    for choice in answer.get("choices") or []:
        for place in (choice.get("message"), choice.get("delta"), choice):
            for name in ("content", "text"):
                if place and place.get(name):
                    place[name] = WRONG
    return answer


def spoiled_event(event: bytes) -> bytes:
    found = event_document(event)
    return b"data: " + json.dumps(spoiled(found)).encode() + END_OF_EVENT if found else event


async def events(pieces: t.AsyncIterator[bytes]) -> t.AsyncIterator[bytes]:
    """Whole server-sent events, each at the moment at which it is whole; what is left at the end comes as it is."""
    held = b""
    async for piece in pieces:
        *done, held = (held + piece).split(END_OF_EVENT)
        for event in done:
            yield event + END_OF_EVENT
    if held:
        yield held
