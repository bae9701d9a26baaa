#!/usr/bin/python
# Copyright (c) 2026, ironrack.cluster contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

DOCUMENTATION = r"""
---
module: components
short_description: Install components of a release side by side and switch to them
version_added: "0.1.0"
description:
  - Downloads the files of each component, verifies their SHA-256, unpacks them into C(NAME/VERSION) below O(root) and switches links to them.
  - A version's folder appears by one rename, and a link changes by one rename; an older version stays where it is, so that going back needs no download.
  - A version that is complete is not downloaded again, and then nothing is asked over the network.
  - A file with C(strip) is unpacked without the one folder at its archive's top.
author:
  - ironrack.cluster contributors (@ironrack)
options:
  components:
    description:
      - Components by name, in the form of a release file.
      - Each has C(version) and C(files); each file has C(file), C(upstream), C(checksum) or C(sha256), C(unpack) and C(links).
      - C(checksum) is the URL of the vendor's SHA-256 or SHA-512 sums.
    type: dict
    required: true
  source:
    description: Where files come from. With V(mirror) they are verified by the bundle's manifest, with V(upstream) by the vendor's checksums.
    type: str
    choices: [mirror, upstream]
    default: mirror
  base_url:
    description: URL of the folder with the mirror's files, C(https) or C(file). Needed with O(source=mirror).
    type: str
  manifest_url:
    description: URL of the bundle's manifest. Without it, C(manifest.json) beside O(base_url).
    type: str
  ca_file:
    description: PEM file with the CA that the server's certificate chains to. The system's store where not given.
    type: path
  proxy:
    description: URL of an HTTP proxy.
    type: str
  root:
    description: The folder that holds the components.
    type: path
    default: /opt/ironrack
  switch:
    description: Whether links are switched. With V(false) versions are only brought to the host, as before an upgrade.
    type: bool
    default: true
attributes:
  check_mode:
    description: Predicts what would change from what the host has. Nothing is asked over the network.
    support: full
  diff_mode:
    description: Shows what links lead to before and after.
    support: full
"""

EXAMPLES = r"""
- name: Install one program from a bundle on this host
  ironrack.cluster.components:
    base_url: file:///srv/ironrack/bundle/files
    components:
      crane:
        version: "0.22.1"
        files:
          - file: go-containerregistry_Linux_x86_64.tar.gz
            unpack: true
            links:
              /usr/local/bin/crane: crane
"""

RETURN = r"""
installed:
  description: The components whose version was brought to the host, or would be.
  returned: success
  type: list
  elements: str
switched:
  description: The links that were switched, or would be, with what they led to before and after.
  returned: success
  type: dict
changed_paths:
  description: The links whose content changed, or would, for O(ironrack.cluster.units#module:pending).
  returned: success
  type: list
  elements: str
"""

import os

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.ironrack.cluster.plugins.module_utils._common.errors import IronrackError, conclude
from ansible_collections.ironrack.cluster.plugins.module_utils._components import store as stores
from ansible_collections.ironrack.cluster.plugins.module_utils._components.release import is_complete, parse


def links_to_switch(store, components):
    """:returns: {link: (before, after)} of the links that lead elsewhere. :raises IronrackError: where a file is in the way."""
    wanted, foreign = {}, []
    for component in components:
        for link, member in component.links.items():
            target = os.path.join(store.folder(component), member)
            kind, before = stores.link_state(link)
            if kind == "other":
                foreign.append(link)
            elif before != target:
                wanted[link] = (before or "", target)
    if foreign:
        raise IronrackError("%s: there is something here that this collection did not install; move it away first" % ", ".join(sorted(foreign)))
    return wanted


def run(module):
    """Compare, report, and install unless in check mode."""
    params = module.params
    components = parse(params["components"], params["source"])
    store = stores.Store(params["root"])
    missing = [
        component for component in components
        if not is_complete(component, store.record(component), lambda member, one=component: store.has(one, member), params["source"])]
    switches = links_to_switch(store, components) if params["switch"] else {}
    if not module.check_mode:
        source = stores.make_source(params["source"], params["base_url"] or "", params["manifest_url"], params["ca_file"], params["proxy"])
        for component in missing:
            store.install(component, source)
        for link, (dummy, target) in switches.items():
            stores.switch(link, target)
    replaced = [link for component in missing if params["switch"] for link in component.links]
    return dict(
        changed=bool(missing or switches),
        installed=["%s %s" % (component.name, component.version) for component in missing],
        switched=dict((link, dict(before=before, after=after)) for link, (before, after) in switches.items()),
        changed_paths=sorted(set(switches) | set(replaced)),
        diff=dict(
            before="".join("%s -> %s\n" % (link, before) for link, (before, after) in sorted(switches.items()) if before),
            after="".join("%s -> %s\n" % (link, after) for link, (before, after) in sorted(switches.items()))
            + "".join("installed %s %s\n" % (component.name, component.version) for component in missing)))


def main():
    """Ansible's entry point."""
    module = AnsibleModule(
        argument_spec=dict(
            components=dict(type="dict", required=True),
            source=dict(type="str", choices=["mirror", "upstream"], default="mirror"),
            base_url=dict(type="str"),
            manifest_url=dict(type="str"),
            ca_file=dict(type="path"),
            proxy=dict(type="str", no_log=True),
            root=dict(type="path", default="/opt/ironrack"),
            switch=dict(type="bool", default=True),
        ),
        required_if=[("source", "mirror", ("base_url",))],
        supports_check_mode=True,
    )
    conclude(module, lambda: run(module))


if __name__ == "__main__":
    main()
