#!/usr/bin/python
# Copyright (c) 2026, ironrack.cluster contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

DOCUMENTATION = r"""
---
module: opensearch_security_backup
short_description: Keep OpenSearch's users, roles and mappings with its snapshots, encrypted
version_added: "0.1.0"
description:
  - Reads what people have set with the security plugin, passwords' hashes included, encrypts it for the administrator's certificate, and writes it into the
    index C(ironrack-backups), which is part of every snapshot. So users survive the loss of the cluster, and nobody who reads the object store has them.
  - Does nothing where the last state that was kept is the present one. The last five are kept.
  - M(ironrack.cluster.opensearch_security_restore) brings it back.
author:
  - ironrack.cluster contributors (@ironrack)
requirements:
  - openssl >= 3.0
extends_documentation_fragment:
  - ironrack.cluster.opensearch_auth
options:
  repository:
    description: Name of the snapshot repository that it goes along into.
    type: str
    required: true
attributes:
  check_mode:
    description: Reads and compares.
    support: full
  diff_mode:
    description: What would be shown is secret.
    support: none
"""

EXAMPLES = r"""
- name: Users survive a disaster
  ironrack.cluster.opensearch_security_backup:
    urls: ["https://192.0.2.51:9200"]
    ca_file: /etc/ironrack/opensearch/ca.crt
    cert_file: /etc/ironrack/opensearch/admin.crt
    key_file: /etc/ironrack/opensearch/admin.key
    repository: backups
"""

RETURN = r"""
counts:
  description: How many there are of each kind.
  returned: success
  type: dict
  sample: {actiongroups: 0, tenants: 0, roles: 2, internalusers: 3, rolesmapping: 4}
time:
  description: When the state that is kept now was read, RFC 3339 in UTC.
  returned: success
  type: str
"""

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.ironrack.cluster.plugins.module_utils._common.cli import Cli
from ansible_collections.ironrack.cluster.plugins.module_utils._common.errors import conclude
from ansible_collections.ironrack.cluster.plugins.module_utils._opensearch import moments, security_backup
from ansible_collections.ironrack.cluster.plugins.module_utils._opensearch.backup_api import BackupApi
from ansible_collections.ironrack.cluster.plugins.module_utils._opensearch.client import ARGUMENT_SPEC, OpenSearchClient
from ansible_collections.ironrack.cluster.plugins.module_utils._opensearch.records import Records


def main():
    """Ansible's entry point."""
    module = AnsibleModule(
        argument_spec=dict(ARGUMENT_SPEC, repository={"type": "str", "required": True}), required_by={"repository": ["cert_file", "key_file"]},
        supports_check_mode=True)

    def work():
        client = OpenSearchClient(module.params)
        sealer = security_backup.Sealer(Cli(module), module.params["cert_file"], module.params["key_file"])
        return security_backup.keep(client, Records(BackupApi(client)), sealer, module.params["repository"], module.check_mode, moments.now())

    conclude(module, work)


if __name__ == "__main__":
    main()
