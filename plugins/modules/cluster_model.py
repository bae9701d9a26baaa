#!/usr/bin/python
# Copyright (c) 2026, ironrack.cluster contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

DOCUMENTATION = r"""
module: cluster_model
short_description: Derive everything that roles need from the whole inventory, once
version_added: "0.1.0"
author:
  - ironrack.cluster contributors (@ironrack)
description:
  - Reads the inventory on the controller and derives one model of the cluster from it, namely its hosts, groups, endpoint, etcd members,
    networks, certificates and release. Roles read that model and look at no other host's variables.
  - Opens no connection, so that it works while any host is away.
  - Refuses an inventory that cannot become a cluster, with all the reasons at once, before anything is changed.
  - Holds no secret.
  - The groups it knows are C(load_balancers), C(etcd), C(control_plane), C(workers), C(gpu_workers), C(mirror), C(monitoring),
    C(object_store), C(opensearch_managers), C(opensearch_data), C(opensearch_ingest) and C(opensearch_dashboards). Hosts in none of them are
    left alone, with a warning.
  - The variables that it reads start with C(cluster_), beside the host variables C(zone) and C(ansible_host).
options: {}
attributes:
  check_mode:
    description: Can run in check mode and return the same as without it.
    support: full
  diff_mode:
    description: Has nothing to show a difference of.
    support: none
notes:
  - This is an action that runs on the controller. Run it once and register it as C(cluster); its cost grows with the number of hosts.
  - Roles read that, and their host's own part of RV(hosts) as C(this_host).
"""

EXAMPLES = r"""
- name: Read the inventory
  hosts: all
  gather_facts: false
  tasks:
    - name: The model of the cluster is known
      ironrack.cluster.cluster_model:
      run_once: true
      register: cluster

    - name: Each host has its own part of the model
      ansible.builtin.set_fact:
        this_host: "{{ cluster.hosts[inventory_hostname] | default({}) }}"

    - name: Show where the API is
      ansible.builtin.debug:
        msg: "{{ cluster.endpoint.url }}"
"""

RETURN = r"""
hosts:
  description:
    - Inventory name of each host of the cluster, with its C(name), C(address), C(zone), C(node_name), C(groups), C(interface), C(labels),
      C(taints), C(pki_files), and the booleans C(is_etcd), C(is_control_plane), C(is_worker), C(is_node), C(is_load_balancer), C(is_mirror),
      C(is_opensearch), C(is_object_store) and C(is_opensearch_dashboards).
  returned: success
  type: dict
groups:
  description: The groups of the cluster with the names of their hosts, and C(nodes), which is control planes and workers together.
  returned: success
  type: dict
  sample: {etcd: [cp1, cp2, cp3], control_plane: [cp1, cp2, cp3], workers: [gpu1], nodes: [cp1, cp2, cp3, gpu1]}
endpoint:
  description: Where clients reach the API.
  returned: success
  type: dict
  sample: {host: 192.0.2.10, port: 6443, address: "192.0.2.10:6443", url: "https://192.0.2.10:6443", kind: vip, vip: 192.0.2.10, vip_prefix: 24}
etcd:
  description: Members, their URLs, the initial cluster, and which of the URLs an API server uses.
  returned: success
  type: dict
network:
  description: Pod and Service network, the addresses of DNS and API in it, MTU, interface and address family.
  returned: success
  type: dict
mirror:
  description: Where the mirror serves files, packages and images; C(enabled) is false where the cluster does not use one.
  returned: success
  type: dict
kubernetes:
  description: Whether the inventory asks for Kubernetes. One whose hosts are OpenSearch's, the object store's, the mirror's and the monitoring's does not.
  returned: success
  type: bool
opensearch:
  description:
    - Name, version, C(nodes) with their C(roles) and zones, C(managers), C(data), C(ingest), C(zones) of the data, ports, C(urls), whether copies are C(spread)
      over zones and C(replicas_survive_zone), and the paths of what an administrator comes with on the client host. C(enabled) is false where there is none.
    - C(dashboards) has the C(nodes) of OpenSearch Dashboards, C(version), C(port), the C(urls) that users go to, and C(components).
  returned: success
  type: dict
object_store:
  description: Where the inventory's own object store answers; C(enabled) is false where there is none.
  returned: success
  type: dict
pki:
  description: The host of the certificate store, and all authorities, key pairs and certificates of the cluster, without any key.
  returned: success
  type: dict
release:
  description: The content of the release file.
  returned: success
  type: dict
promises:
  description: What a cluster of this shape survives, C(kept), and what it does not, C(not_kept), in plain sentences.
  returned: success
  type: dict
  sample: {kept: ["The Kubernetes API goes on while any one of cp1, cp2, cp3 is away."], not_kept: []}
left_out:
  description:
    - What a bare host of a limited run needs from hosts that the limit leaves out. Each has C(name) (V(etcd), V(api) or V(mirror)),
      C(hosts), C(servers), any one of which will do, and C(parts), the groups of the hosts that need it.
  returned: success
  type: list
  elements: dict
  sample: [{name: api, hosts: [cp1], servers: ["192.0.2.10:6443", "192.0.2.21:6443"], parts: [workers]}]
limited:
  description: Whether this run is limited to a part of the cluster.
  returned: success
  type: bool
"""
