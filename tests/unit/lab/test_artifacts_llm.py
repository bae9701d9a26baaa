# Copyright (c) 2026, ironrack.cluster contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import io
import json
import tarfile

import pytest

from lab.artifacts import bundle, debian, golang, llm, release
from lab.artifacts.errors import BuildError
from lab.artifacts.store import Store


@pytest.fixture(autouse=True)
def no_tools(monkeypatch):
    """Planning asks apt what it would fetch: not here."""
    monkeypatch.setattr(debian, "_closure", lambda _wanted, _state: ["x_1_all.deb 10 SHA256:0"])


def keys(store):
    return {step.name: step.key for step in llm.steps("llm-image", store)}


def test_the_wheel_is_pinned_by_its_sum(tmp_path, monkeypatch):
    assert llm.reference() == f"lab.test/llm:{llm.version()}" and llm.version()[0].isdigit()
    monkeypatch.setattr(llm, "REQUIREMENTS", tmp_path / "requirements.txt")
    (tmp_path / "requirements.txt").write_text("xllamacpp==1.0\n")
    with pytest.raises(BuildError, match="does not pin xllamacpp"):
        llm.version()


def test_every_part_comes_before_what_it_is_made_of(tmp_path):
    store = Store(tmp_path)
    assert [step.name for step in llm.steps("llm-image", store)] == ["debian-packages-llm", "llm-wheel", "llm-python", "llm-image"]
    assert [step.name for step in llm.steps("llm-wheel", store)] == ["llm-wheel"]
    assert set(llm.NAMES) < set(bundle.TOOLS) and set(golang.TOOLS) < set(bundle.TOOLS)
    assert not set(llm.NAMES) & set(release.available())


def test_a_changed_source_makes_the_image_only(tmp_path, monkeypatch):
    application = tmp_path / "llm"
    application.mkdir()
    (application / "front.py").write_text("a")
    monkeypatch.setattr(llm, "APPLICATION", application)
    before = keys(Store(tmp_path))
    (application / "front.py").write_text("b")
    after = keys(Store(tmp_path))
    assert {name for name in before if before[name] != after[name]} == {"llm-image"}
    monkeypatch.setattr(debian, "_closure", lambda _wanted, _state: ["x_2_all.deb 10 SHA256:1"])
    later = keys(Store(tmp_path))
    assert {name for name in before if later[name] != after[name]} == {"debian-packages-llm", "llm-python", "llm-image"}


def test_the_library_is_cut_to_what_a_server_needs(tmp_path):
    for name in ("asyncio/base.py", "lib2to3/main.py", "ensurepip/a.py", "os.py"):
        (tmp_path / llm.LIBRARY / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / llm.LIBRARY / name).write_text("")
    (tmp_path / llm.LIBRARY / "sitecustomize.py").symlink_to("/etc/python3.11/sitecustomize.py")
    assert sorted(llm._modules(tmp_path)) == [f"{llm.LIBRARY}/asyncio/base.py", f"{llm.LIBRARY}/os.py"]


def test_the_image_has_two_layers_and_no_root(tmp_path):
    python, out = tmp_path / "python", tmp_path / "out"
    (python / "usr/bin").mkdir(parents=True)
    (python / llm.PYTHON).write_text("python")
    (python / "built.json").write_text("{}")
    out.mkdir()
    llm._make_image(out, python)
    with tarfile.open(out / llm.FILE) as archive:
        def read(name):
            return archive.extractfile(name).read()

        manifest = json.loads(read("manifest.json"))[0]
        config = json.loads(read(manifest["Config"]))["config"]
        layers = [tarfile.open(fileobj=io.BytesIO(read(name)), mode="r:gz").getmembers() for name in manifest["Layers"]]
    assert manifest["RepoTags"] == [llm.reference()]
    assert (config["User"], config["Entrypoint"]) == ("65532:65532", ["/usr/bin/llm"])
    files = [{member.name: member for member in layer if member.isfile()} for layer in layers]
    assert set(files[0]) == {llm.PYTHON}
    assert {llm.COMMAND, llm.MODEL, f"{llm.SITE}/llm/__main__.py", f"{llm.SITE}/llm/front.py"} < set(files[1])
    assert files[1][llm.COMMAND].mode == 0o755 and files[1][llm.MODEL].size > 400000
    assert (out / "digest").read_text().startswith("sha256:")


def test_a_tool_and_what_it_is_made_of_are_kept(tmp_path, monkeypatch):
    made, step = [], llm.wheel_step()
    step.make = lambda out: made.append((out / "x").write_text("x"))
    monkeypatch.setattr(llm, "wheel_step", lambda: step)
    store = Store(tmp_path)
    folder = bundle.build_tool("llm-wheel", store, lambda _text: None)
    assert bundle.build_tool("llm-wheel", store, lambda _text: None) == folder and len(made) == 1
    assert bundle.references(store)["llm-wheel"] == {folder}
