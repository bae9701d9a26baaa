#!/usr/bin/python
# Copyright (c) 2026, ironrack.cluster contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

DOCUMENTATION = r"""
---
module: opensearch_security_user
short_description: Have an internal user of OpenSearch's security plugin
version_added: "0.1.0"
description:
  - Has a user with a password, backend roles and attributes. What is left out stays as it is.
  - The API tells no password, so O(user_password) is compared by logging in as the user; it is in no result, diff or log. In the audit log of the cluster a
    password that does not fit yet shows as one failed login.
author:
  - ironrack.cluster contributors (@ironrack)
extends_documentation_fragment:
  - ironrack.cluster.opensearch_auth
  - ironrack.cluster.attributes.predicts
options:
  name:
    description: Name of the user.
    type: str
    required: true
  state:
    description: Whether there should be one.
    type: str
    choices: [present, absent]
    default: present
  user_password:
    description: The user's password. Has to be there for a new one.
    type: str
  update_password:
    description: V(on_create) leaves the password of a user who is there.
    type: str
    choices: [always, on_create]
    default: always
  backend_roles:
    description: Backend roles, which mappings turn into roles.
    type: list
    elements: str
  security_roles:
    description: Roles that the user has without a mapping.
    type: list
    elements: str
  user_attributes:
    description: Attributes that permissions may refer to, as text.
    type: dict
  description:
    description: What the user is for.
    type: str
notes:
  - What the security plugin brings along as built in is refused. What is reserved can be changed with the admin certificate only.
attributes:
  diff_mode:
    description: Shows the user before and after, and of the password only whether it changes.
    support: full
"""

EXAMPLES = r"""
- name: Collectors log in as shipper
  ironrack.cluster.opensearch_security_user:
    urls: [https://192.0.2.51:9200, https://192.0.2.52:9200]
    ca_file: /etc/ironrack/opensearch/ca.crt
    cert_file: /etc/ironrack/opensearch/admin.crt
    key_file: /etc/ironrack/opensearch/admin.key
    name: shipper
    user_password: "{{ vault_opensearch_shipper_password }}"
    backend_roles: [log_writers]
"""

RETURN = r"""
user:
  description: The user afterwards, or as it would be, without the password and with the names of the API; null where there is none.
  returned: success
  type: dict
  sample: {backend_roles: [log_writers]}
"""

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.ironrack.cluster.plugins.module_utils._common.errors import conclude
from ansible_collections.ironrack.cluster.plugins.module_utils._opensearch.client import ARGUMENT_SPEC
from ansible_collections.ironrack.cluster.plugins.module_utils._opensearch.securing import converge, needed_password
from ansible_collections.ironrack.cluster.plugins.module_utils._opensearch.security import USER


def run(module):
    """:returns: the module's result."""
    done = converge(module, USER, lambda exists: needed_password(module.params, exists))
    return dict(changed=done["changed"], diff=done["diff"], user=done["found"])


def main():
    """Ansible's entry point."""
    module = AnsibleModule(
        argument_spec=dict(
            ARGUMENT_SPEC,
            name={"type": "str", "required": True},
            state={"type": "str", "choices": ["present", "absent"], "default": "present"},
            user_password={"type": "str", "no_log": True},
            update_password={"type": "str", "choices": ["always", "on_create"], "default": "always", "no_log": False},
            backend_roles={"type": "list", "elements": "str"},
            security_roles={"type": "list", "elements": "str"},
            user_attributes={"type": "dict"},
            description={"type": "str"}),
        supports_check_mode=True)
    conclude(module, lambda: run(module))


if __name__ == "__main__":
    main()
