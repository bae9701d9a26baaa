# Copyright (c) 2026, ironrack.cluster contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations


class ModuleDocFragment:
    """Whose rollouts a module is about."""

    DOCUMENTATION = r"""
options:
  namespace:
    description: The service's namespace.
    type: str
    required: true
  service:
    description: The service's name, a DNS label.
    type: str
    required: true
"""
