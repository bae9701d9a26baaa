# Copyright (c) 2026, ironrack.cluster contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Labels and taints: what the inventory gives and takes, and what belongs to others."""
from __future__ import annotations

import copy
import json

import pytest

from ansible_collections.ironrack.cluster.plugins.module_utils._common.errors import IronrackError
from ansible_collections.ironrack.cluster.plugins.module_utils._kube.client import KubeError, KubeUnreachable
from ansible_collections.ironrack.cluster.plugins.module_utils._kube.nodes import ANNOTATION, node_change
from ansible_collections.ironrack.cluster.plugins.modules import kube_nodes

ZONE = "topology.kubernetes.io/zone"
GPU = {"key": "gpu", "value": "yes", "effect": "NoSchedule"}
CORDON = {"key": "node.kubernetes.io/unschedulable", "effect": "NoSchedule", "timeAdded": "2026-11-21T12:00:00Z"}


class Module:
    def __init__(self, *nodes, check_mode=False, known=("gpu1",), spread=(), settled=()):
        self.check_mode, self.warnings = check_mode, []
        self.params = {"kubeconfig": "/k", "request_timeout": 1, "nodes": list(nodes), "known": list(known), "spread": list(spread),
                       "spread_wait": 1, "settled": list(settled)}

    def warn(self, text):
        self.warnings.append(text)


class Api:
    """Merges like the API does, and refuses an old version."""

    def __init__(self, *names, conflicts=0):
        self.objects = {name: {"metadata": {"name": name, "labels": {"own": "1"}, "annotations": {}, "resourceVersion": "1"},
                               "spec": {"taints": [dict(CORDON)]}} for name in names}
        self.conflicts, self.patches = conflicts, 0

    def __call__(self, kubeconfig, timeout):
        return self

    def nodes(self):
        return copy.deepcopy(list(self.objects.values()))

    def patch_node(self, name, body):
        self.patches += 1
        if self.conflicts:
            self.conflicts -= 1
            raise KubeError("conflict", status=409)
        node = self.objects[name]
        for part, values in body.get("metadata", {}).items():
            if isinstance(values, dict):
                node["metadata"][part].update(values)
                node["metadata"][part] = {key: value for key, value in node["metadata"][part].items() if value is not None}
        node["spec"].update(body.get("spec", {}))


def wanted(name="gpu1", labels=None, taints=()):
    return {"node_name": name, "labels": labels or {}, "taints": list(taints), "address": "192.0.2.1"}


def test_what_comes_from_the_inventory_comes_and_goes():
    api = Api("gpu1")
    first = kube_nodes.run(Module(wanted(labels={ZONE: "a", "rack": "1"}, taints=[GPU])), api)
    assert first["changed"] and first["nodes"] == {"gpu1": ["label rack=1", "label %s=a" % ZONE, "taint gpu=yes:NoSchedule"]}
    assert kube_nodes.run(Module(wanted(labels={ZONE: "a", "rack": "1"}, taints=[GPU])), api)["changed"] is False
    moved = kube_nodes.run(Module(wanted(labels={ZONE: "b"}, taints=[dict(GPU, value="no")])), api)
    assert moved["nodes"]["gpu1"] == ["label %s=b, was a" % ZONE, "no label rack", "taint gpu=no:NoSchedule, was gpu=yes:NoSchedule"]
    gone = kube_nodes.run(Module(wanted()), api)
    assert gone["nodes"]["gpu1"] == ["no label %s" % ZONE, "no taint gpu=no:NoSchedule"]
    # Others' labels and taints were never touched.
    assert (api.objects["gpu1"]["metadata"]["labels"], api.objects["gpu1"]["spec"]["taints"]) == ({"own": "1"}, [CORDON])


def test_what_a_run_has_seen_to_is_not_told_again():
    api = Api("gpu1", "gpu2")
    both = [wanted(labels={ZONE: "b"}), wanted("gpu2", labels={ZONE: "b"})]
    said = kube_nodes.run(Module(*both, known=("gpu1", "gpu2"), settled=("gpu1",), check_mode=True), api)
    assert said["nodes"] == {"gpu2": ["label %s=b" % ZONE]}


def test_a_label_that_was_there_before_is_not_taken_away():
    node = Api("gpu1").objects["gpu1"]
    assert node_change(node, {}, [])[0]["metadata"] == {"annotations": {ANNOTATION: json.dumps({"labels": [], "taints": []})}}
    node["metadata"]["annotations"][ANNOTATION] = "no json"
    assert "labels" not in node_change(node, {}, [])[0]["metadata"]


def test_a_list_of_taints_is_replaced_only_as_it_was_read():
    body, _told = node_change(Api("gpu1").objects["gpu1"], {}, [GPU])
    assert body["metadata"]["resourceVersion"] == "1" and body["spec"]["taints"] == [CORDON, GPU]
    assert "resourceVersion" not in node_change(Api("gpu1").objects["gpu1"], {ZONE: "a"}, [])[0]["metadata"]


def test_somebody_elses_change_is_read_again_and_not_for_ever():
    api = Api("gpu1", conflicts=2)
    assert kube_nodes.run(Module(wanted(taints=[GPU])), api)["changed"] and api.patches == 3
    with pytest.raises(IronrackError):
        kube_nodes.run(Module(wanted(taints=[])), Api("gpu1", conflicts=9))


def test_a_check_run_says_the_same_and_does_nothing():
    api = Api("gpu1")
    result = kube_nodes.run(Module(wanted(labels={ZONE: "a"}), wanted("gpu2"), check_mode=True, known=("gpu1", "gpu2")), api)
    assert result["nodes"] == {"gpu1": ["label %s=a" % ZONE], "gpu2": ["it is new"]} and api.patches == 0


def test_without_an_api_a_check_run_predicts_and_a_run_fails():
    def nobody(kubeconfig, timeout):
        raise KubeUnreachable("no API")

    assert kube_nodes.run(Module(wanted(), check_mode=True), nobody)["nodes"] == {"gpu1": ["it is new"]}
    with pytest.raises(KubeUnreachable):
        kube_nodes.run(Module(wanted()), nobody)


def test_a_node_that_the_inventory_does_not_have_is_named_with_the_way_out():
    module = Module(wanted())
    api = Api("gpu1", "gpu9")
    assert kube_nodes.run(module, api)["strangers"] == ["gpu9"]
    assert "Node gpu9" in module.warnings[0] and "reset.yml" in module.warnings[0] and "kubectl delete node gpu9" in module.warnings[0]
    assert api.objects["gpu9"]["metadata"]["annotations"] == {}


class Deployed(Api):
    """Three ready nodes, two of them in zone a, and CoreDNS on two."""

    def __init__(self, on=("gpu1", "gpu2"), zones=("a", "a", "b"), constraint=ZONE, **status):
        super().__init__("gpu1", "gpu2", "gpu3")
        for node, zone in zip(self.objects.values(), zones):
            node["metadata"]["labels"][ZONE] = zone
            node["status"] = {"conditions": [{"type": "Ready", "status": "True"}]}
        self.on = on
        self.deployment = {"metadata": {"generation": 3}, "status": dict({"observedGeneration": 3, "availableReplicas": 2}, **status),
                           "spec": {"replicas": 2, "selector": {"matchLabels": {"k8s-app": "kube-dns"}}, "template": {
                               "metadata": {}, "spec": {"topologySpreadConstraints": [{"topologyKey": constraint}]}}}}
        self.rolled = 0

    def request(self, method, path, body=None, content_type=None):
        if not path.startswith(("/apis/apps/v1/namespaces/kube-system/deployments/coredns", "/api/v1/namespaces/kube-system/pods?labelSelector=k8s-app%3D")):
            return 404, {}
        if method == "PATCH":
            assert content_type == "application/merge-patch+json"
            self.rolled += 1
            self.deployment["spec"]["template"]["metadata"] = copy.deepcopy(body["spec"]["template"]["metadata"])
            return 200, {}
        if "pods?" in path:
            return 200, {"items": [{"metadata": {}, "spec": {"nodeName": name}} for name in self.on]}
        return 200, copy.deepcopy(self.deployment)


def placed(api, check_mode=False, zone=None):
    nodes = [wanted("gpu2", labels={ZONE: zone})] if zone else []
    return kube_nodes.run(Module(*nodes, known=("gpu1", "gpu2", "gpu3"), spread=("kube-system/coredns", "kube-system/none"), check_mode=check_mode), api)


def test_what_stands_in_one_zone_is_placed_anew_once():
    api = Deployed()
    assert placed(api, check_mode=True)["nodes"] == {"kube-system/coredns": ["rolled out anew: all of it stood in zone a"]} and not api.rolled
    assert placed(api)["changed"] and api.rolled == 1
    # The scheduler could not do better: it is not tried for ever, but again when the zones change.
    assert not placed(api)["changed"] and api.rolled == 1
    api.objects["gpu3"]["metadata"]["labels"][ZONE] = "c"
    assert placed(api)["changed"] and api.rolled == 2


def test_a_node_that_moves_takes_its_pods_along():
    api = Deployed(on=("gpu2", "gpu3"))
    assert not placed(api)["changed"]
    told = placed(api, zone="b")["nodes"]
    assert told["gpu2"] == ["label %s=b, was a" % ZONE] and "zone b" in told["kube-system/coredns"][0] and api.rolled == 1


@pytest.mark.parametrize("api", [
    Deployed(on=("gpu1", "gpu3")), Deployed(zones=("a", "a", "a")), Deployed(constraint="kubernetes.io/hostname"),
    Deployed(observedGeneration=2), Deployed(availableReplicas=1), Deployed(on=()),
], ids=["spread", "one zone", "not meant to be", "not seen yet", "under way", "no pods"])
def test_what_is_spread_or_on_its_way_is_left_alone(api):
    assert not placed(api)["changed"] and not api.rolled


HOST = "kubernetes.io/hostname"


def test_what_stands_on_one_node_is_placed_anew():
    """As after a first run that one worker was away from: the pods came when there was one node."""
    api = Deployed(on=("gpu1", "gpu1"), zones=("a", "a", "a"), constraint=HOST)
    assert placed(api)["nodes"] == {"kube-system/coredns": ["rolled out anew: all of it stood on node gpu1"]} and api.rolled == 1
    assert not placed(api)["changed"] and api.rolled == 1


@pytest.mark.parametrize("taint, rolled", [(GPU, 0), (dict(GPU, effect="PreferNoSchedule"), 1), (CORDON, 1)])
def test_a_node_that_takes_no_such_pod_is_no_place(taint, rolled):
    api = Deployed(on=("gpu1", "gpu1"), constraint=HOST)
    for name in ("gpu2", "gpu3"):
        api.objects[name]["spec"] = {"taints": [taint]}
    placed(api)
    assert api.rolled == rolled
    api = Deployed(on=("gpu1", "gpu1"), constraint=HOST)
    for name in ("gpu2", "gpu3"):
        api.objects[name]["spec"] = {"taints": [GPU]}
    api.deployment["spec"]["template"]["spec"]["tolerations"] = [{"key": "gpu", "operator": "Exists"}]
    assert placed(api)["changed"]


def test_a_node_of_this_run_that_is_not_ready_yet_is_waited_for():
    class Joining(Deployed):
        def nodes(self):
            self.looks = getattr(self, "looks", 0) + 1
            self.objects["gpu2"]["status"]["conditions"][0]["status"] = "True" if self.looks > 1 else "False"
            return super().nodes()

    api = Joining(on=("gpu1", "gpu1"), constraint=HOST)
    del api.objects["gpu3"]
    assert "node gpu1" in placed(api, zone="a")["nodes"]["kube-system/coredns"][0] and (api.rolled, api.looks) == (1, 2)


def test_a_node_that_does_not_get_ready_is_not_waited_for_long():
    api = Deployed(on=("gpu1", "gpu1"), constraint=HOST)
    del api.objects["gpu3"]
    api.objects["gpu2"]["status"]["conditions"][0]["status"] = "False"
    assert "kube-system/coredns" not in placed(api, zone="a")["nodes"] and not api.rolled
    assert not placed(api)["changed"]       # and one that is not of this run is not waited for at all


def test_a_check_run_predicts_what_a_new_node_brings_about():
    api = Deployed(on=("gpu1", "gpu1"), constraint=HOST)
    del api.objects["gpu2"], api.objects["gpu3"]
    told = placed(api, check_mode=True, zone="b")["nodes"]
    assert told == {"gpu2": ["it is new"], "kube-system/coredns": ["rolled out anew: all of it stood on node gpu1"]} and not api.rolled


def test_a_zone_without_a_usable_node_is_no_zone():
    api = Deployed()
    api.objects["gpu3"]["spec"]["unschedulable"] = True
    assert not placed(api)["changed"]
    api.objects["gpu3"]["spec"] = {}
    api.objects["gpu3"]["status"]["conditions"][0]["status"] = "Unknown"
    assert not placed(api)["changed"]
