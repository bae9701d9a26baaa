# Copyright (c) 2026, ironrack.cluster contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the daemons of pod_access share: the clock, files, systemd, commands, questions to the API and to other balancers. It decides nothing.

It needs the standard library only, and lies beside the daemons: they import nothing of this collection.
"""
from __future__ import annotations

import http.client
import json
import os
import socket
import ssl
import subprocess
import tempfile
import time
import urllib.parse

# The cluster's CA may be a site's intermediate: it is the anchor, whatever is above it (X509_V_FLAG_PARTIAL_CHAIN of OpenSSL).
PARTIAL_CHAIN = 0x80000
FAILURES = (OSError, http.client.HTTPException, ValueError)


class Silent(OSError):
    """Nobody answered."""


def now():
    """:returns: seconds on a clock that nobody sets and that goes on while the machine sleeps."""
    return time.clock_gettime(time.CLOCK_BOOTTIME)


def write_atomically(path, text, mode=0o644):
    """Replace a file of /run; a reader sees the old one or the new one."""
    handle, staged = tempfile.mkstemp(prefix=".%s." % os.path.basename(path), dir=os.path.dirname(path))
    try:
        with os.fdopen(handle, "w") as stream:
            os.fchmod(stream.fileno(), mode)
            stream.write(text)
        os.rename(staged, path)
    except BaseException:
        os.unlink(staged)
        raise


def read_json(path):
    """:returns: what a file holds; None where it is not there or no JSON."""
    try:
        with open(path) as stream:
            return json.load(stream)
    except (OSError, ValueError):
        return None


def notify(message):
    """Tell systemd, where it listens."""
    path = os.environ.get("NOTIFY_SOCKET")
    if path:
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as channel:
            channel.connect("\0" + path[1:] if path.startswith("@") else path)
            channel.sendall(message.encode())


def run(argv, text=None, timeout=4):
    """:returns: (exit status, standard output, standard error) of a command."""
    try:
        done = subprocess.run(argv, input=(text or "").encode(), stdout=subprocess.PIPE, stderr=subprocess.PIPE, timeout=timeout, check=False,
                              env=dict(os.environ, LC_ALL="C"))
    except (OSError, subprocess.TimeoutExpired) as error:
        return 127, "", str(error)
    return done.returncode, done.stdout.decode("utf-8", "replace"), done.stderr.decode("utf-8", "replace").strip()


def fetch(address, port, path, timeout, host=None):
    """:returns: (status, body) of a GET by plain HTTP. :raises OSError: where nobody answered."""
    connection = http.client.HTTPConnection(address, port, timeout=timeout)
    try:
        connection.request("GET", path, headers={"Host": host} if host else {})
        answer = connection.getresponse()
        return answer.status, answer.read()
    except (http.client.HTTPException, ValueError) as error:
        raise Silent("%s port %d: %s" % (address, port, error or repr(error)))
    finally:
        connection.close()


class Api:
    """The Kubernetes API, through whichever of its servers answers; the one that answered last is asked first.

    :param servers: URLs, in the order in which they are tried.
    :param files: paths of the CA, the client certificate and its key.
    :param timeout: seconds that one server has for an answer.
    """

    def __init__(self, servers, files, timeout):
        self._servers = list(servers)
        self._files = files
        self._timeout = timeout

    def get(self, path):
        """:returns: (status, document). :raises Silent: where no server answered."""
        with self._ask(path, self._timeout) as answer:
            body = answer.read()
        try:
            return answer.status, json.loads(body or b"{}")
        except ValueError:
            return answer.status, {"message": body[:200].decode("utf-8", "replace")}

    def watch(self, path, timeout):
        """Yield the lines of a watch as documents, until the server ends it.

        :param timeout: seconds of silence after which the server counts as lost.
        :raises OSError: where it broke off.
        """
        with self._ask(path, timeout) as answer:
            if answer.status != 200:
                raise Silent("a watch was answered %d" % answer.status)
            for line in iter(answer.readline, b""):
                yield json.loads(line)

    def _ask(self, path, timeout):
        failures = []
        for server in list(self._servers):
            try:
                answer = self._request(server, path, timeout)
            except FAILURES as error:
                failures.append("%s: %s" % (server, error or repr(error)))
                continue
            if answer.status >= 500 or answer.status == 429:
                # Its etcd is gone, or it stops: another one may know.
                failures.append("%s: answered %d" % (server, answer.status))
                answer.close()
                continue
            if self._servers[0] != server:
                self._servers.remove(server)
                self._servers.insert(0, server)
            return answer
        raise Silent("; ".join(failures) or "no API server is known")

    def _request(self, server, path, timeout):
        parts = urllib.parse.urlsplit(server)
        # Read anew each time: the PKI renews these files while this runs.
        context = ssl.create_default_context(cafile=self._files[0])
        context.verify_flags |= PARTIAL_CHAIN
        context.load_cert_chain(self._files[1], self._files[2])
        connection = http.client.HTTPSConnection(parts.hostname, parts.port, timeout=self._timeout, context=context)
        try:
            connection.connect()
            connection.sock.settimeout(timeout)
            connection.request("GET", path, headers={"Accept": "application/json", "Connection": "close"})
            return connection.getresponse()
        except BaseException:
            connection.close()
            raise
