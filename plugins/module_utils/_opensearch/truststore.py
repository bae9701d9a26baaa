# Copyright (c) 2026, ironrack.cluster contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A trust store that every JVM reads, of certificates alone. Pure: the same certificates give the same bytes, so that a second run changes nothing.

JKS, since nothing on a host but a JVM writes PKCS#12 stores that a JVM takes certificates from, and keytool's differ each time. It holds no secret: its
password only carries a sum over the content.

This is a private module_utils package: it may change in any release.
"""
from __future__ import annotations

import base64
import binascii
import hashlib
import re
import struct

from .._common.refusal import Refused, problem

MAGIC, VERSION, TRUSTED = 0xFEEDFEED, 2, 2
#: What every JVM's own store has; whoever leaves the password out has the sum not compared.
PASSWORD = "changeit"
#: Goes into the sum beside the password, by the format.
WHITENER = b"Mighty Aphrodite"
_PEM = re.compile(r"-----BEGIN CERTIFICATE-----(.*?)-----END CERTIFICATE-----", re.DOTALL)


def _utf(text):
    data = text.encode("ascii")
    return struct.pack(">H", len(data)) + data


def jks(pem):
    """Make a trust store.

    :param pem: certificates in PEM, one after the other.
    :returns: bytes.
    :raises Refused: where there is none, or one cannot be read.
    """
    found = _PEM.findall(pem)
    if not found:
        raise Refused([problem("certificates", "there is none", "certificates in PEM", "Give those of the authorities that are trusted.")])
    made = struct.pack(">III", MAGIC, VERSION, len(found))
    for number, text in enumerate(found, 1):
        try:
            der = base64.b64decode("".join(text.split()), validate=True)
        except binascii.Error as error:
            raise Refused([problem("certificates", "number %d cannot be read: %s" % (number, error), "a certificate in PEM", "Give it whole.")]) from error
        # Without a moment: that of the run would make another file of the same certificates.
        made += struct.pack(">I", TRUSTED) + _utf("ca%d" % number) + struct.pack(">Q", 0) + _utf("X.509") + struct.pack(">I", len(der)) + der
    return made + hashlib.sha1(PASSWORD.encode("utf-16-be") + WHITENER + made).digest()
