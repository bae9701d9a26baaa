# Copyright (c) 2026, ironrack.cluster contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What only the files of an inventory tell: secrets in clear text, and a host that is written down twice with two addresses.

By the time that Ansible hands out variables, vault is decrypted, templates are values and the last address has won. So the text itself
is read. No value of a secret leaves this file: a finding holds where it stands and its name.
"""
from __future__ import annotations

import re
from collections import namedtuple

import yaml

from .variables import VARIABLES

#: path, line: where it stands. name: the variable, with its key.
Clear = namedtuple("Clear", ("path", "line", "name"))
Twice = namedtuple("Twice", ("host", "addresses"))

#: Ansible's own ways to log in.
LOGINS = ("ansible_password", "ansible_ssh_pass", "ansible_ssh_password", "ansible_become_pass", "ansible_become_password",
          "ansible_sudo_pass", "ansible_ssh_private_key_passphrase")
#: Variable -> those of its keys that are secret.
KEYS = {variable.name: variable.secret for variable in VARIABLES if variable.secret}
VAULT = "$ANSIBLE_VAULT;"
PRIVATE_KEY = re.compile(r"-----BEGIN [A-Z ]*PRIVATE KEY-----")
#: The C reader takes a tenth of the time; it is not in every build of PyYAML.
LOADER = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
_INI = re.compile(r"(?:^|\s)(%s)\s*=\s*(.+)" % "|".join(LOGINS + tuple(KEYS)))
_INI_KEY = r"""["']?%s["']?\s*:\s*["']?([^"',}\s]+)"""


def clear_secrets(path, text):
    """:returns: :class:`Clear` of every secret of a file that anybody can read who can read the file."""
    if text.startswith(VAULT) or not _suspicious(text):
        return []
    found = [Clear(path, text.count("\n", 0, match.start()) + 1, "a private key") for match in PRIVATE_KEY.finditer(text)]
    root = _compose(text)
    if isinstance(root, yaml.MappingNode):
        return found + [Clear(path, line, name) for line, name in _of_yaml(root)]
    return found + [Clear(path, line, name) for line, name in _of_ini(text)]


def addresses(text):
    """:returns: [(host, address, line)] of every ansible_host in a ``hosts`` of a YAML inventory."""
    if text.startswith(VAULT) or "ansible_host" not in text:
        return []
    root = _compose(text)
    return list(_hosts(root)) if isinstance(root, yaml.MappingNode) else []


def twice(texts):
    """:returns: :class:`Twice` of hosts whose name stands beside different addresses; Ansible takes the last one and says nothing."""
    seen = {}
    for path, text in texts.items():
        for host, address, line in addresses(text):
            seen.setdefault(host, {}).setdefault(address, "%s (%s line %d)" % (address, path, line))
    return [Twice(host, list(told.values())) for host, told in seen.items() if len(told) > 1]


def _suspicious(text):
    return any(name in text for name in LOGINS + tuple(KEYS)) or "PRIVATE KEY-----" in text


def _compose(text):
    """:returns: the root node of YAML, tags and lines in it, or None: what Ansible itself cannot read is told by Ansible."""
    try:
        return yaml.compose(text, Loader=LOADER)
    except yaml.YAMLError:
        return None


def _pairs(node):
    return [(key.value, value) for key, value in node.value if isinstance(key, yaml.ScalarNode)]


def _of_yaml(node):
    """Walk all of a file: variables stand at the top of group_vars, and under hosts, vars and children of an inventory."""
    if isinstance(node, yaml.SequenceNode):
        for entry in node.value:
            yield from _of_yaml(entry)
    if not isinstance(node, yaml.MappingNode):
        return
    for name, value in _pairs(node):
        if name in LOGINS and _is_clear(value):
            yield value.start_mark.line + 1, name
        elif name in KEYS and isinstance(value, yaml.MappingNode):
            for key, inner in _pairs(value):
                if key in KEYS[name] and _is_clear(inner):
                    yield inner.start_mark.line + 1, "%s.%s" % (name, key)
        elif not isinstance(value, yaml.ScalarNode):
            yield from _of_yaml(value)


def _is_clear(node):
    """Neither under vault (alone or in its file) nor looked up when it is needed, nor empty."""
    if not isinstance(node, yaml.ScalarNode) or node.tag in ("!vault", "!vault-encrypted"):
        return False
    return bool(node.value.strip()) and node.tag != "tag:yaml.org,2002:null" and not _is_template(node.value)


def _is_template(text):
    return "{{" in text or "{%" in text


def _of_ini(text):
    for number, line in enumerate(text.splitlines(), 1):
        if line.lstrip().startswith(("#", ";")):
            continue
        for match in _INI.finditer(line):
            name, value = match.groups()
            if name in LOGINS and not _is_template(value) and value.strip("\"' "):
                yield number, name
            for key in KEYS.get(name, ()):
                inner = re.search(_INI_KEY % key, value)
                if inner and not _is_template(inner.group(1)):
                    yield number, "%s.%s" % (name, key)


def _hosts(node):
    for name, value in _pairs(node):
        if not isinstance(value, yaml.MappingNode):
            continue
        if name == "hosts":
            for host, variables in _pairs(value):
                for key, address in _pairs(variables) if isinstance(variables, yaml.MappingNode) else ():
                    if key == "ansible_host" and isinstance(address, yaml.ScalarNode) and not _is_template(address.value):
                        yield host, address.value, address.start_mark.line + 1
        elif name != "vars":
            yield from _hosts(value)
