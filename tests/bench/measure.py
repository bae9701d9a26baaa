# Copyright (c) 2026, ironrack.cluster contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Runs one command, and says what it cost."""
from __future__ import annotations

import json
import os
import subprocess
import time
from collections import namedtuple

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))

#: seconds: by the clock. cpu: seconds of processor time of the command and all that it started and waited for. memory_mib: what the largest
#: single process of them held at its most.
Cost = namedtuple("Cost", ("seconds", "cpu", "memory_mib"))

TAIL = 40


class NotMeasured(Exception):
    """A run did not come to its end, or says nothing: there is no figure."""


def run(argv, log, environment=None, limit=3600):
    """Run a command to its end.

    :param log: path of the file that takes all that it prints.
    :param environment: variables in addition to this process'.
    :param limit: seconds after which it is killed.
    :returns: :class:`Cost`.
    :raises NotMeasured: where it fails, or takes longer than the limit.
    """
    started = time.monotonic()
    with open(log, "wb") as output:
        process = subprocess.Popen(
            [str(word) for word in argv], cwd=ROOT, env=dict(os.environ, **(environment or {})), stdin=subprocess.DEVNULL, stdout=output,
            stderr=subprocess.STDOUT)
        try:
            while process.returncode is None:
                # wait4 and no other wait: it alone tells the resources of this child and its own.
                pid, status, usage = os.wait4(process.pid, os.WNOHANG)
                if pid:
                    process.returncode = os.waitstatus_to_exitcode(status)
                elif time.monotonic() - started > limit:
                    raise NotMeasured("%s was still running after %d s; its output is in %s" % (argv[0], limit, log))
                else:
                    time.sleep(0.02)
        finally:
            if process.returncode is None:
                process.kill()
                process.wait()
    seconds = time.monotonic() - started
    if process.returncode:
        with open(log, encoding="utf-8", errors="replace") as stream:
            end = "".join(line[:500] for line in stream.readlines()[-TAIL:])
        raise NotMeasured("%s ended with status %d after %.0f s; the end of %s:\n%s" % (argv[0], process.returncode, seconds, log, end))
    return Cost(round(seconds, 2), round(usage.ru_utime + usage.ru_stime, 2), round(usage.ru_maxrss / 1024))


def playbook(path, inventory, folder, record, words=(), environment=None, limit=3600):
    """Run a playbook under the callbacks that count its tasks and time them.

    :param folder: takes the log and the callbacks' files, named after ``record``.
    :returns: (:class:`Cost`, the report of executed_tasks, the list of task_times).
    """
    counts, times = (os.path.join(folder, "%s-%s.json" % (record, what)) for what in ("counts", "times"))
    here = os.path.join(ROOT, "tests")
    cost = run(
        ["ansible-playbook", "-i", inventory, path, *words], os.path.join(folder, record + ".log"),
        dict({"ANSIBLE_CALLBACK_PLUGINS": "%s:%s" % (os.path.join(here, "callbacks"), os.path.join(here, "bench", "callback_plugins")),
              "ANSIBLE_CALLBACKS_ENABLED": "executed_tasks,task_times", "EXECUTED_TASKS_FILE": counts, "TASK_TIMES_FILE": times,
              "ANSIBLE_NOCOLOR": "1"}, **(environment or {})), limit)
    return cost, _read(counts), _read(times)


def _read(path):
    with open(path, encoding="utf-8") as stream:
        return json.load(stream)
