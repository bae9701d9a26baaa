#!/usr/bin/python
# Copyright (c) 2026, ironrack.cluster contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

DOCUMENTATION = r"""
module: metric_gate
short_description: Judge a release of a service by what Prometheus measures
version_added: "0.1.0"
author: "ironrack.cluster contributors (@ironrack)"
extends_documentation_fragment:
  - ironrack.cluster.prometheus
description:
  - Compares raw counters of now with those of the beginning of a step, all in the clock of Prometheus, and judges each gate with V(pass), V(fail) or
    V(inconclusive).
  - A gate of kind C(errors) counts each try of the balancers by its HTTP status; one of kind C(latency) counts requests that took longer than
    a bucket's bound; one of kind C(query) takes one number of any PromQL.
  - A gate that counts fails with at least 3 bad requests and an exact p below 0.01 divided by O(looks), against C(ratio) times the rate of the baseline
    (a conditional binomial test) or against C(fail_limit) (a binomial one). Over the limit beside a baseline that it is not proved to be worse than, it
    is inconclusive, since what makes both suffer is not the release's.
  - It passes at the end of a step only, where the 95 % upper bound of its rate (Clopper and Pearson, one-sided) lies under C(limit). With no bad request that
    takes 59 of them for 5 %, and 299 for 1 %.
  - All else is inconclusive, with the reason. That includes a Prometheus that does not answer, or warns; no series, and series that are gone, stale, reset,
    negative or no number; and no request at all. Whoever calls decides how often to extend a step before rolling back.
  - A verdict never fails the task. Input that cannot be judged does, with all the reasons at once.
attributes:
  check_mode:
    support: full
    description: Only reads, and judges as ever.
  diff_mode:
    support: none
    description: There is nothing to compare.
options:
  service:
    description: Name of the service, the label C(service) of its series.
    type: str
    required: true
  release:
    description: Name of the release that is judged, the label C(release) of its series.
    type: str
    required: true
  baseline:
    description:
      - Name of the release that it is compared with. It has to run, and to be asked, during the same time.
      - Without it the limits alone count.
    type: str
    default: ""
  since:
    description:
      - When the step began, in seconds of Unix time of the clock of Prometheus; the RV(time) of an earlier call is such a moment.
      - Without it no request is counted, and gates that count are inconclusive.
    type: float
  looks:
    description: How many times the whole rollout means to judge, over all steps and extensions. More looks need more evidence each.
    type: int
    required: true
  end_of_step:
    description: Whether the step is over. Before its end no gate passes.
    type: bool
    default: false
  gates:
    description: What the release is judged by, at least one gate.
    type: list
    elements: dict
    required: true
    suboptions:
      name:
        description: Name of the gate, once each. It has to be there.
        type: str
      kind:
        description: One of C(errors), C(latency) and C(query). It has to be there.
        type: str
      metric:
        description:
          - Of kind C(errors) the name of a counter with the labels C(service), C(release) and C(status).
          - Of kind C(latency) the name of a histogram's buckets in seconds, which ends in C(_bucket).
          - Of kind C(query) a selector of series that the query reads. There has to be one, and all have to have a sample of the last O(max_age) seconds.
          - It has to be there.
        type: str
      limit:
        description: Of the kinds that count, the share of bad requests, above 0 and below 1, that the release has to be proved to stay under.
        type: float
      fail_limit:
        description: The share that the release has to be proved to be over, to fail. The same as C(limit) where it is left out, and never less.
        type: float
      ratio:
        description: How many times the rate of the baseline is still good, from 1. It is 2 where it is left out.
        type: float
      bad_status:
        description: Of kind C(errors), a regular expression for the whole status. It is C(5..) where it is left out. A try without a status is bad too.
        type: str
      ignored_status:
        description: Likewise, for tries that do not count at all. It is C(429|499) where it is left out.
        type: str
      bound:
        description: Of kind C(latency), seconds over which a request is bad. The histogram has to have a bucket of that bound.
        type: float
      buckets:
        description: The bounds that the histogram has, in seconds, to refuse another O(gates[].bound) before anything was measured.
        type: list
        elements: float
      query:
        description: Of kind C(query), PromQL that gives one number.
        type: str
      at_most:
        description: Numbers over this one do not pass. It or O(gates[].at_least) has to be there.
        type: float
      fail_over:
        description: Numbers over this one fail, those between are inconclusive. The same as O(gates[].at_most) where it is left out.
        type: float
      at_least:
        description: Numbers under this one do not pass.
        type: float
      fail_under:
        description: Numbers under this one fail, those between are inconclusive. The same as O(gates[].at_least) where it is left out.
        type: float
notes:
  - A release that is as good as its baseline is failed with a probability of at most 1 % in a whole rollout, for each comparison of each gate.
"""

EXAMPLES = r"""
- name: Judge release v2 at the end of a step
  ironrack.cluster.metric_gate:
    url: http://192.0.2.41:9090
    service: chat
    release: v2
    baseline: v1
    since: 1795312800.0
    looks: 20
    end_of_step: true
    gates:
      - name: errors
        kind: errors
        metric: ironrack_upstream_tries_total
        limit: 0.01
        fail_limit: 0.05
      - name: p95 under 2 s
        kind: latency
        metric: ironrack_request_duration_seconds_bucket
        bound: 2
        limit: 0.05
      - name: memory
        kind: query
        metric: container_memory_working_set_bytes{namespace="chat"}
        query: max(container_memory_working_set_bytes{namespace="chat"}) / 2^30
        at_most: 60
        fail_over: 70
  register: verdict
"""

RETURN = r"""
verdict:
  description: V(fail) where a gate failed, V(pass) where all passed, else V(inconclusive).
  returned: success
  type: str
  sample: inconclusive
reasons:
  description: Each gate's reasons in words.
  returned: success
  type: list
  elements: str
  sample: ["errors (inconclusive): the step is not over: 0 of 180 bad so far"]
time:
  description: When it was judged, in seconds of Unix time of the clock of Prometheus; null where it did not answer.
  returned: success
  type: float
  sample: 1795313400.0
gates:
  description:
    - Each gate with V(name), V(kind), V(verdict), V(reasons) and the numbers that led to it. What is not known is null.
    - Those that count have V(candidate) and V(baseline) (each with V(bad), V(total) and V(share)), V(limit), V(fail_limit), V(bound) in seconds, V(ratio),
      V(p_limit), V(p_baseline) and V(p_alike) with V(alarm) that they have to be below, V(upper_bound), and V(requests_needed), how many requests without a
      bad one a pass would still take.
    - Those of kind C(query) have V(value) and the limits.
  returned: success
  type: list
  elements: dict
problems:
  description: What is wrong with the input, each with V(where), V(what), V(expected) and V(mend).
  returned: failure
  type: list
  elements: dict
"""

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.ironrack.cluster.plugins.module_utils._common.errors import conclude
from ansible_collections.ironrack.cluster.plugins.module_utils._slo.judging import judge
from ansible_collections.ironrack.cluster.plugins.module_utils._slo.prometheus import ARGUMENT_SPEC

# Ansible may turn what it can into these types; what has to be there, and what goes together, is judged with all the rest.
GATE = dict([(name, {"type": "str"}) for name in ("name", "kind", "metric", "bad_status", "ignored_status", "query")]
            + [(name, {"type": "float"}) for name in ("limit", "fail_limit", "ratio", "bound", "at_most", "fail_over", "at_least", "fail_under")],
            buckets={"type": "list", "elements": "float"})


def main():
    """Run the module."""
    module = AnsibleModule(
        argument_spec=dict(
            ARGUMENT_SPEC,
            service=dict(type="str", required=True),
            release=dict(type="str", required=True),
            baseline=dict(type="str", default=""),
            since=dict(type="float"),
            looks=dict(type="int", required=True),
            end_of_step=dict(type="bool", default=False),
            gates=dict(type="list", elements="dict", required=True, options=GATE)),
        supports_check_mode=True)
    conclude(module, lambda: judge(module.params))


if __name__ == "__main__":
    main()
