# Copyright (c) 2026, ironrack.cluster contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Debian packages: a flat apt repository for hosts, and the few tools that images need, cut out of those packages.

apt and dpkg do the fetching, verifying and unpacking; the machine's own sources and keys are used.
"""

from __future__ import annotations

import gzip
import os
import re
import shutil
import typing as t
from pathlib import Path

from .errors import BuildError
from .process import run
from .store import Step

# Not for hosts, but from the same closure: usr-is-merged spares the repository perl (init-system-helpers would choose
# usrmerge), busybox-static gives flannel's init container its `cp`, netbase has the names of protocols.
ALSO = ("usr-is-merged", "busybox-static", "netbase")
TOOLS_RECIPE = 3  # raise when the layout below changes: the key of images covers it

LIBRARY_FOLDERS = ("lib/x86_64-linux-gnu", "usr/lib/x86_64-linux-gnu", "lib", "usr/lib", "lib64")
XTABLES_VERBS = ("", "-save", "-restore", "-nft", "-nft-save", "-nft-restore")
XTABLES_NAMES = [f"{family}tables{verb}" for family in ("ip", "ip6") for verb in XTABLES_VERBS]
PROTOCOLS = "etc/protocols"
BUSYBOX_NAMES = ("cat", "cp", "ls", "mkdir", "mv", "rm", "sh", "sleep")


def packages_step(names: t.Iterable[str], cache: Path, name: str = "debian-packages") -> Step:
    """The repository: the packages with everything they depend on down to libc6, so that any Debian 12 host is served."""
    wanted = sorted({*names, *ALSO})
    state = cache / "downloads" / "apt"
    return Step(
        name=name,
        inputs={"wanted": wanted, "closure": _closure(wanted, state), "recipe": 1},
        make=lambda out: _make_repository(out, wanted, state),
        seconds=30,
        disk_mb=200,
    )


def _apt_get(state: Path, *args: str) -> list[str]:
    # An empty status file: apt then resolves for a host on which nothing is installed.
    (state / "archives" / "partial").mkdir(parents=True, exist_ok=True)
    (state / "status").write_text("")
    options = {
        "Dir::State::status": state / "status",
        "Dir::Cache::archives": state / "archives",
        "APT::Sandbox::User": "root",
        "APT::Install-Recommends": "false",
    }
    return ["apt-get", "-y", "-qq", *(f"-o{key}={value}" for key, value in options.items()), *args]


def _closure(wanted: list[str], state: Path) -> list[str]:
    lines = run(_apt_get(state, "install", "--print-uris", *wanted)).splitlines()
    # 'URL' FILE SIZE SUM: the URL is the machine's mirror and no part of what is built.
    found = sorted(line.partition("' ")[2] for line in lines if line.startswith("'"))
    if not found:
        raise BuildError("apt-get names no package to fetch: are there package lists? Run `python3 -m lab.artifacts prepare`")
    return found


def _make_repository(out: Path, wanted: list[str], state: Path) -> None:
    archives = state / "archives"
    current = {line.split()[0] for line in _closure(wanted, state)}
    run(_apt_get(state, "install", "--download-only", *wanted))
    for deb in sorted(archives.glob("*.deb")):
        if deb.name in current:
            # apt writes the epoch into the name as "1%3a": a web server would decode that again.
            os.link(deb, out / re.sub(r"_\d+%3a", "_", deb.name))
    have = len(list(out.glob("*.deb")))
    if have != len(current):
        raise BuildError(
            f"apt-get fetched {have} of {len(current)} packages into {archives}: "
            "are the package lists stale? Run `python3 -m lab.artifacts prepare`"
        )
    index = run(["apt-ftparchive", "packages", "."], cwd=out)
    (out / "Packages").write_text(index)
    (out / "Packages.gz").write_bytes(gzip.compress(index.encode(), mtime=0))
    settings = {"Origin": "ironrack", "Label": "ironrack", "Suite": "lab", "Architectures": "amd64 all"}
    options = [f"-oAPT::FTPArchive::Release::{key}={value}" for key, value in settings.items()]
    release = run(["apt-ftparchive", *options, "release", "."], cwd=out)
    (out / "Release").write_text(release)
    shutil.rmtree(archives)


def tools_step(packages: Step, packages_path: Path) -> Step:
    return Step(
        name="debian-tools",
        inputs={"packages": packages.key, "recipe": TOOLS_RECIPE, "names": [XTABLES_NAMES, BUSYBOX_NAMES]},
        make=lambda out: _make_tools(out, packages_path),
        seconds=12,
        disk_mb=300,
    )


def unpacked(packages: Path, root: Path) -> Path:
    """:returns: the folder, with the files of all packages in it; none of them is configured."""
    for deb in sorted(packages.glob("*.deb")):
        run(["dpkg-deb", "-x", str(deb), str(root)])
    return root


def _make_tools(out: Path, packages: Path) -> None:
    """out/NAME is the file tree of one image layer."""
    root = unpacked(packages, out.parent / "root")
    closure = Closure(root)
    # Without names nft says 6 for tcp. kube-proxy then takes what it has written itself for somebody else's, and deletes it: it reads its rules
    # back once an hour, when it starts anew, and when its node gets another zone.
    closure.copy(out / "nft", ["usr/sbin/nft", PROTOCOLS])
    plugins = [str(path.relative_to(root)) for path in (root / "usr/lib/x86_64-linux-gnu/xtables").glob("*.so")]
    closure.copy(out / "xtables", ["usr/sbin/xtables-nft-multi", *plugins])
    for name in XTABLES_NAMES:
        (out / "xtables/usr/sbin" / name).symlink_to("xtables-nft-multi")
    (out / "xtables/etc").mkdir()
    shutil.copy(root / "etc/ethertypes", out / "xtables/etc/ethertypes")
    closure.copy(out / "ipset", ["usr/sbin/ipset", "bin/ip", PROTOCOLS])
    closure.copy(out / "busybox", ["bin/busybox"])
    for name in BUSYBOX_NAMES:
        (out / "busybox/bin" / name).symlink_to("busybox")
    # What update-ca-certificates would write when the package is configured.
    authorities = sorted((root / "usr/share/ca-certificates/mozilla").glob("*.crt"))
    bundle = out / "certificates/etc/ssl/certs/ca-certificates.crt"
    bundle.parent.mkdir(parents=True)
    bundle.write_text("".join(path.read_text() for path in authorities))


class Closure:
    """Files with the shared libraries they need, found by their ELF headers: nothing of the root is executed."""

    def __init__(self, root: Path) -> None:
        self.root = root

    def copy(self, target: Path, names: t.Iterable[str]) -> None:
        todo, done = list(names), set()
        while todo:
            name = todo.pop()
            if name in done:
                continue
            done.add(name)
            source = self.root / name
            if not source.exists():
                raise BuildError(f"Debian's packages hold no {name}: did it move? See {__file__}")
            place = target / name
            place.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(source, place)
            todo.extend(self._library(needed, name) for needed in self._needs(source))

    def _library(self, needed: str, wanted_by: str) -> str:
        if needed.startswith("/"):  # the loader
            return needed.lstrip("/")
        for folder in LIBRARY_FOLDERS:
            if (self.root / folder / needed).exists():
                return f"{folder}/{needed}"
        raise BuildError(f"no {needed} in Debian's packages, wanted by {wanted_by}")

    @staticmethod
    def _needs(path: Path) -> list[str]:
        with open(path, "rb") as stream:
            if stream.read(4) != b"\x7fELF":
                return []
        return parse_readelf(run(["readelf", "--wide", "--program-headers", "--dynamic", str(path)]))


def parse_readelf(text: str) -> list[str]:
    loader = re.findall(r"Requesting program interpreter: ([^\]]+)\]", text)
    return loader + re.findall(r"\(NEEDED\)\s+Shared library: \[([^\]]+)\]", text)
