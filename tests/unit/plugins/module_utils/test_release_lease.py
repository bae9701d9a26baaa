# Copyright (c) 2026, ironrack.cluster contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Of all who want the lock one has it, and who lost it without noticing cannot act."""
from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ansible_collections.ironrack.cluster.plugins.module_utils._release import lease as leases
from ansible_collections.ironrack.cluster.plugins.module_utils._release.lease import SKEW, Held, Lost

NOW = 1_800_000_000.25


def object_of(spec):
    return {"metadata": {"resourceVersion": "1"}, "spec": spec}


def test_a_first_tenure_and_its_times_are_the_apis_own():
    spec = leases.take(None, "ann", NOW, 60, 0)
    assert spec == {"holderIdentity": "ann", "acquireTime": "2027-01-15T08:00:00.250000Z", "renewTime": "2027-01-15T08:00:00.250000Z",
                    "leaseDurationSeconds": 60, "leaseTransitions": 1}
    assert leases.read(object_of(spec)) == ("ann", NOW, NOW, NOW + 60, 1)


def test_renewed_it_keeps_its_number_and_its_beginning():
    spec = leases.renew(object_of(leases.take(None, "ann", NOW, 60, 0)), "ann", 1, NOW + 30, 60)
    assert (leases.read(object_of(spec)).since, leases.read(object_of(spec)).renewed, spec["leaseTransitions"]) == (NOW, NOW + 30, 1)


def test_another_one_is_refused_and_told_who_since_when_and_how_long():
    held = object_of(leases.take(None, "ann", NOW, 60, 0))
    with pytest.raises(Held, match="ann has held the lock since 2027-01-15T08:00:00.250000Z, and renewed it 10 s ago; .* free in 56 s") as error:
        leases.take(held, "bob", NOW + 10, 60, 0)
    assert error.value.details == {"holder": "ann", "since": "2027-01-15T08:00:00.250000Z", "until": "2027-01-15T08:01:00.250000Z"}


@pytest.mark.parametrize("later, free", ((59, False), (60, False), (60 + SKEW - 1, False), (60 + SKEW, True), (10000, True)))
def test_it_is_free_when_it_is_over_on_both_clocks(later, free):
    held = object_of(leases.take(None, "ann", NOW, 60, 0))
    assert leases.is_held(leases.read(held), NOW + later) != free
    if free:
        assert leases.take(held, "bob", NOW + later, 60, 0)["leaseTransitions"] == 2
    else:
        with pytest.raises(Held):
            leases.take(held, "bob", NOW + later, 60, 0)


def test_who_comes_back_after_another_took_it_is_refused_even_when_it_is_free_again():
    first = object_of(leases.take(None, "ann", NOW, 60, 0))
    second = object_of(leases.take(first, "bob", NOW + 100, 60, 0))
    with pytest.raises(Lost, match="ann had the lock as tenure 1 .* bob has held it since .* as tenure 2"):
        leases.renew(second, "ann", 1, NOW + 101, 60)
    free = object_of(leases.release(second, "bob", 2))
    with pytest.raises(Lost, match="it is free by now"):
        leases.renew(free, "ann", 1, NOW + 102, 60)
    # Nor does its own name help: a run of the same name began a tenure of its own.
    third = object_of(leases.take(free, "ann", NOW + 103, 60, 0))
    assert third["spec"]["leaseTransitions"] == 3
    with pytest.raises(Lost, match="ann has held it"):
        leases.renew(third, "ann", 1, NOW + 104, 60)
    with pytest.raises(Lost, match="the lock is gone"):
        leases.renew(None, "ann", 1, NOW, 60)


def test_past_its_expiry_it_goes_on_where_nobody_took_it():
    held = object_of(leases.take(None, "ann", NOW, 60, 0))
    assert leases.renew(held, "ann", 1, NOW + 1000, 60)["leaseTransitions"] == 1


def test_given_back_it_is_free_at_once_and_only_its_holder_gives_it_back():
    held = object_of(leases.take(None, "ann", NOW, 60, 0))
    assert leases.release(held, "bob", 1) is None and leases.release(held, "ann", 2) is None and leases.release(None, "ann", 1) is None
    free = object_of(leases.release(held, "ann", 1))
    assert not leases.is_held(leases.read(free), NOW) and leases.take(free, "bob", NOW, 60, 0)["leaseTransitions"] == 2


def test_a_lease_that_was_deleted_gives_no_number_twice():
    assert leases.take(None, "bob", NOW, 60, 7)["leaseTransitions"] == 8


@settings(deadline=None)
@given(st.lists(st.tuples(st.sampled_from("abc"), st.sampled_from(("take", "renew", "release")), st.integers(0, 90)), max_size=30))
def test_at_no_time_do_two_have_it_and_numbers_only_rise(rows):
    lease, now, mine, last = None, NOW, {}, 0
    for who, what, seconds in rows:
        now += seconds
        before = leases.read(lease)
        try:
            if what == "take":
                spec = leases.take(lease, who, now, 60, 0)
                assert spec["leaseTransitions"] > last
                assert not leases.is_held(before, now) or before.holder == who
                mine[who] = last = spec["leaseTransitions"]
            elif what == "renew":
                spec = leases.renew(lease, who, mine.get(who, 0), now, 60)
                assert mine[who] == last
            else:
                spec = leases.release(lease, who, mine.get(who, 0)) or (lease or object_of({}))["spec"]
        except (Held, Lost):
            assert before is None or before.holder != who or before.fence != mine.get(who)
            continue
        lease = object_of(spec)
