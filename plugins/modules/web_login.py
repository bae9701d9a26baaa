#!/usr/bin/python
# Copyright (c) 2026, ironrack.cluster contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

DOCUMENTATION = r"""
---
module: web_login
short_description: TLS and a password for Prometheus and its kin
version_added: "0.1.0"
description:
  - Makes a password once and keeps it in a file, and writes the file that C(--web.config.file) of Prometheus and Alertmanager takes, with the
    password's hash.
  - The password is made on the host and is in no argument, result or diff. To change it, remove its file.
author:
  - ironrack.cluster contributors (@ironrack)
extends_documentation_fragment:
  - ironrack.cluster.attributes.predicts
options:
  path:
    description: The file for C(--web.config.file).
    type: path
    required: true
  password_file:
    description: The file that holds the password, readable by its owner only. One that is there is kept.
    type: path
    required: true
  username:
    description: The name that goes with it.
    type: str
    required: true
  cert_file:
    description: The server's certificate.
    type: path
    required: true
  key_file:
    description: Its key.
    type: path
    required: true
  owner:
    description: The account that reads both files, with its group of the same name.
    type: str
    required: true
attributes:
  diff_mode:
    description: Shows the written file before and after, without the hash.
    support: full
"""

EXAMPLES = r"""
- name: Prometheus asks for a password
  ironrack.cluster.web_login:
    path: /etc/ironrack/prometheus/web.yml
    password_file: /etc/ironrack/prometheus/password
    username: ironrack
    cert_file: /etc/ironrack/prometheus/server.crt
    key_file: /etc/ironrack/prometheus/server.key
    owner: prometheus
"""

RETURN = r"""
changed_paths:
  description: The files that were written, or would be.
  returned: success
  type: list
  elements: str
readable:
  description: Whether the password's file is there now; false in a check run that would make it.
  returned: success
  type: bool
"""

import os
import pwd
import stat

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.ironrack.cluster.plugins.module_utils._common.errors import IronrackError, conclude
from ansible_collections.ironrack.cluster.plugins.module_utils._common.fs import atomic_write, read_or_none
from ansible_collections.ironrack.cluster.plugins.module_utils._monitoring import login


def owner_of(name, check_mode):
    """:returns: (user, group) as numbers; None in a check run before the package has made the account."""
    try:
        entry = pwd.getpwnam(name)
    except KeyError:
        if check_mode:
            return None
        raise IronrackError("there is no user %s on this host: install the package that makes it" % name)
    return entry.pw_uid, entry.pw_gid


def is_kept(path, owner):
    """:returns: whether a file is its owner's alone."""
    try:
        found = os.stat(path)
    except FileNotFoundError:
        return False
    return (found.st_uid, found.st_gid) == owner and stat.S_IMODE(found.st_mode) == 0o600


def without_hash(text, hashed):
    """:returns: a text for a diff."""
    return text.replace(hashed, "(the password's hash)") if hashed else text


def run(module):
    """:returns: the module's result."""
    params, changed = module.params, []
    owner = owner_of(params["owner"], module.check_mode)
    password = (read_or_none(params["password_file"]) or b"").decode("utf-8", "replace").strip()
    before = (read_or_none(params["path"]) or b"").decode("utf-8", "replace")
    old = login.hash_in(before, params["username"])
    wanted = {}
    if not password:
        password, old = login.new_password(), ""
    hashed = old if old and login.fits(password, old) else login.hash_of(password)
    wanted[params["password_file"]] = password + "\n"
    wanted[params["path"]] = login.web_config(params["username"], hashed, params["cert_file"], params["key_file"])
    for path, text in wanted.items():
        if read_or_none(path) == text.encode() and is_kept(path, owner):
            continue
        changed.append(path)
        if not module.check_mode:
            try:
                atomic_write(path, text.encode(), 0o600, *owner)
            except OSError as error:
                raise IronrackError("%s could not be written: %s" % (path, error.strerror or error))
    return {"changed": bool(changed), "changed_paths": changed, "readable": os.path.exists(params["password_file"]), "diff": {
        "before_header": params["path"], "after_header": params["path"],
        "before": without_hash(before, login.hash_in(before, params["username"])), "after": without_hash(wanted[params["path"]], hashed)}}


def main():
    """Ansible's entry point."""
    module = AnsibleModule(
        argument_spec=dict(
            path=dict(type="path", required=True),
            password_file=dict(type="path", required=True, no_log=False),
            username=dict(type="str", required=True),
            cert_file=dict(type="path", required=True),
            key_file=dict(type="path", required=True, no_log=False),
            owner=dict(type="str", required=True)),
        supports_check_mode=True)
    conclude(module, lambda: run(module))


if __name__ == "__main__":
    main()
