# Copyright (c) 2026, ironrack.cluster contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Judging conditions once, or until all of them hold, as the modules do that tell a system's health.

This is a private module_utils package: it may change in any release.
"""
from __future__ import annotations

import time

from .._common.errors import IronrackError
from .verdict import PASS, enforced, explain, judge, overall

#: Options of such a module; its documentation fragment is C(health.wait).
ARGUMENT_SPEC = {
    "wait": {"type": "int", "default": 0},
    "interval": {"type": "float", "default": 2},
    "timeout": {"type": "int", "default": 3},
    "known": {"type": "list", "elements": "str"},
    "enforce": {"type": "str", "choices": ["always", "not_in_check_mode", "never"], "default": "always"},
}


def watch(module, conditions, expected, look, told):
    """Look until every condition passes, the known ones are no longer those that pass, or the time is over.

    :param module: the AnsibleModule.
    :param conditions: see :func:`.verdict.judge`. :param expected: what they compare with.
    :param look: a callable that returns an :class:`.verdict.Observation`.
    :param told: a callable that takes one and returns what the result says beside the conditions.
    :returns: the module's result.
    :raises IronrackError: with that result, where not all pass and O(enforce) asks for it.
    """
    params, begin = module.params, time.monotonic()
    end = begin + (0 if module.check_mode else params["wait"])
    while True:
        observation = look()
        judged = judge(conditions, observation, expected)
        green = {one["name"] for one in judged if one["verdict"] == PASS}
        news = params["known"] is not None and green != set(params["known"])
        if overall(judged) == PASS or news or time.monotonic() >= end:
            break
        time.sleep(min(params["interval"], max(0.0, end - time.monotonic())))
    outcome, waited = overall(judged), round(time.monotonic() - begin, 1)
    result = dict(told(observation), ok=outcome == PASS, verdict=outcome, conditions=judged, waited=waited)
    if outcome != PASS and enforced(params["enforce"], module.check_mode):
        raise IronrackError("after %.1f s the cluster is not healthy:\n%s" % (waited, explain(judged)), **result)
    return result
