# Copyright (c) 2026, ironrack.cluster contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The certificate store, with the real openssl command."""
from __future__ import annotations

import datetime
import json
import os
import subprocess

import pytest
from ansible_collections.ironrack.cluster.plugins.module_utils._common.cli import Cli
from ansible_collections.ironrack.cluster.plugins.module_utils._common.errors import IronrackError
from ansible_collections.ironrack.cluster.plugins.module_utils._monitoring import login
from ansible_collections.ironrack.cluster.plugins.module_utils._pki import bundle as bundle_module
from ansible_collections.ironrack.cluster.plugins.module_utils._pki.bundle import Bundle
from ansible_collections.ironrack.cluster.plugins.module_utils._pki.spec import PLACEHOLDER, parse_specs


class Host:
    """What Cli needs of an AnsibleModule; it counts, and can die before the nth command."""

    def __init__(self, dies_at=None):
        self.commands = []
        self.dies_at = dies_at

    def run_command(self, argv, data=None, environ_update=None, cwd=None, handle_exceptions=True):
        if self.dies_at is not None and len(self.commands) >= self.dies_at:
            raise KeyboardInterrupt
        self.commands.append(argv)
        done = subprocess.run(argv, input=data, capture_output=True, text=True, check=False, cwd=cwd)
        return done.returncode, done.stdout, done.stderr


AUTHORITIES = [{"name": "etcd-ca", "common_name": "lab etcd"}, {"name": "kubernetes-ca", "common_name": "lab kubernetes"}]
CERTIFICATES = [
    {"name": "etcd-cp1", "authority": "etcd-ca", "common_name": "cp1", "sans": ["DNS:cp1", "IP:10.77.0.21", "IP:fd00::21"],
     "usages": ["server", "client"]},
    {"name": "admin", "authority": "kubernetes-ca", "common_name": "ironrack-admin", "organizations": ["system:masters"],
     "usages": ["client"]},
]


def converge(store, authorities=None, certificates=None, keypairs=("sa",), check=False, host=None, now=None, renew=60, encryption=None, passwords=()):
    specs = parse_specs(authorities or AUTHORITIES, [{"name": name} for name in keypairs],
                        CERTIFICATES if certificates is None else certificates)
    result = Bundle(str(store), Cli(host or Host()), renew, check, now)
    result.converge(specs[0], list(keypairs), specs[1], encryption, passwords)
    return result


def names(result):
    return [change["name"] for change in result.changes]


def openssl(*argv):
    return subprocess.run(("openssl",) + argv, capture_output=True, text=True, check=True).stdout


def changed(index, **fields):
    return [dict(entry, **fields) if position == index else entry for position, entry in enumerate(CERTIFICATES)]


def in_days(days):
    return datetime.datetime.now(datetime.timezone.utc) + datetime.timedelta(days=days)


@pytest.fixture
def store(tmp_path):
    return tmp_path / "pki"


@pytest.fixture
def built(store):
    converge(store)
    return store


def test_first_run_issues_everything(store):
    result = converge(store)
    assert names(result) == ["etcd-ca", "kubernetes-ca", "sa", "etcd-cp1", "admin"]
    assert set(result.files) == {"%s.%s" % (name, kind) for name in ("etcd-ca", "kubernetes-ca", "etcd-cp1", "admin")
                                 for kind in ("crt", "key")} | {"sa.key", "sa.pub", "etcd-ca-chain.crt", "kubernetes-ca-chain.crt"}
    assert os.stat(str(store)).st_mode & 0o777 == 0o700
    assert os.stat(str(store / "admin.key")).st_mode & 0o777 == 0o600
    text = openssl("x509", "-in", str(store / "etcd-cp1.crt"), "-noout", "-text")
    for word in ("TLS Web Server Authentication, TLS Web Client Authentication", "DNS:cp1, IP Address:10.77.0.21", "CA:FALSE",
                 "Digital Signature", "ASN1 OID: prime256v1"):
        assert word in text
    assert "O = system:masters" in openssl("x509", "-in", str(store / "admin.crt"), "-noout", "-subject")
    assert "OK" in openssl("verify", "-x509_strict", "-purpose", "sslclient", "-CAfile", str(store / "kubernetes-ca.crt"), str(store / "admin.crt"))
    assert not [name for name in os.listdir(str(store)) if name.startswith(".work-")]


def test_second_run_changes_nothing_and_runs_no_command(built):
    host = Host()
    first = converge(built)
    second = converge(built, host=host)
    assert (first.changes, second.changes, host.commands) == ([], [], [])
    assert second.files == first.files and second.expires["admin"]


def test_without_its_index_everything_is_verified_and_kept(built):
    (built / "index.json").write_text("{broken")
    host = Host()
    assert converge(built, host=host).changes == []
    assert host.commands
    assert len([argv for argv in host.commands if argv[1] == "x509"]) <= 4


def test_check_mode_on_an_empty_store_predicts_and_writes_nothing(store):
    result = converge(store, check=True)
    assert names(result) == names(converge(store / "real"))
    assert set(result.files.values()) == {PLACEHOLDER}
    assert os.listdir(str(store)) == ["real"]


@pytest.mark.parametrize("fields, words", (
    ({"sans": ["DNS:cp1", "IP:10.77.0.99"]}, "lacking IP:10.77.0.99, no longer wanted IP:10.77.0.21"),
    ({"usages": ["server"]}, "its usages are"),
    ({"common_name": "other"}, "its subject is CN=cp1, not CN=other"),
    ({"authority": "kubernetes-ca"}, "not signed by kubernetes-ca"),
))
def test_a_changed_certificate_is_issued_again_with_its_key(built, fields, words):
    key = (built / "etcd-cp1.key").read_text()
    check = converge(built, certificates=changed(0, **fields), check=True)
    assert check.files["etcd-cp1.crt"] == PLACEHOLDER and check.files["etcd-cp1.key"] == key
    result = converge(built, certificates=changed(0, **fields))
    assert names(result) == names(check) == ["etcd-cp1"]
    assert words in result.changes[0]["reason"]
    assert (built / "etcd-cp1.key").read_text() == key
    assert converge(built, certificates=changed(0, **fields)).changes == []


def test_an_ipv6_name_in_another_spelling_is_no_change(built):
    sans = ["IP:FD00:0:0:0:0:0:0:21", "DNS:CP1", "IP:10.77.0.21"]
    assert converge(built, certificates=changed(0, sans=sans)).changes == []


def test_near_expiry_renews_once(built):
    result = converge(built, now=in_days(310))
    assert names(result) == ["etcd-cp1", "admin"]
    assert "in 54 days" in result.changes[0]["reason"] or "in 55 days" in result.changes[0]["reason"]
    assert converge(built, now=in_days(290)).changes == []


def test_a_short_certificate_is_not_renewed_by_every_run(store):
    short = changed(0, days=30)
    converge(store, certificates=short)
    assert converge(store, certificates=short).changes == []
    assert names(converge(store, certificates=short, now=in_days(21))) == ["etcd-cp1"]


def test_a_certificate_that_its_authority_cuts_short_is_not_renewed_by_every_run(store):
    authorities = [dict(AUTHORITIES[0], days=20), AUTHORITIES[1]]
    first = converge(store, authorities)
    assert first.expires["etcd-cp1"] <= first.expires["etcd-ca"]
    second = converge(store, authorities)
    assert second.changes == [] and "etcd-ca expires" in second.warnings[0]


@pytest.mark.parametrize("victim, reason", (("admin.crt", "missing"), ("admin.key", "key is missing")))
def test_a_lost_file_is_made_again(built, victim, reason):
    (built / victim).unlink()
    result = converge(built)
    assert names(result) == ["admin"] and reason in result.changes[0]["reason"]
    assert converge(built).changes == []


@pytest.mark.parametrize("victim", ("admin.crt", "admin.key"))
def test_a_broken_file_is_made_again(built, victim):
    (built / victim).write_text("not PEM")
    assert names(converge(built)) == ["admin"]
    assert converge(built).changes == []


def test_a_key_of_another_certificate_leads_to_a_new_certificate(built):
    (built / "admin.key").write_text((built / "etcd-cp1.key").read_text())
    result = converge(built)
    assert names(result) == ["admin"] and "does not belong to its key" in result.changes[0]["reason"]


def test_a_key_that_others_can_read_is_closed(built):
    (built / "admin.key").chmod(0o644)
    assert names(converge(built, check=True)) == ["admin"]
    assert names(converge(built)) == ["admin"]
    assert os.stat(str(built / "admin.key")).st_mode & 0o777 == 0o600


@pytest.mark.parametrize("check", (True, False))
def test_an_authority_without_its_key_is_refused(built, check):
    (built / "etcd-ca.key").unlink()
    with pytest.raises(IronrackError, match="Put etcd-ca.key back from the backup"):
        converge(built, check=check)


def test_an_authority_with_a_foreign_key_is_refused(built):
    (built / "etcd-ca.key").write_text((built / "kubernetes-ca.key").read_text())
    with pytest.raises(IronrackError, match="does not belong to the certificate"):
        converge(built)


def test_service_account_keys_are_never_replaced(built):
    (built / "sa.key").unlink()
    with pytest.raises(IronrackError, match="sa.key back from the backup"):
        converge(built)


def test_a_public_half_is_derived_again(built):
    public = (built / "sa.pub").read_text()
    (built / "sa.pub").unlink()
    assert converge(built, check=True).files["sa.pub"] == public
    assert names(converge(built)) == ["sa"]
    assert (built / "sa.pub").read_text() == public


def test_an_expired_authority_is_an_error(built):
    with pytest.raises(IronrackError, match="expired on .* rotation with an overlap"):
        converge(built, now=in_days(4000))


def test_another_name_for_an_authority_does_not_replace_it(built):
    (built / "index.json").unlink()
    result = converge(built, [dict(AUTHORITIES[0], common_name="new"), AUTHORITIES[1]])
    assert result.changes == [] and "never replaced" in result.warnings[0]


@pytest.fixture
def own(tmp_path):
    """A site's own intermediate authority."""
    folder = tmp_path / "site"
    converge(folder, [{"name": "root", "common_name": "site root"}], [], ())
    (folder / "cnf").write_text("basicConstraints=critical,CA:TRUE\nkeyUsage=critical,keyCertSign,cRLSign\nsubjectKeyIdentifier=hash\n")
    openssl("req", "-new", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-subj", "/CN=site intermediate",
            "-keyout", str(folder / "ca.key"), "-out", str(folder / "ca.csr"))
    for days, name in ((1000, "ca"), (2000, "ca-renewed")):
        openssl("x509", "-req", "-in", str(folder / "ca.csr"), "-CA", str(folder / "root.crt"), "-CAkey", str(folder / "root.key"),
                "-CAcreateserial", "-days", str(days), "-extfile", str(folder / "cnf"), "-out", str(folder / (name + ".crt")))
    return folder


def with_own(own, cert="ca.crt", key="ca.key"):
    return [AUTHORITIES[0], dict(AUTHORITIES[1], cert=str(own / cert), key=str(own / key), chain=str(own / "root.crt"))]


def test_an_own_intermediate_is_imported_and_signs(store, own):
    check = converge(store, with_own(own), check=True)
    result = converge(store, with_own(own))
    assert names(check) == names(result) and "imported" in result.changes[1]["reason"]
    assert result.files["kubernetes-ca.crt"] == (own / "ca.crt").read_text()
    assert result.files["kubernetes-ca-chain.crt"] == (own / "ca.crt").read_text() + (own / "root.crt").read_text()
    assert result.files["etcd-ca-chain.crt"] == result.files["etcd-ca.crt"]
    assert converge(store, with_own(own)).changes == []
    openssl("verify", "-partial_chain", "-trusted", str(own / "ca.crt"), str(store / "admin.crt"))


@pytest.mark.parametrize("chain, words", (("", "no chain is named"), ("ca.crt", "does not lead from it to a root")))
@pytest.mark.parametrize("check", (True, False))
def test_an_intermediate_without_what_is_above_it_is_refused(store, own, chain, words, check):
    authorities = [AUTHORITIES[0], dict(with_own(own)[1], chain=str(own / chain) if chain else "")]
    with pytest.raises(IronrackError, match="issued by .*site root.*%s" % words):
        converge(store, authorities, check=check)


def test_an_own_root_needs_no_chain(store, own):
    authorities = [AUTHORITIES[0], dict(AUTHORITIES[1], cert=str(own / "root.crt"), key=str(own / "root.key"))]
    assert converge(store, authorities).files["kubernetes-ca-chain.crt"] == (own / "root.crt").read_text()


def test_an_own_intermediate_may_be_renewed(store, own):
    converge(store, with_own(own))
    renewed = with_own(own, "ca-renewed.crt")
    assert names(converge(store, renewed, check=True)) == ["kubernetes-ca"]
    assert names(converge(store, renewed)) == ["kubernetes-ca"]
    assert converge(store, renewed).changes == []


@pytest.mark.parametrize("check", (True, False))
def test_a_foreign_authority_is_refused(built, own, check):
    with pytest.raises(IronrackError, match="would cut off every host"):
        converge(built, with_own(own), check=check)


@pytest.mark.parametrize("cert, key, words", (
    ("leaf.crt", "leaf.key", "no certificate authority"), ("ca.crt", "root.key", "does not belong"), ("nowhere.crt", "ca.key", "not on this host")))
def test_a_bad_own_authority_is_refused(store, own, cert, key, words):
    converge(own, [{"name": "root", "common_name": "site root"}],
             [{"name": "leaf", "authority": "root", "common_name": "leaf", "usages": ["server"]}], ())
    with pytest.raises(IronrackError, match=words):
        converge(store, with_own(own, cert, key))


def small(store, host=None):
    """A store small enough to be killed at each step of its making in a short test."""
    return converge(store, AUTHORITIES[:1], CERTIFICATES[:1], host=host)


def test_killed_at_any_command_a_rerun_finishes_with_the_same_authorities(tmp_path):
    total = Host()
    small(tmp_path / "whole", total)
    for at in range(len(total.commands)):
        store = tmp_path / str(at)
        with pytest.raises(KeyboardInterrupt):
            small(store, Host(dies_at=at))
        before = {name: (store / name).read_text() for name in os.listdir(str(store)) if name.endswith("ca.crt")}
        small(store)
        assert small(store).changes == []
        for name, text in before.items():
            assert (store / name).read_text() == text


def test_killed_at_any_write_a_rerun_finishes(tmp_path, monkeypatch):
    real = bundle_module.atomic_write

    def dying_at(at):
        written = []

        def write(path, data, mode=None):
            if len(written) == at:
                raise KeyboardInterrupt
            written.append(path)
            real(path, data, mode=mode)
        return write

    for at in range(6):
        monkeypatch.setattr(bundle_module, "atomic_write", dying_at(at))
        with pytest.raises(KeyboardInterrupt):
            small(tmp_path / str(at))
        monkeypatch.setattr(bundle_module, "atomic_write", real)
        os.mkdir(str(tmp_path / str(at) / ".work-left"))
        small(tmp_path / str(at))
        assert small(tmp_path / str(at)).changes == []


def test_bad_input_is_refused_with_all_reasons():
    with pytest.raises(IronrackError) as error:
        parse_specs([{"name": "a/b", "common_name": "x", "cert": "/only", "key": ""}], [],
                    [{"name": "c", "authority": "nobody", "common_name": 'a"b', "sans": ["cp1", "IP:1.2.3"], "usages": ["client"]}])
    assert len(error.value.details["reasons"]) == 6


ENCRYPTED = {"enabled": True, "resources": ["secrets"]}
NOT_ENCRYPTED = {"enabled": False, "resources": ["secrets"]}


def providers(result):
    (block,) = json.loads(result.files["encryption.yaml"])["resources"]
    return [next(iter(provider)) for provider in block["providers"]]


def test_the_key_of_the_data_in_etcd_is_made_once(store):
    first = converge(store, encryption=ENCRYPTED)
    kept = (store / "encryption-keyring.json").read_bytes()
    second = converge(store, encryption=ENCRYPTED)
    assert names(first)[0] == "encryption-keyring.json" and second.changes == [] and second.warnings == []
    assert (store / "encryption-keyring.json").read_bytes() == kept and second.files == first.files
    assert os.stat(str(store / "encryption-keyring.json")).st_mode & 0o777 == 0o600
    assert providers(first) == ["secretbox", "identity"]
    assert json.loads(kept)["keys"][0]["secret"] not in json.dumps([first.changes, first.warnings, json.loads((store / "index.json").read_text())])


def test_a_check_run_makes_no_key(store):
    result = converge(store, encryption=ENCRYPTED, check=True)
    assert result.files["encryption.yaml"] == PLACEHOLDER and not store.exists()


def test_on_a_built_cluster_the_first_key_only_reads(built):
    result = converge(built, encryption=ENCRYPTED)
    assert providers(result) == ["identity", "secretbox"]
    assert "still written to etcd in clear text" in result.warnings[0]


@pytest.mark.parametrize("dies_at", range(0, 14, 3))
def test_killed_in_its_first_run_it_is_still_a_new_cluster(store, dies_at):
    with pytest.raises(KeyboardInterrupt):
        converge(store, host=Host(dies_at), encryption=ENCRYPTED)
    assert providers(converge(store, encryption=ENCRYPTED)) == ["secretbox", "identity"]


def test_encryption_is_not_switched_off_over_encrypted_data(store):
    converge(store, encryption=ENCRYPTED)
    kept = (store / "encryption-keyring.json").read_bytes()
    with pytest.raises(IronrackError, match="encryption_rotation_goal=plain"):
        converge(store, encryption=NOT_ENCRYPTED)
    assert (store / "encryption-keyring.json").read_bytes() == kept


def test_encryption_is_switched_off_once_all_is_in_clear_text(store):
    converge(store, encryption=ENCRYPTED)
    keyring = json.loads((store / "encryption-keyring.json").read_text())
    (store / "encryption-keyring.json").write_text(json.dumps(dict(keyring, order=["identity", "key1"])))
    assert converge(store, encryption=NOT_ENCRYPTED).changes == []
    assert "clear text" in converge(store, encryption=ENCRYPTED).warnings[0]


def test_without_encryption_there_is_no_key(store):
    result = converge(store, encryption=NOT_ENCRYPTED)
    assert "encryption.yaml" not in result.files and not (store / "encryption-keyring.json").exists()


def test_a_lost_keyring_is_not_replaced(store):
    converge(store, encryption=ENCRYPTED)
    (store / "encryption-keyring.json").unlink()
    with pytest.raises(IronrackError, match="a new one could read none of it"):
        converge(store, encryption=ENCRYPTED)


def test_an_open_keyring_is_closed_and_a_new_kind_of_object_waits_for_a_rotation(store):
    converge(store, encryption=ENCRYPTED)
    os.chmod(str(store / "encryption-keyring.json"), 0o644)
    result = converge(store, encryption={"enabled": True, "resources": ["secrets", "configmaps"]})
    assert names(result) == ["encryption-keyring.json"] and os.stat(str(store / "encryption-keyring.json")).st_mode & 0o777 == 0o600
    assert json.loads(result.files["encryption.yaml"])["resources"][0]["resources"] == ["secrets"]
    assert "configmaps: not encrypted in etcd yet" in result.warnings[0]


def test_a_password_is_made_once_with_its_hash(store):
    planned = converge(store, passwords=["admin"], check=True)
    assert planned.files["admin.password"] == planned.files["admin.bcrypt"] == PLACEHOLDER and not (store / "admin.password").exists()
    first = converge(store, passwords=["admin"])
    assert {"name": "admin", "reason": "the password is new"} in first.changes
    password, hashed = first.files["admin.password"].strip(), first.files["admin.bcrypt"].strip()
    assert len(password) >= 40 and login.fits(password, hashed)
    assert {(store / ("admin" + end)).stat().st_mode & 0o777 for end in (".password", ".bcrypt")} == {0o600}
    second = converge(store, passwords=["admin"])
    assert second.changes == [] and second.files["admin.password"].strip() == password and second.files["admin.bcrypt"].strip() == hashed


def test_a_lost_hash_is_made_again_and_a_lost_password_is_not(store):
    password = converge(store, passwords=["admin"]).files["admin.password"]
    (store / "admin.bcrypt").unlink()
    again = converge(store, passwords=["admin"])
    assert again.files["admin.password"] == password and [change["name"] for change in again.changes] == ["admin"]
    (store / "admin.password").unlink()
    with pytest.raises(IronrackError, match="Put admin.password back"):
        converge(store, passwords=["admin"])


def test_a_password_that_others_can_read_is_closed(store):
    converge(store, passwords=["admin"])
    (store / "admin.password").chmod(0o644)
    assert converge(store, passwords=["admin"]).changes == [{"name": "admin", "reason": "its password had the mode 644"}]
    assert (store / "admin.password").stat().st_mode & 0o777 == 0o600
