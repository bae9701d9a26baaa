# Copyright (c) 2026, ironrack.cluster contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The image of every host: a minimal Debian server, built once and kept in the cache by the content of its definition.

Only what a bare server has is in it. What a cluster needs (runc, keepalived, ...) is installed by the roles from the mirror.
"""
from __future__ import annotations

import hashlib
import os
import re
import shutil
import subprocess
from pathlib import Path

from .mounts import remove_tree
from .settings import CODENAME, Paths
from .shell import LabError, Progress, run, run_logged

DEFINITION = Path(__file__).resolve().parent / "image"
KEYRING = Path("/usr/share/keyrings/debian-archive-keyring.gpg")
NAME = "localhost/ironrack-lab"
# Loaded into a service by a drop-in of the image, below files/.
OPEN_FILES = "usr/local/lib/lab-open-files.so"
# Counts up when the steps below change what is in the image.
RECIPE = "3"


def packages(definition: Path = DEFINITION) -> list[str]:
    lines = (definition / "packages.txt").read_text().splitlines()
    return [line.strip() for line in lines if line.strip() and not line.startswith("#")]


def key(definition: Path = DEFINITION, codename: str = CODENAME) -> str:
    """One name for everything that decides what is in the image."""
    digest = hashlib.sha256(f"{RECIPE}\0{codename}".encode())
    for path in sorted(entry for entry in definition.rglob("*") if entry.is_file()):
        digest.update(f"\0{path.relative_to(definition)}\0{path.stat().st_mode & 0o111:o}\0".encode())
        digest.update(path.read_bytes())
    return digest.hexdigest()[:16]


def reference(image_key: str) -> str:
    return f"{NAME}:{image_key}"


def store(paths: Paths, image_key: str) -> Path:
    return paths.images / image_key / "store"


def is_built(paths: Paths, image_key: str) -> bool:
    return (paths.images / image_key / "complete").exists()


def ensure(paths: Paths, progress: Progress) -> str:
    """Build the image unless the cache has it; returns its key. Older images go."""
    image_key = key()
    if not is_built(paths, image_key):
        _build(paths, image_key, progress)
    for other in paths.images.iterdir():
        if other.name != image_key:
            remove_tree(other)
    return image_key


def _build(paths: Paths, image_key: str, progress: Progress) -> None:
    folder = paths.images / image_key
    remove_tree(folder)
    root, log = folder / "root", folder / "build.log"
    root.mkdir(parents=True)
    mirror = debian_mirror()
    progress.say(f"Building the hosts' image {image_key} (once; one to three minutes)")
    run_logged(["debootstrap", "--variant=minbase", f"--include={','.join(packages())}",
                *([f"--keyring={KEYRING}"] if KEYRING.exists() else []), CODENAME, root, mirror],
               log, progress, "debootstrap", env=proxy_environment())
    for waste in ("var/cache/apt/archives", "var/lib/apt/lists"):
        for entry in (root / waste).iterdir():
            remove_tree(entry)
    # debootstrap copies what this machine is called and whom it asks for names.
    for copied in ("etc/hostname", "etc/hosts", "etc/resolv.conf", "var/log/bootstrap.log"):
        remove_tree(root / copied)
    compile_library(DEFINITION / "open_files.c", root / OPEN_FILES)
    env = _build_environment(folder)
    base = f"{NAME}-root:{image_key}"
    progress.say("Importing the root and adding the lab's own files")
    # A pipe keeps a second copy of the root off the disk; file capabilities (ping) are xattrs.
    with subprocess.Popen(["tar", "-C", str(root), "--one-file-system", "--xattrs", "--xattrs-include=*", "-c", "."], stdout=subprocess.PIPE) as tar:
        imported = subprocess.run(["podman", "import", "--quiet", "-", base], stdin=tar.stdout, env=env, capture_output=True, text=True, check=False)
    if tar.returncode or imported.returncode:
        raise LabError(f"The import of the hosts' root failed: {imported.stderr.strip() or f'tar ended with {tar.returncode}'}")
    run_logged(["podman", "build", "--quiet", "--isolation=chroot", "--network=host", "--pull-never", "--build-arg", f"ROOT={base}",
                "--tag", reference(image_key), "--file", DEFINITION / "Containerfile", DEFINITION], log, progress, "podman build", env=env)
    installed = run(["chroot", root, "dpkg-query", "-W", "-f", "${Package} ${Version}\\n"]).stdout
    (folder / "packages.txt").write_text(installed)
    remove_tree(root)
    for scratch in ("run", "tmp"):
        remove_tree(folder / scratch)
    # The database of the build names folders of its own; as a store of images for the lab only storage's files count.
    remove_tree(store(paths, image_key) / "libpod")
    (folder / "complete").write_text("")
    progress.say(f"The hosts' image is ready ({len(installed.splitlines())} packages)")


def compile_library(source: Path, library: Path) -> None:
    """With this machine's compiler: a host has none, and the same libc."""
    library.parent.mkdir(parents=True, exist_ok=True)
    run(["gcc", "-O2", "-Wall", "-Werror", "-shared", "-fPIC", "-o", library, source])


def _build_environment(folder: Path) -> dict[str, str]:
    """podman with a store of this image alone: nothing of a user's own podman is read or written."""
    (folder / "tmp").mkdir()
    (folder / "containers.conf").write_text(
        '[engine]\ncgroup_manager = "cgroupfs"\nevents_logger = "none"\nruntime = "runc"\nlock_type = "file"\n'
        f'tmp_dir = "{folder}/run/libpod"\nstatic_dir = "{folder}/store/libpod"\nvolume_path = "{folder}/run/volumes"\n'
        f'[network]\nnetwork_backend = "netavark"\nnetwork_config_dir = "{folder}/run/networks"\n')
    (folder / "storage.conf").write_text(f'[storage]\ndriver = "overlay"\ngraphroot = "{folder}/store"\nrunroot = "{folder}/run"\n')
    return podman_environment(folder / "containers.conf", folder / "storage.conf", folder / "tmp")


def podman_environment(containers: Path, storage: Path, temporary: Path) -> dict[str, str]:
    mine = {name: value for name, value in os.environ.items() if not name.startswith(("CONTAINER", "DOCKER_", "STORAGE_", "BUILDAH_", "PODMAN_"))}
    return {**mine, "CONTAINERS_CONF": str(containers), "CONTAINERS_STORAGE_CONF": str(storage), "TMPDIR": str(temporary)}


def proxy_environment() -> dict[str, str]:
    """apt may know a proxy that the environment does not name; debootstrap reads the environment only."""
    env = dict(os.environ)
    if shutil.which("apt-config"):
        for scheme in ("http", "https"):
            found = re.search(r'"(.+)"', run(["apt-config", "dump", f"Acquire::{scheme}::Proxy"], ok=None).stdout)
            if found and found.group(1) != "DIRECT":
                env.setdefault(f"{scheme}_proxy", found.group(1))
    return env


def debian_mirror(folder: Path = Path("/etc/apt")) -> str:
    """The mirror that this machine's own apt uses: the lab writes no mirror down."""
    files = [folder / "sources.list", *sorted((folder / "sources.list.d").glob("*.sources")), *sorted((folder / "sources.list.d").glob("*.list"))]
    found = [uri for path in files if path.is_file() for uri in mirrors(path.read_text(), CODENAME, deb822=path.suffix == ".sources")]
    if not found:
        raise LabError(f"apt on this machine has no source of {CODENAME} main (looked into {folder}/sources.list and sources.list.d), "
                       "so there is no mirror to build the hosts from. Add one and run this again.")
    return found[0]


def mirrors(text: str, codename: str, deb822: bool) -> list[str]:
    """URIs of one file of apt's sources that serve ``codename`` main."""
    if deb822:
        entries = []
        for stanza in re.split(r"\n\s*\n", text):
            lines = "\n".join(line for line in stanza.splitlines() if not line.startswith("#"))
            fields = {name.lower(): value.split() for name, value in re.findall(r"^([\w-]+):((?:[^\n]|\n[ \t])*)", lines, re.M)}
            if fields.get("enabled", ["yes"])[0].lower() not in ("no", "false", "0"):
                entries.append((fields.get("types", []), fields.get("uris", []), fields.get("suites", []), fields.get("components", [])))
    else:
        entries = []
        for line in text.splitlines():
            words = re.sub(r"\[[^]]*\]", "", line.split("#", 1)[0]).split()
            if len(words) >= 4:
                entries.append(([words[0]], [words[1]], [words[2]], words[3:]))
    return [
        uri for types, uris, suites, components in entries if "deb" in types and codename in suites and "main" in components
        for uri in uris if uri.startswith(("http://", "https://", "file:"))
    ]
