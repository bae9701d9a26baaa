# Copyright (c) 2026, ironrack.cluster contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

DOCUMENTATION = r"""
name: node_images
short_description: The images that one node of the cluster needs
version_added: "0.1.0"
author:
  - ironrack.cluster contributors (@ironrack)
description:
  - Picks from a release's images those that a node of a given kind runs, as full references.
options:
  _input:
    description: The release's images, each with C(name), C(tag) and C(on).
    type: list
    elements: dict
    required: true
  host:
    description: The host's entry in the model, of which C(is_control_plane) and C(is_worker) are read.
    type: dict
    required: true
"""

EXAMPLES = r"""
- name: Show what this node pulls
  ansible.builtin.debug:
    msg: "{{ cluster.release.images | ironrack.cluster.node_images(this_host) }}"
"""

RETURN = r"""
_value:
  description: Image references, NAME:TAG, in the order of the release.
  type: list
  elements: str
"""


def node_images(images, host):
    """Images that a node runs.

    :param images: the release's entries.
    :param host: the model's entry of the host.
    :returns: references, NAME:TAG.
    """
    wanted = {"all", "any"}
    if host["is_control_plane"]:
        wanted.add("control_plane")
    if host["is_worker"]:
        wanted.add("workers")
    return ["%s:%s" % (image["name"], image["tag"]) for image in images if image["on"] in wanted]


class FilterModule:
    """Ansible's entry point."""

    def filters(self):
        """:returns: the filters of this file by name."""
        return {"node_images": node_images}
