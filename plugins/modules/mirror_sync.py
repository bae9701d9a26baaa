#!/usr/bin/python
# Copyright (c) 2026, ironrack.cluster contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

DOCUMENTATION = r"""
---
module: mirror_sync
short_description: Bring a bundle from the controller to a mirror host
version_added: "0.1.0"
description:
  - Compares the bundle's manifest with what the host has, and sends only the files that are missing or different, over the connection that Ansible has anyway.
  - Every file is verified by its SHA-256 before it is sent, and again on the host before it is put in place by a rename.
    The manifest comes last, so that whoever sees it finds everything that it names.
  - Files that an earlier bundle brought and that this one does not name are removed; files of anybody else stay.
author:
  - ironrack.cluster contributors (@ironrack)
extends_documentation_fragment:
  - ironrack.cluster.attributes.predicts
options:
  bundle:
    description: The bundle's folder on the controller, with its C(manifest.json).
    type: path
    required: true
  root:
    description: The folder on the host.
    type: path
    default: /srv/ironrack/bundle
  batch_bytes:
    description: Bytes that are sent at a time; this much space is needed twice on the host and once on the controller.
    type: int
    default: 268435456
  manifest:
    description: The manifest's text, as the action plugin sends it. Not for playbooks.
    type: str
  step:
    description: What the action plugin asks for. Not for playbooks.
    type: str
    choices: [compare, store, finish]
    default: compare
  archive:
    description: Files that the action plugin has sent. Not for playbooks.
    type: path
  names:
    description: Names in O(archive). Not for playbooks.
    type: list
    elements: str
    default: []
attributes:
  check_mode:
    details: The files that would be sent are verified on the controller.
  diff_mode:
    description: Lists what is sent and what is removed.
    support: full
"""

EXAMPLES = r"""
- name: Bring the bundle to the mirror
  ironrack.cluster.mirror_sync:
    bundle: /var/cache/ironrack/bundles/1.36.4
"""

RETURN = r"""
sent:
  description: The files that were sent, or would be.
  returned: success
  type: list
  elements: str
removed:
  description: The files that were removed, or would be.
  returned: success
  type: list
  elements: str
bytes:
  description: The size of what was sent.
  returned: success
  type: int
"""

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.ironrack.cluster.plugins.module_utils._common.errors import IronrackError, conclude
from ansible_collections.ironrack.cluster.plugins.module_utils._mirror.bundle import parse_manifest
from ansible_collections.ironrack.cluster.plugins.module_utils._mirror.folder import Folder


def run(module):
    """Do one step of the action plugin."""
    params = module.params
    if params["manifest"] is None:
        raise IronrackError("no manifest: this module only works through its action plugin, which is installed beside it")
    manifest = parse_manifest(params["manifest"], "the manifest that was sent")
    folder = Folder(params["root"])
    if params["step"] == "store":
        if not module.check_mode:
            folder.store(params["archive"], params["names"], manifest)
        return dict(changed=bool(params["names"]))
    needed, remove, stale, right = folder.compare(manifest)
    if params["step"] == "finish" and not module.check_mode:
        if needed:
            raise IronrackError("%d files are still missing or different, %s among them: run again" % (len(needed), needed[0]))
        folder.finish(manifest, params["manifest"], remove, right)
    return dict(changed=bool(needed or remove or stale), needed=needed, removed=remove, free=folder.free_bytes())


def main():
    """Ansible's entry point."""
    module = AnsibleModule(
        argument_spec=dict(
            bundle=dict(type="path", required=True),
            root=dict(type="path", default="/srv/ironrack/bundle"),
            batch_bytes=dict(type="int", default=268435456),
            manifest=dict(type="str"),
            step=dict(type="str", choices=["compare", "store", "finish"], default="compare"),
            archive=dict(type="path"),
            names=dict(type="list", elements="str", default=[]),
        ),
        required_if=[("step", "store", ("archive",))],
        supports_check_mode=True,
    )
    conclude(module, lambda: run(module))


if __name__ == "__main__":
    main()
