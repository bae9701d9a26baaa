#!/usr/bin/python
# Copyright (c) 2026, ironrack.cluster contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

DOCUMENTATION = r"""
module: preflight_probe
short_description: Look at a host and say what would stop a cluster there
version_added: "0.1.0"
author:
  - ironrack.cluster contributors (@ironrack)
description:
  - Reads the host's system, memory, disks, kernel, ports, addresses and leftovers of other clusters, and compares them with what the
    host's parts need. Changes nothing.
  - Does not fail for what it finds. Its problems are gathered by M(ironrack.cluster.preflight_verdict), which fails once with those of
    all hosts.
  - Finds nothing on a host of a built cluster that it did not find on the bare one. Ports that the cluster's own programs hold are free.
options:
  address:
    description: The host's address in the cluster's network.
    type: str
    required: true
  parts:
    description: What the host is to be, as the names of its groups. Others than the known ones are left alone.
    type: list
    elements: str
    required: true
  pki:
    description: Whether the host keeps the certificate store.
    type: bool
    default: false
  profile:
    description: Profile V(lab) is content with less memory and disk.
    type: str
    choices: [standard, production, lab]
    default: standard
  api_port:
    description: Port of the API servers.
    type: int
    default: 6443
  endpoint_port:
    description: Port of the load balancers in front of them.
    type: int
    default: 6443
  servers:
    description: Each C(host:port) that a kubelet of this cluster may point to. A kubelet that points elsewhere belongs to another cluster.
    type: list
    elements: str
    default: []
  allow_cgroup_v1:
    description: Whether nodes may run cgroup v1, since their kubelet is told not to refuse it.
    type: bool
    default: false
  version:
    description: The Kubernetes version that is asked for, to be compared with what runs. Nothing is compared where it is empty.
    type: str
    default: ""
  fixed:
    description: What no run changes on a built cluster -> the value that is asked for. It is compared with what the node was built with.
    type: dict
    default: {}
  api_servers:
    description: All API servers of the inventory as C(host:port). A balancer that leads to another one that answers says so.
    type: list
    elements: str
    default: []
  left_out:
    description:
      - What the limit of this run leaves out, as RV(ironrack.cluster.cluster_model#module:left_out) says. A bare host that needs one of
        those sees whether it answers.
    type: list
    elements: dict
    default: []
    suboptions:
      name:
        description: What is needed.
        type: str
        choices: [etcd, api, mirror]
        required: true
      hosts:
        description: Names of the hosts that are left out.
        type: list
        elements: str
        required: true
      servers:
        description: C(host:port), any one of which will do.
        type: list
        elements: str
        required: true
      parts:
        description: Groups of the hosts that need it.
        type: list
        elements: str
        required: true
  opensearch:
    description: What OpenSearch is to be. Left out where the cluster has none.
    type: dict
    suboptions:
      name:
        description: Name of its cluster.
        type: str
        required: true
      version:
        description: Its release.
        type: str
        required: true
      heap:
        description: Memory of the host's heap, in C(m) or C(g); empty where the role finds it.
        type: str
        default: ""
      jvm_options:
        description: Options that the site adds to those of the JVM.
        type: list
        elements: str
        default: []
  store:
    description: The folder of the certificate store.
    type: path
    default: /etc/ironrack/pki
  authorities:
    description: The certificate authorities; looked at on the host of the store only.
    type: list
    elements: dict
    default: []
    suboptions:
      name:
        description: Its name, and that of its files in the store.
        type: str
        required: true
      common_name:
        description: The common name of a new one.
        type: str
        default: ""
      cert:
        description: Path of a site's own authority's certificate.
        type: str
        default: ""
      key:
        description: Path of its key.
        type: str
        default: ""
      chain:
        description: Path of the certificates above it, up to the root.
        type: str
        default: ""
attributes:
  check_mode:
    description: Can run in check mode and return the same as without it.
    support: full
  diff_mode:
    description: Has nothing to show a difference of.
    support: none
notes:
  - It has an action on the controller that turns a host's inability to run the module (no Python, no sudo) into a problem like the others,
    and notes the controller's time before and after. A host that cannot be reached stays in the play and says so in C(silent).
"""

EXAMPLES = r"""
- name: The host is looked at
  ironrack.cluster.preflight_probe:
    address: "{{ ansible_host }}"
    parts: [etcd, control_plane]
  register: preflight_host
"""

RETURN = r"""
probe:
  description: What was read.
  returned: always
  type: dict
problems:
  description: What would stop a cluster on this host, each with C(check), C(what), C(expected) and C(mend).
  returned: always
  type: list
  elements: dict
  sample:
    - check: free_ports
      what: port 2379 is held by python3 (pid 812)
      expected: a free port, or etcd
      mend: stop that program, or move it to another port
silent:
  description: Why the host cannot be reached.
  returned: when it cannot be reached
  type: str
controller_time:
  description: The controller's time before and after the probe, in seconds since 1970.
  returned: always
  type: list
  elements: float
"""

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.ironrack.cluster.plugins.module_utils._common.cli import Cli
from ansible_collections.ironrack.cluster.plugins.module_utils._preflight import read
from ansible_collections.ironrack.cluster.plugins.module_utils._preflight.decide import Wants, decide


def main():
    module = AnsibleModule(
        argument_spec={
            "address": {"type": "str", "required": True},
            "parts": {"type": "list", "elements": "str", "required": True},
            "pki": {"type": "bool", "default": False},
            "profile": {"type": "str", "choices": ["standard", "production", "lab"], "default": "standard"},
            "api_port": {"type": "int", "default": 6443},
            "endpoint_port": {"type": "int", "default": 6443},
            "servers": {"type": "list", "elements": "str", "default": []},
            "allow_cgroup_v1": {"type": "bool", "default": False},
            "version": {"type": "str", "default": ""},
            "fixed": {"type": "dict", "default": {}},
            "api_servers": {"type": "list", "elements": "str", "default": []},
            "left_out": {"type": "list", "elements": "dict", "default": [], "options": {
                "name": {"type": "str", "choices": ["etcd", "api", "mirror"], "required": True},
                "hosts": {"type": "list", "elements": "str", "required": True},
                "servers": {"type": "list", "elements": "str", "required": True},
                "parts": {"type": "list", "elements": "str", "required": True}}},
            "opensearch": {"type": "dict", "options": {
                "name": {"type": "str", "required": True}, "version": {"type": "str", "required": True}, "heap": {"type": "str", "default": ""},
                "jvm_options": {"type": "list", "elements": "str", "default": []}}},
            "store": {"type": "path", "default": "/etc/ironrack/pki"},
            "authorities": {"type": "list", "elements": "dict", "default": [], "options": {
                "name": {"type": "str", "required": True}, "common_name": {"type": "str", "default": ""},
                "cert": {"type": "str", "default": ""}, "key": {"type": "str", "default": "", "no_log": False},
                "chain": {"type": "str", "default": ""}}},
        },
        supports_check_mode=True,
    )
    given = module.params
    wants = Wants(
        given["address"], tuple(given["parts"]) + (("pki",) if given["pki"] else ()), given["profile"], given["api_port"],
        given["endpoint_port"], tuple(given["servers"]), given["allow_cgroup_v1"], given["version"], tuple(given["left_out"]),
        tuple(given["authorities"]) if given["pki"] else (), given["store"],
        {name: str(value) for name, value in given["fixed"].items()}, tuple(given["api_servers"]),
        given["opensearch"] or {})
    probe = read.probe(wants, Cli(module))
    module.exit_json(changed=False, probe=probe, problems=decide(probe, wants))


if __name__ == "__main__":
    main()
