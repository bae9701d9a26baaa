# Copyright (c) 2026, ironrack.cluster contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Builds what is missing and lays the bundle: hard links into the store and a manifest, put in place by a rename."""

from __future__ import annotations

import json
import os
import shutil
import typing as t
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from . import golang, llm
from .catalogue import Plan, plan
from .errors import BuildError
from .golang import go_caches
from .progress import Progress
from .release import load
from .store import RECORD, Step, Store

# What only tests use: in no bundle, built when one of them asks.
TOOLS = (*golang.TOOLS, *llm.NAMES)


def build(version: str, store: Store, say: t.Callable[[str], None] = print) -> Path:
    """Caller holds the cache's lock."""
    store.clear_scratch()
    todo = plan(load(version), store)
    missing = [step for step in todo.steps if not store.has(step)]
    _check_disk(missing, store)
    progress = Progress(missing, say)
    for step in todo.steps:
        if step not in missing:
            progress.cached(step)
    try:
        _run(missing, store, progress)
        bundle = _lay(version, todo, store)
    finally:
        _write_timings(version, store, progress)
    _write_references(version, todo.steps, store)
    say(f"{version}: {len(todo.steps)} outputs, {len(missing)} built in {progress.seconds():.1f} s; bundle {bundle}")
    return bundle


def build_tool(name: str, store: Store, say: t.Callable[[str], None] = print) -> Path:
    """One output that belongs to no bundle, and what it is made of. Caller holds the cache's lock. Returns its folder."""
    steps = llm.steps(name, store) if name in llm.NAMES else [golang.product(name).step()]
    missing = [step for step in steps if not store.has(step)]
    if missing:
        store.clear_scratch()
        _check_disk(missing, store)
        _run(missing, store, Progress(missing, say))
    _write_references(name, steps, store)
    return store.path(steps[-1])


def _run(missing: list[Step], store: Store, progress: Progress) -> None:
    def one(step: Step) -> None:
        progress.start(step)
        store.build(step)
        progress.end(step, sum(entry["size"] for entry in store.record(step)["files"].values()))

    for step in missing:
        if not step.light:
            one(step)
    # zlib and hashlib let go of Python's lock: two images pack at once.
    with ThreadPoolExecutor(max_workers=max(2, os.cpu_count() or 1)) as pool:
        for done in [pool.submit(one, step) for step in missing if step.light]:
            done.result()


def _check_disk(missing: list[Step], store: Store) -> None:
    """Before the first byte: a full disk in the middle of a link leaves nothing but a puzzling message."""
    store.root.mkdir(parents=True, exist_ok=True)
    needed: dict[int, int] = {}
    free: dict[int, tuple[int, Path]] = {}
    for step in missing:
        # Most of a Go step's room is taken by the module and build caches, which may be on another disk.
        folder = store.root if step.light or step.name.startswith(("debian", "llm", "opensearch")) else _existing(go_caches()[0])
        device = folder.stat().st_dev
        needed[device] = needed.get(device, 0) + step.disk_mb
        free[device] = (shutil.disk_usage(folder).free // 10**6, folder)
    for device, want in needed.items():
        have, folder = free[device]
        if have < want + 500:
            raise BuildError(
                f"{folder} has {have} MB free and this build may need {want} MB: make room (`python3 -m lab.artifacts prune`), "
                "or set IRONRACK_CACHE to a folder on a larger disk"
            )


def _existing(path: Path) -> Path:
    while not path.exists():
        path = path.parent
    return path


def _members(todo: Plan, store: Store) -> dict[str, tuple[Path, dict[str, t.Any]]]:
    """Path in the bundle: the file in the store and its line of the manifest."""
    members = {}
    for path, (step, output) in sorted(todo.files.items()):
        folder, files = store.path(step), store.record(step)["files"]
        if output == "*":
            members.update({f"{path}/{name}": (folder / name, entry) for name, entry in files.items() if name != RECORD})
            continue
        entry = dict(files[output])
        if path in todo.images:
            entry |= todo.images[path] | {"digest": (folder / "digest").read_text()}
        members[path] = (folder / output, entry)
    return members


def _lay(version: str, todo: Plan, store: Store) -> Path:
    members = _members(todo, store)
    manifest = {"version": 1, "release": version, "files": {path: entry for path, (_source, entry) in members.items()}}
    text = json.dumps(manifest, indent=1, sort_keys=True) + "\n"
    final = store.bundles / version
    if _is_laid(final, text, members):
        return final
    with store.scratch("bundle") as work:
        fresh = work / version
        for path, (source, _entry) in members.items():
            (fresh / path).parent.mkdir(parents=True, exist_ok=True)
            os.link(source, fresh / path)
        (fresh / "manifest.json").write_text(text)
        final.parent.mkdir(exist_ok=True)
        # A folder cannot be renamed over a full one. Killed in between, the next run lays it again in a second.
        if final.exists():
            os.rename(final, work / "old")
        os.rename(fresh, final)
    return final


def _is_laid(final: Path, text: str, members: t.Mapping[str, tuple[Path, dict[str, t.Any]]]) -> bool:
    manifest = final / "manifest.json"
    if not manifest.is_file() or manifest.read_text() != text:
        return False
    return all((final / path).is_file() and (final / path).samefile(source) for path, (source, _entry) in members.items())


def _write_references(name: str, steps: t.Iterable[Step], store: Store) -> None:
    """What `prune` must keep, for a release or a tool."""
    path = store.root / "references" / f"{name}.json"
    path.parent.mkdir(exist_ok=True)
    path.write_text(json.dumps(sorted(str(store.path(step).relative_to(store.root)) for step in steps), indent=1))


def references(store: Store) -> dict[str, set[Path]]:
    found = {}
    for path in sorted((store.root / "references").glob("*.json")):
        found[path.stem] = {store.root / name for name in json.loads(path.read_text())}
    return found


def _write_timings(version: str, store: Store, progress: Progress) -> None:
    path = store.root / "timings" / f"{version}.json"
    path.parent.mkdir(exist_ok=True)
    # A step that was at hand keeps what its build took: the file stays useful after a warm run.
    before = json.loads(path.read_text())["steps"] if path.is_file() else {}
    steps = {name: {**before.get(name, {}), **timing} for name, timing in progress.timings.items()}
    record = {"release": version, "seconds": round(progress.seconds(), 1), "steps": steps}
    path.write_text(json.dumps(record, indent=1, sort_keys=True) + "\n")
