#!/usr/bin/python
# Copyright (c) 2026, ironrack.cluster contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

DOCUMENTATION = r"""
---
module: kube_apply
short_description: Apply manifests to the cluster on the server side
version_added: "0.1.0"
description:
  - Hands a list of manifests to M(kubernetes.core.k8s) in one call, with server-side apply, so that only the fields named are owned.
  - In check mode the API server answers by a dry run. Where there is no cluster yet, every object is predicted as changed.
  - This is an action plugin; it runs where the API can be reached.
author:
  - ironrack.cluster contributors (@ironrack)
extends_documentation_fragment:
  - ironrack.cluster.kube_auth
  - ironrack.cluster.attributes.predicts
options:
  manifests:
    description: The objects, in the order in which they are applied. An empty list is refused.
    type: list
    elements: dict
    required: true
  cluster_exists:
    description: Whether the API is expected to answer. Only read in check mode.
    type: bool
    default: true
  field_manager:
    description: The name under which the fields are owned.
    type: str
    default: ironrack.cluster
attributes:
  diff_mode:
    description: Shows each object before and after.
    support: full
"""

EXAMPLES = r"""
- name: Have a namespace for the service
  ironrack.cluster.kube_apply:
    kubeconfig: "{{ cluster.kubeconfig }}"
    manifests:
      - apiVersion: v1
        kind: Namespace
        metadata:
          name: inference
"""

RETURN = r"""
objects:
  description: The objects that changed, or would change, as kind/namespace/name.
  returned: success
  type: list
  elements: str
  sample: [Namespace/inference]
"""
