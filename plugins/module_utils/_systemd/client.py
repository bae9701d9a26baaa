# Copyright (c) 2026, ironrack.cluster contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Talk to systemd, hash files, keep the records of what invocations were started with.

This is a private module_utils package: it may change in any release.
"""
from __future__ import annotations

import json
import os
import time

from .._common.fs import atomic_write, read_or_none, sha256_file
from .decide import RUNNING, Disk, parse_show, start_time, watched_paths, with_drop_ins

# below /run: a record must not survive a boot
RECORDS = "/run/ironrack/units"
DEFINITIONS = "/etc/systemd/system"
PROPERTIES = (
    "Id", "Type", "LoadState", "ActiveState", "SubState", "Result", "UnitFileState", "InvocationID", "NeedDaemonReload",
    "FragmentPath", "DropInPaths", "CanReload", "ExecMainStartTimestampMonotonic", "InactiveExitTimestampMonotonic", "ExecMainStatus", "NRestarts", "Job")


class Systemd:
    """systemctl and journalctl of this host.

    :param cli: a Cli.
    """

    def __init__(self, cli):
        self._cli = cli

    def show(self, names):
        """:returns: the properties of each unit by the name that was asked for."""
        done = self._cli.run(["systemctl", "show", "--property=%s" % ",".join(PROPERTIES), "--"] + list(names))
        return dict((name, with_drop_ins(shown, drop_ins(name))) for name, shown in zip(names, parse_show(done.stdout)))

    def daemon_reload(self):
        """Make systemd read unit files again."""
        self._cli.run(["systemctl", "daemon-reload"])

    def enable(self, name, wanted):
        """Enable or disable a unit at boot."""
        self._cli.run(["systemctl", "enable" if wanted else "disable", "--", name])

    def queue(self, action, name):
        """Ask for a start, restart, reload or stop, and come back at once: the wait is the caller's, so that it has a bound."""
        if action in ("start", "restart"):
            # a unit that failed too often is not started again before this
            self._cli.run(["systemctl", "reset-failed", "--", name], ok=(0, 1))
        self._cli.run(["systemctl", "--no-block", action, "--", name])

    def reload(self, name, timeout):
        """Reload a unit and wait for its end: a queued reload cannot be told from one that is over."""
        self._cli.run(
            ["timeout", str(timeout), "systemctl", "reload", "--", name], hint="Its journal (journalctl -u %s) says why." % name)

    def last_words(self, name):
        """:returns: the last lines of a unit's journal."""
        return self._cli.run(
            ["journalctl", "--unit=%s" % name, "--lines=20", "--no-pager", "--output=cat"], ok=(0, 1)).stdout.strip()

    @staticmethod
    def started(shown):
        """:returns: when the unit's process was started, in seconds since the epoch."""
        return start_time(shown, time.time(), time.clock_gettime(time.CLOCK_MONOTONIC))

    @classmethod
    def age(cls, shown):
        """:returns: seconds since the unit's process was started."""
        return time.time() - cls.started(shown)


def show_one(systemd, name, reload=False):
    """:returns: the properties of one unit; that its definition was another one stays in them after a reload, since what runs was started from that.

    :param systemd: a :class:`Systemd`. :param reload: whether systemd may read a definition that it does not know yet.
    """
    shown = systemd.show([name])[name]
    stale = shown.get("NeedDaemonReload") == "yes"
    if reload and (stale or shown.get("LoadState") == "not-found"):
        systemd.daemon_reload()
        shown = systemd.show([name])[name]
        if stale:
            shown["NeedDaemonReload"] = "yes"
    return shown


def drop_ins(name):
    """:returns: the drop-ins of a unit that stand on disk where an administrator puts them."""
    folder = os.path.join(DEFINITIONS, name + ".d")
    try:
        return [os.path.join(folder, entry) for entry in sorted(os.listdir(folder)) if entry.endswith(".conf")]
    except (FileNotFoundError, NotADirectoryError):
        return []


def is_drop_in(path, name):
    """:returns: whether a path would be a drop-in of a unit."""
    return os.path.dirname(path) == os.path.join(DEFINITIONS, name + ".d") and path.endswith(".conf")


def look(path):
    """:returns: the :class:`Disk` of a path; a link counts as changed when it or its target did."""
    try:
        changed = max(os.lstat(path).st_ctime, os.stat(path).st_ctime)
        return Disk(sha256_file(path), changed)
    except (FileNotFoundError, NotADirectoryError, IsADirectoryError):
        return Disk(None, 0.0)


def read_record(name):
    """:returns: the record of a unit, or None."""
    try:
        return json.loads(read_or_none(os.path.join(RECORDS, name + ".json")) or b"null")
    except ValueError:
        return None


def write_record(name, record):
    """Keep what an invocation was started with."""
    os.makedirs(RECORDS, mode=0o755, exist_ok=True)
    atomic_write(os.path.join(RECORDS, name + ".json"), json.dumps(record, sort_keys=True).encode("ascii"), mode=0o600)


def remember(unit, shown, disk):
    """Keep what the present process of a unit that is only ever restarted was started with, so that the next run need not go by times.

    :param unit: a :class:`~.decide.Unit`. :param shown: its properties. :param disk: path -> :class:`~.decide.Disk`.
    """
    new = {"invocation": shown.get("InvocationID"), "reload_watch": {},
           "watch": dict((path, disk[path].sha256) for path in watched_paths(unit, shown) if path in disk)}
    if shown.get("ActiveState") in RUNNING and new != read_record(unit.name):
        write_record(unit.name, new)
