# Copyright (c) 2026, ironrack.cluster contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A kind of task that no kill of a chain was inside of is killed on new hosts, and red where that misses too."""
from __future__ import annotations

import json

import pytest
from ansible_collections.ironrack.cluster.tests.scenarios import common, kill_chain, kill_points

RECORD = "".join(json.dumps(line) + "\n" for line in [
    {"event": "begin", "at": 0}, {"event": "task", "at": 0, "name": "one", "action": "ironrack.cluster.packages"},
    {"event": "changed", "at": 4, "host": "h", "task": "one"}, {"event": "task", "at": 4, "name": "two", "action": "x"}, {"event": "end", "at": 5}])
AGAIN = RECORD.replace('"at": 4', '"at": 0.1').replace('"at": 5', '"at": 0.2')
POINT = kill_points.Point("one", 1, kill_points.PACKAGES, 3.0)


@pytest.fixture
def chain(monkeypatch):
    """:returns: a function that goes through a chain of one point, whose kills hit as is told; it returns the delays of all kills."""
    def go(*hits, fresh=False):
        left, delays = list(hits), []

        def killed(_inventory, point, _after, _record):
            delays.append(point.delay)
            return left.pop(0)
        monkeypatch.setattr(kill_chain, "undisturbed", lambda _inventory: {"fresh": RECORD, "again": AGAIN, "state": {}})
        monkeypatch.setattr(kill_chain, "new_hosts", lambda _inventory, _known: None)
        monkeypatch.setattr(kill_chain, "finish", lambda _inventory, _known, _name: 1.0)
        monkeypatch.setattr(kill_chain, "killed", killed)
        monkeypatch.setattr(kill_points, "FRESH", {kill_points.PACKAGES: (1, (0.5,))})
        if fresh:
            kill_chain.kill_fresh("inventory")
        else:
            kill_chain._chain("inventory", "chain", lambda _fresh, _again: [POINT], [kill_points.PACKAGES])
        return delays
    return go


def test_a_kill_that_hits_is_enough(chain):
    assert chain(True) == [3.0]


def test_a_miss_is_made_good_on_new_hosts(chain):
    assert chain(False, True) == [3.0, 1.2]


def test_a_task_that_is_over_sooner_still_is_killed_earlier(chain):
    assert chain(False, False, True) == [3.0, 1.2, 0.48]


def test_a_fresh_build_is_aimed_at_in_the_middle_and_then_earlier(chain):
    assert chain(True, fresh=True) == [2.0]
    assert chain(False, True, fresh=True) == [2.0, 1.2]


def test_misses_everywhere_are_red(chain):
    with pytest.raises(common.NotProved, match="no kill was inside of 'one'"):
        chain(False, False, False)
