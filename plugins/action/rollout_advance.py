# Copyright (c) 2026, ironrack.cluster contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Run rollout_advance stint by stint, and print where the rollout stands after each."""
from __future__ import annotations

import time

from ansible.plugins.action import ActionBase
from ansible.utils.display import Display

TIME = "time"


class ActionModule(ActionBase):
    """Calls, prints, calls again, until the play is needed."""

    _supports_check_mode = True

    def run(self, tmp=None, task_vars=None):
        """:returns: the module's last result."""
        super().run(tmp, task_vars)
        arguments, changed = dict(self._task.args), False
        told = Progress(Display().display)
        while True:
            result = self._execute_module(module_name="ironrack.cluster.rollout_advance", module_args=arguments, task_vars=task_vars)
            changed = changed or bool(result.get("changed"))
            result["changed"] = changed
            if result.get("failed") or result.get("unreachable") or "need" not in result:
                return result
            told.tell(result["progress"], result["remarks"])
            if result["need"] != TIME:
                return result
            arguments = dict(arguments, state=result["state"], warmed=[])


class Progress:
    """What a person has read already.

    :param display: a callable that prints one line.
    """

    def __init__(self, display):
        self._display, self._last, self._known = display, "", set()

    def tell(self, line, warnings=()):
        """Print a line where it is another one than the last, with the time of day."""
        for warning in warnings:
            if warning not in self._known:
                self._known.add(warning)
                self._display("%s  warning: %s" % (time.strftime("%H:%M:%S"), warning))
        if line and line != self._last:
            self._last = line
            self._display("%s  %s" % (time.strftime("%H:%M:%S"), line))
