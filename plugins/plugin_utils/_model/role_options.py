# Copyright (c) 2026, ironrack.cluster contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What an inventory sets for the roles, judged by the roles' own argument specs before any host is reached.

Ansible would judge them when a role begins: host by host, in the middle of a run, and a first error hides the others. A playbook that has
read the model need not let it (``rolespec_validate: false``), which also saves a task for each role and host.
"""
from __future__ import annotations

import difflib

from ansible.module_utils.common.arg_spec import ArgumentSpecValidator

from .problems import Problem
from .settle import some
from .variables import BY_NAME


def documented(specs):
    """The options of all roles.

    :param specs: role -> what its meta/argument_specs.yml has below ``argument_specs``.
    :returns: variable -> its option, for those that bear the name of their role; the others are the model's, or handed over by a play.
    """
    return {name: option for role, entries in specs.items() for entry in entries.values() for name, option in (entry.get("options") or {}).items()
            if name.startswith(role + "_") and name not in BY_NAME}


def meant(name, roles, options):
    """:returns: the option that a name of no variable was meant to be, or an empty string. A site may have variables with such prefixes itself."""
    if name in options or name in BY_NAME:
        return ""
    role = max((role for role in roles if name.startswith(role + "_")), key=len, default="")
    # The prefix that they share makes short names look alike.
    names = [option[len(role):] for option in options if option.startswith(role + "_")] if role else []
    return "".join(role + close for close in difflib.get_close_matches(name[len(role):], names, 1, 0.85))


def problems(settings, near, options):
    """Judge what is set.

    :param settings: host -> {variable: value} of options alone.
    :param near: host -> {name: the option that was meant}.
    :param options: of :func:`documented`.
    :returns: :class:`Problem` for each wrong value, hosts that share it together, and for each mistyped name.
    """
    hosts_of, judged = {}, {}
    for host, values in settings.items():
        for name, value in values.items():
            key = (name, repr(value))
            if key not in judged:
                judged[key] = _messages(name, value, options[name])
            for message in judged[key]:
                hosts_of.setdefault(("role_options", name, message, _expected(options[name]), "correct it, or leave it out"), []).append(host)
    for host, names in near.items():
        for name, option in names.items():
            hosts_of.setdefault(("unknown_variable", name, "no such variable", "a variable of this collection", "did you mean %s?" % option), []).append(host)
    return [Problem(check, "%s (%s)" % (name, some(hosts)), *rest) for (check, name, *rest), hosts in sorted(hosts_of.items())]


def _messages(name, value, option):
    found = ArgumentSpecValidator({name: option}).validate({name: value}).error_messages
    # Such a message holds the value.
    return ["the value is of another form"] if found and option.get("no_log") else found


def _expected(option):
    if option.get("choices"):
        return "one of %s" % ", ".join(map(str, option["choices"]))
    return "%s of %s" % (option["type"], option["elements"]) if option.get("elements") else "a value of type %s" % option["type"]
