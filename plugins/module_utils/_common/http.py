# Copyright (c) 2026, ironrack.cluster contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A small HTTP client over the standard library, for hosts that have nothing else.

This is a private module_utils package: it may change in any release.
"""
from __future__ import annotations

import http.client
import json
import os
import ssl
import urllib.error
import urllib.request
from collections import namedtuple

from .errors import IronrackError

# X509_V_FLAG_PARTIAL_CHAIN of OpenSSL; the module ssl names it from Python 3.10 on.
PARTIAL_CHAIN = 0x80000

Response = namedtuple("Response", ("status", "headers", "body"))


class HttpError(IronrackError):
    """No answer, or one that its caller cannot use. The URL is in its details."""


def tls_context(ca_file=None, cert_file=None, key_file=None):
    """:returns: an SSL context that trusts ``ca_file``, or the system's store where None, and shows a client certificate where one is named.

    :raises OSError: where a file cannot be read or used.
    """
    context = ssl.create_default_context(cafile=ca_file)
    if ca_file:
        # The CA that was named is the anchor, be it a site's intermediate: OpenSSL alone would want the root above it too.
        context.verify_flags |= PARTIAL_CHAIN
    if cert_file:
        context.load_cert_chain(cert_file, key_file)
    return context


class HttpClient:
    """HTTP and HTTPS requests with a CA, and a client certificate where one is asked for.

    :param ca_file: PEM file that a server's certificate must chain to; the system's store where None.
    :param cert_file: PEM file of the client certificate.
    :param key_file: PEM file of its key.
    :param timeout: seconds for connecting and for each read.
    :param verify: False only where the caller authenticates the peer another way.
    :param proxy: URL of an HTTP proxy; none where empty (the environment's proxies are not read: a host's path must not depend on it).
    """

    def __init__(self, ca_file=None, cert_file=None, key_file=None, timeout=5, verify=True, proxy=None):
        self._timeout = timeout
        self._setup = (ca_file, cert_file, key_file, verify, proxy)
        self._opener = None

    def _open(self, request):
        if self._opener is None:
            ca_file, cert_file, key_file, verify, proxy = self._setup
            context = tls_context(ca_file, cert_file, key_file)
            if not verify:
                context.check_hostname = False
                context.verify_mode = ssl.CERT_NONE
            proxies = {"http": proxy, "https": proxy} if proxy else {}
            self._opener = urllib.request.build_opener(
                urllib.request.ProxyHandler(proxies), urllib.request.HTTPSHandler(context=context))
        return self._opener.open(request, timeout=self._timeout)

    def request(self, method, url, body=None, headers=None):
        """Send one request.

        :param body: bytes, or None.
        :returns: :class:`Response`, whatever its status.
        :raises HttpError: when no answer came.
        """
        request = urllib.request.Request(url, data=body, method=method)
        for name, value in (headers or {}).items():
            # A server that sends us elsewhere does not get our secrets there.
            add = request.add_unredirected_header if name.lower() == "authorization" else request.add_header
            add(name, value)
        try:
            try:
                with self._open(request) as answer:
                    return Response(answer.status, dict(answer.headers), answer.read())
            except urllib.error.HTTPError as error:
                return Response(error.code, dict(error.headers), error.read())
        except (OSError, ValueError, http.client.HTTPException) as error:  # the last one where the stream breaks in the middle of an answer
            raise HttpError("no answer from %s: %s" % (url, getattr(error, "reason", error)), url=url)

    def get_json(self, url):
        """:returns: the JSON document at ``url``. :raises HttpError: where it is not there or is no JSON."""
        answer = self.request("GET", url)
        if answer.status != 200:
            raise HttpError("%s answered %d" % (url, answer.status), url=url)
        try:
            return json.loads(answer.body)
        except ValueError as error:
            raise HttpError("%s is no JSON: %s" % (url, error), url=url)

    def download(self, url, path):
        """Stream ``url`` into the new file ``path``; a file that could not be completed is removed.

        :raises HttpError: where it is not there or the stream breaks.
        """
        request = urllib.request.Request(url)
        try:
            with self._open(request) as answer, open(path, "wb") as stream:
                for piece in iter(lambda: answer.read(1 << 20), b""):
                    stream.write(piece)
        except (OSError, ValueError) as error:
            if os.path.exists(path):
                os.unlink(path)
            raise HttpError("%s could not be downloaded: %s" % (url, getattr(error, "reason", error)), url=url)
