# Copyright (c) 2026, ironrack.cluster contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A server's certificate, as a client of it sees it.

This is a private module_utils package: it may change in any release.
"""
from __future__ import annotations

import socket
import ssl

from .._common.http import tls_context
from .expected import address_url
from .verdict import Finding, Unknown, listing

EXPIRY_DAYS = 30


def peer(address, port, ca_file, timeout):
    """Shake hands with a TLS server.

    :param ca_file: what its certificate has to chain to; its address has to be one of its names.
    :param timeout: seconds for connecting and for each answer.
    :returns: ``verified`` and ``not_after`` (seconds since the epoch); or ``untrusted``, or ``error``, in words.
    """
    try:
        context = tls_context(ca_file)
        with socket.create_connection((address, port), timeout=timeout) as plain:
            with context.wrap_socket(plain, server_hostname=address) as secured:
                return {"verified": True, "not_after": ssl.cert_time_to_seconds(secured.getpeercert()["notAfter"])}
    except ssl.SSLCertVerificationError as error:
        return {"untrusted": error.verify_message or str(error)}
    except (OSError, ValueError) as error:
        return {"error": "no TLS connection to %s: %s" % (address_url(address, port), error)}


def valid_for_a_month(answers, names, now):
    """Whether the certificates of servers are good for another month.

    :param answers: name -> what :func:`peer` said.
    :param names: of all the servers. :param now: seconds since the epoch.
    :returns: a :class:`Finding`. :raises Unknown: where none is near its end and one could not be read.
    """
    left = {name: (answers[name]["not_after"] - now) / 86400.0 for name in names if answers.get(name, {}).get("not_after") is not None}
    soon = {name: days for name, days in left.items() if days <= EXPIRY_DAYS}
    wanted = "each certificate is valid for more than %d days" % EXPIRY_DAYS
    if soon:
        return Finding(False, ", ".join("%s: %.1f days left" % item for item in sorted(soon.items())), wanted)
    missing = [name for name in names if name not in left]
    if missing or not left:
        raise Unknown("no certificate could be read from: %s" % listing(missing))
    return Finding(True, "the first ends in %d days" % min(left.values()), wanted)
