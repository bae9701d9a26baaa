# Copyright (c) 2026, ironrack.cluster contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The store of a cluster's certificates: issue what is missing, renew what is near its end or wrong, leave the rest.

How it survives a kill: a key is on disk before anything is signed for it, and every file is replaced by one rename. Whatever is left is
a key without its certificate, for which the next run issues one. Keys are kept when a certificate is renewed, so that a host that
reloads its files one after the other never pairs an old key with a new certificate. To change a key, remove its file from the store.

This is a private module_utils package: it may change in any release.
"""
from __future__ import annotations

import contextlib
import datetime
import hashlib
import json
import os
import shutil
import stat
import tempfile

from .._common.cli import CommandError
from .._common.errors import IronrackError
from .._common.fs import atomic_write, read_or_none
from .._common.lock import locked
from .._encryption import keyring as keyrings
from .._monitoring import login
from . import rotation
from .openssl import OpenSsl
from .spec import PLACEHOLDER, differences, expiry_reason, written

ISO = "%Y-%m-%dT%H:%M:%SZ"
#: Ends of the names of files that only root reads. A hash is one of them: whoever has it can try passwords.
PRIVATE = (".key", ".password", ".bcrypt")


def sha256(data):
    """:returns: the hex SHA-256 of bytes."""
    return hashlib.sha256(data).hexdigest()


class Bundle:
    """One store and what it must hold.

    :param store: the folder.
    :param cli: the shared command client.
    :param check: only say what would be done.
    :param now: the time to judge by; the clock's where None.
    """

    def __init__(self, store, cli, renew_before_days=60, check=False, now=None):
        self._store = store
        self._cli = cli
        self._renew_before = renew_before_days
        self._check = check
        self._now = now or datetime.datetime.now(datetime.timezone.utc)
        self._openssl = OpenSsl(cli, store)
        self._index = {}
        self._known = {}
        self._ends = {}
        self._anchors = {}
        self._chains = {}
        self.files = {}
        self.changes = []
        self.expires = {}
        self.warnings = []

    def converge(self, authorities, keypairs, certificates, encryption=None, passwords=()):
        """Bring the store to what is asked.

        :param authorities: list of spec.Spec.
        :param keypairs: list of names.
        :param certificates: list of spec.Spec.
        :param encryption: {enabled, resources} of the data in etcd; None where the store keeps no keyring.
        :param passwords: names of passwords.
        :raises IronrackError: where going on would replace an authority or a key that others depend on.
        """
        with self._opened():
            # First of all: a store without authorities is that of a cluster which does not stand yet.
            if encryption is not None:
                self._keyring(encryption, any(os.path.exists(self._path(spec.name + ".crt")) for spec in authorities))
            for spec in authorities:
                turn = rotation.Rotation(self._store, spec.name)
                if not self._check:
                    turn.finish()
                self._authority(spec)
                if turn.stage():
                    self.warnings.append(rotation.unfinished(spec.name, turn.stage()))
                # What clients trust: the authority, what is above it where it is a site's intermediate, and another one while it is rotated.
                self.files[spec.name + "-chain.crt"] = self.files[spec.name + ".crt"] + self._chains.get(spec.name, "") + turn.also_trusted()
            for name in keypairs:
                self._keypair(name)
            for spec in certificates:
                self._certificate(spec)
            for name in passwords:
                self._password(name)
            self._write_index()

    @contextlib.contextmanager
    def _opened(self):
        raw = read_or_none(self._path("index.json"))
        try:
            self._known = json.loads(raw) if raw else {}
        except ValueError:
            self._known = {}  # the index only saves work: without it everything is verified again
        if self._check:
            yield
            return
        os.makedirs(self._store, mode=0o700, exist_ok=True)
        os.chmod(self._store, 0o700)
        with locked(self._path(".lock")):
            for leftover in os.listdir(self._store):
                if leftover.startswith(".work-"):
                    shutil.rmtree(self._path(leftover))
            scratch = tempfile.mkdtemp(prefix=".work-", dir=self._store)
            self._openssl = OpenSsl(self._cli, scratch)
            try:
                yield
            finally:
                shutil.rmtree(scratch, ignore_errors=True)

    def _path(self, name):
        return os.path.join(self._store, name)

    def _have(self, file_name):
        """:returns: the content of a file of the store, or None; a key that others can read is closed to them."""
        path = self._path(file_name)
        data = read_or_none(path)
        if data is not None and file_name.endswith(PRIVATE) and stat.S_IMODE(os.stat(path).st_mode) != 0o600:
            name, dummy, end = file_name.rpartition(".")
            self._changed(name, "its %s had the mode %o" % (end, stat.S_IMODE(os.stat(path).st_mode)))
            if not self._check:
                os.chmod(path, 0o600)
        if data is not None:
            self.files[file_name] = data.decode("utf-8")
        return data

    def _changed(self, name, reason):
        self.changes.append({"name": name, "reason": reason})

    def _put(self, file_name, data):
        atomic_write(self._path(file_name), data, mode=0o600 if file_name.endswith(PRIVATE) else 0o644)
        self.files[file_name] = data.decode("utf-8")

    def _put_made(self, file_name, path):
        with open(path, "rb") as stream:
            self._put(file_name, stream.read())

    def _ended(self, name, not_after):
        self._ends[name] = not_after
        self.expires[name] = not_after.strftime(ISO)

    def _write_index(self):
        if not self._check and self._index != self._known:
            atomic_write(self._path("index.json"), json.dumps(self._index, indent=1, sort_keys=True).encode("utf-8"), mode=0o600)

    def _remember(self, name, not_after, **marks):
        self._index[name] = dict(marks, not_after=not_after.strftime(ISO))
        self._ended(name, not_after)

    def _recall(self, name, **marks):
        """:returns: when a certificate ends, if exactly these contents were verified before; else None."""
        known = dict(self._known.get(name) or {})
        not_after = known.pop("not_after", None)
        if not_after is None or known != marks:
            return None
        return datetime.datetime.strptime(not_after, ISO).replace(tzinfo=datetime.timezone.utc)

    # authorities -------------------------------------------------------------------------------------------------------------------

    def _authority(self, spec):
        cert, key = self._have(spec.name + ".crt"), self._have(spec.name + ".key")
        if cert is not None and key is None:
            raise IronrackError(
                "the authority %s has its certificate %s but not its key: nothing can be signed, and a new authority would be one that no "
                "host trusts. Put %s.key back from the backup of this store" % (spec.name, self._path(spec.name + ".crt"), spec.name))
        if spec.own:
            cert, key = self._import(spec, cert, key)
        elif cert is None:
            cert, key = self._new_authority(spec, key)
        if cert is None:
            return
        self._anchors[spec.name] = self._path(spec.name + ".crt")
        marks = {"crt": sha256(cert), "key": sha256(key)}
        not_after = self._recall(spec.name, **marks)
        if not_after is None:
            seen = self._check_authority(spec.name, self._path(spec.name + ".crt"), self._path(spec.name + ".key"))
            not_after = seen.not_after
            if not spec.own and ("CN", spec.common_name) not in seen.subject:
                self.warnings.append("the authority %s is named %s, not CN=%s: an authority is never replaced, so it stays"
                                     % (spec.name, written(seen.subject), spec.common_name))
        if not_after <= self._now:
            raise IronrackError("the authority %s expired on %s: every certificate of it is refused by now. It needs a rotation with an "
                                "overlap, old and new trusted together" % (spec.name, not_after.strftime("%Y-%m-%d")))
        if (not_after - self._now).days < self._renew_before:
            self.warnings.append("the authority %s expires on %s: rotate it before, with old and new trusted together"
                                 % (spec.name, not_after.strftime("%Y-%m-%d")))
        self._remember(spec.name, not_after, **marks)

    def _check_authority(self, name, cert, key):
        """:raises IronrackError: where the files are no authority, or do not belong together."""
        seen = self._openssl.read(cert)
        if not seen.is_ca:
            raise IronrackError("%s, the certificate of the authority %s, is no certificate authority: its basic constraints do not say "
                                "CA:TRUE. Name a certificate that may sign others" % (cert, name))
        if self._openssl.public_key(key) != seen.public_key:
            raise IronrackError("the authority %s: the key %s does not belong to the certificate %s. Put back the pair that belongs "
                                "together, from the backup or from whoever issued it" % (name, key, cert))
        return seen

    def _import(self, spec, cert, key):
        own_cert, own_key, chain = [read_or_none(path) if path else b"" for path in spec.own]
        missing = [path for path, data in zip(spec.own, (own_cert, own_key, chain)) if data is None]
        if missing:
            raise IronrackError("the authority %s is to be imported, but %s is not on this host" % (spec.name, " and ".join(missing)))
        self._chains[spec.name] = chain.decode("utf-8")
        if (own_cert, own_key) == (cert, key):
            return cert, key
        seen = self._check_authority(spec.name, *spec.own[:2])
        if seen.subject != seen.issuer and not (chain and self._openssl.chains_to_root(spec.own[0], spec.own[2])):
            raise IronrackError(
                "the authority %s: %s was issued by %s, and %s. Clients that are built on OpenSSL trust nothing below an authority whose "
                "root they do not know: name a file with the certificates above it, up to the root, as its chain"
                % (spec.name, spec.own[0], written(seen.issuer),
                   "%s does not lead from it to a root" % spec.own[2] if chain else "no chain is named"))
        if seen.not_after <= self._now:
            raise IronrackError("the authority %s cannot be imported: %s expired on %s" % (spec.name, spec.own[0], seen.not_after))
        if cert is not None and self._openssl.read(self._path(spec.name + ".crt")).public_key != seen.public_key:
            raise IronrackError(
                "the authority %s of this store is another one than %s: replacing it would cut off every host that trusts the old one. "
                "Either drop the own authority from the inventory, or rotate with an overlap, or use an empty store for a new cluster"
                % (spec.name, spec.own[0]))
        self._changed(spec.name, "imported from %s" % spec.own[0] if cert is None else "%s was renewed" % spec.own[0])
        if self._check:
            self.files[spec.name + ".crt"] = own_cert.decode("utf-8")
            self.files[spec.name + ".key"] = own_key.decode("utf-8")
            self._ended(spec.name, seen.not_after)
            self._anchors[spec.name] = spec.own[0]
            return None, None
        self._put(spec.name + ".key", own_key)
        self._put(spec.name + ".crt", own_cert)
        return own_cert, own_key

    def _new_authority(self, spec, key):
        self._changed(spec.name, "the authority is new" if key is None else "the authority's certificate is missing; its key is there")
        if self._check:
            self.files.setdefault(spec.name + ".key", PLACEHOLDER)
            self.files[spec.name + ".crt"] = PLACEHOLDER
            self._ends[spec.name] = self._now + datetime.timedelta(days=spec.days)
            return None, None
        if key is None:
            self._put_made(spec.name + ".key", self._openssl.new_key())
        self._put_made(spec.name + ".crt", self._openssl.self_sign(spec, self._path(spec.name + ".key"), spec.days))
        return self._text(spec.name + ".crt"), self._text(spec.name + ".key")

    def _text(self, file_name):
        return self.files[file_name].encode("utf-8")

    # key pairs ---------------------------------------------------------------------------------------------------------------------

    def _keypair(self, name):
        key, public = self._have(name + ".key"), self._have(name + ".pub")
        if key is None and public is not None:
            raise IronrackError("the key pair %s has its public half but not its key: a new one would make every token signed with it "
                                "void. Put %s.key back from the backup of this store" % (name, name))
        if key is None:
            self._changed(name, "the key pair is new")
            if self._check:
                self.files.update({name + ".key": PLACEHOLDER, name + ".pub": PLACEHOLDER})
                return
            self._put_made(name + ".key", self._openssl.new_key())
            key = self._text(name + ".key")
        elif public is not None and self._known.get(name) == {"key": sha256(key), "pub": sha256(public)}:
            self._index[name] = self._known[name]
            return
        wanted = (self._openssl.public_key(self._path(name + ".key")) + "\n").encode("utf-8")
        if public != wanted:
            if public is not None or name not in {change["name"] for change in self.changes}:
                self._changed(name, "its public half was missing or another one")
            self.files[name + ".pub"] = wanted.decode("utf-8")
            if not self._check:
                self._put(name + ".pub", wanted)
        self._index[name] = {"key": sha256(key), "pub": sha256(wanted)}

    # passwords ---------------------------------------------------------------------------------------------------------------------

    def _password(self, name):
        password, hashed = [(self._have(name + end) or b"").decode("utf-8").strip() for end in (".password", ".bcrypt")]
        if self._have(name + ".next.password"):
            self.warnings.append("the password %s is being rotated: its next one is made, and does not count yet" % name)
        if password and login.fits(password, hashed):
            return
        if hashed and not password:
            raise IronrackError("the password %s has its hash but not itself: a new one would be refused by what knows the old one. Put "
                                "%s.password back from the backup of this store" % (name, name))
        self._changed(name, "its hash was missing or another one's" if password else "the password is new")
        if self._check:
            self.files.update({name + ".password": password or PLACEHOLDER, name + ".bcrypt": PLACEHOLDER})
            return
        password = password or login.new_password()
        self._put(name + ".password", (password + "\n").encode("utf-8"))
        self._put(name + ".bcrypt", (login.hash_of(password) + "\n").encode("utf-8"))

    # the keys of the data in etcd ---------------------------------------------------------------------------------------------------

    def _keyring(self, encryption, built):
        path = self._path(keyrings.FILE)
        raw = read_or_none(path)
        if raw is None:
            if self._known.get(keyrings.FILE):
                raise IronrackError(
                    "%s is gone, with the keys that this cluster's data in etcd is encrypted with: a new one could read none of it. Put it "
                    "back from the backup of this store" % path)
            if not encryption["enabled"]:
                return
            self._changed(keyrings.FILE, "the key for the data in etcd is new")
            if self._check:
                self.files[keyrings.DELIVERED] = PLACEHOLDER
                return
            now = self._now.strftime(ISO)
            keyring = keyrings.new_keyring(encryption["resources"], os.urandom(keyrings.KEY_BYTES), now, built)
            atomic_write(path, keyrings.serialised(keyring), mode=0o600)
        else:
            if stat.S_IMODE(os.stat(path).st_mode) != 0o600:
                self._changed(keyrings.FILE, "it had the mode %o" % stat.S_IMODE(os.stat(path).st_mode))
                if not self._check:
                    os.chmod(path, 0o600)
            keyring = keyrings.parse(raw, path)
        if not encryption["enabled"] and not keyrings.is_plain(keyring):
            raise IronrackError(
                "cluster_encryption_at_rest is false, and data of this cluster in etcd is encrypted: without the key no API server could read "
                "it. Set it to true again; to have the data in clear text, run encryption_rotate.yml with -e encryption_rotation_goal=plain "
                "first")
        wanted = set(encryption["resources"]) - set(keyrings.encrypted(keyring))
        if encryption["enabled"] and wanted:
            self.warnings.append("%s: not encrypted in etcd yet. encryption_rotate.yml adds that, with all API servers in step" % ", ".join(sorted(wanted)))
        if encryption["enabled"] and keyrings.unfinished(keyring):
            self.warnings.append(keyrings.unfinished(keyring))
        if encryption["enabled"] and keyrings.is_plain(keyring):
            self.warnings.append("the data in etcd was decrypted and is in clear text: encryption_rotate.yml encrypts it again")
        self.files[keyrings.DELIVERED] = keyrings.text(keyring)
        self._index[keyrings.FILE] = {"keys": keyrings.names(keyring)}

    # certificates ------------------------------------------------------------------------------------------------------------------

    def _certificate(self, spec):
        authority = self._index.get(spec.authority, {}).get("crt")
        cert, key = self._have(spec.name + ".crt"), self._have(spec.name + ".key")
        marks = {"crt": sha256(cert or b""), "key": sha256(key or b""), "spec": spec.digest(), "authority": authority}
        not_after = self._recall(spec.name, **marks) if cert and key and authority else None
        reasons, usable = [], True
        if not_after is None:
            reasons, usable, not_after = self._judge(spec, cert, key)
        if not reasons:
            near = expiry_reason(spec, not_after, self._ends[spec.authority], self._renew_before, self._now)
            reasons = [near] if near else []
        if not reasons:
            self._remember(spec.name, not_after, **marks)
            return
        self._changed(spec.name, "; ".join(reasons))
        if self._check:
            self.files[spec.name + ".crt"] = PLACEHOLDER
            if not usable:
                self.files[spec.name + ".key"] = PLACEHOLDER
            return
        self._issue(spec, usable, marks)

    def _judge(self, spec, cert, key):
        """:returns: (reasons to issue, whether its key can be kept, when it ends)."""
        public = None
        if key is not None:
            try:
                public = self._openssl.public_key(self._path(spec.name + ".key"))
            except CommandError:
                pass
        if cert is None:
            return ["it is missing"], public is not None, None
        if public is None:
            return ["its key is missing or unreadable"], False, None
        path = self._path(spec.name + ".crt")
        try:
            seen = self._openssl.read(path)
        except CommandError:
            return ["it is unreadable"], True, None
        reasons = differences(spec, seen)
        if seen.public_key != public:
            reasons.append("it does not belong to its key")
        anchor = self._anchors.get(spec.authority)  # there is none while a check run only plans a new authority
        if anchor is None or not self._openssl.signed_by(path, anchor):
            reasons.append("it is not signed by %s" % spec.authority)
        return reasons, True, seen.not_after

    def _issue(self, spec, usable, marks):
        # A minute less than is left: openssl counts from the moment at which it signs, and no certificate outlives its authority.
        left = int(((self._ends[spec.authority] - self._now).total_seconds() - 60) // 86400)
        if left < 1:
            raise IronrackError("%s cannot be issued: its authority %s ends within a day" % (spec.name, spec.authority))
        if not usable:
            self._put_made(spec.name + ".key", self._openssl.new_key())
        path = self._openssl.sign(spec, self._path(spec.name + ".key"), self._path(spec.authority + ".crt"),
                                  self._path(spec.authority + ".key"), min(spec.days, left))
        not_after = self._openssl.read(path).not_after
        self._put_made(spec.name + ".crt", path)
        self._remember(spec.name, not_after, crt=sha256(self._text(spec.name + ".crt")), key=sha256(self._text(spec.name + ".key")),
                       spec=marks["spec"], authority=marks["authority"])
