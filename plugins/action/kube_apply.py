# Copyright (c) 2026, ironrack.cluster contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Controller side of ironrack.cluster.kube_apply: kubernetes.core.k8s, and an answer for a cluster that is not there yet."""
from __future__ import annotations

from ansible.errors import AnsibleActionFail
from ansible.plugins.action import ActionBase


class ActionModule(ActionBase):
    """Applies manifests on the server side, in one module call."""

    _requires_connection = False
    _VALID_ARGS = frozenset(("kubeconfig", "manifests", "cluster_exists", "field_manager"))

    def run(self, tmp=None, task_vars=None):
        """:returns: changed, and the (kind, name) pairs that changed or would change."""
        result = super().run(tmp, task_vars)
        arguments = self.validate_argument_spec({
            "kubeconfig": {"type": "path", "required": True},
            "manifests": {"type": "list", "elements": "dict", "required": True},
            "cluster_exists": {"type": "bool", "default": True},
            "field_manager": {"type": "str", "default": "ironrack.cluster"},
        })[1]
        manifests = [document for document in arguments["manifests"] if document]
        if not manifests:
            raise AnsibleActionFail("kube_apply got no manifests: an empty list is more likely a template that lost its content than a wish")
        if self._task.check_mode and not arguments["cluster_exists"]:
            # The real run creates the cluster before it comes here, so everything in the list would be new.
            return dict(result, changed=True, objects=[_name(document) for document in manifests])
        new = []
        if self._task.check_mode:
            try:
                manifests, new = self._without_new_namespaces(arguments["kubeconfig"], manifests, task_vars)
            except _Failed as failed:
                return dict(result, **failed.answer)
        if not manifests:
            return dict(result, changed=True, objects=new)
        answer = self._execute_module(
            module_name="kubernetes.core.k8s",
            module_args={
                "kubeconfig": arguments["kubeconfig"],
                "resource_definition": manifests,
                "state": "present",
                "apply": True,
                "server_side_apply": {"field_manager": arguments["field_manager"], "force_conflicts": True},
            },
            task_vars=task_vars)
        answer.pop("invocation", None)
        if answer.get("failed"):
            return dict(result, **answer)
        parts = answer.get("result", {}).get("results", [answer])
        result.update(changed=answer.get("changed", False) or bool(new),
                      objects=new + [_name(part["result"]) for part in parts if part.get("changed")])
        if self._task.diff:
            result["diff"] = [part["diff"] for part in parts if part.get("changed") and part.get("diff")]
        return result

    def _without_new_namespaces(self, kubeconfig, manifests, task_vars):
        """A dry run makes no namespace, and the API refuses whatever is to stand in one that is not there.

        :returns: (the manifests that the API can be asked about, the names of those that are new with their namespaces).
        """
        wanted = {document["metadata"]["name"] for document in manifests if document.get("kind") == "Namespace"}
        if not wanted:
            return manifests, []
        answer = self._execute_module(module_name="kubernetes.core.k8s_info", module_args={
            "kubeconfig": kubeconfig, "api_version": "v1", "kind": "Namespace"}, task_vars=task_vars)
        if answer.get("failed"):
            raise _Failed(answer)
        missing = wanted - {one["metadata"]["name"] for one in answer["resources"]}
        new = [document for document in manifests if document["metadata"].get("namespace") in missing
               or document.get("kind") == "Namespace" and document["metadata"]["name"] in missing]
        return [document for document in manifests if document not in new], [_name(document) for document in new]


class _Failed(Exception):
    def __init__(self, answer):
        super().__init__(str(answer.get("msg")))
        self.answer = {name: value for name, value in answer.items() if name != "invocation"}


def _name(document):
    """:returns: an object's kind, namespace and name in the form that kubectl prints."""
    metadata = document.get("metadata") or {}
    return "/".join(part for part in (document.get("kind"), metadata.get("namespace"), metadata.get("name")) if part)
