# Copyright (c) 2026, ironrack.cluster contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Judges the registered probes of all hosts on the controller, once; see plugin_utils/_preflight. No connection is opened."""
from __future__ import annotations

from ansible.errors import AnsibleActionFail
from ansible.module_utils.common.arg_spec import ArgumentSpecValidator
from ansible.plugins.action import ActionBase

from ansible_collections.ironrack.cluster.plugins.module_utils._preflight.decide import NAMES
from ansible_collections.ironrack.cluster.plugins.plugin_utils._preflight.bundle import bundle_problems
from ansible_collections.ironrack.cluster.plugins.plugin_utils._preflight.verdict import COMPARED, judge

ARGUMENTS = {
    "hosts": {"type": "list", "elements": "str", "required": True},
    "results": {"type": "str", "default": "preflight_host"},
    "accept": {"type": "list", "elements": "str", "choices": list(NAMES + COMPARED), "default": []},
    "mirror": {"type": "bool", "default": False},
    "bundle": {"type": "str", "default": ""},
    "release": {"type": "dict", "default": {}},
}


class ActionModule(ActionBase):
    """The action behind ironrack.cluster.preflight_verdict."""

    TRANSFERS_FILES = False
    _supports_check_mode = True
    _requires_connection = False

    def run(self, tmp=None, task_vars=None):
        """:returns: the verdict; a failure with everything that stands against it."""
        result = super().run(tmp, task_vars)
        checked = ArgumentSpecValidator(ARGUMENTS).validate(dict(self._task.args))
        if checked.error_messages:
            raise AnsibleActionFail("; ".join(checked.error_messages))
        given = checked.validated_parameters
        # One look at each host: hostvars puts its variables together anew on every access.
        hostvars = task_vars["hostvars"]
        bundle = bundle_problems(given["bundle"], given["release"]) if given["mirror"] else ()
        verdict = judge({host: hostvars.raw_get(host).get(given["results"]) for host in given["hosts"]}, given["accept"], bundle)
        result.update(
            changed=False, failed=not verdict.ok, msg=verdict.text, unreachable_hosts=sorted(verdict.unreachable),
            problems=[dict(problem, host=host) for host, problem in verdict.problems])
        if verdict.warnings:
            result["warnings"] = verdict.warnings
        return result
