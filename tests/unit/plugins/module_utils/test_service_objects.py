# Copyright (c) 2026, ironrack.cluster contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The objects of a release, and what all releases share."""
from __future__ import annotations

import json
import re

import pytest
from ansible_collections.ironrack.cluster.plugins.module_utils._service import objects, surroundings
from ansible_collections.ironrack.cluster.plugins.module_utils._service.spec import pod_of
from ansible_collections.ironrack.cluster.tests.unit.plugins.module_utils.service_world import complete, described
from hypothesis import given
from hypothesis import strategies as st


def deployed(zone="", release="v1", **more):
    return objects.deployment(complete(**more), release, 7, zone)


def pod(**more):
    return deployed(**more)["spec"]["template"]["spec"]


def container(**more):
    return pod(**more)["containers"][0]


def everything(service, release="v1", zone=""):
    return objects.beside(service, release, 6) + [objects.deployment(service, release, 1, zone), objects.vertical(service, release, zone)] + (
        [objects.autoscaler(service, release, 6, zone)] if objects.scales(service) else [])


def test_every_object_of_a_release_says_whose_it_is():
    service = complete(releases__v1__config={"a": "b"}, autoscaling={"max_replicas": 9, "metrics": [{}]})
    found = everything(service)
    assert sorted(one["kind"] for one in found) == ["ConfigMap", "Deployment", "HorizontalPodAutoscaler", "PodDisruptionBudget", "Service",
                                                    "VerticalPodAutoscaler"]
    for one in found:
        assert (one["metadata"]["name"], one["metadata"]["namespace"]) == ("chat-v1", "inference")
        assert {"app.kubernetes.io/name": "chat", "ironrack.cluster/service": "chat", "ironrack.cluster/release": "v1"}.items() <= (
            one["metadata"]["labels"].items())


def test_no_object_holds_the_number_of_pods_and_a_deployment_carries_its_generation():
    found = deployed()
    assert "replicas" not in found["spec"]
    assert found["metadata"]["annotations"] == {"ironrack.cluster/generation": "7"}
    assert found["spec"]["strategy"]["rollingUpdate"] == {"maxSurge": 2, "maxUnavailable": 1}


def test_selectors_and_anti_affinity_include_the_release():
    wanted = {"ironrack.cluster/service": "chat", "ironrack.cluster/release": "v1"}
    found = deployed()
    assert found["spec"]["selector"]["matchLabels"] == wanted and wanted.items() <= found["spec"]["template"]["metadata"]["labels"].items()
    (term,) = pod()["affinity"]["podAntiAffinity"]["preferredDuringSchedulingIgnoredDuringExecution"]
    assert term["podAffinityTerm"]["labelSelector"]["matchLabels"] == wanted and term["podAffinityTerm"]["topologyKey"] == "kubernetes.io/hostname"
    (strict,) = pod(spread={"host": "required"})["affinity"]["podAntiAffinity"]["requiredDuringSchedulingIgnoredDuringExecution"]
    assert strict == term["podAffinityTerm"]
    (spread,) = pod()["topologySpreadConstraints"]
    assert (spread["maxSkew"], spread["topologyKey"], spread["whenUnsatisfiable"]) == (1, "topology.kubernetes.io/zone", "DoNotSchedule")
    assert pod(spread={"zone": "preferred"})["topologySpreadConstraints"][0]["whenUnsatisfiable"] == "ScheduleAnyway"
    service, budget = objects.beside(complete(), "v1", 6)
    assert (service["spec"]["selector"], service["spec"]["clusterIP"], budget["spec"]["selector"]["matchLabels"]) == (wanted, "None", wanted)


@pytest.mark.parametrize(("load", "failures"), [(1, 16), (600, 315), (601, 316)])
def test_the_start_may_last_as_long_as_the_model_loads(load, failures):
    probe = container(pod__load_seconds=load)["startupProbe"]
    assert (probe["failureThreshold"], probe["httpGet"]["path"]) == (failures, "/health")
    assert probe["failureThreshold"] * probe["periodSeconds"] >= load
    assert deployed(pod__load_seconds=load)["spec"]["progressDeadlineSeconds"] > load


def test_readiness_and_life_are_asked_for_apart():
    found = container(pod__ready_path="/r", pod__health_path="/h")
    assert (found["readinessProbe"]["httpGet"]["path"], found["readinessProbe"]["periodSeconds"]) == ("/r", 1)
    assert found["livenessProbe"]["httpGet"] == {"path": "/h", "port": "http"}


@given(st.integers(5, 3600), st.integers(1, 86400))
def test_a_pod_is_killed_after_its_longest_stream_only(drain, stream):
    found = pod(pod__drain_seconds=drain, pod__stream_seconds=stream)
    assert found["containers"][0]["lifecycle"]["preStop"]["sleep"]["seconds"] == drain
    assert found["terminationGracePeriodSeconds"] > drain + stream


def test_pods_keep_the_level_restricted():
    found = pod(pod__user=1000)
    assert found["securityContext"]["runAsNonRoot"] is True and found["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}
    assert found["containers"][0]["securityContext"] == {
        "allowPrivilegeEscalation": False, "readOnlyRootFilesystem": True, "capabilities": {"drop": ["ALL"]}}
    assert found["automountServiceAccountToken"] is False and found["securityContext"]["runAsUser"] == 1000
    assert container(pod__read_only_root=False)["securityContext"]["readOnlyRootFilesystem"] is False
    # Kinds of volumes that the level lets in.
    service = complete(pod__claims={"/models": "m"}, releases__v1__config={"a": "b"})
    kinds = {kind for one in objects.deployment(service, "v1", 1)["spec"]["template"]["spec"]["volumes"] for kind in one if kind != "name"}
    assert kinds == {"emptyDir", "persistentVolumeClaim", "configMap"}


def test_what_the_server_is_given():
    found = container(pod__env={"A": 1, "B": True, "C": {"secret": "s", "key": "k"}}, releases__v1__args=["--x"], pod__gpus=2,
                      pod__resources={"requests": {"cpu": 1}, "limits": {"memory": "8Gi"}})
    assert found["env"] == [{"name": "A", "value": "1"}, {"name": "B", "value": "true"},
                            {"name": "C", "valueFrom": {"secretKeyRef": {"name": "s", "key": "k"}}}]
    assert found["resources"] == {"requests": {"cpu": "1"}, "limits": {"memory": "8Gi", "nvidia.com/gpu": "2"}}
    assert found["args"] == ["--x"] and "command" not in found
    assert {one["mountPath"] for one in container(pod__writable=["/tmp", "/dev/shm"])["volumeMounts"]} == {"/tmp", "/dev/shm"}


def test_a_change_of_the_configuration_changes_the_pods_and_nothing_else_does():
    one, same, other = (deployed(releases__v1__config=config)["spec"]["template"] for config in ({"a": "1", "b": "2"}, {"b": "2", "a": "1"}, {"a": "2"}))
    assert one == same and one != other
    assert deployed()["spec"]["template"]["metadata"]["annotations"].keys() == {"ironrack.cluster/metrics-path"}
    # Who else scales, balances or drains the service does not.
    assert deployed(replicas=9, disruption={"max_unavailable": 2}, tenants=["a"], balancer={"port": 9}, stable="v2") == deployed()


def test_a_zone_has_a_deployment_of_its_own():
    found = deployed(zone="b")
    assert found["metadata"]["name"] == "chat-v1-b"
    assert found["spec"]["selector"]["matchLabels"]["ironrack.cluster/zone"] == found["spec"]["template"]["metadata"]["labels"]["ironrack.cluster/zone"] == "b"
    inner = found["spec"]["template"]["spec"]
    assert inner["nodeSelector"] == {"topology.kubernetes.io/zone": "b"} and "topologySpreadConstraints" not in inner


@given(st.lists(st.from_regex(r"\A[A-Za-z0-9]([A-Za-z0-9_.-]{0,20}[A-Za-z0-9])?\Z"), min_size=1, max_size=5, unique=True))
def test_the_names_of_zones_make_names_of_objects_that_differ(zones):
    names = [objects.name_of(complete(), "v1", zone) for zone in zones]
    assert len(set(names)) == len(zones) and all(re.fullmatch(r"[a-z0-9]([a-z0-9-]*[a-z0-9])?", name) for name in names)


@pytest.mark.parametrize(("budget", "replicas", "wanted"), [
    ({}, 6, {"maxUnavailable": 1}), ({"max_unavailable": "25%"}, 6, {"maxUnavailable": "25%"}), ({"min_available": 4}, 6, {"minAvailable": 4}),
    ({"min_available": 4}, 2, {"minAvailable": 1}), ({"min_available": 4}, 1, {"minAvailable": 0}), ({"min_available": "50%"}, 2, {"minAvailable": "50%"}),
])
def test_a_budget_lets_a_small_candidate_be_drained(budget, replicas, wanted):
    found = objects.beside(complete(disruption=budget), "v1", replicas)[-1]["spec"]
    assert wanted.items() <= found.items() and ("minAvailable" in found) != ("maxUnavailable" in found)


def test_the_autoscaler_keeps_what_the_rollout_says():
    service = complete(autoscaling={"max_replicas": 9, "cpu_percent": 70}, pod__resources={"requests": {"cpu": 1}})
    found = objects.autoscaler(service, "v1", 4)["spec"]
    assert (found["minReplicas"], found["maxReplicas"], found["scaleTargetRef"]["name"]) == (4, 9, "chat-v1")
    assert found["metrics"][0]["resource"]["target"] == {"type": "Utilization", "averageUtilization": 70}
    assert objects.autoscaler(service, "v1", 12)["spec"]["maxReplicas"] == 12
    assert objects.autoscaler(service, "v1", 1, "a", 1 / 3)["spec"]["maxReplicas"] == 3
    assert objects.scales(complete()) is False


@given(st.integers(0, 200), st.lists(st.sampled_from("abcdefgh"), min_size=1, unique=True))
def test_pods_are_spread_evenly(replicas, zones):
    found = objects.spread(replicas, zones)
    assert sum(found.values()) == replicas and list(found) == zones and max(found.values()) - min(found.values()) <= 1


# What all releases share

def test_the_account_has_no_token_and_readers_may_read_the_record_alone():
    assert surroundings.account(complete())["automountServiceAccountToken"] is False
    role, binding = surroundings.readers(complete())
    assert role["rules"] == [{"apiGroups": [""], "resources": ["configmaps"], "resourceNames": ["rollout-chat"], "verbs": ["get"]}]
    assert binding["subjects"] == [{"apiGroup": "rbac.authorization.k8s.io", "kind": "User", "name": "ironrack:pod-access"}]
    assert binding["roleRef"]["name"] == role["metadata"]["name"]


def test_the_policy_lets_in_who_was_named():
    service = complete(tenants=["team-a", "198.51.100.0/24", "fd00::1"])
    found = surroundings.policy(service, ["192.0.2.2", "192.0.2.1"])["spec"]
    assert found["podSelector"] == {"matchLabels": {"ironrack.cluster/service": "chat"}} and found["policyTypes"] == ["Ingress"]
    (rule,) = found["ingress"]
    assert rule["ports"] == [{"protocol": "TCP", "port": 8080}]
    assert [one.get("ipBlock", {}).get("cidr") for one in rule["from"]] == ["192.0.2.1/32", "192.0.2.2/32", None, "198.51.100.0/24", "fd00::1/128"]
    assert rule["from"][2] == {"namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": "team-a"}}}


def test_a_policy_without_anybody_lets_nobody_in():
    assert surroundings.policy(complete(), [])["spec"]["ingress"] == []


def test_all_of_it_is_what_json_can_hold():
    service = complete()
    assert json.loads(json.dumps(everything(service) + surroundings.shared(service, ["192.0.2.1"])))
    assert pod_of(service, "v2")["image"] == described()["releases"]["v2"]["image"]
