# Copyright (c) 2026, ironrack.cluster contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A thousand canaries as good as their baseline: at most one in a hundred is stopped. And those that are ten times worse are not missed."""
from __future__ import annotations

import random

import pytest
from ansible_collections.ironrack.cluster.tests.bench import canaries


@pytest.mark.parametrize("scenario", canaries.GOOD, ids=str)
def test_a_canary_as_good_as_its_baseline_is_not_stopped(scenario):
    outcome = canaries.simulate(scenario)
    assert sum(outcome[:3]) == canaries.RUNS == 1000
    assert outcome.failed <= canaries.RUNS / 100
    # Nothing passes where the limit is exceeded, whoever suffers with it.
    assert outcome.passed == 0 if scenario.base > canaries.GATE.limit else outcome.passed >= 0.98 * canaries.RUNS
    assert canaries.row(scenario, outcome) in canaries.PAGE.read_text(), "docs/operations/gates.md is stale: make canaries"


@pytest.mark.parametrize("scenario", canaries.SCENARIOS[len(canaries.GOOD):], ids=str)
def test_the_page_tells_what_is_missed(scenario):
    outcome = canaries.simulate(scenario)
    assert canaries.row(scenario, outcome) in canaries.PAGE.read_text()
    if scenario.times == 10:
        assert outcome.failed >= (canaries.RUNS if scenario.base == 0.01 else canaries.RUNS / 2)


def test_errors_are_drawn_from_their_distribution():
    draw = canaries.sampler(random.Random(1), 50, 0.1)
    drawn = [draw() for dummy in range(20000)]
    mean = sum(drawn) / len(drawn)
    assert mean == pytest.approx(5, rel=0.02)
    assert sum((one - mean) ** 2 for one in drawn) / len(drawn) == pytest.approx(4.5, rel=0.05)
    assert canaries.sampler(random.Random(1), 0, 0.1)() == 0
