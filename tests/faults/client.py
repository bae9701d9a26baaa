# Copyright (c) 2026, ironrack.cluster contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Clients of the Kubernetes API: an open-loop one, which keeps sending at a fixed rate whatever happens to earlier requests, and one by one.

Each request has a TLS connection of its own and is never retried. Reads are linearizable (no resourceVersion), writes overlap.

    python3 -m tests.faults.client --kubeconfig inventories/lab/artifacts/ironrack.kubeconfig --seconds 30
"""
from __future__ import annotations

import argparse
import base64
import http.client
import json
import os
import socket
import ssl
import sys
import tempfile
import threading
import time
import urllib.parse
from concurrent.futures import ThreadPoolExecutor

from .outcome import Request, paragraph, summarise

NAMESPACE = "default"
NAME = "ironrack-fault-client"
CONFIG_MAPS = "/api/v1/namespaces/%s/configmaps" % NAMESPACE


class Credentials:
    """Where the API is and who asks, from a kubeconfig."""

    def __init__(self, path):
        import yaml  # comes with Ansible; the requests themselves need the standard library only

        with open(path) as stream:
            document = yaml.safe_load(stream)
        by_name = {
            part: {entry["name"]: entry[key] for entry in document[part]}
            for part, key in (("clusters", "cluster"), ("users", "user"), ("contexts", "context"))
        }
        context = by_name["contexts"][document["current-context"]]
        cluster, user = by_name["clusters"][context["cluster"]], by_name["users"][context["user"]]
        self.url = urllib.parse.urlsplit(cluster["server"])
        self.context = ssl.create_default_context(cadata=self._pem(cluster, "certificate-authority").decode())
        with tempfile.TemporaryDirectory() as folder:
            paths = []
            for field in ("client-certificate", "client-key"):
                paths.append(os.path.join(folder, field))
                with open(paths[-1], "wb", opener=lambda name, flags: os.open(name, flags, 0o600)) as stream:
                    stream.write(self._pem(user, field))
            self.context.load_cert_chain(*paths)

    @staticmethod
    def _pem(section, field):
        if field + "-data" in section:
            return base64.b64decode(section[field + "-data"])
        with open(section[field], "rb") as stream:
            return stream.read()


class Api:
    """One request, one connection."""

    def __init__(self, credentials, host=None, port=None, connect_timeout=0.5, timeout=3.0):
        self._context = credentials.context
        self._address = (host or credentials.url.hostname, port or credentials.url.port or 443)
        self._connect_timeout = connect_timeout
        self._timeout = timeout

    def request(self, method, path, body=None, content_type="application/json"):
        """:returns: (status, body as bytes). :raises OSError, http.client.HTTPException: where no whole answer came in time."""
        deadline = time.monotonic() + self._timeout
        raw = socket.create_connection(self._address, timeout=self._connect_timeout)
        try:
            raw.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            secured = self._context.wrap_socket(raw, server_hostname=self._address[0], do_handshake_on_connect=False)
        except BaseException:
            raw.close()
            raise
        # A watchdog ends the request as a whole: a socket's own time-out starts anew with each byte.
        watchdog = threading.Timer(max(0.01, deadline - time.monotonic()), _abort, [secured])
        watchdog.daemon = True
        watchdog.start()
        try:
            secured.settimeout(self._timeout)
            secured.do_handshake()
            connection = http.client.HTTPConnection(*self._address)
            connection.sock = secured
            headers = {"Connection": "close", "Accept": "application/json"}
            if body is not None:
                headers["Content-Type"] = content_type
            connection.request(method, path, None if body is None else json.dumps(body), headers)
            answer = connection.getresponse()
            whole = answer.read()
            if time.monotonic() > deadline:
                raise socket.timeout("no whole answer within %g s" % self._timeout)
            return answer.status, whole
        except (OSError, http.client.HTTPException, ValueError) as error:
            if time.monotonic() > deadline:
                raise socket.timeout("no whole answer within %g s" % self._timeout) from error
            raise
        finally:
            watchdog.cancel()
            secured.close()

    def get(self, path):
        """:returns: the document at ``path``. :raises OSError: where there is none."""
        status, body = self.request("GET", path)
        if status != 200:
            raise OSError("%s answered %d: %s" % (path, status, body[:200].decode("utf-8", "replace")))
        return json.loads(body)


def _abort(secured):
    try:
        socket.socket.shutdown(secured, socket.SHUT_RDWR)   # of TCP: TLS belongs to the thread that waits
    except OSError:
        pass


class Client:
    """Sends reads and writes at their rates from start() to stop(); ``requests`` holds what became of them."""

    def __init__(self, api, read_interval=0.1, write_interval=0.25, workers=96):
        """:param write_interval: seconds between writes; None for a client that only reads."""
        self._api = api
        self._streams = {kind: interval for kind, interval in (("read", read_interval), ("write", write_interval)) if interval}
        self._pool = ThreadPoolExecutor(max_workers=workers)
        self._stop = threading.Event()
        self._clock = threading.Thread(target=self._send, daemon=True)
        self.requests = []
        self.latest = 0.0   # how late a request was sent at the worst: the measurement's own fault

    def prepare(self):
        """Make sure of the ConfigMap that is read and written."""
        status, body = self._api.request("POST", CONFIG_MAPS, {"metadata": {"name": NAME}, "data": {"count": "0"}})
        if status not in (201, 409):
            raise OSError("the ConfigMap %s could not be made: %d %s" % (NAME, status, body[:200].decode("utf-8", "replace")))

    def start(self):
        self._clock.start()

    def stop(self):
        """End sending, and wait for what is under way (it is bounded by its time-out)."""
        self._stop.set()
        self._clock.join()
        self._pool.shutdown()

    def tidy(self):
        """Take the ConfigMap away again."""
        self._api.request("DELETE", "%s/%s" % (CONFIG_MAPS, NAME))

    def _send(self):
        begun = time.monotonic()
        # Half an interval apart, so that a read and a write never meet the same moment and count one outage twice.
        due = {kind: begun + (self._streams["read"] / 2 if kind == "write" else 0.0) for kind in self._streams}
        count = 0
        while not self._stop.is_set():
            kind = min(due, key=due.get)
            if self._stop.wait(max(0.0, due[kind] - time.monotonic())):
                return
            count += 1
            self._pool.submit(self._one, kind, due[kind], count)
            due[kind] += self._streams[kind]

    def _one(self, kind, due, count):
        self.latest = max(self.latest, time.monotonic() - due)
        self.requests.append(one(self._api, kind, count))


class OneByOne(threading.Thread):
    """Asks, waits for the end of it, and asks again: most clients of an API. A request that fails by its time-out delays those after it."""

    def __init__(self, api, kind, pause=0.1):
        """:param pause: seconds between the end of a request and the next."""
        super().__init__(daemon=True)
        self._api = api
        self._kind = kind
        self._pause = pause
        self._stop_asking = threading.Event()
        self.requests = []

    def run(self):
        while not self._stop_asking.wait(self._pause):
            self.requests.append(one(self._api, self._kind, len(self.requests)))

    def stop(self):
        """End asking, and wait for what is under way (it is bounded by its time-out)."""
        self._stop_asking.set()
        self.join()


def one(api, kind, count):
    """Send one read or write of the ConfigMap. :returns: :class:`Request`, failed or not."""
    issued, begun = time.time(), time.monotonic()
    status = 0
    try:
        if kind == "read":
            status, _body = api.request("GET", "%s/%s" % (CONFIG_MAPS, NAME))
        else:
            status, _body = api.request("PATCH", "%s/%s" % (CONFIG_MAPS, NAME), {"data": {"count": str(count)}}, "application/merge-patch+json")
        error = "" if status == 200 else "HTTP %d" % status
    except (OSError, http.client.HTTPException, ValueError) as failure:
        error = "%s: %s" % (type(failure).__name__, failure)
    return Request(kind, issued, issued + time.monotonic() - begun, status, error)


def main(argv=None):
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--kubeconfig", required=True)
    parser.add_argument("--seconds", type=float, default=30)
    parser.add_argument("--read-interval", type=float, default=0.1)
    parser.add_argument("--write-interval", type=float, default=0.25)
    parser.add_argument("--connect-timeout", type=float, default=0.5, help="for TCP; TLS and the answer share the rest")
    parser.add_argument("--timeout", type=float, default=3.0)
    parser.add_argument("--fault-at", type=float, help="seconds since the epoch; requests under way then are counted apart")
    parser.add_argument("--json", metavar="OUT")
    options = parser.parse_args(argv)
    api = Api(Credentials(options.kubeconfig), connect_timeout=options.connect_timeout, timeout=options.timeout)
    client = Client(api, options.read_interval, options.write_interval)
    client.prepare()
    client.start()
    time.sleep(options.seconds)
    client.stop()
    client.tidy()
    summary = summarise(client.requests, (options.fault_at, options.fault_at) if options.fault_at else None)
    summary["latest_send"] = round(client.latest, 3)
    print(paragraph(summary))
    if options.json:
        with open(options.json, "w") as stream:
            json.dump(dict(summary, requests=[request._asdict() for request in client.requests]), stream, indent=1)
    return 1 if summary["failures"] else 0


if __name__ == "__main__":
    sys.exit(main())
