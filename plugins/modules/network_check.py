#!/usr/bin/python
# Copyright (c) 2026, ironrack.cluster contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

DOCUMENTATION = r"""
---
module: network_check
short_description: Prove a cluster's network by using it
version_added: "0.1.0"
description:
  - Puts a small pod on every node and lets them talk. Pod to pod across nodes, through a Service by its address and by its name,
    through a NodePort from the host where this runs, through a NetworkPolicy that really blocks and unblocks (on the same node
    and across nodes), exec, logs, and a Deployment that stays available while it rolls.
  - Everything is made in a namespace of its own, which is removed in every case. What a killed check left behind is removed by the next
    one when it is older than 15 minutes.
  - A condition passes, fails, or is inconclusive because nothing could be tried. Inconclusive is not a pass.
author:
  - ironrack.cluster contributors (@ironrack)
extends_documentation_fragment:
  - ironrack.cluster.kube_auth
  - ironrack.cluster.health
  - ironrack.cluster.attributes.no_diff
options:
  expected:
    description: The result of M(ironrack.cluster.cluster_model); its nodes and its DNS domain are used.
    type: dict
    required: true
  image:
    description:
      - Full name of the probe's image. It has to speak C(agnhost netexec --http-port=8080) and C(agnhost connect HOST:PORT).
    type: str
    default: registry.k8s.io/e2e-test-images/agnhost:2.53
  binary:
    description: Path of the probe in its image.
    type: str
    default: /agnhost
  policies:
    description: Whether something enforces NetworkPolicies. With V(false) the conditions about them are not judged.
    type: bool
    default: true
  wait:
    description: Seconds for each step, the pull of the image included.
    type: int
    default: 120
attributes:
  check_mode:
    description: In check mode nothing is tried, and every condition is skipped.
    support: full
"""

EXAMPLES = r"""
- name: Prove the network
  ironrack.cluster.network_check:
    kubeconfig: "{{ cluster.kubeconfig }}"
    expected: "{{ cluster }}"
  delegate_to: "{{ cluster.client_host }}"
  become: false
  run_once: true
"""

RETURN = r"""
ok:
  description: Whether every condition passed. V(false) in check mode, where nothing is tried.
  returned: always
  type: bool
verdict:
  description: V(pass), V(fail), V(inconclusive), or V(skipped) in check mode.
  returned: always
  type: str
conditions:
  description: The conditions in their order, as M(ironrack.cluster.cluster_health_info) returns them.
  returned: always
  type: list
  elements: dict
namespace:
  description: The namespace that the check used and removed.
  returned: when the check ran
  type: str
"""

import random
import traceback

from ansible.module_utils.basic import AnsibleModule, missing_required_lib

from ansible_collections.ironrack.cluster.plugins.module_utils._common.errors import IronrackError, fail_from
from ansible_collections.ironrack.cluster.plugins.module_utils._health.client import KUBERNETES_ERROR, api_error
from ansible_collections.ironrack.cluster.plugins.module_utils._health.expected import expectations
from ansible_collections.ironrack.cluster.plugins.module_utils._health.network_check import MEND, NetworkCheck
from ansible_collections.ironrack.cluster.plugins.module_utils._health.network_client import NetworkClient
from ansible_collections.ironrack.cluster.plugins.module_utils._health.verdict import PASS, SKIPPED, enforced, explain, overall, verdict


def check(params, namespace):
    """:returns: the judged conditions of a whole check. :raises IronrackError: where it cannot be made."""
    expected = expectations(params["expected"])
    client = NetworkClient(params["kubeconfig"], namespace, params["binary"])
    try:
        return NetworkCheck(client, expected["nodes"], expected["domain"], params["image"], params["binary"], params["wait"],
                            enforces=params["policies"]).run()
    except IronrackError:
        raise
    except Exception as error:  # the API's own errors, urllib3's and the socket's
        raise IronrackError("the network check broke off: %s" % api_error(error), exception=traceback.format_exc())


def main():
    module = AnsibleModule(
        argument_spec={
            "kubeconfig": {"type": "path", "required": True},
            "expected": {"type": "dict", "required": True},
            "image": {"type": "str", "default": "registry.k8s.io/e2e-test-images/agnhost:2.53"},
            "binary": {"type": "str", "default": "/agnhost"},
            "policies": {"type": "bool", "default": True},
            "wait": {"type": "int", "default": 120},
            "enforce": {"type": "str", "choices": ["always", "not_in_check_mode", "never"], "default": "always"},
        },
        supports_check_mode=True)
    if module.check_mode:
        module.exit_json(changed=False, ok=False, verdict=SKIPPED, conditions=[
            verdict(name, SKIPPED, "not tried in check mode", "to be tried", "") for name in MEND if name != "setup"])
    if KUBERNETES_ERROR:
        module.fail_json(msg=missing_required_lib("kubernetes"), exception=KUBERNETES_ERROR)
    namespace = "ironrack-network-check-%06x" % random.randrange(16 ** 6)
    must_pass = enforced(module.params["enforce"], module.check_mode)
    try:
        judged = check(module.params, namespace)
    except IronrackError as error:
        if must_pass:
            fail_from(module, error)
        judged = [verdict("setup", "inconclusive", str(error), "a check from its beginning to its end",
                          "Mend what makes the health conditions red, then try again.")]
    outcome = overall(judged)
    result = {"ok": outcome == PASS, "verdict": outcome, "conditions": judged, "namespace": namespace}
    if outcome != PASS and must_pass:
        module.fail_json(msg="the network does not do what it has to:\n%s" % explain(judged), **result)
    module.exit_json(changed=False, **result)


if __name__ == "__main__":
    main()
