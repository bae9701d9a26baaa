# Copyright (c) 2026, ironrack.cluster contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A client for the openssl command line, 1.1.1 and 3: hosts have no Python library for certificates.

Keys go through files of mode 0600 only, never through an argument or an output that is kept.

This is a private module_utils package: it may change in any release.
"""
from __future__ import annotations

import os

from .._common.fs import atomic_write
from .spec import config_text, parse_x509

HINT = "Install the openssl package on the pki host, and look at what it says above."


class OpenSsl:
    """Makes keys and certificates, and reads them.

    :param cli: the shared command client.
    :param scratch: a folder of mode 0700 for requests and configurations.
    """

    def __init__(self, cli, scratch):
        self._cli = cli
        self._scratch = scratch

    def _run(self, *argv):
        return self._cli.run(["openssl"] + list(argv), hint=HINT)

    def _path(self, name):
        return os.path.join(self._scratch, name)

    def _config(self, spec):
        path = self._path("openssl.cnf")
        atomic_write(path, config_text(spec).encode("utf-8"), mode=0o600)
        return path

    def new_key(self):
        """:returns: the path of a new ECDSA P-256 key."""
        path = self._path("new.key")
        old = os.umask(0o077)
        try:
            self._run("genpkey", "-algorithm", "EC", "-pkeyopt", "ec_paramgen_curve:P-256", "-out", path)
        finally:
            os.umask(old)
        return path

    def public_key(self, key):
        """:returns: the public half of a private key, PEM."""
        return self._run("pkey", "-in", key, "-pubout").stdout.strip()

    def self_sign(self, spec, key, days):
        """:returns: the path of a new authority's certificate."""
        path = self._path("new.crt")
        self._run("req", "-x509", "-new", "-sha256", "-config", self._config(spec), "-extensions", "extensions", "-key", key,
                  "-days", str(days), "-set_serial", serial(), "-out", path)
        return path

    def sign(self, spec, key, ca_cert, ca_key, days):
        """:returns: the path of a new certificate, signed by an authority."""
        path, request, config = self._path("new.crt"), self._path("new.csr"), self._config(spec)
        self._run("req", "-new", "-sha256", "-config", config, "-key", key, "-out", request)
        self._run("x509", "-req", "-sha256", "-in", request, "-CA", ca_cert, "-CAkey", ca_key, "-set_serial", serial(),
                  "-days", str(days), "-extfile", config, "-extensions", "extensions", "-out", path)
        return path

    def read(self, cert):
        """:returns: what a certificate says of itself (spec.Seen)."""
        return parse_x509(self._run(
            "x509", "-in", cert, "-noout", "-subject", "-issuer", "-startdate", "-enddate", "-pubkey",
            "-ext", "subjectAltName,extendedKeyUsage,basicConstraints", "-nameopt", "sep_multiline,sname,utf8").stdout)

    def signed_by(self, cert, ca_cert):
        """:returns: whether an authority's key signed the certificate; an intermediate counts as an anchor, and dates do not matter."""
        return self._cli.run(["openssl", "verify", "-partial_chain", "-no_check_time", "-trusted", ca_cert, cert], ok=(0, 2)).rc == 0

    def chains_to_root(self, cert, chain):
        """:returns: whether the certificates of the file ``chain`` lead from a certificate to a root, whatever their dates."""
        return self._cli.run(["openssl", "verify", "-no_check_time", "-CAfile", chain, cert], ok=(0, 2)).rc == 0


def serial():
    """:returns: a random serial number of 127 bits: positive, and not to be guessed."""
    return "0x%032x" % (int.from_bytes(os.urandom(16), "big") >> 1 | 1)
