# Copyright (c) 2026, ironrack.cluster contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

DOCUMENTATION = r"""
name: kubeadm_config
short_description: The kubeadm configuration documents of one host
version_added: "0.1.0"
author:
  - ironrack.cluster contributors (@ironrack)
description:
  - Turns the cluster model into kubeadm's documents for one host.
  - For a control plane these are InitConfiguration, ClusterConfiguration, KubeletConfiguration, KubeProxyConfiguration and
    JoinConfiguration.
  - For a worker these are JoinConfiguration, and before it the documents that a built worker's kubelet is rendered from.
  - The discovery part of the join is left out, because it holds a secret.
positional: host
options:
  _input:
    description: The cluster model.
    type: dict
    required: true
  host:
    description: The host's own part of the model. To have it looked up here would copy the parts of all hosts.
    type: dict
    required: true
  ignore_preflight_errors:
    description: Names of kubeadm's preflight checks whose errors do not stop it.
    type: list
    elements: str
    default: []
  kube_proxy_config:
    description: Fields of KubeProxyConfiguration, over those of the collection.
    type: dict
    default: {}
  resolv_conf:
    description: Path of the resolv.conf that pods get from the kubelet. Where empty, the model's DNS servers decide.
    type: str
    default: ""
"""

EXAMPLES = r"""
- name: Show what this host would be built from
  ansible.builtin.debug:
    msg: "{{ cluster | ironrack.cluster.kubeadm_config(this_host, ignore_preflight_errors=['NumCPU']) }}"
"""

RETURN = r"""
_value:
  description: The documents.
  type: list
  elements: dict
"""

from ansible.errors import AnsibleFilterError

from ansible_collections.ironrack.cluster.plugins.module_utils._kubeadm.config import documents


def kubeadm_config(cluster, host, ignore_preflight_errors=(), kube_proxy_config=None, resolv_conf=""):
    """See DOCUMENTATION."""
    try:
        return documents(cluster, host, ignore_preflight_errors, kube_proxy_config, resolv_conf)
    except ValueError as error:
        raise AnsibleFilterError(str(error)) from error


class FilterModule:
    """Ansible's entry point."""

    def filters(self):
        """:returns: the filters of this file by name."""
        return {"kubeadm_config": kubeadm_config}
