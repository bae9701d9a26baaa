# Copyright (c) 2026, ironrack.cluster contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Runs of the playbooks of a release: to their end, or beside a step that kills, stops or overtakes them."""
from __future__ import annotations

import json
import os
import signal
import subprocess
import time
from collections import namedtuple

from ..common import ROOT, NotProved, prepared
from .. import kill_chain, kill_points
from . import service

#: The longest that a run may take.
LIMIT = 900
#: The lab's Prometheus is minutes old and an error budget needs 30 days: policy `unknown` stands before each release. It is what `release-budget` is about.
OVERRIDE = "the lab's history is younger than its error budget"

Ended = namedtuple("Ended", "status seconds text")


def words(release=None, values=None, override=OVERRIDE):
    """:returns: the words behind the playbook's name.

    :param values: of the inventory's lab_ variables.
    :param override: why the error budget does not hold the release; None: it may.
    """
    given = dict(values or {}, rollout_service=service.NAME)
    if release:
        given["rollout_release"] = release
    if override:
        given["rollout_override_reason"] = override
    return ["-e", json.dumps(given, sort_keys=True)]


class Run:
    """One run of a playbook in the background.

    :param name: of the playbook, without its ending.
    :param record: what its files are called.
    """

    def __init__(self, inventory, name, record, more=(), forks=None):
        argv, environment, self.log, _counts, self._followed = prepared(inventory, name, more, record)
        if forks:
            argv += ["--forks", str(forks)]
        self._output = self.log.open("w")
        self._begun = time.monotonic()
        self._process = subprocess.Popen(argv, cwd=ROOT, env=environment, stdin=subprocess.DEVNULL, stdout=self._output, stderr=subprocess.STDOUT,
                                         start_new_session=True)

    def __enter__(self):
        return self

    def __exit__(self, kind, error, trace):
        if self.alive():
            self.kill()
        self._output.close()

    def alive(self):
        """:returns: whether it still runs."""
        return self._process.poll() is None

    def kill(self):
        """SIGKILL it and all that it started on this machine."""
        kill_chain.kill(self._process.pid)
        self._process.wait()
        self._output.close()

    def signal(self, number):
        """Send a signal to it and to all that it started on this machine: the workers of a playbook lead sessions of their own."""
        family = kill_points.family(kill_chain.parents(), self._process.pid)
        # The head first when it is stopped, and last when it goes on: no worker may end and be seen to end in between.
        for process in sorted(family, key=lambda one: one != self._process.pid, reverse=number == signal.SIGCONT):
            try:
                os.kill(process, number)
            except ProcessLookupError:
                pass  # it has ended by itself

    def wait(self, limit=LIMIT):
        """:returns: :class:`Ended`. :raises NotProved: where it is still running after so many seconds; it is killed then."""
        try:
            self._process.wait(timeout=limit)
        except subprocess.TimeoutExpired as error:
            self.kill()
            raise NotProved("%s was still running after %d s: %s" % (self._process.args[3], limit, self.tail())) from error
        self._output.close()
        return Ended(self._process.returncode, time.monotonic() - self._begun, self.log.read_text())

    def steps(self):
        """:returns: the tasks that it has come to, as :func:`tests.scenarios.kill_points.steps`."""
        text = self._followed.read_text() if self._followed.exists() else ""
        return kill_points.steps(text) if '"task"' in text else []

    def tail(self):
        """:returns: the end of what it printed."""
        return self.log.read_text()[-3000:]


def to_end(inventory, name, record, more=(), limit=LIMIT):
    """Run a playbook to its end, whatever that is. :returns: :class:`Ended`."""
    with Run(inventory, name, record, more) as run:
        return run.wait(limit)


def well(inventory, name, record, more=(), limit=LIMIT):
    """Run a playbook. :returns: :class:`Ended`. :raises NotProved: where it fails."""
    ended = to_end(inventory, name, record, more, limit)
    if ended.status:
        raise NotProved("%s ended with status %d after %.0f s:\n%s" % (record, ended.status, ended.seconds, ended.text[-3000:]))
    return ended


def last_result():
    """:returns: the result of the last rollout on record, and why."""
    last = service.record().get("last") or {}
    return last.get("result"), last.get("why")
