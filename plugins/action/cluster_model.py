# Copyright (c) 2026, ironrack.cluster contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Read the inventory on the controller and derive the model; see plugin_utils/_model. No connection is opened."""
from __future__ import annotations

import os
from collections.abc import Mapping, Sequence, Set

from ansible.errors import AnsibleActionFail, AnsibleError
from ansible.plugins.action import ActionBase

from ansible_collections.ironrack.cluster.plugins.plugin_utils._model import role_options
from ansible_collections.ironrack.cluster.plugins.plugin_utils._model.model import derive
from ansible_collections.ironrack.cluster.plugins.plugin_utils._model.problems import report
from ansible_collections.ironrack.cluster.plugins.plugin_utils._model.variables import BY_NAME, GROUPS, PREFIX

# Relative to this file, which is where the collection is, however it was installed.
COLLECTION = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
RELEASES = os.path.join(COLLECTION, "playbooks", "vars", "releases")
ROLES = os.path.join(COLLECTION, "roles")

#: Bytes: a larger file in an inventory's folder is data of some other kind.
LARGEST_SOURCE = 8 << 20


def plain(value, leave=()):
    """:returns: the value in Python's own types; ``leave`` names keys that are not even looked at, since they hold secrets."""
    if isinstance(value, str):
        return str.__str__(value)
    if isinstance(value, Mapping):
        return {plain(key): plain(value[key]) for key in value if key not in leave}
    if isinstance(value, (Sequence, Set)) and not isinstance(value, bytes):
        return [plain(entry) for entry in value]
    return value


def _files(root):
    """:returns: paths of the inventory files under a folder, or the one that ``root`` is."""
    if os.path.isfile(root):
        return [root]
    found = []
    for folder, folders, names in os.walk(root, followlinks=True):
        folders[:] = [name for name in folders if not name.startswith(".")]
        found += [os.path.join(folder, name) for name in sorted(names) if not name.startswith(".") and not name.endswith(("~", ".pyc", ".bak"))]
    return [path for path in found if os.path.isfile(path) and os.path.getsize(path) <= LARGEST_SOURCE]


class ActionModule(ActionBase):
    """The action behind ironrack.cluster.cluster_model."""

    TRANSFERS_FILES = False
    BYPASS_HOST_LOOP = False
    _VALID_ARGS = frozenset()
    _supports_check_mode = True
    _supports_async = False
    _requires_connection = False

    def run(self, tmp=None, task_vars=None):
        result = super().run(tmp, task_vars)
        task_vars = task_vars or {}
        groups = {name: list(members) for name, members in task_vars["groups"].items()}
        unreadable = {}
        play = self._read_play(task_vars, unreadable)
        specs = self._read_specs()
        options = role_options.documented(specs)
        hosts, settings, near = self._read_hosts(task_vars["hostvars"], groups, unreadable, specs, options)
        derived = derive(
            hosts, groups, play, self._read_releases(), limit=task_vars.get("ansible_play_hosts_all"),
            inventory_dir=plain(task_vars.get("inventory_dir") or ""), unreadable=unreadable, sources=self._read_sources(task_vars))
        problems = derived.problems + role_options.problems(settings, near, options)
        if problems:
            raise AnsibleActionFail(report(problems))
        result.update(derived.model, changed=False)
        if derived.warnings:
            result["warnings"] = derived.warnings
        return result

    def _read_play(self, task_vars, unreadable):
        wanted = [name for name in task_vars if name.startswith(PREFIX) and (name not in BY_NAME or BY_NAME[name].scope == "cluster")]
        return self._pick(self._templar, task_vars, wanted, "", unreadable)

    def _read_hosts(self, hostvars, groups, unreadable, specs, options):
        """One look at each host's variables: hostvars puts them together anew on every access.

        :returns: host -> its variables of the model, -> its values of roles' options, -> mistyped names of such and what was meant.
        """
        hosts, settings, near, meant = {}, {}, {}, {}
        for name in dict.fromkeys(host for group in GROUPS for host in groups.get(group, ())):
            variables = hostvars.raw_get(name)
            wanted = [one for one in variables if one in BY_NAME or one == "ansible_host" or one.startswith(PREFIX)]
            templar = self._templar.copy_with_new_env(available_variables=variables)
            hosts[name] = self._pick(templar, variables, wanted, "host %s, " % name, unreadable)
            settings[name] = self._pick_options(templar, variables, options)
            for one in variables:
                if one not in meant:
                    meant[one] = role_options.meant(plain(one), specs, options)
            near[name] = {plain(one): meant[one] for one in variables if meant[one]}
        return hosts, settings, near

    @staticmethod
    def _pick_options(templar, variables, options):
        """:returns: name -> value of the roles' options that are set and can be evaluated; a site's may refer to what only a later play knows."""
        values = {}
        for name in variables:
            if name in options:
                try:
                    values[plain(name)] = plain(templar.template(variables[name]))
                except AnsibleError:
                    continue
        return values

    @staticmethod
    def _pick(templar, variables, names, where, unreadable):
        """Read variables by name, each in the context of its own host; what cannot be evaluated goes to ``unreadable``."""
        values = {}
        for name in names:
            known = BY_NAME.get(name)
            if not known and name != "ansible_host":
                values[plain(name)] = None  # only its name counts: it may be a mistyped one of ours
                continue
            shared = bool(known) and known.scope == "cluster"
            if shared and name in unreadable:
                continue  # told once is enough
            raw = variables[name]
            if known and known.secret and isinstance(raw, Mapping):
                raw = {key: raw[key] for key in raw if key not in known.secret}
            try:
                values[plain(name)] = plain(templar.template(raw), known.secret if known else ())
            except AnsibleError as error:
                unreadable[name if shared else where + name] = str(error)
        return values

    @staticmethod
    def _read_sources(task_vars):
        """:returns: path -> text of the inventory's files and of the variables beside it and beside the playbook."""
        texts = {}
        roots = [plain(source) for source in task_vars.get("ansible_inventory_sources") or ()]
        folders = [source if os.path.isdir(source) else os.path.dirname(os.path.abspath(source)) for source in roots]
        roots += [os.path.join(folder, name) for folder in folders + [plain(task_vars.get("playbook_dir") or "")] if folder
                  for name in ("group_vars", "host_vars")]
        for root in roots:
            for path in _files(root):
                try:
                    with open(path, encoding="utf-8") as stream:
                        text = stream.read()
                except (OSError, UnicodeDecodeError):
                    continue  # nothing that Ansible could have read either
                if not text.startswith("#!"):
                    texts[os.path.relpath(path)] = text
        return texts

    def _read_specs(self):
        paths = {role: os.path.join(ROLES, role, "meta", "argument_specs.yml") for role in sorted(os.listdir(ROLES))}
        return {role: plain(self._loader.load_from_file(path))["argument_specs"] for role, path in paths.items() if os.path.exists(path)}

    def _read_releases(self):
        names = sorted(name for name in os.listdir(RELEASES) if name.endswith(".yml"))
        return {name[:-4]: plain(self._loader.load_from_file(os.path.join(RELEASES, name))) for name in names}
