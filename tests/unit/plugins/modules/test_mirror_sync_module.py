# Copyright (c) 2026, ironrack.cluster contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""ironrack.cluster.mirror_sync: both halves over a connection that copies files on this machine."""
from __future__ import annotations

import hashlib
import json
import os
import shutil

import pytest
from ansible.module_utils.testing import patch_module_args

from ansible_collections.ironrack.cluster.plugins.action import mirror_sync as action
from ansible_collections.ironrack.cluster.plugins.modules import mirror_sync as module


class Shell:
    tmpdir = None

    @staticmethod
    def join_path(*parts):
        return os.path.join(*parts)


class Task:
    async_val, environment, delegate_to = 0, None, None

    def __init__(self, check, args):
        self.check_mode, self.diff, self.args = check, False, args


class Site:
    """A bundle on the controller and a mirror host."""

    def __init__(self, path, capsys):
        self.path, self._capsys, self.steps, self.die_at = path, capsys, [], None
        self.bundle, self.root, self.tmp = path / "bundle", path / "srv/root", path / "tmp"

    def lay(self, **files):
        shutil.rmtree(self.bundle, ignore_errors=True)
        entries = {}
        for name, text in files.items():
            name = name.replace("__", "/")
            (self.bundle / name).parent.mkdir(parents=True, exist_ok=True)
            (self.bundle / name).write_text(text)
            entries[name] = {"sha256": hashlib.sha256(text.encode()).hexdigest(), "size": len(text)}
        (self.bundle / "manifest.json").write_text(json.dumps({"version": 1, "files": entries}))

    def run(self, check=False, **args):
        site = self

        class Action(action.ActionModule):
            def __init__(self):
                self._task = Task(check, dict(bundle=str(site.bundle), root=str(site.root), **args))
                self._connection = type("Connection", (), {"_shell": Shell()})()

            def _make_tmp_path(self, remote_user=None):
                site.tmp.mkdir(exist_ok=True)
                self._connection._shell.tmpdir = str(site.tmp)
                return str(site.tmp)

            def _remove_tmp_path(self, tmp_path, force=False):
                shutil.rmtree(tmp_path, ignore_errors=True)

            def _transfer_file(self, local_path, remote_path):
                shutil.copy(local_path, remote_path)

            def _fixup_perms2(self, remote_paths, remote_user=None, execute=True):
                pass

            def _execute_module(self, module_name=None, module_args=None, task_vars=None, **dummy):
                site.steps.append(module_args["step"])
                if site.die_at == len(site.steps):
                    raise KeyboardInterrupt
                with patch_module_args(dict(module_args, _ansible_check_mode=check)):
                    with pytest.raises(SystemExit):
                        module.main()
                return json.loads(site._capsys.readouterr().out)

        self.steps.clear()
        action.ActionBase.run, kept = (lambda self, tmp=None, task_vars=None: {}), action.ActionBase.run
        try:
            return Action().run(task_vars={})
        finally:
            action.ActionBase.run = kept

    def tree(self):
        return {
            str(path.relative_to(self.root)): path.read_text() for path in sorted(self.root.rglob("*"))
            if path.is_file() and path.name not in ("manifest.json", ".sync.json")}


@pytest.fixture
def site(tmp_path, capsys):
    made = Site(tmp_path, capsys)
    made.lay(files__a="aaa", files__b="bbb", apt__c="ccc")
    return made


def test_check_run_run_again(site):
    predicted = site.run(check=True)
    assert predicted["changed"] and not site.root.exists()
    done = site.run()
    assert done["sent"] == predicted["sent"] == ["apt/c", "files/a", "files/b"] and done["bytes"] == 9
    assert site.tree() == {"files/a": "aaa", "files/b": "bbb", "apt/c": "ccc"}
    assert (site.root / "manifest.json").read_text() == (site.bundle / "manifest.json").read_text()
    assert not site.tmp.exists() and not (site.root / ".incoming").exists()
    for check in (True, False):
        assert not site.run(check=check)["changed"] and site.steps == ["compare"]


def test_only_what_differs_is_sent_and_only_ours_is_removed(site):
    site.run()
    (site.root / "files/own").write_text("the site's")
    site.lay(files__a="aaa", files__b="BBB")
    result = site.run()
    assert (result["sent"], result["removed"]) == (["files/b"], ["apt/c"])
    assert site.tree() == {"files/a": "aaa", "files/b": "BBB", "files/own": "the site's"}


def test_a_file_that_was_damaged_on_the_host_is_sent_again(site):
    site.run()
    (site.root / "files/a").write_text("xxx")
    assert site.run()["sent"] == ["files/a"] and site.tree()["files/a"] == "aaa"


@pytest.mark.parametrize("damage, word", [
    (lambda site: (site.bundle / "files/a").write_text("aab"), "another SHA-256"),
    (lambda site: (site.bundle / "files/a").write_text("aa"), "2 bytes"),
    (lambda site: (site.bundle / "files/a").unlink(), "files/a is missing"),
])
def test_a_damaged_bundle_is_refused_before_anything_is_sent(site, damage, word):
    damage(site)
    result = site.run()
    assert result["failed"] and word in result["msg"] and site.steps == ["compare"] and not site.root.exists()


@pytest.mark.parametrize("damage, word", [
    (lambda site: (site.bundle / "manifest.json").unlink(), "no bundle in"),
    (lambda site: (site.bundle / "manifest.json").write_text("{"), "no JSON"),
])
def test_a_bundle_without_a_manifest_is_refused(site, damage, word):
    damage(site)
    result = site.run()
    assert result["failed"] and word in result["msg"] and site.steps == []


@pytest.mark.parametrize("step", range(1, 6))
def test_a_run_that_was_killed_at_any_step_is_finished_by_the_next(site, step):
    site.die_at = step
    with pytest.raises(KeyboardInterrupt):
        site.run(batch_bytes=3)
    assert not (site.root / "manifest.json").exists()
    site.die_at = None
    assert site.run(batch_bytes=3)["changed"] and not site.run()["changed"]
    assert site.tree() == {"files/a": "aaa", "files/b": "bbb", "apt/c": "ccc"}


def test_a_full_disk_is_refused_before_anything_is_sent(site, monkeypatch):
    monkeypatch.setattr(module.Folder, "free_bytes", lambda self: 5)
    assert "make room" in site.run()["msg"] and site.steps == ["compare"]
