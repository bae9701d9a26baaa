#!/usr/bin/python
# Copyright (c) 2026, ironrack.cluster contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

DOCUMENTATION = r"""
---
module: opensearch_node
short_description: Have the OpenSearch node of a host run what is on disk
version_added: "0.1.0"
description:
  - Starts the node's unit where it does not run, and says where it runs something else than what is on disk. It asks nothing of OpenSearch's API.
  - A host that has never been part of a cluster is left alone at the first call, which says so in RV(agreement_needed). A second call with
    O(known), what all hosts said of themselves, starts it. The managers found a cluster then, if every one of them was asked and no node has
    ever been part of one; else they join.
  - A node that runs is never restarted without O(restart). Whoever sets that has seen that the others are well. Where no node has ever been part of a cluster
    there is nothing to be kept, and it is restarted.
  - What runs is compared with what is on disk by the hashes that were kept when it was started, as by M(ironrack.cluster.units), so that a run that was killed
    between a file and the restart loses nothing.
author:
  - ironrack.cluster contributors (@ironrack)
extends_documentation_fragment:
  - ironrack.cluster.attributes.predicts
options:
  name:
    description: The node's name.
    type: str
    required: true
  managers:
    description: Names of the cluster's managers.
    type: list
    elements: str
    required: true
  known:
    description: Names of the nodes that were asked, and whether each has ever been part of a cluster. Left out at the first call.
    type: dict
  restart:
    description: Whether a node that runs may be restarted.
    type: bool
    default: false
  since:
    description:
      - A moment in seconds since 1970. A node whose process was started before it is to be restarted as one that runs something else than what is on disk.
    type: float
  address:
    description: The address that the node listens on.
    type: str
    required: true
  port:
    description: The port of its API.
    type: int
    default: 9200
  unit:
    description: The unit's name.
    type: str
    default: opensearch.service
  watch:
    description: Files whose change asks for a restart. The unit's definition is always among them.
    type: list
    elements: path
    default: []
  pending:
    description: The C(changed_paths) of earlier tasks; read in check mode only, to predict the restart that follows from them.
    type: list
    elements: path
    default: []
  formed_file:
    description: The record that the node has been part of a cluster. It is written by whoever has seen it there.
    type: path
    default: /etc/ironrack/opensearch/formed
  first_start_file:
    description: The environment of the unit's first start, which this module writes.
    type: path
    default: /etc/ironrack/opensearch/first-start.env
  wait:
    description: Seconds that a process may take until it listens.
    type: int
    default: 300
attributes:
  check_mode:
    details: A unit that does not exist yet would be started.
  diff_mode:
    description: Shows the unit's state before and after, with the reasons.
    support: full
"""

EXAMPLES = r"""
- name: Nodes that have been part of a cluster run
  ironrack.cluster.opensearch_node:
    name: os1
    managers: [os1, os2, os3]
    address: 192.0.2.41
    watch: [/etc/opensearch/opensearch.yml]
  become: true
  register: node

- name: New nodes found a cluster, or join the one that is there
  ironrack.cluster.opensearch_node:
    name: os1
    managers: [os1, os2, os3]
    known: {os1: false, os2: false, os3: false}
    address: 192.0.2.41
    watch: [/etc/opensearch/opensearch.yml]
  become: true
  when: node.agreement_needed
"""

RETURN = r"""
action:
  description: What was done, or in check mode would be. One of V(none), V(start), V(found), V(restart), V(agree), V(wait).
  returned: success
  type: str
reasons:
  description: Why.
  returned: success
  type: list
  elements: str
formed:
  description: Whether the node has ever been part of a cluster.
  returned: success
  type: bool
agreement_needed:
  description: Whether a second call with O(known) has to decide.
  returned: success
  type: bool
restart_needed:
  description: Whether what runs is not what is on disk, so that a call with O(restart) has to follow in the node's turn.
  returned: success
  type: bool
before:
  description: The unit's C(state) before.
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
from ansible_collections.ironrack.cluster.plugins.module_utils._opensearch.local_node import LocalNode
from ansible_collections.ironrack.cluster.plugins.module_utils._systemd.client import Systemd


def run(module):
    """:returns: the module's result. :raises IronrackError: where the node must not be started, or does not get to where it listens."""
    params = module.params
    node = LocalNode(params, Systemd(Cli(module)), module.check_mode)
    if module.check_mode:
        result = node.converge()
    else:
        # A run that was killed leaves this module at work on the host, and the next run must not restart it beside it.
        os.makedirs(RUN_DIR, mode=0o755, exist_ok=True)
        with locked(os.path.join(RUN_DIR, "opensearch.lock"), params["wait"]):
            result = node.converge()
    header = "OpenSearch node %s" % params["name"]
    because = "".join("  because: %s\n" % reason for reason in result["reasons"]) if result["changed"] else ""
    return dict(result, diff={"before_header": header, "after_header": header, "before": "%s\n" % result["before"]["state"],
                              "after": "%s\n%s" % (result["after"]["state"], because)})


def main():
    """Run the module."""
    module = AnsibleModule(
        argument_spec=dict(
            name=dict(type="str", required=True),
            managers=dict(type="list", elements="str", required=True),
            known=dict(type="dict"),
            restart=dict(type="bool", default=False),
            since=dict(type="float"),
            address=dict(type="str", required=True),
            port=dict(type="int", default=9200),
            unit=dict(type="str", default="opensearch.service"),
            watch=dict(type="list", elements="path", default=[]),
            pending=dict(type="list", elements="path", default=[]),
            formed_file=dict(type="path", default="/etc/ironrack/opensearch/formed"),
            first_start_file=dict(type="path", default="/etc/ironrack/opensearch/first-start.env"),
            wait=dict(type="int", default=300)),
        supports_check_mode=True)
    conclude(module, lambda: run(module))


if __name__ == "__main__":
    main()
