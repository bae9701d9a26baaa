#!/usr/bin/python
# Copyright (c) 2026, ironrack.cluster contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

DOCUMENTATION = r"""
---
module: opensearch_snapshot
short_description: Take a snapshot with its manifest, or delete one
version_added: "0.1.0"
description:
  - Takes a snapshot of indices that are named one by one, without the cluster's global state, and waits for its end.
  - With O(slot) its name is O(prefix) and the time slot in UTC. Of several hosts that want to take it one does; the others find it there and stand back,
    RV(stood_back=true). Without, the name has the second and a random end, so that two in one minute are two.
  - A snapshot that is FAILED, or has failed shards, fails the task. So does a PARTIAL one, unless O(allow_partial) says otherwise.
  - What it holds is written down before and after, in documents of the index C(ironrack-backups), which is part of each snapshot. The checksum of
    what was written before stands in the metadata of the snapshot itself. M(ironrack.cluster.opensearch_proof) and
    M(ironrack.cluster.opensearch_restore) compare with it.
author:
  - ironrack.cluster contributors (@ironrack)
extends_documentation_fragment:
  - ironrack.cluster.opensearch_auth
  - ironrack.cluster.opensearch_backup
  - ironrack.cluster.attributes.predicts
options:
  state:
    description: Whether a snapshot is taken, or the one of O(snapshot) deleted. One that runs is aborted so.
    type: str
    choices: [present, absent]
    default: present
  snapshot:
    description: Name of the snapshot that is deleted.
    type: str
  prefix:
    description: What the name of a new snapshot begins with.
    type: str
    default: manual
  slot:
    description: Seconds of a time slot, whole minutes, such as V(3600). Slots are counted from midnight where a day has a whole number of them.
    type: int
  indices:
    description:
      - Names of indices, each by itself. A pattern, an alias, a data stream, a closed index and an index with a dot in front are refused.
      - M(ironrack.cluster.opensearch_backup_info) returns those that there are.
    type: list
    elements: str
    default: []
  allow_partial:
    description: Whether the snapshot may lack shards that are not there.
    type: bool
    default: false
  timeout:
    description: Seconds for the snapshot, or for its deletion. Where they are over the task fails, and the engine goes on.
    type: int
    default: 3600
  checksum_timeout:
    description:
      - Seconds for reading all documents of indices that nobody wrote to, for their checksums. What is not read then is read after the next snapshot.
      - What was read once is not read again until somebody writes to it. With V(0) there are no new checksums.
    type: int
    default: 300
attributes:
  check_mode:
    details: The name of a manual snapshot is another one in the run.
  diff_mode:
    description: Shows the name of what comes or goes.
    support: full
"""

EXAMPLES = r"""
- name: The snapshot of this hour
  ironrack.cluster.opensearch_snapshot:
    urls: ["https://192.0.2.51:9200", "https://192.0.2.52:9200"]
    ca_file: /etc/ironrack/opensearch/ca.crt
    username: backup
    password: "{{ opensearch_backup_password }}"
    repository: backups
    prefix: hourly
    slot: 3600
    indices: [logs-000007, logs-000008]
"""

RETURN = r"""
snapshot:
  description: Its name.
  returned: success
  type: str
  sample: hourly-20261121t1200z
stood_back:
  description: Whether the snapshot of this time slot was there already.
  returned: success
  type: bool
state:
  description: Its state, as the engine calls it. Null where it is not there.
  returned: success
  type: str
  sample: SUCCESS
shards:
  description: How many shards it has, with V(total), V(successful) and V(failed).
  returned: when it is there
  type: dict
failures:
  description: Shards that failed, each with V(index), V(shard), V(node) and V(reason).
  returned: when it is there
  type: list
  elements: dict
seconds:
  description: How long it took.
  returned: when it is there and over
  type: float
indices:
  description: The indices in it.
  returned: when it is there
  type: list
  elements: str
manifest:
  description: V(checksum) of the sheet of before, V(documents) in all, and V(without_checksum), the indices whose documents were not read.
  returned: when this run took it
  type: dict
"""

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.ironrack.cluster.plugins.module_utils._common.errors import conclude
from ansible_collections.ironrack.cluster.plugins.module_utils._opensearch import moments, snapshots, steps
from ansible_collections.ironrack.cluster.plugins.module_utils._opensearch.backup_api import BackupApi
from ansible_collections.ironrack.cluster.plugins.module_utils._opensearch.client import ARGUMENT_SPEC, OpenSearchClient


def main():
    """Ansible's entry point."""
    module = AnsibleModule(
        argument_spec=dict(
            ARGUMENT_SPEC,
            repository={"type": "str", "required": True},
            state={"type": "str", "choices": ["present", "absent"], "default": "present"},
            snapshot={"type": "str"},
            prefix={"type": "str", "default": "manual"},
            slot={"type": "int"},
            indices={"type": "list", "elements": "str", "default": []},
            allow_partial={"type": "bool", "default": False},
            timeout={"type": "int", "default": 3600},
            checksum_timeout={"type": "int", "default": 300}),
        required_if=[("state", "absent", ["snapshot"])],
        supports_check_mode=True)

    def work():
        api = BackupApi(OpenSearchClient(module.params))
        if module.params["state"] == "absent":
            return steps.remove(module.params, api, module.check_mode)
        result = steps.take(module.params, api, module.check_mode, moments.now())
        if result["state"] in (snapshots.FAILED, snapshots.PARTIAL):
            module.warn("Snapshot %s is %s. Its name is taken until it is deleted; take one without slot, or wait for the next slot" % (
                result["snapshot"], result["state"]))
        return result

    conclude(module, work)


if __name__ == "__main__":
    main()
