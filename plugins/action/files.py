# Copyright (c) 2026, ironrack.cluster contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The controller's half of ironrack.cluster.files: it renders, reads and packs; the module of the same name compares and writes."""
from __future__ import annotations

import os

from ansible.errors import AnsibleActionFail, AnsibleError
from ansible.module_utils.common.text.converters import to_native, to_text
from ansible.plugins.action import ActionBase
from ansible.template import trust_as_template

from ansible_collections.ironrack.cluster.plugins.module_utils._files import payload

MANAGED = "Written by ironrack.cluster; a change made here is overwritten by its next run."
SENT = ("path", "state", "content", "block", "copy_of", "replace", "marker", "mode", "owner", "group", "secret", "target", "validate", "if_absent")


class ActionModule(ActionBase):
    """Ansible's entry point."""

    _requires_connection = True
    _VALID_ARGS = frozenset(("files",))

    def run(self, tmp=None, task_vars=None):
        """Render and send. See the module's documentation."""
        task_vars = task_vars or {}
        result = super().run(tmp, task_vars)
        items = self._task.args.get("files")
        if not isinstance(items, list):
            raise AnsibleActionFail("files must be a list")
        problems = payload.problems_of(items)
        packed = []
        if not problems:
            for item in items:
                try:
                    packed.append(self._with_content(item, task_vars))
                except (AnsibleError, OSError) as error:
                    problems.append("%s: %s" % (item["path"], to_native(error)))
        if problems:
            result.update(
                failed=True, problems=[to_native(problem) for problem in problems],
                msg="nothing was written, because:\n- %s" % "\n- ".join(to_native(problem) for problem in problems))
            return result
        result.update(self._execute_module(
            module_name="ironrack.cluster.files", module_args={"payload": payload.pack(packed)}, task_vars=task_vars))
        return result

    def _with_content(self, item, task_vars):
        """:returns: the item as the module gets it, with its content in place of a template or a source."""
        ready = dict((name, item[name]) for name in SENT if item.get(name) is not None)
        if item.get("template") is not None:
            ready["content"] = self._render(item["template"], item["path"], item.get("vars") or {}, task_vars)
        elif item.get("src") is not None:
            with open(self._find_needle("files", item["src"]), "rb") as stream:
                ready["content"] = payload.to_text(stream.read())
        for name in ("content", "block"):
            if name in ready:
                ready[name] = to_text(ready[name], nonstring="simplerepr")
        return ready

    def _render(self, name, destination, extra, task_vars):
        """:returns: the text of a template, rendered as ansible.builtin.template does it."""
        source = self._find_needle("templates", name)
        # trusted like any template that a role ships: its text is read from a file of the controller, never from a host
        text = trust_as_template(self._loader.get_text_file_contents(source))
        folders = list(task_vars.get("ansible_search_path", [])) + [self._loader.get_basedir(), os.path.dirname(source)]
        searchpath = [place for folder in folders for place in (os.path.join(folder, "templates"), folder)]
        variables = dict(task_vars, template_path=name, template_fullpath=source, template_destpath=destination)
        variables.setdefault("ansible_managed", MANAGED)
        variables.update(extra)
        templar = self._templar.copy_with_new_env(searchpath=searchpath, available_variables=variables)
        rendered = templar.template(text, escape_backslashes=False, overrides={"trim_blocks": True, "lstrip_blocks": False})
        return "" if rendered is None else rendered
