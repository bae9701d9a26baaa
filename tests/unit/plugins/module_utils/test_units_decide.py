# Copyright (c) 2026, ironrack.cluster contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""When a unit is started, restarted, reloaded or left alone."""
from __future__ import annotations

import pytest

from ansible_collections.ironrack.cluster.plugins.module_utils._systemd import decide as d

CONF, BIN, UNIT_FILE, RELOAD = "/etc/x.conf", "/usr/bin/x", "/etc/systemd/system/x.service", "/etc/r.conf"
DISK = {CONF: d.Disk("c1", 100.0), BIN: d.Disk("b1", 100.0), UNIT_FILE: d.Disk("u1", 100.0), RELOAD: d.Disk("r1", 100.0)}
RECORD = {"invocation": "i1", "watch": {CONF: "c1", BIN: "b1", UNIT_FILE: "u1"}, "reload_watch": {RELOAD: "r1"}}


def unit(**changed):
    return d.Unit(**dict(dict(
        name="x.service", state="started", enabled=True, watch=[CONF, BIN], reload_watch=[RELOAD], validate=[], no_block=False), **changed))


def shown(**changed):
    return dict(dict(ActiveState="active", UnitFileState="enabled", InvocationID="i1", FragmentPath=UNIT_FILE, CanReload="yes"), **changed)


def action(disk=None, record="the one above", started=200.0, pending=(), of=None, **properties):
    record = RECORD if record == "the one above" else record
    return d.decide(of or unit(), shown(**properties), dict(DISK, **(disk or {})), record, started, frozenset(pending)).action


def test_nothing_to_do():
    assert d.decide(unit(), shown(), DISK, RECORD, 200.0) == d.Verdict("none", None, [])


@pytest.mark.parametrize("expected, settings", [
    ("start", dict(ActiveState="inactive")),
    ("start", dict(ActiveState="failed")),
    ("none", dict(ActiveState="activating")),
    # with a record only content counts
    ("none", dict(disk={CONF: d.Disk("c1", 999.0)})),
    ("restart", dict(disk={CONF: d.Disk("c2", 100.0)})),
    ("restart", dict(disk={UNIT_FILE: d.Disk("u2", 100.0)})),
    ("restart", dict(disk={CONF: d.Disk(None, 0.0)})),
    ("reload", dict(disk={RELOAD: d.Disk("r2", 100.0)})),
    ("restart", dict(disk={RELOAD: d.Disk("r2", 100.0)}, CanReload="no")),
    ("restart", dict(disk={RELOAD: d.Disk("r2", 100.0), CONF: d.Disk("c2", 100.0)})),
    # without one, or with that of an older invocation, the times
    ("none", dict(record=None)),
    ("none", dict(record=None, disk={CONF: d.Disk("c2", 199.0)})),
    ("restart", dict(record=None, disk={CONF: d.Disk("c2", 201.0)})),
    ("restart", dict(record=None, disk={CONF: d.Disk("c1", 201.0)}, InvocationID="i2")),
    ("reload", dict(record=None, disk={RELOAD: d.Disk("r1", 201.0)})),
    ("none", dict(record=None, disk={CONF: d.Disk(None, 0.0)})),
    # systemd started it again by itself, before it had read the new definition
    ("restart", dict(record=None, NeedDaemonReload="yes")),
    ("none", dict(NeedDaemonReload="yes")),
    # what a real run would have changed by now
    ("restart", dict(pending=[BIN])),
    ("reload", dict(pending=[RELOAD])),
    ("none", dict(pending=["/etc/other"])),
])
def test_action(expected, settings):
    assert action(**settings) == expected


def test_a_drop_in_that_was_removed_asks_for_a_restart():
    dropin = UNIT_FILE + ".d/a.conf"
    record = dict(RECORD, watch=dict(RECORD["watch"], **{dropin: "d1"}))
    assert action(record=record, disk={dropin: d.Disk(None, 0.0)}) == "restart"
    assert action(record=record) == "none"


@pytest.mark.parametrize("state, wanted, verdict", [
    ("enabled", True, None), ("disabled", True, True), ("static", True, None), ("", True, True), ("enabled", False, False), ("disabled", False, None),
])
def test_enablement(state, wanted, verdict):
    assert d.decide(unit(enabled=wanted), shown(UnitFileState=state), DISK, RECORD, 200.0).enable is verdict


def test_stopped():
    assert action(of=unit(state="stopped")) == "stop"
    assert action(of=unit(state="stopped"), ActiveState="inactive") == "none"


def test_parse_show():
    assert d.parse_show("Id=a\nResult=x=y\n\nId=b\n") == [{"Id": "a", "Result": "x=y"}, {"Id": "b"}]


def test_start_time_counts_from_the_clock_of_systemd():
    assert d.start_time({"ExecMainStartTimestampMonotonic": "5000000", "InactiveExitTimestampMonotonic": "1000000"}, 1000.0, 10.0) == 995.0
    assert d.start_time({"ExecMainStartTimestampMonotonic": "0"}, 1000.0, 10.0) == 0.0


@pytest.mark.parametrize("properties, what, expected", [
    (dict(), "start", (True, False)),
    (dict(), "restart", (False, False)),
    (dict(InvocationID="i2"), "restart", (True, False)),
    (dict(InvocationID="i2", Job="12"), "restart", (False, False)),
    (dict(ActiveState="failed"), "start", (False, True)),
    (dict(ActiveState="failed", Job="12"), "start", (False, False)),
    (dict(ActiveState="activating"), "start", (False, False)),
    (dict(ActiveState="inactive"), "stop", (True, False)),
    (dict(ActiveState="deactivating"), "stop", (False, False)),
])
def test_reached(properties, what, expected):
    assert d.reached(shown(**properties), what, "i1", 9.0)[:2] == expected


def test_what_was_seen_names_the_result():
    assert "exit-code" in d.reached(shown(ActiveState="activating", Result="exit-code", NRestarts="3"), "start", "", 9.0)[2]


def test_a_simple_process_has_to_live_a_moment():
    assert d.reached(shown(Type="exec"), "start", "", 0.1)[0] is False
    assert d.reached(shown(Type="exec"), "start", "", 0.6)[0] is True
    assert d.reached(shown(Type="notify"), "start", "", 0.1)[0] is True
