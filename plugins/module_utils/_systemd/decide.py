# Copyright (c) 2026, ironrack.cluster contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Decide what a unit needs so that it runs what is on disk. Pure.

A running unit is compared with the hashes that were recorded when its present invocation was started. Without such a record
(the unit was started by a boot, by a package or by hand, or the run that started it was killed) its start time is compared
with the files' change times: a file that changed later was not read yet.

This is a private module_utils package: it may change in any release.
"""
from __future__ import annotations

from collections import namedtuple

# A file on disk. sha256: None where there is none; changed: seconds since the epoch of its last change (of a link: its own or its target's).
Disk = namedtuple("Disk", ("sha256", "changed"))

# What a unit should be.
Unit = namedtuple("Unit", ("name", "state", "enabled", "watch", "reload_watch", "validate", "no_block"))

# What has to be done. action: none, start, restart, reload or stop; enable: True, False or None for nothing; reasons: sentences.
Verdict = namedtuple("Verdict", ("action", "enable", "reasons"))

RUNNING = ("active", "reloading", "activating", "refreshing")
# A process whose unit type does not tell that it is ready counts as active from its first moment; one that cannot read its
# configuration is gone before this many seconds.
SETTLED = 0.5
# unit files that `systemctl enable` has nothing to do for
NOT_TO_ENABLE = ("enabled", "static", "alias", "indirect", "generated", "transient")


def definition_paths(shown):
    """:returns: the unit file and its drop-ins."""
    return [path for path in [shown.get("FragmentPath", "")] + shown.get("DropInPaths", "").split() if path]


def with_drop_ins(shown, there):
    """Count drop-ins that systemd does not know yet.

    It remembers which folders of drop-ins there are and does not look for new ones, so that the first drop-in of a unit leaves its
    NeedDaemonReload at "no".

    :param shown: the properties that systemctl show printed.
    :param there: the drop-ins on disk.
    :returns: the properties with those drop-ins, and in need of a reload where there are such.
    """
    known = shown.get("DropInPaths", "").split()
    unknown = [path for path in there if path not in known]
    if not unknown or shown.get("LoadState") == "not-found":
        return shown
    return dict(shown, DropInPaths=" ".join(known + unknown), NeedDaemonReload="yes")


def watched_paths(unit, shown):
    """:returns: the paths whose change asks for a restart: the unit's own definition is always among them."""
    return list(dict.fromkeys(list(unit.watch) + definition_paths(shown)))


def stale_paths(paths, disk, recorded, started):
    """Which of ``paths`` the running unit has not read as they are now.

    :param disk: a :class:`Disk` for each path.
    :param recorded: hashes by path that belong to the present invocation; empty without a record.
    :param started: when the present invocation began, in seconds since the epoch.
    """
    return [
        path for path in paths
        if (disk[path].sha256 != recorded[path] if path in recorded
            else disk[path].sha256 is not None and disk[path].changed > started)]


def decide(unit, shown, disk, record, started, pending=frozenset()):
    """What ``unit`` needs.

    :param shown: the properties that systemctl show printed.
    :param disk: a :class:`Disk` for each watched path.
    :param record: {"invocation", "watch": {path: sha256}, "reload_watch": {...}} or None.
    :param started: when the running process began, in seconds since the epoch.
    :param pending: paths that a run without check mode would have changed by now.
    :returns: a :class:`Verdict`.
    """
    reasons = []
    enable = _enable(unit, shown)
    if enable is not None:
        reasons.append("to be enabled at boot" if enable else "not to be started at boot")
    running = shown.get("ActiveState") in RUNNING
    if unit.state == "stopped":
        if running:
            reasons.append("is %s, to be stopped" % shown["ActiveState"])
        return Verdict("stop" if running else "none", enable, reasons)
    if not running:
        reasons.append("is %s" % (shown.get("ActiveState") or "unknown"))
        return Verdict("start", enable, reasons)
    if not record or record.get("invocation") != shown.get("InvocationID"):
        record = {}
    recorded = record.get("watch", {})
    paths = watched_paths(unit, shown)
    stale = stale_paths(paths, disk, recorded, started)
    stale += [path for path in paths if path in pending and path not in stale]
    stale += sorted(path for path in recorded if path not in paths and path in disk and disk[path].sha256 is None)
    if stale:
        return Verdict("restart", enable, reasons + ["%s changed since it was started" % path for path in stale])
    if shown.get("NeedDaemonReload") == "yes" and not all(path in recorded for path in definition_paths(shown)):
        # started (by systemd itself, after a crash) when the new definition was on disk but not yet read
        return Verdict("restart", enable, reasons + ["its definition on disk is newer than the one that systemd started it from"])
    stale = stale_paths(unit.reload_watch, disk, record.get("reload_watch", {}), started)
    stale += [path for path in unit.reload_watch if path in pending and path not in stale]
    if stale:
        action = "reload" if shown.get("CanReload") == "yes" else "restart"
        return Verdict(action, enable, reasons + ["%s changed since it was read" % path for path in stale])
    return Verdict("none", enable, reasons)


def _enable(unit, shown):
    if unit.enabled is None:
        return None
    state = shown.get("UnitFileState", "")
    if unit.enabled:
        return None if state in NOT_TO_ENABLE else True
    return False if state in ("enabled", "enabled-runtime", "linked") else None


def parse_show(text):
    """:returns: the properties of each unit that one `systemctl show` of several units printed, in its order."""
    units = []
    for paragraph in text.strip().split("\n\n"):
        units.append(dict(line.split("=", 1) for line in paragraph.splitlines() if "=" in line))
    return units


def start_time(shown, now, monotonic):
    """When the running process was started.

    :param now: the present time, in seconds since the epoch.
    :param monotonic: the same moment on the clock that systemd counts by.
    :returns: seconds since the epoch; 0 where it never ran.
    """
    for name in ("ExecMainStartTimestampMonotonic", "InactiveExitTimestampMonotonic"):
        microseconds = int(shown.get(name) or 0)
        if microseconds:
            return now - monotonic + microseconds / 1e6
    return 0.0


def reached(shown, action, old_invocation, age):
    """Whether a started, restarted or stopped unit has arrived.

    :param age: seconds since its process was started.
    :returns: (done, failed, what was seen).
    """
    state = shown.get("ActiveState", "unknown")
    seen = "%s (%s)" % (state, shown.get("SubState", "?"))
    if shown.get("Result", "success") != "success":
        seen += ", result %s, status %s, %s restarts" % (
            shown["Result"], shown.get("ExecMainStatus", "?"), shown.get("NRestarts", "?"))
    busy = bool(shown.get("Job")) and shown.get("Job") != "0"
    if action == "stop":
        return not busy and state in ("inactive", "failed"), False, seen
    fresh = action in ("start", "reload") or shown.get("InvocationID") != old_invocation
    settled = shown.get("Type") not in ("simple", "exec") or age >= SETTLED
    return state == "active" and fresh and settled and not busy, state == "failed" and not busy, seen
