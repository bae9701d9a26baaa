# Copyright (c) 2026, ironrack.cluster contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import gzip
import hashlib
import io
import json
import os
import tarfile

import pytest

from lab.artifacts.archive import Entry, file, tree, write_tar_gz
from lab.artifacts.images import BIND_LOW_PORTS, IMAGES
from lab.artifacts.oci import ImageConfig, write_image


@pytest.fixture(name="folder")
def folder_fixture(tmp_path):
    folder = tmp_path / "in"
    (folder / "bin").mkdir(parents=True)
    (folder / "bin/tool").write_bytes(b"tool" * 1000)
    (folder / "bin/tool").chmod(0o755)
    (folder / "bin/alias").symlink_to("tool")
    (folder / "note").write_text("note")
    return folder


def test_an_archive_depends_on_content_alone(tmp_path, folder):
    first = write_tar_gz(tmp_path / "a.tgz", tree(folder))
    os.utime(folder / "bin/tool", (1, 1))
    second = write_tar_gz(tmp_path / "b.tgz", dict(reversed(tree(folder).items())))
    assert first == second
    assert (tmp_path / "a.tgz").read_bytes() == (tmp_path / "b.tgz").read_bytes()
    assert first.sha256 == hashlib.sha256((tmp_path / "a.tgz").read_bytes()).hexdigest()
    assert first.size == (tmp_path / "a.tgz").stat().st_size


def test_an_archive_keeps_modes_links_and_folders(tmp_path, folder):
    write_tar_gz(tmp_path / "a.tgz", tree(folder))
    with tarfile.open(tmp_path / "a.tgz") as tar:
        members = {member.name: member for member in tar}
    assert list(members) == ["bin", "bin/alias", "bin/tool", "note"]
    assert members["bin"].isdir()
    assert members["bin/alias"].linkname == "tool"
    assert members["bin/tool"].mode == 0o755 and members["note"].mode == 0o644
    assert {(member.uid, member.mtime) for member in members.values()} == {(0, 0)}


def test_a_file_capability_travels_in_the_layer(tmp_path, folder):
    entry = file(folder / "bin/tool", 0o755, **{"security.capability": BIND_LOW_PORTS})
    write_tar_gz(tmp_path / "a.tgz", {"coredns": entry})
    with tarfile.open(tmp_path / "a.tgz") as tar:
        value = tar.getmember("coredns").pax_headers["SCHILY.xattr.security.capability"]
    raw = value.encode()
    assert len(raw) == 20
    assert int.from_bytes(raw[4:8], "little") == 1 << 10  # CAP_NET_BIND_SERVICE


def read(tar, name):
    return tar.extractfile(name).read()


def test_an_image_is_whole_for_docker_and_oci_readers(tmp_path, folder):
    path = tmp_path / "image.tar"
    config = ImageConfig(("/bin/tool",), user="65532", command=("pause",))
    layers = [tree(folder), {"etc/x": Entry(content=b"x")}]
    digest = write_image(path, "registry.k8s.io/tool:v1", config, layers)
    assert not path.with_name("image.tar.blobs").exists()
    with tarfile.open(path) as tar:
        index = json.loads(read(tar, "index.json"))["manifests"][0]
        docker = json.loads(read(tar, "manifest.json"))[0]
        assert json.loads(read(tar, "oci-layout")) == {"imageLayoutVersion": "1.0.0"}
        for name in tar.getnames():
            if name.startswith("blobs/sha256/"):
                assert hashlib.sha256(read(tar, name)).hexdigest() == name.rpartition("/")[2]
        manifest = json.loads(read(tar, f"blobs/sha256/{digest.partition(':')[2]}"))
        written = json.loads(read(tar, docker["Config"]))
        plain = [read_layer(tar, name) for name in docker["Layers"]]
    assert index["digest"] == digest
    assert docker["RepoTags"] == ["registry.k8s.io/tool:v1"]
    assert [f"blobs/sha256/{layer['digest'][7:]}" for layer in manifest["layers"]] == docker["Layers"]
    assert docker["Config"].endswith(manifest["config"]["digest"][7:])
    assert written["config"]["Entrypoint"] == ["/bin/tool"] and written["config"]["Cmd"] == ["pause"]
    assert written["config"]["User"] == "65532"
    assert written["config"]["Env"][0].startswith("PATH=/usr/local/bin:")
    assert written["rootfs"]["diff_ids"] == [f"sha256:{sum_}" for sum_ in plain]


def read_layer(tar, name):
    return hashlib.sha256(gzip.GzipFile(fileobj=io.BytesIO(read(tar, name))).read()).hexdigest()


def test_the_digest_depends_on_content_alone(tmp_path, folder):
    digests = {write_image(tmp_path / f"{n}.tar", "a/b:1", ImageConfig(("/x",)), [tree(folder)]) for n in range(2)}
    assert len(digests) == 1


@pytest.mark.parametrize("name", sorted(IMAGES))
def test_every_image_starts_what_it_holds(name):
    described = IMAGES[name]
    assert described.config.entrypoint[0].lstrip("/") in described.binaries
