#!/usr/bin/python
# Copyright (c) 2026, ironrack.cluster contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

DOCUMENTATION = r"""
---
module: java_truststore
short_description: Have a JVM's trust store of some certificates
version_added: "0.1.0"
description:
  - Writes a JKS file with the certificates of authorities, for the option C(-Djavax.net.ssl.trustStore) of a JVM. The same certificates give the same bytes.
  - It holds no secret. Its password is C(changeit), as that of the store that a JVM brings.
author:
  - ironrack.cluster contributors (@ironrack)
extends_documentation_fragment:
  - ironrack.cluster.attributes.predicts
options:
  path:
    description: The file on the host. Its folder is there.
    type: path
    required: true
  certificates:
    description: Certificates in PEM, one after the other.
    type: str
    required: true
attributes:
  check_mode:
    details: Without certificates, which are still to be issued then, a file that is there is taken as right.
  diff_mode:
    description: Shows the SHA-256 before and after.
    support: full
"""

EXAMPLES = r"""
- name: The JVM trusts the site's authority
  ironrack.cluster.java_truststore:
    path: /etc/opensearch/truststore.jks
    certificates: "{{ lookup('ansible.builtin.file', 'site-ca.crt') }}"
  become: true
"""

RETURN = r"""
changed_paths:
  description: O(path), where it was another file before; in check mode where it would be.
  returned: success
  type: list
  elements: str
"""

import hashlib

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.ironrack.cluster.plugins.module_utils._common.errors import conclude
from ansible_collections.ironrack.cluster.plugins.module_utils._common.fs import atomic_write, read_or_none
from ansible_collections.ironrack.cluster.plugins.module_utils._opensearch.truststore import jks
from ansible_collections.ironrack.cluster.plugins.module_utils._pki.spec import PLACEHOLDER


def _sum(data):
    return "\n" if data is None else hashlib.sha256(data).hexdigest() + "\n"


def run(path, certificates, check_mode):
    """:returns: the module's result. :raises Refused: where the certificates are none."""
    before = read_or_none(path)
    # What an authority's certificate will be is not known before there is one.
    after = before or b"" if check_mode and certificates in ("", PLACEHOLDER) else jks(certificates)
    if before != after and not check_mode:
        atomic_write(path, after, mode=0o644)
    return {"changed": before != after, "changed_paths": [path] if before != after else [],
            "diff": {"before_header": path, "after_header": path, "before": _sum(before), "after": _sum(after)}}


def main():
    """Run the module."""
    module = AnsibleModule(argument_spec=dict(path=dict(type="path", required=True), certificates=dict(type="str", required=True)), supports_check_mode=True)
    conclude(module, lambda: run(module.params["path"], module.params["certificates"], module.check_mode))


if __name__ == "__main__":
    main()
