# Copyright (c) 2026, ironrack.cluster contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import json

import pytest

from lab.artifacts import bundle
from lab.artifacts.bundle import build, references
from lab.artifacts.catalogue import Plan
from lab.artifacts.errors import BuildError
from lab.artifacts.store import Step, Store


def step(name="thing", text="one", calls=None, **more):
    def make(out):
        if calls is not None:
            calls.append(name)
        (out / "file").write_text(text)

    return Step(name, {"text": text}, make, **more)


def test_the_key_is_the_content_and_not_the_cost():
    assert step().key == step(seconds=99).key
    assert step(text="one").key != step(text="two").key
    assert step(name="a").key != step(name="b").key


def test_an_entry_is_recorded_with_sums(tmp_path):
    store = Store(tmp_path)
    assert not store.has(step())
    store.build(step())
    assert store.record(step())["files"]["file"]["size"] == 3
    assert not list((tmp_path / "artifacts.tmp").iterdir())


def test_a_failed_build_leaves_nothing_that_looks_done(tmp_path):
    store = Store(tmp_path)

    def make(out):
        (out / "half").write_text("x")
        raise BuildError("no")

    broken = Step("thing", {}, make)
    with pytest.raises(BuildError):
        store.build(broken)
    assert not store.has(broken)
    assert not store.path(broken).exists()


def test_prune_keeps_what_it_is_told(tmp_path):
    store = Store(tmp_path)
    old, new = step(text="old"), step(text="new")
    store.build(old)
    store.build(new)
    assert store.prune({store.path(new)}) == [store.path(old)]
    assert store.has(new) and not store.has(old)


@pytest.fixture(name="planned")
def planned_fixture(monkeypatch):
    """Replaces the real plan by three small steps: a file, an image, a folder."""
    calls = []

    def install(text="one"):
        tool = step("tool", text, calls)
        image = Step("image", {"of": tool.key}, lambda out: ((out / "i.tar").write_text("tar"), (out / "digest").write_text("sha256:1")), light=True)
        apt = Step("apt", {}, lambda out: (out / "x.deb").write_text("deb"))
        todo = Plan(
            [tool, apt, image],
            {"files/tool": (tool, "file"), "images/i.tar": (image, "i.tar"), "apt": (apt, "*")},
            {"images/i.tar": {"image": "registry.k8s.io/pause", "tag": "1"}},
        )
        monkeypatch.setattr(bundle, "plan", lambda _release, _store: todo)
        monkeypatch.setattr(bundle, "load", lambda _version: {})
        monkeypatch.setattr(bundle, "go_caches", lambda: (bundle.Path("/"), bundle.Path("/")))
        return calls

    return install


def test_a_bundle_is_built_once_and_laid_with_its_manifest(tmp_path, planned):
    calls = planned()
    store = Store(tmp_path)
    said = []
    folder = build("1.2.3", store, said.append)
    manifest = json.loads((folder / "manifest.json").read_text())
    assert manifest["version"] == 1 and manifest["release"] == "1.2.3"
    assert set(manifest["files"]) == {"files/tool", "images/i.tar", "apt/x.deb"}
    assert manifest["files"]["images/i.tar"] | {"sha256": ""} == {
        "sha256": "",
        "size": 3,
        "image": "registry.k8s.io/pause",
        "tag": "1",
        "digest": "sha256:1",
    }
    assert (folder / "apt/x.deb").read_text() == "deb"
    inode = (folder / "manifest.json").stat().st_ino
    build("1.2.3", store, said.append)
    assert calls == ["tool"]
    assert (folder / "manifest.json").stat().st_ino == inode, "an unchanged bundle is not laid again"
    assert "0 built" in said[-1]
    timing = json.loads((tmp_path / "timings/1.2.3.json").read_text())["steps"]["tool"]
    assert timing["cached"] is True and "seconds" in timing, "a warm run keeps what the build took"


def test_a_damaged_bundle_is_laid_again_from_the_store(tmp_path, planned):
    calls = planned()
    store = Store(tmp_path)
    folder = build("1.2.3", store, str)
    (folder / "files/tool").unlink()
    build("1.2.3", store, str)
    assert (folder / "files/tool").read_text() == "one"
    assert calls == ["tool"]


def test_new_inputs_build_anew_and_leave_the_old_to_prune(tmp_path, planned):
    store = Store(tmp_path)
    planned("one")
    build("1.2.3", store, str)
    planned("two")
    folder = build("1.2.3", store, str)
    assert (folder / "files/tool").read_text() == "two"
    gone = store.prune(references(store)["1.2.3"])
    assert sorted(path.parent.name for path in gone) == ["image", "tool"]
    assert (folder / "files/tool").read_text() == "two"


def test_a_full_disk_is_named_before_the_first_step(tmp_path, planned, monkeypatch):
    calls = planned()
    monkeypatch.setattr(bundle.shutil, "disk_usage", lambda _path: bundle.shutil._ntuple_diskusage(1, 1, 10 * 10**6))
    with pytest.raises(BuildError, match=r"has 10 MB free and this build may need"):
        build("1.2.3", Store(tmp_path), str)
    assert calls == []


def test_a_failure_keeps_the_timings_of_what_was_done(tmp_path, planned, monkeypatch):
    def full(*_args):
        raise BuildError("disk")

    planned()
    monkeypatch.setattr(bundle, "_lay", full)
    with pytest.raises(BuildError):
        build("1.2.3", Store(tmp_path), str)
    assert "tool" in json.loads((tmp_path / "timings/1.2.3.json").read_text())["steps"]
