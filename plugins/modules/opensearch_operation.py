#!/usr/bin/python
# Copyright (c) 2026, ironrack.cluster contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

DOCUMENTATION = r"""
---
module: opensearch_operation
short_description: Say in an OpenSearch cluster that nodes are taken out of service one after the other
version_added: "0.1.0"
description:
  - Writes into the cluster's own state who does what, and until when at the latest. Backups by schedule begin nothing until then, and others who would
    take nodes out of service are refused.
  - It is to be said again before each node, and taken away behind the last one. Where whoever has said it is killed, it ends by itself.
  - The same person goes on with what a run of theirs has left.
author:
  - ironrack.cluster contributors (@ironrack)
extends_documentation_fragment:
  - ironrack.cluster.opensearch_auth
  - ironrack.cluster.attributes.predicts
options:
  operation:
    description: What is done, in a word, such as V(restart).
    type: str
    required: true
  who:
    description: Who does it.
    type: str
    required: true
  state:
    description: V(absent) when it is over. What somebody else has said stays.
    type: str
    choices: [present, absent]
    default: present
  seconds:
    description: Seconds that the next part of it may take. Behind them others may think that nobody is at work any more.
    type: int
    default: 1800
  take_over:
    description: Whether to do it although somebody else has said that they are at work.
    type: bool
    default: false
attributes:
  diff_mode:
    description: Shows what is said before and after.
    support: full
notes:
  - It is the persistent setting C(cluster.metadata.ironrack_operation), of a kind that the engine leaves to its users.
"""

EXAMPLES = r"""
- name: Nobody else takes a node out of service, and no scheduled snapshot begins
  ironrack.cluster.opensearch_operation:
    urls: [https://192.0.2.51:9200, https://192.0.2.52:9200]
    ca_file: /etc/ironrack/opensearch/ca.crt
    cert_file: /etc/ironrack/opensearch/admin.crt
    key_file: /etc/ironrack/opensearch/admin.key
    operation: restart
    who: ann
    seconds: 1200
"""

RETURN = r"""
until:
  description: Until when it is held, in UTC; null where nothing is.
  returned: success
  type: str
  sample: "2026-11-21T12:20:00.000Z"
"""

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.ironrack.cluster.plugins.module_utils._common.errors import IronrackError, conclude
from ansible_collections.ironrack.cluster.plugins.module_utils._opensearch import moments, operating
from ansible_collections.ironrack.cluster.plugins.module_utils._opensearch.asking import ask, bring, put
from ansible_collections.ironrack.cluster.plugins.module_utils._opensearch.client import ARGUMENT_SPEC, OpenSearchClient


def run(module, connect=OpenSearchClient, now=moments.now):
    """:returns: the module's result. :raises IronrackError: where somebody else is at work."""
    params, moment = module.params, now()
    client, found = ask(module, lambda one: [operating.value(one)], connect)
    before = (found or [None])[0]
    hold = operating.parse(before)
    if params["state"] == "present":
        after = operating.wanted(hold, params["operation"], params["who"], moment, params["seconds"], params["take_over"])
    elif operating.held_by_another(hold, params["who"], moment):
        after = hold
    else:
        after = None
    said = None if after is None else before if after is hold else operating.text(after)

    def write():
        put(client, "PUT", operating.PATH, {"persistent": {operating.SETTING: said}}, "who is at work on the cluster")
        # Of two who write at once the later one has it, and the other one sees that here.
        if operating.value(client) != said:
            raise IronrackError("somebody else has begun with this cluster at the same moment: see who, and run this again behind them")

    done = bring(module, before, said, write, "who is at work on the cluster")
    return dict(done, until=after and moments.text(after.until))


def main():
    """Ansible's entry point."""
    module = AnsibleModule(
        argument_spec=dict(
            ARGUMENT_SPEC,
            operation={"type": "str", "required": True},
            who={"type": "str", "required": True},
            state={"type": "str", "choices": ["present", "absent"], "default": "present"},
            seconds={"type": "int", "default": 1800},
            take_over={"type": "bool", "default": False}),
        supports_check_mode=True)
    conclude(module, lambda: run(module))


if __name__ == "__main__":
    main()
