#!/usr/bin/python
# Copyright (c) 2026, ironrack.cluster contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

DOCUMENTATION = r"""
---
module: opensearch_index_settings
short_description: Have settings on indices of OpenSearch that are there
version_added: "0.1.0"
description:
  - Sets dynamic settings on every index that the patterns name and that has another value. Indices that come later have what their template says.
  - Hidden indices and those of the engine itself are among those that a pattern names, closed ones are not.
author:
  - ironrack.cluster contributors (@ironrack)
extends_documentation_fragment:
  - ironrack.cluster.opensearch_auth
  - ironrack.cluster.attributes.predicts
options:
  indices:
    description: Names of indices, or patterns of them.
    type: list
    elements: str
    default: ["*"]
  settings:
    description: The settings, nested or by their names with dots, with or without C(index.) in front. One that is null is taken away.
    type: dict
    required: true
attributes:
  check_mode:
    details: An index that comes later in the same run is not there yet.
  diff_mode:
    description: Shows the settings in question of each index before and after.
    support: full
"""

EXAMPLES = r"""
- name: Copies wait five minutes for their node before others are made
  ironrack.cluster.opensearch_index_settings:
    urls: ["https://192.0.2.51:9200"]
    ca_file: /etc/ironrack/opensearch/ca.crt
    cert_file: /etc/ironrack/opensearch/admin.crt
    key_file: /etc/ironrack/opensearch/admin.key
    settings:
      unassigned.node_left.delayed_timeout: 5m
"""

RETURN = r"""
changed_indices:
  description: Names of the indices that had other values, or in check mode have.
  returned: success
  type: list
  elements: str
"""

from urllib.parse import quote

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.ironrack.cluster.plugins.module_utils._common.errors import conclude
from ansible_collections.ironrack.cluster.plugins.module_utils._opensearch import settings
from ansible_collections.ironrack.cluster.plugins.module_utils._opensearch.asking import ask, bring, put
from ansible_collections.ironrack.cluster.plugins.module_utils._opensearch.client import ARGUMENT_SPEC, quoted

#: Names in one request: its path has to stay below what the engine takes (4 KiB).
AT_ONCE = 12
EXPAND = {"expand_wildcards": "open,hidden", "ignore_unavailable": True}


def read(client, patterns):
    """:returns: name -> flat settings of the indices that patterns name."""
    answer = client.expect("GET", "/%s/_settings" % ",".join(quote(one, safe="*") for one in patterns), params=dict(EXPAND, flat_settings=True),
                           what="the question for the settings of indices")
    return {name: settings.flat(entry.get("settings")) for name, entry in (answer or {}).items()}


def send(client, changed):
    """Send what differs, for as many indices at once as have the same difference."""
    alike = {}
    for name, difference in sorted(changed.items()):
        alike.setdefault(tuple(sorted(difference.items(), key=str)), []).append(name)
    for difference, names in alike.items():
        for start in range(0, len(names), AT_ONCE):
            some = names[start:start + AT_ONCE]
            put(client, "PUT", "/%s/_settings" % ",".join(quoted(one) for one in some), dict(difference), "settings of %s" % ", ".join(some))


def run(module):
    """:returns: the module's result."""
    wanted = settings.index_settings(module.params["settings"])
    client, found = ask(module, lambda one: read(one, module.params["indices"]))
    before = {name: {one: value for one, value in current.items() if one in wanted} for name, current in (found or {}).items()}
    changed = {name: difference for name, current in before.items() for difference in [settings.changes(current, wanted)] if difference}
    after = {name: settings.after(current, changed.get(name, {})) for name, current in before.items()}
    done = bring(module, before, after, lambda: send(client, changed), "index settings")
    return dict(done, changed_indices=sorted(changed))


def main():
    """Ansible's entry point."""
    module = AnsibleModule(argument_spec=dict(ARGUMENT_SPEC, indices=dict(type="list", elements="str", default=["*"]),
                                              settings=dict(type="dict", required=True)),
                           supports_check_mode=True)
    conclude(module, lambda: run(module))


if __name__ == "__main__":
    main()
