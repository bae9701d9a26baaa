#!/usr/bin/python
# Copyright (c) 2026, ironrack.cluster contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

DOCUMENTATION = r"""
---
module: cluster_summary
short_description: Print what stands where, and what to try next
version_added: "0.1.0"
description:
  - Prints the hosts by zone as a drawing of less than 80 columns, the endpoint, what is not healthy, what a cluster of this shape does not promise,
    the path of the kubeconfig file, and commands to try next.
author:
  - ironrack.cluster contributors (@ironrack)
extends_documentation_fragment:
  - ironrack.cluster.report
  - ironrack.cluster.report.etcd
  - ironrack.cluster.attributes.no_diff
options:
  results:
    description:
      - Results of M(ironrack.cluster.cluster_health_info) and M(ironrack.cluster.opensearch_health_info). One that was skipped is left out.
    type: list
    elements: dict
    default: []
  addresses:
    description: Results of C(ip -json address show to VIP), one for each load balancer, as a loop registers them; they tell who holds the address.
    type: list
    elements: dict
    default: []
  format:
    description: Whether a text for people is printed, or a JSON document.
    type: str
    choices: [text, json]
    default: text
  next_steps:
    description: Whether the text ends with commands to try next.
    type: bool
    default: true
attributes:
  check_mode:
    description: It only prints.
    support: full
"""

EXAMPLES = r"""
- name: Say what stands where
  ironrack.cluster.cluster_summary:
    cluster: "{{ cluster }}"
    results: ["{{ cluster_health_result }}"]
  run_once: true
"""

RETURN = r"""
text:
  description: What was printed.
  returned: success
  type: str
summary:
  description: The same as data.
  returned: success
  type: dict
"""
