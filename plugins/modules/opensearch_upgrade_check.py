#!/usr/bin/python
# Copyright (c) 2026, ironrack.cluster contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

DOCUMENTATION = r"""
---
module: opensearch_upgrade_check
short_description: Say whether an OpenSearch cluster can be upgraded, and in which order
version_added: "0.1.0"
description:
  - Refuses, with all reasons at once, what the engine does not do or what would lose something. That is a version that is older than a node's, a step between
    versions that the engine does not allow, indices that the new version does not open, indices without a replica, nodes or plugins that are not the
    same ones everywhere, nodes that are missing, a cluster that is not well, and a cluster without a proved snapshot that is new enough and has
    all indices and data streams that were there when it was taken.
  - Where some node runs the version already, an upgrade is under way. Then it is not asked again for the snapshot and for the status, since there is
    no way back.
author:
  - ironrack.cluster contributors (@ironrack)
extends_documentation_fragment:
  - ironrack.cluster.opensearch_auth
  - ironrack.cluster.opensearch_backup
options:
  version:
    description: The version that all nodes are to run.
    type: str
    required: true
  nodes:
    description: Names of the nodes that the cluster has to have, and no others.
    type: list
    elements: str
    required: true
  snapshot_max_age:
    description: Seconds that the last snapshot that a scratch restore has proved may be old. With V(0) none is asked for.
    type: int
    default: 86400
  status:
    description: The least that the cluster has to be.
    type: str
    choices: [green, yellow]
    default: green
  wait:
    description: Seconds that nodes which are not in the cluster may take to be. One that was restarted when an earlier run was killed is on its way.
    type: int
    default: 300
attributes:
  check_mode:
    description: Only reads. Before there is a cluster it says that there is nothing to upgrade.
    support: full
  diff_mode:
    description: Changes nothing.
    support: none
"""

EXAMPLES = r"""
- name: The cluster can be upgraded
  ironrack.cluster.opensearch_upgrade_check:
    urls: [https://192.0.2.51:9200, https://192.0.2.52:9200]
    ca_file: /etc/ironrack/opensearch/ca.crt
    cert_file: /etc/ironrack/opensearch/admin.crt
    key_file: /etc/ironrack/opensearch/admin.key
    version: 3.4.0
    nodes: [os1, os2, os3]
    repository: backups
  register: upgrade
"""

RETURN = r"""
turns:
  description: Names of the nodes that do not run the version yet, in the order in which they are to be upgraded.
  returned: success
  type: list
  elements: str
  sample: [os1, os3, os2]
under_way:
  description: Whether some node runs the version already, and another one does not.
  returned: success
  type: bool
versions:
  description: The version of each node.
  returned: success
  type: dict
  sample: {os1: 2.19.4, os2: 2.19.4, os3: 2.19.4}
status:
  description: The cluster's status; null where there is none.
  returned: success
  type: str
  sample: green
unassigned:
  description: Why shards are not assigned, one sentence each, for the first few.
  returned: success
  type: list
  elements: str
problems:
  description: Each reason against the upgrade, with C(where), C(what), C(expected) and C(mend).
  returned: failure
  type: list
  elements: dict
"""

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.ironrack.cluster.plugins.module_utils._common.errors import conclude
from ansible_collections.ironrack.cluster.plugins.module_utils._common.refusal import refuse
from ansible_collections.ironrack.cluster.plugins.module_utils._common.waiting import WaitTimeout, wait_for
from ansible_collections.ironrack.cluster.plugins.module_utils._opensearch import moments, proving, retention, snapshots, upgrading
from ansible_collections.ironrack.cluster.plugins.module_utils._opensearch.allocation import unassigned
from ansible_collections.ironrack.cluster.plugins.module_utils._opensearch.asking import ask, explain, read_health, read_shards, tolerant
from ansible_collections.ironrack.cluster.plugins.module_utils._opensearch.backup_api import BackupApi
from ansible_collections.ironrack.cluster.plugins.module_utils._opensearch.client import ARGUMENT_SPEC, OpenSearchClient
from ansible_collections.ironrack.cluster.plugins.module_utils._opensearch.reading import read_indices, read_nodes
from ansible_collections.ironrack.cluster.plugins.module_utils._opensearch.records import Records

INTERVAL = 1


def kept(api):
    """:returns: name -> when it was made, or None, of the indices and data streams that a backup has by default."""
    names, streams = api.names()
    rows = api.client.expect("GET", "/_cat/indices", params={"format": "json", "h": "index,creation.date", "expand_wildcards": "all"},
                             what="the question when its indices were made")
    made = {row["index"]: moments.of_millis(int(row["creation.date"])) for row in rows if row.get("creation.date")}
    found = {name: made.get(name) for name in proving.backed_up(names, streams)}
    for index, stream in streams.items():
        moment = made.get(index)
        found[stream] = min(found.get(stream) or moment, moment) if moment else found.get(stream)
    return found


def proved(api, repository, now):
    """:returns: the snapshot of a repository that one could go back to, as :func:`upgrading.way_back` gives it, or None."""
    listed = (api.snapshots(repository) or []) if api.repository(repository) is not None else []
    if not listed:
        return None
    uuids = retention.proved(Records(api).proofs(repository))
    return upgrading.way_back([(one, max(0.0, moments.seconds_between(one.started, now))) for one in listed
                               if one.uuid in uuids and one.started and not snapshots.shortcomings(one)], kept(api))


def gather(client, names, wait, interval):
    """:returns: the nodes, once all that have to be there are, or as many as there are after ``wait`` seconds."""
    last = {"nodes": []}

    def look():
        last["nodes"], _elected = read_nodes(client)
        missing = set(names) - {one["name"] for one in last["nodes"]}
        return not missing, "not in the cluster: %s" % ", ".join(sorted(missing))

    try:
        wait_for(tolerant(look), "the nodes", wait, interval=interval)
    except WaitTimeout:
        if not last["nodes"]:
            raise
    return last["nodes"]


def run(module, connect=OpenSearchClient, now=moments.now, interval=INTERVAL):
    """:returns: the module's result. :raises Refused: where something speaks against the upgrade."""
    params = module.params
    client, _health = ask(module, read_health, connect)
    if client is None:
        return {"changed": False, "turns": [], "under_way": False, "versions": {}, "status": None, "unassigned": []}
    nodes = gather(client, params["nodes"], 0 if module.check_mode else params["wait"], interval)
    left = upgrading.turns(nodes, params["version"])
    shards, status = read_shards(client), read_health(client).get("status")
    begins = len(left) == len(nodes) and params["snapshot_max_age"] > 0
    there = upgrading.There(nodes, read_indices(client), status, proved(BackupApi(client), params["repository"], now()) if begins else None)
    refuse(upgrading.problems_of(upgrading.Wish(params["version"], params["nodes"], params["snapshot_max_age"], params["status"]), there))
    return {"changed": False, "turns": left, "under_way": 0 < len(left) < len(nodes), "versions": {one["name"]: one["version"] for one in nodes},
            "status": status, "unassigned": explain(client, unassigned(shards))}


def main():
    """Ansible's entry point."""
    module = AnsibleModule(
        argument_spec=dict(
            ARGUMENT_SPEC,
            repository={"type": "str", "required": True},
            version={"type": "str", "required": True},
            nodes={"type": "list", "elements": "str", "required": True},
            snapshot_max_age={"type": "int", "default": 86400},
            status={"type": "str", "choices": ["green", "yellow"], "default": "green"},
            wait={"type": "int", "default": 300}),
        supports_check_mode=True)
    conclude(module, lambda: run(module))


if __name__ == "__main__":
    main()
