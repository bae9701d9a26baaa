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

#: Seconds for a connection, and for what a server says to a request. With TLS 1.3 it refuses a client after that one's part of the handshake.
CONNECT, ANSWER = 5, 15
#: Any port says something to this: the one between nodes, that it is none for HTTP.
REQUEST = b"GET / HTTP/1.1\r\nHost: probe\r\nConnection: close\r\n\r\n"
TAKEN, REFUSED, UNKNOWN = "taken", "refused", "unknown"


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


def knock(address, port, made):
    """:returns: (TAKEN, "") where a server answers a request of the client; (REFUSED, why) where its TLS refuses; else (UNKNOWN, why)."""
    try:
        with socket.create_connection((address, port), timeout=CONNECT) as plain, made.wrap_socket(plain, server_hostname=address) as secured:
            secured.settimeout(ANSWER)
            secured.sendall(REQUEST)
            return (TAKEN, "") if secured.recv(1) else (UNKNOWN, "it closed the connection")
    except ssl.SSLCertVerificationError as error:
        return UNKNOWN, "its own certificate: %s" % (error.verify_message or error)
    except ssl.SSLError as error:
        return REFUSED, str(error)
    except (OSError, ValueError) as error:
        return UNKNOWN, str(error)


def lacking(nodes, ports, made, wanted=TAKEN):
    """Ask all of them at the same time.

    :param nodes: each with ``name`` and ``address``. :param ports: of each. :param wanted: TAKEN or REFUSED.
    :returns: a sentence for each that does otherwise.
    """
    places = [(node["name"], node["address"], port) for node in nodes for port in ports]
    with ThreadPoolExecutor(max_workers=16) as pool:
        answers = pool.map(lambda place: knock(place[1], place[2], made), places)
        return ["%s, port %d: %s" % (name, port, why or "it takes the client") for (name, _address, port), (verdict, why) in zip(places, answers)
                if verdict != wanted]
