#!/usr/bin/python
# Copyright (c) 2026, ironrack.cluster contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

DOCUMENTATION = r"""
---
module: kubeadm_node
short_description: Make this host a node of a cluster by kubeadm, by init or by join
version_added: "0.1.0"
description:
  - Looks at what kubeadm has done on this host, and runs C(kubeadm init) or C(kubeadm join) where it has not come to its end.
  - What it is about to do is written to C(/var/lib/ironrack/kubeadm.json) before it does it. A run that was killed is found by this
    record, or by the files it left; its traces are removed with C(kubeadm reset) and it starts again.
  - Certificates in C(/etc/kubernetes/pki) and the data of etcd are never touched.
  - A finished node is never reset. Where one lacks a file, or etcd holds no cluster, the module refuses and says what to do.
  - On a finished node, kubeadm renders the static pods and the kubelet's files from O(documents) into a folder of their own. What differs
    from the node's is rolled out - the API server first, and only while all O(api_servers) beside it are ready. Each part has to be well
    before the next is touched; where one is not, its old files are put back and the module fails.
  - Contents of C(/etc/kubernetes/ironrack), which the API server's flags name, are stamped on its pod, so that it restarts with them.
    C(encryption.yaml) is not, since the API server reads that again by itself.
  - A control plane also brings the ConfigMaps that joining nodes read up to date, and the configuration of kube-proxy.
  - As a task it takes turns with the other hosts of the run, see O(max_unavailable); nothing waits where nothing has to be rolled out.
  - What kubeadm writes is made readable by root alone, on a finished node too.
author:
  - ironrack.cluster contributors (@ironrack)
extends_documentation_fragment:
  - ironrack.cluster.attributes.predicts
options:
  state:
    description:
      - With V(absent), C(kubeadm reset) takes the host out; certificates and the data of etcd stay, and its Node object too.
    type: str
    choices: [present, absent]
    default: present
  role:
    description:
      - What this host is in the cluster. A control plane that also runs workloads is a V(control_plane).
      - Needed for O(state=present), like O(documents) and O(kubernetes_version).
    type: str
    choices: [control_plane, worker]
  node_name:
    description: Name of the host's Node object.
    type: str
    required: true
  documents:
    description:
      - kubeadm's configuration documents for this host, as filter P(ironrack.cluster.kubeadm_config#filter) makes them.
      - The discovery part of a join is added by the module.
    type: list
    elements: dict
  kubernetes_version:
    description: Version of Kubernetes, for the record.
    type: str
  initialise:
    description: Whether this host creates the cluster where O(cluster_state) is not V(complete). True for one host at most.
    type: bool
    default: false
  cluster_state:
    description: What etcd holds, as filter P(ironrack.cluster.kubeadm_state#filter) says.
    type: str
    choices: [absent, partial, complete, unknown]
    default: unknown
  address:
    description: Address at which this host's own API server listens. Needed for a control plane.
    type: str
  port:
    description: Port of this host's own API server.
    type: int
    default: 6443
  endpoint:
    description: The API's endpoint as HOST:PORT. Needed for a join.
    type: str
  token:
    description: Bootstrap token. Needed for a join; empty where no node is missing.
    type: str
  ca_hash:
    description: Hash of the cluster CA's public key, as C(sha256:HEX). Needed for a join.
    type: str
  registered:
    description:
      - Whether the API has a complete Node object of this host.
      - Where it is not given, nobody has asked the API.
    type: bool
  api_servers:
    description: All API servers of the cluster, for a control plane. The others have to be ready before this one is touched.
    type: list
    elements: dict
    default: []
    suboptions:
      name:
        description: The host's name.
        type: str
        required: true
      address:
        description: Its address.
        type: str
        required: true
      port:
        description: The API server's port.
        type: int
        required: true
  roll_out:
    description: Whether a finished node is brought to O(documents). Where not, RV(rollout) says what would be done.
    type: bool
    default: true
  zone:
    description: The failure domain of this host. Workers of two of them are never restarted at the same time.
    type: str
    default: ""
  max_unavailable:
    description:
      - How many workers of this run may be rolled out at the same time, as a number or a part of them like V(10%), which is at least one.
      - Control planes are rolled out one at a time, whatever is said here.
      - Once a host has failed in a run, no other host begins.
    type: str
    default: 10%
  hosts:
    description: How many hosts of its role this run has, for O(max_unavailable).
    type: int
    default: 1
  pending:
    description: The C(changed_paths) of earlier tasks, read in check mode only, to predict the restart that follows from them.
    type: list
    elements: path
    default: []
  image_wait:
    description: Seconds to wait for images that are being pulled in the background.
    type: int
    default: 900
  timeout:
    description: Seconds that one run of kubeadm may take.
    type: int
    default: 1500
attributes:
  diff_mode:
    description: Shows the node's state before and after.
    support: full
"""

EXAMPLES = r"""
- name: Have this host in the cluster
  ironrack.cluster.kubeadm_node:
    role: worker
    node_name: gpu1
    kubernetes_version: 1.36.4
    documents: "{{ cluster | ironrack.cluster.kubeadm_config(this_host) }}"
    endpoint: 192.0.2.10:6443
    token: "{{ join.token }}"
    ca_hash: "{{ join.ca_hash }}"
    registered: "{{ 'gpu1' not in join.missing }}"

- name: Take this host out of the cluster
  ironrack.cluster.kubeadm_node:
    state: absent
    node_name: gpu1
"""

RETURN = r"""
action:
  description: What was done, or would be done.
  returned: success
  type: str
  choices: [none, tighten, finish, init, join, reset, reset_then_init, reset_then_join, roll_out]
  sample: join
reason:
  description: Why.
  returned: success
  type: str
  sample: this host is not in the cluster yet
tightened:
  description: Files of kubeadm that others than root could read, and now cannot, or would not.
  returned: when state is present
  type: list
  elements: str
  sample: [/var/lib/kubelet/config.yaml]
before:
  description: The state of the node that was found.
  returned: success
  type: dict
  sample: {state: fresh, kubelet: stopped}
after:
  description: The state of the node now; in check mode, the one that a run would lead to.
  returned: success
  type: dict
  sample: {state: done, kubelet: running}
rollout:
  description: What was rolled out on a finished node, or would be.
  returned: where O(state=present)
  type: dict
  contains:
    files:
      description: The files.
      type: list
      elements: str
    steps:
      description: Each step in words.
      type: list
      elements: str
    open:
      description: Whether it still has to be done.
      type: bool
"""

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.ironrack.cluster.plugins.module_utils._common.errors import IronrackError, conclude
from ansible_collections.ironrack.cluster.plugins.module_utils._common.waiting import wait_for
from ansible_collections.ironrack.cluster.plugins.module_utils._kubeadm import plan as planning
from ansible_collections.ironrack.cluster.plugins.module_utils._kubeadm.files import NodeFiles
from ansible_collections.ironrack.cluster.plugins.module_utils._kubeadm.host import NodeHost
from ansible_collections.ironrack.cluster.plugins.module_utils._kubeadm.modes import loose
from ansible_collections.ironrack.cluster.plugins.module_utils._kubeadm.node import BuiltNode
from ansible_collections.ironrack.cluster.plugins.module_utils._kubeadm.record import Record
from ansible_collections.ironrack.cluster.plugins.module_utils._kubeadm.rollout import contents_sum, reasons, with_patches

# A Node of a silent kubelet is called not Ready after 50 s; kubeadm refuses to join beside a Ready one.
NODE_WAIT = 180
API_WAIT = 300


class Node:
    """Brings one host into the cluster, and a finished one to its configuration: look, plan, act, look again."""

    def __init__(self, module, host=None, record=None, files=None):
        self.module = module
        self.params = module.params
        self.host = host or NodeHost(module)
        self.record = record or Record()
        self.files = files or NodeFiles(module)

    def run(self):
        """:returns: the module's result."""
        if not self.module.check_mode:
            self._be_alone()
        record = self.record.read()
        if self.params["state"] == "absent":
            return self._leave(record)
        seen = self._observe(record)
        chosen = planning.plan(seen)
        if chosen.action == planning.REFUSE:
            raise IronrackError("%s: %s." % (self.params["node_name"], chosen.reason))
        before = {"state": self._state(seen), "kubelet": "running" if seen.kubelet_active else "stopped"}
        changed = chosen.action != planning.NONE
        if chosen.action == planning.NONE and chosen.reason:
            self.module.warn("%s: %s." % (self.params["node_name"], chosen.reason))
        if changed and not self.module.check_mode:
            self._act(chosen.action)
        after = {"state": "done", "kubelet": "running"} if changed else before
        tightened = self._tighten()
        if tightened and not changed:
            after = dict(before, open_files=[])
            before["open_files"] = tightened
        result = {"changed": changed or bool(tightened), "action": "tighten" if tightened and not changed else chosen.action,
                  "reason": chosen.reason, "tightened": tightened, "before": before, "after": after,
                  "rollout": {"files": [], "steps": [], "open": False}, "diff": {"before": before, "after": after}}
        if chosen.action in (planning.NONE, planning.FINISH) or not self.module.check_mode:
            self._bring_to_configuration(chosen.action, result)
        return result

    def _bring_to_configuration(self, action, result):
        node = BuiltNode(self.params, self.files, self.host, self.record)
        node.look(self.params["pending"] if self.module.check_mode else ())
        if not self.module.check_mode:
            node.adopt(built=action != planning.NONE)
        told = reasons(node.steps)
        if not told:
            return
        acts = self.params["roll_out"] and not self.module.check_mode
        changes = node.changes()
        if acts:
            node.roll_out()
        result["rollout"] = {"files": [path for path, dummy, dummy2 in changes], "steps": told, "open": not acts}
        result["diff"] = [result["diff"]] + [
            {"before_header": path, "after_header": path, "before": before, "after": after} for path, before, after in changes]
        if result["action"] in (planning.NONE, "tighten"):
            result.update(changed=result["changed"] or acts or self.module.check_mode, action="roll_out", reason="; ".join(told))

    def _tighten(self):
        """:returns: the files that were open to others than root; in check mode those that are there now."""
        paths = loose(self.host.modes())
        if not self.module.check_mode:
            self.host.tighten(paths)
        return paths

    def _leave(self, record):
        changed = bool(record) or bool(self.host.present())
        before = {"state": "member" if changed else "fresh"}
        if changed and not self.module.check_mode:
            # As long as the reset is not done, a next run has to find that it began.
            self.record.write(dict(record, state="running", action="reset"))
            self.host.reset(self.params["node_name"], 300)
            self.record.remove()
        after = {"state": "fresh"}
        return {"changed": changed, "action": "reset" if changed else "none", "reason": "", "before": before, "after": after,
                "diff": {"before": before, "after": after}}

    def _be_alone(self):
        def alone():
            others = self.host.other_kubeadm()
            if others:
                return False, "kubeadm runs as process %s" % ", ".join(map(str, others))
            return self.host.try_lock(), "another run of this module holds the lock"

        wait_for(alone, "an earlier kubeadm on %s to come to its end" % self.params["node_name"], self.params["timeout"], interval=2)

    def _observe(self, record):
        params = self.params
        control_plane = params["role"] == planning.CONTROL_PLANE
        present = self.host.present()
        return planning.Observation(
            role=params["role"], initialise=params["initialise"], cluster_state=params["cluster_state"],
            # A check run makes no token, so it cannot lack one.
            token=bool(params["token"]) or self.module.check_mode,
            registered=params["registered"], record=record.get("state", ""), present=present,
            kubelet_active=self.host.unit_active("kubelet.service"),
            api_ready=control_plane and bool(present) and self.host.api_ready(params["address"], params["port"])[0])

    @staticmethod
    def _state(seen):
        if not seen.present:
            return "fresh"
        return {"done": "done", "running": "cut off"}.get(seen.record, "no record")

    def _act(self, action):
        if action == planning.FINISH:
            self.record.finish(self.record.read())
            return
        verb = "init" if action in (planning.INIT, planning.RESET_THEN_INIT) else "join"
        name, timeout, documents = self.params["node_name"], self.params["timeout"], self.params["documents"]
        record = self.record.begin(verb, self.params["kubernetes_version"])
        if self.params["role"] == planning.CONTROL_PLANE:
            documents = with_patches(documents, self.files.patches(contents_sum(self.files.contents())))
        if action in (planning.RESET_THEN_INIT, planning.RESET_THEN_JOIN):
            self.host.reset(name, 300)
        self._wait_for_images()
        discovery = {}
        if verb == "join":
            discovery = {key: self.params[key] for key in ("endpoint", "token", "ca_hash")}
            self._wait_for_name()
        self.host.run_kubeadm(verb, documents, name, timeout, **discovery)
        if self.params["role"] == planning.CONTROL_PLANE:
            wait_for(lambda: self.host.api_ready(self.params["address"], self.params["port"]),
                     "the API server of %s to be ready" % name, API_WAIT, interval=1)
        self.record.finish(record)

    def _wait_for_images(self):
        def pulled():
            running = self.host.preloads()
            return not running, "still pulling: %s" % ", ".join(running)

        wait_for(pulled, "the images of %s" % self.params["node_name"], self.params["image_wait"], interval=1)

    def _wait_for_name(self):
        def free():
            ready, seen = self.host.node_ready(self.params["endpoint"], self.params["node_name"], self.params["token"])
            return ready is False, seen

        wait_for(free, "the API at %s to have no living Node %s" % (self.params["endpoint"], self.params["node_name"]), NODE_WAIT, interval=2)


def main():
    """Ansible's entry point."""
    module = AnsibleModule(
        argument_spec={
            "state": {"type": "str", "choices": ["present", "absent"], "default": "present"},
            "role": {"type": "str", "choices": ["control_plane", "worker"]},
            "node_name": {"type": "str", "required": True},
            "documents": {"type": "list", "elements": "dict"},
            "kubernetes_version": {"type": "str"},
            "initialise": {"type": "bool", "default": False},
            "cluster_state": {"type": "str", "choices": ["absent", "partial", "complete", "unknown"], "default": "unknown"},
            "address": {"type": "str"},
            "port": {"type": "int", "default": 6443},
            "endpoint": {"type": "str"},
            "token": {"type": "str", "no_log": True},
            "ca_hash": {"type": "str"},
            "registered": {"type": "bool"},
            "api_servers": {"type": "list", "elements": "dict", "default": [], "options": {
                "name": {"type": "str", "required": True}, "address": {"type": "str", "required": True}, "port": {"type": "int", "required": True}}},
            "roll_out": {"type": "bool", "default": True},
            "zone": {"type": "str", "default": ""},
            "max_unavailable": {"type": "str", "default": "10%"},
            "hosts": {"type": "int", "default": 1},
            "pending": {"type": "list", "elements": "path", "default": []},
            "image_wait": {"type": "int", "default": 900},
            "timeout": {"type": "int", "default": 1500},
        },
        required_if=[("state", "present", ["role", "documents", "kubernetes_version"]), ("role", "control_plane", ["address"])],
        supports_check_mode=True)
    conclude(module, lambda: Node(module).run())


if __name__ == "__main__":
    main()
