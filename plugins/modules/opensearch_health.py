#!/usr/bin/python
# Copyright (c) 2026, ironrack.cluster contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

DOCUMENTATION = r"""
---
module: opensearch_health
short_description: Wait until an OpenSearch cluster is settled
version_added: "0.1.0"
description:
  - A cluster is settled when enough nodes are in it, its status is good enough, and no shard is relocating or initializing.
  - Where a node is to be stopped, O(stopping) asks further that no shard's only copy is on it and that no snapshot is running.
  - Where that does not come true in time the task fails, and says of the shards that are not assigned why they are not, in the words of the engine's own
    deciders made plain.
author:
  - ironrack.cluster contributors (@ironrack)
extends_documentation_fragment:
  - ironrack.cluster.opensearch_auth
options:
  nodes:
    description: How many nodes have to be in the cluster, at least.
    type: int
    required: true
  status:
    description: The status that it has to have, or a better one. A cluster that is V(yellow) has shards with fewer copies than asked for.
    type: str
    choices: [green, yellow]
    default: green
  stopping:
    description:
      - Name of the node that is to be stopped next. The cluster can spare it where each shard has another copy that serves, and no snapshot is running.
      - A cluster whose only data node it is can never spare it; then nothing is asked of the copies.
    type: str
  left:
    description: Name of a node that is no longer to be in the cluster.
    type: str
  mixed_versions:
    description:
      - Whether an upgrade is under way. A copy that has no place only because the nodes which could take it run an older version than that of its primary
        is not waited for then, since what ends that is the upgrade. Such copies are told in RV(waiting_for_version).
    type: bool
    default: false
  wait:
    description: Seconds to wait. With V(0) it is asked once.
    type: int
    default: 300
attributes:
  check_mode:
    description: Asks once, and does not fail where the cluster is not settled or not there, since what this run would bring about is not there either.
    support: full
  diff_mode:
    description: Changes nothing.
    support: none
"""

EXAMPLES = r"""
- name: All nodes are back, and each shard has its copies
  ironrack.cluster.opensearch_health:
    urls: [https://192.0.2.51:9200, https://192.0.2.52:9200]
    ca_file: /etc/ironrack/opensearch/ca.crt
    cert_file: /etc/ironrack/opensearch/admin.crt
    key_file: /etc/ironrack/opensearch/admin.key
    nodes: 3
    wait: 600
"""

RETURN = r"""
settled:
  description: Whether all of it holds. V(false) only in a check run.
  returned: success
  type: bool
health:
  description: The answer of C(_cluster/health); null in a check run where no node answers.
  returned: success
  type: dict
  sample: {status: green, number_of_nodes: 3, relocating_shards: 0, initializing_shards: 0, unassigned_shards: 0}
lacking:
  description: A sentence for each condition that does not hold.
  returned: always
  type: list
  elements: str
  sample: ["nodes: 2 of at least 3"]
waiting_for_version:
  description: Copies that get their place when more nodes are upgraded.
  returned: success
  type: list
  elements: str
  sample: ["replica 0 of logs-000001"]
unassigned:
  description: Why shards are not assigned, one sentence each, for the first few.
  returned: failure
  type: list
  elements: str
  sample: ["replica 0 of logs-000001: unassigned since NODE_LEFT; os1: it holds a copy already"]
"""

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.ironrack.cluster.plugins.module_utils._common.errors import IronrackError, conclude
from ansible_collections.ironrack.cluster.plugins.module_utils._common.waiting import WaitTimeout, wait_for
from ansible_collections.ironrack.cluster.plugins.module_utils._opensearch.allocation import name_of, only_on, unassigned, waits_for_version
from ansible_collections.ironrack.cluster.plugins.module_utils._opensearch.asking import (
    ask, explain, explanation, read_health, read_shards, tolerant)
from ansible_collections.ironrack.cluster.plugins.module_utils._opensearch.backup_api import BackupApi
from ansible_collections.ironrack.cluster.plugins.module_utils._opensearch.client import ARGUMENT_SPEC, OpenSearchClient
from ansible_collections.ironrack.cluster.plugins.module_utils._opensearch.health import lacking, shown

INTERVAL = 1
#: Shards without which a node cannot be spared that are told by name.
SHOWN = 5


def reasons(client):
    """:returns: why shards are not assigned; what cannot be asked any more is told as such."""
    try:
        return explain(client, unassigned(read_shards(client)))
    except IronrackError as error:
        return ["which shards are not assigned cannot be said: %s" % error]


def waiting_for_version(client, shards):
    """:returns: the shards on no node, where each of them waits for nodes to be upgraded; None where some wait for something else."""
    left = unassigned(shards)
    told = [explanation(client, shard) for shard in left]
    return left if all(answer and waits_for_version(answer) for answer in told) else None


def in_the_way(client, node, health):
    """:returns: a sentence for each reason not to stop a node."""
    told = ["snapshot %s is running" % name for name in BackupApi(client).running()]
    if health.get("number_of_data_nodes", 0) > 1:
        alone = only_on(read_shards(client), node)
        told += ["only %s has %s" % (node, name_of(shard)) for shard in alone[:SHOWN]]
        told += ["and %d more shards" % (len(alone) - SHOWN)] if len(alone) > SHOWN else []
    return told


def look(client, params, last):
    """Ask once. :returns: as wait_for wants it; what was seen is in ``last``."""
    last.update(lacking=["no node answers"], waiting_for_version=[])
    health = last["health"] = read_health(client)
    lacks = lacking(health, params["nodes"], params["status"])
    if lacks and params["mixed_versions"] and not lacking(health, params["nodes"], "yellow"):
        waiting = waiting_for_version(client, read_shards(client))
        if waiting is not None:
            lacks, last["waiting_for_version"] = [], [name_of(shard) for shard in waiting]
    if not lacks and params["stopping"]:
        lacks = in_the_way(client, params["stopping"], health)
    if params["left"] and params["left"] in {node["name"] for node in BackupApi(client).nodes().values()}:
        lacks = lacks + ["%s is still in the cluster: stop opensearch.service on its host" % params["left"]]
    last["lacking"] = lacks
    return not lacks, "%s (%s)" % ("; ".join(lacks), shown(health))


def run(module, connect=OpenSearchClient, interval=INTERVAL):
    """:returns: the module's result. :raises WaitTimeout: where the cluster is not settled in time, with all that it lacks."""
    params, last = module.params, {"health": None, "lacking": ["no node answers"], "waiting_for_version": []}
    if module.check_mode:
        ask(module, lambda client: look(client, params, last), connect)
        return dict(last, changed=False, settled=not last["lacking"])
    client = connect(params)
    try:
        wait_for(tolerant(lambda: look(client, params, last)), "OpenSearch to be settled", params["wait"], interval=interval)
    except WaitTimeout as late:
        told = reasons(client)
        raise WaitTimeout("%s%s" % (late, "".join("\n- " + sentence for sentence in told)), unassigned=told, lacking=last["lacking"], **late.details)
    return dict(last, changed=False, settled=True)


def main():
    """Ansible's entry point."""
    module = AnsibleModule(
        argument_spec=dict(
            ARGUMENT_SPEC,
            nodes={"type": "int", "required": True},
            status={"type": "str", "choices": ["green", "yellow"], "default": "green"},
            stopping={"type": "str"},
            left={"type": "str"},
            mixed_versions={"type": "bool", "default": False},
            wait={"type": "int", "default": 300}),
        supports_check_mode=True)
    conclude(module, lambda: run(module))


if __name__ == "__main__":
    main()
