# Copyright (c) 2026, ironrack.cluster contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""ironrack.cluster.files on a real folder."""
from __future__ import annotations

import json
import os

import pytest
from ansible.module_utils.testing import patch_module_args

from ansible_collections.ironrack.cluster.plugins.module_utils._files import payload
from ansible_collections.ironrack.cluster.plugins.modules import files


@pytest.fixture
def run(capsys):
    """Run the module as Ansible does."""
    def call(items, check=False):
        with patch_module_args({"payload": payload.pack(items), "_ansible_check_mode": check, "_ansible_diff": True}):
            with pytest.raises(SystemExit):
                files.main()
        return json.loads(capsys.readouterr().out)
    return call


def items_in(folder):
    return [
        {"path": "%s/d" % folder, "state": "directory", "mode": "0750"},
        {"path": "%s/d/sub/f" % folder, "content": "text\n", "mode": "0640"},
        {"path": "%s/key" % folder, "content": "hunter2", "secret": True},
        {"path": "%s/l" % folder, "state": "link", "target": "key"},
        {"path": "%s/hosts" % folder, "block": "192.0.2.1 a"},
    ]


def test_check_run_run_again(run, tmp_path):
    items = items_in(tmp_path)
    (tmp_path / "hosts").write_text("127.0.0.1 localhost\n")
    predicted = run(items, check=True)
    assert predicted["changed"] and sorted(os.listdir(tmp_path)) == ["hosts"]
    done = run(items)
    assert done["changed_paths"] == predicted["changed_paths"] == [item["path"] for item in items]
    assert "hunter2" not in repr(done)
    assert (tmp_path / "d/sub/f").read_text() == "text\n" and (tmp_path / "d/sub/f").stat().st_mode & 0o777 == 0o640
    assert (tmp_path / "key").stat().st_mode & 0o777 == 0o600 and os.readlink(tmp_path / "l") == "key"
    assert (tmp_path / "hosts").read_text().startswith("127.0.0.1 localhost\n# BEGIN")
    assert run(items)["changed"] is False
    gone = [{"path": item["path"], "state": "absent"} for item in items if item["path"].endswith(("/key", "/l"))]
    assert run(gone, check=True)["changed"] and run(gone)["changed"] and not run(gone)["changed"]


def test_nothing_is_written_when_one_entry_is_wrong(run, tmp_path):
    (tmp_path / "there").mkdir()
    result = run([
        {"path": "%s/a" % tmp_path, "content": "a"},
        {"path": "%s/b" % tmp_path, "content": "b", "validate": ["grep", "-q", "zzz", "%s"]},
        {"path": "%s/c" % tmp_path, "content": "c", "owner": "no-such-user"},
        {"path": "%s/there" % tmp_path, "content": "c"},
    ])
    assert result["failed"] and len(result["problems"]) == 3
    assert os.listdir(tmp_path) == ["there"]


def test_check_mode_takes_a_user_and_a_validator_that_will_come(run, tmp_path):
    result = run([
        {"path": "%s/a" % tmp_path, "content": "a", "owner": "no-such-user", "group": "no-such-group"},
        {"path": "%s/b" % tmp_path, "content": "b", "validate": ["/no/such/validator", "%s"]},
    ], check=True)
    assert result["changed"] and len(result["changed_paths"]) == 2


def test_a_validator_sees_the_new_content_and_runs_only_for_it(run, tmp_path):
    items = [{"path": "%s/a.conf" % tmp_path, "content": "good", "validate": ["grep", "-q", "good", "%s"]}]
    assert run(items)["changed"]
    items[0]["validate"] = ["false", "%s"]
    assert not run(items)["changed"]


def test_a_leftover_of_a_killed_run_goes(run, tmp_path):
    (tmp_path / ".a.1234.ironrack").write_text("half")
    run([{"path": "%s/a" % tmp_path, "content": "whole"}])
    assert os.listdir(tmp_path) == ["a"]


def test_if_absent_leaves_what_is_there(run, tmp_path):
    items = [{"path": "%s/a" % tmp_path, "content": "first", "if_absent": True}]
    assert run(items)["changed"]
    items[0]["content"] = "second"
    assert not run(items)["changed"] and (tmp_path / "a").read_text() == "first"


def test_another_file_of_the_host_with_texts_replaced(run, tmp_path):
    (tmp_path / "theirs").write_text("-Xlog:file=logs/gc.log\n-XX:HeapDumpPath=data\n")
    items = [{"path": "%s/ours" % tmp_path, "copy_of": "%s/theirs" % tmp_path, "replace": {"file=logs/": "file=/var/log/x/", "Path=data": "Path=/var/lib/x"}}]
    assert run(items)["changed"]
    assert (tmp_path / "ours").read_text() == "-Xlog:file=/var/log/x/gc.log\n-XX:HeapDumpPath=/var/lib/x\n"
    assert not run(items)["changed"] and not run(items, check=True)["changed"]


def test_a_file_that_an_earlier_task_will_bring_is_predicted_and_else_missed(run, tmp_path):
    items = [{"path": "%s/ours" % tmp_path, "copy_of": "%s/theirs" % tmp_path}]
    assert run(items, check=True)["changed"]
    assert run(items)["problems"] == ["there is no %s/theirs on this host to be copied" % tmp_path]
    assert "belongs to copy_of" in run([{"path": "%s/x" % tmp_path, "content": "x", "replace": {"a": "b"}}])["problems"][0]
    assert "copy_of must be absolute" in run([{"path": "%s/x" % tmp_path, "copy_of": "theirs"}])["problems"][0]
