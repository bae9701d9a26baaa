# Copyright (c) 2026, ironrack.cluster contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The hosts of the lab, for the fault runner: what they are, who leads, who holds the VIP, and the faults themselves."""
from __future__ import annotations

import json
import os
import shlex
import socket
import struct
import subprocess
import sys
import threading
import time
import urllib.request

from .outcome import Sample

ETCDCTL = ["sudo", "etcdctl", "--endpoints=https://127.0.0.1:2379", "--cacert=/etc/etcd/pki/ca.crt",
           "--cert=/etc/etcd/pki/health-client.crt", "--key=/etc/etcd/pki/health-client.key", "--command-timeout=5s"]

# The runner has the highest priority, so that its client keeps time; what it starts would take the hosts' share at that.
ORDINARY = ["nice", "-n", "20"]


class RunnerError(Exception):
    """The run could not be made or says nothing: neither a pass nor a failure of the cluster."""


def hosts_of(document):
    """Read `ansible-inventory --list`. :returns: {name: {address, groups}}."""
    variables = document.get("_meta", {}).get("hostvars", {})
    found = {name: {"address": own.get("cluster_node_address") or own.get("ansible_host") or name, "groups": set()}
             for name, own in variables.items()}

    def visit(name, groups):
        content = document.get(name, {})
        for host in content.get("hosts", []):
            found.setdefault(host, {"address": host, "groups": set()})["groups"].update(groups | {name})
        for child in content.get("children", []):
            visit(child, groups | {name})

    visit("all", frozenset())
    return found


def leader_of(statuses, hosts):
    """The host of the etcd leader, from `etcdctl endpoint status --cluster -w json`. None where there is none."""
    for entry in statuses:
        status = entry["Status"]
        if status["leader"] and status["header"]["member_id"] == status["leader"]:
            address = entry["Endpoint"].split("://")[-1].rsplit(":", 1)[0].strip("[]")
            for name, host in hosts.items():
                if address in (host["address"], name):
                    return name
    return None


def role_of(host, hosts, leader):
    """What a host's loss may cost is decided by what it is. None: no promise is made."""
    groups = hosts[host]["groups"]
    if host == leader:
        return "leader"
    if "control_plane" in groups or "etcd" in groups:
        return "follower"
    return "balancer" if "load_balancers" in groups else None


class Lab:
    """The lab's commands and the hosts of its inventory."""

    def __init__(self, inventory):
        self.inventory = inventory
        tool = os.path.join(os.path.dirname(sys.executable), "ansible-inventory")
        done = subprocess.run([tool, "-i", inventory, "--list"], capture_output=True, text=True, check=False)
        if done.returncode:
            raise RunnerError("the inventory could not be read: %s" % done.stderr.strip())
        self.hosts = hosts_of(json.loads(done.stdout))

    def group(self, name):
        return sorted(host for host, entry in self.hosts.items() if name in entry["groups"])

    def command(self, *words):
        done = subprocess.run([*ORDINARY, sys.executable, "-m", "lab", "--inventory", self.inventory, *words],
                              capture_output=True, text=True, check=False, timeout=180)
        if done.returncode:
            raise RunnerError("lab %s failed: %s" % (" ".join(words), done.stderr.strip()))
        return done.stdout

    def ssh(self, host, argv, timeout=15):
        """:returns: (exit status, standard output)."""
        try:
            done = subprocess.run([*ORDINARY, sys.executable, "-m", "lab", "ssh", host, shlex.join(argv)],
                                  capture_output=True, text=True, check=False, timeout=timeout, stdin=subprocess.DEVNULL)
        except subprocess.TimeoutExpired:
            return 255, ""
        return done.returncode, done.stdout

    def leader(self):
        for host in self.group("etcd"):
            status, output = self.ssh(host, ETCDCTL + ["endpoint", "status", "--cluster", "--write-out=json"])
            if status == 0:
                found = leader_of(json.loads(output), self.hosts)
                if found:
                    return found
        raise RunnerError("no etcd member names a leader")

    def vip_holder(self, vip):
        holders = [host for host in self.group("load_balancers") if " %s/" % vip in self.ssh(host, ["ip", "-oneline", "address"])[1]]
        if len(holders) != 1:
            raise RunnerError("%s is held by %s, expected exactly one load balancer" % (vip, " and ".join(holders) or "nobody"))
        return holders[0]

    def choose(self, target, vip):
        """:returns: (host, role) for a host's name or a word for it."""
        leader = self.leader()
        if target == "leader":
            host = leader
        elif target == "follower":
            planes = [name for name in self.group("control_plane") if name != leader]
            if not planes:
                raise RunnerError("every control plane host is the etcd leader's")
            host = planes[-1]
        elif target == "balancer":
            host = self.vip_holder(vip)
        elif target in self.hosts:
            host = target
        else:
            raise RunnerError("%s is neither leader, follower, balancer nor a host of %s" % (target, self.inventory))
        return host, role_of(host, self.hosts, leader)

    def balancer_serves(self, balancer, plane):
        """Whether a balancer has a control plane's API server in service. :returns: (yes or no, what was seen)."""
        url = "http://%s:8080/balancer-health.json" % self.hosts[balancer]["address"]
        try:
            with urllib.request.urlopen(url, timeout=2) as answer:
                serving = json.load(answer)["serving"]
        except (OSError, ValueError, KeyError) as error:
            return False, "%s: %s" % (balancer, error)
        return plane in serving, "%s serves %s" % (balancer, ", ".join(serving) or "nobody")


class Heartbeat(threading.Thread):
    """Finds the moment of a fault: it pings the host 100 times a second until it is silent.

    The lab's command takes longer than the fault; counting from its start or its end would blame or excuse requests wrongly.
    """

    def __init__(self, address, interval=0.01):
        super().__init__(daemon=True)
        self._address = address
        self._interval = interval
        self._done = threading.Event()
        self.sent = {}
        self.answered = {}
        self._socket = socket.socket(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_ICMP)
        self._socket.settimeout(interval)
        self._id = (os.getpid() ^ threading.get_ident()) & 0xffff

    def run(self):
        number = 0
        while not self._done.is_set():
            number = (number + 1) & 0xffff
            self.sent[number] = time.time()
            try:
                self._socket.sendto(echo_request(self._id, number), (self._address, 0))
            except OSError:
                pass
            until = time.monotonic() + self._interval
            while time.monotonic() < until:
                try:
                    packet = self._socket.recv(256)
                except OSError:
                    continue
                kind, _code, _sum, ident, echoed = struct.unpack("!BBHHH", packet[20:28])
                if kind == 0 and ident == self._id:
                    self.answered[echoed] = self.sent.get(echoed)

    def stop(self):
        """:returns: (last answered ping's sending time, the next one's), between which the host fell silent."""
        self._done.set()
        self.join()
        self._socket.close()
        return silent_since(self.sent, self.answered)


def silent_since(sent, answered):
    """:raises RunnerError: where there was no answer at all, or no silence at the end."""
    if not answered:
        raise RunnerError("the host answered no ping before the fault: its moment is unknown")
    last = max(answered)
    if last == max(sent):
        raise RunnerError("the host still answers pings: the fault has not happened")
    return sent[last], sent[last + 1]


def echo_request(ident, number):
    header = struct.pack("!BBHHH", 8, 0, 0, ident, number)
    total = sum(struct.unpack("!4H", header))
    total = (total & 0xffff) + (total >> 16)
    return header[:2] + struct.pack("!H", ~total & 0xffff) + header[4:]


class ReadyzWatch(threading.Thread):
    """Asks one API server for its own /readyz, past the balancers."""

    def __init__(self, api, interval=0.2):
        super().__init__(daemon=True)
        self._api = api
        self._interval = interval
        self._done = threading.Event()
        self.samples = []

    def run(self):
        while not self._done.is_set():
            sent = time.time()
            try:
                status, _body = self._api.request("GET", "/readyz")
                self.samples.append(Sample(sent, status == 200, str(status)))
            except Exception as error:
                self.samples.append(Sample(sent, False, "%s: %s" % (type(error).__name__, error)))
            self._done.wait(max(0.0, self._interval - (time.time() - sent)))

    def stop(self):
        self._done.set()
        self.join()
        return self.samples

    @property
    def last(self):
        return self.samples[-1] if self.samples else Sample(0, False, "not asked yet")
