# Copyright (c) 2026, ironrack.cluster contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""python3 -m lab.artifacts prepare | build [--release VERSION] | tool NAME | status | prune"""

from __future__ import annotations

import argparse
import fcntl
import json
import os
import signal
import sys
import typing as t
from contextlib import contextmanager
from pathlib import Path

from . import nginx
from .bundle import TOOLS, build, build_tool, references
from .errors import BuildError
from .golang import MODULES, go_caches
from .process import run
from .progress import human_bytes
from .release import available
from .store import Store

BUDGET = 25 * 10**9
BUILD_PACKAGES = (*nginx.PACKAGES, "apt-utils", "binutils", "libc6-dev", "maven")


def main() -> int:
    parser = argparse.ArgumentParser(prog="python3 -m lab.artifacts", description="Builds the bundle that a lab's mirror serves.")
    commands = parser.add_subparsers(dest="command", required=True)
    commands.add_parser("prepare", help="install what the build needs on this machine (apt-get)")
    building = commands.add_parser("build", help="build what is missing and lay the bundle")
    building.add_argument("--release", choices=available(), default=available()[-1])
    tool = commands.add_parser("tool", help="build what only a test uses, where it is missing; the last line is its folder")
    tool.add_argument("name", choices=TOOLS)
    commands.add_parser("status", help="what is there and how large it is")
    commands.add_parser("prune", help="remove outputs no bundle uses; trim the Go caches past 25 GB in all")
    options = parser.parse_args()
    # A killed build ends its running compiler too, and the next one finds a clean cache.
    signal.signal(signal.SIGTERM, lambda *_args: sys.exit(143))
    store = Store(Path(os.environ.get("IRONRACK_CACHE", "/var/cache/ironrack")))
    try:
        if options.command == "prepare":
            prepare()
        elif options.command == "status":
            status(store)
        else:
            with _lock(store.root):
                if options.command == "build":
                    build(options.release, store, say)
                elif options.command == "tool":
                    say(str(build_tool(options.name, store, say)))
                else:
                    prune(store)
    except BuildError as exc:
        print(f"lab.artifacts: {exc}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("lab.artifacts: interrupted; what was finished is kept", file=sys.stderr)
        return 130
    return 0


def say(text: str) -> None:
    print(text, flush=True)


@contextmanager
def _lock(root: Path) -> t.Iterator[None]:
    root.mkdir(parents=True, exist_ok=True)
    with open(root / "artifacts.lock", "w", encoding="utf-8") as stream:
        try:
            fcntl.flock(stream, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise BuildError(f"another build works in {root}: wait for it, or end it") from None
        yield


def prepare() -> None:
    run(["apt-get", "update", "-qq"])
    run(["apt-get", "install", "-y", "-qq", "--no-install-recommends", *BUILD_PACKAGES], env={**os.environ, "DEBIAN_FRONTEND": "noninteractive"})
    for tool in ("go", "cargo"):
        run([tool, "version"] if tool == "go" else [tool, "--version"], cwd=MODULES)
    say("ready to build")


def footprint(store: Store) -> dict[str, int]:
    gocache, modcache = go_caches()
    folders = {"cache": store.root, "go build cache": gocache, "go module cache": modcache}
    return {name: _size(folder) for name, folder in folders.items()}


def _size(folder: Path) -> int:
    return int(run(["du", "-sk", str(folder)]).split()[0]) * 1024 if folder.exists() else 0


def status(store: Store) -> None:
    for version in available():
        manifest = store.bundles / version / "manifest.json"
        if not manifest.is_file():
            say(f"{version}: not built")
            continue
        files = json.loads(manifest.read_text())["files"]
        say(f"{version}: {len(files)} files, {human_bytes(sum(entry['size'] for entry in files.values()))} in {manifest.parent}")
    sizes = footprint(store)
    for name, size in sizes.items():
        say(f"{name}: {human_bytes(size)}")
    total = sum(sizes.values())
    say(f"in all: {human_bytes(total)}" + (" - more than 25 GB: `prune` would trim the Go caches" if total > BUDGET else ""))


def prune(store: Store) -> None:
    store.clear_scratch()
    kept = references(store)
    keep = {entry for name in (*available(), *TOOLS) for entry in kept.get(name, set())}
    gone = store.prune(keep)
    say(f"removed {len(gone)} outputs that no bundle and no test uses")
    # The Go caches are the machine's own: other work profits from them, so only the excess goes, rebuildable first.
    for flag in ("-cache", "-modcache"):
        total = sum(footprint(store).values())
        if total <= BUDGET:
            break
        run(["go", "clean", flag], cwd=MODULES)
        say(f"go clean {flag}: everything together was {human_bytes(total)}")


if __name__ == "__main__":
    sys.exit(main())
