# Copyright (c) 2026, ironrack.cluster contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which encryption configuration an API server has loaded, as it says itself.

The file on disk is no answer: an API server reads it once a minute, and keeps the old one where the new one is unfit. Its metric
``last_config_info`` names the SHA-256 of the file that its transformers were made of, from its start on.

This is a private module_utils package: it may change in any release.
"""
from __future__ import annotations

import json
import re

from .._common.errors import IronrackError

PKI = "/etc/kubernetes/pki/"
CA_FILE, CERT_FILE, KEY_FILE = PKI + "ca.crt", PKI + "apiserver-kubelet-client.crt", PKI + "apiserver-kubelet-client.key"
SLICES = "/apis/discovery.k8s.io/v1/namespaces/default/endpointslices?labelSelector=kubernetes.io%2Fservice-name%3Dkubernetes"
PREFIX = "apiserver_encryption_config_controller_"
_INFO = re.compile(r"^%slast_config_info\{[^}]*\bhash=\"(sha256:[0-9a-f]{64})\"" % PREFIX)
_FAILED = re.compile(r"^%sautomatic_reloads_total\{[^}]*\bstatus=\"failure\"[^}]*\} ([0-9.e+]+)" % PREFIX)


def parse_metrics(body):
    """:returns: (the SHA-256 of the configuration that was loaded last, or ""; how many loads have failed) from the text of /metrics."""
    loaded, failed = "", 0
    for line in body.splitlines():
        if not line.startswith(PREFIX):
            continue
        info, failure = _INFO.match(line), _FAILED.match(line)
        if info:
            loaded = info.group(1)
        if failure:
            failed += int(float(failure.group(1)))
    return loaded, failed


def addresses(slices):
    """:returns: the addresses of all API servers that a list of EndpointSlices of the Service ``kubernetes`` holds."""
    return sorted({address for one in slices.get("items") or [] for endpoint in one.get("endpoints") or [] for address in endpoint.get("addresses") or []})


class ApiServer:
    """The API server of this host.

    :param http: the HTTP client, with this host's client certificate.
    :param base: its URL.
    """

    def __init__(self, http, base):
        self._http = http
        self._base = base

    def _get(self, path):
        answer = self._http.request("GET", self._base + path)
        if answer.status != 200:
            raise IronrackError("%s of this host's API server answered %d" % (path.split("?")[0], answer.status))
        return answer.body.decode("utf-8", "replace")

    def look(self):
        """:returns: {digest, failures, peers}. :raises IronrackError: where it is not ready, or does not encrypt."""
        self._get("/readyz")
        loaded, failed = parse_metrics(self._get("/metrics"))
        if not loaded:
            raise IronrackError(
                "this host's API server runs without an encryption configuration: it was built before, and --encryption-provider-config has "
                "not been rolled out to it yet. Where /etc/kubernetes/manifests/kube-apiserver.yaml lacks it, run site.yml first")
        return {"digest": loaded, "failures": failed, "peers": addresses(json.loads(self._get(SLICES)))}
