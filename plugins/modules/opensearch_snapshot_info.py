#!/usr/bin/python
# Copyright (c) 2026, ironrack.cluster contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

DOCUMENTATION = r"""
---
module: opensearch_snapshot_info
short_description: List the snapshots of a repository
version_added: "0.1.0"
description:
  - Lists snapshots as the engine tells of them. How old the last good one is says M(ironrack.cluster.opensearch_backup_info).
  - A repository that is not registered is no failure, but RV(exists=false).
author:
  - ironrack.cluster contributors (@ironrack)
extends_documentation_fragment:
  - ironrack.cluster.opensearch_auth
  - ironrack.cluster.opensearch_backup
  - ironrack.cluster.attributes.no_diff
options:
  snapshot:
    description: Name of the one that is asked for; all of them where there is none.
    type: str
attributes:
  check_mode:
    description: Only reads.
    support: full
"""

EXAMPLES = r"""
- name: Which snapshots are there
  ironrack.cluster.opensearch_snapshot_info:
    urls: ["https://192.0.2.51:9200"]
    ca_file: /etc/ironrack/opensearch/ca.crt
    username: backup
    password: "{{ opensearch_backup_password }}"
    repository: backups
  register: there
"""

RETURN = r"""
exists:
  description: Whether the repository is registered.
  returned: success
  type: bool
snapshots:
  description:
    - The snapshots, oldest first, each with V(snapshot), V(uuid), V(state), V(version), V(indices), V(data_streams), V(shards), V(failures), and V(kind),
      which is V(scheduled), V(manual) or null, and V(prefix).
    - V(started) and V(ended) are RFC 3339 in UTC, V(seconds) is how long it took.
  returned: success
  type: list
  elements: dict
running:
  description: Snapshots that run now, in any repository, as V(repository/snapshot).
  returned: success
  type: list
  elements: str
"""

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.ironrack.cluster.plugins.module_utils._common.errors import conclude
from ansible_collections.ironrack.cluster.plugins.module_utils._opensearch import snapshots
from ansible_collections.ironrack.cluster.plugins.module_utils._opensearch.backup_api import BackupApi
from ansible_collections.ironrack.cluster.plugins.module_utils._opensearch.client import ARGUMENT_SPEC, OpenSearchClient


def run(params, api):
    """:returns: the module's result."""
    repository, name = params["repository"], params["snapshot"]
    exists = api.repository(repository) is not None
    found = []
    if exists and name:
        found = [one for one in [api.snapshot(repository, name)] if one]
    elif exists:
        found = api.snapshots(repository) or []
    return {"changed": False, "exists": exists, "snapshots": [snapshots.told(one) for one in found], "running": api.running()}


def main():
    """Ansible's entry point."""
    module = AnsibleModule(
        argument_spec=dict(ARGUMENT_SPEC, repository={"type": "str", "required": True}, snapshot={"type": "str"}), supports_check_mode=True)
    conclude(module, lambda: run(module.params, BackupApi(OpenSearchClient(module.params))))


if __name__ == "__main__":
    main()
