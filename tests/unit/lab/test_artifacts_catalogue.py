# Copyright (c) 2026, ironrack.cluster contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import pytest

from lab.artifacts import catalogue, debian, golang, nginx, opensearch, release
from lab.artifacts.errors import BuildError
from lab.artifacts.images import IMAGES
from lab.artifacts.store import Step, Store


@pytest.fixture(autouse=True)
def no_tools(monkeypatch):
    """Planning asks apt, dpkg and go what they would use: none of them is run here."""
    monkeypatch.setattr(debian, "_closure", lambda _wanted, _state: ["x_1_all.deb 10 SHA256:0"])
    monkeypatch.setattr(golang, "go_version", lambda: "go1.26.8")
    monkeypatch.setattr(nginx, "run", lambda argv: "gcc=12")


def planned(version, tmp_path, change=None):
    data = release.load(version)
    if change:
        change(data)
    return catalogue.plan(data, Store(tmp_path))


@pytest.mark.parametrize("version", release.available())
def test_a_release_file_can_be_built(version, tmp_path):
    """Every component and image of the release has a recipe, and the pins of modules/ are the release's versions."""
    data = release.load(version)
    plan = planned(version, tmp_path)
    assert data["version"] == version
    wanted = {f"files/{entry['file']}" for part in data["components"].values() for entry in part["files"]}
    assert {path for path in plan.files if path.startswith("files/")} == wanted
    assert {f"{entry['image']}:{entry['tag']}" for entry in plan.images.values()} == {release.reference(entry) for entry in data["images"]}
    assert plan.files["apt"][0].name == "debian-packages"


@pytest.mark.parametrize("version", release.available())
def test_links_point_at_what_the_archive_holds(version):
    data = release.load(version)
    for name, part in data["components"].items():
        for entry in part["files"]:
            for link, member in entry["links"].items():
                assert link.startswith("/")
                if name in catalogue.MEMBERS:
                    assert member in catalogue.MEMBERS[name](part["version"])
                elif not entry["unpack"]:
                    assert member == entry["file"]
                else:
                    assert name == "nginx" and member == f"nginx-{part['version']}/sbin/nginx"


@pytest.mark.parametrize("version", release.available())
def test_upstream_urls_end_in_the_bundle_names_versions(version):
    for name, part in release.load(version)["components"].items():
        for entry in part["files"]:
            if not entry["upstream"]:
                assert name == "nginx", "only nginx has no archive upstream"
                continue
            assert entry["upstream"].startswith("https://") and entry["checksum"].startswith("https://")
            assert part["version"] in entry["upstream"] and part["version"] in entry["checksum"]
            if entry["unpack"]:
                assert entry["upstream"].endswith(f"/{entry['file']}")


def test_the_newest_release_is_last():
    assert release.available() == ["1.35.4", "1.36.4"]


def test_a_version_that_modules_do_not_pin_is_refused(tmp_path):
    def change(data):
        data["components"]["etcd"]["version"] = "3.6.99"

    with pytest.raises(BuildError, match=r"wants etcd 3\.6\.99, .* builds 3\.6\.16"):
        planned("1.36.4", tmp_path, change)


def test_a_version_of_opensearch_without_a_recipe_is_refused(tmp_path):
    def another(data):
        data["components"]["opensearch-3.9.0"] = data["components"].pop("opensearch-3.4.0")

    def renamed(data):
        data["components"]["opensearch-3.4.0"]["version"] = "3.4.1"

    with pytest.raises(BuildError, match=r"nothing here builds opensearch-3\.9\.0"):
        planned("1.36.4", tmp_path, another)
    with pytest.raises(BuildError, match=r"wants opensearch-3\.4\.0 3\.4\.1, .* builds 3\.4\.0"):
        planned("1.36.4", tmp_path, renamed)


@pytest.mark.parametrize("version", release.available())
def test_every_version_of_opensearch_that_is_built_is_in_the_release(version):
    names = {name for name in release.load(version)["components"] if name.startswith(opensearch.PREFIX)}
    assert names == {entry.name for entry in opensearch.DISTRIBUTIONS.values()}


def test_an_image_without_a_recipe_is_refused(tmp_path):
    def change(data):
        data["images"].append({"name": "example.com/other", "tag": "1", "on": "any"})

    with pytest.raises(BuildError, match="example.com/other"):
        planned("1.36.4", tmp_path, change)


def test_an_unknown_release_names_the_known_ones():
    with pytest.raises(BuildError, match=r"1\.35\.4, 1\.36\.4"):
        release.load("9.9.9")


def test_heavy_steps_come_first_and_inputs_flow_into_keys(tmp_path, monkeypatch):
    before = planned("1.36.4", tmp_path)
    lights = [step.light for step in before.steps]
    assert lights == sorted(lights)
    monkeypatch.setattr(debian, "_closure", lambda _wanted, _state: ["x_2_all.deb 10 SHA256:1"])
    after = {step.name: step.key for step in planned("1.36.4", tmp_path).steps}
    changed = {step.name for step in before.steps if after[step.name] != step.key}
    with_tools = {f"image-{name.rpartition('/')[2]}" for name, described in IMAGES.items() if described.tools}
    assert changed == {"debian-packages", "debian-tools"} | with_tools


def test_a_new_go_rebuilds_go_products(tmp_path, monkeypatch):
    before = planned("1.36.4", tmp_path)
    monkeypatch.setattr(golang, "go_version", lambda: "go1.27.0")
    after = {step.name: step.key for step in planned("1.36.4", tmp_path).steps}
    same = {step.name for step in before.steps if after[step.name] == step.key}
    assert same == {"debian-packages", "debian-tools", "nginx", "opensearch-3.4.0", "opensearch-2.19.4"}


@pytest.mark.parametrize("product", sorted(golang.PRODUCTS))
def test_go_products_are_pinned_and_neutral(product):
    entry = golang.PRODUCTS[product]
    text = (entry.folder / "go.mod").read_text()
    assert text.startswith(f"module ironrack/lab/{product}\n")
    assert (entry.folder / ("go.sum" if entry.module else "main.go")).is_file()
    assert "\ntool " in text or not entry.module
    argv = entry.argv(golang.Path("OUT"))
    assert argv[:3] == ["go", "build", "-trimpath"]
    assert "{" not in entry.ldflags()


def test_kubernetes_is_stamped_with_its_version():
    flags = golang.PRODUCTS["kubernetes-1.36"].ldflags()
    assert "-X k8s.io/component-base/version.gitVersion=v1.36.4" in flags
    assert "-X k8s.io/client-go/pkg/version.gitMinor=36" in flags


def test_go_runs_with_the_machines_own_settings(monkeypatch):
    monkeypatch.setenv("GOPROXY", "https://proxy.example.com")
    monkeypatch.setenv("GOFLAGS", "-p=2")
    env = golang.environment(cgo=False)
    assert env["GOPROXY"] == "https://proxy.example.com"
    assert env["GOFLAGS"] == "-p=2 -buildvcs=false"
    assert env["CGO_ENABLED"] == "0" and golang.environment(cgo=True)["CGO_ENABLED"] == "1"


def test_nginx_is_the_release_of_the_plus_sign():
    assert nginx.crate_version() == "1.28.5+1.28.3"
    assert nginx.archive_name() == "nginx-1.28.3-linux-amd64.tar.gz"


def test_readelf_names_loader_and_libraries():
    text = """
      [Requesting program interpreter: /lib64/ld-linux-x86-64.so.2]
 0x0000000000000001 (NEEDED)             Shared library: [libnftables.so.1]
 0x0000000000000001 (NEEDED)             Shared library: [libc.so.6]
 0x000000000000000e (SONAME)             Library soname: [libother.so]
"""
    assert debian.parse_readelf(text) == ["/lib64/ld-linux-x86-64.so.2", "libnftables.so.1", "libc.so.6"]


def test_a_library_nobody_ships_is_named(tmp_path, monkeypatch):
    (tmp_path / "tool").write_bytes(b"\x7fELF")
    monkeypatch.setattr(debian, "run", lambda _argv: "(NEEDED) Shared library: [libgone.so.1]")
    with pytest.raises(BuildError, match="no libgone.so.1 in Debian's packages, wanted by tool"):
        debian.Closure(tmp_path).copy(tmp_path / "out", ["tool"])


def test_steps_are_told_apart_by_name(tmp_path):
    names = [step.name for step in planned("1.36.4", tmp_path).steps]
    assert len(names) == len(set(names))
    assert all(isinstance(step, Step) for step in planned("1.36.4", tmp_path).steps)


def test_what_only_tests_use_is_in_no_bundle(tmp_path):
    for version in release.available():
        assert not {step.name for step in planned(version, tmp_path).steps}.intersection(golang.TOOLS)
    for name in golang.TOOLS:
        assert golang.product(name).version() and (golang.MODULES / name / "go.sum").is_file()


def test_a_modules_own_files_come_beside_its_command(tmp_path, monkeypatch):
    module, out = tmp_path / "module", tmp_path / "out"
    (module / "cfg" / "cis-1.10").mkdir(parents=True)
    (module / "cfg" / "config.yaml").write_text("a")
    (module / "cfg" / "cis-1.10" / "node.yaml").write_text("b")
    (module / "cfg" / "cis-1.10" / "node.yaml").chmod(0o444)
    (module / "cfg" / "cis-1.10").chmod(0o555)
    out.mkdir()
    monkeypatch.setattr(golang, "run", lambda argv, **_options: f"{module}\n")
    golang.product("kube-bench")._copy_data(out)
    assert (out / "cfg" / "config.yaml").read_text() + (out / "cfg" / "cis-1.10" / "node.yaml").read_text() == "ab"
    assert (out / "cfg" / "cis-1.10").stat().st_mode & 0o200 and (out / "cfg" / "cis-1.10" / "node.yaml").stat().st_mode & 0o200
