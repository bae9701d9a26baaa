# Copyright (c) 2026, ironrack.cluster contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""ironrack.cluster.components from a bundle on disk into a folder."""
from __future__ import annotations

import hashlib
import io
import json
import os
import tarfile

import pytest
from ansible.module_utils.testing import patch_module_args

from ansible_collections.ironrack.cluster.plugins.modules import components


def archive(members):
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w:gz") as tar:
        for name, data in members.items():
            entry = tarfile.TarInfo(name)
            entry.size, entry.mode, entry.uid = len(data), 0o4755, 1234
            tar.addfile(entry, io.BytesIO(data))
    return out.getvalue()


class Site:
    """A bundle, a folder for components and a folder for links."""

    def __init__(self, root, capsys):
        self.root, self._capsys = root, capsys
        self.files = {}
        os.makedirs(root / "bundle/files")

    def put(self, name, data):
        (self.root / "bundle/files" / name).write_bytes(data)
        self.files["files/" + name] = {"sha256": hashlib.sha256(data).hexdigest(), "size": len(data)}
        (self.root / "bundle/manifest.json").write_text(json.dumps({"version": 1, "files": self.files}))

    def release(self, version="1"):
        return {
            "tool": {"version": version, "files": [
                {"file": "tool-%s.tar.gz" % version, "unpack": True, "links": {"%s/bin/tool" % self.root: "tool-%s/tool" % version}}]},
            "single": {"version": version, "files": [
                {"file": "single-" + version, "unpack": False, "links": {"%s/bin/single" % self.root: "single-" + version}}]}}

    def bring(self, version):
        self.put("tool-%s.tar.gz" % version, archive({"tool-%s/tool" % version: b"tool " + version.encode()}))
        self.put("single-" + version, b"single " + version.encode())

    def run(self, release, check=False, **params):
        arguments = dict(dict(
            components=release, base_url="file://%s/bundle/files" % self.root, root="%s/opt" % self.root, _ansible_check_mode=check), **params)
        with patch_module_args(arguments):
            with pytest.raises(SystemExit):
                components.main()
        return json.loads(self._capsys.readouterr().out)

    def read(self, name):
        return (self.root / "bin" / name).read_bytes()


@pytest.fixture
def site(tmp_path, capsys):
    made = Site(tmp_path, capsys)
    made.bring("1")
    return made


def test_check_run_run_again(site):
    predicted = site.run(site.release(), check=True)
    assert predicted["changed"] and not (site.root / "opt").exists() and not (site.root / "bin").exists()
    done = site.run(site.release())
    assert done["installed"] == predicted["installed"] == ["tool 1", "single 1"]
    assert done["changed_paths"] == predicted["changed_paths"] == sorted("%s/bin/%s" % (site.root, name) for name in ("single", "tool"))
    assert site.read("tool") == b"tool 1" and site.read("single") == b"single 1"
    status = os.stat(site.root / "opt/tool/1/tool-1/tool")
    assert (status.st_mode & 0o7777, status.st_uid) == (0o755, os.geteuid())
    assert not site.run(site.release())["changed"]


def test_nothing_is_asked_when_nothing_is_missing(site):
    site.run(site.release())
    assert not site.run(site.release(), base_url="https://192.0.2.1/files")["changed"]


def test_an_upgrade_keeps_the_old_version_and_going_back_needs_no_download(site):
    site.run(site.release())
    site.bring("2")
    assert site.run(site.release("2"))["switched"]["%s/bin/tool" % site.root]["before"].endswith("opt/tool/1/tool-1/tool")
    assert site.read("tool") == b"tool 2"
    back = site.run(site.release("1"), base_url="https://192.0.2.1/files")
    assert back["changed"] and not back["installed"] and site.read("tool") == b"tool 1"


def test_bring_without_switching(site):
    result = site.run(site.release(), switch=False)
    assert result["installed"] and not result["switched"] and not (site.root / "bin").exists()
    assert not site.run(site.release(), switch=False)["changed"]


@pytest.mark.parametrize("damage, word", [
    (lambda site: (site.root / "bundle/files/single-1").write_bytes(b"evil"), "expected"),
    (lambda site: (site.root / "bundle/files/single-1").unlink(), "could not be read"),
    (lambda site: (site.root / "bundle/manifest.json").write_text('{"files": {}}'), "does not name"),
    (lambda site: site.put("tool-1.tar.gz", archive({"../../evil": b"x"})), "no component may bring"),
    (lambda site: site.put("tool-1.tar.gz", archive({"tool-1/other": b"x"})), "do not hold"),
    (lambda site: site.put("tool-1.tar.gz", b"no archive"), "unpacked"),
])
def test_a_damaged_bundle_leaves_no_version_behind(site, damage, word):
    damage(site)
    result = site.run(site.release())
    assert result["failed"] and word in result["msg"]
    assert not (site.root / "bin").exists()
    site.bring("1")
    assert site.run(site.release())["changed"] and site.read("tool") == b"tool 1"


def test_a_killed_run_is_finished(site):
    (site.root / "opt/tool/.1.xyz/half").mkdir(parents=True)
    (site.root / "opt/tool/1").mkdir()
    assert site.run(site.release())["changed"]
    assert sorted(os.listdir(site.root / "opt/tool")) == ["1"]


def test_a_lost_binary_is_brought_again(site):
    site.run(site.release())
    (site.root / "opt/tool/1/tool-1/tool").unlink()
    result = site.run(site.release())
    assert result["installed"] == ["tool 1"] and result["changed_paths"] == ["%s/bin/tool" % site.root]


def test_a_foreign_file_is_not_replaced(site):
    (site.root / "bin").mkdir()
    (site.root / "bin/tool").write_text("the site's own")
    for check in (True, False):
        result = site.run(site.release(), check=check)
        assert result["failed"] and "did not install" in result["msg"]
    assert site.read("tool") == b"the site's own"


def test_the_folder_at_an_archives_top_may_be_left_out(site):
    site.put("engine-1.tar.gz", archive({"./engine-1/bin/engine": b"1", "engine-1/config/x": b"2"}))
    release = {"engine": {"version": "1", "files": [{"file": "engine-1.tar.gz", "unpack": True, "strip": True}]}}
    assert site.run(release)["installed"] == ["engine 1"]
    assert (site.root / "opt/engine/1/bin/engine").read_bytes() == b"1" and (site.root / "opt/engine/1/config/x").exists()
    assert not site.run(release)["changed"]
