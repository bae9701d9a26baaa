# Copyright (c) 2026, ironrack.cluster contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Whose certificates the nodes show."""
from __future__ import annotations

import socket
import ssl

from . import api


def served_by(addresses, authority):
    """:returns: for each port of each node whether an authority, in PEM, vouches for it."""
    context, found = ssl.create_default_context(cadata=authority), []
    for address in addresses:
        for port in (api.PORT, api.NODES_PORT):
            with socket.create_connection((address, port), timeout=10) as plain:
                try:
                    with context.wrap_socket(plain, server_hostname=address):
                        found.append(True)
                except ssl.SSLError:
                    found.append(False)
    return found
