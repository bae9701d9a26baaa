# Copyright (c) 2026, ironrack.cluster contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What balancer_traffic hears, and from whom: NGINX's files, this host, the API, the other balancers, other hosts of the cluster. It decides nothing."""
from __future__ import annotations

import errno
import json
import os
import re
import select
import socket
import sys
import threading
from collections import namedtuple

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))

from daemon_tools import FAILURES, fetch, now, run
from traffic_decision import NO_RECORD

MARK = "# ironrack.cluster.nginx_upstream "
LISTEN = re.compile(r"^\s*listen (?:\[::\]:|[0-9.]+:)?([0-9]+)[ ;]", re.MULTILINE)
PAGE = "/balancer-traffic.json"
# The API answered, and what it said is no record.
UNREADABLE = "unreadable"

# What a file on disk or a health port says of a service: settled, whether it serves what its generation asks for.
Traffic = namedtuple("Traffic", ("generation", "settled"))
# A service that has a file here. disk: its Traffic; ports: those that clients come to.
Service = namedtuple("Service", ("name", "namespace", "disk", "ports"))


def read_traffic(text):
    """:returns: the :class:`Traffic` of a status, as the first line of a file has it or the health port; None where it is none."""
    try:
        status = json.loads(text)
        return Traffic(int(status["generation"]), status["asked"] == status["served"])
    except (ValueError, KeyError, TypeError):
        return None


def read_service(name, text, domain, health_port):
    """:returns: the :class:`Service` of a file; None where it is not ours."""
    first = text.partition("\n")[0]
    disk = read_traffic(first[len(MARK):]) if first.startswith(MARK) else None
    if disk is None:
        return None
    # SERVICE-RELEASE.NAMESPACE.svc.DOMAIN
    hosts = [str(release.get("host", "")).split(".") for release in json.loads(first[len(MARK):]).get("releases", [])]
    namespaces = {host[1] for host in hosts if host[2:] == ["svc"] + domain.split(".")}
    ports = {int(port) for port in LISTEN.findall(text)} - {health_port}
    return Service(name, namespaces.pop() if len(namespaces) == 1 else "", disk, tuple(sorted(ports)))


def read_services(folder, domain, health_port):
    """:returns: name -> :class:`Service` of each file of ours in NGINX's folder."""
    found = {}
    try:
        names = sorted(name for name in os.listdir(folder) if name.endswith(".conf") and not name.startswith("."))
    except FileNotFoundError:
        return found
    for name in names:
        try:
            with open(os.path.join(folder, name)) as stream:
                service = read_service(name[:-len(".conf")], stream.read(), domain, health_port)
        except OSError:
            continue  # it was taken away just now
        if service:
            found[service.name] = service
    return found


def record_generation(status, document):
    """:returns: the generation that the record asks the balancers for, NO_RECORD, or UNREADABLE where the answer says nothing of it."""
    if status == 404:
        return NO_RECORD
    try:
        return int(json.loads(document["data"]["record"])["traffic"]["generation"]) if status == 200 else UNREADABLE
    except (ValueError, KeyError, TypeError):
        return UNREADABLE


# Seconds of a wait after which the pace is asked for again.
SLICE = 0.5


class Source(threading.Thread):
    """Asks somebody again and again.

    :param ask: called with the names of the services and a callback that takes what was heard; raises OSError where nobody answered.
    :param pace: called for the seconds until the next question.
    """

    def __init__(self, name, ask, pace):
        super().__init__(name=name, daemon=True)
        self._ask, self._pace = ask, pace
        self._lock = threading.Lock()
        self._heard = {}
        self.stopped = threading.Event()
        self.services = {}
        self.answered = now()     # silence is counted from the start on
        self.refused = 0.0
        self.error = ""

    def tell(self, key, value):
        """Take what was heard of ``key``."""
        with self._lock:
            self._heard[key] = (now(), value)
            self.answered = now()

    def heard(self, key, after):
        """:returns: what was heard of ``key`` later than ``after``; None otherwise."""
        with self._lock:
            when, value = self._heard.get(key, (0.0, None))
        return value if when > after else None

    def run(self):
        while not self.stopped.is_set():
            began = now()
            try:
                self._ask(self.services, self.tell)
                self.error = ""
            except FAILURES as error:
                self.error = str(error) or repr(error)
                if isinstance(error, ConnectionRefusedError):
                    self.refused = now()
            # The pace may rise meanwhile: whoever has just lost the only other voice must not take the rest of a long wait for silence.
            while not self.stopped.wait(max(0.02, min(SLICE, began + self._pace() - now()))) and now() < began + self._pace():
                pass


def ask_api(api):
    """:returns: what asks the API for the record of each service."""
    def ask(services, tell):
        for service in list(services.values()) or [None]:
            if service is None or not service.namespace:
                api.get("/readyz")
                tell("", True)
                continue
            status, document = api.get("/api/v1/namespaces/%s/configmaps/rollout-%s" % (service.namespace, service.name))
            tell("", True)
            tell(service.name, record_generation(status, document))

    return ask


def ask_balancer(address, port, timeout):
    """:returns: what asks a balancer, another one or the own, for its page and for the traffic of each service.

    What it runs nothing of is heard as False.
    """
    def ask(services, tell):
        status, body = fetch(address, port, PAGE, timeout)
        try:
            page = json.loads(body) if status == 200 else {}
        except ValueError:
            page = {}
        tell("page", page if isinstance(page, dict) else {})
        for name in list(services):
            status, body = fetch(address, port, "/upstream.json", timeout, "%s.upstream.ironrack" % name)
            tell(name, (read_traffic(body.decode("utf-8", "replace")) if status == 200 else None) or False)

    return ask


def listens(address, port, timeout):
    """:returns: whether somebody accepts a TCP connection."""
    try:
        socket.create_connection((address, port), timeout).close()
    except OSError:
        return False
    return True


def answers(witnesses, timeout):
    """:returns: whether any host answers a TCP connection, be it by a refusal.

    :param witnesses: (address, port) pairs.
    """
    pending, deadline, heard = {}, now() + timeout, False
    poll = select.poll()
    try:
        for address, port in witnesses:
            one = socket.socket(socket.AF_INET6 if ":" in address else socket.AF_INET, socket.SOCK_STREAM)
            one.setblocking(False)
            error = one.connect_ex((address, port))
            pending[one.fileno()] = one
            heard = heard or speaks(error)
            poll.register(one.fileno(), select.POLLOUT)
        while pending and not heard and now() < deadline:
            for handle, dummy in poll.poll(max(1, int((deadline - now()) * 1000))):
                one = pending.pop(handle)
                poll.unregister(handle)
                heard = heard or speaks(one.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR))
                one.close()
    finally:
        for one in pending.values():
            one.close()
    return heard


def speaks(error):
    """:returns: whether the outcome of a connect says that the host is there."""
    return error in (0, errno.ECONNREFUSED)


def ask_witnesses(witnesses, timeout, alone):
    """:returns: what asks other hosts of the cluster whether they are there, as long as ``alone()``: nobody else has to be asked then."""
    def ask(services, tell):
        if alone() and not answers(witnesses, timeout):
            raise OSError("no host of the cluster answers")
        tell("", True)

    return ask


def ask_host(vip, ip, is_active):
    """:returns: what asks this host whether it has the virtual address, and whether keepalived runs."""
    def ask(services, tell):
        if vip:
            status, output, dummy = run([ip, "-json", "address", "show", "to", vip])
            tell("vip", status == 0 and any(entry.get("addr_info") for entry in json.loads(output or "[]")))
            tell("keepalived", run(is_active)[0] == 0)

    return ask
