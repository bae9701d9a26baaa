#!/usr/bin/python
# Copyright (c) 2026, ironrack.cluster contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

DOCUMENTATION = r"""
---
module: rollout_intent
short_description: Record and return the next step of a service's rollout
version_added: "0.1.0"
description:
  - Takes or renews the lock of a service's rollouts, compares the record with what was seen of the world, writes the next intent into the record
    and returns it. Whoever calls it carries the intent out, looks at the world, and calls it again, until the intent is V(done).
  - The record is written before anything is done, and every intent can be carried out more than once. So a run that was killed anywhere is
    simply repeated, with the same request.
  - An intent is over when it is seen to be carried out. What only its doer can know, the verdict of a gate or of a warm-up, is given in
    O(observation) with the intent's generation.
  - All effects carry the generation of their intent. Balancers have to refuse an older one than they have, and objects of a release carry it
    in the annotation C(ironrack.cluster/generation), which comes back in O(observation).
  - The states and intents are listed in docs/rollout-engine.md of the collection.
author:
  - ironrack.cluster contributors (@ironrack)
extends_documentation_fragment:
  - ironrack.cluster.kube_auth
  - ironrack.cluster.kube_auth.timeout
  - ironrack.cluster.rollout
options:
  request:
    description:
      - What is asked for. One that is under way or done already is no error and changes nothing, but for V(promote), which ends one gate.
      - V(begin) starts a rollout of O(candidate) by O(strategy), or goes on with it.
      - V(continue) goes on with whatever is under way.
      - V(promote) ends the gate, or the time for which the old release is kept, now. V(promote_full) ends all of them.
      - V(undo) gives the traffic back to the release before, or turns a rollout back that is under way.
    type: str
    choices: [begin, continue, promote, promote_full, undo]
    default: continue
  holder:
    description: Who drives the rollout, in words that name a person and a host. No two runs may use the same.
    type: str
    required: true
  fence:
    description:
      - RV(fence) of this run's first call. Leave it out in that call only.
      - A run that lost the lock meanwhile is refused.
    type: int
  lease_duration:
    description: Seconds that the lock lasts without another call. Clocks of controllers may differ by 5 seconds.
    type: int
    default: 60
  lock_wait:
    description: Seconds to wait for the lock in a first call while somebody else has it, such as a run that was killed.
    type: int
    default: 0
  give_back:
    description: Whether the lock is given back after this call, because this run ends before the rollout. With the intent V(done) it always is.
    type: bool
    default: false
  strategy:
    description: How the candidate gets the traffic. Read with V(begin) only.
    type: str
    choices: [canary, blue_green, rolling]
    default: canary
  stable:
    description: The release that has the traffic. Read for a service without a record only.
    type: str
  candidate:
    description:
      - The release that is to get the traffic. Needed with V(begin).
      - With V(undo) it is the release before unless given. It has to be given where the last rollout was an undo itself or was rolled back, so
        that an undo that is repeated does not undo itself.
    type: str
  settings:
    description:
      - Settings of the strategy. V(replicas), the size of the stable release in pods, is always needed.
      - All know V(extensions) (how often a gate without a clear verdict gets more time, 3), V(ready_timeout) (seconds for pods to get ready, 900),
        V(effect_timeout) (seconds for any other effect to be seen, 300), V(keep) (seconds that the old release stays warm; 600, V(blue_green) 3600, undo 0).
      - V(canary) knows V(steps) (percent, rising to 100; V([5, 25, 50, 100])), V(soak) (seconds at each step, 300), V(minimum) (pods that the
        candidate has at least, 2).
      - V(blue_green) knows V(watch) (seconds at 100 percent before the gate, 600).
      - V(rolling) needs V(zones), a list in the order of the batches, and knows V(soak).
    type: dict
    default: {}
  releases:
    description:
      - Release to its description, which is kept for an undo and not read. No secrets.
      - Releases that are neither here nor in the record are unknown.
    type: dict
    default: {}
  observation:
    description: What was seen of the world just before this call.
    type: dict
    default: {}
    suboptions:
      releases:
        description:
          - Release to a dictionary of V(replicas) and V(ready) (pods wanted and ready), V(generation) (of its annotation), V(uid) and V(resource_version),
            and with V(rolling) V(zones) (zone to pods wanted there). One that is not there is left out.
          - Left out as a whole where the API did not answer.
        type: dict
      balancers:
        description: Balancer to a dictionary of V(generation), V(weights) (release to the percent that it serves), V(addresses) (release to number; left
          out by a balancer that awaits them itself) and V(away), which says that no client reaches it. An empty one did not answer.
        type: dict
        default: {}
      outcome:
        description: V(generation) of the last intent, V(verdict) (V(pass), V(fail) or V(inconclusive)) and V(why).
        type: dict
  reason:
    description: Why, for the history.
    type: str
    default: ""
attributes:
  check_mode:
    description: Returns the intent that would be recorded. Neither the record nor the lock is written.
    support: full
  diff_mode:
    description: Shows where the rollout stood and stands, and what was added to the history.
    support: full
"""

EXAMPLES = r"""
- name: The next step of the canary
  ironrack.cluster.rollout_intent:
    kubeconfig: "{{ cluster.kubeconfig }}"
    namespace: inference
    service: chat
    request: begin
    holder: ann@ops1 run 4711
    strategy: canary
    stable: v1
    candidate: v2
    settings:
      replicas: 6
      steps: [10, 50, 100]
    releases:
      v2: {image: "registry.example/chat@sha256:4bf5122f344554c53bde2ebb8cd2b7e3d1600ad631c385a5d7cce23c7785459a"}
    observation:
      releases:
        v1: {replicas: 6, ready: 6}
      balancers:
        lb1: {generation: 3, weights: {v1: 100}}
        lb2: {generation: 3, weights: {v1: 100}}
    reason: the new model
  register: rollout
"""

RETURN = r"""
intent:
  description:
    - What is to be done now. V(kind) says what, V(release) of which release, V(generation) with which number, V(since) and V(until) are
      seconds since 1970, V(awaits) says what was seen to be missing.
    - V(traffic) is what the balancers are told, with V(generation), V(stable), V(candidate), V(weight) of the candidate and V(weights) of all.
    - V(replicas) and V(zones) say how many pods are deployed, V(stable_replicas) the size below which nobody scales the stable release,
      V(precondition) the uid and version of what is taken away, V(repairs) the balancers that came back with an older generation.
    - V(phase) is V(forward) or V(back), V(why) the reason, V(paused) whether a pause is set, V(overdue) whether a way back takes too long.
    - With V(done) it is how the last rollout ended, with V(result), which is V(promoted) or V(rolled_back).
  returned: success
  type: dict
fence:
  description: The number of this run's tenure of the lock, for its next call. Null in check mode.
  returned: success
  type: int
where:
  description: Where the service's rollouts stand, in one sentence.
  returned: success
  type: str
flags:
  description: The flags that are set.
  returned: success
  type: dict
"""

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.ironrack.cluster.plugins.module_utils._common.errors import conclude
from ansible_collections.ironrack.cluster.plugins.module_utils._kube.client import ARGUMENT_SPEC, KubeClient
from ansible_collections.ironrack.cluster.plugins.module_utils._release.driver import Driver
from ansible_collections.ironrack.cluster.plugins.module_utils._release.request import REQUESTS
from ansible_collections.ironrack.cluster.plugins.module_utils._release.settings import STRATEGIES
from ansible_collections.ironrack.cluster.plugins.module_utils._release.store import Store


def main():
    """Ansible's entry point."""
    seen = {"releases": {"type": "dict"}, "balancers": {"type": "dict", "default": {}}, "outcome": {"type": "dict"}}
    module = AnsibleModule(
        argument_spec=dict(
            ARGUMENT_SPEC,
            namespace={"type": "str", "required": True},
            service={"type": "str", "required": True},
            request={"type": "str", "choices": list(REQUESTS), "default": "continue"},
            holder={"type": "str", "required": True},
            fence={"type": "int"},
            lease_duration={"type": "int", "default": 60},
            lock_wait={"type": "int", "default": 0},
            give_back={"type": "bool", "default": False},
            strategy={"type": "str", "choices": list(STRATEGIES), "default": "canary"},
            stable={"type": "str"},
            candidate={"type": "str"},
            settings={"type": "dict", "default": {}},
            releases={"type": "dict", "default": {}},
            observation={"type": "dict", "default": {}, "options": seen},
            reason={"type": "str", "default": ""}),
        required_if=[("request", "begin", ["candidate"])],
        supports_check_mode=True)

    def work():
        params = module.params
        store = Store(KubeClient(params["kubeconfig"], params["request_timeout"]).request, params["namespace"], params["service"])
        return Driver(params, store, module.check_mode).run()

    conclude(module, work)


if __name__ == "__main__":
    main()
