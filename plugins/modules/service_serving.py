#!/usr/bin/python
# Copyright (c) 2026, ironrack.cluster contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

DOCUMENTATION = r"""
---
module: service_serving
short_description: Decide and record who answers for a service, its releases, its fallback pool or nobody
version_added: "0.1.0"
description:
  - Writes into the record of a service's rollouts who answers from now on, under a new generation, and returns what its load balancers are told.
    Whoever calls it gives that to M(ironrack.cluster.nginx_upstream) on each of them.
  - It needs no lock, no error budget and no metrics. A rollout that is under way holds where it is until the releases answer again; an undo and a
    way back go on.
  - Where no API answers, or its record cannot be read, the decision is made from what the load balancers say, under a generation far above theirs.
    RV(recorded) is V(false) then. What was decided is left on the balancers as the C(note) of RV(upstream), and the next call with an API takes it
    into the record.
  - A call that is made again changes nothing.
author:
  - ironrack.cluster contributors (@ironrack)
extends_documentation_fragment:
  - ironrack.cluster.kube_auth
options:
  request_timeout:
    description: Seconds for one request to the API. Short, because a stop should not wait for an API that is gone.
    type: int
    default: 5
  services:
    description: Descriptions of services, as C(llm_services) of the inventory has them.
    type: list
    elements: dict
    required: true
  service:
    description: The name of the one that is meant.
    type: str
    required: true
  request:
    description:
      - V(disable) takes the requests from the releases, V(enable) gives them back.
      - V(switch) makes O(provider) the one that is asked first.
    type: str
    choices: [disable, enable, switch]
    required: true
  serve:
    description: With V(disable), who answers instead. The fallback pool where the service has one, else nobody, unless it is said.
    type: str
    choices: [fallback, nobody]
  provider:
    description: With V(switch), the name of a server of the service's fallback pool; the others stand behind it. V(own) is the service's releases.
    type: str
    default: ""
  domain:
    description: The DNS domain of Services.
    type: str
    default: cluster.local
  balancers:
    description: Load balancer to its RV(ironrack.cluster.nginx_upstream_info#module:services). One that could not be asked is left out.
    type: dict
    required: true
  who:
    description: Who asks, in words that name a person.
    type: str
    required: true
  reason:
    description: Why, for the history. It has to be given.
    type: str
    default: ""
attributes:
  check_mode:
    description: Returns what would be decided, and does not record it.
    support: full
  diff_mode:
    description: Shows who answered and who answers.
    support: full
"""

EXAMPLES = r"""
- name: Nobody is to get another answer of the broken release
  ironrack.cluster.service_serving:
    kubeconfig: "{{ cluster.kubeconfig }}"
    services: "{{ llm_services }}"
    service: chat
    request: disable
    balancers: {lb1: "{{ traffic.services }}"}
    who: ann
    reason: it answers in the wrong language
  register: decision
"""

RETURN = r"""
upstream:
  description: The options of M(ironrack.cluster.nginx_upstream) for each load balancer of the service.
  returned: success
  type: dict
traffic:
  description: What is served, as in the intents of M(ironrack.cluster.rollout_intent), with V(serve) and V(chain).
  returned: success
  type: dict
recorded:
  description: Whether the record has it. V(false) where no API answered.
  returned: success
  type: bool
unrecorded_because:
  description: Why it could not be recorded.
  returned: success
  type: str
where:
  description: Who answers and where the service's rollouts stand, in one sentence.
  returned: success
  type: str
problems:
  description: Everything that is wrong with the wish.
  returned: when it cannot be carried out
  type: list
  elements: dict
"""

import json
import time

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.ironrack.cluster.plugins.module_utils._common.errors import IronrackError, conclude
from ansible_collections.ironrack.cluster.plugins.module_utils._kube.client import KubeClient, KubeUnreachable
from ansible_collections.ironrack.cluster.plugins.module_utils._release import machine, provider, serving
from ansible_collections.ironrack.cluster.plugins.module_utils._release.observation import Observation
from ansible_collections.ironrack.cluster.plugins.module_utils._release.record import RecordError
from ansible_collections.ironrack.cluster.plugins.module_utils._release.store import Store, settled
from ansible_collections.ironrack.cluster.plugins.module_utils._service import balancing, spec

#: From here on it is the API, or what stands behind it, that failed.
SERVER_ERROR = 500
#: An API that asks for patience does not answer, for a service that must stop.
OVERLOADED = 429


def statuses_of(balancers):
    """:returns: what each balancer says of itself: what its workers run, else what lies on its disk, with the note."""
    found = {}
    for name, entry in balancers.items():
        status = entry.get("running") or entry.get("disk")
        found[name] = dict(status, note=entry.get("note") or {}) if status else {}
    return found


class Decision:
    """One wish, with the record where that can be had and without it where it cannot.

    :param clock: seconds since 1970.
    """

    def __init__(self, params, check_mode, clock=time.time):
        self._params, self._check_mode, self._clock = params, check_mode, clock
        self._wish, self._service = provider.wish_of(
            params["request"], params["services"], params["service"], params["serve"], params["provider"], params["who"], params["reason"])
        entries = {name: (services or {}).get(params["service"]) or {} for name, services in sorted(params["balancers"].items())}
        self._statuses = statuses_of(entries)
        # The workers are what clients meet; a file that they have not read is nothing that is served.
        self._seen = Observation(balancers={name: {part: (entry.get("running") or {}).get(part) for part in ("generation", "weights")}
                                            for name, entry in entries.items()})

    def run(self):
        """:returns: the module's result."""
        params, service = self._params, self._service
        try:
            store = Store(KubeClient(params["kubeconfig"], params["request_timeout"]).request, service["namespace"], service["name"])
            return settled(lambda: self._with_record(store))
        except (KubeUnreachable, RecordError) as error:
            return self._without_record(str(error))
        except IronrackError as error:
            status = error.details.get("status", 0)
            if status < SERVER_ERROR and status != OVERLOADED:
                raise
            return self._without_record(str(error))

    def _with_record(self, store):
        now, stored = self._clock(), store.read()
        before = stored.record or serving.first(self._service["name"], self._service["stable"], self._statuses.values())
        after = serving.followed(before, self._wish, self._seen, now, self._note())
        changed = after != stored.record
        if changed and not self._check_mode:
            store.write(after, stored.version)
        traffic = after["traffic"]
        note = {} if traffic["serve"] == serving.RELEASES else after["serve"]
        return self._result(changed, traffic, note, machine.where(after), before["serve"] if stored.record else None, after["serve"])

    def _note(self):
        """:returns: what was left on the balancers with the newest generation."""
        newest = self._seen.newest()
        return next((one["note"] for one in self._statuses.values() if one.get("note") and one["generation"] == newest), None)

    def _without_record(self, why):
        top = serving.newest_of(self._statuses.values())
        traffic, note = serving.without_record(self._statuses.values(), self._wish, self._clock())
        changed = traffic["generation"] != top["generation"]
        words = serving.told({"serve": note}) if note else "its releases answer"
        where = "%s, by the balancers' own record under generation %d" % (words, traffic["generation"])
        return dict(self._result(changed, traffic, note, where, top["note"] or None, note), recorded=False, unrecorded_because=why)

    def _result(self, changed, traffic, note, where, before, after):
        shown = [json.dumps(one, indent=1, sort_keys=True) + "\n" if one else "" for one in (before, after)]
        header = "who answers for %s" % self._service["name"]
        upstream = balancing.options(spec.complete(self._service), traffic, self._params["domain"])
        return {"changed": changed, "traffic": traffic, "upstream": dict(upstream, note=note),
                "recorded": True, "unrecorded_because": "", "where": where,
                "diff": {"before_header": header, "after_header": header, "before": shown[0], "after": shown[1]}}


def main():
    """Ansible's entry point."""
    module = AnsibleModule(
        argument_spec=dict(
            kubeconfig={"type": "path", "required": True},
            request_timeout={"type": "int", "default": 5},
            services={"type": "list", "elements": "dict", "required": True},
            service={"type": "str", "required": True},
            request={"type": "str", "choices": list(provider.REQUESTS), "required": True},
            serve={"type": "str", "choices": ["fallback", "nobody"]},
            provider={"type": "str", "default": ""},
            domain={"type": "str", "default": "cluster.local"},
            balancers={"type": "dict", "required": True},
            who={"type": "str", "required": True},
            reason={"type": "str", "default": ""}),
        supports_check_mode=True)

    def work():
        decision = Decision(module.params, module.check_mode)
        result = decision.run()
        if not result["recorded"]:
            module.warn("not recorded, because %s. The next call that reaches the API takes it over from the balancers" % result["unrecorded_because"])
        return result

    conclude(module, work)


if __name__ == "__main__":
    main()
