# Copyright (c) 2026, ironrack.cluster contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a certificate must be, what one is, and why the two differ. Pure: no Ansible, no I/O.

This is a private module_utils package: it may change in any release.
"""
from __future__ import annotations

import datetime
import hashlib
import ipaddress
import json
import re
from collections import namedtuple

from .._common.errors import IronrackError

#: What a check run knows of a file that it would have made.
PLACEHOLDER = "(would be issued)"
USAGES = {"server": ("serverAuth", "TLS Web Server Authentication"), "client": ("clientAuth", "TLS Web Client Authentication")}
UNSAFE = re.compile(r"[\x00-\x1f\x7f\"\\$#;]")
NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*\Z")

#: What ``openssl x509`` says of a certificate. Subject and issuer are tuples of (type, value).
Seen = namedtuple("Seen", ("subject", "issuer", "not_before", "not_after", "public_key", "sans", "usages", "is_ca"))


class Spec:
    """One certificate of the cluster, as it must be.

    :param authority: the name of the authority that signs it; None for an authority itself.
    :param own: for a site's own authority, the (cert, key, chain) paths on the pki host; chain is empty for a root.
    """

    def __init__(self, name, common_name, organizations=(), sans=(), usages=(), days=365, authority=None, own=None):
        self.name = name
        self.common_name = common_name
        self.organizations = tuple(organizations)
        self.sans = tuple(sans)
        self.usages = tuple(usages)
        self.days = days
        self.authority = authority
        self.own = own

    @property
    def is_ca(self):
        return self.authority is None

    def digest(self):
        """:returns: a hash of everything that shows in the certificate except its dates."""
        words = [self.common_name, sorted(self.organizations), sorted(normal_sans(self.sans)), sorted(self.usages), self.authority]
        return hashlib.sha256(json.dumps(words).encode("utf-8")).hexdigest()

    def threshold(self, renew_before_days):
        """:returns: the days left below which it is renewed: never more than a third of its life, or each run would renew it."""
        return min(renew_before_days, self.days / 3.0)


def parse_specs(authorities, keypairs, certificates):
    """Turn the module's arguments into specs.

    :returns: (authorities, certificates) as lists of :class:`Spec`.
    :raises IronrackError: with everything that is wrong, at once.
    """
    wrong = []
    seen = set()
    for kind, entries in (("authority", authorities), ("key pair", keypairs), ("certificate", certificates)):
        for entry in entries:
            name = entry["name"]
            if not NAME.match(name):
                wrong.append("%s %r: a name may have letters, digits, '.', '_' and '-' only, as it names files" % (kind, name))
            if name in seen:
                wrong.append("%s %s: the name is used twice" % (kind, name))
            seen.add(name)
            for word in [entry.get("common_name") or ""] + (entry.get("organizations") or []) + (entry.get("sans") or []):
                if UNSAFE.search(word):
                    wrong.append("%s %s: %r has a character that openssl's configuration cannot carry" % (kind, name, word))
    known = {entry["name"] for entry in authorities}
    for entry in authorities:
        if bool(entry.get("cert")) != bool(entry.get("key")):
            wrong.append("authority %s: an own authority needs both 'cert' and 'key'" % entry["name"])
    for entry in certificates:
        if entry["authority"] not in known:
            wrong.append("certificate %s: its authority %s is not one of %s" % (entry["name"], entry["authority"], ", ".join(sorted(known))))
        for san in entry.get("sans") or []:
            if not valid_san(san):
                wrong.append("certificate %s: %r is neither DNS:name nor IP:address" % (entry["name"], san))
    if wrong:
        raise IronrackError("the certificate list cannot be issued: " + "; ".join(wrong), reasons=wrong)
    return (
        [Spec(entry["name"], entry["common_name"], days=entry.get("days") or 3650,
              own=(entry["cert"], entry["key"], entry.get("chain") or "") if entry.get("cert") else None) for entry in authorities],
        [Spec(entry["name"], entry["common_name"], entry.get("organizations") or (), entry.get("sans") or (), entry["usages"],
              entry.get("days") or 365, entry["authority"]) for entry in certificates],
    )


def valid_san(san):
    """:returns: whether ``san`` is DNS:name or IP:address."""
    kind, dummy, value = san.partition(":")
    if kind == "IP":
        try:
            ipaddress.ip_address(value)
        except ValueError:
            return False
        return True
    return kind == "DNS" and bool(value) and "," not in value and " " not in value


def normal_sans(sans):
    """:returns: subject alternative names in one spelling, as a set; openssl prints FD00:0:0:... where a person writes fd00::."""
    result = set()
    for san in sans:
        kind, dummy, value = san.strip().partition(":")
        if kind in ("IP", "IP Address"):
            try:
                result.add("IP:%s" % ipaddress.ip_address(value))
                continue
            except ValueError:
                pass
        result.add("%s:%s" % (kind, value.lower() if kind == "DNS" else value))
    return result


def config_text(spec):
    """:returns: the openssl configuration for the certificate's request and extensions."""
    lines = ["[req]", "prompt = no", "utf8 = yes", "string_mask = utf8only", "distinguished_name = subject", "[subject]"]
    lines += ['%d.O = "%s"' % (index, organization) for index, organization in enumerate(spec.organizations)]
    lines += ['CN = "%s"' % spec.common_name, "[extensions]", "subjectKeyIdentifier = hash"]
    if spec.is_ca:
        lines += ["basicConstraints = critical, CA:TRUE", "keyUsage = critical, digitalSignature, keyCertSign, cRLSign"]
    else:
        lines += ["authorityKeyIdentifier = keyid", "basicConstraints = critical, CA:FALSE", "keyUsage = critical, digitalSignature",
                  "extendedKeyUsage = %s" % ", ".join(USAGES[usage][0] for usage in spec.usages)]
        if spec.sans:
            lines += ["subjectAltName = @names", "[names]"]
            lines += ['%s.%d = "%s"' % (san.partition(":")[0], index, san.partition(":")[2]) for index, san in enumerate(spec.sans)]
    return "\n".join(lines) + "\n"


def parse_time(text):
    """:returns: openssl's 'Nov 21 01:53:57 2026 GMT' as a datetime in UTC."""
    return datetime.datetime.strptime(" ".join(text.split()), "%b %d %H:%M:%S %Y GMT").replace(tzinfo=datetime.timezone.utc)


def parse_x509(text):
    """Read what ``openssl x509 -subject -issuer -startdate -enddate -pubkey -ext ... -nameopt sep_multiline,sname,utf8`` prints.

    :returns: :class:`Seen`.
    """
    found = {"subject": [], "issuer": [], "sans": set(), "usages": set(), "is_ca": False}
    section = ""
    key = []
    for line in text.splitlines():
        if line.startswith("-----BEGIN") or (key and not key[-1].startswith("-----END")):
            key.append(line)
        elif not line.startswith(" "):
            section = line.split(":")[0].strip()
            if line.startswith(("notBefore=", "notAfter=")):
                found[line[:line.index("=")]] = parse_time(line.partition("=")[2])
        elif section in ("subject=", "issuer="):
            kind, dummy, value = line.strip().partition("=")
            found[section[:-1]].append((kind, value))
        elif section == "X509v3 Subject Alternative Name":
            found["sans"] |= normal_sans(line.split(","))
        elif section == "X509v3 Extended Key Usage":
            found["usages"] |= {word.strip() for word in line.split(",")}
        elif section == "X509v3 Basic Constraints":
            found["is_ca"] = "CA:TRUE" in line
    return Seen(tuple(found["subject"]), tuple(found["issuer"]), found["notBefore"], found["notAfter"], "\n".join(key),
                frozenset(found["sans"]), frozenset(found["usages"]), found["is_ca"])


def differences(spec, seen):
    """Compare a certificate with what it must be, its dates and signature aside.

    :returns: the reasons to issue it again, in words; none where it is right.
    """
    reasons = []
    subject = sorted([("O", organization) for organization in spec.organizations] + [("CN", spec.common_name)])
    if sorted(seen.subject) != subject:
        reasons.append("its subject is %s, not %s" % (written(seen.subject), written(subject)))
    wanted = normal_sans(spec.sans)
    if seen.sans != wanted:
        lacking, surplus = sorted(wanted - seen.sans), sorted(seen.sans - wanted)
        reasons.append("its names changed" + (", lacking %s" % " ".join(lacking) if lacking else "")
                       + (", no longer wanted %s" % " ".join(surplus) if surplus else ""))
    usages = {USAGES[usage][1] for usage in spec.usages}
    if seen.usages != usages:
        reasons.append("its usages are %s, not %s" % (", ".join(sorted(seen.usages)) or "none", ", ".join(sorted(usages))))
    if seen.is_ca:
        reasons.append("it is a certificate authority")
    return reasons


def written(subject):
    """:returns: a subject as a person writes it."""
    return ",".join("%s=%s" % pair for pair in subject)


def expiry_reason(spec, not_after, authority_ends, renew_before_days, now):
    """Say whether a certificate is too near its end.

    A new one cannot outlive its authority: where that is what ends it, renewing would gain nothing and be repeated for ever.

    :returns: the reason in words, or "".
    """
    left = (not_after - now).total_seconds() / 86400.0
    if left >= spec.threshold(renew_before_days):
        return ""
    if left > 0 and authority_ends - not_after < datetime.timedelta(days=2):
        return ""
    day = not_after.strftime("%Y-%m-%d")
    return "it expired on %s" % day if left <= 0 else "it expires on %s, in %d days" % (day, left)
