#!/usr/bin/python
# Copyright (c) 2026, ironrack.cluster contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

DOCUMENTATION = r"""
---
module: llm_release_info
short_description: Read what there is of an LLM service's releases, and what its balancers have to serve
version_added: "0.1.0"
description:
  - Reads the Deployments and pods of a service's releases from the API.
  - Puts the description and O(traffic) together to the options of M(ironrack.cluster.nginx_upstream).
author:
  - ironrack.cluster contributors (@ironrack)
extends_documentation_fragment:
  - ironrack.cluster.kube_auth
  - ironrack.cluster.kube_auth.timeout
  - ironrack.cluster.attributes.no_diff
options:
  service:
    description: The description of the service, as the role llm_service documents it.
    type: dict
    required: true
  traffic:
    description:
      - The traffic of the service's record, from M(ironrack.cluster.rollout_record_info). Where it is left out or empty, the service has
        had no rollout, and the stable release of the description has it all under generation 1.
    type: dict
    default: {}
  domain:
    description: C(cluster_domain).
    type: str
    default: cluster.local
  pods:
    description: The releases whose pods are listed.
    type: list
    elements: str
    default: []
attributes:
  check_mode:
    description: Only reads.
    support: full
"""

EXAMPLES = r"""
- name: What is there of chat
  ironrack.cluster.llm_release_info:
    kubeconfig: "{{ cluster.kubeconfig }}"
    service: "{{ llm_services[0] }}"
    pods: [v2]
  register: chat
"""

RETURN = r"""
releases:
  description:
    - Release to V(replicas), V(ready), V(generation), V(uid), V(resource_version), and with a Deployment in each zone V(zones).
    - It is what M(ironrack.cluster.rollout_intent) takes as O(ironrack.cluster.rollout_intent#module:observation).
  returned: success
  type: dict
  sample: {"v1": {"replicas": 6, "ready": 6, "generation": 1, "uid": "0b8e", "resource_version": "4711"}}
pods:
  description: Release to its pods, each with V(name), V(address), V(node), V(zone) and V(ready).
  returned: success
  type: dict
upstream:
  description: The options of M(ironrack.cluster.nginx_upstream) for the traffic.
  returned: success
  type: dict
"""

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.ironrack.cluster.plugins.module_utils._common.errors import conclude
from ansible_collections.ironrack.cluster.plugins.module_utils._common.refusal import Refused
from ansible_collections.ironrack.cluster.plugins.module_utils._kube.client import ARGUMENT_SPEC, KubeClient
from ansible_collections.ironrack.cluster.plugins.module_utils._service import balancing, spec
from ansible_collections.ironrack.cluster.plugins.module_utils._service.releases import Releases


def run(params, request):
    """:returns: the module's result. :raises Refused: with all that is wrong with the description."""
    found = spec.problems(params["service"], "")
    if found:
        raise Refused(found)
    service = spec.complete(params["service"])
    releases = Releases(request, service)
    return {"changed": False, "releases": releases.look(), "pods": {name: releases.pods(name) for name in params["pods"]},
            "upstream": balancing.options(service, params["traffic"] or balancing.first(service), params["domain"])}


def main():
    """Ansible's entry point."""
    module = AnsibleModule(
        argument_spec=dict(
            ARGUMENT_SPEC,
            service={"type": "dict", "required": True},
            traffic={"type": "dict", "default": {}},
            domain={"type": "str", "default": "cluster.local"},
            pods={"type": "list", "elements": "str", "default": []}),
        supports_check_mode=True)
    params = module.params
    conclude(module, lambda: run(params, KubeClient(params["kubeconfig"], params["request_timeout"]).request))


if __name__ == "__main__":
    main()
