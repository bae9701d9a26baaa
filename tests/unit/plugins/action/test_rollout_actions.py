# Copyright (c) 2026, ironrack.cluster contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The actions of rollouts: stint by stint with a line after each, and the report's files."""
from __future__ import annotations

import base64
import json
from unittest import mock

from ansible_collections.ironrack.cluster.plugins.action import rollout_advance, rollout_report
from ansible_collections.ironrack.cluster.plugins.module_utils._release import record as records


def run(module, answers, check_mode=False, **arguments):
    """:returns: (the action's result, what was printed, what the module was asked)."""
    task = mock.Mock(args=arguments, check_mode=check_mode, async_val=0, action="x", environment=None, diff=False)
    action = module.ActionModule(task=task, connection=mock.Mock(), play_context=mock.Mock(), loader=None, templar=None, shared_loader_obj=None)
    printed, asked = [], []

    def execute(module_name, module_args, task_vars):
        asked.append((module_name, module_args))
        return answers.pop(0)

    with mock.patch.object(module.Display, "display", lambda self, text, *rest, **options: printed.append(text)):
        with mock.patch.object(action, "_execute_module", execute):
            return action.run(task_vars={}), printed, asked


def answer(need, line, state, changed=False, remarks=()):
    return {"need": need, "progress": line, "state": state, "changed": changed, "remarks": list(remarks)}


def test_stints_follow_each_other_with_their_state_and_each_line_is_said_once():
    remarks = ["hooks.example.org answered 500"]
    answers = [answer("time", "5 %", {"fence": 1}, True, remarks), answer("time", "5 %", {"fence": 2}, remarks=remarks),
               answer("balancers", "25 %", {"fence": 3})]
    result, printed, asked = run(rollout_advance, answers, request="begin", warmed=[{"verdict": "pass"}])
    assert result["need"] == "balancers" and result["changed"] and [args.get("state") for _name, args in asked] == [None, {"fence": 1}, {"fence": 2}]
    assert [args["warmed"] for _name, args in asked] == [[{"verdict": "pass"}], [], []]
    assert [line[10:] for line in printed] == ["warning: hooks.example.org answered 500", "5 %", "25 %"]


def test_a_failure_ends_it_as_it_is():
    result, printed, _asked = run(rollout_advance, [{"failed": True, "msg": "no"}])
    assert result["failed"] and result["msg"] == "no" and printed == []


def known():
    record = records.new("chat", "v2")
    record["last"] = {"rollout": 3, "strategy": "canary", "result": "promoted", "stable": "v2", "candidate": "v2", "why": "new"}
    for what in ("begin rollout 3: v1 to v2 by canary", "set weight of v2 to 100 %: done", "end rollout 3: promoted"):
        records.note(record, 1000, "ann", what)
    return {"exists": True, "record": record, "history": record["history"], "flags": {}, "lock": None}


def test_the_report_is_written_from_record_and_journal(tmp_path):
    line = json.dumps({"at": 1000, "kind": "look", "gate": "weight 100", "verdict": "pass", "why": "fine", "weights": {"v2": 100}, "candidate": "v2"})
    journal = {"content": base64.b64encode(line.encode())}
    result, printed, asked = run(rollout_report, [journal], service="chat", known=known(), journals="/j", path=str(tmp_path))
    assert asked == [("ansible.legacy.slurp", {"src": "/j/chat-3.jsonl"})] and not result["changed"]
    assert json.loads((tmp_path / "chat-3.json").read_text())["steps"][0]["verdict"] == "pass"
    assert (tmp_path / "chat-3.html").read_text().startswith("<!DOCTYPE html>") and "report: %s" % (tmp_path / "chat-3.html") in printed[0]


def test_without_a_journal_or_a_rollout_it_says_what_there_is(tmp_path):
    result, printed, _asked = run(rollout_report, [{"failed": True}], check_mode=True, service="chat", known=known(), journals="/j", path=str(tmp_path))
    assert "rollout 3 of chat, v1 to v2 by canary: released" in printed[0] and result["report"]["steps"] == [] and list(tmp_path.iterdir()) == []
    nothing = {"exists": False, "history": [], "flags": {}, "lock": None}
    assert run(rollout_report, [], service="chat", known=nothing)[1] == ["service chat has had no rollout"]
    assert run(rollout_report, [], service="chat", known=known(), say="history")[1][0].splitlines()[0].endswith("ann: begin rollout 3: v1 to v2 by canary")
