#!/usr/bin/python
# Copyright (c) 2026, ironrack.cluster contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

DOCUMENTATION = r"""
module: error_budget_info
short_description: Ask how much of a service's error budget is left, and what may still be released
version_added: "0.1.0"
author: "ironrack.cluster contributors (@ironrack)"
extends_documentation_fragment:
  - ironrack.cluster.prometheus
description:
  - Reads an SLO that rules record under the metric names of sloth (O(slo)), or computes one from a raw counter of requests by status (O(metric)).
  - The policy is V(go) where less than 50 % of the budget is consumed, V(slow) where less than 75 %, V(fixes) where less than 100 %, else V(frozen).
  - It is V(unknown), with the reason, and never V(go), where the history is younger than the window or has data for less than 90 % of it, where the last
    sample is older than O(max_age), where there was no request, and where Prometheus does not answer or warns.
  - A policy never fails the task. Input that cannot be judged does, with all the reasons at once.
attributes:
  check_mode:
    support: full
    description: Only reads.
  diff_mode:
    support: none
    description: There is nothing to compare.
options:
  service:
    description: Name of the service, the label C(sloth_service) of the rules or C(service) of the counter.
    type: str
    required: true
  slo:
    description: Name of the SLO, the label C(sloth_slo) of the rules. It or O(metric) has to be there.
    type: str
  metric:
    description: Name of a counter with the labels C(service) and C(status).
    type: str
  objective:
    description: The share of the requests that has to succeed, above 0 and below 1. Needed with O(metric); rules know their own.
    type: float
  window:
    description: Days that the budget is for, with O(metric). It is 30 where it is left out; rules know their own.
    type: int
  bad_status:
    description: A regular expression for the whole status of a request that failed, with O(metric). One without a status is bad too.
    type: str
    default: "5.."
  ignored_status:
    description: Likewise, of requests that do not count at all.
    type: str
    default: 429|499
  burn_window:
    description: The time that the present rate of burning is of.
    type: str
    choices: [5m, 30m, 1h, 2h, 6h, 1d, 3d]
    default: 1h
"""

EXAMPLES = r"""
- name: Ask for the budget of an SLO that rules record
  ironrack.cluster.error_budget_info:
    url: http://192.0.2.41:9090
    service: chat
    slo: availability
    max_age: 120
  register: budget

- name: Ask for the budget of raw counters
  ironrack.cluster.error_budget_info:
    url: http://192.0.2.41:9090
    service: chat
    metric: ironrack_upstream_tries_total
    objective: 0.999
    window: 30
  register: budget
"""

RETURN = r"""
policy:
  description: V(go), V(slow), V(fixes), V(frozen) or V(unknown).
  returned: success
  type: str
  sample: slow
reasons:
  description: The reasons in words.
  returned: success
  type: list
  elements: str
  sample: ["62.0 % of the error budget of 30 days is consumed: releases go on slowly, with a longer soak"]
consumed:
  description: The share of the budget that is consumed; over 1 where more than all of it. Null where it is not known, as with all numbers here.
  returned: success
  type: float
  sample: 0.62
remaining:
  description: The share that is left.
  returned: success
  type: float
  sample: 0.38
burn:
  description: How fast it is consumed over O(burn_window); at 1 it would last exactly for the window.
  returned: success
  type: float
  sample: 0.8
objective:
  description: The share of the requests that has to succeed.
  returned: success
  type: float
  sample: 0.999
window_days:
  description: Days that the budget is for.
  returned: success
  type: float
  sample: 30.0
history_days:
  description: How many days ago the first data of the window is.
  returned: success
  type: float
  sample: 29.98
covered:
  description: The share of the window that has data.
  returned: success
  type: float
  sample: 0.998
problems:
  description: What is wrong with the input, each with V(where), V(what), V(expected) and V(mend).
  returned: failure
  type: list
  elements: dict
"""

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.ironrack.cluster.plugins.module_utils._common.errors import conclude
from ansible_collections.ironrack.cluster.plugins.module_utils._slo import budget, prometheus, spec
from ansible_collections.ironrack.cluster.plugins.module_utils._slo.budget_asking import ask


def main():
    """Run the module."""
    module = AnsibleModule(
        argument_spec=dict(
            prometheus.ARGUMENT_SPEC,
            service=dict(type="str", required=True),
            slo=dict(type="str"),
            metric=dict(type="str"),
            objective=dict(type="float"),
            window=dict(type="int"),
            bad_status=dict(type="str", default=spec.DEFAULT_BAD),
            ignored_status=dict(type="str", default=spec.DEFAULT_IGNORED),
            burn_window=dict(type="str", choices=list(budget.BURN_WINDOWS), default="1h")),
        supports_check_mode=True)
    conclude(module, lambda: ask(module.params))


if __name__ == "__main__":
    main()
