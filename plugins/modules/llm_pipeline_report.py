#!/usr/bin/python
# Copyright (c) 2026, ironrack.cluster contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

DOCUMENTATION = r"""
---
module: llm_pipeline_report
short_description: Write one report over all stages of a release
version_added: "0.1.0"
description:
  - Writes what the stages of a release found as one HTML page (for people; it loads nothing from elsewhere) and as one JSON file (for programs),
    and then fails where the release did not get to the end of production.
  - A stage that was not reached is told as that. It holds no secret. Both files are replaced as a whole.
author:
  - ironrack.cluster contributors (@ironrack)
extends_documentation_fragment:
  - ironrack.cluster.report.files
  - ironrack.cluster.attributes.no_diff
options:
  service:
    description: The service's name.
    type: str
    required: true
  release:
    description: The release's name.
    type: str
    required: true
  strategy:
    description: How it was to get the traffic.
    type: str
    required: true
  reason:
    description: Why it was released, in a person's words.
    type: str
    default: ""
  stages:
    description:
      - Those before production that were reached, each with V(stage) (V(validation), V(testing) or V(staging)), V(verdict) (V(pass), V(fail),
        V(inconclusive) or V(skipped)), V(why), V(checks) (each with V(name), V(verdict) and V(why)), V(began) and V(ended) (seconds since 1970).
    type: list
    elements: dict
    required: true
  before:
    description: RV(ironrack.cluster.rollout_record_info#module:record) of before.
    type: dict
    default: {}
  after:
    description: The same of now, which says what became of production.
    type: dict
    default: {}
  began:
    description: Whether all stages before production passed, so that it was begun.
    type: bool
    default: false
  failure:
    description: Why whoever drove it in production was refused or did not get to its end; empty where it did.
    type: str
    default: ""
  fail:
    description: Whether the task fails where the verdict is no pass, after the report was written.
    type: bool
    default: true
attributes:
  check_mode:
    description: In check mode nothing is written, and it fails for O(failure) only.
    support: full
notes:
  - This is an action plugin; it runs on the controller.
  - A report is a reading and not a state, so it never reports a change.
"""

EXAMPLES = r"""
- name: One report over all stages
  ironrack.cluster.llm_pipeline_report:
    service: chat
    release: v2
    strategy: canary
    stages:
      - {stage: validation, verdict: pass, why: "", began: 1795312800, ended: 1795312812}
      - {stage: testing, verdict: fail, why: it is too slow}
    before: "{{ record_before.record | default({}) }}"
    path: ~/.ironrack/site/release-chat-v2
"""

RETURN = r"""
verdict:
  description: V(pass), V(fail) or V(inconclusive). A pass is one of production, with nothing less before it.
  returned: always
  type: str
headline:
  description: The result in one sentence.
  returned: always
  type: str
  sample: "v2 was not released: testing: failed; chat serves v1"
files:
  description: Paths of the report by its form.
  returned: always
  type: dict
  sample: {html: ~/.ironrack/site/release-chat-v2.html, json: ~/.ironrack/site/release-chat-v2.json}
"""
