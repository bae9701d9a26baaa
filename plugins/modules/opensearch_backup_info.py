#!/usr/bin/python
# Copyright (c) 2026, ironrack.cluster contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

DOCUMENTATION = r"""
---
module: opensearch_backup_info
short_description: Say how old the backups of OpenSearch are, which are proved, and what no backup has
version_added: "0.1.0"
description:
  - Says how much would be lost if the cluster were lost now, which is the age of the last snapshot of a series that is SUCCESS without a failed shard.
    Age counts from when a snapshot began.
  - Reads its manifest, and checks it against its own checksum and against the mark in the snapshot's metadata.
  - No snapshot at all is no failure of the task; ages are null then, never 0.
author:
  - ironrack.cluster contributors (@ironrack)
extends_documentation_fragment:
  - ironrack.cluster.opensearch_auth
  - ironrack.cluster.opensearch_backup
  - ironrack.cluster.opensearch_backup.series
  - ironrack.cluster.attributes.no_diff
attributes:
  check_mode:
    description: Only reads.
    support: full
"""

EXAMPLES = r"""
- name: How old is the last backup
  ironrack.cluster.opensearch_backup_info:
    urls: ["https://192.0.2.51:9200"]
    ca_file: /etc/ironrack/opensearch/ca.crt
    username: backup
    password: "{{ opensearch_backup_password }}"
    repository: backups
    prefix: hourly
  register: backup
"""

RETURN = r"""
exists:
  description: Whether the repository is registered.
  returned: success
  type: bool
age_seconds:
  description: Age of the last snapshot that is SUCCESS, which is what would be lost now. Null where there is none.
  returned: success
  type: float
last:
  description: That snapshot's name, or null.
  returned: success
  type: str
proved_age_seconds:
  description: Age of the last one that a scratch restore has proved. Null where there is none.
  returned: success
  type: float
last_proved:
  description: That snapshot's name, or null.
  returned: success
  type: str
failed_proofs:
  description: Names of snapshots whose last proof failed. While there are any, retention deletes nothing.
  returned: success
  type: list
  elements: str
states:
  description: How many snapshots of the series there are, by their state.
  returned: success
  type: dict
  sample: {SUCCESS: 24, PARTIAL: 0, FAILED: 1, IN_PROGRESS: 0}
manifest:
  description:
    - That of the last SUCCESS, with V(checked), V(problem) in words (empty where it can be relied on), V(complete), which is whether its closing sheet
      is there, V(documents), V(bytes), V(versions), V(time) and V(indices).
    - Null where there is no snapshot.
  returned: success
  type: dict
indices:
  description: Names of all open indices without a dot in front and without those of data streams, as M(ironrack.cluster.opensearch_snapshot) takes them.
  returned: success
  type: list
  elements: str
unprotected:
  description: Those of them that the last SUCCESS does not have, and data streams that it does not have.
  returned: success
  type: list
  elements: str
clock_offset_seconds:
  description: How far the clock of the host where this runs is ahead of that of the cluster.
  returned: success
  type: float
"""

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.ironrack.cluster.plugins.module_utils._common.errors import conclude
from ansible_collections.ironrack.cluster.plugins.module_utils._opensearch import moments, steps
from ansible_collections.ironrack.cluster.plugins.module_utils._opensearch.backup_api import BackupApi
from ansible_collections.ironrack.cluster.plugins.module_utils._opensearch.client import ARGUMENT_SPEC, OpenSearchClient


def main():
    """Ansible's entry point."""
    module = AnsibleModule(
        argument_spec=dict(ARGUMENT_SPEC, repository={"type": "str", "required": True}, prefix={"type": "str", "required": True}), supports_check_mode=True)
    conclude(module, lambda: steps.age(module.params, BackupApi(OpenSearchClient(module.params)), moments.now()))


if __name__ == "__main__":
    main()
