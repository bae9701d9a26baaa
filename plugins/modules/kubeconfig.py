#!/usr/bin/python
# Copyright (c) 2026, ironrack.cluster contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

DOCUMENTATION = r"""
---
module: kubeconfig
short_description: Deliver a kubeconfig file
version_added: "0.1.0"
description:
  - Writes a kubeconfig with one cluster, one user and their certificates inside, readable by its owner only.
  - The file is replaced as a whole. Folders above it are made where they are missing.
author:
  - ironrack.cluster contributors (@ironrack)
extends_documentation_fragment:
  - ironrack.cluster.attributes.predicts
options:
  path:
    description: Where the file is wanted.
    type: path
    required: true
  cluster_name:
    description: Name of the cluster in the file.
    type: str
    required: true
  user:
    description: Name of the user in the file.
    type: str
    default: ironrack-admin
  server:
    description: URL of the API's endpoint.
    type: str
    required: true
  ca:
    description: Certificate of the cluster CA, PEM.
    type: str
    required: true
  cert:
    description: Client certificate, PEM.
    type: str
    required: true
  key:
    description: Private key of the client certificate, PEM.
    type: str
    required: true
attributes:
  diff_mode:
    description: Shows the file before and after, without the key.
    support: full
"""

EXAMPLES = r"""
- name: Deliver the administrator's kubeconfig
  ironrack.cluster.kubeconfig:
    path: "{{ cluster.kubeconfig }}"
    cluster_name: "{{ cluster.name }}"
    server: "{{ cluster.endpoint.url }}"
    ca: "{{ pki_bundle.files['kubernetes-ca-chain.crt'] }}"
    cert: "{{ pki_bundle.files['admin.crt'] }}"
    key: "{{ pki_bundle.files['admin.key'] }}"
"""

RETURN = r"""
path:
  description: Where the file is.
  returned: success
  type: str
  sample: /home/operator/.ironrack/ironrack/kubeconfig
"""

import os
import stat

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.ironrack.cluster.plugins.module_utils._common.errors import IronrackError, conclude
from ansible_collections.ironrack.cluster.plugins.module_utils._common.fs import atomic_write, read_or_none
from ansible_collections.ironrack.cluster.plugins.module_utils._kube.kubeconfig import render, without_secrets

MODE = 0o600


def run(module):
    """:returns: the module's result."""
    params = module.params
    path = params["path"]
    for name in ("ca", "cert", "key"):
        # In check mode a certificate that is still to be issued is a placeholder.
        if "-----BEGIN " not in params[name] and not module.check_mode:
            raise IronrackError("%s of the kubeconfig %s is no PEM" % (name, path))
    wanted = render(params["cluster_name"], params["user"], params["server"], params["ca"], params["cert"], params["key"])
    current = read_or_none(path)
    mode = stat.S_IMODE(os.stat(path).st_mode) if current is not None else None
    changed = current != wanted.encode() or mode != MODE
    if changed and not module.check_mode:
        try:
            os.makedirs(os.path.dirname(path), mode=0o700, exist_ok=True)
            atomic_write(path, wanted.encode(), mode=MODE)
        except OSError as error:
            raise IronrackError("the kubeconfig cannot be written: %s. Set cluster_kubeconfig to a path that this user may write" % error)
    return {"changed": changed, "path": path, "diff": {
        "before_header": path, "after_header": path,
        "before": without_secrets((current or b"").decode("utf-8", "replace")), "after": without_secrets(wanted)}}


def main():
    """Ansible's entry point."""
    module = AnsibleModule(
        argument_spec={
            "path": {"type": "path", "required": True},
            "cluster_name": {"type": "str", "required": True},
            "user": {"type": "str", "default": "ironrack-admin"},
            "server": {"type": "str", "required": True},
            "ca": {"type": "str", "required": True},
            "cert": {"type": "str", "required": True},
            "key": {"type": "str", "required": True, "no_log": True},
        },
        supports_check_mode=True)
    conclude(module, lambda: run(module))


if __name__ == "__main__":
    main()
