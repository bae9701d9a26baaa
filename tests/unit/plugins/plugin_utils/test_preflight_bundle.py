# Copyright (c) 2026, ironrack.cluster contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A bundle on the controller is refused where it is not whole, or not that of the release."""
from __future__ import annotations

import hashlib
import json
from pathlib import Path

import pytest
import yaml

from ansible_collections.ironrack.cluster.plugins.plugin_utils._preflight.bundle import bundle_problems, lacking

RELEASE = {"version": "1.36.4", "components": {"etcd": {"files": [{"file": "etcd.tar.gz"}]}, "crane": {"files": [{"file": "crane.tar.gz"}]}},
           "images": [{"name": "registry.k8s.io/pause", "tag": "3.10.2", "on": "all"}]}
FILES = {"files/etcd.tar.gz": b"etcd", "files/crane.tar.gz": b"crane", "images/pause.tar": b"pause", "apt/Packages": b"Package: curl"}


def build(folder, **changes):
    """A good bundle, with its manifest changed."""
    files = {name: {"sha256": hashlib.sha256(data).hexdigest(), "size": len(data)} for name, data in FILES.items()}
    files["images/pause.tar"].update(image="registry.k8s.io/pause", tag="3.10.2")
    for name, data in FILES.items():
        (folder / name).parent.mkdir(exist_ok=True)
        (folder / name).write_bytes(data)
    manifest = dict({"version": 1, "release": "1.36.4", "files": files}, **changes)
    (folder / "manifest.json").write_text(json.dumps(manifest))
    return manifest["files"]


def without(folder, name):
    files = build(folder)
    files.pop(name)
    build(folder, files=files)


def longer(folder):
    build(folder)
    (folder / "files/etcd.tar.gz").write_bytes(b"etcd and more")


def other(folder):
    build(folder)
    (folder / "files/etcd.tar.gz").write_bytes(b"ETCD")


def gone(folder):
    build(folder)
    (folder / "images/pause.tar").unlink()


CASES = [
    ("no manifest", lambda folder: None, ("manifest.json cannot be read (No such file or directory)", "a bundle with its manifest", "correct mirror_bundle")),
    ("a manifest that is no JSON", lambda folder: (folder / "manifest.json").write_text("{"), ("is no JSON", "was built with", "again")),
    ("a manifest that is no text", lambda folder: (folder / "manifest.json").write_bytes(b"\xff\xfe\xfa"), ("no text", "its manifest", "unpack")),
    ("a manifest of another time", lambda folder: build(folder, version=7), ("no manifest of version 1", "was built with", "again")),
    ("a manifest that names nothing", lambda folder: build(folder, files={}), ("names no files", "was built with", "again")),
    ("the bundle of another release", lambda folder: build(folder, release="1.35.4"),
     ("it is the bundle of 1.35.4", "the bundle of 1.36.4", "set cluster_kubernetes_version to 1.35.4")),
    ("a file of the release is not in it", lambda folder: without(folder, "files/crane.tar.gz"),
     ("does not name files/crane.tar.gz", "every file and image of release 1.36.4", "build the bundle again")),
    ("an image of the release is not in it", lambda folder: without(folder, "images/pause.tar"),
     ("does not name registry.k8s.io/pause:3.10.2", "every file and image", "build the bundle again")),
    ("a file of another length", longer, ("files/etcd.tar.gz has 13 bytes, the manifest says 4", "as its manifest says", "copy the bundle again")),
    ("a file with a wrong checksum", other, ("files/etcd.tar.gz has another SHA-256", "as its manifest says", "copy the bundle again")),
    ("a file that is gone", gone, ("images/pause.tar cannot be read", "as its manifest says", "copy the bundle again")),
]


@pytest.mark.parametrize("spoil, words", [case[1:] for case in CASES], ids=[case[0] for case in CASES])
def test_a_bad_bundle_is_refused(tmp_path, spoil, words):
    spoil(tmp_path)
    found = bundle_problems(str(tmp_path), RELEASE)
    assert len(found) == 1
    assert all(word in told for word, told in zip(words, found[0])), found


def test_a_good_bundle_has_no_problem(tmp_path):
    build(tmp_path)
    assert bundle_problems(str(tmp_path), RELEASE) == []


def test_nothing_named_is_a_problem():
    assert "mirror_bundle is not set" in bundle_problems("", RELEASE)[0][0]


def test_all_that_is_wrong_comes_at_once(tmp_path):
    without(tmp_path, "files/crane.tar.gz")
    (tmp_path / "files/etcd.tar.gz").write_bytes(b"ETCD")
    (tmp_path / "apt/Packages").unlink()
    found = bundle_problems(str(tmp_path), RELEASE)
    assert "crane" in found[0][0]
    assert "etcd.tar.gz has another SHA-256" in found[1][0] and "apt/Packages cannot be read" in found[1][0]


@pytest.mark.parametrize("version", ["1.35.4", "1.36.4"])
def test_a_bundle_of_everything_that_a_release_file_names_is_enough(version):
    release = yaml.safe_load((Path(__file__).resolve().parents[4] / "playbooks" / "vars" / "releases" / (version + ".yml")).read_text())
    names = ["files/" + item["file"] for component in release["components"].values() for item in component["files"]]
    files = dict.fromkeys(names, {})
    files.update({"images/%d.tar" % number: {"image": image["name"], "tag": image["tag"]} for number, image in enumerate(release["images"])})
    assert list(lacking({"release": version, "files": files}, release)) == []
    assert names[0] in list(lacking({"release": version, "files": {}}, release))[0][0]
