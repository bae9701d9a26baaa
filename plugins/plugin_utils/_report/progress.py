# Copyright (c) 2026, ironrack.cluster contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the operator sees while conditions turn green.

This is a private plugin_utils package: it may change in any release.
"""
from __future__ import annotations

import time

from ansible.errors import AnsibleActionFail
from ansible.utils.display import Display

from ansible_collections.ironrack.cluster.plugins.module_utils._health.verdict import PASS, enforced, explain, red

#: Seconds that one run of the module waits for news. A run costs about a second of CPU for its imports alone, so it stays while nothing changes.
PATIENCE = 15


def look_until_green(run, arguments, check_mode):
    """Run a module that judges conditions until all are green or its ``wait`` is over, and print each when it turns.

    :param run: a callable that takes the module's arguments and returns its result.
    :param arguments: the task's.
    :param check_mode: whether it is a check run, which never waits.
    :returns: the task's result. :raises AnsibleActionFail: where ``wait`` is no number.
    """
    arguments = dict(arguments)
    try:
        wait = 0.0 if check_mode else float(arguments.get("wait") or 0)
    except (TypeError, ValueError) as error:
        raise AnsibleActionFail("wait needs a number of seconds: %r" % error)
    enforce = arguments.pop("enforce", "always")
    progress = Progress(Display().display)
    while True:
        left = max(0.0, wait - progress.elapsed())
        result = run(dict(arguments, enforce="never", wait=int(min(left, PATIENCE)), known=sorted(progress.green)))
        if "conditions" not in result:
            return result
        progress.tell(result["conditions"])
        if result["ok"] or progress.elapsed() >= wait:
            break
    return finished(result, progress, enforced(enforce, check_mode))


def finished(result, progress, must_pass):
    """Print what stayed red, and turn the last look into the task's result."""
    result["waited"] = round(progress.elapsed(), 1)
    if result["ok"]:
        return result
    progress.tell_red(result["conditions"])
    if must_pass:
        result["failed"] = True
        result["msg"] = "after %.1f s the cluster is not healthy:\n%s" % (result["waited"], explain(result["conditions"]))
    return result


class Progress:
    """What the operator has been told already.

    :param display: a callable that prints one line.
    """

    def __init__(self, display, clock=time.monotonic):
        self._display, self._clock = display, clock
        self._begin = clock()
        self.green = set()

    def elapsed(self):
        """:returns: seconds since the first look."""
        return self._clock() - self._begin

    def tell(self, judged):
        """Print the conditions that turned green, and those that were green and are no more."""
        for one in judged:
            if one["verdict"] == PASS and one["name"] not in self.green:
                self._line("ok", one["name"], one["seen"])
            elif one["verdict"] != PASS and one["name"] in self.green:
                self._line("lost", one["name"], one["seen"])
        self.green = {one["name"] for one in judged if one["verdict"] == PASS}

    def tell_red(self, judged):
        """Print the conditions that are not green."""
        for one in red(judged):
            self._line("FAIL" if one["verdict"] == "fail" else "????", one["name"], "%s; expected: %s" % (one["seen"], one["expected"]))

    def _line(self, word, name, seen):
        self._display("[%5.1f s] %-4s %-29s %s" % (self.elapsed(), word, name, seen))
