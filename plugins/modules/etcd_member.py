#!/usr/bin/python
# Copyright (c) 2026, ironrack.cluster contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

DOCUMENTATION = r"""
module: etcd_member
short_description: Have this host be a running, current, voting member of an etcd cluster
version_added: "0.1.0"
author: "ironrack.cluster contributors (@ironrack)"
extends_documentation_fragment:
  - ironrack.cluster.etcd_client
description:
  - Founds a cluster, starts a member, takes a new one in as a learner and promotes it when it is in sync, and restarts one whose files
    on disk are not those that it runs with.
  - A running member is restarted only while every other member answers a linearizable read and the rest keeps quorum; a leader hands
    its leadership over first. Otherwise the module fails and changes nothing.
  - An empty data folder on a known member is refused with the way out, and never bootstrapped.
  - A cluster is founded in two calls, because a silent host proves nothing. The first, with O(unformed) left out and one host at a time,
    starts whatever has data and returns RV(bootstrap_needed) where there is none and nobody answers. The second, with O(unformed), starts
    the members of a new cluster when no host of the inventory has ever been part of one.
  - Needs C(etcdctl) 3.6, systemd, and a unit that reads O(initial_file) and creates O(formed_file) once it is ready, as the role
    P(ironrack.cluster.etcd#role) sets it up.
attributes:
  check_mode:
    support: full
    description: Predicts what a run does, also on a host that has no etcd yet.
  diff_mode:
    support: full
    description: Shows the unit's state and the member's role before and after, with the reasons.
options:
  name:
    description: The member's name.
    type: str
    required: true
  peer_url:
    description: Its peer URL.
    type: str
    required: true
  client_url:
    description: A client URL of it that answers on this host.
    type: str
    default: https://127.0.0.1:2379
  members:
    description: All members of the inventory, this one included.
    type: list
    elements: dict
    required: true
    suboptions:
      name:
        description: The member's name.
        type: str
        required: true
      peer_url:
        description: Its peer URL.
        type: str
        required: true
      client_url:
        description: Its client URL.
        type: str
        required: true
      address:
        description: Its address; not used here.
        type: str
  token:
    description: The initial cluster token.
    type: str
    default: etcd-cluster
  unformed:
    description:
      - The names of the members that are known to have never been part of a cluster, from the results of the first call.
      - Where left out, no cluster is founded.
    type: list
    elements: str
  data_dir:
    description: The data folder.
    type: path
    default: /var/lib/etcd/data
  initial_file:
    description: The environment file for the first start, which the unit removes once it is ready.
    type: path
    default: /etc/etcd/initial.env
  formed_file:
    description: The file that says that this host has once been a member, which the unit creates once it is ready.
    type: path
    default: /etc/etcd/formed
  unit:
    description: The systemd unit.
    type: str
    default: etcd.service
  watch:
    description: Files whose change asks for a restart. The unit file is always watched.
    type: list
    elements: path
    default: []
  pending:
    description: The C(changed_paths) of earlier tasks, read in check mode only, to predict the restart that follows from them.
    type: list
    elements: path
    default: []
  api_server:
    description:
      - The API server on this host, where it uses this member alone.
      - While the member restarts, new connections to it are refused from other hosts, so that a balancer sends them elsewhere; not before all
        others are ready, and until it is ready again itself.
    type: dict
    suboptions:
      name:
        description: Its host.
        type: str
        required: true
      address:
        description: Its address.
        type: str
        required: true
      port:
        description: Its port.
        type: int
        required: true
      others:
        description: The other API servers of the cluster. Where there is none, nothing is refused.
        type: list
        elements: dict
        default: []
        suboptions:
          name:
            description: Its host.
            type: str
            required: true
          address:
            description: Its address.
            type: str
            required: true
          port:
            description: Its port.
            type: int
            required: true
  wait:
    description: Seconds that a member may take to be healthy or in sync.
    type: int
    default: 300
  guard_wait:
    description: Seconds that the other members may take to be healthy before a restart or a join is refused.
    type: int
    default: 30
"""

EXAMPLES = r"""
- name: What has data is running and current
  ironrack.cluster.etcd_member:
    name: cp1
    peer_url: https://192.0.2.21:2380
    members:
      - {name: cp1, peer_url: "https://192.0.2.21:2380", client_url: "https://192.0.2.21:2379"}
    watch: [/etc/etcd/etcd.env, /usr/local/bin/etcd]
  become: true
  throttle: 1
  register: member

- name: The cluster is founded
  ironrack.cluster.etcd_member:
    name: cp1
    peer_url: https://192.0.2.21:2380
    members:
      - {name: cp1, peer_url: "https://192.0.2.21:2380", client_url: "https://192.0.2.21:2379"}
    unformed: [cp1]
  become: true
  when: member.bootstrap_needed
"""

RETURN = r"""
action:
  description: What was done, or in check mode would be. One of V(none), V(start), V(restart), V(agree), V(bootstrap), V(join), V(promote).
  returned: success
  type: str
reasons:
  description: Why.
  returned: success
  type: list
  elements: str
bootstrap_needed:
  description: Whether this host has no data and found no cluster, so that a second call with O(unformed) has to found one.
  returned: success
  type: bool
formed:
  description: Whether this host has ever been part of a cluster.
  returned: always
  type: bool
member_id:
  description: The member's ID in hexadecimal, where it is known.
  returned: success
  type: str
before:
  description: The unit's state and the member's role (voter, learner, absent, unknown) before.
  returned: success
  type: dict
after:
  description: The same after.
  returned: success
  type: dict
"""

import os

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.ironrack.cluster.plugins.module_utils._common.cli import Cli
from ansible_collections.ironrack.cluster.plugins.module_utils._common.errors import conclude
from ansible_collections.ironrack.cluster.plugins.module_utils._common.lock import RUN_DIR, locked
from ansible_collections.ironrack.cluster.plugins.module_utils._etcd.client import EtcdCtl
from ansible_collections.ironrack.cluster.plugins.module_utils._etcd.drain import drain_of
from ansible_collections.ironrack.cluster.plugins.module_utils._etcd.member import LocalMember
from ansible_collections.ironrack.cluster.plugins.module_utils._kube.ready import api_ready
from ansible_collections.ironrack.cluster.plugins.module_utils._systemd.client import Systemd


def run(module):
    """:returns: the module's result. :raises IronrackError: where the member must not be touched, or did not get well in time."""
    params = module.params
    cli = Cli(module)
    etcd = EtcdCtl(cli, params["ca_file"], params["cert_file"], params["key_file"], params["etcdctl"])
    drain = drain_of(cli, params["api_server"], api_ready, params["guard_wait"], params["wait"])
    local = LocalMember(params, etcd, Systemd(cli), drain, module.check_mode)
    if module.check_mode:
        result = local.converge()
    else:
        # A run that was killed leaves this module at work on the host, and the next run must not restart or join beside it.
        os.makedirs(RUN_DIR, mode=0o755, exist_ok=True)
        with locked(os.path.join(RUN_DIR, "etcd.lock"), params["wait"]):
            result = local.converge()
    for warning in local.warnings:
        module.warn(warning)
    header = "etcd member %s" % params["name"]
    lines = ["%s, %s\n" % (result[when]["state"], result[when]["role"]) for when in ("before", "after")]
    because = "".join("  because: %s\n" % reason for reason in result["reasons"]) if result["changed"] else ""
    return dict(result, diff={"before_header": header, "after_header": header, "before": lines[0], "after": lines[1] + because})


def main():
    """Run the module."""
    member = dict(name=dict(type="str", required=True), peer_url=dict(type="str", required=True), client_url=dict(type="str", required=True),
                  address=dict(type="str"))
    server = dict(name=dict(type="str", required=True), address=dict(type="str", required=True), port=dict(type="int", required=True))
    module = AnsibleModule(
        argument_spec=dict(
            name=dict(type="str", required=True),
            peer_url=dict(type="str", required=True),
            client_url=dict(type="str", default="https://127.0.0.1:2379"),
            members=dict(type="list", elements="dict", required=True, options=member),
            token=dict(type="str", default="etcd-cluster", no_log=False),
            unformed=dict(type="list", elements="str"),
            data_dir=dict(type="path", default="/var/lib/etcd/data"),
            initial_file=dict(type="path", default="/etc/etcd/initial.env"),
            formed_file=dict(type="path", default="/etc/etcd/formed"),
            unit=dict(type="str", default="etcd.service"),
            watch=dict(type="list", elements="path", default=[]),
            pending=dict(type="list", elements="path", default=[]),
            ca_file=dict(type="path", default="/etc/etcd/pki/ca.crt"),
            cert_file=dict(type="path", default="/etc/etcd/pki/health-client.crt"),
            key_file=dict(type="path", default="/etc/etcd/pki/health-client.key", no_log=False),
            etcdctl=dict(type="path", default="/usr/local/bin/etcdctl"),
            api_server=dict(type="dict", options=dict(server, others=dict(type="list", elements="dict", default=[], options=server))),
            wait=dict(type="int", default=300),
            guard_wait=dict(type="int", default=30)),
        supports_check_mode=True)
    conclude(module, lambda: run(module))


if __name__ == "__main__":
    main()
