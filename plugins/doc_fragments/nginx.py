# Copyright (c) 2026, ironrack.cluster contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations


class ModuleDocFragment:
    """How modules of this collection find the NGINX of a load balancer."""

    DOCUMENTATION = r"""
options:
  folder:
    description: The folder of the services' files.
    type: path
    default: /etc/ironrack/nginx/http.d
  unit:
    description: The systemd unit.
    type: str
    default: ironrack-nginx.service
  health_url:
    description: The address and port of NGINX's own health page on this host, as an IP address.
    type: str
    default: http://127.0.0.1:8080
"""
