# Copyright (c) 2026, ironrack.cluster contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Say how a rollout stands, and write its report on the controller, from the record and from the journal on the host that drives it."""
from __future__ import annotations

import base64
import datetime
import os
import time

from ansible.plugins.action import ActionBase
from ansible.utils.display import Display

from ansible_collections.ironrack.cluster.plugins.module_utils._release.serving import aside, told
from ansible_collections.ironrack.cluster.plugins.module_utils._rollout.journal import parse
from ansible_collections.ironrack.cluster.plugins.plugin_utils._release_report import text
from ansible_collections.ironrack.cluster.plugins.plugin_utils._release_report.data import collect, number_of
from ansible_collections.ironrack.cluster.plugins.plugin_utils._release_report.html import page
from ansible_collections.ironrack.cluster.plugins.plugin_utils._report.files import names, write


class ActionModule(ActionBase):
    """Reads the journal where the task is delegated to; all else happens on the controller."""

    _supports_check_mode = True

    def run(self, tmp=None, task_vars=None):
        result = super().run(tmp, task_vars)
        arguments = self.validate_argument_spec({
            "service": {"type": "str", "required": True},
            "known": {"type": "dict", "required": True},
            "number": {"type": "int", "default": 0},
            "journals": {"type": "str", "default": ""},
            "path": {"type": "path"},
            "say": {"type": "str", "choices": ["status", "history"], "default": "status"},
        })[1]
        known, service = arguments["known"], arguments["service"]
        number = number_of(known, arguments["number"]) if known.get("exists") else None
        result.update(changed=False, files={}, report={})
        if arguments["say"] == "history":
            lines = text.history(known["history"])
        elif number is None:
            lines = []
        else:
            data = collect(service, known, number, self._journal(arguments["journals"], service, number, task_vars), time.time())
            data["made_at"] = datetime.datetime.now(datetime.timezone.utc).strftime("%Y-%m-%d %H:%M:%S UTC")
            lines, result["report"] = text.lines(data), data
            if arguments["path"] and not self._task.check_mode:
                path = os.path.join(os.path.expanduser(arguments["path"]), "%s-%d" % (service, number))
                write(path, data, page, "rollout_report_dir")
                result["files"] = names(path)
                lines.append("  report: %s" % result["files"]["html"])
        lines = lines or ["service %s has had no rollout" % service]
        record = known.get("record") or {}
        if arguments["say"] == "status" and record and aside(record):
            lines.append("  NOW: " + told(record))
        Display().display("\n".join(lines))
        return dict(result, text="\n".join(lines))

    def _journal(self, folder, service, number, task_vars):
        """:returns: the lines of the journal; none where there is no file, as after a run on another host."""
        if not folder:
            return []
        found = self._execute_module(module_name="ansible.legacy.slurp", task_vars=task_vars,
                                     module_args={"src": "%s/%s-%d.jsonl" % (folder, service, number)})
        return [] if found.get("failed") else parse(base64.b64decode(found["content"]).decode("utf-8", "replace"))
