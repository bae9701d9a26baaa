# Copyright (c) 2026, ironrack.cluster contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What each strategy can be told, with its defaults, and everything that is wrong with a wish. Pure.

This is a private module_utils package: it may change in any release.
"""
from __future__ import annotations

import re

from .._common.refusal import problem

CANARY, BLUE_GREEN, ROLLING, UNDO = "canary", "blue_green", "rolling", "undo"
#: A release that a person may ask for; an undo is asked for without a strategy.
STRATEGIES = (CANARY, BLUE_GREEN, ROLLING)

#: What the balancers call the servers that answer for a service without a release.
FALLBACK = "fallback"
_DAY = 86400
_COMMON = {"replicas": None, "extensions": 3, "ready_timeout": 900, "effect_timeout": 300}
#: strategy -> its settings with their defaults; None has to be given.
DEFAULTS = {
    CANARY: dict(_COMMON, steps=[5, 25, 50, 100], soak=300, minimum=2, keep=600),
    BLUE_GREEN: dict(_COMMON, watch=600, keep=3600),
    ROLLING: dict(_COMMON, zones=None, soak=300, keep=600),
    UNDO: dict(_COMMON, keep=0),
}
#: Whole numbers: setting -> (least, most, unit).
NUMBERS = {
    "replicas": (1, 10000, "pods, the size of the stable release"),
    "minimum": (1, 10000, "pods that the candidate has at least"),
    "extensions": (0, 20, "times that an inconclusive gate is given more time"),
    "ready_timeout": (1, _DAY, "seconds for pods to get ready, model load included"),
    "effect_timeout": (1, _DAY, "seconds for an effect to be seen"),
    "soak": (1, 7 * _DAY, "seconds at each step before its gate can pass"),
    "watch": (1, 7 * _DAY, "seconds at 100 % before the gate can pass"),
    "keep": (0, 30 * _DAY, "seconds that the old release stays warm"),
}
#: The smallest of n batches has more than 1/(2n) of the pods, so with 50 the whole percents still rise at each.
MOST_ZONES = 50
#: A DNS label of RFC 1123, which is what a Service and a label of Kubernetes take.
LABEL = re.compile(r"[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?")


def complete(strategy, settings):
    """:returns: the settings of a strategy with its defaults."""
    return dict(DEFAULTS[strategy], **settings)


def problems_of(strategy, settings):
    """:returns: everything that is wrong with the settings of a known strategy, defaults included."""
    known, found = DEFAULTS[strategy], []
    for name in sorted(set(settings) - set(known)):
        found.append(problem("settings." + name, "strategy %s has no such setting" % strategy, "one of %s" % ", ".join(sorted(known)),
                             "Correct its name or leave it out."))
    values = complete(strategy, {name: value for name, value in settings.items() if name in known})
    for name in sorted(set(known) & set(NUMBERS)):
        least, most, unit = NUMBERS[name]
        value = values[name]
        if isinstance(value, bool) or not isinstance(value, int) or not least <= value <= most:
            found.append(problem("settings." + name, "it is %r" % (value,), "a whole number from %d to %d: %s" % (least, most, unit), "Set it."))
    if "steps" in known:
        found += _steps(values["steps"])
    if "zones" in known:
        found += _zones(values["zones"])
    return found


def _steps(steps):
    where, mend = "settings.steps", "Give percents such as [5, 25, 50, 100]."
    if not isinstance(steps, list) or not steps or any(isinstance(step, bool) or not isinstance(step, int) for step in steps):
        return [problem(where, "it is %r" % (steps,), "a list of whole percents", mend)]
    found = []
    if not all(1 <= step <= 100 for step in steps):
        found.append(problem(where, "%r leaves the range" % (steps,), "percents from 1 to 100", mend))
    if any(later <= earlier for earlier, later in zip(steps, steps[1:])):
        found.append(problem(where, "%r does not rise at each step" % (steps,), "rising steps, so that nobody is sent back to the stable", mend))
    if steps[-1] != 100:
        found.append(problem(where, "the last step is %d" % steps[-1], "100", mend))
    return found


def _zones(zones):
    where, mend = "settings.zones", "Name the zones in the order in which they are to be released."
    if not isinstance(zones, list) or not zones or not all(isinstance(zone, str) and zone for zone in zones):
        return [problem(where, "it is %r" % (zones,), "a list of zones' names", mend)]
    if len(set(zones)) != len(zones):
        return [problem(where, "%r names a zone twice" % (zones,), "each zone once", mend)]
    if len(zones) > MOST_ZONES:
        return [problem(where, "%d zones" % len(zones), "at most %d, so that each batch takes a percent of the traffic or more" % MOST_ZONES, mend)]
    return []


def names_problems(service, names):
    """:returns: what is wrong with the names of a service and of releases.

    :param names: where -> name.
    """
    found = [problem(where, "%r" % (name,), "a DNS label: at most 63 lower-case letters, digits and dashes", "Rename it.")
             for where, name in [("service", service)] + sorted(names.items())
             if not isinstance(name, str) or not LABEL.fullmatch(name)]
    return found + [problem(where, "%r" % (name,), "another name: the balancers have servers of that name", "Rename it.")
                    for where, name in sorted(names.items()) if name == FALLBACK]
