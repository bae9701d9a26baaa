#!/usr/bin/python
# Copyright (c) 2026, ironrack.cluster contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

DOCUMENTATION = r"""
---
module: opensearch_security_role_mapping
short_description: Have a mapping to a role of OpenSearch's security plugin
version_added: "0.1.0"
description:
  - Says who has a role. What is left out stays as it is; an empty list takes the role from all of them.
author:
  - ironrack.cluster contributors (@ironrack)
extends_documentation_fragment:
  - ironrack.cluster.opensearch_auth
  - ironrack.cluster.attributes.predicts
options:
  name:
    description: Name of the role. The engine does not ask whether there is one.
    type: str
    required: true
  state:
    description: Whether there should be a mapping.
    type: str
    choices: [present, absent]
    default: present
  users:
    description: Names of users, or distinguished names of client certificates.
    type: list
    elements: str
  backend_roles:
    description: Backend roles, each of which is enough.
    type: list
    elements: str
  all_backend_roles:
    description: Backend roles that a user has to have all of.
    type: list
    elements: str
  hosts:
    description: Names or addresses of hosts.
    type: list
    elements: str
  description:
    description: What the mapping is for.
    type: str
notes:
  - What the security plugin brings along as built in is refused. What is reserved can be changed with the admin certificate only.
attributes:
  diff_mode:
    description: Shows the mapping before and after.
    support: full
"""

EXAMPLES = r"""
- name: Log writers have the role of that name
  ironrack.cluster.opensearch_security_role_mapping:
    urls: [https://192.0.2.51:9200, https://192.0.2.52:9200]
    ca_file: /etc/ironrack/opensearch/ca.crt
    cert_file: /etc/ironrack/opensearch/admin.crt
    key_file: /etc/ironrack/opensearch/admin.key
    name: log_writer
    backend_roles: [log_writers]
"""

RETURN = r"""
mapping:
  description: The mapping afterwards, or as it would be, with the names of the API; null where there is none.
  returned: success
  type: dict
  sample: {backend_roles: [log_writers]}
"""

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.ironrack.cluster.plugins.module_utils._common.errors import conclude
from ansible_collections.ironrack.cluster.plugins.module_utils._opensearch.client import ARGUMENT_SPEC
from ansible_collections.ironrack.cluster.plugins.module_utils._opensearch.securing import converge
from ansible_collections.ironrack.cluster.plugins.module_utils._opensearch.security import MAPPING


def run(module):
    """:returns: the module's result."""
    done = converge(module, MAPPING)
    return dict(changed=done["changed"], diff=done["diff"], mapping=done["found"])


def main():
    """Ansible's entry point."""
    module = AnsibleModule(
        argument_spec=dict(
            ARGUMENT_SPEC,
            name={"type": "str", "required": True},
            state={"type": "str", "choices": ["present", "absent"], "default": "present"},
            users={"type": "list", "elements": "str"},
            backend_roles={"type": "list", "elements": "str"},
            all_backend_roles={"type": "list", "elements": "str"},
            hosts={"type": "list", "elements": "str"},
            description={"type": "str"}),
        supports_check_mode=True)
    conclude(module, lambda: run(module))


if __name__ == "__main__":
    main()
