# Copyright (c) 2026, ironrack.cluster contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations


class ModuleDocFragment:
    """How modules of this collection reach the API."""

    DOCUMENTATION = r"""
options:
  kubeconfig:
    description:
      - Path of an administrator's kubeconfig on the host where this runs.
    type: path
    required: true
requirements:
  - kubernetes >= 24.2.0 (Python package)
"""

    TIMEOUT = r"""
options:
  request_timeout:
    description: Seconds for one request to the API.
    type: int
    default: 20
"""
