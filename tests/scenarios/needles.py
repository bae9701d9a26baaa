# Copyright (c) 2026, ironrack.cluster contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What to look for, and whether it is there. Pure; it runs on the hosts too, so it needs the standard library only.

A secret is looked for by its value, and in base64 wherever in a longer text it may have stood: base64 of a text depends on where in a
group of three bytes the text begins, so there are three of them. No answer holds a secret: only its label.
"""
from __future__ import annotations

import base64
import re

#: A shorter piece would be found by chance.
SHORTEST = 16
CHUNK = 1 << 20
KEY = re.compile(r"-----BEGIN (?:[A-Z]+ )*PRIVATE KEY-----\s+(.*?)-----END", re.DOTALL)


def private_lines(lines):
    """:returns: those lines of a key's body that hold something secret.

    A private key holds its public half too, and that stands in every certificate: its lines would be found where nothing is wrong.
    """
    size = sum(map(len, lines)) // 4 * 3
    if size <= 123:
        return lines[:1]  # P-256, SEC 1: the number is in the bytes 7 to 38, a line has 48
    if size <= 150:
        return lines[:2]  # P-256, PKCS 8: the number is in the bytes 36 to 67
    return lines[len(lines) // 3:]  # RSA: the modulus comes first, a quarter of it all


def key_lines(text):
    """:returns: the secret body lines of every private key of a PEM text, without the short ones."""
    return [line for body in KEY.findall(text) for line in private_lines(body.split()) if len(line) >= SHORTEST]


def in_base64(data):
    """:returns: the three texts of which one stands in the base64 of anything that holds ``data``."""
    found = []
    for shift in range(3):
        encoded = base64.b64encode(b"\0" * shift + data)
        # The first group mixes with what stands before, the last one with what follows.
        first = 0 if shift == 0 else 4
        whole = (shift + len(data)) // 3 * 4
        found.append(encoded[first:whole])
    return found


def forms(secret):
    """:returns: the byte strings that give a secret away.

    :param secret: text or bytes.
    :raises ValueError: for one that is too short to be told from chance.
    """
    data = secret.encode("utf-8") if isinstance(secret, str) else bytes(secret)
    if len(data) < SHORTEST:
        raise ValueError("a secret of %d bytes cannot be looked for: %d are needed" % (len(data), SHORTEST))
    made = [data] + in_base64(data)
    if not isinstance(secret, str):
        made += [data.hex().encode(), base64.b64encode(data).rstrip(b"=")]
        # What a key that is raw bytes looks like in base64 is itself a text that gets encoded.
        made += in_base64(base64.b64encode(data))
    return made


class Matcher:
    """Looks for labelled secrets.

    :param secrets: label -> list of text or bytes.
    """

    def __init__(self, secrets):
        self._forms = {}
        for label, values in secrets.items():
            for value in values:
                for form in forms(value):
                    self._forms.setdefault(form, label)
        if not self._forms:
            raise ValueError("there is nothing to look for, so nothing would ever be found")
        self._longest = max(map(len, self._forms))

    def find(self, data):
        """:returns: the labels whose secrets are in some bytes."""
        return {label for form, label in self._forms.items() if form in data}

    def find_in(self, stream):
        """:returns: (labels, bytes read) of a binary stream; what a border between two pieces cuts is found too."""
        found, tail, total = set(), b"", 0
        for piece in iter(lambda: stream.read(CHUNK), b""):
            total += len(piece)
            data = tail + piece
            found |= self.find(data)
            tail = data[-(self._longest - 1):]
        return found, total
