# Copyright (c) 2026, ironrack.cluster contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What etcd says about a cluster before any API server can be asked.

This is a private module_utils package: it may change in any release.
"""
from __future__ import annotations

ABSENT, PARTIAL, COMPLETE, UNKNOWN = "absent", "partial", "complete", "unknown"

# One key for each late phase of `kubeadm init`, in the order in which they are written; the last one is the last object that it
# creates at all. RBAC objects stand for the two addons, because a site that brings its own proxy or DNS deletes the workloads.
STATE_KEYS = (
    "/registry/configmaps/kube-system/kubeadm-config",
    "/registry/configmaps/kube-public/cluster-info",
    "/registry/clusterrolebindings/system:coredns",
    "/registry/rolebindings/kube-system/kube-proxy",
)


def cluster_state(found):
    """How far `kubeadm init` has come, on whichever host it ran.

    :param found: a dict of key to whether it is there, or a list of the keys that are there. Empty where no etcd could be asked: on
        hosts that have none yet there is no cluster either, and on hosts that were finished kubeadm_node refuses that answer.
    :returns: "absent", "partial" or "complete".
    :raises ValueError: when one of STATE_KEYS was not looked for: an unasked question is no 'no'.
    """
    if isinstance(found, dict) and found:
        unasked = [key for key in STATE_KEYS if key not in found]
        if unasked:
            raise ValueError("these keys of etcd were not looked for: %s" % ", ".join(unasked))
        present = {key for key, there in found.items() if there}
    else:
        present = set(found)
    count = sum(key in present for key in STATE_KEYS)
    return ABSENT if count == 0 else COMPLETE if count == len(STATE_KEYS) else PARTIAL
