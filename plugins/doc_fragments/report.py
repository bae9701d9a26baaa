# Copyright (c) 2026, ironrack.cluster contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations


class ModuleDocFragment:
    """What modules that tell people about a cluster have in common."""

    DOCUMENTATION = r"""
options:
  cluster:
    description: The result of M(ironrack.cluster.cluster_model).
    type: dict
    required: true
notes:
  - This is an action plugin; it runs on the controller.
"""

    # For those that say who leads etcd.
    ETCD = r"""
options:
  etcd:
    description: Results of M(ironrack.cluster.etcd_cluster_info), one for each host that was asked; they tell who leads.
    type: list
    elements: dict
    default: []
"""

    # For those that leave an HTML page and a JSON file.
    FILES = r"""
options:
  path:
    description: Where it is written on the controller, without the endings C(.html) and C(.json).
    type: path
    required: true
"""
