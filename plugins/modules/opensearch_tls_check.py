#!/usr/bin/python
# Copyright (c) 2026, ironrack.cluster contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

DOCUMENTATION = r"""
---
module: opensearch_tls_check
short_description: Wait until all nodes of OpenSearch show and take certificates of an authority
version_added: "0.1.0"
description:
  - Shakes hands with each port of each node. Its certificate has to come from O(authority) and name its address, and it has to take the client's
    certificate, O(probe).
  - What counts is an answer to a request, so that silence is taken for nothing. The port between nodes gives one too, that it is none for HTTP.
  - Nodes read new certificates and authorities by themselves, each in its own time. The rotation of an authority waits by this between two stages.
  - It runs where both ports can be reached, such as on a node. It needs nothing but Python.
author:
  - ironrack.cluster contributors (@ironrack)
extends_documentation_fragment:
  - ironrack.cluster.attributes.no_diff
options:
  nodes:
    description: Each with C(name) and C(address).
    type: list
    elements: dict
    required: true
  ports:
    description: Ports of each node.
    type: list
    elements: int
    default: [9200, 9300]
  authority:
    description: The certificates, in PEM, of which one has to vouch for each node.
    type: str
    required: true
  probe:
    description: C(cert) and C(key), in PEM, of the client's certificate that each node has to take. The port between nodes takes nobody without one.
    type: dict
    required: true
  taken:
    description: Whether the client has to be taken. With V(false) each has to refuse it in its TLS.
    type: bool
    default: true
  wait:
    description: Seconds to wait for all of them.
    type: int
    default: 180
attributes:
  check_mode:
    description: Asks nobody, since what this run would deliver is not there.
    support: full
"""

EXAMPLES = r"""
- name: All nodes trust the new authority
  ironrack.cluster.opensearch_tls_check:
    nodes: "{{ cluster.opensearch.nodes }}"
    authority: "{{ lookup('file', cluster.opensearch.ca_file) }}"
    probe: "{{ rotation.probe }}"
"""

RETURN = r"""
lacking:
  description: A sentence for each port that did otherwise.
  returned: always
  type: list
  elements: str
  sample: ["os2, port 9300: tlsv1 alert unknown ca"]
waited:
  description: Seconds until all of them did.
  returned: success
  type: float
"""

import time

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.ironrack.cluster.plugins.module_utils._common.errors import IronrackError, conclude
from ansible_collections.ironrack.cluster.plugins.module_utils._common.waiting import wait_for
from ansible_collections.ironrack.cluster.plugins.module_utils._opensearch import handshakes


def run(module, interval=2):
    """:returns: the module's result. :raises WaitTimeout: where they do not take it in time, with what each said last."""
    params = module.params
    if not params["nodes"]:
        raise IronrackError("there is no node to shake hands with: nothing would be shown")
    if module.check_mode:
        return {"changed": False, "lacking": [], "waited": 0.0}
    if not params["probe"].get("cert") or not params["probe"].get("key"):
        raise IronrackError("probe needs cert and key: without a client's certificate nothing would be shown of whom a node trusts")
    made, begun, last = handshakes.context(params["authority"], params["probe"], module.tmpdir), time.monotonic(), {}

    def look():
        last["lacking"] = handshakes.lacking(params["nodes"], params["ports"], made, handshakes.TAKEN if params["taken"] else handshakes.REFUSED)
        return not last["lacking"], "; ".join(last["lacking"])

    wait_for(look, "all nodes to be of the authority, and to %s the client" % ("take" if params["taken"] else "refuse"), params["wait"], interval=interval)
    return {"changed": False, "lacking": [], "waited": round(time.monotonic() - begun, 1)}


def main():
    """Ansible's entry point."""
    module = AnsibleModule(
        argument_spec=dict(
            nodes={"type": "list", "elements": "dict", "required": True},
            ports={"type": "list", "elements": "int", "default": [9200, 9300]},
            authority={"type": "str", "required": True},
            probe={"type": "dict", "required": True, "no_log": True},
            taken={"type": "bool", "default": True},
            wait={"type": "int", "default": 180}),
        supports_check_mode=True)
    conclude(module, lambda: run(module))


if __name__ == "__main__":
    main()
