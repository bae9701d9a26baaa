# Copyright (c) 2026, ironrack.cluster contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The release file of the collection is the list of what a bundle holds; the lab builds just that."""

from __future__ import annotations

import typing as t
from pathlib import Path

from .errors import BuildError

try:
    import yaml
except ImportError as exc:  # pragma: no cover
    raise SystemExit("PyYAML is missing in this Python: run with the Python that runs Ansible") from exc

FOLDER = Path(__file__).parents[2] / "playbooks" / "vars" / "releases"


def available() -> list[str]:
    return sorted((path.stem for path in FOLDER.glob("*.yml")), key=lambda name: [int(part) for part in name.split(".")])


def load(version: str) -> dict[str, t.Any]:
    path = FOLDER / f"{version}.yml"
    if not path.is_file():
        raise BuildError(f"there is no release {version}: {FOLDER} has {', '.join(available())}")
    return yaml.safe_load(path.read_text())


def reference(image: t.Mapping[str, str]) -> str:
    return f"{image['name']}:{image['tag']}"


def host_packages(release: t.Mapping[str, t.Any]) -> list[str]:
    return sorted({name for names in release["packages"].values() for name in names})
