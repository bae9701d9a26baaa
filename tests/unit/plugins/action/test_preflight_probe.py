# Copyright (c) 2026, ironrack.cluster contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The action preflight_probe: whatever stops the module is one answer among the others. The module itself, on this machine."""
from __future__ import annotations

import json
from unittest import mock

import pytest
from ansible.errors import AnsibleConnectionFailure, AnsibleError
from ansible.module_utils.testing import patch_module_args

from ansible_collections.ironrack.cluster.plugins.action import preflight_probe as action
from ansible_collections.ironrack.cluster.plugins.modules import preflight_probe as module


def answer(found):
    """:returns: the action's result where running the module gives or raises ``found``."""
    task = mock.Mock(args={"address": "192.0.2.1"}, check_mode=False, async_val=0, action="x")
    runner = action.ActionModule(task=task, connection=mock.Mock(), play_context=mock.Mock(), loader=None, templar=None, shared_loader_obj=None)
    runner._execute_module = mock.Mock(side_effect=[found])
    return runner.run(task_vars={})


def test_an_answer_passes_with_the_time_around_it():
    result = answer({"probe": {"a": 1}, "problems": [], "changed": False})
    assert result["probe"] == {"a": 1} and "silent" not in result
    assert result["controller_time"][0] <= result["controller_time"][1]


@pytest.mark.parametrize("found, said", [
    (AnsibleConnectionFailure("No route to host"), "No route to host"), ({"unreachable": True, "msg": "timed out"}, "timed out"),
    ({"unreachable": True}, "no answer")])
def test_a_silent_host_stays_in_the_play(found, said):
    result = answer(found)
    assert said in result["silent"] and not result.get("failed") and not result.get("unreachable")


@pytest.mark.parametrize("found, said", [
    (AnsibleError("Missing sudo password"), "Missing sudo password"),
    ({"failed": True, "msg": "MODULE FAILURE", "module_stderr": "python3: not found"}, "MODULE FAILURE / python3: not found")])
def test_what_cannot_run_is_a_problem_like_the_others(found, said):
    result = answer(found)
    assert [problem["check"] for problem in result["problems"]] == ["probe"]
    assert said in result["problems"][0]["what"] and not result.get("failed")


def test_the_module_reads_this_machine_and_changes_nothing(capsys):
    with patch_module_args({"address": "192.0.2.1", "parts": ["etcd", "a_group_of_the_site"], "profile": "lab"}):
        with pytest.raises(SystemExit):
            module.main()
    result = json.loads(capsys.readouterr().out)
    assert result["changed"] is False and result["probe"]
    assert "own_address" in [problem["check"] for problem in result["problems"]]
