#!/usr/bin/python
# Copyright (c) 2026, ironrack.cluster contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

DOCUMENTATION = r"""
---
module: rollout_record_info
short_description: Read how a service's rollout stands, who drives it, and what was done
version_added: "0.1.0"
description:
  - Reads the record, the flags and the lock of a service's rollouts from the API.
  - A service that has had no rollout yet is no failure, but RV(exists=false).
author:
  - ironrack.cluster contributors (@ironrack)
extends_documentation_fragment:
  - ironrack.cluster.kube_auth
  - ironrack.cluster.kube_auth.timeout
  - ironrack.cluster.rollout
  - ironrack.cluster.attributes.no_diff
options:
  wait:
    description: Seconds for which an API that gives no answer is asked again. A refusal is an answer.
    type: int
    default: 0
attributes:
  check_mode:
    description: Only reads.
    support: full
"""

EXAMPLES = r"""
- name: How does the rollout of chat stand
  ironrack.cluster.rollout_record_info:
    kubeconfig: "{{ cluster.kubeconfig }}"
    namespace: inference
    service: chat
  register: rollout_status
"""

RETURN = r"""
exists:
  description: Whether the service has a record.
  returned: success
  type: bool
where:
  description: Where its rollouts stand, in one sentence.
  returned: when it exists
  type: str
  sample: "rollout 4 of chat to v2 goes forward and is at: gate weight 25"
record:
  description:
    - The record without its history, with V(stable), V(previous), V(traffic), V(generation) and V(rollout), which is null where none is under way.
    - Times are seconds since 1970, weights are percent.
  returned: when it exists
  type: dict
flags:
  description: The flags that are set (V(pause), V(abort)), each with V(rollout), V(who), V(why) and V(when).
  returned: success
  type: dict
lock:
  description:
    - Who drives the rollout, with V(holder), V(since), V(renewed) and V(until), which are RFC 3339, V(fence), and V(held), which is
      whether nobody else may. Null where nobody ever did.
  returned: success
  type: dict
history:
  description: What was done, oldest first, each with V(when), V(who), V(what), V(generation), and V(why) where there was a reason.
  returned: success
  type: list
  elements: dict
"""

import time

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.ironrack.cluster.plugins.module_utils._common.errors import IronrackError, conclude
from ansible_collections.ironrack.cluster.plugins.module_utils._kube.client import ARGUMENT_SPEC, KubeClient
from ansible_collections.ironrack.cluster.plugins.module_utils._release import lease as leases, machine
from ansible_collections.ironrack.cluster.plugins.module_utils._release.store import Store
from ansible_collections.ironrack.cluster.plugins.module_utils._rollout.world import is_silent

PAUSE = 2


def run(store, now):
    """:returns: the module's result."""
    stored = store.read()
    lock = leases.read(store.lease())
    result = {"changed": False, "exists": stored.record is not None, "flags": stored.flags, "lock": None, "history": []}
    if lock:
        result["lock"] = {"holder": lock.holder, "since": leases.micro(lock.since), "renewed": leases.micro(lock.renewed),
                          "until": leases.micro(lock.until), "fence": lock.fence, "held": leases.is_held(lock, now)}
    if stored.record:
        record = dict(stored.record)
        result.update(history=record.pop("history"), record=record, where=machine.where(record))
    return result


def patient(ask, wait, clock=time.monotonic, sleep=time.sleep):
    """:returns: what ``ask`` returns. :raises IronrackError: its own, where that is an answer, or ``wait`` seconds are over."""
    end = clock() + wait
    while True:
        try:
            return ask()
        except IronrackError as error:
            if not is_silent(error) or clock() >= end:
                raise
        sleep(PAUSE)


def main():
    """Ansible's entry point."""
    module = AnsibleModule(
        argument_spec=dict(ARGUMENT_SPEC, namespace={"type": "str", "required": True}, service={"type": "str", "required": True},
                           wait={"type": "int", "default": 0}),
        supports_check_mode=True)
    params = module.params
    conclude(module, lambda: patient(lambda: run(Store(
        KubeClient(params["kubeconfig"], params["request_timeout"]).request, params["namespace"], params["service"]), time.time()), params["wait"]))


if __name__ == "__main__":
    main()
