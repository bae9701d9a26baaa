# Copyright (c) 2026, ironrack.cluster contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""From a release file to the ordered list of steps, and from their outputs to the bundle's files."""

from __future__ import annotations

import dataclasses
import json
import typing as t
from pathlib import Path

from . import debian, golang, nginx, opensearch
from .archive import file, write_tar_gz
from .errors import BuildError
from .golang import CNI_PLUGINS
from .images import Image, image
from .oci import write_image
from .release import host_packages, reference
from .store import Step, Store

RECIPE = 1  # raise when archives or images are written in another way


@dataclasses.dataclass
class Plan:
    steps: list[Step]
    files: dict[str, tuple[Step, str]]  # path in the bundle: step and its output ("*": the whole folder)
    images: dict[str, dict[str, str]]  # path in the bundle: image, tag


def plan(release: dict[str, t.Any], store: Store) -> Plan:
    return _Planner(release, store).plan()


class _Planner:
    def __init__(self, release: dict[str, t.Any], store: Store) -> None:
        self.release = release
        self.store = store
        self.minor = release["version"].rpartition(".")[0]
        self.steps: dict[str, Step] = {}
        self.files: dict[str, tuple[Step, str]] = {}
        self.images: dict[str, dict[str, str]] = {}

    def plan(self) -> Plan:
        packages = self._add(debian.packages_step(host_packages(self.release), self.store.root))
        self._add(debian.tools_step(packages, self.store.path(packages)))
        self.files["apt"] = (packages, "*")
        for name, component in self.release["components"].items():
            for entry in component["files"]:
                self._component(name, component["version"], entry["file"])
        for entry in self.release["images"]:
            self._image(entry)
        # Heavy steps first and one by one, the cheap packing afterwards and side by side.
        ordered = sorted(self.steps.values(), key=lambda step: step.light)
        return Plan(ordered, self.files, self.images)

    def _add(self, step: Step) -> Step:
        return self.steps.setdefault(step.name, step)

    def _go(self, name: str) -> Step:
        name = f"kubernetes-{self.minor}" if name == "kubernetes" else name
        if name not in self.steps:
            self._add(golang.product(name).step())
        return self.steps[name]

    def _outputs(self, name: str) -> Path:
        step = self.steps[name] if name in self.steps else self._go(name)
        return self.store.path(step)

    def _component(self, name: str, version: str, filename: str) -> None:
        bundled = f"files/{filename}"
        if name == "nginx":
            self._check(name, version, nginx.version())
            self.files[bundled] = (self._add(nginx.step()), filename)
            return
        if name.startswith(opensearch.PREFIX):
            self._check(name, version, opensearch.distribution(name).version)
            self.files[bundled] = (self._add(opensearch.step(name)), filename)
            return
        built = self._go(name)
        self._check(name, version, golang.product(built.name).version())
        if name == "kubernetes":  # single binaries: linked as they are
            self.files[bundled] = (built, filename.removesuffix(f"-v{version}"))
            return
        members = MEMBERS[name](version)
        folder = self.store.path(built)
        step = Step(
            name=f"archive-{name}",
            inputs={"of": built.key, "members": members, "file": filename, "recipe": RECIPE},
            make=lambda out: _pack(out / filename, folder, members),
            seconds=2,
            light=True,
        )
        self.files[bundled] = (self._add(step), filename)

    @staticmethod
    def _check(name: str, wanted: str, pinned: str) -> None:
        if wanted != pinned:
            raise BuildError(f"the release file wants {name} {wanted}, lab/artifacts/modules/ builds {pinned}: bring the two together")

    def _image(self, entry: dict[str, str]) -> None:
        described = image(entry["name"])
        used = [self._go(described.product).key]
        used += [self._go(product).key for product, _binary in described.also.values()]
        if described.tools:
            used.append(self.steps["debian-tools"].key)
        ref = reference(entry)
        short = entry["name"].rpartition("/")[2]
        bundled = f"{short}-{entry['tag']}.tar"
        step = Step(
            name=f"image-{short}",
            inputs={"of": used, "reference": ref, "image": _plain(described), "recipe": RECIPE},
            make=lambda out: self._write_image(out, bundled, ref, described),
            seconds=5,
            disk_mb=60,
            light=True,
        )
        self.files[f"images/{bundled}"] = (self._add(step), bundled)
        self.images[f"images/{bundled}"] = {"image": entry["name"], "tag": entry["tag"]}

    def _write_image(self, out: Path, bundled: str, ref: str, described: Image) -> None:
        def outputs(name: str) -> Path:
            return self._outputs(name)

        digest = write_image(out / bundled, ref, described.config, described.layers(outputs))
        (out / "digest").write_text(digest)


def _plain(described: Image) -> t.Any:
    return json.loads(json.dumps(dataclasses.asdict(described)))


def _pack(target: Path, folder: Path, members: dict[str, str]) -> None:
    write_tar_gz(target, {path: file(folder / name, 0o755) for path, name in members.items()})


# Path in the archive: binary. The same shape as the vendor's archive, so that one `links` map serves both.
MEMBERS: dict[str, t.Callable[[str], dict[str, str]]] = {
    "etcd": lambda version: {f"etcd-v{version}-linux-amd64/{name}": name for name in ("etcd", "etcdctl", "etcdutl")},
    "containerd": lambda _version: {f"bin/{name}": name for name in ("containerd", "containerd-shim-runc-v2", "ctr")},
    "cni-plugins": lambda _version: {name: name for name in CNI_PLUGINS},
    "flannel-cni": lambda _version: {"flannel": "flannel"},
    "crane": lambda _version: {"crane": "crane"},
    "coredns": lambda _version: {"coredns": "coredns"},
    "versitygw": lambda version: {f"versitygw_v{version}_Linux_x86_64/versitygw": "versitygw"},
    "elasticsearch-exporter": lambda version: {f"elasticsearch_exporter-{version}.linux-amd64/elasticsearch_exporter": "elasticsearch_exporter"},
}
