# Copyright (c) 2026, ironrack.cluster contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What is kept of a task's result on its way to the plan. Pure, but for the journal's two functions.

A plan is made of every result of the run, and not of the tasks that somebody remembered to register: a callback sees them all, those of a
site's own hooks among them. It runs in Ansible's main process and the action that says the plan in a worker, so the results travel in a
journal, a line of JSON each, in the folder of temporary files that Ansible makes for this one run and removes at its end.

This is a private plugin_utils package: it may change in any release.
"""
from __future__ import annotations

import json
import os

#: The play variable that switches every play of this collection to check mode.
SWITCH = "cluster_plan"
JOURNAL = "ironrack-plan.jsonl"

#: What the plan needs of a result, by action. Everything else stays behind: a result may hold a secret (a diff, an argument), and the plan
#: is a file that people send to each other.
KEPT = {
    "ironrack.cluster.components": ("installed", "switched"),
    "ironrack.cluster.etcd_cluster_info": ("reachable", "members"),
    "ironrack.cluster.etcd_member": ("action", "reasons"),
    "ironrack.cluster.files": ("changed_paths",),
    "ironrack.cluster.host_settings": ("before", "after"),
    "ironrack.cluster.image_preload": ("pulled",),
    "ironrack.cluster.kube_apply": ("objects",),
    "ironrack.cluster.kube_nodes": ("nodes",),
    "ironrack.cluster.kubeadm_node": ("action", "reason", "rollout"),
    "ironrack.cluster.kubeconfig": ("path",),
    "ironrack.cluster.mirror_images": ("pushed",),
    "ironrack.cluster.mirror_sync": ("sent", "removed", "bytes"),
    "ironrack.cluster.opensearch_cluster_settings": ("changed_settings",),
    "ironrack.cluster.opensearch_index_settings": ("changed_indices",),
    "ironrack.cluster.opensearch_node": ("action", "reasons"),
    "ironrack.cluster.opensearch_node_exclusion": ("excluded",),
    "ironrack.cluster.opensearch_operation": ("until",),
    "ironrack.cluster.packages": ("installed",),
    "ironrack.cluster.units": ("units",),
    "ironrack.cluster.web_login": ("changed_paths",),
}
#: Results that are read although they change nothing: they tell who is in etcd and how it is.
READ = ("ironrack.cluster.etcd_cluster_info",)
CHANGED, FAILED, SEEN = "changed", "failed", "seen"


def entry(host, task, action, result, delegate="", check_mode=True, outcome=""):
    """What is kept of one result.

    :param host: for whom it ran.
    :param action: the full name of the task's action.
    :param delegate: where it ran instead; empty for the host itself.
    :param check_mode: whether the task ran in check mode; one of a site's own may say that it does not.
    :param outcome: ``FAILED``, or empty for what the result says of itself.
    :returns: a line of the journal, or None where the plan has no use for it.
    """
    if not outcome:
        outcome = CHANGED if result.get("changed") else SEEN
    warnings = [str(one) for one in result.get("warnings") or []]
    if outcome == SEEN and action not in READ and not warnings:
        return None
    kept = {"host": host, "task": task, "action": action, "outcome": outcome, "delegate": delegate if delegate != host else "",
            "really": outcome == CHANGED and not check_mode, "warnings": warnings,
            "details": {name: result[name] for name in KEPT.get(action, ()) if name in result}}
    if outcome == FAILED:
        kept["why"] = str(result.get("msg") or result.get("censored") or "it failed without a message")
    return kept


def journal(folder):
    """:returns: the journal's path in Ansible's folder of temporary files."""
    return os.path.join(folder, JOURNAL)


def append(path, line):
    """Add one line to the journal."""
    with open(path, "a", encoding="utf-8", opener=_private) as stream:
        stream.write(json.dumps(line) + "\n")


def read(path):
    """:returns: the journal's lines; None where nobody kept one."""
    if not os.path.exists(path):
        return None
    with open(path, encoding="utf-8") as stream:
        return [json.loads(line) for line in stream]


def _private(path, flags):
    return os.open(path, flags, 0o600)
