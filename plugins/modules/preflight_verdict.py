#!/usr/bin/python
# Copyright (c) 2026, ironrack.cluster contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

DOCUMENTATION = r"""
module: preflight_verdict
short_description: Judge the probes of all hosts at once
version_added: "0.1.0"
author:
  - ironrack.cluster contributors (@ironrack)
description:
  - Reads what M(ironrack.cluster.preflight_probe) registered for each host, adds what only a comparison of hosts shows (one machine under
    two names, clocks apart, versions that do not go together, a lost certificate store) and what is wrong with the bundle on the
    controller, and fails once with all problems of all hosts, unreachable ones included.
  - Opens no connection.
options:
  hosts:
    description: Names of the hosts to judge.
    type: list
    elements: str
    required: true
  results:
    description: Name of the variable that the probe was registered as.
    type: str
    default: preflight_host
  accept:
    description: Checks whose problems become warnings, since the site knows better.
    type: list
    elements: str
    default: []
    choices:
      - root
      - operating_system
      - machine
      - python
      - systemd
      - memory
      - disk
      - file_handles
      - cgroups
      - kernel
      - free_ports
      - own_address
      - foreign_cluster
      - fixed_settings
      - removed_host
      - version
      - another_minor
      - left_out
      - authorities
      - foreign_etcd
      - container_runtime
      - openssl
      - opensearch_version
      - opensearch_name
      - opensearch_roles
      - opensearch_heap
      - same_machine
      - clock
      - version_skew
      - lost_authorities
      - bundle
  mirror:
    description: Whether this run brings a bundle to the mirror, so that it has to be whole.
    type: bool
    default: false
  bundle:
    description: The bundle's folder on the controller.
    type: str
    default: ""
  release:
    description: The content of the release file, whose files and images the bundle has to have.
    type: dict
    default: {}
attributes:
  check_mode:
    description: Can run in check mode and return the same as without it.
    support: full
  diff_mode:
    description: Has nothing to show a difference of.
    support: none
notes:
  - This is an action that runs on the controller. Run it once.
"""

EXAMPLES = r"""
- name: All hosts are fit for their part
  ironrack.cluster.preflight_verdict:
    hosts: "{{ ansible_play_hosts_all }}"
    accept: [memory]
  run_once: true
"""

RETURN = r"""
msg:
  description: The verdict in words.
  returned: always
  type: str
  sample: 9 hosts are fit for their parts
problems:
  description: Everything that counts, each with C(host), C(check), C(what), C(expected) and C(mend).
  returned: always
  type: list
  elements: dict
unreachable_hosts:
  description: Hosts that gave no answer.
  returned: always
  type: list
  elements: str
"""
