#!/usr/bin/python
# Copyright (c) 2026, ironrack.cluster contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

DOCUMENTATION = r"""
---
module: opensearch_info
short_description: Say what an OpenSearch cluster consists of and how it is
version_added: "0.1.0"
description:
  - Reads nodes with their versions, roles, zones, heap and plugins, the elected cluster manager, health, settings and indices; and, where they are asked for,
    what the other modules of this collection have there, in the form in which they compare it.
author:
  - ironrack.cluster contributors (@ironrack)
extends_documentation_fragment:
  - ironrack.cluster.opensearch_auth
options:
  gather:
    description:
      - What to read. What is left out is not asked for, and null in the result.
      - V(users), V(roles) and V(role_mappings) need a right to the security API; V(ism_policies) and V(sm_policies) the plugin
        C(opensearch-index-management).
    type: list
    elements: str
    choices: [nodes, health, settings, indices, index_templates, aliases, repositories, users, roles, role_mappings, ism_policies, sm_policies]
    default: [nodes, health, settings, indices]
attributes:
  check_mode:
    description: Only reads.
    support: full
  diff_mode:
    description: Changes nothing.
    support: none
"""

EXAMPLES = r"""
- name: Who is there, and which one is elected
  ironrack.cluster.opensearch_info:
    urls: [https://192.0.2.51:9200, https://192.0.2.52:9200]
    ca_file: /etc/ironrack/opensearch/ca.crt
    cert_file: /etc/ironrack/opensearch/admin.crt
    key_file: /etc/ironrack/opensearch/admin.key
    gather: [nodes, health]
  register: opensearch_now

- name: Where aliases point, and who may write
  ironrack.cluster.opensearch_info:
    urls: [https://192.0.2.51:9200, https://192.0.2.52:9200]
    ca_file: /etc/ironrack/opensearch/ca.crt
    cert_file: /etc/ironrack/opensearch/admin.crt
    key_file: /etc/ironrack/opensearch/admin.key
    gather: [aliases, roles, role_mappings]
"""

RETURN = r"""
elected_manager:
  description: Name of the node that is the elected cluster manager; null where there is none, or RV(nodes) was not asked for.
  returned: success
  type: str
  sample: os1
nodes:
  description: Each node that is in the cluster, in the order of their names. What a node does not tell is null.
  returned: success
  type: list
  elements: dict
  contains:
    name:
      description: Its name.
      type: str
    id:
      description: The id that the engine gave it.
      type: str
    address:
      description: Its IP address.
      type: str
    version:
      description: Version of the engine.
      type: str
    roles:
      description: Its roles.
      type: list
      elements: str
    zone:
      description: Its attribute C(zone).
      type: str
    is_elected:
      description: Whether it is the elected cluster manager.
      type: bool
    java_version:
      description: Version of its Java.
      type: str
    heap_max_bytes:
      description: The most that its heap may take.
      type: int
    compressed_pointers:
      description: Whether the heap is small enough for compressed pointers.
      type: bool
    memory_bytes:
      description: Memory of its host.
      type: int
    memory_locked:
      description: Whether its memory cannot be swapped out.
      type: bool
    disk_bytes:
      description: Size of the file systems that hold its data.
      type: int
    disk_free_bytes:
      description: What is free there for it.
      type: int
    plugins:
      description: Its plugins, each with C(name) and C(version).
      type: list
      elements: dict
  sample: [{name: os1, version: 3.4.0, roles: [cluster_manager, data, ingest], zone: a, is_elected: true}]
health:
  description: The answer of C(_cluster/health).
  returned: success
  type: dict
  sample: {status: green, number_of_nodes: 3, relocating_shards: 0, initializing_shards: 0, unassigned_shards: 0}
settings:
  description: Settings that are set, by names with dots, as C(persistent) and C(transient).
  returned: success
  type: dict
  sample: {persistent: {cluster.routing.allocation.enable: all}, transient: {}}
indices:
  description: Each index, hidden and closed ones too, in the order of their names. What the engine does not tell is null.
  returned: success
  type: list
  elements: dict
  contains:
    name:
      description: Its name.
      type: str
    uuid:
      description: The id that the engine gave it.
      type: str
    status:
      description: V(open) or V(close).
      type: str
    health:
      description: V(green), V(yellow) or V(red).
      type: str
    primaries:
      description: How many shards it has, without copies.
      type: int
    replicas:
      description: How many more copies each has.
      type: int
    auto_expand_replicas:
      description: The range in which replicas follow the number of nodes; null or V(false) where they do not.
      type: str
    documents:
      description: How many documents it holds.
      type: int
    bytes:
      description: What it takes on disk with all copies.
      type: int
    created_by_version:
      description: The engine's version that made it.
      type: str
  sample: [{name: logs-000001, status: open, health: green, primaries: 2, replicas: 1, documents: 50000, created_by_version: 2.19.4}]
index_templates:
  description: Name to template, as M(ironrack.cluster.opensearch_index_template) returns it.
  returned: success
  type: dict
  sample: {logs: {index_patterns: ["logs-*"], template: {settings: {index.number_of_replicas: "1"}}}}
aliases:
  description: Name to the indices that it points to, each with C(is_write_index), C(filter), C(index_routing) and C(search_routing) where it has them.
  returned: success
  type: dict
  sample: {logs: {logs-000001: {is_write_index: false}, logs-000002: {is_write_index: true}}}
repositories:
  description: Name to C(type) and C(settings) of a snapshot repository.
  returned: success
  type: dict
  sample: {ironrack: {type: s3, settings: {bucket: opensearch, base_path: cluster1}}}
users:
  description: Name to internal user, as M(ironrack.cluster.opensearch_security_user) returns it. No password, nor what is made of one.
  returned: success
  type: dict
  sample: {shipper: {backend_roles: [log_writers]}}
roles:
  description: Name to role, as M(ironrack.cluster.opensearch_security_role) returns it.
  returned: success
  type: dict
  sample: {log_writer: {cluster_permissions: [cluster_composite_ops]}}
role_mappings:
  description: Role to who has it, as M(ironrack.cluster.opensearch_security_role_mapping) returns it.
  returned: success
  type: dict
  sample: {log_writer: {backend_roles: [log_writers]}}
ism_policies:
  description: Name to ISM policy, as M(ironrack.cluster.opensearch_ism_policy) returns it.
  returned: success
  type: dict
  sample: {}
sm_policies:
  description: Name to snapshot policy, as M(ironrack.cluster.opensearch_sm_policy) returns it.
  returned: success
  type: dict
  sample: {}
"""

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.ironrack.cluster.plugins.module_utils._common.errors import conclude
from ansible_collections.ironrack.cluster.plugins.module_utils._opensearch import listing
from ansible_collections.ironrack.cluster.plugins.module_utils._opensearch.asking import read_health
from ansible_collections.ironrack.cluster.plugins.module_utils._opensearch.client import ARGUMENT_SPEC, OpenSearchClient
from ansible_collections.ironrack.cluster.plugins.module_utils._opensearch.reading import read_indices, read_nodes, read_settings

PARTS = ["nodes", "health", "settings", "indices"]


def run(module):
    """:returns: the module's result."""
    client, gather = OpenSearchClient(module.params), module.params["gather"]
    found, elected = read_nodes(client) if "nodes" in gather else (None, None)
    return dict(changed=False, nodes=found, elected_manager=elected, health=read_health(client) if "health" in gather else None,
                settings=read_settings(client) if "settings" in gather else None, indices=read_indices(client) if "indices" in gather else None,
                **{kind: listing.read(client, kind) if kind in gather else None for kind in listing.KINDS})


def main():
    """Ansible's entry point."""
    module = AnsibleModule(
        argument_spec=dict(
            ARGUMENT_SPEC, gather={"type": "list", "elements": "str", "choices": PARTS + list(listing.KINDS), "default": PARTS}),
        supports_check_mode=True)
    conclude(module, lambda: run(module))


if __name__ == "__main__":
    main()
