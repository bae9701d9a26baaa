# Copyright (c) 2026, ironrack.cluster contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Bootstrap tokens and the hash of the CA that a joining node pins. Pure but for the random source.

This is a private module_utils package: it may change in any release.
"""
from __future__ import annotations

import base64
import hashlib
import re
import secrets
import string
from datetime import datetime, timedelta, timezone

NAMESPACE = "kube-system"
LABELS = {"app.kubernetes.io/managed-by": "ironrack.cluster"}
GROUP = "system:bootstrappers:kubeadm:default-node-token"
CONTROL_PLANE_LABEL = "node-role.kubernetes.io/control-plane"
# A token that ends in the middle of a join is worse than a new one.
REST = timedelta(minutes=30)

_ALPHABET = string.ascii_lowercase + string.digits
_PEM = re.compile(b"-----BEGIN CERTIFICATE-----(.+?)-----END CERTIFICATE-----", re.DOTALL)


def missing_nodes(wanted, control_planes, nodes):
    """:returns: the names of wanted nodes that the API does not have, or has without the last thing that kubeadm gives a control plane."""
    labels = {node["metadata"]["name"]: node["metadata"].get("labels") or {} for node in nodes}
    return [name for name in wanted
            if name not in labels or (name in control_planes and CONTROL_PLANE_LABEL not in labels[name])]


def usable_token(found, now):
    """:returns: the token of the Secret that lasts longest, or "" where none lasts long enough."""
    best = ("", "")
    for secret in found:
        data = {key: base64.b64decode(value).decode("ascii", "replace") for key, value in (secret.get("data") or {}).items()}
        expires = data.get("expiration", "")
        if secret.get("type") == "bootstrap.kubernetes.io/token" and GROUP in data.get("auth-extra-groups", "").split(",") \
                and expires > stamp(now + REST) and data.get("token-secret"):
            best = max(best, (expires, "%s.%s" % (data["token-id"], data["token-secret"])))
    return best[1]


def new_token():
    """:returns: a random token, ID.SECRET."""
    return "%s.%s" % tuple("".join(secrets.choice(_ALPHABET) for place in range(length)) for length in (6, 16))


def token_secret(token, expires):
    """:returns: the Secret that makes a token valid."""
    identity, secret = token.split(".")
    return {
        "apiVersion": "v1", "kind": "Secret", "type": "bootstrap.kubernetes.io/token",
        "metadata": {"name": "bootstrap-token-%s" % identity, "namespace": NAMESPACE, "labels": dict(LABELS)},
        "stringData": {"token-id": identity, "token-secret": secret, "expiration": stamp(expires), "description": "ironrack.cluster: joins of site.yml",
                       "usage-bootstrap-authentication": "true", "usage-bootstrap-signing": "true", "auth-extra-groups": GROUP},
    }


def stamp(moment):
    """:returns: a time as Kubernetes writes it; such texts sort like the times."""
    return moment.astimezone(timezone.utc).strftime("%Y-%m-%dT%H:%M:%SZ")


def now():
    """:returns: the time."""
    return datetime.now(timezone.utc)


def ca_hash(pem):
    """:returns: sha256:HEX over the public key of the first certificate, as kubeadm's caCertHashes wants it.

    :raises ValueError: where there is no certificate.
    """
    match = _PEM.search(pem)
    if not match:
        raise ValueError("there is no PEM certificate")
    try:
        certificate = _child(base64.b64decode(match.group(1)))
        fields = _children(_children(certificate)[0][1])
        # tbsCertificate: an optional [0] version, then serial, algorithm, issuer, validity, subject and the key.
        place = 6 if fields[0][0][0] == 0xA0 else 5
        return "sha256:%s" % hashlib.sha256(fields[place][0]).hexdigest()
    except IndexError:
        raise ValueError("the certificate is cut off")


def _element(data, start):
    """:returns: (the whole element, its content, where the next one starts) of DER."""
    length, head = data[start + 1], 2
    if length & 0x80:
        head += length & 0x7F
        length = int.from_bytes(data[start + 2:start + head], "big")
    end = start + head + length
    if end > len(data):
        raise ValueError("the certificate is cut off")
    return data[start:end], data[start + head:end], end


def _children(content):
    found, place = [], 0
    while place < len(content):
        whole, inner, place = _element(content, place)
        found.append((whole, inner))
    return found


def _child(data):
    return _element(data, 0)[1]
