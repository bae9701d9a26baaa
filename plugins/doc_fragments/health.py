# Copyright (c) 2026, ironrack.cluster contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations


class ModuleDocFragment:
    """What modules that judge conditions have in common."""

    DOCUMENTATION = r"""
options:
  enforce:
    description:
      - When a result that is not green fails the task.
      - V(not_in_check_mode) is for a plan of a cluster that is not built yet.
      - V(never) is for those who report first and fail later.
    type: str
    choices: [always, not_in_check_mode, never]
    default: always
"""

    # For those that look again until all is well.
    WAIT = r"""
options:
  wait:
    description: Seconds to wait for all conditions. V(0) judges once. In check mode it is never waited.
    type: int
    default: 0
  interval:
    description: Seconds between two looks while waiting.
    type: float
    default: 2
  timeout:
    description: Seconds for connecting to anything and for its answer.
    type: int
    default: 3
  known:
    description:
      - Names of conditions that are known to be green. While waiting, the module returns as soon as the set of green conditions differs
        from it. The action plugin uses it to print each condition when it turns green; leave it out.
    type: list
    elements: str
"""
