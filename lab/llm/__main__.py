# Copyright (c) 2026, ironrack.cluster contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""python3 -m lab.llm: serve. python3 -m lab.llm faults [NAME=VALUE ... | none]: turn the switches of the server that runs here."""
from __future__ import annotations

import asyncio
import os
import sys
import typing as t

from . import control, settings
from .server import serve
from .values import Refused

WRONG_USE = 2


def main(argv: t.Sequence[str], environment: t.Mapping[str, str]) -> int:
    try:
        if argv[:1] == ["faults"]:
            host, port = settings.control_address(environment)
            print(control.turn(host, port, argv[1:]), end="")
            return 0
        if argv:
            raise Refused([f"{argv[0]!r} is no command, expected nothing, or faults"])
        read = settings.read(environment)
        import uvloop  # here, so that the switches can be turned and the parts be tested without it

        with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
            runner.run(serve(read))
    except Refused as refused:
        for reason in refused.reasons:
            print(f"llm: {reason}", file=sys.stderr)
        return WRONG_USE
    except (OSError, RuntimeError) as error:
        print(f"llm: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:], os.environ))
