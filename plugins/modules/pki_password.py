#!/usr/bin/python
# Copyright (c) 2026, ironrack.cluster contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

DOCUMENTATION = r"""
module: pki_password
short_description: Have a new password in the PKI store, in two steps
version_added: "0.1.0"
author: "ironrack.cluster contributors (@ironrack)"
description:
  - V(introduced) makes the next password, beside the one that counts. V(retired) lets it count, with its hash, and the one before is gone.
  - M(ironrack.cluster.pki_bundle) returns both in between. Whoever checks logins is to be told the next one before it counts here, so that a run which was
    cut off in between knows what to tell.
  - A run that was cut off at any point goes on when it is made again. The result holds no password.
attributes:
  check_mode:
    support: full
    description: Says whether it would change anything.
  diff_mode:
    support: full
    description: Shows whether there is a next one, and nothing of it.
options:
  store:
    description: The folder of the PKI store.
    type: path
    default: /etc/ironrack/pki
  name:
    description: Name of the password in the store.
    type: str
    required: true
  stage:
    description: The step. V(retired) without a next password changes nothing.
    type: str
    choices: [introduced, retired]
    required: true
"""

EXAMPLES = r"""
- name: The next password of OpenSearch's administrator counts
  ironrack.cluster.pki_password:
    name: opensearch-admin
    stage: retired
  become: true
"""

RETURN = r"""
prepared:
  description: Whether there is a next password afterwards, or would be.
  returned: success
  type: bool
"""

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.ironrack.cluster.plugins.module_utils._common.errors import conclude
from ansible_collections.ironrack.cluster.plugins.module_utils._pki.password import INTRODUCED, RETIRED, Password


def run(module):
    """:returns: the module's result. :raises IronrackError: where the store has no such password."""
    params = module.params
    found = Password(params["store"], params["name"], module.check_mode).go(params["stage"])
    before, after = ("%s: %s\n" % (params["name"], "one that counts, and the next one" if found[when] else "one that counts") for when in ("before", "after"))
    return {"changed": found["changed"], "prepared": found["after"],
            "diff": {"before": before, "after": after, "before_header": params["store"], "after_header": params["store"]}}


def main():
    """Run the module."""
    module = AnsibleModule(
        argument_spec=dict(
            store=dict(type="path", default="/etc/ironrack/pki"), name=dict(type="str", required=True),
            stage=dict(type="str", choices=[INTRODUCED, RETIRED], required=True)),
        supports_check_mode=True)
    conclude(module, lambda: run(module))


if __name__ == "__main__":
    main()
