#!/usr/bin/python
# Copyright (c) 2026, ironrack.cluster contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

DOCUMENTATION = r"""
---
module: opensearch_index_expiry
short_description: Delete old indices that a proved snapshot has
version_added: "0.1.0"
description:
  - Deletes an index where it is older than its rule says, enough newer ones of that rule stay, no write goes to it, no ISM policy manages it, and the
    newest snapshot of one series that a scratch restore has proved (M(ironrack.cluster.opensearch_proof)) has it as it is now. What goes can be brought back
    for as long as that snapshot is kept.
  - The age is counted from when an index was made, or brought back by M(ironrack.cluster.opensearch_restore). An index of a data stream, a hidden one, the
    write index of an alias, the only index of an alias, and what a restore needs that is not signed off stay in any case.
  - Nothing at all is deleted while a snapshot runs, while a restore is under way, while the last proof of any snapshot of the repository failed, or while
    clocks are apart. RV(stopped) says why. That is no failure of the task.
  - Indices are deleted by their names, one after the other, the oldest first, each after a look at whether it still is what was judged. Where one cannot be
    deleted the task fails, with what was deleted before it as C(gone).
author:
  - ironrack.cluster contributors (@ironrack)
extends_documentation_fragment:
  - ironrack.cluster.opensearch_auth
  - ironrack.cluster.opensearch_backup
  - ironrack.cluster.opensearch_backup.series
  - ironrack.cluster.attributes.predicts
options:
  rules:
    description: What may go. Rules for the same indices are refused.
    type: list
    elements: dict
    required: true
    suboptions:
      pattern:
        description: Names of indices, as a beginning of three signs or more and one V(*) at the end.
        type: str
        required: true
      max_age:
        description: Seconds after which an index may go.
        type: int
        required: true
      min_count:
        description: How many of the newest always stay. Closed ones do not count.
        type: int
        default: 1
      without_snapshot:
        description: Whether an index goes although no proved snapshot has it. It is lost then.
        type: bool
        default: false
  clock_tolerance:
    description: Seconds that clocks may differ. An index goes that much later.
    type: int
    default: 300
  dry_run:
    description: Lists what would go and why, and deletes nothing.
    type: bool
    default: false
attributes:
  diff_mode:
    description: Shows the names of the rules' indices before and after.
    support: full
notes:
  - Whoever asks needs C(indices:admin/delete) on the patterns. With the plugin of ISM also C(cluster:admin/opendistro/ism/managedindex/explain), and
    C(indices:admin/opensearch/ism/managedindex) on the patterns, without which ISM says nothing of them and they stay.
"""

EXAMPLES = r"""
- name: Logs are kept for two weeks, and at least the last three indices
  ironrack.cluster.opensearch_index_expiry:
    urls: ["https://192.0.2.51:9200"]
    ca_file: /etc/ironrack/opensearch/ca.crt
    username: backup
    password: "{{ opensearch_backup_password }}"
    repository: backups
    prefix: hourly
    rules:
      - {pattern: "logs-app-*", max_age: 1209600, min_count: 3}
      - {pattern: "debug-*", max_age: 86400, without_snapshot: true}
"""

RETURN = r"""
expired:
  description: What went, or would go, each with V(index) and V(why).
  returned: success
  type: list
  elements: dict
  sample: [{"index": "logs-app-000001", "why": "it is 1296000 s old (limit 1209600 s), and 3 newer ones are there (3 have to stay)"}]
kept:
  description:
    - What stays of the rules' indices, each with V(index), V(why), and the V(reason) in a word, which is V(young), V(needed), V(write_index),
      V(data_stream), V(hidden), V(restore), V(future), V(managed), V(unknown), V(unreadable), V(not_in_snapshot), V(changed) or V(stopped).
  returned: success
  type: list
  elements: dict
overdue:
  description: Names of those that are old enough and stay since something lacks, as the V(why) of each says.
  returned: success
  type: list
  elements: str
stopped:
  description: Why nothing at all is deleted now, in words.
  returned: success
  type: list
  elements: str
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
            prefix={"type": "str", "required": True},
            rules={"type": "list", "elements": "dict", "required": True, "options": {
                "pattern": {"type": "str", "required": True},
                "max_age": {"type": "int", "required": True},
                "min_count": {"type": "int", "default": 1},
                "without_snapshot": {"type": "bool", "default": False}}},
            clock_tolerance={"type": "int", "default": moments.TOLERANCE},
            dry_run={"type": "bool", "default": False}),
        supports_check_mode=True)
    conclude(module, lambda: steps.expire(module.params, BackupApi(OpenSearchClient(module.params)), module.check_mode, moments.now()))


if __name__ == "__main__":
    main()
