# Copyright (c) 2026, ironrack.cluster contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A thin client over the Python package opensearch-py, for modules that run where the API can be reached.

It asks one address after the other, gives back what was answered, and decides nothing. opensearch-py's own way to ask keeps the status of a
success to itself, and repeats writes, so its connections are used directly. The schedule on the nodes, which have no more than Python itself, brings
connections of its own.

This is a private module_utils package: it may change in any release.
"""
from __future__ import annotations

import ipaddress
import json
import os
import ssl
import traceback
from urllib.parse import quote, urlsplit

from .._common.errors import IronrackError
from .._common.http import tls_context

try:
    import opensearchpy
    import urllib3
    IMPORT_ERROR = None
except ImportError:
    IMPORT_ERROR = traceback.format_exc()

ARGUMENT_SPEC = {
    "urls": {"type": "list", "elements": "str", "required": True},
    "ca_file": {"type": "path"},
    "cert_file": {"type": "path"},
    "key_file": {"type": "path", "no_log": False},
    "username": {"type": "str"},
    "password": {"type": "str", "no_log": True},
    "request_timeout": {"type": "int", "default": 30},
}
#: Seconds for a connection to come about. A host that was cut off silently must not cost each request the time of a slow answer.
CONNECT = 5
PORT = 9200
READS = ("GET", "HEAD")
#: A node that has lost its cluster says so by this status; another one may know more.
LOST = 503
#: The engine's word on a path that none of its parts serves.
NO_HANDLER = "no handler found"


class OpenSearchUnreachable(IronrackError):
    """No address gave an answer: no certificate to ask with yet, no network, no server. Its details carry ``urls``."""


class OpenSearchError(IronrackError):
    """An answer that nobody expected. Its details carry ``status`` and ``reason``."""


def quoted(name):
    """:returns: a name as one part of a path."""
    return quote(name, safe="")


def reason_of(body):
    """:returns: why the engine or its security plugin said no, in its own words; empty where it gave none.

    :param body: an answer of :meth:`OpenSearchClient.request`.
    """
    if not isinstance(body, dict):
        return ""
    error = body.get("error")
    if isinstance(error, dict):
        words = []
        while isinstance(error, dict):
            if error.get("reason") and error["reason"] not in words:
                words.append(str(error["reason"]))
            # "all shards failed" is no reason: that stands one deeper
            deeper = error.get("caused_by") or next(iter(error.get("failed_shards") or ()), {}).get("reason")
            error = deeper if isinstance(deeper, dict) else None
        return "; ".join(words)
    words = [str(text) for text in (error, body.get("message"), body.get("reason")) if text]
    words += ["%s: %s" % (name, json.dumps(body[name])) for name in ("invalid_keys", "missing_mandatory_keys", "specify_one_of") if body.get(name)]
    return "; ".join(words)


def advice(status):
    """:returns: what to do about a status, as a sentence, where it is the same for each request; empty otherwise."""
    return {
        401: "The user is not known or the password is wrong: correct username and password, or use the admin certificate",
        403: "Whoever asks has no right to: give its role the permission, or use the admin certificate",
        409: "Somebody else changed it at the same time: run this again",
        429: "The cluster is overloaded: run this again when it has less to do",
        LOST: "The node has no cluster manager, or its security configuration was never loaded: look at the log of opensearch.service there",
    }.get(status, "")


def problems_of(params):
    """:returns: a sentence for each parameter of :data:`ARGUMENT_SPEC` that cannot be used."""
    problems = [] if params["urls"] else ["urls names no address of the cluster"]
    for number, url in enumerate(params["urls"]):
        problems += ["urls, number %d: %s" % (number + 1, problem) for problem in _url_problems(url, params.get("username") or params.get("cert_file"))]
    for one, other in (("username", "password"), ("cert_file", "key_file")):
        if bool(params.get(one)) != bool(params.get(other)):
            problems.append("%s and %s go together: give both or none" % (one, other))
    if params["request_timeout"] < 1:
        problems.append("request_timeout is %s: give seconds, from 1" % params["request_timeout"])
    return problems


def _url_problems(url, secret):
    try:
        parts = urlsplit(url)
        named = parts.scheme in ("http", "https") and parts.hostname and (parts.port or True)
    except ValueError:
        named = False
    if not named or parts.query or parts.fragment:
        return ["it is no address of a node; expected is https://, a host, and at most a port and a path"]
    if parts.username is not None or parts.password is not None:
        return ["it holds a user name or a password, and addresses are logged: use username and password"]
    if parts.scheme == "http" and secret and not _stays_here(parts.hostname):
        return ["%s would get the credentials in clear text: use https://" % parts.hostname]
    return []


def _stays_here(host):
    try:
        return host == "localhost" or ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


class NoAnswer(Exception):
    """One address gave none.

    :param words: why. :param never_sent: whether the request cannot have reached it.
    """

    def __init__(self, words, never_sent):
        super().__init__(words)
        self.never_sent = never_sent


def by_opensearch_py(url, params, context):
    """How one address is asked.

    :param context: the TLS context of an https:// address.
    :returns: a function of method, path, query, body, headers and seconds, that gives (status, text) or raises :class:`NoAnswer`.
    """
    parts = urlsplit(url)
    options = {"use_ssl": True, "ssl_context": context} if parts.scheme == "https" else {}
    if params.get("username"):
        options["http_auth"] = (params["username"], params["password"])
    api = opensearchpy.OpenSearch(
        hosts=[{"host": parts.hostname, "port": parts.port or PORT, "url_prefix": parts.path}], max_retries=0, timeout=params["request_timeout"], **options)
    connection = api.transport.get_connection()

    def send(method, path, query, body, headers, limit):
        try:
            status, _headers, text = connection.perform_request(
                method, path, params=query, body=body, headers=headers, ignore=range(300, 600),
                timeout=urllib3.Timeout(connect=min(CONNECT, limit), read=limit))
        except opensearchpy.exceptions.ConnectionError as error:
            raise NoAnswer(_words(error, limit), _never_sent(error))
        return status, text

    return send


class OpenSearchClient:
    """Requests to one cluster.

    :param params: what :data:`ARGUMENT_SPEC` describes.
    :param connect: how an address is asked, see :func:`by_opensearch_py`.
    :raises IronrackError: where opensearch-py is missing, or ``params`` cannot be used, with all the reasons.
    :raises OpenSearchUnreachable: where a file that it needs is not there (yet).
    """

    def __init__(self, params, connect=by_opensearch_py):
        if IMPORT_ERROR and connect is by_opensearch_py:
            from ansible.module_utils.basic import missing_required_lib
            raise IronrackError(missing_required_lib("opensearch-py"), exception=IMPORT_ERROR)
        problems = problems_of(params)
        if problems:
            raise IronrackError("OpenSearch cannot be asked so:\n- %s" % "\n- ".join(problems), problems=problems)
        self.urls = [url.rstrip("/") for url in params["urls"]]
        self._timeout = params["request_timeout"]
        self._params = params
        self._context = self._trust() if any(url.startswith("https:") for url in self.urls) else None
        self._connect = connect
        self._nodes = [(url, connect(url, params, self._context)) for url in self.urls]

    def _trust(self):
        for name in ("ca_file", "cert_file", "key_file"):
            path = self._params.get(name)
            if path and not os.path.exists(path):
                raise OpenSearchUnreachable("there is no %s at %s on the host where this runs" % (name, path), urls=self.urls)
        try:
            return tls_context(*(self._params.get(name) for name in ("ca_file", "cert_file", "key_file")))
        except (ssl.SSLError, OSError, ValueError) as error:
            raise IronrackError("the certificates %s cannot be used: %s" % (", ".join(
                self._params[name] for name in ("ca_file", "cert_file", "key_file") if self._params.get(name)), error))

    def as_user(self, username, password):
        """:returns: a client of the same addresses that logs in as another user, without the certificate of this one."""
        return OpenSearchClient(dict(self._params, username=username, password=password, cert_file=None, key_file=None), self._connect)

    def only(self, url):
        """:returns: a client of one of its addresses."""
        return OpenSearchClient(dict(self._params, urls=[url]), self._connect)

    def request(self, method, path, body=None, params=None, timeout=None):
        """Send one request to the first node that answers. A write that was sent is never sent again.

        :param method: GET, HEAD, PUT, POST, PATCH or DELETE.
        :param path: with a slash in front; names in it are those of :func:`quoted`.
        :param body: a document, or text of one JSON document a line.
        :param params: name -> value of the query; truth values are written as the engine reads them.
        :param timeout: seconds for this answer; those of the client where None.
        :returns: (status, document), whatever the status. Plain text comes as ``{"error": text}``, and nothing at all as ``{}``.
        :raises OpenSearchUnreachable: where no answer came.
        """
        limit = timeout or self._timeout
        query = {name: str(value).lower() if isinstance(value, bool) else str(value) for name, value in (params or {}).items() if value is not None}
        data, kind = (body, "application/x-ndjson") if isinstance(body, (str, bytes)) or body is None else (json.dumps(body), "application/json")
        headers = {"content-type": kind} if data is not None else {}
        data = data.encode() if isinstance(data, str) else data
        silent, lost = [], None
        for url, send in list(self._nodes):
            try:
                status, text = send(method, path, query, data, headers, limit)
            except NoAnswer as error:
                silent.append("%s: %s" % (url, error))
                self._last(url)
                if method in READS or error.never_sent:
                    continue
                raise OpenSearchUnreachable("%s %s was sent to %s, and no answer came (%s). It may have been done or not; run this again to see" % (
                    method, path, url, error), urls=[url])
            if status == LOST and method in READS and len(self._nodes) > 1:
                lost = lost or (status, _document(text))
                self._last(url)
                continue
            return status, _document(text)
        if lost:
            return lost
        raise OpenSearchUnreachable("no node of OpenSearch gave an answer to %s %s: %s. Look at opensearch.service on them, and at the way there" % (
            method, path, "; ".join(silent)), urls=self.urls)

    def _last(self, url):
        """Ask this one last from now on."""
        self._nodes.sort(key=lambda node: node[0] == url)

    def expect(self, method, path, body=None, params=None, ok=(200, 201), what="", timeout=None):
        """Send one request whose answer has to be one of ``ok``.

        :param what: what the request is for, as it ends the sentence "OpenSearch answered 400 to ...".
        :returns: the document.
        :raises OpenSearchError: on any other status.
        """
        status, answer = self.request(method, path, body=body, params=params, timeout=timeout)
        if status not in ok:
            raise self.refusal(status, answer, what or "%s %s" % (method, path))
        return answer

    @staticmethod
    def refusal(status, answer, what):
        """:returns: an :class:`OpenSearchError` for an answer that was not expected."""
        reason = reason_of(answer)
        sentences = ["OpenSearch answered %s to %s%s" % (status, what, ": " + reason if reason else ""), advice(status)]
        return OpenSearchError(". ".join(sentence for sentence in sentences if sentence), status=status, reason=reason)


def _document(text):
    try:
        return json.loads(text) if text else {}
    except ValueError:
        return {"error": text.strip()[:500]}


def _never_sent(error):
    # A subclass of the first one is a name that nobody knows.
    return isinstance(error.info, (urllib3.exceptions.NewConnectionError, urllib3.exceptions.ConnectTimeoutError))


def _words(error, limit):
    if isinstance(error, opensearchpy.exceptions.ConnectionTimeout):
        return "no answer in %d s" % limit
    refused = isinstance(error.info, urllib3.exceptions.NewConnectionError)  # to urllib3 that is a kind of time-out
    if isinstance(error.info, urllib3.exceptions.ConnectTimeoutError) and not refused:
        return "no connection in %d s" % min(CONNECT, limit)
    # urllib3 puts the object that failed in front of what happened, and the system's own word behind it.
    cause = getattr(error.info, "__cause__", None)
    return getattr(cause, "strerror", None) or str(error.error)
