# Copyright (c) 2026, ironrack.cluster contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Values from text: of the environment and of the control endpoint. A reader returns the value or says what it expected."""
from __future__ import annotations

import math
import re
import typing as t

LABEL = re.compile(r"[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?")
METRIC = re.compile(r"[a-zA-Z_:][a-zA-Z0-9_:]*")
TRUTH = {"true": True, "false": False}


class Refused(Exception):
    """Bad input, with all of its reasons."""

    def __init__(self, reasons: t.Sequence[str]) -> None:
        super().__init__("; ".join(reasons))
        self.reasons = list(reasons)


class Number(t.NamedTuple):
    """A number between two bounds, both of them allowed."""

    low: float
    high: float
    whole: bool = False

    def __call__(self, text: str) -> float:
        kind = "a whole number" if self.whole else "a number"
        try:
            value = int(text) if self.whole else float(text)
        except ValueError:
            value = math.nan
        if not self.low <= value <= self.high:
            raise ValueError(f"{kind} from {self.low:g} to {self.high:g}")
        return value


class Pattern(t.NamedTuple):
    """Text of a form."""

    form: re.Pattern[str]
    name: str

    def __call__(self, text: str) -> str:
        if not self.form.fullmatch(text):
            raise ValueError(self.name)
        return text


def truth(text: str) -> bool:
    try:
        return TRUTH[text.lower()]
    except KeyError:
        raise ValueError("true or false") from None


def address(text: str) -> tuple[str, int]:
    """HOST:PORT or [HOST]:PORT; port 0 stands for any free one."""
    host, colon, port = text.rpartition(":")
    bare = host[1:-1] if host.startswith("[") and host.endswith("]") else host
    if not bare or not colon or (":" in bare) == (bare == host) or not re.fullmatch(r"\d{1,5}", port) or int(port) > 65535:
        raise ValueError("HOST:PORT, with an IPv6 address in brackets")
    return bare, int(port)


def existing(text: str) -> str:
    try:
        with open(text, "rb"):
            return text
    except OSError as error:
        raise ValueError(f"a file that can be read ({error.strerror})") from None
