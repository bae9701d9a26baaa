# Copyright (c) 2026, ironrack.cluster contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations


class ModuleDocFragment:
    """How modules of this collection ask Prometheus."""

    DOCUMENTATION = r"""
options:
  url:
    description: Address of Prometheus, with a path where it has a prefix, without a user name or a password.
    type: str
    required: true
  ca_file:
    description: PEM file that its certificate has to chain to; the system's store where there is none.
    type: path
  token_file:
    description: File that holds a bearer token. Needs an address with C(https).
    type: path
  username:
    description: User name, with O(password_file).
    type: str
  password_file:
    description: File that holds the password of O(username). Needs an address with C(https).
    type: path
  timeout:
    description: Seconds for connecting, for each read and for the evaluation of each query.
    type: int
    default: 5
  max_age:
    description: Seconds that the last sample of a series may be old. Two intervals of its scrapes or rules are the least that makes sense.
    type: int
    default: 30
"""
