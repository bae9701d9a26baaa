# Copyright (c) 2026, ironrack.cluster contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Files of a Maven repository: mvn fetches and verifies, with the machine's own settings, and each file must have the sum that is pinned here.

One run for all of them: each wanted artifact is a project of its own in a reactor, so that none decides the versions of what another needs.
"""

from __future__ import annotations

import typing as t
from pathlib import Path

from .errors import BuildError
from .process import run
from .store import sha256_file

PLUGIN = "org.apache.maven.plugins:maven-dependency-plugin:3.8.1"
SUMS = "maven.sha256"


ALONE = ("*:*",)


class Artifact(t.NamedTuple):
    """What is wanted, with everything that it needs at run time unless said otherwise."""

    group: str
    name: str
    version: str
    kind: str = "jar"
    without: tuple[str, ...] = ()  # GROUP:NAME of what is not wanted, and with it all that only that needs


def fetch(wanted: t.Mapping[str, Artifact], sums: Path, work: Path) -> dict[str, list[Path]]:
    """Bring the artifacts below a folder.

    :param wanted: each artifact by a name of the caller's.
    :param sums: file with the pinned SHA-256 of every file that may come, as sha256sum writes it.
    :param work: an empty folder; mvn's own repository lies in it too, so that nothing comes from an earlier run unverified.
    :returns: the files of each artifact by the same names.
    :raises BuildError: when one is not to be had, or has not the sum that is pinned.
    """
    for name, artifact in wanted.items():
        (work / name).mkdir(parents=True)
        (work / name / "pom.xml").write_text(_pom(name, _dependency(artifact)))
    (work / "pom.xml").write_text(_pom("parts", "".join(f"<module>{name}</module>" for name in wanted), "modules"))
    options = ["--batch-mode", "--quiet", "--strict-checksums", f"-Dmaven.repo.local={work / 'repository'}"]
    run(["mvn", *options, f"{PLUGIN}:copy-dependencies", "-DincludeScope=runtime"], cwd=work)
    found = {name: sorted((work / name / "target" / "dependency").iterdir()) for name in wanted}
    _verify([path for paths in found.values() for path in paths], sums)
    return found


def _pom(name: str, content: str, tag: str = "dependencies") -> str:
    own = f"<groupId>ironrack.lab</groupId><artifactId>{name}</artifactId><version>1</version><packaging>pom</packaging>"
    return f'<project xmlns="http://maven.apache.org/POM/4.0.0"><modelVersion>4.0.0</modelVersion>{own}<{tag}>{content}</{tag}></project>\n'


def _dependency(artifact: Artifact) -> str:
    fields = {"groupId": artifact.group, "artifactId": artifact.name, "version": artifact.version, "type": artifact.kind}
    text = "".join(f"<{tag}>{value}</{tag}>" for tag, value in fields.items())
    left_out = (name.split(":") for name in artifact.without)
    excluded = "".join(f"<exclusion><groupId>{group}</groupId><artifactId>{name}</artifactId></exclusion>" for group, name in left_out)
    if excluded:
        text += f"<exclusions>{excluded}</exclusions>"
    return f"<dependency>{text}</dependency>"


def pinned(sums: Path) -> dict[str, str]:
    """:returns: SHA-256 by file name."""
    lines = (line.split() for line in sums.read_text().splitlines() if line and not line.startswith("#"))
    return {name: digest for digest, name in lines}


def _verify(paths: t.Sequence[Path], sums: Path) -> None:
    expected = pinned(sums)
    # Two artifacts may bring files of one name: each of them has to be the pinned one.
    wrong = sorted({(path.name, digest) for path in paths if (digest := sha256_file(path)) != expected.get(path.name)})
    unused = sorted(set(expected) - {path.name for path in paths})
    if wrong:
        lines = "\n".join(f"{digest}  {name}" for name, digest in wrong)
        raise BuildError(f"{sums} does not pin these files of the Maven repository; where each may be trusted, put its line there:\n{lines}")
    if unused:
        raise BuildError(f"{sums} pins what is not used any more: take out {', '.join(unused)}")
