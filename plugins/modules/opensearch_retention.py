#!/usr/bin/python
# Copyright (c) 2026, ironrack.cluster contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

DOCUMENTATION = r"""
---
module: opensearch_retention
short_description: Delete old snapshots, as long as enough newer ones are proved
version_added: "0.1.0"
description:
  - Deletes a scheduled snapshot of one series where it is older than O(max_age) and O(min_count) newer ones of that series stay that a scratch restore
    has proved (M(ironrack.cluster.opensearch_proof)). Snapshots share files, so SUCCESS alone proves little.
  - A PARTIAL one is deleted likewise, but by O(failed_max_age). A FAILED one is deleted by that age alone, since nothing can be restored from it. Neither
    counts as a newer one.
  - Nothing at all is deleted while a snapshot runs, while the last proof of any snapshot of the repository failed, or while clocks are apart. RV(stopped)
    says why. That is no failure of the task.
  - Manual snapshots and those of others are never deleted, and never count.
author:
  - ironrack.cluster contributors (@ironrack)
extends_documentation_fragment:
  - ironrack.cluster.opensearch_auth
  - ironrack.cluster.opensearch_backup
  - ironrack.cluster.opensearch_backup.series
  - ironrack.cluster.attributes.predicts
options:
  max_age:
    description: Seconds after which a whole snapshot may go.
    type: int
    required: true
  min_count:
    description: How many newer proved ones have to stay.
    type: int
    default: 3
  failed_max_age:
    description: Seconds after which a FAILED or PARTIAL one may go.
    type: int
    default: 604800
  clock_tolerance:
    description: Seconds that clocks may differ. A snapshot counts as newer only where it began that much later.
    type: int
    default: 300
  dry_run:
    description: Lists what would go and why, and deletes nothing.
    type: bool
    default: false
  timeout:
    description: Seconds for each deletion.
    type: int
    default: 600
attributes:
  diff_mode:
    description: Shows the names of the series before and after.
    support: full
"""

EXAMPLES = r"""
- name: Snapshots are kept for 30 days
  ironrack.cluster.opensearch_retention:
    urls: ["https://192.0.2.51:9200"]
    ca_file: /etc/ironrack/opensearch/ca.crt
    username: backup
    password: "{{ opensearch_backup_password }}"
    repository: backups
    prefix: hourly
    max_age: 2592000
    min_count: 3
"""

RETURN = r"""
deleted:
  description: What went, or would go, each with V(snapshot) and V(why).
  returned: success
  type: list
  elements: dict
  sample: [{"snapshot": "hourly-20261021t1200z", "why": "it is SUCCESS, 2678400 s old (limit 2592000 s), and 3 newer ones are proved (3 have to stay)"}]
kept:
  description: What stays, each with V(snapshot) and V(why).
  returned: success
  type: list
  elements: dict
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
            max_age={"type": "int", "required": True},
            min_count={"type": "int", "default": 3},
            failed_max_age={"type": "int", "default": 604800},
            clock_tolerance={"type": "int", "default": moments.TOLERANCE},
            dry_run={"type": "bool", "default": False},
            timeout={"type": "int", "default": 600}),
        supports_check_mode=True)
    conclude(module, lambda: steps.retain(module.params, BackupApi(OpenSearchClient(module.params)), module.check_mode, moments.now()))


if __name__ == "__main__":
    main()
