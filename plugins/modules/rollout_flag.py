#!/usr/bin/python
# Copyright (c) 2026, ironrack.cluster contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

DOCUMENTATION = r"""
---
module: rollout_flag
short_description: Pause, resume, abort or promote a service's rollout
version_added: "0.1.0"
description:
  - Sets or takes away a flag beside the rollout's record. It needs no lock; whoever drives the rollout follows it at its next look.
  - A pause holds the rollout where it is. Its gate is still watched, and one that fails turns the rollout back all the same.
  - An abort turns the rollout back, the traffic first, up to the moment when the old release begins to go. Where nobody drives the rollout,
    the next one that does follows it.
  - A promote ends the gate that is under way, or the time for which the old release is kept; V(promote_full) ends all that are left. A gate that
    failed is not overridden.
  - A flag is for the rollout that is under way only. Without one, all but a resume are refused.
author:
  - ironrack.cluster contributors (@ironrack)
extends_documentation_fragment:
  - ironrack.cluster.kube_auth
  - ironrack.cluster.kube_auth.timeout
  - ironrack.cluster.rollout
  - ironrack.cluster.attributes.predicts
options:
  request:
    description: What is asked for.
    type: str
    choices: [pause, resume, abort, promote, promote_full]
    required: true
  who:
    description: Who asks, for the history.
    type: str
    required: true
  reason:
    description: Why, for the history.
    type: str
    default: ""
attributes:
  diff_mode:
    description: Shows the flags before and after.
    support: full
"""

EXAMPLES = r"""
- name: The rollout of chat turns back
  ironrack.cluster.rollout_flag:
    kubeconfig: "{{ cluster.kubeconfig }}"
    namespace: inference
    service: chat
    request: abort
    who: ann
    reason: answers are empty
"""

RETURN = r"""
flags:
  description: The flags that are set now, or would be, each with V(rollout), V(who), V(why) and V(when).
  returned: success
  type: dict
where:
  description: Where the service's rollouts stand, in one sentence.
  returned: success
  type: str
"""

import json
import time

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.ironrack.cluster.plugins.module_utils._common.errors import IronrackError, conclude
from ansible_collections.ironrack.cluster.plugins.module_utils._kube.client import ARGUMENT_SPEC, KubeClient
from ansible_collections.ironrack.cluster.plugins.module_utils._release import flags, machine
from ansible_collections.ironrack.cluster.plugins.module_utils._release.store import Store, settled


def run(params, store, check_mode, now):
    """:returns: the module's result."""
    stored = store.read()
    if stored.record is None:
        raise IronrackError("there is no %s: service %s has had no rollout" % (store.where, params["service"]))
    change = flags.change(stored.record, stored.flags, params["request"], params["who"], params["reason"], now)
    after = dict(stored.flags)
    if change:
        name, value = change
        after.pop(name, None)
        if value:
            after[name] = value
        if not check_mode:
            store.flag(name, value, stored.version)
    shown = [json.dumps(one, indent=1, sort_keys=True) + "\n" for one in (stored.flags, after)]
    return {"changed": bool(change), "flags": after, "where": machine.where(stored.record),
            "diff": {"before_header": store.where, "after_header": store.where, "before": shown[0], "after": shown[1]}}


def main():
    """Ansible's entry point."""
    module = AnsibleModule(
        argument_spec=dict(
            ARGUMENT_SPEC,
            namespace={"type": "str", "required": True},
            service={"type": "str", "required": True},
            request={"type": "str", "choices": list(flags.REQUESTS), "required": True},
            who={"type": "str", "required": True},
            reason={"type": "str", "default": ""}),
        supports_check_mode=True)

    def work():
        params = module.params
        store = Store(KubeClient(params["kubeconfig"], params["request_timeout"]).request, params["namespace"], params["service"])
        return settled(lambda: run(params, store, module.check_mode, time.time()))

    conclude(module, work)


if __name__ == "__main__":
    main()
