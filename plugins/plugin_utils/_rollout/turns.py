# Copyright (c) 2026, ironrack.cluster contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Turns of the hosts of one run: how many at the same time, never of two zones, and none after one that failed.

Ansible's `throttle` would make hosts wait that have nothing to do, knows no zones, and lets the next host begin after one that failed.
So each host that has something to roll out asks for a turn, in a file of the folder of temporary files that Ansible makes for this one run
and removes at its end. The file holds who is at work; a process that was killed is found by its id.

This is a private plugin_utils package: it may change in any release.
"""
from __future__ import annotations

import fcntl
import json
import os
import time
from contextlib import contextmanager

#: In the folder of temporary files of one run.
BOOK = "ironrack-turns.json"


class Stopped(Exception):
    """A host of this run failed: nobody else begins. Its text says which, and why."""


def most(words, hosts):
    """:returns: how many hosts may be at work at the same time, at least one.

    :param words: a number, or a part like "10%".
    :param hosts: how many hosts there are.
    :raises ValueError: where it is neither.
    """
    words = str(words).strip()
    number = int(words[:-1]) * hosts // 100 if words.endswith("%") else int(words)
    if int(words.rstrip("%")) < 0:
        raise ValueError("it is negative")
    return max(1, number)


def may_begin(busy, zone, limit):
    """Decide.

    :param busy: the turns that are taken, as {"host", "zone"}; all of one kind.
    :param zone: of the host that asks; hosts without one count as one zone.
    :param limit: how many may be at work.
    :returns: why it has to wait, empty where it may begin.
    """
    others = sorted({turn["zone"] for turn in busy} - {zone})
    if others:
        return "hosts of zone %s are at work" % (others[0] or "(none)")
    if len(busy) >= limit:
        return "%s %s at work" % (", ".join(turn["host"] for turn in busy), "is" if len(busy) == 1 else "are")
    return ""


class Turns:
    """The book of one run.

    :param folder: Ansible's folder of temporary files.
    :param sleep: how to wait.
    :param alive: whether the process with an id lives.
    """

    def __init__(self, folder, sleep=time.sleep, alive=None):
        self._path = os.path.join(folder, BOOK)
        self._sleep = sleep
        self._alive = alive or _alive

    @contextmanager
    def turn(self, kind, host, zone, limit):
        """Wait for a turn and hold it.

        There is no time-out here: whoever is at work has one of its own, and ends, fails or is dead.

        :param kind: whose turns they are: control planes do not wait for workers.
        :raises Stopped: where a host failed before.
        """
        while not self._take(kind, host, zone, limit):
            self._sleep(0.5)
        failure = "it did not come to its end"
        try:
            yield
            failure = ""
        except BaseException as error:
            failure = str(error) or failure
            raise
        finally:
            self._give_back(kind, host, failure)

    def _take(self, kind, host, zone, limit):
        with self._open() as book:
            busy = [turn for turn in book["busy"] if self._alive(turn["pid"])]
            for turn in book["busy"]:
                if turn not in busy:
                    book["failed"].setdefault(turn["host"], "its turn was cut off")
            book["busy"] = busy
            if book["failed"]:
                name, why = sorted(book["failed"].items())[0]
                raise Stopped("%s was left as it is, because %s failed before it: %s" % (host, name, why))
            if may_begin([turn for turn in busy if turn["kind"] == kind], zone, limit):
                return False
            busy.append({"kind": kind, "host": host, "zone": zone, "pid": os.getpid()})
            return True

    def _give_back(self, kind, host, failure):
        with self._open() as book:
            book["busy"] = [turn for turn in book["busy"] if (turn["kind"], turn["host"]) != (kind, host)]
            if failure:
                book["failed"][host] = failure

    @contextmanager
    def _open(self):
        handle = os.open(self._path, os.O_RDWR | os.O_CREAT, 0o600)
        with os.fdopen(handle, "r+", encoding="utf-8") as stream:
            fcntl.flock(stream, fcntl.LOCK_EX)
            book = json.loads(stream.read() or '{"busy": [], "failed": {}}')
            try:
                yield book
            finally:
                stream.seek(0)
                stream.truncate()
                stream.write(json.dumps(book))
                stream.flush()


def _alive(pid):
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        pass
    return True
