#!/usr/bin/python
# Copyright (c) 2026, ironrack.cluster contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

DOCUMENTATION = r"""
---
module: cluster_health_info
short_description: Judge the health of a cluster by an ordered list of named conditions
version_added: "0.1.0"
description:
  - Looks at a cluster from outside, as its clients do, and judges a list of small conditions in a fixed order, from the load balancers
    over the control plane and etcd to the nodes and what runs on them. The first red one is the one to mend first.
  - A condition passes, fails, or is inconclusive because what it looks at could not be read. Inconclusive is not a pass, and zero nodes,
    pods or replicas never pass.
  - With O(wait) it asks again until every condition is green. Each condition is printed at the moment it turns green; a time-out is a failure
    that names every condition that is not green and what was seen last.
  - It runs where the API is reached (usually O(ignore:delegate_to) the model's C(client_host)), and changes nothing.
author:
  - ironrack.cluster contributors (@ironrack)
extends_documentation_fragment:
  - ironrack.cluster.kube_auth
  - ironrack.cluster.health
  - ironrack.cluster.health.wait
  - ironrack.cluster.attributes.no_diff
options:
  expected:
    description:
      - What the cluster has to look like. Give it the result of M(ironrack.cluster.cluster_model); the parts that are needed are picked from it.
    type: dict
    required: true
  etcd:
    description:
      - What the etcd hosts said, one registered result of M(ironrack.cluster.etcd_cluster_info) for each of them that was asked.
        The first that reached its cluster counts.
      - Where it is left out, etcd is judged by the API servers' own check alone, and its alarms are not judged.
    type: list
    elements: dict
  pod_network:
    description: The DaemonSet of the pod network as C(namespace/name). With an empty string it is not judged.
    type: str
    default: kube-flannel/kube-flannel-ds
  policy_engine:
    description: The DaemonSet that enforces NetworkPolicies as C(namespace/name). With an empty string it is not judged.
    type: str
    default: kube-system/kube-router
  metrics:
    description: Whether the metrics API has to tell about every node.
    type: bool
    default: true
  balancer_page:
    description:
      - URL of a load balancer's page. C({address}) stands for the balancer's address.
      - Where it is a JSON document with a list C(serving), as that of the role P(ironrack.cluster.load_balancer#role),
        every API server has to be in the list.
    type: str
    default: "http://{address}:8080/balancer-health.json"
attributes:
  check_mode:
    description: Reads only.
    support: full
"""

EXAMPLES = r"""
- name: Wait until the whole cluster is healthy
  ironrack.cluster.cluster_health_info:
    kubeconfig: "{{ cluster.kubeconfig }}"
    expected: "{{ cluster }}"
    wait: 300
  delegate_to: "{{ cluster.client_host }}"
  become: false
  run_once: true
"""

RETURN = r"""
ok:
  description: Whether every condition passed.
  returned: always
  type: bool
verdict:
  description: V(pass), V(fail), or V(inconclusive) where nothing failed but something could not be judged.
  returned: always
  type: str
conditions:
  description: The conditions in their order.
  returned: always
  type: list
  elements: dict
  contains:
    name:
      description: The condition.
      type: str
    verdict:
      description: V(pass), V(fail) or V(inconclusive).
      type: str
    seen:
      description: What was seen, in words.
      type: str
    expected:
      description: What was expected, in words.
      type: str
    how_to_mend:
      description: Where to look and what to do. Empty for a condition that passed.
      type: str
  sample:
    - name: nodes_ready
      verdict: pass
      seen: 9 of 9 Ready
      expected: 9 of 9 Ready
      how_to_mend: ""
nodes:
  description: The nodes as the API tells of them, empty where it does not answer.
  returned: always
  type: list
  elements: dict
  contains:
    name:
      description: Name of the node.
      type: str
    version:
      description: Version of its kubelet.
      type: str
    ready:
      description: Whether it is Ready.
      type: bool
    zone:
      description: Its zone label.
      type: str
waited:
  description: Seconds until the result.
  returned: always
  type: float
"""

from ansible.module_utils.basic import AnsibleModule, missing_required_lib

from ansible_collections.ironrack.cluster.plugins.module_utils._common.errors import IronrackError, conclude
from ansible_collections.ironrack.cluster.plugins.module_utils._health.client import KUBERNETES_ERROR, HealthClient
from ansible_collections.ironrack.cluster.plugins.module_utils._health.conditions import CONDITIONS
from ansible_collections.ironrack.cluster.plugins.module_utils._health.expected import best_etcd_view, expectations
from ansible_collections.ironrack.cluster.plugins.module_utils._health.nodes import is_ready, zone_of
from ansible_collections.ironrack.cluster.plugins.module_utils._health.verdict import Observation
from ansible_collections.ironrack.cluster.plugins.module_utils._health.watch import ARGUMENT_SPEC, watch

#: Everything that an observation holds; without a usable kubeconfig none of it can be read.
PARTS = ("endpoint", "api_servers", "nodes", "system_pods", "daemon_sets", "deployments", "csrs", "node_metrics", "kubelets", "balancers", "now")


def look(params, expected):
    """:returns: one :class:`Observation`."""
    try:
        client = HealthClient(params["kubeconfig"], expected, params["timeout"], params["balancer_page"])
    except IronrackError as error:
        return Observation(errors=dict.fromkeys(PARTS, str(error)))
    return client.observe()


def described(observation):
    """:returns: the nodes of an observation for the result."""
    return {"nodes": [{"name": one["metadata"]["name"], "ready": is_ready(one), "zone": zone_of(one),
                       "version": one.get("status", {}).get("nodeInfo", {}).get("kubeletVersion", "")}
                      for one in observation.values.get("nodes") or []]}


def main():
    """Ansible's entry point."""
    module = AnsibleModule(
        argument_spec={
            "kubeconfig": {"type": "path", "required": True},
            "expected": {"type": "dict", "required": True},
            "etcd": {"type": "list", "elements": "dict"},
            "pod_network": {"type": "str", "default": "kube-flannel/kube-flannel-ds"},
            "policy_engine": {"type": "str", "default": "kube-system/kube-router"},
            "metrics": {"type": "bool", "default": True},
            "balancer_page": {"type": "str", "default": "http://{address}:8080/balancer-health.json"},
            **ARGUMENT_SPEC,
        },
        supports_check_mode=True)
    if KUBERNETES_ERROR:
        module.fail_json(msg=missing_required_lib("kubernetes"), exception=KUBERNETES_ERROR)
    params = module.params
    expected = dict(expectations(params["expected"]), kube_proxy="kube-system/kube-proxy",
                    **{part: params[part] for part in ("pod_network", "policy_engine", "metrics")})
    expected["etcd"] = None if params["etcd"] is None else best_etcd_view(params["etcd"])
    conclude(module, lambda: dict(watch(module, CONDITIONS, expected, lambda: look(params, expected), described), changed=False))


if __name__ == "__main__":
    main()
