#!/usr/bin/python
# Copyright (c) 2026, ironrack.cluster contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

DOCUMENTATION = r"""
---
module: opensearch_index_template
short_description: Have an index template of OpenSearch
version_added: "0.1.0"
description:
  - Has a composable index template as it is described here, and nothing more in it. Indices that are there already are not touched.
author:
  - ironrack.cluster contributors (@ironrack)
extends_documentation_fragment:
  - ironrack.cluster.opensearch_auth
  - ironrack.cluster.attributes.predicts
options:
  name:
    description: Name of the template.
    type: str
    required: true
  state:
    description: Whether it should be there.
    type: str
    choices: [present, absent]
    default: present
  index_patterns:
    description: Patterns of the names of indices that get it.
    type: list
    elements: str
  template:
    description: What such an index gets, C(settings), C(mappings) and C(aliases). Names of settings may lack C(index.) in front.
    type: dict
  priority:
    description: Of several templates that fit, the one with the highest number counts.
    type: int
  composed_of:
    description: Names of component templates, of which later ones win.
    type: list
    elements: str
  data_stream:
    description: Makes a data stream of each new name. May be empty.
    type: dict
  version:
    description: A number of your own.
    type: int
  meta:
    description: Whatever else you want to note of it.
    type: dict
attributes:
  diff_mode:
    description: Shows the template before and after, without defaults of the engine.
    support: full
"""

EXAMPLES = r"""
- name: New log indices survive the loss of a zone
  ironrack.cluster.opensearch_index_template:
    urls: [https://192.0.2.51:9200, https://192.0.2.52:9200]
    ca_file: /etc/ironrack/opensearch/ca.crt
    cert_file: /etc/ironrack/opensearch/admin.crt
    key_file: /etc/ironrack/opensearch/admin.key
    name: logs
    index_patterns: ["logs-*"]
    priority: 100
    template:
      settings:
        number_of_shards: 2
        number_of_replicas: 1
"""

RETURN = r"""
template:
  description: The template afterwards, or as it would be, without defaults of the engine and with its values as text; null where there is none.
  returned: success
  type: dict
  sample: {index_patterns: ["logs-*"], priority: "100", template: {settings: {index.number_of_shards: "2"}}}
"""

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.ironrack.cluster.plugins.module_utils._common.errors import conclude
from ansible_collections.ironrack.cluster.plugins.module_utils._opensearch.asking import ask, bring, delete, get, path_of, put
from ansible_collections.ironrack.cluster.plugins.module_utils._opensearch.client import ARGUMENT_SPEC
from ansible_collections.ironrack.cluster.plugins.module_utils._opensearch.documents import index_template

FIELDS = {"index_patterns": "index_patterns", "template": "template", "priority": "priority", "composed_of": "composed_of", "data_stream": "data_stream",
          "version": "version", "meta": "_meta"}


def run(module):
    """:returns: the module's result."""
    params = module.params
    path, what = path_of("/_index_template", params["name"]), "the index template %s" % params["name"]
    body = {field: params[name] for name, field in FIELDS.items() if params[name] is not None}
    after = index_template(body) if params["state"] == "present" else None
    client, answer = ask(module, lambda one: get(one, path, what))
    before = index_template(answer["index_templates"][0]["index_template"]) if answer and answer["index_templates"] else None

    def write():
        if after is None:
            delete(client, path, what)
        else:
            put(client, "PUT", path, body, what)

    return dict(bring(module, before, after, write, what), template=after)


def main():
    """Ansible's entry point."""
    module = AnsibleModule(
        argument_spec=dict(
            ARGUMENT_SPEC,
            name={"type": "str", "required": True},
            state={"type": "str", "choices": ["present", "absent"], "default": "present"},
            index_patterns={"type": "list", "elements": "str"},
            template={"type": "dict"},
            priority={"type": "int"},
            composed_of={"type": "list", "elements": "str"},
            data_stream={"type": "dict"},
            version={"type": "int"},
            meta={"type": "dict"}),
        required_if=[("state", "present", ("index_patterns",))],
        supports_check_mode=True)
    conclude(module, lambda: run(module))


if __name__ == "__main__":
    main()
