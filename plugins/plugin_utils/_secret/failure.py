# Copyright (c) 2026, ironrack.cluster contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Shows the error of a task that is no_log.

A result that holds keys makes its task no_log; Ansible then censors the failure as well, and a person would be left with nothing. Only for
modules whose messages name files, stages and hosts, never a key.
"""
from __future__ import annotations

from ansible.utils.display import Display

display = Display()


def shown(action, module, result):
    """Print the failure and the warnings of a module's result, where its task would keep them back.

    :param action: the ActionBase.
    :param module: the module's short name.
    :returns: the result.
    """
    if action._task.no_log:
        if result.get("failed"):
            display.error("%s: %s" % (module, result.get("msg", "it failed without a message")), wrap_text=False)
        for warning in result.get("warnings") or []:
            display.warning("%s: %s" % (module, warning))
    return result
