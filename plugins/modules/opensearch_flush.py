#!/usr/bin/python
# Copyright (c) 2026, ironrack.cluster contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

DOCUMENTATION = r"""
---
module: opensearch_flush
short_description: Have OpenSearch write what its shards hold in memory to their files
version_added: "0.1.0"
description:
  - A node that is stopped after this is back sooner, since its shards have no log of writes to read again. Nothing that a client sees changes.
  - A shard that could not be flushed is told and is no failure. It has its log of writes.
author:
  - ironrack.cluster contributors (@ironrack)
extends_documentation_fragment:
  - ironrack.cluster.opensearch_auth
options:
  indices:
    description: Names of indices, or patterns of them.
    type: list
    elements: str
    default: ["*"]
  timeout:
    description: Seconds that it may take.
    type: int
    default: 300
attributes:
  check_mode:
    description: Asks for nothing.
    support: full
  diff_mode:
    description: Changes nothing.
    support: none
"""

EXAMPLES = r"""
- name: A node that is stopped now is back soon
  ironrack.cluster.opensearch_flush:
    urls: ["https://192.0.2.51:9200"]
    ca_file: /etc/ironrack/opensearch/ca.crt
    cert_file: /etc/ironrack/opensearch/admin.crt
    key_file: /etc/ironrack/opensearch/admin.key
"""

RETURN = r"""
shards:
  description: How many shards there are (V(total)), and of how many it is said that they were flushed and were not; null in check mode.
  returned: success
  type: dict
  sample: {total: 12, successful: 12, failed: 0}
"""

from urllib.parse import quote

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.ironrack.cluster.plugins.module_utils._common.errors import conclude
from ansible_collections.ironrack.cluster.plugins.module_utils._opensearch.client import ARGUMENT_SPEC, OpenSearchClient


def run(module, connect=OpenSearchClient):
    """:returns: the module's result. :raises OpenSearchError: where it was refused."""
    if module.check_mode:
        return {"changed": False, "shards": None}
    path = "/%s/_flush" % ",".join(quote(one, safe="*") for one in module.params["indices"])
    answer = connect(module.params).expect("POST", path, params={"expand_wildcards": "open,hidden", "ignore_unavailable": True}, what="a flush",
                                           timeout=module.params["timeout"])
    return {"changed": False, "shards": {name: answer["_shards"][name] for name in ("total", "successful", "failed")}}


def main():
    """Ansible's entry point."""
    module = AnsibleModule(
        argument_spec=dict(ARGUMENT_SPEC, indices={"type": "list", "elements": "str", "default": ["*"]}, timeout={"type": "int", "default": 300}),
        supports_check_mode=True)
    conclude(module, lambda: run(module))


if __name__ == "__main__":
    main()
