# Copyright (c) 2026, ironrack.cluster contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a balancer talks to, on loopback: a DNS server, pods that can be told to misbehave, and a stand-in for the systemd that keeps NGINX.

Everything runs in this process but NGINX itself, which is started with the role's own configuration.
"""
from __future__ import annotations

import asyncio
import collections
import os
import pathlib
import signal
import socket
import struct
import subprocess
import threading
import time

import jinja2
import yaml
from ansible_collections.ironrack.cluster.plugins.module_utils._common.cli import Cli
from ansible_collections.ironrack.cluster.plugins.module_utils._nginx.balancer import Balancer
from ansible_collections.ironrack.cluster.plugins.module_utils._nginx.client import Nginx
from ansible_collections.ironrack.cluster.plugins.module_utils._nginx.traffic import parse
from ansible_collections.ironrack.cluster.plugins.modules.nginx_upstream import SPEC

ROLE = pathlib.Path(__file__).resolve().parents[2] / "roles" / "load_balancer"
BINARY = os.environ["IRONRACK_NGINX"]
DEFAULTS = dict((name, option.get("default")) for name, option in SPEC.items())


def free_port(kind=socket.SOCK_STREAM):
    """:returns: a port that nothing listens on now."""
    with socket.socket(socket.AF_INET, kind) as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


class Dns(threading.Thread):
    """Answers for A records, like the balancer's own DNS server: the addresses of ready pods, for one second."""

    def __init__(self):
        super().__init__(daemon=True)
        self.names = {}
        self.delay = 0.0
        self.dead = False
        self._socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self._socket.bind(("127.0.0.1", 0))
        self.address = "127.0.0.1:%d" % self._socket.getsockname()[1]

    def run(self):
        while True:
            query, client = self._socket.recvfrom(512)
            if not query:
                return
            # each in its time, so that a slow answer does not hold up others
            threading.Timer(self.delay, self._answer, (query, client)).start() if self.delay else self._answer(query, client)

    def stop(self):
        self._socket.sendto(b"", self._socket.getsockname())
        self.join()
        self._socket.close()

    def _answer(self, query, client):
        if self.dead:
            return
        labels, position = [], 12
        while query[position]:
            labels.append(query[position + 1:position + 1 + query[position]].decode())
            position += 1 + query[position]
        question = query[12:position + 5]
        addresses = self.names.get(".".join(labels))
        found = addresses if addresses and question[-4:-2] == b"\0\1" else []
        records = b"".join(struct.pack("!HHHIH4s", 0xc00c, 1, 1, 1, 4, socket.inet_aton(address)) for address in found)
        flags = 0x8180 if addresses is not None else 0x8183
        self._socket.sendto(query[:2] + struct.pack("!HHHHH", flags, 1, len(found), 0, 0) + question + records, client)


class Pod(asyncio.Protocol):
    """One connection to one pod."""

    def __init__(self, cluster, release, address):
        self._cluster = cluster
        self._release = release
        self._address = address
        self._data = b""

    def connection_made(self, transport):
        self._transport = transport
        self._cluster.open.add(transport)

    def connection_lost(self, exc):
        self._cluster.open.discard(self._transport)

    def data_received(self, data):
        self._data += data
        while b"\r\n\r\n" in self._data:
            head, rest = self._data.split(b"\r\n\r\n", 1)
            lines = head.decode().split("\r\n")
            headers = dict(line.lower().split(": ", 1) for line in lines[1:])
            length = int(headers.get("content-length", 0))
            if len(rest) < length:
                return
            self._data = rest[length:]
            self._request(lines[0].split(), headers, rest[:length].decode())

    def _request(self, request, headers, body):
        cluster, (method, path) = self._cluster, request[:2]
        if path == "/health":
            return self._answer(200, "ready")
        cluster.seen.append((self._release, self._address, method, path, headers, body))
        mode = cluster.modes.get(self._address)
        if mode == "drop":  # as a process that dies with a request on its hands
            return self._transport.abort()
        if mode == "hang":
            return None
        if mode == "busy":
            return self._answer(503, "later")
        if path.startswith("/stream"):
            return asyncio.ensure_future(self._stream(float(path.rpartition("/")[2])))
        return self._answer(200, "%s %s" % (self._release, self._address))

    def _answer(self, status, text):
        self._transport.write(("HTTP/1.1 %d x\r\nX-Release: %s\r\nContent-Length: %d\r\n\r\n%s" % (
            status, self._release, len(text), text)).encode())

    async def _stream(self, seconds):
        self._transport.write(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nContent-Type: text/event-stream\r\n\r\n")
        for dummy in range(int(seconds * 10)):
            self._transport.write(b"6\r\ntoken \r\n")
            await asyncio.sleep(0.1)
            if self._cluster.modes.get(self._address) == "break":
                return self._transport.abort()
        self._transport.write(b"0\r\n\r\n")


class Cluster(threading.Thread):
    """Pods of several releases, each on an address of its own, all on one port."""

    def __init__(self, dns):
        super().__init__(daemon=True)
        self.dns = dns
        self.port = free_port()
        self.open = set()
        self.modes = {}
        self.seen = collections.deque(maxlen=200000)
        self._loop = asyncio.new_event_loop()
        self._servers = {}

    def run(self):
        asyncio.set_event_loop(self._loop)
        self._loop.run_forever()

    def pods(self, release, *numbers):
        """Have pods run, ready and in the answer of the release's name."""
        addresses = ["127.0.91.%d" % number for number in numbers]
        for address in addresses:
            if address not in self._servers:
                self._servers[address] = self._call(self._loop.create_server(
                    lambda address=address: Pod(self, release, address), address, self.port))
        self.dns.names[release + ".test"] = addresses
        return addresses

    def _call(self, work):
        return asyncio.run_coroutine_threadsafe(work, self._loop).result(10)

    async def _close(self):
        for server in self._servers.values():
            server.close()
        for transport in list(self.open):
            transport.abort()
        await asyncio.sleep(0.05)

    def stop(self):
        self._call(self._close())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self.join()
        self._loop.close()


class Host:
    """What Cli needs of an AnsibleModule."""

    def run_command(self, argv, data=None, environ_update=None, cwd=None, handle_exceptions=True):
        done = subprocess.run(argv, input=data, capture_output=True, text=True, check=False, cwd=cwd)
        return done.returncode, done.stdout, done.stderr


class Unit:
    """NGINX as systemd would keep it; ``reload`` returns at once, as `kill -HUP` does."""

    def __init__(self, root, text):
        self.config = root / "nginx.conf"
        self.config.write_text(text)
        # Until it has read its configuration NGINX writes to a log at a path that was compiled in.
        self.binary = root / "nginx"
        self.binary.write_text('#!/bin/sh\nexec "%s" -e "%s" "$@"\n' % (BINARY, root / "log-error.log"))
        self.binary.chmod(0o755)
        self.process = None
        self.reloads = 0

    def start(self):
        self.process = subprocess.Popen([str(self.binary), "-c", str(self.config), "-g", "daemon off;"])

    def stop(self):
        if self.process is not None:
            self.process.terminate()  # never SIGKILL: workers outlive their master
            self.process.wait(20)
            self.process = None

    def show(self, names):
        return {names[0]: {"ActiveState": "active" if self.process is not None and self.process.poll() is None else "inactive"}}

    def reload(self, name, timeout):
        self.reloads += 1
        self.process.send_signal(signal.SIGHUP)


class Site:
    """One balancer with its NGINX, a DNS server and pods.

    :param opensearch: the part ``opensearch`` of the model.
    """

    def __init__(self, root, opensearch=None):
        self._opensearch = opensearch or {}
        self.root = root
        self.dns = Dns()
        self.dns.start()
        self.cluster = Cluster(self.dns)
        self.cluster.start()
        self.health, self.port = free_port(), free_port()
        (root / "http.d").mkdir()
        self.unit = Unit(root, self._main())
        self.params = dict(
            DEFAULTS, port=self.port, client_key="header:X-Client", resolver=self.dns.address, config=str(self.unit.config), folder=str(root / "http.d"),
            nginx=str(self.unit.binary), pid_file=str(root / "nginx.pid"), health_url="http://127.0.0.1:%d" % self.health, wait=10, address_wait=10)
        self.client = Nginx(Cli(Host()), self.unit, self.params)

    def _main(self):
        """:returns: the role's own main configuration with this test's paths and ports."""
        variables = yaml.safe_load((ROLE / "defaults" / "main.yml").read_text())
        variables.update(__load_balancer_from_mirror=True, __load_balancer_api_servers=str(self.root / "api-servers.conf"),
                         cluster={"network": {"family": "ipv4"}, "endpoint": {"port": free_port()}, "opensearch": self._opensearch},
                         __load_balancer_server_parameters="max_fails=1 fail_timeout=5s", load_balancer_health_port=self.health,
                         load_balancer_worker_connections=2048)
        (self.root / "api-servers.conf").write_text("server 127.0.0.1:1;\n")
        text = jinja2.Environment(trim_blocks=True, undefined=jinja2.StrictUndefined).from_string(
            (ROLE / "templates" / "nginx.conf.j2").read_text()).render(variables)
        for path, here in (("/run/ironrack-nginx.pid", "nginx.pid"), ("/var/log/nginx/", "log-"), ("/var/cache/nginx/", "cache-"),
                           ("/etc/ironrack/nginx/http.d", "http.d")):
            assert path in text
            text = text.replace(path, str(self.root / here))
        # The workers are whoever runs this test.
        return "".join(line + "\n" for line in text.splitlines() if not line.startswith("user ")).replace("worker_processes auto", "worker_processes 2")

    def start(self):
        self.unit.start()
        deadline = time.monotonic() + 10
        while True:
            try:
                socket.create_connection(("127.0.0.1", self.health), 1).close()
                return
            except OSError:
                assert time.monotonic() < deadline, "NGINX did not start"
                time.sleep(0.02)

    def stop(self):
        self.unit.stop()
        self.cluster.stop()
        self.dns.stop()

    def describe(self, generation, **options):
        """:returns: the traffic of the service web, of the releases blue and green."""
        releases = [dict(name=name, host=name + ".test", port=self.cluster.port) for name in options.pop("names", ("blue", "green"))]
        params = dict(self.params, name="web", generation=generation, releases=releases, stable="blue", access_log=str(self.root / "web.log"))
        return parse(dict(params, **options))

    def apply(self, generation, check=False, **options):
        """Have the balancer serve it."""
        return Balancer(self.client, options.get("wait", 10), options.get("address_wait", 10)).converge(self.describe(generation, **options), check)

    def remove(self, generation, check=False):
        """Have the balancer know nothing of it."""
        return Balancer(self.client, 10, 10).remove("web", generation, check)
