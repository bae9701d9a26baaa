#!/usr/bin/python
# Copyright (c) 2026, ironrack.cluster contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

DOCUMENTATION = r"""
---
module: llm_probe
short_description: Test a release by requests, for what it answers, how fast, and under load
version_added: "0.1.0"
description:
  - Asks the pods of one release directly, without the load balancers, and judges what comes back. It needs nothing but Python's standard library.
  - A test fails where its limit is proved to be missed, passes where all that was planned was asked and is good, and is inconclusive
    otherwise. No request is never a pass.
  - Nothing is asked twice. All is bounded, in number and in time.
  - A bad verdict does not fail the task. Whoever calls decides.
author:
  - ironrack.cluster contributors (@ironrack)
options:
  targets:
    description: Pods of the release, as V(http://ADDRESS:PORT). They are asked in turn. Without any the verdict is inconclusive.
    type: list
    elements: str
    required: true
  tests:
    description:
      - What is tested, with any of V(functional), V(performance) and V(load).
      - Each request has V(path) (V(/)), V(method) (V(GET)), V(headers), V(body) (a text, or anything else, which is sent as JSON), V(timeout)
        (seconds, 30) and V(status) (the one that is expected, 200).
      - V(functional) is a list of requests that are asked once each, with V(name), V(matches) (a regular expression that the answer has to hold)
        and V(json), a list of values of the answer with V(path) (as in V(choices.0.text)) and V(equals) or V(matches), or neither where it has to be there.
      - V(performance) is one request that is asked V(requests) times (20), one after the other, with limits V(p50) and V(p95) in seconds.
      - V(load) is one request that is asked V(requests) times (200), V(concurrency) (8) at a time, with the limit V(p95) in seconds.
      - Both have V(seconds), the time for all of their requests (300), and V(error_share), the share of requests that may get no answer or another
        status (0, and 0.01 with V(load)).
    type: dict
    required: true
  functional_seconds:
    description: Seconds for all functional requests together.
    type: int
    default: 300
attributes:
  check_mode:
    description: Asks nothing, so that every test is inconclusive.
    support: full
  diff_mode:
    description: Changes nothing.
    support: none
"""

EXAMPLES = r"""
- name: Is the release good enough to be released
  ironrack.cluster.llm_probe:
    targets: [http://10.244.3.7:8080, http://10.244.4.9:8080]
    tests:
      functional:
        - name: it completes
          path: /v1/completions
          method: POST
          body: {model: chat, prompt: "1 2 3", max_tokens: 4}
          json:
            - {path: choices.0.text}
            - {path: object, equals: text_completion}
      performance: {path: /v1/models, requests: 20, p50: 0.2, p95: 0.5}
      load: {path: /v1/models, requests: 200, concurrency: 8, p95: 1, error_share: 0.01}
  register: probe
"""

RETURN = r"""
verdict:
  description: V(pass), V(fail) or V(inconclusive), of all tests together.
  returned: success
  type: str
checks:
  description: Each test with V(test), V(name), V(verdict), V(why) and V(measured).
  returned: success
  type: list
  elements: dict
  sample: [{test: performance, name: p95, verdict: pass, why: "0.120 s, and the limit is 0.5 s", measured: {requests: 20, planned: 20, errors: 0}}]
problems:
  description: Everything that is wrong with the tests.
  returned: when they cannot be meant
  type: list
  elements: dict
"""

import re

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.ironrack.cluster.plugins.module_utils._common.errors import IronrackError, conclude
from ansible_collections.ironrack.cluster.plugins.module_utils._common.refusal import problem
from ansible_collections.ironrack.cluster.plugins.module_utils._service import probe
from ansible_collections.ironrack.cluster.plugins.module_utils._service.probe_client import ProbeClient

TARGET = re.compile(r"http://([A-Za-z0-9.-]+|\[[0-9a-fA-F:]+\])(:\d{1,5})?\Z")


class BadTests(IronrackError):
    """Tests that cannot be meant. Its details carry ``problems``."""


def refuse(params):
    """:raises BadTests: with everything that is wrong."""
    found = probe.problems(params["tests"])
    found += [problem("targets", "%r" % target, "http, an address or a name, and a port, as in http://192.0.2.9:8080", "Correct it.")
              for target in params["targets"] if not TARGET.match(target)]
    if found:
        lines = ["%(where)s: %(what)s; expected %(expected)s. %(mend)s" % one for one in found]
        raise BadTests("nothing was asked:\n- %s" % "\n- ".join(lines), problems=found)


def run(params, check_mode):
    """:returns: the module's result."""
    refuse(params)
    tests = probe.complete(params["tests"])
    client = None if check_mode or not params["targets"] else ProbeClient(params["targets"])
    checks = []
    if probe.FUNCTIONAL in tests:
        asked = tests[probe.FUNCTIONAL]
        answers = client.one_by_one(asked, params["functional_seconds"]) if client else [None] * len(asked)
        checks += probe.judge_functional(asked, answers)
    for kind in (probe.PERFORMANCE, probe.LOAD):
        if kind in tests:
            test = tests[kind]
            checks += probe.judge_timed(kind, test, client.timed(test, test.get("concurrency", 1)) if client else [])
    return {"changed": False, "verdict": probe.overall(checks), "checks": [dict(check._asdict()) for check in checks]}


def main():
    """Ansible's entry point."""
    module = AnsibleModule(
        argument_spec=dict(
            targets={"type": "list", "elements": "str", "required": True},
            tests={"type": "dict", "required": True},
            functional_seconds={"type": "int", "default": 300}),
        supports_check_mode=True)
    conclude(module, lambda: run(module.params, module.check_mode))


if __name__ == "__main__":
    main()
