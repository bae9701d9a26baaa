#!/usr/bin/python
# Copyright (c) 2026, ironrack.cluster contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

DOCUMENTATION = r"""
module: encryption_loaded
short_description: Wait until the API server of this host has loaded an encryption configuration
version_added: "0.1.0"
author: "ironrack.cluster contributors (@ironrack)"
description:
  - Asks the API server of the control plane that it runs on, with that host's own client certificate, which configuration it has loaded,
    by its metric C(apiserver_encryption_config_controller_last_config_info). The file on the disk is no answer to that.
  - An API server looks at the file once a minute. One that is not ready, or runs without encryption, is a failure.
  - It changes nothing.
attributes:
  check_mode:
    support: full
    description: Says what is loaded, and does not wait, because nothing new was delivered.
  diff_mode:
    support: none
    description: Has nothing to show a difference of.
options:
  address:
    description: Address of this host's API server.
    type: str
    required: true
  port:
    description: Its port.
    type: int
    default: 6443
  digest:
    description: The configuration to wait for, as M(ironrack.cluster.encryption_keyring) returns it. Without it, what is loaded is returned at once.
    type: str
    default: ""
  timeout:
    description: Seconds to wait.
    type: int
    default: 180
"""

EXAMPLES = r"""
- name: The API server has loaded what was delivered
  ironrack.cluster.encryption_loaded:
    address: 192.0.2.21
    digest: "{{ encryption_rotation_record.digest }}"
  become: true
"""

RETURN = r"""
digest:
  description: The SHA-256 of the configuration that is loaded.
  returned: success
  type: str
  sample: "sha256:0c6a3a0e5b7a1c55b2d3f3c1d9a0e6a4b1f0c2d3e4f5a6b7c8d9e0f1a2b3c4d5"
peers:
  description: The addresses of all API servers of the cluster.
  returned: success
  type: list
  elements: str
  sample: [192.0.2.21, 192.0.2.22, 192.0.2.23]
failures:
  description: How many times it could not load a file since it started.
  returned: success
  type: int
  sample: 0
"""

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.ironrack.cluster.plugins.module_utils._common.errors import IronrackError, conclude
from ansible_collections.ironrack.cluster.plugins.module_utils._common.http import HttpClient
from ansible_collections.ironrack.cluster.plugins.module_utils._common.waiting import wait_for
from ansible_collections.ironrack.cluster.plugins.module_utils._encryption import loaded
from ansible_collections.ironrack.cluster.plugins.module_utils._kube.ready import url

# /metrics of an API server is some megabytes.
REQUEST_TIMEOUT = 15


def run(module, server):
    """:returns: the module's result."""
    params = module.params

    def has_it():
        try:
            seen = server.look()
        except IronrackError as error:
            return False, str(error), None
        told = "it has %s and failed to load a file %d times" % (seen["digest"], seen["failures"])
        return seen["digest"] == params["digest"], told, seen

    if module.check_mode or not params["digest"]:
        return dict(server.look(), changed=False)
    return dict(wait_for(has_it, "the API server at %s to load %s" % (params["address"], params["digest"]), params["timeout"], interval=2), changed=False)


def main():
    """Run the module."""
    module = AnsibleModule(
        argument_spec=dict(
            address=dict(type="str", required=True),
            port=dict(type="int", default=6443),
            digest=dict(type="str", default=""),
            timeout=dict(type="int", default=180)),
        supports_check_mode=True)
    http = HttpClient(ca_file=loaded.CA_FILE, cert_file=loaded.CERT_FILE, key_file=loaded.KEY_FILE, timeout=REQUEST_TIMEOUT)
    conclude(module, lambda: run(module, loaded.ApiServer(http, url(module.params["address"], module.params["port"], ""))))


if __name__ == "__main__":
    main()
