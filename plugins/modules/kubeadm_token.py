#!/usr/bin/python
# Copyright (c) 2026, ironrack.cluster contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

DOCUMENTATION = r"""
---
module: kubeadm_token
short_description: Have a bootstrap token where nodes are missing
version_added: "0.1.0"
description:
  - Looks in the API which of the named nodes are missing, and makes a bootstrap token that they can join with.
  - Any API server behind the endpoint will do; no control plane host takes part.
  - A token that this module made and that lasts for 30 minutes or more is used again.
  - Where no node is missing, nothing is made.
  - A control plane counts as missing until its Node carries the label that kubeadm sets last.
author:
  - ironrack.cluster contributors (@ironrack)
extends_documentation_fragment:
  - ironrack.cluster.kube_auth
  - ironrack.cluster.kube_auth.timeout
  - ironrack.cluster.attributes.predicts
options:
  nodes:
    description: Names of the nodes that the cluster should have.
    type: list
    elements: str
    required: true
  control_planes:
    description: Those of O(nodes) that are control planes.
    type: list
    elements: str
    default: []
  ttl:
    description: Seconds that a new token is valid.
    type: int
    default: 3600
attributes:
  check_mode:
    details: Where there is no API yet, a token is predicted.
"""

EXAMPLES = r"""
- name: Have a token for the nodes that are missing
  ironrack.cluster.kubeadm_token:
    kubeconfig: "{{ cluster.kubeconfig }}"
    nodes: [cp1, cp2, cp3, gpu1]
    control_planes: [cp1, cp2, cp3]
  register: join
  no_log: true
"""

RETURN = r"""
token:
  description: The token, a secret; empty where no node is missing, and in check mode.
  returned: success
  type: str
  sample: ""
ca_hash:
  description: Hash of the cluster CA's public key; empty where no node is missing.
  returned: success
  type: str
  sample: sha256:2f1c5dbd0b0a3d1bdb26be7a1d4b13a4dd7f5a3a1ff8e9c8a9d9f3e7c7d6c5b4
missing:
  description: Names of the nodes that are missing.
  returned: success
  type: list
  elements: str
  sample: [gpu1]
"""

from datetime import timedelta

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.ironrack.cluster.plugins.module_utils._common.errors import IronrackError, conclude
from ansible_collections.ironrack.cluster.plugins.module_utils._kube.client import ARGUMENT_SPEC, KubeClient, KubeUnreachable
from ansible_collections.ironrack.cluster.plugins.module_utils._kubeadm import token as tokens


def run(module, connect=KubeClient):
    """:returns: the module's result."""
    params = module.params
    try:
        client = connect(params["kubeconfig"], params["request_timeout"])
        missing = tokens.missing_nodes(params["nodes"], params["control_planes"], client.nodes())
    except KubeUnreachable:
        if not module.check_mode:
            raise
        return {"changed": bool(params["nodes"]), "token": "", "ca_hash": "", "missing": params["nodes"]}
    if not missing:
        return {"changed": False, "token": "", "ca_hash": "", "missing": []}
    try:
        pin = tokens.ca_hash(client.ca_pem())
    except ValueError as error:
        raise IronrackError("the CA in %s cannot be read: %s" % (params["kubeconfig"], error))
    selector = ",".join("%s=%s" % item for item in tokens.LABELS.items())
    token = tokens.usable_token(client.secrets(tokens.NAMESPACE, selector), tokens.now())
    changed = not token
    if changed and not module.check_mode:
        token = tokens.new_token()
        client.create_secret(tokens.NAMESPACE, tokens.token_secret(token, tokens.now() + timedelta(seconds=params["ttl"])))
    return {"changed": changed, "token": "" if module.check_mode else token, "ca_hash": pin, "missing": missing}


def main():
    """Ansible's entry point."""
    module = AnsibleModule(
        argument_spec=dict(
            ARGUMENT_SPEC,
            nodes={"type": "list", "elements": "str", "required": True},
            control_planes={"type": "list", "elements": "str", "default": []},
            ttl={"type": "int", "default": 3600}),
        supports_check_mode=True)
    conclude(module, lambda: run(module))


if __name__ == "__main__":
    main()
