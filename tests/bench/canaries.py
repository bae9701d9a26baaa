# Copyright (c) 2026, ironrack.cluster contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Simulated canaries: how often the gate on errors stops one that is as good as its baseline, and misses one that is worse.

    make canaries                                puts the table into docs/operations/gates.md (half a minute)
    python -m tests.bench.canaries               prints it

Requests fail independently. Each canary has 20 looks, five at each weight, and each step counts from its own beginning, as metric_gate does. Each row
has a seed of its own, so it comes out the same wherever it runs.
"""
from __future__ import annotations

import bisect
import random
import statistics
import sys
from collections import namedtuple
from pathlib import Path

from ansible_collections.ironrack.cluster.plugins.module_utils._slo import spec
from ansible_collections.ironrack.cluster.plugins.module_utils._slo.counters import Count
from ansible_collections.ironrack.cluster.plugins.module_utils._slo.gate import judge_counts

PAGE = Path(__file__).resolve().parents[2] / "docs" / "operations" / "gates.md"
BEGIN, END = "<!-- simulated -->", "<!-- end of simulated -->"
RUNS, WEIGHTS, LOOKS_A_STEP = 1000, (5, 25, 50, 75), 5
LOOKS = len(WEIGHTS) * LOOKS_A_STEP
GATE = spec.parse([{"name": "errors", "kind": "errors", "metric": "tries", "limit": 0.05}], "chat", "v2", "v1", LOOKS)[0][0]

#: ``base`` is the baseline's error rate, ``times`` that of the candidate in multiples of it; ``requests`` of the candidate come between two looks at 5 %.
Scenario = namedtuple("Scenario", ("base", "times", "requests"))
#: Of RUNS: a look failed it; none did, but the end of some step was no pass; all four steps passed. ``look``: the median of the looks that failed it.
Outcome = namedtuple("Outcome", ("failed", "held", "passed", "look"))

#: As good as the baseline, also where both are over the limit; then worse and worse.
GOOD = [Scenario(base, 1, requests) for base in (0.001, 0.01, 0.1) for requests in (50, 125)]
SCENARIOS = GOOD + [Scenario(base, times, requests) for times in (2, 5, 10) for base in (0.001, 0.01) for requests in (50, 125)]


def sampler(chance, trials, share):
    """:returns: a callable that draws how many of ``trials`` fail, by inversion of the distribution."""
    term, total, edges = (1.0 - share) ** trials, 0.0, []
    for number in range(trials + 1):
        total += term
        edges.append(total)
        if number > trials * share and term < 1e-15:
            break
        term *= (trials - number) / (number + 1) * share / (1.0 - share)
    return lambda: min(bisect.bisect_left(edges, chance.random()), trials)


def canary(draws):
    """Judge one canary at all its looks.

    :param draws: for each weight (requests of the candidate, those of the baseline, a sampler of errors of each) between two looks.
    :returns: (the number of the look that failed it or None, whether every step passed).
    """
    look, passed = 0, True
    for total, base_total, draw, base_draw in draws:
        bad = base_bad = 0
        for number in range(1, LOOKS_A_STEP + 1):
            look += 1
            bad, base_bad = bad + draw(), base_bad + base_draw()
            verdict = judge_counts(GATE, Count(bad, number * total, []), Count(base_bad, number * base_total, []), LOOKS, number == LOOKS_A_STEP)["verdict"]
            if verdict == "fail":
                return look, False
        passed = passed and verdict == "pass"
    return None, passed


def simulate(scenario, runs=RUNS):
    """:returns: the :class:`Outcome` of ``runs`` canaries."""
    chance = random.Random("%g %g %d" % scenario)
    draws = []
    for weight in WEIGHTS:
        total = scenario.requests * weight // 5
        base_total = scenario.requests * (100 - weight) // 5
        draws.append((total, base_total, sampler(chance, total, scenario.base * scenario.times), sampler(chance, base_total, scenario.base)))
    ends = [canary(draws) for dummy in range(runs)]
    looks = [look for look, passed in ends if look]
    passed = sum(passed for look, passed in ends)
    return Outcome(len(looks), runs - len(looks) - passed, passed, statistics.median_low(looks) if looks else None)


def row(scenario, outcome):
    """:returns: one line of the table."""
    return "| %d | %g %% | %g %% | %d | %d | %s | %d | %d |" % (
        scenario.times, 100 * scenario.base, 100 * scenario.base * scenario.times, scenario.requests, outcome.failed, outcome.look or "", outcome.held,
        outcome.passed)


def table():
    """:returns: the lines of the table."""
    return ["| times the baseline's errors | baseline | candidate | requests of the candidate between looks at 5 %% | failed, of %d | at look, median "
            "| held at the end of a step | passed all steps |" % RUNS,
            "| --- | --- | --- | --- | --- | --- | --- | --- |"] + [row(scenario, simulate(scenario)) for scenario in SCENARIOS]


def main(arguments):
    lines = table()
    print("\n".join(lines))
    if "--write-docs" in arguments:
        before, rest = PAGE.read_text().split(BEGIN)
        PAGE.write_text("%s%s\n\n%s\n\n%s%s" % (before, BEGIN, "\n".join(lines), END, rest.split(END)[1]))


if __name__ == "__main__":
    main(sys.argv[1:])
