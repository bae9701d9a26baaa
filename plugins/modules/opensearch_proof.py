#!/usr/bin/python
# Copyright (c) 2026, ironrack.cluster contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

DOCUMENTATION = r"""
---
module: opensearch_proof
short_description: Prove a snapshot by a scratch restore
version_added: "0.1.0"
description:
  - Restores each index of a snapshot under a name of its own, without replicas, one after the other, so that there has to be room for the largest of
    them. It counts and reads all documents, compares them with the manifest, and deletes the scratch index, whatever was found.
  - What a run left that was killed is deleted by the next one. The names of scratch indices begin with C(ironrack-proof-), and no other index may.
  - A manifest that only the snapshot has, as after the loss of the cluster, is brought back from there first. In check mode it is missing then.
  - The verdict is written down in the index C(ironrack-backups). V(fail) is for what cannot be restored or is not what the manifest says; it stops
    M(ironrack.cluster.opensearch_retention). V(inconclusive) is for a proof that could not be carried out, and is no word on the snapshot.
  - Any verdict but V(pass) fails the task.
author:
  - ironrack.cluster contributors (@ironrack)
extends_documentation_fragment:
  - ironrack.cluster.opensearch_auth
  - ironrack.cluster.opensearch_backup
options:
  snapshot:
    description: Name of the snapshot.
    type: str
    required: true
  checksum:
    description: Whether all documents are read. Otherwise they are counted only.
    type: bool
    default: true
  max_age:
    description: Seconds that an earlier proof that passed may be old. Where there is one, nothing is done. With V(0) it is proved anew each time.
    type: int
    default: 0
  timeout:
    description: Seconds for all of it. No other proof runs meanwhile.
    type: int
    default: 7200
attributes:
  check_mode:
    description: Says whether it could be proved, and restores nothing.
    support: full
  diff_mode:
    description: There is nothing to compare.
    support: none
"""

EXAMPLES = r"""
- name: The last snapshot can be restored
  ironrack.cluster.opensearch_proof:
    urls: ["https://192.0.2.51:9200"]
    ca_file: /etc/ironrack/opensearch/ca.crt
    cert_file: /etc/ironrack/opensearch/admin.crt
    key_file: /etc/ironrack/opensearch/admin.key
    repository: backups
    snapshot: "{{ backup.last }}"
    max_age: 604800
"""

RETURN = r"""
verdict:
  description: V(pass), V(fail) or V(inconclusive). Null in check mode.
  returned: always
  type: str
why:
  description: The reason in words.
  returned: always
  type: str
indices:
  description: What was found in each index, with V(documents), V(checksum) and V(problems).
  returned: always
  type: dict
time:
  description: When it was proved, RFC 3339 in UTC. Null in check mode.
  returned: always
  type: str
"""

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.ironrack.cluster.plugins.module_utils._common.errors import conclude
from ansible_collections.ironrack.cluster.plugins.module_utils._opensearch import moments, steps
from ansible_collections.ironrack.cluster.plugins.module_utils._opensearch.backup_api import BackupApi
from ansible_collections.ironrack.cluster.plugins.module_utils._opensearch.client import ARGUMENT_SPEC, OpenSearchClient


def main():
    """Ansible's entry point."""
    module = AnsibleModule(
        argument_spec=dict(
            ARGUMENT_SPEC,
            repository={"type": "str", "required": True},
            snapshot={"type": "str", "required": True},
            checksum={"type": "bool", "default": True},
            max_age={"type": "int", "default": 0},
            timeout={"type": "int", "default": 7200}),
        supports_check_mode=True)
    conclude(module, lambda: steps.prove(module.params, BackupApi(OpenSearchClient(module.params)), module.check_mode, moments.now()))


if __name__ == "__main__":
    main()
