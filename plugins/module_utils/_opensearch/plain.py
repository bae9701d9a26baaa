# Copyright (c) 2026, ironrack.cluster contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Requests by Python's standard library alone, for the schedule on the nodes.

This is a private module_utils package: it may change in any release.
"""
from __future__ import annotations

import http.client
import socket
from urllib.parse import urlencode, urlsplit

from .client import CONNECT, PORT, NoAnswer


def by_http_client(url, params, context):
    """How one address is asked, see :func:`~.client.by_opensearch_py`. Each request has a connection of its own.

    :param params: of which it knows no user and password: whoever asks has a certificate.
    """
    parts = urlsplit(url)

    def send(method, path, query, body, headers, limit):
        kind, options = (http.client.HTTPSConnection, {"context": context}) if parts.scheme == "https" else (http.client.HTTPConnection, {})
        connection = kind(parts.hostname, parts.port or PORT, timeout=min(CONNECT, limit), **options)
        connected = False
        try:
            connection.connect()
            connected = True
            connection.sock.settimeout(limit)
            connection.request(method, parts.path + path + ("?" + urlencode(query) if query else ""), body=body, headers=headers)
            answer = connection.getresponse()
            return answer.status, answer.read().decode("utf-8", "replace")
        except (OSError, http.client.HTTPException) as error:
            raise NoAnswer(_words(error, limit if connected else min(CONNECT, limit)), not connected)
        finally:
            connection.close()

    return send


def _words(error, limit):
    if isinstance(error, socket.timeout):
        return "no answer in %d s" % limit
    return getattr(error, "strerror", None) or str(error) or type(error).__name__
