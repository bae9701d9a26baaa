#!/usr/bin/python
# Copyright (c) 2026, ironrack.cluster contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

DOCUMENTATION = r"""
---
module: kube_nodes
short_description: Have the labels and taints of the inventory on the nodes
version_added: "0.1.0"
description:
  - Sets what a node lacks of its labels and taints. A kubelet sets them when it makes its Node. Of a later change it sets a zone, and only when it
    starts anew, so this comes before the kubelets do.
  - What came from the inventory once and is no longer there is removed; what others have put on a Node stays.
  - Warns of Nodes that the inventory does not have, with the way out. They are never touched.
author:
  - ironrack.cluster contributors (@ironrack)
extends_documentation_fragment:
  - ironrack.cluster.kube_auth
  - ironrack.cluster.kube_auth.timeout
options:
  nodes:
    description: The nodes of this run. Others of their keys, such as those of the model's hosts, are left alone.
    type: list
    elements: dict
    required: true
  known:
    description: Names of all nodes of the inventory, whatever the run is limited to.
    type: list
    elements: str
    required: true
  settled:
    description: Names of those of O(nodes) whose labels and taints this run has seen to already.
    type: list
    elements: str
    default: []
  spread:
    description:
      - Deployments that are meant to be spread by host or zone, each a namespace and a name with a slash between.
      - One of which all pods stand on one node, or in one zone, although others take them is rolled out anew, once for the same zones of the same
        nodes. For nodes of this run that are not ready yet, and would make the difference, O(spread_wait) passes at most.
    type: list
    elements: str
    default: []
  spread_wait:
    description: Seconds that O(spread) waits for the nodes of this run to be ready. Where they are not by then, the pods stay where they are.
    type: int
    default: 60
attributes:
  check_mode:
    description: Predicts what would change without changing it. Where there is no API yet, all nodes would be new.
    support: full
  diff_mode:
    description: Shows what each node would get.
    support: full
"""

EXAMPLES = r"""
- name: A node says in which zone it stands
  ironrack.cluster.kube_nodes:
    kubeconfig: "{{ cluster.kubeconfig }}"
    nodes:
      - node_name: gpu1
        labels: {topology.kubernetes.io/zone: a}
        taints: [{key: nvidia.com/gpu, value: present, effect: NoSchedule}]
    known: [gpu1]
"""

RETURN = r"""
nodes:
  description: What changed or would change, by node and Deployment, in words.
  returned: success
  type: dict
  sample: {gpu1: ["label topology.kubernetes.io/zone=b, was a"]}
strangers:
  description: Names of Nodes that the inventory does not have.
  returned: success
  type: list
  elements: str
"""

from urllib.parse import quote

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.ironrack.cluster.plugins.module_utils._common.errors import IronrackError, conclude
from ansible_collections.ironrack.cluster.plugins.module_utils._common.waiting import WaitTimeout, wait_for
from ansible_collections.ironrack.cluster.plugins.module_utils._kube.client import ARGUMENT_SPEC, KubeClient, KubeError, KubeUnreachable
from ansible_collections.ironrack.cluster.plugins.module_utils._kube.nodes import node_change, strangers
from ansible_collections.ironrack.cluster.plugins.module_utils._kube.spread import misplaced, patch, places

CONFLICT = 409
#: How often a Node is read again that somebody else changed meanwhile.
ATTEMPTS = 5


class Nodes:
    """Compares the wanted nodes with those of the API, and patches what differs."""

    def __init__(self, module, client):
        self._module = module
        self._client = client
        self._wanted = {node["node_name"]: node for node in module.params["nodes"]}
        self._told = {}

    def run(self):
        """:returns: the module's result."""
        there = {node["metadata"]["name"]: node for node in self._client.nodes()}
        for name in self._wanted:
            if name in self._module.params["settled"]:
                continue
            if name in there:
                self._bring(name, there[name])
            elif self._module.check_mode:
                self._told[name] = ["it is new"]
        for deployment in self._module.params["spread"]:
            self._spread(deployment, there)
        foreign = strangers(there.values(), self._module.params["known"])
        for name in foreign:
            self._module.warn(
                "Node %s is in the cluster, and the inventory does not have it. Nothing was done to it. If it is to stay, put it back into the "
                "inventory; if it is to go and is a worker, run reset.yml limited to it while it is in the inventory; "
                "then: kubectl delete node %s" % (name, name))
        return dict(result(self._told), strangers=foreign)

    def _bring(self, name, node):
        for attempt in range(ATTEMPTS):
            body, told = node_change(node, self._wanted[name].get("labels") or {}, self._wanted[name].get("taints") or [])
            if told:
                self._told[name] = told
            if not told or self._module.check_mode:
                return
            try:
                self._client.patch_node(name, body)
                return
            except KubeError as error:
                if error.details.get("status") != CONFLICT or attempt == ATTEMPTS - 1:
                    raise
            node = next((one for one in self._client.nodes() if one["metadata"]["name"] == name), None)
            if node is None:
                raise IronrackError("Node %s was deleted while it was changed; run this again" % name)

    def _spread(self, name, there):
        namespace, _slash, short = name.partition("/")
        path = "/apis/apps/v1/namespaces/%s/deployments/%s" % (namespace, short)
        status, deployment = self._client.request("GET", path)
        if status == 404:
            return
        self._expect(status, name)
        labels = deployment["spec"]["selector"].get("matchLabels") or {}
        status, pods = self._client.request("GET", "/api/v1/namespaces/%s/pods?labelSelector=%s" % (
            namespace, quote(",".join("%s=%s" % pair for pair in sorted(labels.items())))))
        self._expect(status, "the pods of " + name)
        found, later = places(there, self._wanted, deployment), places(there, self._wanted, deployment, ready=False)
        if not misplaced(deployment, pods["items"], found) and misplaced(deployment, pods["items"], later):
            found = later if self._module.check_mode else self._when_ready(deployment, set(later) - set(found))
        why = misplaced(deployment, pods["items"], found)
        if not why:
            return
        self._told[name] = ["rolled out anew: %s" % why]
        if not self._module.check_mode:
            self._expect(self._client.request("PATCH", path, patch(found), content_type="application/merge-patch+json")[0], name)

    def _when_ready(self, deployment, missing):
        """:returns: the places once the missing nodes are ready, or when their time is over: which ones lack is for the cluster's health to say."""
        def look():
            found = places({node["metadata"]["name"]: node for node in self._client.nodes()}, self._wanted, deployment)
            return missing <= set(found), found, found

        try:
            return wait_for(look, "%s to be ready" % ", ".join(sorted(missing)), self._module.params["spread_wait"], interval=1)
        except WaitTimeout as late:
            return late.details["last_seen"]

    @staticmethod
    def _expect(status, what):
        if status != 200:
            raise KubeError("the API answered %s for %s" % (status, what), status=status)


def result(told):
    """:returns: the result that says what changed."""
    diff = [{"before_header": name, "after_header": name, "before": "", "after": "".join(line + "\n" for line in lines)} for name, lines in told.items()]
    return {"changed": bool(told), "nodes": told, "diff": diff}


def run(module, connect=KubeClient):
    """:returns: the module's result."""
    try:
        return Nodes(module, connect(module.params["kubeconfig"], module.params["request_timeout"])).run()
    except KubeUnreachable:
        if not module.check_mode:
            raise
        return dict(result({node["node_name"]: ["it is new"] for node in module.params["nodes"]}), strangers=[])


def main():
    """Ansible's entry point."""
    module = AnsibleModule(
        argument_spec=dict(
            ARGUMENT_SPEC,
            nodes={"type": "list", "elements": "dict", "required": True},
            known={"type": "list", "elements": "str", "required": True},
            settled={"type": "list", "elements": "str", "default": []},
            spread={"type": "list", "elements": "str", "default": []},
            spread_wait={"type": "int", "default": 60}),
        supports_check_mode=True)
    conclude(module, lambda: run(module))


if __name__ == "__main__":
    main()
