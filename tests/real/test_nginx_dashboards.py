# Copyright (c) 2026, ironrack.cluster contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""NGINX 1.28 with the role's own configuration before instances of OpenSearch Dashboards, which are listeners that say their names."""
from __future__ import annotations

import socket
import socketserver
import threading

import pytest

from tests.real.nginx_site import Site, free_port

ADDRESSES = {"d1": "127.0.92.1", "d2": "127.0.92.2"}


class Instance(socketserver.ThreadingTCPServer):
    """Takes connections and says who it is."""

    allow_reuse_address = True
    daemon_threads = True

    def __init__(self, name, port):
        class Handler(socketserver.BaseRequestHandler):
            def handle(self):
                self.request.sendall(name.encode() + b" heard " + self.request.recv(100))

        super().__init__((ADDRESSES[name], port), Handler)
        threading.Thread(target=self.serve_forever, args=(0.02,), daemon=True).start()

    def end(self):
        self.shutdown()
        self.server_close()


@pytest.fixture(name="front")
def front_fixture(tmp_path):
    """:returns: (port of the balancer, instances by name)."""
    port, ahead = free_port(), free_port()
    nodes = [{"name": name, "address": address} for name, address in ADDRESSES.items()]
    site = Site(tmp_path, {"dashboards": {"enabled": True, "port": port, "nodes": nodes}})
    text = site.unit.config.read_text()
    assert text.count("listen %d " % port) == 1
    # On hosts of their own they all have the same port.
    site.unit.config.write_text(text.replace("listen %d " % port, "listen %d " % ahead))
    instances = {name: Instance(name, port) for name in ADDRESSES}
    site.start()
    yield ahead, instances
    site.stop()
    for instance in instances.values():
        instance.end()


def ask(port):
    """:returns: what a client gets that says hello."""
    with socket.create_connection(("127.0.0.1", port), 5) as connection:
        connection.sendall(b"hello")
        found = b""
        while True:
            more = connection.recv(100)
            if not more:
                return found.decode()
            found += more


def test_connections_go_to_all_instances_and_past_one_that_is_gone(front):
    port, instances = front
    assert {ask(port) for _number in range(20)} == {"d1 heard hello", "d2 heard hello"}
    instances.pop("d1").end()
    assert {ask(port) for _number in range(20)} == {"d2 heard hello"}
