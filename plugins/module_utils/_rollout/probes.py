# Copyright (c) 2026, ironrack.cluster contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Commands whose exit status is a verdict: 0 passes, 1 fails, anything else and a time-out says nothing.

One runs beside the looks, so that the lock is renewed meanwhile.

This is a private module_utils package: it may change in any release.
"""
from __future__ import annotations

import os
import signal
import subprocess
import tempfile
import time

from .._release.observation import FAIL, INCONCLUSIVE, PASS

#: Letters of a command's last line that are told.
LETTERS = 200


class Probes:
    """The commands of one process.

    :param environment: name -> value, beside those that this process has.
    """

    def __init__(self, environment, clock=time.monotonic):
        self._environment, self._clock = environment, clock
        self._running = {}

    def look(self, name, argv, timeout, more=None):
        """Start a command, or see what became of it.

        :param name: one command of a name runs at a time.
        :param timeout: seconds.
        :param more: of the environment.
        :returns: (verdict, why); None while it runs.
        """
        if name not in self._running:
            output = tempfile.TemporaryFile()
            environment = dict(os.environ, **dict(self._environment, **(more or {})))
            try:
                process = subprocess.Popen(argv, stdin=subprocess.DEVNULL, stdout=output, stderr=subprocess.STDOUT, env=environment, start_new_session=True)
            except (OSError, ValueError) as error:
                output.close()
                return INCONCLUSIVE, "%s cannot be run: %s" % (argv[0], error)
            self._running[name] = (process, output, self._clock() + timeout)
        process, output, end = self._running[name]
        status = process.poll()
        if status is None and self._clock() < end:
            return None
        if status is None:
            self._kill(process)
        del self._running[name]
        return judged(argv[0], status, timeout, last_line(output))

    def busy(self):
        """:returns: whether a command runs."""
        return bool(self._running)

    def stop(self):
        """End all that still run."""
        for process, output, _end in self._running.values():
            self._kill(process)
            output.close()
        self._running = {}

    @staticmethod
    def _kill(process):
        try:
            os.killpg(process.pid, signal.SIGKILL)
        except ProcessLookupError:
            pass  # it has ended by itself
        process.wait()


def judged(command, status, timeout, words):
    """:returns: (verdict, why) of an exit status; None stands for a command that took too long."""
    said = ": %s" % words if words else ""
    if status is None:
        return INCONCLUSIVE, "%s took longer than %d s%s" % (command, timeout, said)
    verdict = {0: PASS, 1: FAIL}.get(status, INCONCLUSIVE)
    return verdict, "%s ended with status %d%s" % (command, status, said)


def last_line(output):
    """:returns: the last line that a command printed; its file is closed then."""
    with output:
        output.seek(0, os.SEEK_END)
        output.seek(max(0, output.tell() - 10 * LETTERS))
        lines = output.read().decode("utf-8", "replace").strip().splitlines()
    return lines[-1].strip()[:LETTERS] if lines else ""
