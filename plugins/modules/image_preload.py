#!/usr/bin/python
# Copyright (c) 2026, ironrack.cluster contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

DOCUMENTATION = r"""
---
module: image_preload
short_description: Pull a node's images in the background
version_added: "0.1.0"
description:
  - Starts the pull of each image that containerd lacks in a transient unit of its own and comes back at once, so that other things are set up meanwhile.
  - Later, with O(state=waited), waits until the pulls have ended and fails with the names of those that are still missing.
  - The pause image is pinned where it is present, so that the kubelet does not remove it.
author:
  - ironrack.cluster contributors (@ironrack)
extends_documentation_fragment:
  - ironrack.cluster.attributes.predicts
options:
  images:
    description: Full references, as in C(registry.k8s.io/pause:3.10.2).
    type: list
    elements: str
    required: true
  state:
    description: Whether pulls are only started, or waited for as well.
    type: str
    choices: [started, waited]
    default: started
  hosts_dir:
    description: The folder in which containerd finds which registry serves which host.
    type: path
    default: /etc/containerd/certs.d
  ctr:
    description: Path of ctr.
    type: path
    default: /usr/local/bin/ctr
  timeout:
    description: Seconds that the pulls may take with O(state=waited).
    type: int
    default: 600
attributes:
  check_mode:
    details: On a host without ctr every image would be pulled.
  diff_mode:
    description: Lists the images that are pulled.
    support: full
"""

EXAMPLES = r"""
- name: Pull in the background
  ironrack.cluster.image_preload:
    images: [registry.k8s.io/pause:3.10.2]

- name: Have the images
  ironrack.cluster.image_preload:
    images: [registry.k8s.io/pause:3.10.2]
    state: waited
"""

RETURN = r"""
pulled:
  description: The images whose pull was started, or would be.
  returned: success
  type: list
  elements: str
"""

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.ironrack.cluster.plugins.module_utils._common.cli import Cli, CommandError
from ansible_collections.ironrack.cluster.plugins.module_utils._common.errors import IronrackError, conclude
from ansible_collections.ironrack.cluster.plugins.module_utils._common.waiting import WaitTimeout, wait_for
from ansible_collections.ironrack.cluster.plugins.module_utils._host.images import Puller, missing, to_pin


def wait(puller, images, timeout):
    """Wait for the pulls under way. :raises IronrackError: with the images that are missing at the end, and why."""

    def condition():
        running = puller.running(images)
        return not running, "%d of %d under way, %s among them" % (len(running), len(images), running[0]) if running else ""

    slow = ""
    try:
        wait_for(condition, "the images to be pulled", timeout, interval=1)
    except WaitTimeout as error:
        slow = str(error)
    absent = missing(images, puller.listed())
    if absent:
        raise IronrackError("\n- ".join(
            [slow or "%d images could not be pulled:" % len(absent)] + ["%s: %s" % (image, puller.last_words(image)) for image in absent]),
            missing=absent)


def run(module):
    """Compare, report, and pull unless in check mode."""
    params = module.params
    images = list(dict.fromkeys(params["images"]))
    puller = Puller(Cli(module), params["ctr"], params["hosts_dir"])
    try:
        absent = missing(images, puller.listed())
    except CommandError:
        if not module.check_mode:
            raise
        absent = images
    # a pull that is under way was started by the first of two calls of one run, or by a run that was killed
    running = puller.running(absent)
    fresh = [image for image in absent if image not in running]
    if not module.check_mode:
        for image in fresh:
            puller.start(image)
        if params["state"] == "waited":
            wait(puller, absent, params["timeout"])
        for image in to_pin(images, puller.listed()):
            puller.pin(image)
    elif params["state"] == "waited":
        fresh = []
    return dict(
        changed=bool(fresh), pulled=fresh,
        diff=dict(before="", after="".join("%s\n" % image for image in fresh)))


def main():
    """Ansible's entry point."""
    module = AnsibleModule(
        argument_spec=dict(
            images=dict(type="list", elements="str", required=True),
            state=dict(type="str", choices=["started", "waited"], default="started"),
            hosts_dir=dict(type="path", default="/etc/containerd/certs.d"),
            ctr=dict(type="path", default="/usr/local/bin/ctr"),
            timeout=dict(type="int", default=600),
        ),
        supports_check_mode=True,
    )
    conclude(module, lambda: run(module))


if __name__ == "__main__":
    main()
