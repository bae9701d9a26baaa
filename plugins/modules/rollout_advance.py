#!/usr/bin/python
# Copyright (c) 2026, ironrack.cluster contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

DOCUMENTATION = r"""
---
module: rollout_advance
short_description: Drive a service's rollout until the balancers, a person or its end are needed
version_added: "0.1.0"
description:
  - Looks at pods and balancers, asks the engine for the next intent (as M(ironrack.cluster.rollout_intent) does, under the same lock and into the same
    record), carries out what needs no host of a balancer, and looks again. It deploys, waits, judges gates, keeps, scales down and deletes.
  - It comes back with RV(need), which says what its caller has to do before the next call, with RV(state) of this one. A run that was killed anywhere is
    repeated without a state. The role rollout does all that.
  - The line in RV(progress) is printed after each O(stint), so that a terminal or AWX shows step, weight, verdict so far and time left.
  - V(abort) and V(undo) move the traffic where no API answers, too. The balancers get it under a generation far above theirs, and the engine turns the
    rollout back when the API is there again.
  - A beginning is refused with all reasons at once and before any change, the error budget among them.
author:
  - ironrack.cluster contributors (@ironrack)
extends_documentation_fragment:
  - ironrack.cluster.kube_auth
  - ironrack.cluster.kube_auth.timeout
options:
  request:
    description:
      - What is asked for. All can be repeated.
      - V(begin), V(continue) and V(undo) are those of M(ironrack.cluster.rollout_intent). V(abort), V(pause), V(resume), V(promote) and V(promote_full) set
        the flags of M(ironrack.cluster.rollout_flag), whoever has the lock; all but a pause then drive on where nobody does.
      - V(give_back) ends this run and gives its lock back.
    type: str
    choices: [begin, continue, undo, abort, promote, promote_full, pause, resume, give_back]
    default: continue
  service:
    description: The service's description, as C(llm_services) has it. Defaults are filled in.
    type: dict
    required: true
  release:
    description: The candidate, with V(begin). With V(undo) the release to go back to, where it is not the one before.
    type: str
    default: ""
  strategy:
    description: How the candidate gets the traffic.
    type: str
    choices: [canary, blue_green, rolling]
    default: canary
  balancers:
    description: Address of each load balancer by its name.
    type: dict
    required: true
  zones:
    description: The cluster's zones in their order.
    type: list
    elements: str
    default: []
  domain:
    description: DNS domain of Services.
    type: str
    default: cluster.local
  profile:
    description: C(cluster_profile). V(production) asks more of a description.
    type: str
    default: standard
  who:
    description: Who asks, for the history and for the lock.
    type: str
    required: true
  reason:
    description: Why, for the history.
    type: str
    default: ""
  override:
    description: Why a release begins although the error budget says no. It goes into the history.
    type: str
    default: ""
  lease_duration:
    description: Seconds that the lock lasts without a look.
    type: int
    default: 60
  lock_wait:
    description: Seconds to wait for the lock while somebody else has it, such as a run that was killed.
    type: int
    default: 90
  patience:
    description: Seconds that no API may answer, and that a way back may take longer than planned, before this run ends.
    type: int
    default: 900
  stint:
    description: Seconds after which the progress is said.
    type: int
    default: 30
  pods_from:
    description: Who sends warm-up requests. V(balancers) leaves them to the caller (RV(need=pods)), V(client) sends them from here, which needs routes.
    type: str
    choices: [balancers, client]
    default: balancers
  warmed:
    description: Results of M(ironrack.cluster.rollout_warm_up), one for each host that asked the pods.
    type: list
    elements: dict
    default: []
  handled:
    description: Names of the hooks that the caller runs, as in C(hooks) of the description.
    type: list
    elements: str
    default: []
  report_dir:
    description: Folder of the journals, from which reports are made.
    type: path
    required: true
  state:
    description: RV(state) of this run's call before. Empty in its first.
    type: dict
    default: {}
attributes:
  check_mode:
    description: A beginning is judged as ever, and the first intent is returned. Nothing is written.
    support: full
  diff_mode:
    description: The record shows what was done.
    support: none
notes:
  - An action plugin of the same name calls it stint by stint and prints the progress.
"""

EXAMPLES = r"""
- name: Release v2 of chat by a canary
  ironrack.cluster.rollout_advance:
    kubeconfig: "{{ cluster.kubeconfig }}"
    request: begin
    service: "{{ llm_services | selectattr('name', 'eq', 'chat') | first }}"
    release: v2
    balancers: {lb1: 192.0.2.11, lb2: 192.0.2.12}
    who: ann
    reason: the new model
    report_dir: ~/.ironrack/ironrack/rollouts
  delegate_to: localhost
  run_once: true
  register: rollout
"""

RETURN = r"""
need:
  description: V(balancers) have to get RV(upstream); V(pods) have to get warm-up requests; V(hooks) have to be run; V(time) of this call is over; V(nothing)
    is left to do for this run.
  returned: success
  type: str
result:
  description: V(under way), or with RV(need=nothing) V(promoted), V(rolled_back), V(paused), V(followed) (whoever has the lock does it), V(moved) (the
    balancers, without the record), or V(predicted) in check mode.
  returned: success
  type: str
why:
  description: The reason of a result.
  returned: success
  type: str
progress:
  description: Where the rollout stands, in one line.
  returned: success
  type: str
where:
  description: Where the service's rollouts stand, in one sentence.
  returned: success
  type: str
rollout:
  description: The number of the rollout; null without one.
  returned: success
  type: int
intent:
  description: The engine's last intent.
  returned: success
  type: dict
upstream:
  description: The options of M(ironrack.cluster.nginx_upstream), for all balancers.
  returned: with RV(need=balancers)
  type: dict
pods:
  description: Name and address of the pods to ask.
  returned: with RV(need=pods)
  type: list
  elements: dict
port:
  description: Their port.
  returned: with RV(need=pods)
  type: int
warm_up:
  description: The requests, as the description has them.
  returned: with RV(need=pods)
  type: dict
turns:
  description: How many times this run has needed its caller.
  returned: success
  type: int
events:
  description: What has happened since the last call and has a hook, each with V(event), V(where), V(why), V(weight), V(candidate) and V(stable).
  returned: success
  type: list
  elements: dict
remarks:
  description: What went wrong on the way and stopped nothing, such as a webhook that could not be told.
  returned: success
  type: list
  elements: str
journal:
  description: Path of the rollout's journal on the host where this ran.
  returned: success
  type: str
state:
  description: For the next call of this run.
  returned: success
  type: dict
problems:
  description: All that stands against a beginning, each with V(where), V(what), V(expected) and V(mend).
  returned: failure
  type: list
  elements: dict
"""

import select

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.ironrack.cluster.plugins.module_utils._common.errors import conclude
from ansible_collections.ironrack.cluster.plugins.module_utils._kube.client import ARGUMENT_SPEC, KubeClient, KubeUnreachable
from ansible_collections.ironrack.cluster.plugins.module_utils._release.settings import STRATEGIES
from ansible_collections.ironrack.cluster.plugins.module_utils._release.store import Store
from ansible_collections.ironrack.cluster.plugins.module_utils._rollout.journal import Journal
from ansible_collections.ironrack.cluster.plugins.module_utils._rollout.loop import Loop
from ansible_collections.ironrack.cluster.plugins.module_utils._rollout.opening import REQUESTS
from ansible_collections.ironrack.cluster.plugins.module_utils._rollout.world import World
from ansible_collections.ironrack.cluster.plugins.module_utils._service.spec import complete

#: Where the result is written; what stands for it in Python may be something else.
STDOUT = 1
SPEC = dict(
    ARGUMENT_SPEC,
    request={"type": "str", "choices": list(REQUESTS), "default": "continue"},
    service={"type": "dict", "required": True},
    release={"type": "str", "default": ""},
    strategy={"type": "str", "choices": list(STRATEGIES), "default": "canary"},
    balancers={"type": "dict", "required": True},
    zones={"type": "list", "elements": "str", "default": []},
    domain={"type": "str", "default": "cluster.local"},
    profile={"type": "str", "default": "standard"},
    who={"type": "str", "required": True},
    reason={"type": "str", "default": ""},
    override={"type": "str", "default": ""},
    lease_duration={"type": "int", "default": 60},
    lock_wait={"type": "int", "default": 90},
    patience={"type": "int", "default": 900},
    stint={"type": "int", "default": 30},
    pods_from={"type": "str", "choices": ["balancers", "client"], "default": "balancers"},
    warmed={"type": "list", "elements": "dict", "default": []},
    handled={"type": "list", "elements": "str", "default": []},
    report_dir={"type": "path", "required": True},
    state={"type": "dict", "default": {}})


def client(params):
    """:returns: what sends requests to the API. Without a kubeconfig nothing answers, which is for the loop to judge."""
    try:
        return KubeClient(params["kubeconfig"], params["request_timeout"]).request
    except KubeUnreachable as error:
        reason = error

        def silent(*arguments, **options):
            raise reason

        return silent


def lives():
    """:returns: whether somebody still reads what this prints. After a kill of the run that called, nobody does, and the lock must get free."""
    poll = select.poll()
    poll.register(STDOUT, 0)
    return not any(event & (select.POLLERR | select.POLLNVAL) for _handle, event in poll.poll(0))


def run(params, check_mode, alive=lives):
    """:returns: the module's result."""
    service = complete(params["service"])
    request = client(params)
    world = World(service, request, params["balancers"], params["zones"], params["domain"])
    store = Store(request, service["namespace"], service["name"])
    journal = Journal(params["report_dir"], service["name"])
    return Loop(dict(params, description=params["service"]), world, store, journal, dict(params["state"]), check_mode, alive).run()


def main():
    """Ansible's entry point."""
    module = AnsibleModule(argument_spec=SPEC, supports_check_mode=True)
    conclude(module, lambda: run(module.params, module.check_mode))


if __name__ == "__main__":
    main()
