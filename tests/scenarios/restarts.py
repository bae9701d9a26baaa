# Copyright (c) 2026, ironrack.cluster contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What restarts on the hosts, by the plan's words and in fact.

A unit restarted where systemd gives it another invocation. A static pod was given another manifest where its hash changed; one that ends by
itself and is started again keeps its hash, and is no part of a plan.
"""
from __future__ import annotations

from kubernetes import client, config

from ansible_collections.ironrack.cluster.plugins.plugin_utils._plan import meaning

from .common import NotProved, hosts_of, on
from .operate import KUBECONFIG

UNITS = sorted({unit for unit, _action in meaning.COSTS} | {"etcd.service"})
STATIC = ("kube-apiserver", "kube-controller-manager", "kube-scheduler")
HASH = "kubernetes.io/config.hash"


def planned(told):
    """:param told: a plan's JSON. :returns: {(host, unit or component)} that it says will restart."""
    found = set()
    for host in told["hosts"]:
        for change in host["changes"]:
            found |= {(host["name"], unit) for unit, action in change.get("units", {}).items() if action == "restart"}
            found |= {(host["name"], "kubelet.service" if part == "kubelet" else part) for part in meaning.rolled_out(change)}
            if change.get("etcd") == "restart":
                found.add((host["name"], "etcd.service"))
    return found


def running(inventory):
    """:returns: {(host, unit or component): what tells one start of it from another}, of what runs."""
    found = {}
    for host in hosts_of(inventory):
        shown = on(host, "systemctl", "show", "--property=Id,ActiveState,InvocationID", *UNITS)
        for block in shown.strip().split("\n\n"):
            unit = dict(line.partition("=")[::2] for line in block.splitlines())
            if unit["ActiveState"] == "active":
                found[host, unit["Id"]] = unit["InvocationID"]
    core = client.CoreV1Api(config.new_client_from_config(str(KUBECONFIG)))
    for pod in core.list_namespaced_pod("kube-system", label_selector="tier=control-plane", _request_timeout=10).items:
        found[pod.spec.node_name, pod.metadata.labels["component"]] = pod.metadata.annotations[HASH]
    return found


def restarted(before, after):
    """:returns: {(host, unit or component)} that ran before and after, and was started in between."""
    return {key for key, start in before.items() if after.get(key, start) != start}


def compare(what, told, before, after):
    """:raises NotProved: where what restarted is not what the plan says. :returns: how many did."""
    if not before:
        raise NotProved("%s: nothing was seen to run" % what)
    said, did = planned(told), restarted(before, after)
    if said != did:
        raise NotProved("%s: the plan says restarts that were none: %s; restarts that it did not say: %s" % (
            what, sorted(said - did) or "none", sorted(did - said) or "none"))
    return len(did)
