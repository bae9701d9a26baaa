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
    def __init__(self, *nodes, check_mode=False, known=("gpu1",)):
        self.check_mode, self.warnings = check_mode, []
        self.params = {"kubeconfig": "/k", "request_timeout": 1, "nodes": list(nodes), "known": list(known)}

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
