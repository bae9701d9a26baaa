# Copyright (c) 2026, ironrack.cluster contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The course of the network check: set up, measure each condition, clean up in every case.

This is a private module_utils package: it may change in any release.
"""
from __future__ import annotations

import datetime
import time
from concurrent.futures import ThreadPoolExecutor

from .._common.waiting import WaitTimeout, wait_for
from . import network
from .control_plane import pod_ready
from .expected import address_url
from .verdict import FAIL, INCONCLUSIVE, PASS, verdict

#: Connections at the same time: enough to be quick, few enough for a small machine.
WORKERS = 4
#: Seconds for a policy to become real; kube-router needs about three.
POLICY_SECONDS = 30

MEND = {
    "setup": "The image must be in the registry, and nodes must take pods: `kubectl describe` what is named here.",
    "pod_to_pod": "The pod network between the two nodes: UDP 8472 (VXLAN) open both ways, the MTU, flannel's log on both.",
    "service_by_ip": "kube-proxy on the pod's node: its log, and `nft list table ip kube-proxy`.",
    "dns_by_name": "CoreDNS: its log, and whether service_by_ip is green.",
    "nodeport": "kube-proxy on that node, and any firewall between this host and the node.",
    "policy_blocks": "The policy engine on the target's node: its log. Without it every policy is silently open.",
    "policy_allows": "The policy engine on the target's node: it does not see the label of the source.",
    "policy_unblocks": "The policy engine on the target's node: it keeps rules of a policy that is gone.",
    "exec": "The API server has to reach the kubelet on port 10250.",
    "logs": "The API server has to reach the kubelet on port 10250.",
    "rolling_update": "`kubectl describe` the Deployment; connections lost: kube-proxy is slow to follow the endpoints.",
}


class NetworkCheck:
    """One check.

    :param client: a :class:`.network_client.NetworkClient` or what looks like one.
    :param nodes: the model's nodes, each with name and address.
    :param domain: the cluster's DNS domain.
    :param image: the probe's image.
    :param binary: the probe's path in it.
    :param wait: seconds for each step to come true.
    :param enforces: whether something enforces NetworkPolicies; without it the conditions about them are left out.
    """

    def __init__(self, client, nodes, domain, image, binary, wait, interval=1.0, enforces=True):
        self._client, self._nodes, self._domain = client, nodes, domain
        self._image, self._binary, self._wait, self._interval = image, binary, wait, interval
        self._executed, self._judged, self._enforces = [], [], enforces

    def run(self):
        """:returns: the conditions, judged."""
        self._remove_leftovers()
        try:
            self._client.create(network.namespace(self._client.namespace))
            self._measure()
        except WaitTimeout as error:
            self._judged = self._unjudged(str(error))
        finally:
            self._client.delete_namespace(self._client.namespace)
        return self._judged

    def _remove_leftovers(self):
        for name in network.leftovers(self._client.namespaces(), datetime.datetime.now(datetime.timezone.utc)):
            self._client.delete_namespace(name)

    def _unjudged(self, reason):
        warnings = self._client.events()
        setup = verdict("setup", FAIL, "; ".join([reason] + warnings[-2:]), "the check's pods run", MEND["setup"])
        done = {one["name"] for one in self._judged} | {"setup"}
        return [setup] + self._judged + [verdict(name, INCONCLUSIVE, "the check's pods do not run", "to be judged", MEND[name])
                                         for name in MEND if name not in done]

    def _measure(self):
        for manifest in (network.probes(self._image, self._binary), network.service("probe", "NodePort"),
                         network.rolling(self._image, self._binary), network.service("rolling")):
            made = self._client.create(manifest)
            if manifest["kind"] == "Service":
                self._remember(made)
        pods = self._wait_for_probes()
        home = sorted(pods)[0]
        self._client.create(network.target(self._image, self._binary, pods[home]["spec"]["nodeName"]))
        addresses = {name: address_url(pod["status"]["podIP"], network.PORT) for name, pod in pods.items()}
        self._judged += [
            network.reached("pod_to_pod", self._connect_all([(one, addresses[other]) for one, other in self._pairs(addresses)], "pod"),
                            MEND["pod_to_pod"]),
            network.reached("service_by_ip", self._connect_all([(one, self._service) for one in pods], "service"), MEND["service_by_ip"]),
            network.reached("dns_by_name", self._connect_all([(one, self._dns_name("probe")) for one in pods], "name"), MEND["dns_by_name"]),
            network.reached("nodeport", [self._client.connect_from_here(one["address"], self._node_port, "nodeport") for one in self._nodes],
                            MEND["nodeport"]),
        ]
        if self._enforces:
            self._judged += self._policies(pods, home)
        self._judged += [self._exec(), self._logs(sorted(pods))]
        self._judged.append(self._rolling_update(home))

    def _remember(self, made):
        address = address_url(made["spec"]["clusterIP"], network.PORT)
        if made["metadata"]["name"] == "probe":
            self._service, self._node_port = address, made["spec"]["ports"][0]["nodePort"]
        else:
            self._rolling_service = address

    def _dns_name(self, name):
        return "%s.%s.svc.%s:%d" % (name, self._client.namespace, self._domain, network.PORT)

    @staticmethod
    def _pairs(addresses):
        # With a single node nobody else is there: the pod calls its own address, which at least proves that it listens there.
        return network.pairs(addresses) or [(one, one) for one in addresses]

    def _wait_for_probes(self):
        def ready():
            status = self._client.daemon_set("probe").get("status") or {}
            wanted, up = status.get("desiredNumberScheduled") or 0, status.get("numberReady") or 0
            return wanted >= len(self._nodes) and up == wanted, "%d of %d ready, %d nodes in the inventory" % (up, wanted, len(self._nodes))
        wait_for(ready, "a probe on every node", self._wait, self._interval)
        return {one["metadata"]["name"]: one for one in self._client.pods("probe") if pod_ready(one)}

    def _wait_for_target(self):
        def ready():
            found = [one for one in self._client.pods("target") if pod_ready(one)]
            return bool(found), "not ready", found[0] if found else None
        return address_url(wait_for(ready, "the policy's target", self._wait, self._interval)["status"]["podIP"], network.PORT)

    def _connect_all(self, wanted, through):
        with ThreadPoolExecutor(max_workers=WORKERS) as pool:
            attempts = list(pool.map(lambda one: self._client.connect(one[0], one[1], through), wanted))
        self._executed += attempts
        return attempts

    def _until(self, judge, seconds):
        """Ask ``judge`` until it passes, because what a policy says needs a moment to become real. :returns: its last verdict."""
        end = time.monotonic() + seconds
        while True:
            judged = judge()
            if judged["verdict"] == PASS or time.monotonic() >= end:
                return judged
            time.sleep(self._interval)

    def _policies(self, pods, home):
        """The probe on the target's own node takes another way through the kernel than those on other nodes: both are tried."""
        address = self._wait_for_target()
        away = [name for name in sorted(pods) if pods[name]["spec"]["nodeName"] != pods[home]["spec"]["nodeName"]][:2]
        sources = [home] + away
        # Before the policy everything has to come through, or a block would prove nothing.
        open_before = network.reached("policy_blocks", self._connect_all([(one, address) for one in sources], "pod"), MEND["pod_to_pod"])
        if open_before["verdict"] != PASS:
            return [verdict(name, INCONCLUSIVE, "the target cannot be reached even without a policy: " + open_before["seen"], "to be judged", MEND[name])
                    for name in ("policy_blocks", "policy_allows", "policy_unblocks")]
        self._client.create(network.policy())
        judged = [self._until(lambda: network.blocked("policy_blocks", self._connect_all([(one, address) for one in sources], "pod"),
                                                      MEND["policy_blocks"]), POLICY_SECONDS)]
        friends = [home] + away[:1]
        for one in friends:
            self._client.befriend(one)
        judged.append(self._until(lambda: network.reached("policy_allows", self._connect_all([(one, address) for one in friends], "pod"),
                                                          MEND["policy_allows"]), POLICY_SECONDS))
        self._client.delete_policy("friends-only")
        judged.append(self._until(lambda: network.reached("policy_unblocks", self._connect_all([(one, address) for one in sources], "pod"),
                                                          MEND["policy_unblocks"]), POLICY_SECONDS))
        return judged

    def _exec(self):
        ran = [one for one in self._executed if one.ran]
        seen = "%d of %d commands ran in their pod" % (len(ran), len(self._executed))
        wanted = "every command runs in its pod"
        if not self._executed:
            return verdict("exec", INCONCLUSIVE, "no command was run", wanted, MEND["exec"])
        return verdict("exec", PASS if len(ran) == len(self._executed) else FAIL, seen, wanted, MEND["exec"])

    def _logs(self, pods):
        empty = [one for one in pods if not self._client.log(one).strip()]
        return verdict("logs", PASS if pods and not empty else FAIL, "%d of %d logs have text" % (len(pods) - len(empty), len(pods)),
                       "each of %d logs has text" % len(pods), MEND["logs"])

    def _rolling_update(self, home):
        def settled():
            return network.rollout_complete(self._client.deployment("rolling")), "not available yet"
        wait_for(settled, "the Deployment's first version", self._wait, self._interval)
        self._client.patch_deployment("rolling", network.next_round())
        samples, end = [], time.monotonic() + self._wait
        while True:
            deployment = self._client.deployment("rolling")
            attempt = self._client.connect(home, self._rolling_service, "service")
            samples.append(((deployment.get("status") or {}).get("availableReplicas") or 0, attempt.error))
            complete = network.rollout_complete(deployment)
            if complete or time.monotonic() >= end:
                return network.stayed_available("rolling_update", samples, complete, MEND["rolling_update"])
            time.sleep(min(self._interval, 0.5))
