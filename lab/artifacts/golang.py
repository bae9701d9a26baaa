# Copyright (c) 2026, ironrack.cluster contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Go products: each is a module of ours below modules/ that pins its commands by `tool` directives and go.sum.

A wrapper module, because `go install MODULE@VERSION` refuses modules with replace directives (kubernetes, flannel) and
because a pinned go.sum makes every byte of source verifiable. Proxy and checksum database are the machine's own settings.
"""

from __future__ import annotations

import dataclasses
import functools
import os
import re
import shutil
import typing as t
from pathlib import Path

from .errors import BuildError
from .process import run
from .store import Step

MODULES = Path(__file__).parent / "modules"


@dataclasses.dataclass(frozen=True)
class GoProduct:
    name: str
    binaries: tuple[str, ...]
    seconds: float
    disk_mb: int
    module: str = ""  # the required module whose version is the product's
    stamps: tuple[str, ...] = ()  # NAME=VALUE for -X; {version}, {minor} are filled in
    rename: tuple[tuple[str, str], ...] = ()
    cgo_tags: str = ""  # set: static with cgo and these build tags
    data: tuple[str, ...] = ()  # files and folders of the required module that the commands read, beside them in the output

    @property
    def folder(self) -> Path:
        return MODULES / self.name

    def version(self) -> str:
        if not self.module:
            return ""
        text = (self.folder / "go.mod").read_text()
        found = re.search(rf"^\s*(?:require )?{re.escape(self.module)} v(\S+)", text, re.MULTILINE)
        if not found:
            raise BuildError(f"{self.folder / 'go.mod'} does not require {self.module}")
        return found[1]

    def ldflags(self) -> str:
        version = self.version()
        minor = version.split(".")[1] if "." in version else ""
        flags = ["-s", "-w"] + [f"-X {stamp.format(version=version, minor=minor)}" for stamp in self.stamps]
        if self.cgo_tags:
            flags.append('-extldflags "-static"')
        return " ".join(flags)

    def argv(self, out: Path) -> list[str]:
        tags = ["-tags", self.cgo_tags] if self.cgo_tags else []
        package = "tool" if self.module else "."
        return ["go", "build", "-trimpath", *tags, "-ldflags", self.ldflags(), "-o", f"{out}/", package]

    def step(self) -> Step:
        inputs: dict[str, t.Any] = {
            "sources": sources(self.folder),
            "argv": self.argv(Path("OUT")),
            "cgo": bool(self.cgo_tags),
            "go": go_version(),
            "rename": self.rename,
        }
        if self.data:
            inputs["data"] = self.data
        return Step(
            name=self.name,
            inputs=inputs,
            make=self._make,
            seconds=self.seconds,
            disk_mb=self.disk_mb,
        )

    def _make(self, out: Path) -> None:
        run(self.argv(out), cwd=self.folder, env=environment(bool(self.cgo_tags)))
        for old, new in self.rename:
            (out / old).rename(out / new)
        missing = sorted(set(self.binaries) - {path.name for path in out.iterdir()})
        if missing:
            raise BuildError(f"{self.folder}: go build made no {', '.join(missing)}: see the tool block of its go.mod")
        if self.data:
            self._copy_data(out)

    def _copy_data(self, out: Path) -> None:
        # The build has fetched the module; go.sum vouches for its files as for its sources.
        module = Path(run(["go", "list", "-m", "-f", "{{.Dir}}", self.module], cwd=self.folder, env=environment(False)).strip())
        for name in self.data:
            (out / name).parent.mkdir(parents=True, exist_ok=True)
            # copyfile: the module cache is read-only, and an output has to be removable.
            if (module / name).is_dir():
                shutil.copytree(module / name, out / name, copy_function=shutil.copyfile)
            else:
                shutil.copyfile(module / name, out / name)
        for folder in [path for path in out.rglob("*") if path.is_dir()]:
            folder.chmod(0o755)


def environment(cgo: bool) -> dict[str, str]:
    env = dict(os.environ)
    env["CGO_ENABLED"] = "1" if cgo else "0"
    env["GOWORK"] = "off"  # prometheus and others ship a go.work
    env.setdefault("GOTOOLCHAIN", "local")
    # Go would run git in our tree for a stamp that says nothing about the product.
    if "-buildvcs" not in env.get("GOFLAGS", ""):
        env["GOFLAGS"] = f"{env.get('GOFLAGS', '')} -buildvcs=false".strip()
    return env


def sources(folder: Path) -> dict[str, str]:
    # Text, not sums: the record in the store then tells what a build was made of.
    names = [path for path in sorted(folder.iterdir()) if path.suffix in (".mod", ".sum", ".go", ".toml", ".lock", ".rs")]
    return {path.name: path.read_text() for path in names}


@functools.cache
def go_version() -> str:
    return run(["go", "env", "GOVERSION"], cwd=MODULES).strip()


@functools.cache
def go_caches() -> tuple[Path, Path]:
    lines = run(["go", "env", "GOCACHE", "GOMODCACHE"], cwd=MODULES).splitlines()
    return Path(lines[0]), Path(lines[1])


def _version_stamps(package: str) -> tuple[str, ...]:
    return (
        f"{package}.gitVersion=v{{version}}",
        f"{package}.gitMajor=1",
        f"{package}.gitMinor={{minor}}",
        f"{package}.gitCommit=unknown",  # else every user agent shows an unexpanded $Format:%H$
        f"{package}.gitTreeState=clean",
    )


KUBERNETES = ("kubeadm", "kubelet", "kubectl", "kube-apiserver", "kube-controller-manager", "kube-scheduler", "kube-proxy")
CNI_PLUGINS = ("bandwidth", "bridge", "firewall", "host-device", "host-local", "loopback", "portmap", "ptp", "tuning")
CNI_STAMP = "github.com/containernetworking/plugins/pkg/utils/buildversion.BuildVersion=v{version}"
CONTAINERD = "github.com/containerd/containerd/v2"


def _kubernetes(minor: str) -> GoProduct:
    # kubeadm and the kubelet read the version they were stamped with: without it kubeadm refuses to work.
    stamps = _version_stamps("k8s.io/component-base/version") + _version_stamps("k8s.io/client-go/pkg/version")
    return GoProduct(f"kubernetes-{minor}", KUBERNETES, 720, 5000, module="k8s.io/kubernetes", stamps=stamps)


PRODUCTS = {
    product.name: product
    for product in (
        GoProduct("pause", ("pause",), 6, 60),
        GoProduct("agnhost", ("agnhost",), 12, 120),
        GoProduct(
            "crane",
            ("crane",),
            25,
            300,
            module="github.com/google/go-containerregistry",
            stamps=("github.com/google/go-containerregistry/cmd/crane/cmd.Version=v{version}",),
        ),
        GoProduct("cni-plugins", CNI_PLUGINS, 15, 300, module="github.com/containernetworking/plugins", stamps=(CNI_STAMP,)),
        GoProduct("flannel-cni", ("flannel",), 5, 200, module="github.com/containernetworking/plugins", stamps=(CNI_STAMP,)),
        GoProduct(
            "etcd",
            ("etcd", "etcdctl", "etcdutl"),
            60,
            800,
            module="go.etcd.io/etcd/server/v3",
            stamps=("go.etcd.io/etcd/api/v3/version.GitSHA=v{version}",),
            rename=(("server", "etcd"),),
        ),
        GoProduct(
            "containerd",
            ("containerd", "containerd-shim-runc-v2", "ctr"),
            110,
            1200,
            module=CONTAINERD,
            stamps=(f"{CONTAINERD}/version.Version=v{{version}}", f"{CONTAINERD}/version.Package={CONTAINERD}"),
        ),
        _kubernetes("1.36"),
        _kubernetes("1.35"),
        GoProduct("coredns", ("coredns",), 170, 2500, module="github.com/coredns/coredns"),
        GoProduct(
            "flannel",
            ("flanneld",),
            60,
            1500,
            module="github.com/flannel-io/flannel",
            stamps=("github.com/flannel-io/flannel/pkg/version.Version=v{version}",),
            rename=(("flannel", "flanneld"),),
            # backend/udp needs cgo on amd64; netgo and osusergo let the result be static.
            cgo_tags="netgo,osusergo",
        ),
        GoProduct(
            "kube-router",
            ("kube-router",),
            100,
            1500,
            module="github.com/cloudnativelabs/kube-router",
            stamps=("github.com/cloudnativelabs/kube-router/pkg/version.Version=v{version}",),
        ),
        GoProduct(
            "metrics-server",
            ("metrics-server",),
            90,
            1200,
            module="sigs.k8s.io/metrics-server",
            stamps=_version_stamps("k8s.io/client-go/pkg/version")[:1],
        ),
        GoProduct(
            "versitygw",
            ("versitygw",),
            155,
            1500,
            module="github.com/versity/versitygw",
            stamps=("main.Version=v{version}",),
        ),
        GoProduct(
            "elasticsearch-exporter",
            ("elasticsearch_exporter",),
            60,
            900,
            module="github.com/prometheus-community/elasticsearch_exporter",
            stamps=("github.com/prometheus/common/version.Version={version}",),
        ),
        GoProduct(
            "kube-bench",
            ("kube-bench",),
            90,
            900,
            module="github.com/aquasecurity/kube-bench",
            stamps=("github.com/aquasecurity/kube-bench/cmd.KubeBenchVersion=v{version}",),
            data=("cfg/config.yaml", "cfg/cis-1.10"),
        ),
    )
}
# What only tests use: in no bundle, built when one of them asks.
TOOLS = ("kube-bench",)


def product(name: str) -> GoProduct:
    try:
        return PRODUCTS[name]
    except KeyError:
        raise BuildError(f"no Go module of ours builds {name}: write {MODULES / name}/go.mod and name it in {__file__}") from None


def versions() -> t.Mapping[str, str]:
    return {name: entry.version() for name, entry in PRODUCTS.items() if entry.module}
