# Copyright (c) 2026, ironrack.cluster contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations


class ModuleDocFragment:
    """How modules of this collection reach OpenSearch."""

    DOCUMENTATION = r"""
options:
  urls:
    description:
      - Addresses of nodes of one cluster, such as V(https://192.0.2.51:9200). They are asked in this order until one answers; a write that was sent
        to one is never sent to another.
      - An address with C(http) gets no credentials, unless it is this host's own.
    type: list
    elements: str
    required: true
  ca_file:
    description: PEM file that the nodes' certificates have to chain to; the system's store where there is none.
    type: path
  cert_file:
    description: PEM file of a client certificate, such as the administrator's. Needs O(key_file).
    type: path
  key_file:
    description: PEM file of the key of O(cert_file).
    type: path
  username:
    description: User to log in as, with O(password). Not needed where O(cert_file) is an administrator's.
    type: str
  password:
    description: Password of O(username).
    type: str
  request_timeout:
    description: Seconds for one answer.
    type: int
    default: 30
requirements:
  - opensearch-py >= 3.0.0 (Python package)
"""
