#!/usr/bin/python
# Copyright (c) 2026, ironrack.cluster contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

DOCUMENTATION = r"""
---
module: rollout_report
short_description: Say how a rollout stands, and write its report
version_added: "0.1.0"
description:
  - Prints where the rollout of a service stands, who drives it, and what each gate came to. Writes the same as one HTML page (for people; it loads nothing
    from elsewhere) and as one JSON file (for programs), with weights asked and measured, samples of gates against their limits, decisions and why.
  - It is made from the record's history and from the journal that M(ironrack.cluster.rollout_advance) keeps. Without a journal it says what was decided, and
    not by what.
  - Holds no secret.
author:
  - ironrack.cluster contributors (@ironrack)
extends_documentation_fragment:
  - ironrack.cluster.attributes.no_diff
options:
  service:
    description: The service's name.
    type: str
    required: true
  known:
    description: The result of M(ironrack.cluster.rollout_record_info).
    type: dict
    required: true
  number:
    description: The rollout's number; V(0) is the one under way, or the last.
    type: int
    default: 0
  journals:
    description: Folder of the journals on the host that the task is delegated to. Empty for a report of the record alone.
    type: str
    default: ""
  path:
    description: Folder on the controller where the report is written. Without it none is.
    type: path
  say:
    description: What is printed. V(history) is all that is on record, of all rollouts, and writes no report.
    type: str
    choices: [status, history]
    default: status
attributes:
  check_mode:
    description: Prints, and writes no file.
    support: full
notes:
  - This is an action plugin. It reads the journal on the host that it is delegated to; the rest happens on the controller.
  - A report is a reading and not a state, so it never reports a change.
"""

EXAMPLES = r"""
- name: Say how the rollout of chat stands
  ironrack.cluster.rollout_report:
    service: chat
    known: "{{ rollout_known }}"
    journals: ~/.ironrack/ironrack/rollouts
    path: ~/.ironrack/ironrack/rollouts
  run_once: true
"""

RETURN = r"""
text:
  description: What was printed.
  returned: success
  type: str
files:
  description: Paths of the report by its form.
  returned: success
  type: dict
  sample: {html: ~/.ironrack/ironrack/rollouts/chat-4.html, json: ~/.ironrack/ironrack/rollouts/chat-4.json}
report:
  description: The report as data, as the JSON file has it.
  returned: success
  type: dict
"""
