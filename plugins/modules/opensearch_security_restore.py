#!/usr/bin/python
# Copyright (c) 2026, ironrack.cluster contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

DOCUMENTATION = r"""
---
module: opensearch_security_restore
short_description: Bring back OpenSearch's users, roles and mappings
version_added: "0.1.0"
description:
  - Makes the users, roles, mappings, action groups and tenants that M(ironrack.cluster.opensearch_security_backup) has kept last and that the cluster does
    not have. Users have the passwords that they had.
  - What the cluster has stays as it is, and is told where it differs, since it may be newer than what was kept.
  - Of a new cluster name a snapshot of the old one. What the new one has kept itself since is not looked at then.
author:
  - ironrack.cluster contributors (@ironrack)
requirements:
  - openssl >= 3.0
extends_documentation_fragment:
  - ironrack.cluster.opensearch_auth
options:
  repository:
    description: Name of the snapshot repository that it was kept for.
    type: str
    required: true
  snapshot:
    description: Name of a snapshot of the repository. What it holds is brought back, and not what the cluster itself has kept.
    type: str
  timeout:
    description: Seconds that it may take to come from there.
    type: int
    default: 600
attributes:
  check_mode:
    description: Says what would be made. With O(snapshot), which would have to be restored to be read, it says only that something may be.
    support: full
  diff_mode:
    description: Shows the names of what is made.
    support: full
"""

EXAMPLES = r"""
- name: Users are back
  ironrack.cluster.opensearch_security_restore:
    urls: ["https://192.0.2.51:9200"]
    ca_file: /etc/ironrack/opensearch/ca.crt
    cert_file: /etc/ironrack/opensearch/admin.crt
    key_file: /etc/ironrack/opensearch/admin.key
    repository: backups
    snapshot: hourly-20261021t1200z
"""

RETURN = r"""
time:
  description: When the state that was kept was read, RFC 3339 in UTC; null where check mode does not know it.
  returned: success
  type: str
made:
  description: What was made, each by its kind and its name.
  returned: success
  type: list
  elements: str
  sample: ["roles logs_writer", "internalusers shipper", "rolesmapping logs_writer"]
different:
  description: What is there, and otherwise than it was kept.
  returned: success
  type: list
  elements: str
"""

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.ironrack.cluster.plugins.module_utils._common.cli import Cli
from ansible_collections.ironrack.cluster.plugins.module_utils._common.errors import conclude
from ansible_collections.ironrack.cluster.plugins.module_utils._opensearch import security_backup, steps
from ansible_collections.ironrack.cluster.plugins.module_utils._opensearch.backup_api import BackupApi
from ansible_collections.ironrack.cluster.plugins.module_utils._opensearch.client import ARGUMENT_SPEC, OpenSearchClient
from ansible_collections.ironrack.cluster.plugins.module_utils._opensearch.manifest import SEALED
from ansible_collections.ironrack.cluster.plugins.module_utils._opensearch.records import Records


def main():
    """Ansible's entry point."""
    module = AnsibleModule(
        argument_spec=dict(ARGUMENT_SPEC, repository={"type": "str", "required": True}, snapshot={"type": "str"}, timeout={"type": "int", "default": 600}),
        required_by={"repository": ["cert_file", "key_file"]}, supports_check_mode=True)

    def work():
        client, repository, snapshot = OpenSearchClient(module.params), module.params["repository"], module.params["snapshot"]
        if snapshot and module.check_mode:
            return {"changed": True, "time": None, "made": [], "different": []}
        api = BackupApi(client)
        found = steps.recall(api, repository, snapshot, module.params["timeout"]) if snapshot else Records(api).find(SEALED, repository)
        sealer = security_backup.Sealer(Cli(module), module.params["cert_file"], module.params["key_file"])
        return security_backup.bring_back(
            client, security_backup.newest(found), sealer, "snapshot %s" % snapshot if snapshot else "this cluster for %s" % repository, module.check_mode)

    conclude(module, work)


if __name__ == "__main__":
    main()
