# Copyright (c) 2026, ironrack.cluster contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Keeps this host's routes to the pods: one to each node's podCIDR by way of the node's own address.

It watches the Nodes, sets what they say with a route protocol of its own, and takes away only routes of that protocol, and only after an answer
of the API that has nodes in it and not that one. While the API is silent every route stays. What somebody took away by hand is set again. Nodes have
to be neighbours on the same network segment: for one behind a router it says so, and leaves the way there to the site.
"""
from __future__ import annotations

import argparse
import ipaddress
import json
import logging
import os
import sys
import threading
import time
from collections import namedtuple

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))

from daemon_tools import FAILURES, Api, Silent, notify, now, run, write_atomically

LOG = logging.getLogger("pod-routes")
PROTOCOL = "77"
NODES = "/api/v1/nodes"
# The server ends a watch after this time and the next one goes on where it ended: so a server that was silently lost is noticed.
WATCH_SECONDS = 8
GONE = 410

# A route of the kernel: protocol as a number in text, gateway empty where there is none.
Route = namedtuple("Route", ("network", "gateway", "protocol"))
# What has to be done, in this order; problems: network -> sentence.
Plan = namedtuple("Plan", ("replace", "delete", "problems"))


class Gone(Exception):
    """The version that a watch was to go on from is too old: list again."""


def normal(network):
    """:returns: a network in its one form. :raises ValueError: where it is none."""
    return str(ipaddress.ip_network(network))


def wanted_routes(nodes, pod_cidr):
    """What the Nodes ask for. Pure.

    :param nodes: Node objects.
    :param pod_cidr: the cluster's pod network; nothing outside of it is ever routed, whatever a Node says.
    :returns: ({network: gateway}, {network or node: why it is left out}).
    """
    whole = ipaddress.ip_network(pod_cidr)
    wanted, problems = {}, {}
    # Where two claim one network, the node that came last is the one that replaced the other.
    for node in sorted(nodes, key=lambda node: (node["metadata"].get("creationTimestamp") or "", node["metadata"]["name"])):
        name, spec = node["metadata"]["name"], node.get("spec") or {}
        gateway = internal_address(node, whole.version)
        networks = []
        for entry in spec.get("podCIDRs") or [spec.get("podCIDR")]:
            try:
                network = ipaddress.ip_network(entry or "")
            except ValueError:
                continue
            if network.version != whole.version:
                continue
            if not network.subnet_of(whole) or network == whole:
                problems[name] = "its podCIDR %s is no part of the pod network %s" % (network, whole)
                continue
            networks.append(str(network))
        if not gateway and networks:
            problems[name] = "it has no InternalIP of the pod network's family"
        elif not networks:
            problems.setdefault(name, "it has no podCIDR yet")
        for network in networks if gateway else []:
            wanted[network] = gateway
    return wanted, problems


def internal_address(node, version):
    """:returns: a Node's InternalIP of one family; empty where it has none."""
    for entry in (node.get("status") or {}).get("addresses") or []:
        try:
            address = ipaddress.ip_address(entry.get("address", ""))
        except ValueError:
            continue
        if entry.get("type") == "InternalIP" and address.version == version:
            return str(address)
    return ""


def parse_routes(text):
    """:returns: the :class:`Route` of each entry that `ip -json route show` printed."""
    found = []
    for entry in json.loads(text or "[]"):
        try:
            network = normal(entry.get("dst", ""))
        except ValueError:
            continue  # default, or none of ours
        found.append(Route(network, entry.get("gateway", ""), str(entry.get("protocol", ""))))
    return found


def plan(wanted, present):
    """Compare. Pure.

    :param wanted: {network: gateway}, or None while nobody has said anything.
    :param present: list of :class:`Route` within the pod network.
    :returns: :class:`Plan`.
    """
    if wanted is None:
        return Plan({}, [], {})
    ours = {route.network: route.gateway for route in present if route.protocol == PROTOCOL}
    foreign = {route.network for route in present if route.protocol != PROTOCOL}
    problems = {network: "somebody else has a route to it, which was left alone" for network in wanted if network in foreign and network not in ours}
    replace = {network: gateway for network, gateway in wanted.items() if network not in problems and ours.get(network) != gateway}
    return Plan(replace, sorted(network for network in ours if network not in wanted), problems)


class Kernel:
    """The routes of this host, by iproute2.

    :param run: called with argv, returns (status, output, errors).
    """

    def __init__(self, pod_cidr, ip="ip", run=run):
        self._run = run
        self._pod_cidr = pod_cidr
        self._ip = [ip, "-6" if ":" in pod_cidr else "-4"]

    def routes(self):
        """:returns: list of :class:`Route` within the pod network. :raises OSError: where the kernel is not asked."""
        status, output, errors = self._run(self._ip + ["-N", "-json", "route", "show", "table", "main", "root", self._pod_cidr])
        if status:
            raise OSError("ip route show: %s" % errors)
        return parse_routes(output)

    def replace(self, network, gateway):
        """:returns: "" or why it could not be set."""
        status, output, errors = self._run(self._ip + ["-json", "route", "get", gateway])
        if status == 0 and any(entry.get("gateway") for entry in json.loads(output or "[]")):
            return "its node %s is no neighbour: it lies behind a router, which has to know the way (a route there, BGP, or a node as the gateway)" % gateway
        status, dummy, errors = self._run(self._ip + ["route", "replace", network, "via", gateway, "proto", PROTOCOL])
        return "" if status == 0 else "the route by %s could not be set: %s" % (gateway, errors)

    def delete(self, network):
        """:returns: "" or why it could not be taken away."""
        status, dummy, errors = self._run(self._ip + ["route", "delete", network, "proto", PROTOCOL])
        return "" if status == 0 or "No such process" in errors else "the route could not be taken away: %s" % errors


class Nodes(threading.Thread):
    """Follows the Nodes for ever: one list, then watches that go on where the last one ended.

    :param api: an Api.
    :param retry: seconds between two lists that nobody answered.
    """

    def __init__(self, api, retry):
        super().__init__(name="nodes", daemon=True)
        self._api, self._retry = api, retry
        self._lock = threading.Lock()
        self._nodes, self.error, self.heard = None, "", now()
        self.changed, self.stopped = threading.Event(), threading.Event()

    def snapshot(self):
        """:returns: the Nodes as they were last heard of; None before the first answer."""
        with self._lock:
            return None if self._nodes is None else list(self._nodes.values())

    def run(self):
        version = None
        while not self.stopped.is_set():
            try:
                if version is None:
                    version = self._list()
                version = self._follow(version)
            except Gone:
                version = None
            except FAILURES as error:
                if str(error) != self.error:
                    LOG.warning("the API does not answer, every route stays: %s", error)
                self.error, version = str(error), None
                self.changed.set()
                self.stopped.wait(self._retry)

    def _list(self):
        status, document = self._api.get(NODES)
        if status != 200:
            raise Silent("%s was answered %d: %s" % (NODES, status, document.get("message", "")))
        if self.error:
            LOG.warning("the API answers again")
        self.error = ""
        items = {node["metadata"]["name"]: node for node in document.get("items") or []}
        self._put(items)
        return document["metadata"]["resourceVersion"]

    def _put(self, items):
        with self._lock:
            self.heard = now()
            if not items and self._nodes:
                # An API without a single node is a new or an emptied one: nobody was taken out on purpose.
                LOG.error("the API has no node at all: what was known stays")
                return
            self._nodes = items
        self.changed.set()

    def _follow(self, version):
        """:returns: the version that a next watch goes on from."""
        path = "%s?watch=true&allowWatchBookmarks=true&timeoutSeconds=%d&resourceVersion=%s" % (NODES, WATCH_SECONDS, version)
        for event in self._api.watch(path, WATCH_SECONDS + 2):
            item = event.get("object") or {}
            if event.get("type") == "ERROR":
                if item.get("code") == GONE:
                    raise Gone()
                raise Silent("the watch ended: %s" % item.get("message", ""))
            version = item["metadata"]["resourceVersion"]
            if event["type"] == "BOOKMARK":
                continue
            items = dict(self._nodes or {})
            if event["type"] == "DELETED":
                items.pop(item["metadata"]["name"], None)
            else:
                items[item["metadata"]["name"]] = item
            self._put(items)
        self.heard, self.error = now(), ""
        return version


class Keeper:
    """Brings the kernel to what is wanted, again and again.

    :param kernel: a Kernel.
    """

    def __init__(self, kernel, pod_cidr):
        self._kernel, self._pod_cidr = kernel, pod_cidr
        self._told = {}

    def step(self, nodes):
        """:returns: the state of the routes.

        :param nodes: Node objects, or None while nobody has said anything.
        """
        wanted, problems = wanted_routes(nodes, self._pod_cidr) if nodes is not None else (None, {})
        try:
            present = self._kernel.routes()
        except (OSError, ValueError) as error:
            return self._state({}, wanted, {"kernel": str(error)})
        todo = plan(wanted, present)
        problems = dict(problems, **todo.problems)
        for network, gateway in sorted(todo.replace.items()):
            error = self._kernel.replace(network, gateway)
            if error:
                problems[network] = error
            else:
                LOG.warning("route to %s by %s", network, gateway)
        for network in todo.delete:
            error = self._kernel.delete(network)
            if error:
                problems[network] = error
            else:
                LOG.warning("no route to %s any more: its node is gone", network)
        done = {route.network: route.gateway for route in present if route.protocol == PROTOCOL and route.network not in todo.delete}
        done.update((network, gateway) for network, gateway in todo.replace.items() if network not in problems)
        return self._state(done, wanted, problems)

    def _state(self, routes, wanted, problems):
        for where, words in sorted(problems.items()):
            if self._told.get(where) != words:
                LOG.error("%s: %s", where, words)
        self._told = problems
        return {"routes": routes, "wanted": wanted, "problems": problems}


def serve(config, ended=lambda: False):
    """Run.

    :param ended: whether to end, asked before each round.
    """
    os.makedirs(os.path.dirname(config["state_file"]), exist_ok=True)
    api = Api(config["servers"], (config["ca"], config["cert"], config["key"]), config["timeout"])
    nodes = Nodes(api, config["retry"])
    keeper = Keeper(Kernel(config["pod_cidr"], config.get("ip", "ip")), config["pod_cidr"])
    nodes.start()
    started, ready, written = now(), False, None
    try:
        while not ended():
            nodes.changed.wait(config["interval"])
            nodes.changed.clear()
            if not nodes.is_alive():
                raise SystemExit("the watch of the nodes has died")  # of a bug: let systemd start anew
            known = nodes.snapshot()
            state = dict(keeper.step(known), api_error=nodes.error)
            if state != written:
                written = state
                write_atomically(config["state_file"], json.dumps(dict(state, since=time.time()), indent=1, sort_keys=True) + "\n")
            # A host may start while there is no API: what waits for this unit must not wait for the cluster.
            if not ready and (known is not None or now() - started > config["first_round"]):
                ready = True
                notify("READY=1")
            notify("WATCHDOG=1")
    finally:
        nodes.stopped.set()


def main(argv=None):
    """Read the configuration and serve."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--config", required=True, help="JSON file, written by the role pod_access")
    arguments = parser.parse_args(argv)
    logging.basicConfig(level=logging.INFO, format="%(message)s", stream=sys.stderr)
    with open(arguments.config) as stream:
        serve(json.load(stream))


if __name__ == "__main__":
    main()
