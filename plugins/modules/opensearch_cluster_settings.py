#!/usr/bin/python
# Copyright (c) 2026, ironrack.cluster contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

DOCUMENTATION = r"""
---
module: opensearch_cluster_settings
short_description: Have persistent settings on an OpenSearch cluster
version_added: "0.1.0"
description:
  - Sets the persistent settings that are named and leaves all others. All go in one request, so that settings that only make sense together, such as the
    disk watermarks, are accepted or refused together.
  - Warns of transient settings that win over what is set, since an engine prefers those. They are never touched.
author:
  - ironrack.cluster contributors (@ironrack)
extends_documentation_fragment:
  - ironrack.cluster.opensearch_auth
  - ironrack.cluster.attributes.predicts
options:
  settings:
    description:
      - Names and values. Names with dots and names one below the other are the same, and so are V(2) and V("2").
      - V(null) resets a setting to its default. Its name may then hold C(*), and stands for all that are set.
    type: dict
    required: true
attributes:
  diff_mode:
    description: Shows the persistent settings before and after.
    support: full
"""

EXAMPLES = r"""
- name: Watermarks count free space, not percents of a disk
  ironrack.cluster.opensearch_cluster_settings:
    urls: [https://192.0.2.51:9200, https://192.0.2.52:9200]
    ca_file: /etc/ironrack/opensearch/ca.crt
    cert_file: /etc/ironrack/opensearch/admin.crt
    key_file: /etc/ironrack/opensearch/admin.key
    settings:
      cluster.routing.allocation.disk.watermark:
        low: 40gb
        high: 30gb
        flood_stage: 20gb
      cluster.routing.allocation.enable: null
"""

RETURN = r"""
settings:
  description: All persistent settings afterwards, or as they would be, by names with dots.
  returned: success
  type: dict
  sample: {cluster.routing.allocation.disk.watermark.low: 40gb}
changed_settings:
  description: Those that changed or would change, with the value that was sent; null for those that were reset.
  returned: success
  type: dict
  sample: {cluster.routing.allocation.enable: null}
shadowed:
  description: A sentence for each transient setting that wins over one of O(settings).
  returned: success
  type: list
  elements: str
"""

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.ironrack.cluster.plugins.module_utils._common.errors import conclude
from ansible_collections.ironrack.cluster.plugins.module_utils._opensearch import settings
from ansible_collections.ironrack.cluster.plugins.module_utils._opensearch.asking import PATIENCE, ask, bring, put
from ansible_collections.ironrack.cluster.plugins.module_utils._opensearch.client import ARGUMENT_SPEC

PATH = "/_cluster/settings"


def run(module):
    """:returns: the module's result."""
    wanted = settings.flat(module.params["settings"])
    client, answer = ask(module, lambda one: one.expect("GET", PATH, params=dict(PATIENCE, flat_settings=True), what="the question for its settings"))
    before, transient = (settings.flat((answer or {}).get(kind)) for kind in ("persistent", "transient"))
    changed = settings.changes(before, wanted)
    shadowed = settings.shadows(transient, wanted)
    for sentence in shadowed:
        module.warn(sentence)
    after = settings.after(before, changed)
    done = bring(module, before, after, lambda: put(client, "PUT", PATH, {"persistent": changed}, "the settings %s" % ", ".join(changed)),
                 "persistent settings")
    return dict(done, settings=after, changed_settings=changed, shadowed=shadowed)


def main():
    """Ansible's entry point."""
    module = AnsibleModule(argument_spec=dict(ARGUMENT_SPEC, settings={"type": "dict", "required": True}), supports_check_mode=True)
    conclude(module, lambda: run(module))


if __name__ == "__main__":
    main()
