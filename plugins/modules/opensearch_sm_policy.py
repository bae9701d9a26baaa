#!/usr/bin/python
# Copyright (c) 2026, ironrack.cluster contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

DOCUMENTATION = r"""
---
module: opensearch_sm_policy
short_description: Have a snapshot management policy of OpenSearch
version_added: "0.1.0"
description:
  - Has a policy as it is described here, by which the cluster takes and deletes snapshots itself. It is compared without what index management adds to it.
  - Warns where snapshots are deleted by a count, because snapshot management counts failed ones too, and may so delete the last good one.
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
    description:
      - The policy, with C(creation), C(snapshot_config) and what else its API takes.
      - The repository has to be there. The engine does not look for it when the policy is made, and fails with the first snapshot.
    type: dict
attributes:
  diff_mode:
    description: Shows the policy before and after, without what index management adds.
    support: full
"""

EXAMPLES = r"""
- name: A snapshot each night, kept for 30 days
  ironrack.cluster.opensearch_sm_policy:
    urls: [https://192.0.2.51:9200, https://192.0.2.52:9200]
    ca_file: /etc/ironrack/opensearch/ca.crt
    cert_file: /etc/ironrack/opensearch/admin.crt
    key_file: /etc/ironrack/opensearch/admin.key
    name: nightly
    policy:
      creation:
        schedule: {cron: {expression: 0 1 * * *, timezone: UTC}}
      deletion:
        condition: {max_age: 30d, min_count: 7}
      snapshot_config: {repository: backups, indices: "logs-*"}
"""

RETURN = r"""
policy:
  description: The policy afterwards, or as it would be, with its values as text; null where there is none.
  returned: success
  type: dict
  sample: {enabled: "true", snapshot_config: {repository: backups}}
"""

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.ironrack.cluster.plugins.module_utils._common.errors import conclude
from ansible_collections.ironrack.cluster.plugins.module_utils._opensearch.asking import ask, bring, delete, get, path_of
from ansible_collections.ironrack.cluster.plugins.module_utils._opensearch.client import ARGUMENT_SPEC
from ansible_collections.ironrack.cluster.plugins.module_utils._opensearch.documents import INDEX_MANAGEMENT, counts_failures, sm_policy


def run(module):
    """:returns: the module's result."""
    params = module.params
    path, what = path_of("/_plugins/_sm/policies", params["name"]), "the snapshot policy %s" % params["name"]
    after = sm_policy(params["policy"]) if params["state"] == "present" else None
    if after and counts_failures(after):
        module.warn("%s deletes by max_count, and snapshot management counts failed snapshots too: after some failures in a row the last good one may go. "
                    "Use max_age with min_count, or the retention of this collection" % what)
    client, answer = ask(module, lambda one: get(one, path, what, plugin=INDEX_MANAGEMENT))
    before = sm_policy(answer["sm_policy"]) if answer else None

    def write():
        if after is None:
            delete(client, path, what)
        elif answer:
            client.expect("PUT", path, body=params["policy"], what=what, params={"if_seq_no": answer["_seq_no"], "if_primary_term": answer["_primary_term"]})
        else:
            client.expect("POST", path, body=params["policy"], what=what)

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
