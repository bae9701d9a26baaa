#!/usr/bin/python
# Copyright (c) 2026, ironrack.cluster contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

DOCUMENTATION = r"""
module: pki_authority
short_description: Record one stage of the rotation of a certificate authority
version_added: "0.1.0"
author: "ironrack.cluster contributors (@ironrack)"
description:
  - Keeps the record of a rotation in the PKI store. What M(ironrack.cluster.pki_bundle) issues, and what it says is to be trusted, follows from it alone.
  - V(introduced) makes a new authority, which is trusted beside the old one from then on, and signs nothing yet. V(switched) has the new one sign, so
    that the next bundle issues all of its certificates again; both are trusted. V(retired) takes the old one away.
  - The stages are asked for in this order, and none can be left out. A stage is recorded before what it brings is delivered. With O(delivered) it is
    recorded that all servers were seen to have it; the next one is refused before. A rotation that was cut off at any point goes on from its record.
  - The new authority has the name of the old one, so that servers which take over certificates while they run find the issuer that they know.
  - Needs the C(openssl) command, as M(ironrack.cluster.pki_bundle) does, on the host that it runs on.
  - The result holds keys of probes. Set C(no_log=true) on the task; the error of a failure is shown nevertheless.
attributes:
  check_mode:
    support: full
    description: Says which stage it would come to.
  diff_mode:
    support: full
    description: Shows the stage, never a key.
options:
  store:
    description: The folder of the PKI store.
    type: path
    default: /etc/ironrack/pki
  name:
    description: Name of the authority in the store. One that the site brings itself is rotated by whoever issues it.
    type: str
    required: true
  stage:
    description: The stage to go to.
    type: str
    choices: [introduced, switched, retired]
    required: true
  delivered:
    description: Whether to record that what the stage brings is everywhere. After V(retired) nothing is left of the old authority then.
    type: bool
    default: false
  days:
    description: Days that the new one is valid.
    type: int
    default: 3650
"""

EXAMPLES = r"""
- name: A new authority of OpenSearch is trusted beside the old one
  ironrack.cluster.pki_authority:
    name: opensearch-ca
    stage: introduced
  become: true
  no_log: true
  register: rotation
"""

RETURN = r"""
stage:
  description: The stage afterwards, or as it would be. Empty where no rotation is under way.
  returned: success
  type: str
  sample: introduced
active:
  description: Whether there is something of this stage to deliver, now or again. V(false) only where there is no store yet.
  returned: success
  type: bool
authority:
  description: The certificate of the newest authority, in PEM.
  returned: success
  type: str
probe:
  description:
    - C(cert) and C(key), in PEM, of a client that only the newest authority vouches for, valid for a day, to see that it is trusted. It is nobody's name.
    - Empty in check mode, and with O(delivered).
  returned: success
  type: dict
old_probe:
  description: The same of the authority before, at the stage V(retired), to see that it is trusted no more.
  returned: success
  type: dict
"""

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.ironrack.cluster.plugins.module_utils._common.cli import Cli
from ansible_collections.ironrack.cluster.plugins.module_utils._common.errors import conclude
from ansible_collections.ironrack.cluster.plugins.module_utils._pki.turning import Turn


def run(module):
    """:returns: the module's result. :raises IronrackError: where the store has no such authority, or what it has does not fit."""
    params = module.params
    found = Turn(params["store"], params["name"], Cli(module), params["days"], module.check_mode).go(params["stage"], params["delivered"])
    lines = ["%s: %s\n" % (params["name"], words or "one authority, no rotation under way") for words in (found.pop("before"), found["stage"])]
    return dict(found, diff={"before": lines[0], "after": lines[1], "before_header": params["store"], "after_header": params["store"]})


def main():
    """Run the module."""
    module = AnsibleModule(
        argument_spec=dict(
            store=dict(type="path", default="/etc/ironrack/pki"), name=dict(type="str", required=True),
            stage=dict(type="str", choices=["introduced", "switched", "retired"], required=True), delivered=dict(type="bool", default=False),
            days=dict(type="int", default=3650)),
        supports_check_mode=True)
    conclude(module, lambda: run(module))


if __name__ == "__main__":
    main()
