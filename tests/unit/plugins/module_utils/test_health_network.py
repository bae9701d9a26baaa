# Copyright (c) 2026, ironrack.cluster contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The network check against a simulated cluster: green when it works, red under each fault, cleaned up in every case."""
from __future__ import annotations

import datetime

import pytest

from ansible_collections.ironrack.cluster.plugins.module_utils._health import network, network_check
from ansible_collections.ironrack.cluster.plugins.module_utils._health.network import Attempt

NODES = [{"name": name, "address": "10.77.0.%d" % index} for index, name in enumerate(("cp1", "gpu1", "gpu2"), 31)]
READY = {"conditions": [{"type": "Ready", "status": "True"}]}


class SimulatedCluster:
    """What NetworkClient does, on a cluster that exists in a few dicts; ``faults`` names what is broken."""

    namespace = "ironrack-network-check-abc"

    def __init__(self, *faults, nodes=NODES):
        self.faults, self.nodes = set(faults), nodes
        self.made, self.deleted, self.friends, self.policy, self.round = [], [], set(), False, 1

    def namespaces(self):
        return [{"metadata": {"name": "ironrack-network-check-old", "creationTimestamp": "2020-01-01T00:00:00Z"}}]

    def create(self, manifest):
        self.made.append(manifest)
        self.policy = self.policy or manifest["kind"] == "NetworkPolicy"
        if manifest["kind"] == "Service":
            return {"metadata": manifest["metadata"], "spec": {"clusterIP": "10.96.0.9", "ports": [{"nodePort": 30000}]}}
        return manifest

    def delete_namespace(self, name):
        self.deleted.append(name)

    def delete_policy(self, name):
        self.policy = "sticky policy" in self.faults

    def pods(self, app):
        if app == "target":
            return [] if "no target" in self.faults else [{"metadata": {"name": "target"}, "spec": {}, "status": dict(READY, podIP="10.244.9.9")}]
        return [{"metadata": {"name": "probe-" + one["name"]}, "spec": {"nodeName": one["name"]},
                 "status": dict(READY, podIP="10.244.0.%d" % index)} for index, one in enumerate(self.nodes)]

    def daemon_set(self, name):
        count = 0 if "no pods" in self.faults else len(self.nodes)
        return {"status": {"desiredNumberScheduled": count, "numberReady": count}}

    def deployment(self, name):
        stuck = "stuck" in self.faults and self.round == 2
        available = 2 if "dip" in self.faults and self.round == 2 else 3
        return {"metadata": {"generation": self.round},
                "status": {"observedGeneration": self.round, "updatedReplicas": 1 if stuck else 3, "replicas": available, "availableReplicas": available}}

    def patch_deployment(self, name, patch):
        self.round = 2

    def befriend(self, pod):
        self.friends.add(pod)

    def events(self):
        return ["Failed to pull image"]

    def log(self, pod):
        return "" if "no logs" in self.faults else "listening"

    def _blocked(self, pod, address):
        if not self.policy or not address.startswith("10.244.9.9") or "open policy" in self.faults:
            return False
        if "open on the same node" in self.faults and pod == "probe-" + self.nodes[0]["name"]:
            return False
        return pod not in self.friends or "blind policy" in self.faults

    def connect(self, pod, address, through):
        if "no exec" in self.faults:
            return Attempt(pod, address, through, "the API answered 500", False)
        broken = {"pod": "no pod network", "service": "no service", "name": "no dns"}[through] in self.faults
        return Attempt(pod, address, through, "TIMEOUT" if broken or self._blocked(pod, address) else "", True)

    def connect_from_here(self, address, port, through):
        return Attempt("this host", address, through, "refused" if "no nodeport" in self.faults else "", True)


@pytest.fixture(autouse=True)
def _quick(monkeypatch):
    monkeypatch.setattr(network_check, "POLICY_SECONDS", 0)


def run(*faults, **options):
    cluster = SimulatedCluster(*faults, **options)
    nodes = options.get("nodes", NODES)
    judged = network_check.NetworkCheck(cluster, nodes, "cluster.local", "probe:1", "/agnhost", wait=0, interval=0).run()
    return cluster, {one["name"]: one["verdict"] for one in judged}


def test_a_network_that_works_is_green():
    cluster, judged = run()
    assert list(judged) == [name for name in network_check.MEND if name != "setup"]
    assert set(judged.values()) == {"pass"}
    assert cluster.deleted == ["ironrack-network-check-old", cluster.namespace]


@pytest.mark.parametrize(("fault", "red"), [
    ("no pod network", "pod_to_pod"),
    ("no service", "service_by_ip"),
    ("no service", "rolling_update"),
    ("no dns", "dns_by_name"),
    ("no nodeport", "nodeport"),
    ("open policy", "policy_blocks"),
    ("open on the same node", "policy_blocks"),
    ("blind policy", "policy_allows"),
    ("sticky policy", "policy_unblocks"),
    ("no exec", "exec"),
    ("no logs", "logs"),
    ("dip", "rolling_update"),
    ("stuck", "rolling_update"),
    ("no pods", "setup"),
    ("no target", "setup"),
])
def test_a_fault_turns_its_condition_red(fault, red):
    cluster, judged = run(fault)
    assert judged[red] == "fail"
    assert cluster.deleted[-1] == cluster.namespace


def test_a_network_that_is_dead_anyway_does_not_prove_that_a_policy_blocks():
    judged = run("no pod network")[1]
    assert judged["policy_blocks"] == judged["policy_unblocks"] == "inconclusive"


def test_a_command_that_could_not_run_does_not_prove_that_a_policy_blocks():
    assert run("no exec")[1]["policy_blocks"] == "inconclusive"


def test_what_was_measured_before_a_step_timed_out_is_kept():
    judged = run("no target")[1]
    assert judged["pod_to_pod"] == "pass"
    assert judged["rolling_update"] == "inconclusive"


def test_the_reason_why_pods_do_not_start_is_told():
    cluster = SimulatedCluster("no pods")
    judged = network_check.NetworkCheck(cluster, NODES, "cluster.local", "probe:1", "/agnhost", wait=0, interval=0).run()
    assert "Failed to pull image" in judged[0]["seen"]


def test_without_an_engine_nothing_is_said_of_policies():
    cluster = SimulatedCluster()
    judged = network_check.NetworkCheck(cluster, NODES, "cluster.local", "probe:1", "/agnhost", wait=0, interval=0, enforces=False).run()
    assert {one["name"] for one in judged} == {name for name in network_check.MEND if name != "setup" and not name.startswith("policy_")}


def test_a_cluster_of_one_node_is_judged():
    assert set(run(nodes=NODES[:1])[1].values()) == {"pass"}


def test_the_namespace_goes_even_when_the_check_breaks_off(monkeypatch):
    cluster = SimulatedCluster()
    monkeypatch.setattr(cluster, "daemon_set", lambda name: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        network_check.NetworkCheck(cluster, NODES, "cluster.local", "probe:1", "/agnhost", wait=0, interval=0).run()
    assert cluster.deleted[-1] == cluster.namespace


@pytest.mark.parametrize("judge", [network.reached, network.blocked])
def test_no_attempt_is_no_pass(judge):
    assert judge("x", [], "")["verdict"] == "inconclusive"
    assert network.stayed_available("x", [], True, "")["verdict"] == "inconclusive"


def test_pairs():
    assert network.pairs(["a", "b"]) == [("a", "b"), ("b", "a")]
    many = [chr(97 + index) for index in range(network.MESH_LIMIT + 1)]
    ring = network.pairs(many)
    assert len(ring) == len(many)
    assert sorted(one for one, other in ring) == sorted(other for one, other in ring) == many


def test_only_old_namespaces_are_leftovers():
    now = datetime.datetime(2026, 11, 20, 12, 0, tzinfo=datetime.timezone.utc)
    spaces = [{"metadata": {"name": "old", "creationTimestamp": "2026-11-20T11:40:00Z"}},
              {"metadata": {"name": "running", "creationTimestamp": "2026-11-20T11:50:00Z"}}]
    assert network.leftovers(spaces, now) == ["old"]


def test_the_pods_are_what_the_strictest_pod_security_admits():
    spec = network.probes("probe:1", "/agnhost")["spec"]["template"]["spec"]
    security = spec["containers"][0]["securityContext"]
    assert security["runAsNonRoot"] and security["capabilities"] == {"drop": ["ALL"]} and not security["allowPrivilegeEscalation"]
    assert security["seccompProfile"] == {"type": "RuntimeDefault"}
    assert network.namespace("x")["metadata"]["labels"]["pod-security.kubernetes.io/enforce"] == "restricted"


def test_patches_name_keys_as_json_pointers_do():
    assert network.befriending() == [{"op": "add", "path": "/metadata/labels/ironrack.cluster~1network-check-friend", "value": "true"}]
    assert network.next_round()[0]["path"] == "/spec/template/metadata/annotations/ironrack.cluster~1round"
