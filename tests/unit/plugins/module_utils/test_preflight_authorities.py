# Copyright (c) 2026, ironrack.cluster contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A site's own authorities as real OpenSSL reads them, and what preflight says of each."""
from __future__ import annotations

import datetime
import os
import subprocess

import pytest

from ansible_collections.ironrack.cluster.plugins.module_utils._common.cli import CommandError, Completed
from ansible_collections.ironrack.cluster.plugins.module_utils._pki.openssl import OpenSsl
from ansible_collections.ironrack.cluster.plugins.module_utils._preflight import authorities
from ansible_collections.ironrack.cluster.plugins.module_utils._preflight.decide import Wants
from ansible_collections.ironrack.cluster.plugins.module_utils._preflight.decide import authorities as judged

WANTS = Wants("192.0.2.1", ("pki",), "standard", 6443, 6443, (), False)


class Cli:
    """Runs commands as the shared client does, without a module."""

    @staticmethod
    def run(argv, ok=(0,), hint=""):
        done = subprocess.run(argv, capture_output=True, text=True, check=False, stdin=subprocess.DEVNULL, timeout=30)
        if done.returncode not in ok:
            raise CommandError(done.stderr + hint)
        return Completed(done.returncode, done.stdout, done.stderr)


def openssl(*argv):
    Cli.run(["openssl"] + [str(word) for word in argv])


@pytest.fixture(name="site", scope="module")
def fixture_site(tmp_path_factory):
    """An authority, another one, an intermediate below the first, a certificate that may not sign, and files that are none of these."""
    folder = tmp_path_factory.mktemp("site")
    for name in ("root", "other"):
        openssl("req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-subj", "/CN=site " + name, "-days", "30",
                "-addext", "basicConstraints=critical,CA:TRUE", "-keyout", folder / (name + ".key"), "-out", folder / (name + ".crt"))
    (folder / "ca.ext").write_text("basicConstraints=critical,CA:TRUE\n")
    (folder / "leaf.ext").write_text("basicConstraints=critical,CA:FALSE\n")
    for name, extensions in (("middle", "ca.ext"), ("leaf", "leaf.ext")):
        openssl("req", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-subj", "/CN=site " + name,
                "-keyout", folder / (name + ".key"), "-out", folder / (name + ".csr"))
        openssl("x509", "-req", "-in", folder / (name + ".csr"), "-CA", folder / "root.crt", "-CAkey", folder / "root.key", "-set_serial", "7",
                "-days", "30", "-extfile", folder / extensions, "-out", folder / (name + ".crt"))
    openssl("pkey", "-in", folder / "root.key", "-aes256", "-passout", "pass:hunter2", "-out", folder / "locked.key")
    (folder / "nonsense").write_text("nonsense")
    return folder


def told(site, cert, key, chain="", store="", days=0):
    """:returns: what preflight says of an authority, in one text."""
    given = {"name": "etcd-ca", "cert": str(site / cert), "key": str(site / key), "chain": str(site / chain) if chain else ""}
    now = datetime.datetime.now(datetime.timezone.utc) + datetime.timedelta(days=days)
    before = sorted(os.listdir(site))
    facts = authorities.read(OpenSsl(Cli(), "/nonexistent"), [given], str(store or site / "no-store"), now)
    assert sorted(os.listdir(site)) == before
    return " ".join(" ".join(problem) for problem in judged({"authorities": facts}, WANTS))


@pytest.mark.parametrize("cert, key, chain, days, words", [
    ("absent.crt", "root.key", "", 0, "absent.crt cannot be read"),
    ("root.crt", "absent.key", "", 0, "absent.key cannot be read"),
    ("middle.crt", "middle.key", "absent.crt", 0, "absent.crt cannot be read"),
    ("nonsense", "root.key", "", 0, "nonsense is no certificate in PEM"),
    ("root.crt", "nonsense", "", 0, "nonsense is no private key in PEM"),
    ("root.crt", "locked.key", "", 0, "locked.key is under a passphrase"),
    ("leaf.crt", "leaf.key", "root.crt", 0, "leaf.crt may not sign others"),
    ("root.crt", "other.key", "", 0, "other.key does not belong to"),
    ("root.crt", "root.key", "", 31, "root.crt expired on"),
    ("root.crt", "root.key", "", -2, "is valid from"),
    ("middle.crt", "middle.key", "", 0, "issued by CN=site root, and no chain is named"),
    ("middle.crt", "middle.key", "other.crt", 0, "other.crt does not lead to a root"),
])
def test_a_bad_authority_is_told(site, cert, key, chain, days, words):
    assert words in told(site, cert, key, chain, days=days)


@pytest.mark.parametrize("cert, key, chain", [("root.crt", "root.key", ""), ("middle.crt", "middle.key", "root.crt")])
def test_a_good_authority_has_no_problem(site, cert, key, chain):
    assert told(site, cert, key, chain) == ""


def test_another_authority_than_the_stores(site, tmp_path):
    (tmp_path / "etcd-ca.crt").write_bytes((site / "other.crt").read_bytes())
    assert "the store holds another one" in told(site, "root.crt", "root.key", store=tmp_path)
    (tmp_path / "etcd-ca.crt").write_bytes((site / "root.crt").read_bytes())
    assert told(site, "root.crt", "root.key", store=tmp_path) == ""


def test_the_stores_own_authority_is_looked_at_too(site, tmp_path):
    (tmp_path / "service-ca.crt").write_bytes((site / "root.crt").read_bytes())
    (tmp_path / "service-ca.key").write_bytes((site / "other.key").read_bytes())
    given = [{"name": "service-ca", "cert": "", "key": "", "chain": ""}, {"name": "etcd-ca", "cert": "", "key": "", "chain": ""}]
    found = authorities.read(OpenSsl(Cli(), "/nonexistent"), given, str(tmp_path))
    assert [(facts["name"], facts["key_fits"]) for facts in found] == [("service-ca", False)]
