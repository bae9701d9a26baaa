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
