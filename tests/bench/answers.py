# Copyright (c) 2026, ironrack.cluster contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a host of a built cluster answers to each module of site.yml, without a host. Pure.

The answers are those of a second run, which changes nothing: the controller then does all of its own work, and the hosts' is none.
"""
from __future__ import annotations

import ast
import re

#: AnsiballZ writes its arguments as Python literals, one a line, in front of the zipped module.
_ARGUMENT = re.compile(rb"^(module_fqn|params)=(.*),$", re.MULTILINE)
_ROUTED = "ansible_collections."

#: Enough for the module of a bundle to see that it need not refuse.
_FREE_BYTES = 1 << 40

_UNCHANGED = {
    "ansible.modules.ping": {"ping": "pong"},
    "components": {"installed": [], "switched": {}, "changed_paths": []},
    "etcd_member": {"action": "none", "reasons": [], "bootstrap_needed": False, "formed": True, "before": {}, "after": {}},
    "files": {"changed_paths": []},
    "host_settings": {"before": {}, "after": {}},
    "image_preload": {"pulled": []},
    "kube_nodes": {"nodes": {}, "strangers": []},
    "kubeadm_node": {"action": "none", "reason": "", "before": {}, "after": {}},
    "kubeadm_token": {"token": "", "ca_hash": "", "missing": []},
    "kubeconfig": {},
    "mirror_images": {"pushed": []},
    "mirror_sync": {"needed": [], "removed": [], "free": _FREE_BYTES},
    "opensearch_health": {"settled": True, "health": {}, "lacking": []},
    "opensearch_health_info": {"ok": True, "verdict": "pass", "conditions": [], "members": [], "waited": 0.0},
    "opensearch_flush": {"shards": None},
    "opensearch_node_exclusion": {"excluded": [], "shards": {}},
    "opensearch_operation": {"until": None},
    "opensearch_upgrade_check": {"turns": [], "under_way": False, "versions": {}, "status": None, "unassigned": []},
    "opensearch_node": {"action": "none", "reasons": [], "formed": True, "agreement_needed": False, "restart_needed": False, "before": {}, "after": {}},
    "java_truststore": {"changed_paths": []},
    "opensearch_cluster_settings": {"settings": {}, "changed_settings": {}, "shadowed": []},
    "opensearch_index_settings": {"changed_indices": []},
    "opensearch_info": {"elected_manager": None, "nodes": []},
    "opensearch_repository": {"nodes": []},
    "opensearch_security_user": {"user": {}},
    "opensearch_security_role": {"role": {}},
    "opensearch_security_role_mapping": {"mapping": {}},
    "opensearch_keystore": {"created": False, "set": [], "removed": [], "changed_paths": []},
    "packages": {"installed": [], "versions": {}},
    "preflight_probe": {"probe": {"firewall": False}, "problems": []},
    "units": {"units": {}},
    "cluster_health_info": {"ok": True, "verdict": "pass", "conditions": [], "nodes": [], "waited": 0.0},
    "kubernetes.core.k8s": {"result": {"results": []}},
    "web_login": {"changed_paths": [], "readable": True},
}


class Unanswered(Exception):
    """Nobody has said what a host answers to this module."""


def asked(payload):
    """Read which module a controller sends, and with which arguments.

    :param payload: the bytes of an AnsiballZ module.
    :returns: (module, JSON of its arguments as text); a module of this collection by its short name.
    :raises Unanswered: where the bytes are no such module.
    """
    found = {name.decode(): ast.literal_eval(value.decode()) for name, value in _ARGUMENT.findall(payload)}
    if set(found) != {"module_fqn", "params"}:
        raise Unanswered("this is no module that the controller has packed: %r" % payload[:80])
    name = found["module_fqn"]
    if name.startswith(_ROUTED):
        namespace, collection, _plugins, _modules, module = name[len(_ROUTED):].split(".")
        name = module if (namespace, collection) == ("ironrack", "cluster") else "%s.%s.%s" % (namespace, collection, module)
    return name, found["params"]


def answer(module, arguments):
    """:returns: what the module says where nothing is to be done.

    :param arguments: the module's arguments.
    :raises Unanswered: for a module that is not known here.
    """
    if module == "pki_bundle":
        return {"changed": False, "files": bundle_files(arguments), "changes": [], "expires": {}}
    if module == "etcd_cluster_info":
        return {"changed": False, "reachable": True, "quorum": True, "members": [], "leader": "", "cluster_id": "1", "raft_term": 1, "alarms": [],
                "errors": {}, "keys": {key: True for key in arguments.get("keys") or []}}
    if module not in _UNCHANGED:
        raise Unanswered("tests/bench/answers.py does not know what a host answers to %s" % module)
    return dict(_UNCHANGED[module], changed=False)


def bundle_files(arguments):
    """:returns: name -> content of every file that pki_bundle would give for these arguments.

    No two are the same, so that a file on its way can be told from another; their length is that of real ones.
    """
    files = {}
    for one in arguments.get("authorities") or []:
        name = one["name"]
        files.update({name + ".crt": 700, name + ".key": 230, name + "-chain.crt": 700})
    for one in arguments.get("certificates") or []:
        files.update({one["name"] + ".crt": 900, one["name"] + ".key": 230})
    for one in arguments.get("keypairs") or []:
        files.update({one["name"] + ".pub": 450, one["name"] + ".key": 1700})
    if arguments.get("encryption"):
        files["encryption.yaml"] = 300
    return {name: "-----BEGIN STUB-----\n%s\n-----END STUB-----\n" % name.ljust(size, "=") for name, size in files.items()}
