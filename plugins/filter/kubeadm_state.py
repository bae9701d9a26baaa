# Copyright (c) 2026, ironrack.cluster contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

DOCUMENTATION = r"""
name: kubeadm_state
short_description: How far C(kubeadm init) has come, from the keys of etcd
version_added: "0.1.0"
author:
  - ironrack.cluster contributors (@ironrack)
description:
  - Says whether etcd holds no cluster, a part of one, or one that C(kubeadm init) has brought to its end.
  - It is asked before any API server can answer, and it is the same from every host.
  - These four keys have to be looked for, C(/registry/configmaps/kube-system/kubeadm-config),
    C(/registry/configmaps/kube-public/cluster-info), C(/registry/clusterrolebindings/system:coredns) and
    C(/registry/rolebindings/kube-system/kube-proxy).
options:
  _input:
    description:
      - A dictionary of key to whether it is there, or a list of the keys that are there.
      - Where it is empty, because no etcd answers yet, there is no cluster.
    type: raw
    required: true
"""

EXAMPLES = r"""
- name: Say what etcd holds
  ansible.builtin.debug:
    msg: "{{ ['/registry/configmaps/kube-system/kubeadm-config'] | ironrack.cluster.kubeadm_state }}"
"""

RETURN = r"""
_value:
  description: One of V(absent), V(partial) and V(complete).
  type: str
"""

from ansible.errors import AnsibleFilterError

from ansible_collections.ironrack.cluster.plugins.module_utils._kubeadm.state import cluster_state


def kubeadm_state(found):
    """See DOCUMENTATION."""
    try:
        return cluster_state(found)
    except ValueError as error:
        raise AnsibleFilterError(str(error)) from error


class FilterModule:
    """Ansible's entry point."""

    def filters(self):
        """:returns: the filters of this file by name."""
        return {"kubeadm_state": kubeadm_state}
