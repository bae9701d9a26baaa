#!/usr/bin/python
# Copyright (c) 2026, ironrack.cluster contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

DOCUMENTATION = r"""
module: nginx_upstream_info
short_description: Say how a load balancer splits the requests of its services, on disk and in the workers that run
version_added: "0.1.0"
author: "ironrack.cluster contributors (@ironrack)"
extends_documentation_fragment:
  - ironrack.cluster.nginx
description:
  - Reads the files that P(ironrack.cluster.nginx_upstream#module) writes, and asks the running workers by the health port.
attributes:
  check_mode:
    support: full
    description: Only reads.
  diff_mode:
    support: none
    description: Changes nothing.
options:
  name:
    description: One service; all where left out.
    type: str
"""

EXAMPLES = r"""
- name: What does this balancer serve
  ironrack.cluster.nginx_upstream_info:
  register: traffic
"""

RETURN = r"""
alive:
  description: Whether the unit runs.
  returned: success
  type: bool
services:
  description: Each service by its name.
  returned: success
  type: dict
  contains:
    disk:
      description: What the file on disk says, or null. C(weights) are percents by release.
      type: dict
      sample: {generation: 12, serve: releases, stable: blue, candidate: green, weight: 5, weights: {green: 5, blue: 95}, releases: {}}
    running:
      description: The same of the running workers, or null.
      type: dict
    in_step:
      description: Whether the workers run what is on disk. V(false) also where there is neither.
      type: bool
    intact:
      description: Whether the file is as the module wrote it.
      type: bool
    note:
      description: What was left in the file with the option C(note) of M(ironrack.cluster.nginx_upstream); empty otherwise.
      type: dict
    error:
      description: Why the workers could not be asked; empty otherwise.
      type: str
"""

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.ironrack.cluster.plugins.module_utils._common.cli import Cli
from ansible_collections.ironrack.cluster.plugins.module_utils._common.errors import conclude
from ansible_collections.ironrack.cluster.plugins.module_utils._common.http import HttpError
from ansible_collections.ironrack.cluster.plugins.module_utils._nginx.client import Nginx
from ansible_collections.ironrack.cluster.plugins.module_utils._nginx.generation import is_intact, note_of, report, status_of
from ansible_collections.ironrack.cluster.plugins.module_utils._systemd.client import Systemd


def ask(nginx, name, alive):
    """:returns: what is known of one service."""
    text, running, error = nginx.read(name), None, "" if alive else "the unit does not run"
    if alive:
        try:
            running = nginx.running(name)
        except HttpError as problem:
            error = str(problem)
    disk = status_of(text)
    return dict(disk=report(disk), running=report(running), in_step=disk is not None and disk == running, intact=is_intact(text or ""),
                note=note_of(text), error=error)


def run(module):
    """:returns: the module's result."""
    cli = Cli(module)
    nginx = Nginx(cli, Systemd(cli), module.params)
    alive = nginx.is_running()
    wanted = module.params["name"]
    services = dict((name, ask(nginx, name, alive)) for name in ([wanted] if wanted else nginx.services()))
    # A site may have files of its own in the folder.
    return dict(changed=False, alive=alive, services=dict(
        (name, known) for name, known in services.items() if wanted or known["disk"] or known["running"]))


def main():
    """Run the module."""
    module = AnsibleModule(
        argument_spec=dict(
            name=dict(type="str"),
            folder=dict(type="path", default="/etc/ironrack/nginx/http.d"),
            unit=dict(type="str", default="ironrack-nginx.service"),
            health_url=dict(type="str", default="http://127.0.0.1:8080")),
        supports_check_mode=True)
    conclude(module, lambda: run(module))


if __name__ == "__main__":
    main()
