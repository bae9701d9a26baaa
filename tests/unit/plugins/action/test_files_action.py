# Copyright (c) 2026, ironrack.cluster contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The controller's half of ironrack.cluster.files, with Ansible's own templating."""
from __future__ import annotations

import pytest
from ansible.parsing.dataloader import DataLoader
from ansible.plugins.action import ActionBase
from ansible.template import Templar

from ansible_collections.ironrack.cluster.plugins.action.files import ActionModule
from ansible_collections.ironrack.cluster.plugins.module_utils._files.payload import unpack


@pytest.fixture
def run(tmp_path, monkeypatch):
    """Run the action for a role in a folder, and catch what it would send."""
    (tmp_path / "templates").mkdir()
    (tmp_path / "files").mkdir()
    (tmp_path / "templates/a.j2").write_text(
        "# {{ ansible_managed }}\n{% for x in xs %}\n{{ x }} {{ y }} {{ template_path }}\n{% endfor %}\n{% include 'more.j2' %}\n")
    (tmp_path / "templates/more.j2").write_text("more {{ y }}\n")
    (tmp_path / "templates/broken.j2").write_text("{{ nobody_knows_this }}\n")
    (tmp_path / "files/blob").write_bytes(b"\xff\x00\n")
    monkeypatch.setattr(ActionBase, "run", lambda self, tmp=None, task_vars=None: {})

    def call(items, **variables):
        sent = {}

        class Task:
            args, async_val, check_mode = {"files": items}, 0, False

            @staticmethod
            def get_search_path():
                return [str(tmp_path)]

        class Action(ActionModule):
            def _execute_module(self, module_name=None, module_args=None, **dummy):
                sent.update(module=module_name, items=unpack(module_args["payload"]))
                return {"changed": True}

        loader = DataLoader()
        task_vars = dict(variables, ansible_search_path=[str(tmp_path)])
        action = Action(Task(), None, None, loader, Templar(loader=loader, variables=task_vars), None)
        return action.run(task_vars=task_vars), sent
    return call


def test_everything_is_rendered_and_sent_at_once(run):
    result, sent = run([
        {"path": "/a", "template": "a.j2", "vars": {"y": "why"}, "mode": "0640"},
        {"path": "/b", "src": "blob"},
        {"path": "/c", "content": "text\n", "secret": True},
        {"path": "/d", "state": "directory"},
    ], xs=[1, 2], y="not this one")
    assert result["changed"] and sent["module"] == "ironrack.cluster.files"
    first, second, third, fourth = sent["items"]
    assert first == {"path": "/a", "mode": "0640", "content": (
        "# Written by ironrack.cluster; a change made here is overwritten by its next run.\n1 why a.j2\n2 why a.j2\nmore why\n")}
    assert second["content"].encode("utf-8", "surrogateescape") == b"\xff\x00\n"
    assert third["secret"] is True and fourth == {"path": "/d", "state": "directory"}


def test_text_from_a_host_is_no_template(run):
    sent = run([{"path": "/a", "content": "{{ xs }}\n"}], xs=[1])[1]
    assert sent["items"][0]["content"] == "{{ xs }}\n"


def test_all_problems_come_together_and_nothing_is_sent(run):
    result, sent = run([
        {"path": "/a", "template": "broken.j2"},
        {"path": "/b", "template": "missing.j2"},
        {"path": "/c", "src": "missing"},
        {"path": "/d", "content": "fine"},
    ])
    assert result["failed"] and not sent and len(result["problems"]) == 3
    assert "nobody_knows_this" in result["msg"] and "missing.j2" in result["msg"]


def test_wrong_entries_are_refused(run):
    result, sent = run([{"path": "/a", "content": "x", "mode": 420}])
    assert result["failed"] and "octal" in result["msg"] and not sent
