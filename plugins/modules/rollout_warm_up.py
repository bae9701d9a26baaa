#!/usr/bin/python
# Copyright (c) 2026, ironrack.cluster contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

DOCUMENTATION = r"""
---
module: rollout_warm_up
short_description: Ask each pod of a release before it gets traffic
version_added: "0.1.0"
description:
  - Sends the warm-up requests of a service to each pod by its own address, from a host that has routes to pods, such as a load balancer with
    C(cluster_pod_access). All of them have to be answered with a status 2xx.
  - A pod that does not answer is no failure of the task. Whoever calls gives the verdict to M(ironrack.cluster.rollout_advance).
author:
  - ironrack.cluster contributors (@ironrack)
extends_documentation_fragment:
  - ironrack.cluster.attributes.no_diff
options:
  pods:
    description: V(name) and V(address) of each pod.
    type: list
    elements: dict
    required: true
  port:
    description: The TCP port of the pods.
    type: int
    required: true
  path:
    description: The path that is asked for.
    type: str
    default: /v1/models
  method:
    description: The method.
    type: str
    choices: [GET, POST, HEAD]
    default: GET
  body:
    description: The body, of JSON.
    type: str
  requests:
    description: Requests to each pod.
    type: int
    default: 3
  timeout:
    description: Seconds for connecting and for each read.
    type: int
    default: 30
attributes:
  check_mode:
    description: Nothing is asked.
    support: full
"""

EXAMPLES = r"""
- name: The pods of the candidate are warm
  ironrack.cluster.rollout_warm_up:
    pods: "{{ rollout_turn.pods }}"
    port: 8080
    path: /v1/models
  register: rollout_warmed
"""

RETURN = r"""
verdict:
  description: V(pass) or V(inconclusive).
  returned: success
  type: str
why:
  description: What was seen, in words.
  returned: success
  type: str
"""

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.ironrack.cluster.plugins.module_utils._common.errors import conclude
from ansible_collections.ironrack.cluster.plugins.module_utils._rollout.requests import warm_up


def run(params, check_mode):
    """:returns: the module's result."""
    if check_mode:
        return {"changed": False, "verdict": "inconclusive", "why": "nothing is asked in check mode"}
    verdict, why = warm_up(params["pods"], params["port"], params)
    return {"changed": False, "verdict": verdict, "why": why}


def main():
    """Ansible's entry point."""
    module = AnsibleModule(
        argument_spec=dict(
            pods={"type": "list", "elements": "dict", "required": True},
            port={"type": "int", "required": True},
            path={"type": "str", "default": "/v1/models"},
            method={"type": "str", "choices": ["GET", "POST", "HEAD"], "default": "GET"},
            body={"type": "str"},
            requests={"type": "int", "default": 3},
            timeout={"type": "int", "default": 30}),
        supports_check_mode=True)
    conclude(module, lambda: run(module.params, module.check_mode))


if __name__ == "__main__":
    main()
