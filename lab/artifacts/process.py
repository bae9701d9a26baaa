# Copyright (c) 2026, ironrack.cluster contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Runs a build's commands; a failure carries the command and the end of what it said."""

from __future__ import annotations

import shlex
import subprocess
import typing as t
from pathlib import Path

from .errors import BuildError


def run(argv: t.Sequence[str], cwd: Path | None = None, env: t.Mapping[str, str] | None = None) -> str:
    try:
        done = subprocess.run(argv, cwd=cwd, env=env, capture_output=True, text=True, check=False)
    except FileNotFoundError as exc:
        raise BuildError(f"{argv[0]} is not installed on this machine: run `python3 -m lab.artifacts prepare`, or install it by hand") from exc
    if done.returncode:
        said = "\n".join((done.stdout + done.stderr).strip().splitlines()[-25:])
        raise BuildError(f"`{shlex.join(argv)}` in {cwd or Path.cwd()} ended with {done.returncode}:\n{said}")
    return done.stdout
