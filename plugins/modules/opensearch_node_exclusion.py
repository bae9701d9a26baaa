#!/usr/bin/python
# Copyright (c) 2026, ironrack.cluster contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

DOCUMENTATION = r"""
---
module: opensearch_node_exclusion
short_description: Drain nodes of OpenSearch, or let them take shards again
version_added: "0.1.0"
description:
  - Puts nodes into the persistent setting C(cluster.routing.allocation.exclude._name), or takes them out. Names that others have put there stay.
  - With O(wait) it then waits until none of them holds a shard and no primary is unassigned. Where that does not come true in time the task fails, and says
    which shards cannot move and why. The exclusion stays, and a re-run goes on waiting.
  - Refuses to exclude a name that no node of the cluster has, since nothing would move and an empty node would be reported; and to exclude
    the last node that holds data.
author:
  - ironrack.cluster contributors (@ironrack)
extends_documentation_fragment:
  - ironrack.cluster.opensearch_auth
  - ironrack.cluster.attributes.predicts
options:
  nodes:
    description: Names of the nodes.
    type: list
    elements: str
    required: true
  state:
    description: Whether they are excluded.
    type: str
    choices: [present, absent]
    default: present
  wait:
    description: Seconds to wait until they are empty. With V(0) it does not wait. Only with O(state=present), and not in check mode.
    type: int
    default: 0
attributes:
  diff_mode:
    description: Shows the names that are excluded before and after.
    support: full
"""

EXAMPLES = r"""
- name: Node os4 has no shard any more
  ironrack.cluster.opensearch_node_exclusion:
    urls: [https://192.0.2.51:9200, https://192.0.2.52:9200]
    ca_file: /etc/ironrack/opensearch/ca.crt
    cert_file: /etc/ironrack/opensearch/admin.crt
    key_file: /etc/ironrack/opensearch/admin.key
    nodes: [os4]
    wait: 3600

- name: Node os4 takes shards again
  ironrack.cluster.opensearch_node_exclusion:
    urls: [https://192.0.2.51:9200, https://192.0.2.52:9200]
    ca_file: /etc/ironrack/opensearch/ca.crt
    cert_file: /etc/ironrack/opensearch/admin.crt
    key_file: /etc/ironrack/opensearch/admin.key
    nodes: [os4]
    state: absent
"""

RETURN = r"""
excluded:
  description: All names that are excluded afterwards, or would be.
  returned: success
  type: list
  elements: str
  sample: [os4]
shards:
  description: How many shards each of O(nodes) holds now. Empty in a check run without a cluster.
  returned: success
  type: dict
  sample: {os4: 0}
stuck:
  description: Why shards that are left cannot move, one sentence each, for the first few of each node.
  returned: when the wait was too short
  type: list
  elements: str
  sample: ["os4: primary 0 of logs-000001: os1: too little disk space is left (absolute watermarks count what is free, percentages the whole disk)"]
"""

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.ironrack.cluster.plugins.module_utils._common.errors import IronrackError, conclude
from ansible_collections.ironrack.cluster.plugins.module_utils._common.waiting import WaitTimeout, wait_for
from ansible_collections.ironrack.cluster.plugins.module_utils._opensearch import allocation, exclusion, settings
from ansible_collections.ironrack.cluster.plugins.module_utils._opensearch.asking import ask, bring, explain, put, read_shards, tolerant
from ansible_collections.ironrack.cluster.plugins.module_utils._opensearch.client import ARGUMENT_SPEC

PATH = "/_cluster/settings"
INTERVAL = 2


def situation(client):
    """:returns: (persistent settings, transient settings, name -> roles of each node)."""
    answer = client.expect("GET", PATH, params={"flat_settings": True}, what="the question for its settings")
    found = client.expect("GET", "/_nodes", params={"filter_path": "nodes.*.name,nodes.*.roles"}, what="the question for its nodes")
    return (settings.flat(answer.get("persistent")), settings.flat(answer.get("transient")),
            {node["name"]: node.get("roles") or [] for node in found["nodes"].values()})


def stuck(client, names):
    """:returns: why shards cannot leave, or are on no node; what cannot be asked any more is told as such."""
    try:
        shards = read_shards(client)
        told = ["%s: %s" % (name, sentence) for name, left in allocation.left_on(shards, names).items() for sentence in explain(client, left, name)]
        return told + explain(client, exclusion.lost(shards))
    except IronrackError as error:
        return ["which shards are left cannot be said: %s" % error]


def wait_until_empty(client, names, limit, interval):
    """:raises WaitTimeout: where a shard is left, with the reasons."""
    def look():
        shards = read_shards(client)
        return exclusion.is_empty(shards, names), exclusion.shown(shards, names)

    try:
        wait_for(tolerant(look), "%s to hold no shard" % ", ".join(names), limit, interval=interval)
    except WaitTimeout as late:
        told = stuck(client, names)
        raise WaitTimeout("%s%s\nThe exclusion stays: a re-run goes on waiting, and state=absent ends it" % (
            late, "".join("\n- " + sentence for sentence in told)), stuck=told, **late.details)


def run(module, interval=INTERVAL):
    """:returns: the module's result."""
    params, names = module.params, module.params["nodes"]
    present = params["state"] == "present"
    client, answer = ask(module, situation)
    persistent, transient, roles = answer or ({}, {}, None)
    before = exclusion.names_in(persistent)
    after = exclusion.wanted(before, names, present)
    if present and roles is not None:
        exclusion.refuse(before, names, after, roles)
    value = ",".join(after) or None
    for sentence in settings.shadows(transient, {exclusion.SETTING: value}):
        module.warn(sentence)
    done = bring(module, before, after, lambda: put(client, "PUT", PATH, {"persistent": {exclusion.SETTING: value}}, "the exclusion of nodes"),
                 exclusion.SETTING)
    if present and params["wait"] and not module.check_mode:
        wait_until_empty(client, names, params["wait"], interval)
    held = {name: len(left) for name, left in allocation.left_on(read_shards(client), names).items()} if client else {}
    return dict(done, excluded=after, shards=held)


def main():
    """Ansible's entry point."""
    module = AnsibleModule(
        argument_spec=dict(
            ARGUMENT_SPEC,
            nodes={"type": "list", "elements": "str", "required": True},
            state={"type": "str", "choices": ["present", "absent"], "default": "present"},
            wait={"type": "int", "default": 0}),
        supports_check_mode=True)
    conclude(module, lambda: run(module))


if __name__ == "__main__":
    main()
