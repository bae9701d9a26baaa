# Copyright (c) 2026, ironrack.cluster contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Approves the kubelets' serving certificates, and no others.

Kubernetes signs a kubelet's serving certificate with the cluster's CA, but leaves the approval to the site: nobody in the cluster
knows which names and addresses a machine may claim. This daemon runs on each control plane, asks the API server of its own host, and
approves a request only when its node asks for itself: for its own name, and for addresses that its Node object has and no other Node
claims. Everything else stays pending, with the reason in the journal. A kubelet renews its certificate by a new request, so rotation
needs nobody.

It needs the standard library only, and is installed alone: it imports nothing of this collection.
"""
from __future__ import annotations

import argparse
import base64
import ipaddress
import json
import re
import ssl
import sys
import time
import urllib.error
import urllib.parse
import urllib.request

SIGNER = "kubernetes.io/kubelet-serving"
CSRS = "/apis/certificates.k8s.io/v1/certificatesigningrequests"
USAGES = frozenset(("digital signature", "key encipherment", "server auth"))
NODE_PREFIX, NODE_GROUP = "system:node:", "system:nodes"
# The cluster's CA may be a site's intermediate: it is the anchor, whatever is above it (X509_V_FLAG_PARTIAL_CHAIN of OpenSSL).
PARTIAL_CHAIN = 0x80000
INTERVAL, LONGEST_PAUSE, REQUEST_TIMEOUT = 5, 60, 10

SEQUENCE, SET, OID, OCTET_STRING = 0x30, 0x31, 0x06, 0x04
ATTRIBUTES = 0xA0
COMMON_NAME, ORGANIZATION = "55 04 03", "55 04 0a"
EXTENSION_REQUEST = "2a 86 48 86 f7 0d 01 09 0e"
SUBJECT_ALT_NAME = "55 1d 11"
DNS_NAME, IP_ADDRESS = 0x82, 0x87


class Unreadable(ValueError):
    """A request that is no PKCS#10, or holds what a kubelet does not ask for."""


def elements(data):
    """:returns: the (tag, content) pairs of DER. :raises Unreadable: where it is cut off or of a form that DER does not have."""
    found, place = [], 0
    while place < len(data):
        if place + 2 > len(data) or data[place] & 0x1F == 0x1F:
            raise Unreadable("its DER is cut off or has a long tag")
        tag, length, head = data[place], data[place + 1], 2
        if length & 0x80:
            size = length & 0x7F
            if not 1 <= size <= 4:
                raise Unreadable("its DER has a length of %d bytes" % size)
            length = int.from_bytes(data[place + 2:place + 2 + size], "big")
            head += size
        start = place + head
        place = start + length
        if place > len(data):
            raise Unreadable("its DER is cut off")
        found.append((tag, data[start:place]))
    return found


def inside(element, tag):
    """:returns: the elements inside ``element``, which has to be of type ``tag``."""
    if element[0] != tag:
        raise Unreadable("its DER has type %#x where %#x was expected" % (element[0], tag))
    return elements(element[1])


def oid(element):
    """:returns: an object identifier as its bytes in hex."""
    if element[0] != OID:
        raise Unreadable("its DER lacks an object identifier")
    return " ".join("%02x" % byte for byte in element[1])


def parse_request(pem):
    """Read a PKCS#10 request.

    :param pem: bytes.
    :returns: {"subject": [(oid, text)], "dns": [names], "ip": [addresses], "other": [descriptions]}.
    :raises Unreadable: for anything that is none.
    """
    match = re.search(b"-----BEGIN (?:NEW )?CERTIFICATE REQUEST-----(.+?)-----END", pem, re.DOTALL)
    if not match:
        raise Unreadable("it is no PEM certificate request")
    try:
        der = base64.b64decode(b"".join(match.group(1).split()), validate=True)
        info = inside(inside(elements(der)[0], SEQUENCE)[0], SEQUENCE)
        request = {"subject": [], "dns": [], "ip": [], "other": []}
        for part in inside(info[1], SEQUENCE):
            for attribute in inside(part, SET):
                kind, value = inside(attribute, SEQUENCE)[:2]
                request["subject"].append((oid(kind), value[1].decode("utf-8")))
        for attribute in [found for entry in info[3:] if entry[0] == ATTRIBUTES for found in elements(entry[1])]:
            kind, values = inside(attribute, SEQUENCE)[:2]
            if oid(kind) == EXTENSION_REQUEST:
                for extensions in inside(values, SET):
                    for extension in inside(extensions, SEQUENCE):
                        _read_extension(inside(extension, SEQUENCE), request)
        return request
    except Unreadable:
        raise
    except (ValueError, IndexError) as error:
        raise Unreadable("it cannot be read (%s)" % error)


def _read_extension(parts, request):
    """Add the names of a subjectAltName extension to ``request``; other extensions are the signer's to ignore."""
    if oid(parts[0]) != SUBJECT_ALT_NAME:
        return
    if parts[-1][0] != OCTET_STRING:
        raise Unreadable("its alternative names have no value")
    for tag, value in inside(elements(parts[-1][1])[0], SEQUENCE):
        if tag == DNS_NAME:
            request["dns"].append(value.decode("ascii"))
        elif tag == IP_ADDRESS:
            request["ip"].append(str(ipaddress.ip_address(value)))
        else:
            request["other"].append("a name of type %#x" % tag)


def addresses(node, kind):
    """:returns: a Node's addresses of one type, normalised."""
    found = set()
    for entry in (node.get("status") or {}).get("addresses") or []:
        if entry.get("type") == kind:
            found.add(normal(entry.get("address", "")))
    return found


def normal(text):
    """:returns: an address in its one form, any other text in lower case."""
    try:
        return str(ipaddress.ip_address(text))
    except ValueError:
        return str(text).lower()


def claims(node):
    """:returns: every name and address that a Node object claims."""
    return {normal(node["metadata"]["name"])}.union(*(addresses(node, kind) for kind in ("InternalIP", "ExternalIP", "Hostname")))


def decide(csr, nodes, reserved=()):
    """Decide about one CertificateSigningRequest. Pure.

    :param csr: the object.
    :param nodes: all Node objects.
    :param reserved: names and addresses of the API and its balancers, which are no node's: a node that owns its own Node object
        could claim them there.
    :returns: (whether to approve, the reason as a sentence).
    """
    spec = csr.get("spec") or {}
    if spec.get("signerName") != SIGNER:
        return False, "its signer is %s, not %s" % (spec.get("signerName"), SIGNER)
    user = spec.get("username") or ""
    name = user[len(NODE_PREFIX):]
    if not user.startswith(NODE_PREFIX) or not name or NODE_GROUP not in (spec.get("groups") or []):
        return False, "%s is no node" % (user or "nobody")
    usages = set(spec.get("usages") or [])
    if "server auth" not in usages or not usages <= USAGES:
        return False, "it asks for the usages %s" % ", ".join(sorted(usages))
    try:
        request = parse_request(base64.b64decode(spec.get("request") or ""))
    except ValueError as error:
        return False, "its request is unreadable: %s" % error
    if sorted(request["subject"]) != sorted([(COMMON_NAME, user), (ORGANIZATION, NODE_GROUP)]):
        return False, "its subject is not that of %s: %s" % (user, ", ".join(text for kind, text in request["subject"]))
    if request["other"]:
        return False, "it asks for %s" % ", ".join(request["other"])
    if not request["dns"] and not request["ip"]:
        return False, "it asks for no name and no address"
    return _names_are_its_own(request, name, nodes, {normal(entry) for entry in reserved})


def _names_are_its_own(request, name, nodes, reserved):
    own = next((node for node in nodes if node["metadata"]["name"] == name), None)
    if own is None:
        return False, "there is no Node %s" % name
    wanted = {normal(entry) for entry in request["dns"] + request["ip"]}
    allowed_dns = {normal(name)} | addresses(own, "Hostname")
    foreign = {normal(entry) for entry in request["dns"]} - allowed_dns
    foreign |= {normal(entry) for entry in request["ip"]} - addresses(own, "InternalIP")
    if foreign:
        return False, "%s is not among the names and addresses of Node %s" % (", ".join(sorted(foreign)), name)
    if wanted & reserved:
        return False, "%s belongs to the API or its balancers" % ", ".join(sorted(wanted & reserved))
    for node in nodes:
        both = wanted & claims(node) if node is not own else set()
        if both:
            return False, "Node %s claims %s too" % (node["metadata"]["name"], ", ".join(sorted(both)))
    return True, "Node %s asks for its own %s" % (name, ", ".join(sorted(wanted)))


def is_open(csr):
    """:returns: whether nobody has decided about a request yet."""
    status = csr.get("status") or {}
    return not status.get("certificate") and not any(
        condition.get("type") in ("Approved", "Denied", "Failed") for condition in status.get("conditions") or [])


def approved(csr, reason):
    """:returns: the object with the approval in it."""
    condition = {"type": "Approved", "status": "True", "reason": "IronrackKubeletServing", "message": reason}
    status = dict(csr.get("status") or {})
    status["conditions"] = list(status.get("conditions") or []) + [condition]
    return dict(csr, status=status)


class Api:
    """The API server of this host."""

    def __init__(self, server, ca_file, cert_file, key_file):
        self._server = server
        self._files = (ca_file, cert_file, key_file)

    def call(self, method, path, body=None):
        """:returns: (status, document). :raises OSError: where no answer came."""
        ca_file, cert_file, key_file = self._files
        # Read anew each time: the PKI renews these files while this runs.
        context = ssl.create_default_context(cafile=ca_file)
        context.verify_flags |= PARTIAL_CHAIN
        context.load_cert_chain(cert_file, key_file)
        opener = urllib.request.build_opener(urllib.request.ProxyHandler({}), urllib.request.HTTPSHandler(context=context))
        request = urllib.request.Request(self._server + path, method=method, data=json.dumps(body).encode() if body is not None else None,
                                         headers={"Content-Type": "application/json", "Accept": "application/json"})
        try:
            with opener.open(request, timeout=REQUEST_TIMEOUT) as answer:
                return answer.status, json.loads(answer.read() or b"{}")
        except urllib.error.HTTPError as error:
            return error.code, {"message": error.read(500).decode("utf-8", "replace")}

    def items(self, path):
        """:returns: the objects of a list. :raises OSError: where the answer is none."""
        status, document = self.call("GET", path)
        if status != 200:
            raise OSError("%s answered %d: %s" % (path.split("?")[0], status, document.get("message", "")[:200]))
        return document.get("items") or []


def say(text):
    """Print a line into the journal."""
    print(text, flush=True)


def poll(api, reserved, told):
    """Decide about all open requests once.

    :param told: request uid -> the reason last printed; kept by the caller so that a pending request is told once.
    :returns: the names of the requests that were approved.
    """
    query = urllib.parse.urlencode({"fieldSelector": "spec.signerName=%s" % SIGNER})
    waiting = [csr for csr in api.items("%s?%s" % (CSRS, query)) if is_open(csr)]
    for uid in set(told) - {csr["metadata"].get("uid") for csr in waiting}:
        del told[uid]
    if not waiting:
        return []
    nodes = api.items("/api/v1/nodes")
    done = []
    for csr in waiting:
        name, uid = csr["metadata"]["name"], csr["metadata"].get("uid")
        try:
            yes, reason = decide(csr, nodes, reserved)
        except Exception as error:
            # One odd request must not keep the others waiting.
            yes, reason = False, "it could not be judged: %r" % error
        if yes:
            status, document = api.call("PUT", "%s/%s/approval" % (CSRS, urllib.parse.quote(name)), approved(csr, reason))
            if status == 200:
                done.append(name)
                say("approved %s: %s" % (name, reason))
                continue
            # 409: another control plane was first. 404: it is gone.
            reason = "another approver was first" if status in (404, 409) else "the approval was answered %d: %s" % (
                status, document.get("message", "")[:200])
        if told.get(uid) != reason:
            told[uid] = reason
            say("left %s alone: %s" % (name, reason))
    return done


def main(argv=None):
    """Poll until stopped."""
    parser = argparse.ArgumentParser(description="Approves the kubelets' serving certificates.")
    parser.add_argument("--server", required=True, help="URL of this host's own API server")
    parser.add_argument("--ca", default="/etc/kubernetes/pki/ca.crt")
    parser.add_argument("--cert", default="/etc/ironrack/csr-approver.crt")
    parser.add_argument("--key", default="/etc/ironrack/csr-approver.key")
    parser.add_argument("--reserve", action="append", default=[], help="a name or address that no node may claim; may be repeated")
    parser.add_argument("--once", action="store_true", help="poll once and end")
    options = parser.parse_args(argv)
    api = Api(options.server, options.ca, options.cert, options.key)
    told, pause, last_trouble = {}, INTERVAL, ""
    while True:
        try:
            poll(api, options.reserve, told)
            if last_trouble:
                say("the API server answers again")
            pause, last_trouble = INTERVAL, ""
        except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
            if options.once:
                say("the API server cannot be asked: %s" % error)
                return 1
            if str(error) != last_trouble:
                say("the API server cannot be asked, trying again: %s" % error)
            last_trouble, pause = str(error), min(pause * 2, LONGEST_PAUSE)
        if options.once:
            return 0
        time.sleep(pause)


if __name__ == "__main__":
    sys.exit(main())
