# Copyright (c) 2026, ironrack.cluster contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A password as a bcrypt hash, by the host's own libcrypt: Python's standard library has none any more.

This is a private module_utils package: it may change in any release.
"""
from __future__ import annotations

import base64
import ctypes
import ctypes.util
import hmac
import secrets

from .._common.errors import IronrackError

#: Rounds, as a power of two. Each costs every request; against guessing, 256 random bits need none.
ROUNDS = 5
ALPHABET = b"./ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789"
PLAIN = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/"


def new_password():
    """:returns: 256 random bits as text."""
    return secrets.token_urlsafe(32)


def _crypt(password, setting):
    for name in (ctypes.util.find_library("crypt"), "libcrypt.so.1", "libcrypt.so.2"):
        if not name:
            continue
        try:
            function = ctypes.CDLL(name).crypt
        except (OSError, AttributeError):
            continue
        function.restype, function.argtypes = ctypes.c_char_p, (ctypes.c_char_p, ctypes.c_char_p)
        found = function(password.encode(), setting.encode())
        if found and found.startswith(b"$2b$") and len(found) == 60:
            return found.decode()
    raise IronrackError("no libcrypt of this host can make a bcrypt hash: install the package libcrypt1 (Debian) or libxcrypt (RHEL)")


def hash_of(password):
    """:returns: a new bcrypt hash. :raises IronrackError: where the host cannot make one."""
    salt = base64.b64encode(secrets.token_bytes(16)).rstrip(b"=").translate(bytes.maketrans(PLAIN, ALPHABET))
    return _crypt(password, "$2b$%02d$%s" % (ROUNDS, salt.decode()))


def fits(password, hashed):
    """:returns: whether a hash is that of a password."""
    return hashed.startswith("$2b$") and hmac.compare_digest(_crypt(password, hashed), hashed)


def hash_in(text, username):
    """:returns: the hash of a user in a file of :func:`web_config`; empty where there is none."""
    prefix = "  %s: " % username
    return next((line[len(prefix):].strip().strip("'") for line in (text or "").splitlines() if line.startswith(prefix)), "")


def web_config(username, hashed, cert_file, key_file):
    """:returns: what --web.config.file takes."""
    return ("# Written by ironrack.cluster.web_login.\n"
            "tls_server_config:\n  cert_file: %s\n  key_file: %s\n  min_version: TLS12\n"
            "basic_auth_users:\n  %s: '%s'\n" % (cert_file, key_file, username, hashed))
