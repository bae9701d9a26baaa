# Copyright (c) 2026, ironrack.cluster contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Write the report of a pipeline on the controller, then fail where the release did not get to its end."""
from __future__ import annotations

import datetime

from ansible.plugins.action import ActionBase
from ansible.utils.display import Display

from ansible_collections.ironrack.cluster.plugins.plugin_utils._pipeline.data import collect
from ansible_collections.ironrack.cluster.plugins.plugin_utils._pipeline.html import page
from ansible_collections.ironrack.cluster.plugins.plugin_utils._report.files import names, write


class ActionModule(ActionBase):
    """Runs on the controller only."""

    _requires_connection = False
    _VALID_ARGS = frozenset(("service", "release", "strategy", "reason", "stages", "before", "after", "began", "failure", "path", "fail"))

    def run(self, tmp=None, task_vars=None):
        result = super().run(tmp, task_vars)
        arguments = self.validate_argument_spec({
            "service": {"type": "str", "required": True},
            "release": {"type": "str", "required": True},
            "strategy": {"type": "str", "required": True},
            "reason": {"type": "str", "default": ""},
            "stages": {"type": "list", "elements": "dict", "required": True},
            "before": {"type": "dict", "default": {}},
            "after": {"type": "dict", "default": {}},
            "began": {"type": "bool", "default": False},
            "failure": {"type": "str", "default": ""},
            "path": {"type": "path", "required": True},
            "fail": {"type": "bool", "default": True},
        })[1]
        data = collect(arguments["service"], arguments["release"], arguments["strategy"], arguments["reason"], arguments["stages"],
                       arguments["before"], arguments["after"], arguments["began"], arguments["failure"])
        data["made_at"] = datetime.datetime.now(datetime.timezone.utc).strftime("%Y-%m-%d %H:%M:%S UTC")
        files = names(arguments["path"])
        if not self._task.check_mode:
            write(arguments["path"], data, page, "pipeline_report_dir")
            Display().display("Report: %s" % files["html"])
        # A report is a reading, not a state: it never counts as a change of what it reads.
        result.update(changed=False, verdict=data["verdict"], headline=data["headline"], files=files)
        if arguments["fail"] and data["verdict"] != "pass" and (arguments["failure"] or not self._task.check_mode):
            reasons = ["%s: %s%s" % (one["stage"], one["verdict"], ", " + one["why"] if one["why"] else "")
                       for one in data["stages"] if one["verdict"] not in ("pass", "skipped")]
            result.update(failed=True, msg="%s (report: %s)\n- %s" % (data["headline"], files["html"], "\n- ".join(reasons or ["not all stages were done"])))
        return result
