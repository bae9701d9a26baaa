# Copyright (c) 2026, ironrack.cluster contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Tells Prometheus the pods of each service: Debian's is built without Kubernetes, and reads files of targets.

The API is asked every few seconds. While it does not answer, the file stays as it is, and its time tells Prometheus how old it is.
"""
from __future__ import annotations

import argparse
import http.client
import json
import logging
import os
import signal
import socket
import ssl
import sys
import tempfile
import threading
from urllib.parse import urlencode, urlsplit

LOG = logging.getLogger("pod-targets")
# The cluster's CA may be a site's intermediate: it is the anchor, whatever is above it (X509_V_FLAG_PARTIAL_CHAIN of OpenSSL).
PARTIAL_CHAIN = 0x80000
FAILURES = (OSError, http.client.HTTPException, ValueError, KeyError, TypeError, AttributeError)


def targets(pods, service, labels):
    """From a list of pods to what a file of targets holds.

    :param pods: the items of a PodList.
    :param service: ``name`` and ``port``.
    :param labels: the pods' labels that hold ``service`` and ``release``.
    :returns: one entry for each pod that runs and has an address, those that are on their way out included.
    """
    found = []
    for pod in pods:
        metadata, status = pod["metadata"], pod.get("status") or {}
        address = status.get("podIP")
        if status.get("phase") != "Running" or not address:
            continue
        if any(one.get("started") is False for one in status.get("containerStatuses") or ()):
            continue  # it loads its model, and nobody listens yet
        host = "[%s]" % address if ":" in address else address
        found.append({"targets": ["%s:%d" % (host, service["port"])], "labels": {
            "service": service["name"], "release": (metadata.get("labels") or {}).get(labels["release"], ""), "pod": metadata["name"],
            "namespace": metadata["namespace"], "host": (pod.get("spec") or {}).get("nodeName", "")}})
    return sorted(found, key=lambda entry: (entry["labels"]["pod"], entry["targets"]))


class Api:
    """Lists of pods, over one TLS connection that is made anew after each failure."""

    def __init__(self, config):
        self._config = config
        self._connection = None

    def pods(self, namespace, selector):
        """:returns: the items. :raises: any of FAILURES."""
        # From the server's cache: a list that is a moment old is as good, and costs etcd nothing.
        path = "/api/v1/namespaces/%s/pods?%s" % (namespace, urlencode({"labelSelector": selector, "resourceVersion": "0"}))
        reused = self._connection is not None
        try:
            return self._get(path)
        except (OSError, http.client.HTTPException):
            self.close()
            if not reused:
                raise
        return self._get(path)

    def _get(self, path):
        if self._connection is None:
            server = urlsplit(self._config["server"])
            # New with each connection, so that a renewed certificate is used.
            context = ssl.create_default_context(cafile=self._config["ca"])
            context.verify_flags |= PARTIAL_CHAIN
            context.load_cert_chain(self._config["cert"], self._config["key"])
            self._connection = http.client.HTTPSConnection(server.hostname, server.port or 443, context=context, timeout=self._config["timeout"])
        self._connection.request("GET", path, headers={"Accept": "application/json"})
        answer = self._connection.getresponse()
        body = answer.read()
        if answer.status != 200:
            raise ValueError("the API answered %d: %s" % (answer.status, body[:300].decode("utf-8", "replace")))
        return json.loads(body)["items"]

    def close(self):
        if self._connection is not None:
            self._connection.close()
            self._connection = None


def read(path):
    try:
        with open(path) as stream:
            return stream.read()
    except FileNotFoundError:
        return None


def write_atomically(path, text):
    handle, staged = tempfile.mkstemp(prefix=".%s." % os.path.basename(path), dir=os.path.dirname(path))
    try:
        with os.fdopen(handle, "w") as stream:
            os.fchmod(stream.fileno(), 0o644)
            stream.write(text)
        os.rename(staged, path)
    except BaseException:
        os.unlink(staged)
        raise


class Discovery:
    """Keeps the file of each service."""

    def __init__(self, config, api):
        self._config = config
        self._api = api
        self._errors = {}

    def step(self):
        """Ask once for each service. :returns: whether all were answered."""
        for service in self._config["services"]:
            name = service["name"]
            try:
                pods = self._api.pods(service["namespace"], "%s=%s" % (self._config["labels"]["service"], name))
                self._publish(name, targets(pods, service, self._config["labels"]))
                self._errors.pop(name, None)
            except FAILURES as error:
                self._api.close()
                text = str(error) or repr(error)
                if self._errors.get(name) != text:
                    LOG.error("the pods of %s are those of the last answer: %s", name, text)
                self._errors[name] = text
            notify("WATCHDOG=1")
        return not self._errors

    def _publish(self, name, found):
        path = os.path.join(self._config["folder"], name + ".json")
        text = json.dumps(found, indent=1) + "\n"
        if read(path) != text:
            write_atomically(path, text)
        else:
            os.utime(path)

    def forget(self):
        """Take away the files of services that are no more."""
        names = {service["name"] + ".json" for service in self._config["services"]}
        for name in os.listdir(self._config["folder"]):
            if name.endswith(".json") and name not in names:
                os.unlink(os.path.join(self._config["folder"], name))


def notify(message):
    """Tell systemd, where it listens."""
    path = os.environ.get("NOTIFY_SOCKET")
    if path:
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as channel:
            channel.connect("\0" + path[1:] if path.startswith("@") else path)
            channel.sendall(message.encode())


def serve(config):
    stopping = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *dummy: stopping.set())
    discovery = Discovery(config, Api(config))
    discovery.forget()
    notify("READY=1")
    while not stopping.is_set():
        notify("WATCHDOG=1")
        discovery.step()
        stopping.wait(config["interval"])


def main(argv=None):
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--config", required=True, help="JSON file, written by the role monitoring")
    arguments = parser.parse_args(argv)
    logging.basicConfig(level=logging.INFO, format="%(message)s", stream=sys.stderr)
    with open(arguments.config) as stream:
        serve(json.load(stream))


if __name__ == "__main__":
    main()
