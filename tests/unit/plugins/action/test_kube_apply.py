# Copyright (c) 2026, ironrack.cluster contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The action kube_apply: what it hands to kubernetes.core, and what it answers where there is no cluster yet."""
from __future__ import annotations

from unittest import mock

import pytest
from ansible.errors import AnsibleActionFail

from ansible_collections.ironrack.cluster.plugins.action import kube_apply

SPACE = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "inference"}}
RULES = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "rules", "namespace": "inference"}}


def run(answer=None, check_mode=False, diff=False, namespaces=("inference",), **arguments):
    """:param namespaces: those that are there; None where the API does not tell.

    :returns: the action's result, and the arguments of each module call.
    """
    there = {"resources": [{"metadata": {"name": name}} for name in namespaces]} if namespaces is not None else {"failed": True, "msg": "forbidden"}
    task = mock.Mock(args=dict({"kubeconfig": "/site/kubeconfig"}, **arguments), check_mode=check_mode, diff=diff, async_val=0, action="x")
    action = kube_apply.ActionModule(
        task=task, connection=mock.Mock(), play_context=mock.Mock(), loader=None, templar=None, shared_loader_obj=None)
    calls = []
    action._execute_module = lambda module_name, module_args, task_vars: calls.append((module_name, module_args)) or dict(
        there if module_name == "kubernetes.core.k8s_info" else answer)
    return action.run(task_vars={}), calls


def test_all_manifests_go_in_one_call_and_only_the_changed_ones_are_named():
    parts = [{"changed": False, "result": SPACE, "diff": {}}, {"changed": True, "result": RULES, "diff": {"before": {}, "after": {"data": {}}}}]
    result, calls = run({"changed": True, "result": {"results": parts}, "invocation": {}}, diff=True, manifests=[SPACE, {}, RULES])
    assert [(name, given["resource_definition"]) for name, given in calls] == [("kubernetes.core.k8s", [SPACE, RULES])]
    assert calls[0][1]["server_side_apply"] == {"field_manager": "ironrack.cluster", "force_conflicts": True}
    assert (result["changed"], result["objects"], result["diff"]) == (True, ["ConfigMap/inference/rules"], [parts[1]["diff"]])


def test_one_manifest_is_answered_without_a_list():
    result = run({"changed": True, "result": SPACE}, manifests=[SPACE])[0]
    assert result["objects"] == ["Namespace/inference"] and "diff" not in result


def test_check_mode_before_there_is_a_cluster_predicts_all_and_asks_nobody():
    result, calls = run(check_mode=True, cluster_exists=False, manifests=[SPACE, RULES])
    assert (result["changed"], result["objects"], calls) == (True, ["Namespace/inference", "ConfigMap/inference/rules"], [])


def test_check_mode_on_a_cluster_asks_it():
    result, calls = run({"changed": False, "result": SPACE}, check_mode=True, manifests=[SPACE])
    assert [name for name, _given in calls] == ["kubernetes.core.k8s_info", "kubernetes.core.k8s"] and not result["changed"]


def test_what_stands_in_a_new_namespace_is_new_and_the_api_is_not_asked_about_it():
    other = dict(RULES, metadata={"name": "rules", "namespace": "kube-system"})
    result, calls = run({"changed": False, "result": other}, check_mode=True, namespaces=("kube-system",), manifests=[SPACE, RULES, other])
    assert (result["changed"], result["objects"]) == (True, ["Namespace/inference", "ConfigMap/inference/rules"])
    assert calls[-1][1]["resource_definition"] == [other]
    result, calls = run(check_mode=True, namespaces=(), manifests=[SPACE, RULES])
    assert result["changed"] and len(result["objects"]) == 2 and [name for name, _given in calls] == ["kubernetes.core.k8s_info"]
    assert run(check_mode=True, namespaces=None, manifests=[SPACE, RULES])[0]["msg"] == "forbidden"
    # The real run makes them in the order of the list, and asks nothing before.
    assert [name for name, _given in run({"changed": True, "result": SPACE}, manifests=[SPACE, RULES])[1]] == ["kubernetes.core.k8s"]


@pytest.mark.parametrize("manifests", [[], [{}]])
def test_an_empty_list_is_refused(manifests):
    with pytest.raises(AnsibleActionFail, match="no manifests"):
        run({}, manifests=manifests)


def test_a_failure_is_handed_on():
    result = run({"failed": True, "msg": "forbidden"}, manifests=[SPACE])[0]
    assert (result["failed"], result["msg"]) == (True, "forbidden")
