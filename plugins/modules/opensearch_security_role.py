#!/usr/bin/python
# Copyright (c) 2026, ironrack.cluster contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

DOCUMENTATION = r"""
---
module: opensearch_security_role
short_description: Have a role of OpenSearch's security plugin
version_added: "0.1.0"
description:
  - Has a role with its permissions. What is left out stays as it is; an empty list takes permissions away.
author:
  - ironrack.cluster contributors (@ironrack)
extends_documentation_fragment:
  - ironrack.cluster.opensearch_auth
  - ironrack.cluster.attributes.predicts
options:
  name:
    description: Name of the role.
    type: str
    required: true
  state:
    description: Whether there should be one.
    type: str
    choices: [present, absent]
    default: present
  cluster_permissions:
    description: Actions and action groups on the cluster.
    type: list
    elements: str
  index_permissions:
    description: Each with C(index_patterns) and C(allowed_actions), and C(dls), C(fls) and C(masked_fields) where documents or fields are kept back.
    type: list
    elements: dict
  tenant_permissions:
    description: Each with C(tenant_patterns) and C(allowed_actions).
    type: list
    elements: dict
  description:
    description: What the role is for.
    type: str
notes:
  - What the security plugin brings along as built in is refused. What is reserved can be changed with the admin certificate only.
attributes:
  diff_mode:
    description: Shows the role before and after.
    support: full
"""

EXAMPLES = r"""
- name: Whoever ships logs may write them and no more
  ironrack.cluster.opensearch_security_role:
    urls: [https://192.0.2.51:9200, https://192.0.2.52:9200]
    ca_file: /etc/ironrack/opensearch/ca.crt
    cert_file: /etc/ironrack/opensearch/admin.crt
    key_file: /etc/ironrack/opensearch/admin.key
    name: log_writer
    cluster_permissions: [cluster_composite_ops]
    index_permissions:
      - index_patterns: ["logs-*"]
        allowed_actions: [create_index, write]
"""

RETURN = r"""
role:
  description: The role afterwards, or as it would be; null where there is none.
  returned: success
  type: dict
  sample: {cluster_permissions: [cluster_composite_ops]}
"""

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.ironrack.cluster.plugins.module_utils._common.errors import conclude
from ansible_collections.ironrack.cluster.plugins.module_utils._opensearch.client import ARGUMENT_SPEC
from ansible_collections.ironrack.cluster.plugins.module_utils._opensearch.securing import converge
from ansible_collections.ironrack.cluster.plugins.module_utils._opensearch.security import ROLE


def run(module):
    """:returns: the module's result."""
    done = converge(module, ROLE)
    return dict(changed=done["changed"], diff=done["diff"], role=done["found"])


def main():
    """Ansible's entry point."""
    module = AnsibleModule(
        argument_spec=dict(
            ARGUMENT_SPEC,
            name={"type": "str", "required": True},
            state={"type": "str", "choices": ["present", "absent"], "default": "present"},
            cluster_permissions={"type": "list", "elements": "str"},
            index_permissions={"type": "list", "elements": "dict"},
            tenant_permissions={"type": "list", "elements": "dict"},
            description={"type": "str"}),
        supports_check_mode=True)
    conclude(module, lambda: run(module))


if __name__ == "__main__":
    main()
