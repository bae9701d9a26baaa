# Copyright (c) 2026, ironrack.cluster contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Whether a server takes a client's certificate, and whose certificate it shows itself.

This is a private module_utils package: it may change in any release.
"""
from __future__ import annotations

import os
import socket
import ssl
from concurrent.futures import ThreadPoolExecutor

from .._common.fs import atomic_write
from .._common.http import PARTIAL_CHAIN

#: Seconds for a connection. And those that a server has to refuse a client: with TLS 1.3 it does so after the client's part of the handshake.
CONNECT, REFUSES = 5, 1.0


def context(authority, probe, folder):
    """:returns: what to shake hands with.

    :param authority: in PEM, the only one that a server may come from. :param probe: ``cert`` and ``key`` of the client, in PEM.
    :param folder: where both may lie for a moment, of mode 0700.
    """
    made = ssl.create_default_context(cadata=authority)
    made.verify_flags |= PARTIAL_CHAIN
    paths = [os.path.join(folder, "probe" + end) for end in (".crt", ".key")]
    try:
        for path, text in zip(paths, (probe["cert"], probe["key"])):
            atomic_write(path, text.encode("utf-8"), mode=0o600)
        made.load_cert_chain(*paths)
    finally:
        for path in paths:
            if os.path.exists(path):
                os.unlink(path)
    return made


def refused(address, port, made):
    """:returns: why no connection comes about, in words; empty where one does."""
    try:
        with socket.create_connection((address, port), timeout=CONNECT) as plain, made.wrap_socket(plain, server_hostname=address) as secured:
            secured.settimeout(REFUSES)
            try:
                # A server that takes the client says nothing now: it waits for a request.
                return "" if secured.recv(1) else "it closed the connection"
            except socket.timeout:
                return ""
    except (OSError, ValueError) as error:
        return str(getattr(error, "verify_message", "") or error)


def lacking(nodes, ports, made):
    """Ask all of them at the same time.

    :param nodes: each with ``name`` and ``address``. :param ports: of each.
    :returns: a sentence for each that does not take the connection.
    """
    places = [(node["name"], node["address"], port) for node in nodes for port in ports]
    with ThreadPoolExecutor(max_workers=16) as pool:
        words = pool.map(lambda place: refused(place[1], place[2], made), places)
        return ["%s, port %d: %s" % (name, port, why) for (name, _address, port), why in zip(places, words) if why]
