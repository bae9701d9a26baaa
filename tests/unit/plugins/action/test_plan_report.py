# Copyright (c) 2026, ironrack.cluster contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The action that says a plan: what it writes, prints and refuses."""
from __future__ import annotations

import json
from unittest import mock

import pytest
from ansible.errors import AnsibleActionFail

from ansible_collections.ironrack.cluster.plugins.action import plan_report
from ansible_collections.ironrack.cluster.plugins.plugin_utils._plan import record

MODEL = {"name": "site", "kubernetes_version": "1.36.4", "groups": {}, "etcd": {"members": [{"name": "cp1"}]},
         "hosts": {"cp1": {"name": "cp1", "is_etcd": True}}}


def run(folder, monkeypatch, **arguments):
    monkeypatch.setattr(plan_report.constants, "DEFAULT_LOCAL_TMP", str(folder))
    # A plan is made in check mode, so that is how the action is always called.
    task = mock.Mock(args=dict(arguments, cluster=MODEL), check_mode=True, async_val=0, action="x", environment=None, diff=False)
    action = plan_report.ActionModule(task=task, connection=mock.Mock(), play_context=mock.Mock(), loader=None, templar=None, shared_loader_obj=None)
    printed = []
    with mock.patch.object(plan_report.Display, "display", lambda self, text, *rest, **options: printed.append(text)):
        return action.run(task_vars={}), printed


def keep(folder, *lines):
    for line in lines:
        record.append(record.journal(str(folder)), line)


def test_a_plan_is_printed_and_written(tmp_path, monkeypatch):
    keep(tmp_path, {"outcome": "started"}, record.entry("cp1", "certificates", "ironrack.cluster.pki_bundle", {"changed": True, "censored": "hidden"}))
    result, printed = run(tmp_path, monkeypatch, path=str(tmp_path / "new" / "site-plan"), certificates=[{"name": "sa", "reason": "it is missing"}])
    assert (result["changed"], result.get("failed", False), result["plan"]["verdict"]) == (False, False, "changes")
    assert json.loads((tmp_path / "new" / "site-plan.json").read_text()) == result["plan"]
    assert result["plan"]["changed"] == [["cp1", "certificates"]]
    assert "sa: it is missing" in (tmp_path / "new" / "site-plan.html").read_text()
    assert "sa: it is missing" in printed[0] and printed[0].endswith("site-plan.html")


def test_nothing_kept_is_no_plan(tmp_path, monkeypatch):
    with pytest.raises(AnsibleActionFail, match="there is no plan"):
        run(tmp_path, monkeypatch, path=str(tmp_path / "site-plan"))
    assert list(tmp_path.iterdir()) == []


def test_a_run_that_was_kept_and_changed_nothing_is_a_plan(tmp_path, monkeypatch):
    keep(tmp_path, {"outcome": "started"})
    assert run(tmp_path, monkeypatch, path=str(tmp_path / "site-plan"))[0]["plan"]["verdict"] == "nothing"


def test_a_folder_that_cannot_be_written_is_named(tmp_path, monkeypatch):
    keep(tmp_path, {"outcome": "started"})
    (tmp_path / "file").touch()
    with pytest.raises(AnsibleActionFail, match="plan_report_dir"):
        run(tmp_path, monkeypatch, path=str(tmp_path / "file" / "site-plan"))
