# Copyright (c) 2026, ironrack.cluster contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""From 'which file of the bundle goes where' to the list that ironrack.cluster.files takes."""
from __future__ import annotations

import posixpath

from ansible.errors import AnsibleFilterError

DOCUMENTATION = r"""
name: pki_contents
short_description: Files of the certificate bundle as a list for ironrack.cluster.files
version_added: "0.1.0"
author:
  - ironrack.cluster contributors (@ironrack)
description:
  - Puts the content of each file of the bundle to the place where a host needs it, with the folders above it first.
  - A folder of root's files is open to read, since programs of other users need the certificates in it; keys are closed by their own
    mode. A folder of another user's files is closed to all others.
  - Fails with the name of every file that the bundle lacks.
options:
  _input:
    description: The C(pki_files) of one host of the model, each with C(path), C(source), C(mode), C(owner) and C(group).
    type: list
    elements: dict
    required: true
  files:
    description: The C(files) of the result of M(ironrack.cluster.pki_bundle), content by name.
    type: dict
    required: true
"""

EXAMPLES = r"""
- name: The host has its own certificates and keys
  ironrack.cluster.files:
    files: "{{ this_host.pki_files | ironrack.cluster.pki_contents(pki_bundle.files) }}"
"""

RETURN = r"""
_value:
  description: Folders, then files, each in the order of their paths; those that only their owner may read are marked C(secret).
  type: list
  elements: dict
"""

# Folders of the operating system: theirs to own.
SYSTEM = ("/", "/etc")


def _folders(pki_files):
    """:returns: the folders above the files, outermost first, as entries of state directory."""
    owners = {}
    for entry in pki_files:
        folder = posixpath.dirname(entry["path"])
        owners.setdefault(folder, (entry["owner"], entry["group"]))
        above = posixpath.dirname(folder)
        while above not in SYSTEM:
            # A folder that holds files of its own belongs to their owner, one that only leads to others is root's.
            owners.setdefault(above, ("root", "root"))
            above = posixpath.dirname(above)
    for entry in pki_files:
        owners[posixpath.dirname(entry["path"])] = (entry["owner"], entry["group"])
    return [
        {"path": folder, "state": "directory", "mode": "0755" if owner == "root" else "0700", "owner": owner, "group": group}
        for folder, (owner, group) in sorted(owners.items())]


def pki_contents(pki_files, files):
    """See DOCUMENTATION."""
    if not isinstance(pki_files, list):
        raise AnsibleFilterError("pki_contents: the input is a %s, and should be the list pki_files of a host of the model" % (
            type(pki_files).__name__))
    if not isinstance(files, dict):
        raise AnsibleFilterError("pki_contents: its argument is a %s, and should be the files of pki_bundle's result" % type(files).__name__)
    missing = sorted("%s (for %s)" % (entry["source"], entry["path"]) for entry in pki_files if not files.get(entry["source"]))
    if missing:
        raise AnsibleFilterError(
            "pki_contents: the certificate bundle has no %s. It is issued for the whole inventory by ironrack.cluster.pki_bundle: has the "
            "inventory changed between that task and this one?" % ", ".join(missing))
    contents = [
        {"path": entry["path"], "content": files[entry["source"]], "mode": entry["mode"], "owner": entry["owner"], "group": entry["group"],
         "secret": entry["mode"] == "0600"}
        for entry in sorted(pki_files, key=lambda entry: entry["path"])]
    return _folders(pki_files) + contents


class FilterModule:
    """The filter of this file's name."""

    def filters(self):
        """:returns: name -> function."""
        return {"pki_contents": pki_contents}
