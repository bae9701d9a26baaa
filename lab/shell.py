# Copyright (c) 2026, ironrack.cluster contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Running commands of the machine and telling the person how far it has come."""
from __future__ import annotations

import subprocess
import sys
import threading
import time
from pathlib import Path


class LabError(Exception):
    """Something that the person at the terminal has to know; printed without a traceback."""


class Progress:
    """Lines with the seconds since the start, from any thread."""

    def __init__(self, stream=None):
        self._start = time.monotonic()
        self._lock = threading.Lock()
        self._stream = stream or sys.stderr

    def say(self, text: str) -> None:
        with self._lock:
            print(f"[{time.monotonic() - self._start:6.1f} s] {text}", file=self._stream, flush=True)


def tail(text: str, lines: int = 12) -> str:
    return "\n".join(text.strip().splitlines()[-lines:])


def run(argv, *, ok=(0,), data: str | None = None, env=None, timeout: float = 300) -> subprocess.CompletedProcess:
    """Run ``argv``; an exit status outside ``ok`` (None: any) is a LabError with the last lines of stderr."""
    argv = [str(word) for word in argv]
    try:
        done = subprocess.run(argv, input=data, env=env, timeout=timeout, text=True, capture_output=True, check=False,
                              stdin=subprocess.DEVNULL if data is None else None)
    except FileNotFoundError as exc:
        raise LabError(f"{argv[0]} is not installed. Run `python3 -m lab prepare`.") from exc
    except subprocess.TimeoutExpired as exc:
        raise LabError(f"`{' '.join(argv)}` did not end within {timeout:.0f} s.") from exc
    if ok is not None and done.returncode not in ok:
        raise LabError(f"`{' '.join(argv)}` ended with {done.returncode}:\n{tail(done.stderr or done.stdout)}")
    return done


def run_logged(argv, log: Path, progress: Progress, what: str, *, env=None, every: float = 15, timeout: float = 1800) -> None:
    """Run something slow: its output goes to ``log``, its last line is shown now and then."""
    argv = [str(word) for word in argv]
    start = time.monotonic()
    with log.open("a") as sink, subprocess.Popen(argv, stdin=subprocess.DEVNULL, stdout=sink, stderr=subprocess.STDOUT, env=env) as process:
        while True:
            try:
                rc = process.wait(timeout=every)
                break
            except subprocess.TimeoutExpired:
                if time.monotonic() - start > timeout:
                    process.kill()
                    raise LabError(f"{what} did not end within {timeout:.0f} s; see {log}.") from None
                progress.say(f"{what}: {tail(log.read_text(errors='replace'), 1)[:110]}")
    if rc != 0:
        raise LabError(f"{what}: `{argv[0]}` ended with {rc}. The end of {log}:\n{tail(log.read_text(errors='replace'), 20)}")
