# Copyright (c) 2026, ironrack.cluster contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations


class ModuleDocFragment:
    """What the filters read that make the monitoring hosts' files."""

    DOCUMENTATION = r"""
options:
  _input:
    description: The model, as M(ironrack.cluster.cluster_model) returns it.
    type: dict
    required: true
  services:
    description: The inventory's C(llm_services).
    type: list
    elements: dict
    required: true
"""

    HOST = r"""
options:
  host:
    description: The monitoring host's name.
    type: str
    required: true
"""
