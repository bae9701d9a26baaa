# Copyright (c) 2026, ironrack.cluster contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Every condition is green on a healthy cluster, red under a fault of its own, and never green on nothing."""
from __future__ import annotations

import copy

import pytest

from ansible_collections.ironrack.cluster.plugins.module_utils._health.conditions import CONDITIONS
from ansible_collections.ironrack.cluster.plugins.module_utils._health.expected import ZONE_LABEL, best_etcd_view, expectations
from ansible_collections.ironrack.cluster.plugins.module_utils._health.verdict import (
    FAIL, INCONCLUSIVE, PASS, Observation, enforced, explain, judge, listing, overall)

NAMES = ["cp1", "cp2", "cp3", "gpu1", "gpu2", "gpu3"]
ZONES = dict(zip(NAMES, "abcabc"))
DAEMON_SETS = [("kube-system", "kube-proxy"), ("kube-flannel", "kube-flannel-ds"), ("kube-system", "kube-router")]
READYZ = "[+]ping ok\n[+]log ok\n[+]etcd ok\n[+]etcd-readiness ok\n[+]informer-sync ok\nreadyz check passed"
NOW = 1_800_000_000.0


def model():
    hosts = {name: {"name": name, "node_name": name, "address": "10.77.0.%d" % index, "zone": ZONES[name], "labels": {"rack": "r1"},
                    "is_control_plane": name.startswith("cp")} for index, name in enumerate(NAMES, 21)}
    hosts["lb1"] = {"name": "lb1", "address": "10.77.0.11", "zone": "a"}
    return {"name": "lab", "kubernetes_version": "1.36.4", "domain": "cluster.local", "endpoint": {"address": "10.77.0.10:6443"},
            "api_servers": [{"name": name, "address": hosts[name]["address"], "port": 6443} for name in NAMES[:3]],
            "groups": {"nodes": NAMES, "load_balancers": ["lb1"]}, "hosts": hosts,
            "etcd": {"members": [{"name": name} for name in NAMES[:3]]}}


def expected(**changes):
    view = {"reachable": True, "quorum": True, "alarms": [],
            "members": [{"name": name, "healthy": True, "leader": name == "cp2", "learner": False} for name in NAMES[:3]]}
    whole = dict(expectations(model()), etcd=view, kube_proxy="kube-system/kube-proxy", pod_network="kube-flannel/kube-flannel-ds",
                 policy_engine="kube-system/kube-router", metrics=True)
    return dict(whole, **changes)


def condition_true():
    return [{"type": "Ready", "status": "True"}]


def pod(name, node, labels=None, command=()):
    return {"metadata": {"name": name, "labels": labels or {}}, "spec": {"nodeName": node, "containers": [{"command": list(command)}]},
            "status": {"conditions": condition_true()}}


def daemon_set(namespace, name):
    return {"metadata": {"namespace": namespace, "name": name, "generation": 2},
            "status": {"desiredNumberScheduled": 6, "updatedNumberScheduled": 6, "numberReady": 6, "observedGeneration": 2}}


def healthy():
    pods = [pod("%s-%s" % (component, name), name, {"component": component}) for name in NAMES[:3]
            for component in ("kube-apiserver", "kube-controller-manager", "kube-scheduler")]
    pods += [pod("coredns-1", "gpu1", {"k8s-app": "kube-dns"}), pod("coredns-2", "gpu2", {"k8s-app": "kube-dns"})]
    return {
        "now": NOW,
        "endpoint": {"status": 200, "body": READYZ},
        "api_servers": {name: {"status": 200, "body": READYZ, "not_after": NOW + 300 * 86400} for name in NAMES[:3]},
        "nodes": [{"metadata": {"name": name, "labels": {ZONE_LABEL: ZONES[name], "rack": "r1"}}, "spec": {},
                   "status": {"conditions": condition_true(), "nodeInfo": {"kubeletVersion": "v1.36.4"}}} for name in NAMES],
        "system_pods": pods,
        "daemon_sets": [daemon_set(*one) for one in DAEMON_SETS],
        "deployments": [{"metadata": {"name": "coredns"}, "spec": {"replicas": 2}, "status": {"readyReplicas": 2, "updatedReplicas": 2}}],
        "csrs": [{"metadata": {"name": "csr-1"}, "spec": {"username": "system:node:gpu1"}, "status": {"conditions": [{"type": "Approved"}]}}],
        "node_metrics": [{"metadata": {"name": name}} for name in NAMES],
        "kubelets": {name: {"verified": True} for name in NAMES},
        "balancers": {"lb1": {"status": 200, "serving": NAMES[:3]}},
    }


def verdicts(seen, **changes):
    return {one["name"]: one["verdict"] for one in judge(CONDITIONS, Observation(seen), expected(**changes))}


def test_a_healthy_cluster_is_green_everywhere():
    judged = judge(CONDITIONS, Observation(healthy()), expected())
    assert [one for one in judged if one["verdict"] != PASS] == []
    assert [one["name"] for one in judged] == [one.name for one in CONDITIONS]
    assert overall(judged) == PASS


def etcd_view(**of_cp1):
    view = copy.deepcopy(expected()["etcd"])
    view["members"][0].update(of_cp1)
    return view


def put(value, *path):
    """A fault: set one place of the observation."""
    def fault(seen):
        place = seen
        for step in path[:-1]:
            place = place[step]
        place[path[-1]] = value
    return fault


def drop(*path):
    """A fault: take one thing out of the observation."""
    def fault(seen):
        place = seen
        for step in path[:-1]:
            place = place[step]
        del place[path[-1]]
    return fault


def both_dns_pods_on(node):
    def fault(seen):
        for one in seen["system_pods"]:
            if one["metadata"]["name"].startswith("coredns"):
                one["spec"]["nodeName"] = node
    return fault


def dns_in_one_zone(seen):
    both_dns_pods_on("gpu1")(seen)
    seen["system_pods"][-1]["spec"]["nodeName"] = "cp1"


ETCD_FAILS = READYZ.replace("[+]etcd ok", "[-]etcd failed: reason withheld")
FAULTS = [
    ("balancers_answer", put({"status": 503}, "balancers", "lb1")),
    ("balancers_answer", put({"error": "no answer"}, "balancers", "lb1")),
    ("balancers_answer", put(["cp1", "cp3"], "balancers", "lb1", "serving")),
    ("api_endpoint_answers", put({"status": 500, "body": ""}, "endpoint")),
    ("api_endpoint_answers", put({"error": "timed out"}, "endpoint")),
    ("api_servers_ready", put({"error": "refused"}, "api_servers", "cp2")),
    ("api_servers_ready", put(500, "api_servers", "cp2", "status")),
    ("api_servers_ready", drop("api_servers", "cp3")),
    ("api_certificates_valid", put(NOW + 29 * 86400, "api_servers", "cp2", "not_after")),
    ("etcd_healthy", put(ETCD_FAILS, "api_servers", "cp1", "body")),
    ("nodes_present", drop("nodes", 0)),
    ("nodes_present", put("stranger", "nodes", 0, "metadata", "name")),
    ("nodes_ready", put([{"type": "Ready", "status": "Unknown"}], "nodes", 3, "status", "conditions")),
    ("nodes_ready", put([], "nodes", 3, "status", "conditions")),
    ("node_versions", put("v1.35.4", "nodes", 5, "status", "nodeInfo", "kubeletVersion")),
    ("node_zones", put("b", "nodes", 0, "metadata", "labels", ZONE_LABEL)),
    ("node_zones", drop("nodes", 0, "metadata", "labels", "rack")),
    ("control_plane_pods_ready", put([{"type": "Ready", "status": "False"}], "system_pods", 4, "status", "conditions")),
    ("control_plane_pods_ready", drop("system_pods", 0)),
    ("kube_proxy_ready", put(5, "daemon_sets", 0, "status", "numberReady")),
    ("kube_proxy_ready", put(5, "daemon_sets", 0, "status", "updatedNumberScheduled")),
    ("kube_proxy_ready", drop("daemon_sets", 0)),
    ("pod_network_ready", put(1, "daemon_sets", 1, "status", "observedGeneration")),
    ("pod_network_ready", drop("daemon_sets", 1)),
    ("policy_engine_ready", put(5, "daemon_sets", 2, "status", "desiredNumberScheduled")),
    ("dns_ready", put(1, "deployments", 0, "status", "readyReplicas")),
    ("dns_ready", put(1, "deployments", 0, "status", "updatedReplicas")),
    ("dns_spread", both_dns_pods_on("gpu1")),
    ("dns_spread", dns_in_one_zone),
    ("kubelet_serving_certificates", put({"untrusted": "self-signed certificate"}, "kubelets", "gpu1")),
    ("no_pending_csrs", put({}, "csrs", 0, "status")),
    ("metrics_available", drop("node_metrics", 2)),
]


@pytest.mark.parametrize(("name", "fault"), FAULTS)
def test_a_fault_turns_its_condition_red(name, fault):
    seen = healthy()
    fault(seen)
    assert verdicts(seen)[name] == FAIL


@pytest.mark.parametrize(("name", "view"), [
    ("etcd_healthy", etcd_view(healthy=False)),
    ("etcd_healthy", etcd_view(learner=True)),
    ("etcd_healthy", etcd_view(leader=True)),
    ("etcd_healthy", etcd_view(name="stranger")),
    ("etcd_healthy", dict(etcd_view(), members=[])),
    ("etcd_alarms", dict(etcd_view(), alarms=["NOSPACE"])),
    ("etcd_alarms", dict(etcd_view(), alarms=[{"member": "cp1", "alarm": "CORRUPT"}])),
])
def test_a_fault_of_etcd_turns_its_condition_red(name, view):
    assert verdicts(healthy(), etcd=view)[name] == FAIL


def test_every_condition_has_a_fault():
    covered = {name for name, fault in FAULTS} | {"etcd_alarms"}
    assert covered == {one.name for one in CONDITIONS}


def emptied():
    nothing = {part: type(value)() for part, value in healthy().items()}
    return dict(nothing, now=NOW)


def test_nothing_is_never_a_pass():
    judged = verdicts(emptied())
    # No certificate request at all is the usual state of a healthy cluster: the one list that may be empty.
    assert {name for name, outcome in judged.items() if outcome == PASS} == {"no_pending_csrs", "etcd_alarms"}
    assert overall(judge(CONDITIONS, Observation(emptied()), expected())) == FAIL


def test_an_inventory_of_nothing_is_never_a_pass():
    judged = verdicts(emptied(), nodes=[], api_servers=[], etcd_members=[], balancers=[], etcd={})
    assert {name for name, outcome in judged.items() if outcome == PASS} == {"no_pending_csrs"}


@pytest.mark.parametrize("reader", [one.name for one in CONDITIONS if one.name != "etcd_alarms"])
def test_what_could_not_be_read_is_inconclusive(reader):
    judged = {one["name"]: one for one in judge(CONDITIONS, Observation(errors=dict.fromkeys(healthy(), "no answer from the API")), expected())}
    assert judged[reader]["verdict"] == INCONCLUSIVE
    assert judged[reader]["how_to_mend"]


def test_without_a_word_from_etcd_its_conditions_are_inconclusive():
    judged = verdicts(healthy(), etcd={"reachable": False})
    assert judged["etcd_healthy"] == judged["etcd_alarms"] == INCONCLUSIVE


def test_conditions_about_what_is_not_there_are_left_out():
    seen = healthy()
    nodes = [dict(one, labels={}) for one in expected()["nodes"]]
    judged = verdicts(seen, balancers=[], etcd=None, nodes=nodes, policy_engine="", metrics=False)
    assert not {"balancers_answer", "etcd_alarms", "node_zones", "policy_engine_ready", "metrics_available"} & set(judged)
    assert set(judged.values()) == {PASS}


class TestKubeletThroughTheApiServer:
    """The client cannot reach port 10250 itself."""

    @staticmethod
    def judged(command):
        seen = healthy()
        seen["kubelets"]["gpu1"] = {"error": "timed out", "proxied": True}
        for one in seen["system_pods"][::3][:3]:
            one["spec"]["containers"][0]["command"] = command
        return verdicts(seen)["kubelet_serving_certificates"]

    def test_counts_when_the_api_server_verifies(self):
        assert self.judged(["kube-apiserver", "--kubelet-certificate-authority=/etc/kubernetes/pki/ca.crt"]) == PASS

    def test_proves_nothing_when_it_does_not(self):
        assert self.judged(["kube-apiserver"]) == INCONCLUSIVE


def test_a_certificate_that_could_not_be_read_is_inconclusive():
    seen = healthy()
    seen["api_servers"]["cp1"]["not_after"] = None
    assert verdicts(seen)["api_certificates_valid"] == INCONCLUSIVE


def test_dns_on_one_node_is_enough_for_a_cluster_of_one():
    seen = healthy()
    seen["nodes"] = seen["nodes"][3:4]
    both_dns_pods_on("gpu1")(seen)
    assert verdicts(seen)["dns_spread"] == PASS


def test_dns_on_one_node_is_enough_where_the_others_do_not_take_it():
    seen = healthy()
    for one in seen["nodes"]:
        if one["metadata"]["name"] != "cp1":
            one["spec"]["taints"] = [{"key": "gpu", "value": "yes", "effect": "NoSchedule"}]
    both_dns_pods_on("cp1")(seen)
    assert verdicts(seen)["dns_spread"] == PASS
    for one in seen["system_pods"]:
        one["spec"]["tolerations"] = [{"key": "gpu", "operator": "Equal", "value": "yes", "effect": "NoSchedule"}]
    assert verdicts(seen)["dns_spread"] == FAIL


def test_overall():
    assert overall([]) == INCONCLUSIVE
    assert overall([{"verdict": PASS}, {"verdict": INCONCLUSIVE}]) == INCONCLUSIVE
    assert overall([{"verdict": FAIL}, {"verdict": INCONCLUSIVE}]) == FAIL


def test_explain_names_what_is_not_green():
    seen = healthy()
    put(5, "daemon_sets", 0, "status", "numberReady")(seen)
    text = explain(judge(CONDITIONS, Observation(seen), expected()))
    assert text.startswith("kube_proxy_ready (fail): seen: kube-system/kube-proxy: 6 wanted, 6 updated, 5 ready; expected:")
    assert "\n" not in text


def test_conditions_that_share_a_reason_are_told_as_one():
    text = explain(judge(CONDITIONS, Observation(errors=dict.fromkeys(healthy(), "no answer from the API")), expected(etcd=None)))
    assert text == "balancers_answer and %d more (inconclusive): seen: no answer from the API; expected: to be judged." % (len(CONDITIONS) - 2)
    assert explain([]) == "no condition was judged"


@pytest.mark.parametrize(("enforce", "check_mode", "result"), [
    ("always", True, True), ("always", False, True), ("not_in_check_mode", True, False), ("not_in_check_mode", False, True),
    ("never", False, False)])
def test_enforced(enforce, check_mode, result):
    assert enforced(enforce, check_mode) is result


def test_the_best_view_of_etcd_is_one_that_reached_it():
    assert best_etcd_view([{"unreachable": True}, {"reachable": True, "members": []}]) == {"reachable": True, "members": []}
    assert best_etcd_view([{"unreachable": True, "msg": "x"}])["msg"] == "x"
    assert best_etcd_view([]) == {}


def test_expectations_of_expectations_are_the_same():
    assert expectations(expectations(model())) == expectations(model())


def test_a_long_listing_is_cut():
    assert listing("abcdefgh") == "a, b, c, d, e, f and 2 more"
    assert listing([]) == "none"
