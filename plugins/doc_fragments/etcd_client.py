# Copyright (c) 2026, ironrack.cluster contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations


class ModuleDocFragment:
    """How modules of this collection ask etcd."""

    DOCUMENTATION = r"""
options:
  ca_file:
    description: The authority of the members' certificates.
    type: path
    default: /etc/etcd/pki/ca.crt
  cert_file:
    description: The client certificate to ask with.
    type: path
    default: /etc/etcd/pki/health-client.crt
  key_file:
    description: Its key.
    type: path
    default: /etc/etcd/pki/health-client.key
  etcdctl:
    description: Path of etcdctl.
    type: path
    default: /usr/local/bin/etcdctl
"""
