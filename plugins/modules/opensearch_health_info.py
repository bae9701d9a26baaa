#!/usr/bin/python
# Copyright (c) 2026, ironrack.cluster contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

DOCUMENTATION = r"""
---
module: opensearch_health_info
short_description: Judge the health of an OpenSearch cluster by an ordered list of named conditions
version_added: "0.1.0"
description:
  - Looks at a cluster from outside, as its clients do, and judges a list of small conditions in a fixed order, from the nodes' certificates over the
    elected cluster manager to shards, settings, disks and backups. The first red one is the one to mend first.
  - A condition passes, fails, or is inconclusive because what it looks at could not be read. Inconclusive is not a pass, and zero nodes never pass.
  - With O(wait) it asks again until every condition is green. Each condition is printed at the moment it turns green; a time-out is a failure
    that names every condition that is not green and what was seen last.
  - It runs where the API is reached (usually O(ignore:delegate_to) the model's C(client_host)), and changes nothing.
  - M(ironrack.cluster.opensearch_health) is what waits between two steps of a rolling operation; this one is for people, and for reports.
author:
  - ironrack.cluster contributors (@ironrack)
extends_documentation_fragment:
  - ironrack.cluster.opensearch_auth
  - ironrack.cluster.health
  - ironrack.cluster.health.wait
  - ironrack.cluster.attributes.no_diff
options:
  expected:
    description: What the cluster has to look like, the part C(opensearch) of what M(ironrack.cluster.cluster_model) returns.
    type: dict
    required: true
  repository:
    description:
      - The repository of the schedule's snapshots, whose age and proofs are judged then.
      - Where it is left out or empty, or O(expected) has no schedule, backups are not judged.
    type: str
    default: ""
  prove_every:
    description: Seconds between two proofs of the series. The last one that passed may be twice as old, and as old as a backup on top of it.
    type: int
    default: 604800
attributes:
  check_mode:
    description: Reads only.
    support: full
"""

EXAMPLES = r"""
- name: Wait until OpenSearch is as the inventory has it
  ironrack.cluster.opensearch_health_info:
    urls: "{{ cluster.opensearch.urls }}"
    ca_file: "{{ cluster.opensearch.ca_file }}"
    cert_file: "{{ cluster.opensearch.cert_file }}"
    key_file: "{{ cluster.opensearch.key_file }}"
    expected: "{{ cluster.opensearch }}"
    wait: 300
  delegate_to: "{{ cluster.client_host }}"
  become: false
  run_once: true
"""

RETURN = r"""
ok:
  description: Whether every condition passed.
  returned: always
  type: bool
verdict:
  description: V(pass), V(fail), or V(inconclusive) where nothing failed but something could not be judged.
  returned: always
  type: str
conditions:
  description: The conditions in their order, as M(ironrack.cluster.cluster_health_info) returns them.
  returned: always
  type: list
  elements: dict
  sample:
    - name: opensearch_green
      verdict: pass
      seen: green
      expected: green
      how_to_mend: ""
members:
  description: The nodes that are in the cluster, empty where it does not answer.
  returned: always
  type: list
  elements: dict
  contains:
    name:
      description: Name of the node.
      type: str
    version:
      description: Version of the engine.
      type: str
    zone:
      description: The zone that it says.
      type: str
    is_elected:
      description: Whether it is the elected cluster manager.
      type: bool
waited:
  description: Seconds until the result.
  returned: always
  type: float
"""

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.ironrack.cluster.plugins.module_utils._common.errors import conclude
from ansible_collections.ironrack.cluster.plugins.module_utils._health.watch import ARGUMENT_SPEC as WATCH_SPEC
from ansible_collections.ironrack.cluster.plugins.module_utils._health.watch import watch
from ansible_collections.ironrack.cluster.plugins.module_utils._opensearch.client import ARGUMENT_SPEC
from ansible_collections.ironrack.cluster.plugins.module_utils._opensearch.conditions import CONDITIONS
from ansible_collections.ironrack.cluster.plugins.module_utils._opensearch.observing import observe


def judged_series(params):
    """:returns: what the conditions compare with: the model's part, and the series of snapshots that is judged, or None."""
    schedule = params["expected"].get("schedule") or {}
    backups = dict(schedule, repository=params["repository"], proof_max_age=2 * params["prove_every"] + schedule["alert_after"]) if (
        schedule and params["repository"]) else None
    return dict(params["expected"], backups=backups)


def told(observation):
    """:returns: the members of an observation for the result."""
    return {"members": [{key: one[key] for key in ("name", "version", "zone", "is_elected")} for one in observation.values.get("members") or []]}


def main():
    """Ansible's entry point."""
    module = AnsibleModule(
        argument_spec=dict(ARGUMENT_SPEC, expected={"type": "dict", "required": True}, repository={"type": "str", "default": ""},
                           prove_every={"type": "int", "default": 604800}, **WATCH_SPEC),
        supports_check_mode=True)
    expected = judged_series(module.params)
    conclude(module, lambda: dict(watch(module, CONDITIONS, expected, lambda: observe(module.params, expected), told), changed=False))


if __name__ == "__main__":
    main()
