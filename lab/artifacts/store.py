# Copyright (c) 2026, ironrack.cluster contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Outputs by content: an entry's key is the hash of all that went into it, so equal inputs are never built twice."""

from __future__ import annotations

import dataclasses
import hashlib
import json
import os
import shutil
import typing as t
from contextlib import contextmanager
from pathlib import Path

RECORD = "built.json"


def sha256_file(path: Path) -> str:
    with open(path, "rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


@dataclasses.dataclass
class Step:
    """One output: what it is made of, how it is made, and what that costs on two idle cores with cold caches."""

    name: str
    inputs: dict[str, t.Any]
    make: t.Callable[[Path], None]
    seconds: float = 1.0
    disk_mb: int = 50
    light: bool = False  # may run beside other light steps

    @property
    def key(self) -> str:
        text = json.dumps({"name": self.name, "inputs": self.inputs}, sort_keys=True)
        return hashlib.sha256(text.encode()).hexdigest()[:32]


class Store:
    """`store/NAME/KEY/` below the cache; an entry appears by one rename, so it is complete or absent."""

    def __init__(self, root: Path) -> None:
        self.root = root

    @property
    def bundles(self) -> Path:
        return self.root / "bundle"

    def path(self, step: Step) -> Path:
        return self.root / "store" / step.name / step.key

    def has(self, step: Step) -> bool:
        return (self.path(step) / RECORD).is_file()

    def record(self, step: Step) -> dict[str, t.Any]:
        return json.loads((self.path(step) / RECORD).read_text())

    def build(self, step: Step) -> None:
        final = self.path(step)
        with self.scratch(step.name) as work:
            out = work / "out"
            out.mkdir()
            step.make(out)
            record = {"inputs": step.inputs, "files": describe(out)}
            (out / RECORD).write_text(json.dumps(record, indent=1, sort_keys=True))
            final.parent.mkdir(parents=True, exist_ok=True)
            os.rename(out, final)

    @contextmanager
    def scratch(self, name: str) -> t.Iterator[Path]:
        work = self.root / "artifacts.tmp" / f"{name}.{os.getpid()}"
        shutil.rmtree(work, ignore_errors=True)
        work.mkdir(parents=True)
        try:
            yield work
        finally:
            shutil.rmtree(work, ignore_errors=True)

    def clear_scratch(self) -> None:
        """What a killed build left. Only call with the cache's lock held."""
        shutil.rmtree(self.root / "artifacts.tmp", ignore_errors=True)

    def entries(self) -> t.Iterator[Path]:
        yield from sorted((self.root / "store").glob("*/*"))

    def prune(self, keep: set[Path]) -> list[Path]:
        gone = [entry for entry in self.entries() if entry not in keep]
        for entry in gone:
            # The record goes first: a half-removed entry must not look complete.
            (entry / RECORD).unlink(missing_ok=True)
            shutil.rmtree(entry)
        return gone


def describe(folder: Path) -> dict[str, dict[str, t.Any]]:
    files = {}
    for path in sorted(folder.rglob("*")):
        if path.is_file() and not path.is_symlink():
            files[str(path.relative_to(folder))] = {"sha256": sha256_file(path), "size": path.stat().st_size}
    return files
