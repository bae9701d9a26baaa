#!/usr/bin/python
# Copyright (c) 2026, ironrack.cluster contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

DOCUMENTATION = r"""
---
module: opensearch_account
short_description: Give an application a new password of OpenSearch without cutting it off
version_added: "0.1.0"
description:
  - An account is two internal users, C(NAME-1) and C(NAME-2), that take turns. V(turned) makes the one that is not there, with a new password and the same
    rights, and writes both into O(path) once every node lets it in. Whoever still has the one before is let in too, until V(retired) takes that one away.
  - A turn that has not been retired is not followed by another one, so that asking for it twice changes nothing. The first turn of a new account makes its
    first user.
  - Cut off at any point, it goes on when it is run again. Users of these names that it has not made are left alone, and refused.
  - Passwords are in no result, diff or log; only the file has them.
author:
  - ironrack.cluster contributors (@ironrack)
extends_documentation_fragment:
  - ironrack.cluster.opensearch_auth
  - ironrack.cluster.attributes.predicts
options:
  name:
    description: Name of the account.
    type: str
    required: true
  state:
    description: V(turned) has a new user; V(retired) takes the one before it away.
    type: str
    choices: [turned, retired]
    default: turned
  path:
    description: The file on the host where this runs, JSON with C(username) and C(password), mode 0600.
    type: path
    required: true
  backend_roles:
    description: Backend roles of both users, which mappings turn into roles.
    type: list
    elements: str
    default: []
  security_roles:
    description: Roles that both users have without a mapping.
    type: list
    elements: str
    default: []
  user_attributes:
    description: Attributes that permissions may refer to, as text.
    type: dict
    default: {}
attributes:
  diff_mode:
    description: Shows which users there are and which one is in use.
    support: full
"""

EXAMPLES = r"""
- name: The shippers of logs get a new password
  ironrack.cluster.opensearch_account:
    urls: [https://192.0.2.51:9200, https://192.0.2.52:9200]
    ca_file: /etc/ironrack/opensearch/ca.crt
    cert_file: /etc/ironrack/opensearch/admin.crt
    key_file: /etc/ironrack/opensearch/admin.key
    name: shipper
    path: /root/shipper.json
    security_roles: [logs_writer]
"""

RETURN = r"""
username:
  description: The user that the file names afterwards, or would; null where there is none.
  returned: success
  type: str
  sample: shipper-2
users:
  description: The users that may log in afterwards.
  returned: success
  type: list
  elements: str
  sample: [shipper-1, shipper-2]
turning:
  description: Whether the one before may still log in, which V(retired) ends.
  returned: success
  type: bool
"""

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.ironrack.cluster.plugins.module_utils._common.errors import IronrackError, conclude
from ansible_collections.ironrack.cluster.plugins.module_utils._opensearch import security
from ansible_collections.ironrack.cluster.plugins.module_utils._opensearch.accounts import Account
from ansible_collections.ironrack.cluster.plugins.module_utils._opensearch.asking import as_lines, ask
from ansible_collections.ironrack.cluster.plugins.module_utils._opensearch.client import ARGUMENT_SPEC


def plan(account, state, there, file, under_way):
    """:returns: (whether something is to be done, what there is afterwards). :raises IronrackError: where it is not clear which user is in use."""
    trouble = account.problems(there, file, under_way)
    if trouble:
        raise IronrackError(trouble)
    users, in_use = sorted(there), file["username"] if file else None
    if state == "retired":
        if under_way is not None and len(there) == 2:
            raise IronrackError("the turn to %s was cut off: let it come to its end (state turned) before the one before is taken away" % under_way["username"])
        return len(users) == 2, {"users": [in_use] if len(users) == 2 else users, "in_use": in_use}
    if under_way is None and len(users) == 2:
        return False, {"users": users, "in_use": in_use}
    made = under_way["username"] if under_way else account.other(there, file)
    return True, {"users": sorted(set(users + [made])), "in_use": made}


def run(module):
    """:returns: the module's result. :raises IronrackError: where it is not clear which user is in use, or one cannot log in."""
    params = module.params
    client, there = ask(module, lambda one: Account(one, params["name"], params["path"]).look())
    account = Account(client, params["name"], params["path"])
    file, under_way = account.file(), account.file(".next")
    before = {"users": sorted(there or {}), "in_use": file["username"] if file else None}
    if client is None:  # a check run before there is a cluster
        due, after = params["state"] == "turned", before
    else:
        due, after = plan(account, params["state"], there, file, under_way)
    if due and not module.check_mode:
        if params["state"] == "turned":
            asked = {"backend_roles": params["backend_roles"], "security_roles": params["security_roles"], "user_attributes": params["user_attributes"],
                     "description": account.description}
            account.turn(lambda user: security.wanted(security.USER, asked, user))
        else:
            account.retire(there, file)
    return {"changed": due, "username": after["in_use"], "users": after["users"], "turning": len(after["users"]) == 2,
            "diff": {"before": as_lines(before), "after": as_lines(after if due else before), "before_header": params["name"], "after_header": params["name"]}}


def main():
    """Ansible's entry point."""
    module = AnsibleModule(
        argument_spec=dict(
            ARGUMENT_SPEC,
            name={"type": "str", "required": True},
            state={"type": "str", "choices": ["turned", "retired"], "default": "turned"},
            path={"type": "path", "required": True},
            backend_roles={"type": "list", "elements": "str", "default": []},
            security_roles={"type": "list", "elements": "str", "default": []},
            user_attributes={"type": "dict", "default": {}}),
        supports_check_mode=True)
    conclude(module, lambda: run(module))


if __name__ == "__main__":
    main()
