# Copyright (c) 2026, ironrack.cluster contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Who may replace what a balancer has, in which steps, and what a status says."""
from __future__ import annotations

import pytest
from ansible_collections.ironrack.cluster.plugins.module_utils._common.errors import IronrackError
from ansible_collections.ironrack.cluster.plugins.module_utils._nginx.generation import (
    MARK, Status, Superseded, interim, is_intact, plan, read_status, refuse_older, report, sign, status_json, status_of, words)
from ansible_collections.ironrack.cluster.plugins.module_utils._nginx.traffic import NOBODY, Release, Routing, Traffic
from hypothesis import given
from hypothesis import strategies as st

BLUE, GREEN = Release("blue", "blue.test", 80), Release("green", "green.test", 80)
STABLE = Routing("releases", "blue", "", 0)


def canary(weight):
    return Routing("releases", "blue", "green", weight)


def status(generation=3, asked=STABLE, served=None, releases=(BLUE, GREEN)):
    return Status("web", generation, asked, served or asked, releases, "0" * 64)


def traffic(routing, releases=(BLUE, GREEN), generation=4):
    return Traffic("web", generation, releases, routing, {})


ROUTINGS = st.sampled_from([STABLE, canary(0), canary(5), canary(100), NOBODY, Routing("fallback", "blue", "", 0), Routing("releases", "green", "", 0)])
STATUSES = st.none() | st.builds(status, st.integers(1, 6), ROUTINGS, ROUTINGS)


@given(STATUSES.filter(bool))
def test_a_status_is_read_back(known):
    assert read_status(status_json(known)) == known
    assert not set(status_json(known)) & set("'$\\\n")


def test_what_is_no_status_is_none():
    for text in (None, "", "server {}\n", MARK + "{}\n", MARK + "nonsense", MARK + "[]"):
        assert status_of(text) is None
    with pytest.raises(ValueError):
        read_status('{"service": "web"}')


def test_a_digest_covers_the_whole_text():
    text = sign(MARK + status_json(status()._replace(digest="@digest@")) + "\nserver {}\n")
    assert is_intact(text) and len(status_of(text).digest) == 64
    assert not is_intact(text.replace("server {}", "server { }")) and not is_intact("") and not is_intact("server {}\n")


@given(st.integers(1, 6), ROUTINGS, STATUSES, STATUSES)
def test_an_older_generation_is_always_refused_and_a_newer_one_never(generation, asked, disk, running):
    present = [known for known in (disk, running) if known]
    try:
        refuse_older("web", generation, asked, disk, running)
    except Superseded as error:
        assert error.details["generation"] == generation and str(error.details["present"]) in str(error)
        assert any(known.generation > generation or known.generation == generation and known.asked != asked for known in present)
    else:
        assert all(known.generation < generation or known.generation == generation and known.asked == asked for known in present)


def test_a_removal_is_judged_by_its_generation_alone():
    refuse_older("web", 3, None, status(3), status(3))
    with pytest.raises(Superseded, match="generation 2 is older than generation 3 in the running workers"):
        refuse_older("web", 2, None, None, status(3))


@given(ROUTINGS, STATUSES)
def test_whoever_gets_traffic_had_some_or_is_reached_first(routing, running):
    wanted = traffic(routing)
    steps = plan(wanted, running)
    had = report(running)["weights"] if running else {}
    gets = report(status(asked=routing))["weights"]
    assert {release.name for release in steps.reach} == set(gets) - set(had) - {"fallback"}
    assert set(steps.add) <= set(steps.reach) and (not steps.add or running is None)


def test_a_release_that_is_new_is_added_first():
    alone = status(releases=(BLUE,))
    assert plan(traffic(canary(5)), alone) == ((GREEN,), (GREEN,))
    assert plan(traffic(canary(5)), status()) == ((), (GREEN,))
    assert plan(traffic(canary(5)), status(asked=canary(10))) == ((), ())
    assert plan(traffic(canary(0)), alone) == ((), ())
    assert plan(traffic(canary(5)), None) == ((GREEN, BLUE)[::-1],) * 2
    # the name is known with another address, and nobody uses it
    assert plan(traffic(canary(5)), status(releases=(BLUE, GREEN._replace(port=81)))) == ((GREEN,), (GREEN,))


def test_a_release_that_serves_keeps_its_address():
    with pytest.raises(IronrackError, match="release blue has 100 % of the traffic at blue.test:80, .* got blue.test:81"):
        plan(traffic(canary(5), (BLUE._replace(port=81), GREEN)), status())


def test_meanwhile_everybody_keeps_what_they_have():
    red = Release("red", "red.test", 80)
    served, releases = interim(traffic(Routing("releases", "green", "red", 50), (GREEN, red)), status())
    assert served == STABLE and set(releases) == {BLUE, GREEN, red}
    assert interim(traffic(canary(5)), None) == (NOBODY, (BLUE, GREEN))


def test_words_and_reports():
    assert words(canary(5)) == "5 % green, 95 % blue" and words(NOBODY) == "nobody serves"
    assert report(None) is None
    assert report(status(asked=canary(5)))["releases"] == {"blue": "blue.test:80", "green": "green.test:80"}
