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
  - A new cluster, which has nothing that was kept, gets it from a snapshot.
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
    description: Name of a snapshot of the repository. What was kept comes from it where the cluster has nothing.
    type: str
  timeout:
    description: Seconds that it may take to come from there.
    type: int
    default: 600
attributes:
  check_mode:
    description: Says what would be made.
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
  description: When the state that was kept was read, RFC 3339 in UTC.
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
from ansible_collections.ironrack.cluster.plugins.module_utils._opensearch.records import Records


def main():
    """Ansible's entry point."""
    module = AnsibleModule(
        argument_spec=dict(ARGUMENT_SPEC, repository={"type": "str", "required": True}, snapshot={"type": "str"}, timeout={"type": "int", "default": 600}),
        required_by={"repository": ["cert_file", "key_file"]}, supports_check_mode=True)

    def work():
        client, repository = OpenSearchClient(module.params), module.params["repository"]
        records = Records(BackupApi(client))
        sealer = security_backup.Sealer(Cli(module), module.params["cert_file"], module.params["key_file"])
        if module.params["snapshot"] and not module.check_mode and security_backup.newest(records, repository) is None:
            steps.recall(BackupApi(client), repository, module.params["snapshot"], module.params["timeout"])
        return security_backup.bring_back(client, records, sealer, repository, module.check_mode)

    conclude(module, work)


if __name__ == "__main__":
    main()
