# Copyright (c) 2026, ironrack.cluster contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What is asked of mvn, and what becomes of what it brings: mvn itself is not run here."""

from __future__ import annotations

import hashlib
from xml.etree import ElementTree

import pytest

from lab.artifacts import maven
from lab.artifacts.errors import BuildError
from lab.artifacts.maven import ALONE, Artifact

NAMESPACE = {"m": "http://maven.apache.org/POM/4.0.0"}
WANTED = {"engine": Artifact("org.example", "engine", "3.4.0", "zip", ALONE),
          "painless": Artifact("org.example", "lang-painless", "3.4.0", without=("org.example:engine",))}
FILES = {"engine": {"engine-3.4.0.zip": b"engine"}, "painless": {"lang-painless-3.4.0.jar": b"painless", "asm-9.7.jar": b"asm"}}


def digest(data):
    return hashlib.sha256(data).hexdigest()


@pytest.fixture(name="mvn")
def mvn_fixture(monkeypatch):
    """Lays files as the plugin does; returns the commands that were run."""
    calls = []

    def run(argv, cwd):
        calls.append(argv)
        for name, files in FILES.items():
            (cwd / name / "target" / "dependency").mkdir(parents=True)
            for filename, data in files.items():
                (cwd / name / "target" / "dependency" / filename).write_bytes(data)

    monkeypatch.setattr(maven, "run", run)
    return calls


def pins(path, **changed):
    sums = {filename: digest(data) for files in FILES.values() for filename, data in files.items()} | changed
    path.write_text("# pinned\n" + "".join(f"{value}  {name}\n" for name, value in sums.items() if value))
    return path


def test_one_run_brings_every_artifact_verified(tmp_path, mvn):
    found = maven.fetch(WANTED, pins(tmp_path / "sums"), tmp_path / "work")
    assert {name: [path.name for path in paths] for name, paths in found.items()} == {
        "engine": ["engine-3.4.0.zip"], "painless": ["asm-9.7.jar", "lang-painless-3.4.0.jar"]}
    assert len(mvn) == 1 and {"--strict-checksums", "--batch-mode", "-DincludeScope=runtime"} < set(mvn[0])
    assert f"-Dmaven.repo.local={tmp_path}/work/repository" in mvn[0], "what an earlier run has brought would not be verified again"
    assert not any("http" in word for word in mvn[0]), "the repository is the machine's own setting"


def test_each_artifact_is_a_project_of_its_own(tmp_path, mvn):
    maven.fetch(WANTED, pins(tmp_path / "sums"), tmp_path / "work")
    top = ElementTree.parse(tmp_path / "work/pom.xml")
    assert [module.text for module in top.iterfind("m:modules/m:module", NAMESPACE)] == ["engine", "painless"]
    engine, painless = (ElementTree.parse(tmp_path / f"work/{name}/pom.xml").find("m:dependencies/m:dependency", NAMESPACE) for name in WANTED)
    assert [engine.find(f"m:{tag}", NAMESPACE).text for tag in ("artifactId", "version", "type")] == ["engine", "3.4.0", "zip"]
    left_out = [[field.text for field in part.find("m:exclusions/m:exclusion", NAMESPACE)] for part in (engine, painless)]
    assert left_out == [["*", "*"], ["org.example", "engine"]]


@pytest.mark.parametrize("changed, word", [
    ({"asm-9.7.jar": digest(b"other")}, f"does not pin .*\n{digest(b'asm')}  asm-9.7.jar$"),
    ({"asm-9.7.jar": ""}, f"does not pin .*\n{digest(b'asm')}  asm-9.7.jar$"),
    ({"gone-1.jar": digest(b"gone")}, "pins what is not used any more: take out gone-1.jar"),
])
def test_a_file_that_is_not_the_pinned_one_is_refused(tmp_path, mvn, changed, word):
    with pytest.raises(BuildError, match=word):
        maven.fetch(WANTED, pins(tmp_path / "sums", **changed), tmp_path / "work")
    assert mvn
