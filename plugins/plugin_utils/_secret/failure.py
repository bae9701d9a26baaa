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
    """Print the failure of a module's result, where its task would keep it back. Warnings are shown by Ansible itself.

    :param action: the ActionBase.
    :param module: the module's short name.
    :returns: the result.
    """
    if action._task.no_log and result.get("failed"):
        display.error("%s: %s" % (module, result.get("msg", "it failed without a message")), wrap_text=False)
    return result
