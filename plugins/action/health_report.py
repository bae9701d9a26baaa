# Copyright (c) 2026, ironrack.cluster contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Write the health report on the controller, then fail where a condition is not green."""
from __future__ import annotations

import datetime

from ansible.plugins.action import ActionBase
from ansible.utils.display import Display

from ansible_collections.ironrack.cluster.plugins.module_utils._health.verdict import explain
from ansible_collections.ironrack.cluster.plugins.plugin_utils._report.data import collect
from ansible_collections.ironrack.cluster.plugins.plugin_utils._report.files import names, write
from ansible_collections.ironrack.cluster.plugins.plugin_utils._report.html import page


class ActionModule(ActionBase):
    """Runs on the controller only."""

    _requires_connection = False
    _VALID_ARGS = frozenset(("cluster", "results", "etcd", "path", "fail"))

    def run(self, tmp=None, task_vars=None):
        result = super().run(tmp, task_vars)
        arguments = self.validate_argument_spec({
            "cluster": {"type": "dict", "required": True},
            "results": {"type": "list", "elements": "dict", "required": True},
            "etcd": {"type": "list", "elements": "dict", "default": []},
            "path": {"type": "path", "required": True},
            "fail": {"type": "bool", "default": True},
        })[1]
        data = collect(arguments["cluster"], arguments["results"], arguments["etcd"])
        data["made_at"] = datetime.datetime.now(datetime.timezone.utc).strftime("%Y-%m-%d %H:%M:%S UTC")
        files = names(arguments["path"])
        if not self._task.check_mode:
            write(arguments["path"], data, page, "validate_report_dir")
            Display().display("Report: %s" % files["html"])
        # A report is a reading, not a state: it never counts as a change of what it reads.
        result.update(changed=False, ok=data["verdict"] == "pass", verdict=data["verdict"], counts=data["counts"], files=files)
        if arguments["fail"] and not result["ok"] and not (self._task.check_mode and data["verdict"] == "not judged"):
            result.update(failed=True, msg="the cluster is not healthy (report: %s):\n%s" % (
                files["html"], explain(data["conditions"])))
        return result
