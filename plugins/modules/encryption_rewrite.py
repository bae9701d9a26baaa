#!/usr/bin/python
# Copyright (c) 2026, ironrack.cluster contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

DOCUMENTATION = r"""
module: encryption_rewrite
short_description: Have all objects of some kinds written to etcd again, unchanged
version_added: "0.1.0"
author: "ironrack.cluster contributors (@ironrack)"
description:
  - An API server that is asked to write an object which it finds under another key than the first one writes it with the first one, even
    where the request changes nothing. This asks that for every object, so that afterwards none needs an older key.
  - Each request names the object's uid and the version that was seen, and nothing else, so no change of anybody is lost. A conflict is read
    again and repeated, and a list is read in pages.
  - Only metadata crosses the client, never the content of a Secret.
attributes:
  check_mode:
    support: full
    description: Counts the objects and writes none.
  diff_mode:
    support: none
    description: Nothing of an object differs afterwards.
extends_documentation_fragment:
  - ironrack.cluster.kube_auth
  - ironrack.cluster.kube_auth.timeout
options:
  resources:
    description: The kinds of objects, as plurals of the API, with their group where they have one.
    type: list
    elements: str
    required: true
"""

EXAMPLES = r"""
- name: All Secrets are written with the new key
  ironrack.cluster.encryption_rewrite:
    kubeconfig: "{{ cluster.kubeconfig }}"
    resources: [secrets]
"""

RETURN = r"""
written:
  description: How many objects of each kind were written, or would be.
  returned: success
  type: dict
  sample: {"secrets": 412}
"""

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.ironrack.cluster.plugins.module_utils._common.errors import conclude
from ansible_collections.ironrack.cluster.plugins.module_utils._encryption.rewrite import count, rewrite
from ansible_collections.ironrack.cluster.plugins.module_utils._kube.client import ARGUMENT_SPEC, KubeClient


def run(module, api):
    """:returns: the module's result."""
    written = (count if module.check_mode else rewrite)(api, module.params["resources"])
    return {"changed": any(written.values()), "written": written}


def main():
    """Run the module."""
    module = AnsibleModule(
        argument_spec=dict(ARGUMENT_SPEC, resources={"type": "list", "elements": "str", "required": True}), supports_check_mode=True)
    conclude(module, lambda: run(module, KubeClient(module.params["kubeconfig"], module.params["request_timeout"]).request))


if __name__ == "__main__":
    main()
