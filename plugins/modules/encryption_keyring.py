#!/usr/bin/python
# Copyright (c) 2026, ironrack.cluster contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

DOCUMENTATION = r"""
module: encryption_keyring
short_description: Record one stage of the rotation of the key that etcd's data is encrypted with
version_added: "0.1.0"
author: "ironrack.cluster contributors (@ironrack)"
description:
  - Keeps the keyring in the PKI store, which is also the record of a rotation. What the API servers are given follows from it alone.
  - A stage is recorded before anything is delivered, and only where the evidence of the stage before it is complete. A rotation that was
    cut off at any point goes on from its record.
  - No key ever leaves the keyring, because a snapshot of etcd from before a rotation needs the key of its time.
  - The result holds keys. Set C(no_log=true) on the task; the error of a failure is shown nevertheless.
attributes:
  check_mode:
    support: full
    description: Says what would be recorded. It takes the evidence for granted, and a new key in its result is never used.
  diff_mode:
    support: full
    description: Shows the stage, the names and the order of the keys, never a key.
options:
  store:
    description: The folder of the PKI store.
    type: path
    default: /etc/ironrack/pki
  stage:
    description:
      - The stage to go to. They are asked for in this order; one that is past is left alone.
      - C(add) makes the new key readable everywhere, C(promote) makes it the one that writes, C(rewrite) is the time in which all objects
        are written again, C(drop) takes the old key from the API servers, and C(done) ends the record.
    type: str
    choices: [add, promote, rewrite, drop, done]
    required: true
  goal:
    description:
      - C(new_key) rotates, C(plain) ends with data in clear text, and C(recall) makes the keys of earlier rotations readable again, for a
        snapshot of etcd from their time.
    type: str
    choices: [new_key, plain, recall]
    default: new_key
  resources:
    description: The kinds of objects that are to be encrypted. What is encrypted already stays so.
    type: list
    elements: str
    default: [secrets]
  servers:
    description: Name and address of every control plane of the inventory.
    type: dict
    required: true
  loaded:
    description: By the name of a control plane, the result of M(ironrack.cluster.encryption_loaded) there.
    type: dict
    default: {}
  rewritten:
    description: Whether M(ironrack.cluster.encryption_rewrite) came to its end since the stage C(rewrite).
    type: bool
    default: false
"""

EXAMPLES = r"""
- name: The new key is readable by every API server
  ironrack.cluster.encryption_keyring:
    stage: add
    servers: {cp1: 192.0.2.21}
    loaded:
      cp1: {digest: "sha256:0c6a...", peers: [192.0.2.21]}
  become: true
  no_log: true
  register: encryption_rotation_record
"""

RETURN = r"""
active:
  description: Whether this stage has work to do now; false where it is past, or no part of the goal.
  returned: success
  type: bool
stage:
  description: The stage on record after this call; C(none) where no rotation is under way.
  returned: success
  type: str
  sample: add
resources:
  description: What is written again in the stage C(rewrite).
  returned: success
  type: list
  elements: str
  sample: [secrets]
content:
  description: The file that the API servers get.
  returned: success
  type: str
digest:
  description: What an API server says when it has loaded that file.
  returned: success
  type: str
  sample: "sha256:0c6a3a0e5b7a1c55b2d3f3c1d9a0e6a4b1f0c2d3e4f5a6b7c8d9e0f1a2b3c4d5"
"""

import datetime
import os

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.ironrack.cluster.plugins.module_utils._common.errors import conclude
from ansible_collections.ironrack.cluster.plugins.module_utils._encryption import keyring as keyrings
from ansible_collections.ironrack.cluster.plugins.module_utils._encryption.store import KeyringFile

STAGES = [keyrings.ADD, keyrings.PROMOTE, keyrings.REWRITE, keyrings.DROP, keyrings.DONE]


def words(keyring):
    """:returns: a keyring without its keys, as lines for a diff."""
    rotation = keyring["rotation"]
    return "stage: %s\norder: %s\nencrypted: %s\n" % (
        rotation["stage"] if rotation else "none", ", ".join(keyring["order"]), ", ".join(keyring["resources"]) or "nothing")


def run(module):
    """:returns: the module's result."""
    params = module.params
    stored = KeyringFile(params["store"])
    evidence = keyrings.Evidence(params["servers"], params["loaded"], params["rewritten"])
    now = datetime.datetime.now(datetime.timezone.utc).strftime("%Y-%m-%dT%H:%M:%SZ")
    with stored.alone():
        before = stored.read()
        after, active = keyrings.advance(before, params["stage"], params["goal"], None if module.check_mode else evidence,
                                         os.urandom(keyrings.KEY_BYTES), now, params["resources"])
        if after != before and not module.check_mode:
            stored.write(after)
    content = keyrings.text(after)
    return {"changed": after != before, "active": active, "stage": (after["rotation"] or {"stage": "none"})["stage"],
            "resources": keyrings.encrypted(after), "content": content, "digest": keyrings.digest(content),
            "diff": {"before_header": "keyring", "after_header": "keyring", "before": words(before), "after": words(after)}}


def main():
    """Run the module."""
    module = AnsibleModule(
        argument_spec=dict(
            store=dict(type="path", default="/etc/ironrack/pki"),
            stage=dict(type="str", choices=STAGES, required=True),
            goal=dict(type="str", choices=[keyrings.NEW_KEY, keyrings.TO_PLAIN, keyrings.RECALL], default=keyrings.NEW_KEY),
            resources=dict(type="list", elements="str", default=["secrets"]),
            servers=dict(type="dict", required=True),
            loaded=dict(type="dict", default={}),
            rewritten=dict(type="bool", default=False)),
        supports_check_mode=True)
    conclude(module, lambda: run(module))


if __name__ == "__main__":
    main()
