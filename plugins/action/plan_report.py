# Copyright (c) 2026, ironrack.cluster contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Say the plan that a run in check mode has made, from what the callback beside the playbook kept."""
from __future__ import annotations

import datetime

from ansible import constants
from ansible.errors import AnsibleActionFail
from ansible.plugins.action import ActionBase
from ansible.utils.display import Display

from ansible_collections.ironrack.cluster.plugins.plugin_utils._plan import record
from ansible_collections.ironrack.cluster.plugins.plugin_utils._plan.collect import collect
from ansible_collections.ironrack.cluster.plugins.plugin_utils._plan.html import page
from ansible_collections.ironrack.cluster.plugins.plugin_utils._plan.text import lines
from ansible_collections.ironrack.cluster.plugins.plugin_utils._report.files import names, write


class ActionModule(ActionBase):
    """Runs on the controller only."""

    _requires_connection = False
    _VALID_ARGS = frozenset(("cluster", "certificates", "hosts", "path"))

    def run(self, tmp=None, task_vars=None):
        result = super().run(tmp, task_vars)
        arguments = self.validate_argument_spec({
            "cluster": {"type": "dict", "required": True},
            "certificates": {"type": "list", "elements": "dict", "default": []},
            "hosts": {"type": "list", "elements": "str", "default": []},
            "path": {"type": "path", "required": True},
        })[1]
        kept = record.read(record.journal(constants.DEFAULT_LOCAL_TMP))
        if kept is None:
            raise AnsibleActionFail(
                "there is no plan: nobody kept the results of this run. The callback playbooks/callback_plugins/plan_record.py of this "
                "collection does that in its playbook plan; it is missing, or this module was called from another playbook. Run: "
                "ansible-playbook -i INVENTORY ironrack.cluster.plan")
        data = collect(arguments["cluster"], kept, arguments["certificates"], arguments["hosts"])
        data["made_at"] = datetime.datetime.now(datetime.timezone.utc).strftime("%Y-%m-%d %H:%M:%S UTC")
        files = names(arguments["path"])
        write(arguments["path"], data, page, "plan_report_dir")
        text = "\n".join(lines(data))
        Display().display("%sThe whole plan, with every path: %s" % (text, files["html"]))
        result.update(changed=False, files=files, text=text, plan=data)
        return result
