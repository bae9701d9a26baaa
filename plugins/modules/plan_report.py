#!/usr/bin/python
# Copyright (c) 2026, ironrack.cluster contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

DOCUMENTATION = r"""
---
module: plan_report
short_description: Say what a run would change, before it is made
version_added: "0.1.0"
description:
  - Prints, for each host and in words, what a run in check mode predicted, what would be restarted or reloaded, and what that means for
    etcd's quorum and for traffic. Writes the same as one HTML page (for people; it loads nothing from elsewhere) and as one JSON file (for
    programs).
  - Counts every result of the run that would change something, those of a site's own tasks among them. A callback beside the playbook C(plan)
    keeps them, and is loaded without any setting; where it kept nothing, this module fails, because an empty plan would be no plan.
  - Holds no secret. Of files it names the paths only.
author:
  - ironrack.cluster contributors (@ironrack)
extends_documentation_fragment:
  - ironrack.cluster.report
  - ironrack.cluster.report.files
  - ironrack.cluster.attributes.no_diff
options:
  certificates:
    description: RV(ironrack.cluster.pki_bundle#module:changes). The result that the callback sees of that module is hidden, as it holds keys.
    type: list
    elements: dict
    default: []
  hosts:
    description: The hosts that the run was allowed to look at. All of the cluster where not given.
    type: list
    elements: str
    default: []
attributes:
  check_mode:
    description: It does the same in check mode, since a plan is made in check mode. The two files are all that it ever writes.
    support: full
notes:
  - A plan is a reading and not a state, so it never reports a change.
"""

EXAMPLES = r"""
- name: Say what would change
  ironrack.cluster.plan_report:
    cluster: "{{ cluster }}"
    certificates: "{{ pki_bundle.changes }}"
    path: "{{ cluster.kubeconfig | dirname }}/{{ cluster.name }}-plan"
  run_once: true
"""

RETURN = r"""
files:
  description: Paths of the plan by its form.
  returned: success
  type: dict
  sample: {html: ~/.ironrack/ironrack/ironrack-plan.html, json: ~/.ironrack/ironrack/ironrack-plan.json}
text:
  description: What was printed.
  returned: success
  type: str
plan:
  description: The plan as data, as the JSON file has it.
  returned: success
  type: dict
  contains:
    verdict:
      description: V(nothing) would change, V(changes), or V(incomplete) where a host could not be looked at to the end.
      type: str
    counts:
      description: Numbers of C(changes) (pairs of host and task), of C(hosts) with changes of their own, of C(restarts), C(reloads) and
        hosts that are C(unknown).
      type: dict
    changed:
      description: Sorted [host, task] pairs of everything that would change. A run with the same options changes the same pairs.
      type: list
      elements: list
      sample: [[cp1, "The member is running and current"]]
    hosts:
      description:
        - Each host with its C(name), C(zone), C(roles), C(changes), C(means) (sentences) and C(unknown) (C(task) and C(why)).
        - A change has C(task), C(kind), C(words), C(items), C(host), C(where) it is made, and C(really), true where a task was carried out
          because it says C(check_mode=false) itself. Changes of units have C(units) with the action for each, those of etcd C(etcd), those
          of kubeadm C(kubeadm).
      type: list
      elements: dict
    shared:
      description: Changes that are made elsewhere on behalf of a host, as in the API or on the controller.
      type: list
      elements: dict
    quorum:
      description: What the plan means for etcd, in sentences.
      type: list
      elements: str
    traffic:
      description: What it means for those who use the cluster, in sentences.
      type: list
      elements: str
    warnings:
      description: What modules warned of on the way, such as settings that are not rolled out.
      type: list
      elements: str
    limited:
      description: Whether the plan is for a part of the hosts.
      type: bool
    made_at:
      description: When it was made, in UTC.
      type: str
"""
