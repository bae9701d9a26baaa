# Copyright (c) 2026, ironrack.cluster contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations


class ModuleDocFragment:
    """What modules about snapshots have in common."""

    DOCUMENTATION = r"""
options:
  repository:
    description: Name of the snapshot repository, as M(ironrack.cluster.opensearch_repository) registers it.
    type: str
    required: true
"""

    # For those that are about one series of scheduled snapshots.
    SERIES = r"""
options:
  prefix:
    description: What the names of the series begin with. Scheduled snapshots are called after it and their time slot.
    type: str
    required: true
"""
