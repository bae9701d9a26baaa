# Copyright (c) 2026, ironrack.cluster contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations


class ModuleDocFragment:
    """What modules do in check mode and with a diff, where several do the same. What one of them does beside it stands in its own details."""

    # For those that change something.
    PREDICTS = r"""
attributes:
  check_mode:
    description: Predicts what would change without changing it.
    support: full
"""

    # For those that have nothing to show before and after.
    NO_DIFF = r"""
attributes:
  diff_mode:
    description: There is nothing to compare.
    support: none
"""
