#!/usr/bin/python
# Copyright (c) 2026, ironrack.cluster contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

DOCUMENTATION = r"""
---
module: health_report
short_description: Write a report of a cluster's health for people and for programs
version_added: "0.1.0"
description:
  - Writes what the health conditions found as one HTML page (for people; it loads nothing from elsewhere) and as one JSON file (for programs),
    and then fails where a condition is not green.
  - It holds no secret. Both files are replaced as a whole.
author:
  - ironrack.cluster contributors (@ironrack)
extends_documentation_fragment:
  - ironrack.cluster.report
  - ironrack.cluster.report.etcd
  - ironrack.cluster.report.files
  - ironrack.cluster.attributes.no_diff
options:
  results:
    description:
      - Results of M(ironrack.cluster.cluster_health_info), M(ironrack.cluster.network_check) and M(ironrack.cluster.opensearch_health_info).
        One that was skipped is left out.
    type: list
    elements: dict
    required: true
  fail:
    description: Whether the task fails when a condition is not green, after the report was written. No condition at all is not green.
    type: bool
    default: true
attributes:
  check_mode:
    description: In check mode nothing is written.
    support: full
notes:
  - A report is a reading and not a state, so it never reports a change.
"""

EXAMPLES = r"""
- name: Report, and fail where a condition is not green
  ironrack.cluster.health_report:
    cluster: "{{ cluster }}"
    results: ["{{ cluster_health_result }}"]
    path: "{{ cluster.kubeconfig | dirname }}/{{ cluster.name }}-health"
  run_once: true
"""

RETURN = r"""
ok:
  description: Whether every condition passed.
  returned: always
  type: bool
verdict:
  description: V(pass), V(fail), V(inconclusive) or V(not judged).
  returned: always
  type: str
counts:
  description: Number of conditions by verdict.
  returned: always
  type: dict
  sample: {pass: 19, fail: 0, inconclusive: 0, skipped: 0}
files:
  description: Paths of the report by its form.
  returned: always
  type: dict
  sample: {html: ~/.ironrack/ironrack/ironrack-health.html, json: ~/.ironrack/ironrack/ironrack-health.json}
"""
