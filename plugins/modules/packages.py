#!/usr/bin/python
# Copyright (c) 2026, ironrack.cluster contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

DOCUMENTATION = r"""
---
module: packages
short_description: Have OS packages installed
version_added: "0.1.0"
description:
  - Installs those of O(names) that are missing, by C(apt-get) or C(dnf). Where none is missing, nothing is asked over the network.
  - Names what is missing exactly, in check mode too, and finishes what a killed C(dpkg) left half-way.
  - Never upgrades and never removes.
author:
  - ironrack.cluster contributors (@ironrack)
extends_documentation_fragment:
  - ironrack.cluster.attributes.predicts
options:
  names:
    description: Names of packages, no virtual ones.
    type: list
    elements: str
    required: true
  source_file:
    description:
      - A file of apt sources; only its lists are updated before an installation.
      - Without it, or where it does not exist, all lists are updated.
    type: path
attributes:
  diff_mode:
    description: Shows the packages before and after.
    support: full
"""

EXAMPLES = r"""
- name: Have curl
  ironrack.cluster.packages:
    names: [curl, ca-certificates]
"""

RETURN = r"""
installed:
  description: The packages that were installed, or would be.
  returned: success
  type: list
  elements: str
versions:
  description: The version of each package that is installed at the end.
  returned: success
  type: dict
"""

import os

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.ironrack.cluster.plugins.module_utils._common.errors import IronrackError, conclude
from ansible_collections.ironrack.cluster.plugins.module_utils._host.packages import manager_of


def run(module):
    """Compare, report, and install unless in check mode."""
    names = list(dict.fromkeys(module.params["names"]))
    if not names:
        return dict(changed=False, installed=[], versions={})
    source_file = module.params["source_file"]
    manager = manager_of(module, source_file if source_file and os.path.exists(source_file) else None)
    before, half = manager.versions(names)
    missing = [name for name in names if name not in before]
    after = before
    if missing and not module.check_mode:
        if half:
            manager.mend()
        manager.install(missing)
        after = manager.versions(names)[0]
        absent = [name for name in names if name not in after]
        if absent:
            raise IronrackError(
                "the package manager reported success, but %s is not installed: if it is the name of a virtual package, "
                "name the real one" % ", ".join(absent))
    return dict(
        changed=bool(missing), installed=missing, versions=after,
        diff=dict(
            before="".join("%s %s\n" % (name, before.get(name, "missing")) for name in missing),
            after="".join("%s %s\n" % (name, after.get(name, "installed")) for name in missing)))


def main():
    """Ansible's entry point."""
    module = AnsibleModule(
        argument_spec=dict(
            names=dict(type="list", elements="str", required=True),
            source_file=dict(type="path"),
        ),
        supports_check_mode=True,
    )
    conclude(module, lambda: run(module))


if __name__ == "__main__":
    main()
