# Copyright (c) 2026, ironrack.cluster contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Print what stands where, and what to try next."""
from __future__ import annotations

import json

from ansible.plugins.action import ActionBase
from ansible.utils.display import Display

from ansible_collections.ironrack.cluster.plugins.plugin_utils._report.data import collect
from ansible_collections.ironrack.cluster.plugins.plugin_utils._report.text import summary


class ActionModule(ActionBase):
    """Runs on the controller only."""

    _requires_connection = False
    _VALID_ARGS = frozenset(("cluster", "results", "etcd", "addresses", "format", "next_steps"))

    def run(self, tmp=None, task_vars=None):
        result = super().run(tmp, task_vars)
        arguments = self.validate_argument_spec({
            "cluster": {"type": "dict", "required": True},
            "results": {"type": "list", "elements": "dict", "default": []},
            "etcd": {"type": "list", "elements": "dict", "default": []},
            "addresses": {"type": "list", "elements": "dict", "default": []},
            "format": {"type": "str", "choices": ["text", "json"], "default": "text"},
            "next_steps": {"type": "bool", "default": True},
        })[1]
        data = collect(arguments["cluster"], arguments["results"], arguments["etcd"], arguments["addresses"])
        if arguments["format"] == "json":
            text = json.dumps(data, indent=1)
        else:
            text = "\n".join(summary(data, arguments["next_steps"]))
        Display().display(text)
        result.update(changed=False, text=text, summary=data)
        return result
