#!/usr/bin/python
# Copyright (c) 2026, ironrack.cluster contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

DOCUMENTATION = r"""
---
module: opensearch_ism_policy
short_description: Have an index state management policy of OpenSearch
version_added: "0.1.0"
description:
  - Has a policy as it is described here. It is compared without what index management adds to it.
  - A policy that is changed is replaced only if nobody else changed it meanwhile.
  - The engine's plugin C(opensearch-index-management) has to be installed on all nodes; where it is not, the task fails with that reason.
author:
  - ironrack.cluster contributors (@ironrack)
extends_documentation_fragment:
  - ironrack.cluster.opensearch_auth
  - ironrack.cluster.attributes.predicts
options:
  name:
    description: Name of the policy.
    type: str
    required: true
  state:
    description: Whether it should be there.
    type: str
    choices: [present, absent]
    default: present
  policy:
    description: The policy, with C(default_state), C(states) and what else its API takes.
    type: dict
notes:
  - Indices that are managed already keep the version of the policy that they started with until it is changed for them.
attributes:
  diff_mode:
    description: Shows the policy before and after, without what index management adds.
    support: full
"""

EXAMPLES = r"""
- name: Log indices roll over each day and go after 30 days
  ironrack.cluster.opensearch_ism_policy:
    urls: [https://192.0.2.51:9200, https://192.0.2.52:9200]
    ca_file: /etc/ironrack/opensearch/ca.crt
    cert_file: /etc/ironrack/opensearch/admin.crt
    key_file: /etc/ironrack/opensearch/admin.key
    name: logs
    policy:
      description: Logs of 30 days
      default_state: hot
      states:
        - name: hot
          actions: [{rollover: {min_index_age: 1d}}]
          transitions: [{state_name: old, conditions: {min_index_age: 30d}}]
        - name: old
          actions: [{delete: {}}]
      ism_template: [{index_patterns: ["logs-*"], priority: 100}]
"""

RETURN = r"""
policy:
  description: The policy afterwards, or as it would be, with its values as text; null where there is none.
  returned: success
  type: dict
  sample: {default_state: hot, states: [{name: hot}]}
"""

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.ironrack.cluster.plugins.module_utils._common.errors import conclude
from ansible_collections.ironrack.cluster.plugins.module_utils._opensearch.asking import ask, bring, delete, get, path_of
from ansible_collections.ironrack.cluster.plugins.module_utils._opensearch.client import ARGUMENT_SPEC
from ansible_collections.ironrack.cluster.plugins.module_utils._opensearch.documents import INDEX_MANAGEMENT, ism_policy


def run(module):
    """:returns: the module's result."""
    params = module.params
    path, what = path_of("/_plugins/_ism/policies", params["name"]), "the ISM policy %s" % params["name"]
    after = ism_policy(params["policy"]) if params["state"] == "present" else None
    client, answer = ask(module, lambda one: get(one, path, what, plugin=INDEX_MANAGEMENT))
    before = ism_policy(answer["policy"]) if answer else None

    def write():
        if after is None:
            delete(client, path, what)
            return
        # Without these two it is a new one, which is refused where somebody else has made it meanwhile.
        known = {"if_seq_no": answer["_seq_no"], "if_primary_term": answer["_primary_term"]} if answer else {}
        client.expect("PUT", path, body={"policy": params["policy"]}, params=known, what=what)

    return dict(bring(module, before, after, write, what), policy=after)


def main():
    """Ansible's entry point."""
    module = AnsibleModule(
        argument_spec=dict(
            ARGUMENT_SPEC,
            name={"type": "str", "required": True},
            state={"type": "str", "choices": ["present", "absent"], "default": "present"},
            policy={"type": "dict"}),
        required_if=[("state", "present", ("policy",))],
        supports_check_mode=True)
    conclude(module, lambda: run(module))


if __name__ == "__main__":
    main()
