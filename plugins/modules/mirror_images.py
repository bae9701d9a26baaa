#!/usr/bin/python
# Copyright (c) 2026, ironrack.cluster contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

DOCUMENTATION = r"""
---
module: mirror_images
short_description: Have a bundle's images in a registry
version_added: "0.1.0"
description:
  - Asks the registry for the digest of each image that the bundle's manifest names, and pushes those that it lacks or has with another digest.
  - An image is found under its name without the registry's host, so that one registry stands for all that the names come from.
author:
  - ironrack.cluster contributors (@ironrack)
extends_documentation_fragment:
  - ironrack.cluster.attributes.predicts
options:
  root:
    description: The bundle's folder on this host, with its C(manifest.json).
    type: path
    default: /srv/ironrack/bundle
  registry:
    description: URL of the registry.
    type: str
    required: true
  ca_file:
    description: PEM file with the CA of the registry's certificate.
    type: path
  crane:
    description: Path of crane.
    type: path
    default: /usr/local/bin/crane
  pending:
    description:
      - The files that M(ironrack.cluster.mirror_sync) sent.
      - Read in check mode only, where they have not arrived, to predict the pushes that follow from them.
    type: list
    elements: str
    default: []
  timeout:
    description: Seconds to wait for the registry to answer.
    type: int
    default: 60
attributes:
  check_mode:
    details: A registry that does not answer yet lacks every image.
  diff_mode:
    description: Shows digests before and after.
    support: full
"""

EXAMPLES = r"""
- name: Have the bundle's images in the registry of this host
  ironrack.cluster.mirror_images:
    registry: http://127.0.0.1:5001
"""

RETURN = r"""
pushed:
  description: The images that were pushed, or would be, as PATH:TAG.
  returned: success
  type: list
  elements: str
"""

import os

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.ironrack.cluster.plugins.module_utils._common.cli import Cli
from ansible_collections.ironrack.cluster.plugins.module_utils._common.errors import IronrackError, conclude
from ansible_collections.ironrack.cluster.plugins.module_utils._common.fs import read_or_none
from ansible_collections.ironrack.cluster.plugins.module_utils._common.http import HttpClient, HttpError
from ansible_collections.ironrack.cluster.plugins.module_utils._common.waiting import wait_for
from ansible_collections.ironrack.cluster.plugins.module_utils._mirror.bundle import MANIFEST, images_of, parse_manifest

ACCEPT = ", ".join((
    "application/vnd.oci.image.index.v1+json", "application/vnd.oci.image.manifest.v1+json",
    "application/vnd.docker.distribution.manifest.list.v2+json", "application/vnd.docker.distribution.manifest.v2+json"))


class Registry:
    """Questions to a registry.

    :param client: an HttpClient.
    :param url: of the registry.
    """

    def __init__(self, client, url):
        self._client = client
        self._url = url.rstrip("/")

    def answers(self):
        """:returns: (done, seen) for a wait."""
        try:
            status = self._client.request("GET", self._url + "/v2/").status
        except HttpError as error:
            return False, str(error)
        return status == 200, "%s/v2/ answered %d" % (self._url, status)

    def digest(self, image):
        """:returns: the digest that the registry has under the image's tag, or None."""
        url = "%s/v2/%s/manifests/%s" % (self._url, image["path"], image["tag"])
        answer = self._client.request("HEAD", url, headers={"Accept": ACCEPT})
        if answer.status == 404:
            return None
        if answer.status != 200:
            raise IronrackError("%s answered %d" % (url, answer.status))
        headers = dict((name.lower(), value) for name, value in answer.headers.items())
        return headers.get("docker-content-digest", "unknown")


def is_right(image, found):
    """Whether a registry's digest is the bundle's; without one in the manifest any image of that tag is taken."""
    return found is not None and (not image["digest"] or image["digest"] == found)


def label(image):
    """:returns: an image as PATH:TAG; one that is still on its way is known by its file."""
    return "%s:%s" % (image["path"], image["tag"]) if image["tag"] else image["file"]


def push(module, cli, image):
    """Push one image."""
    host = module.params["registry"].split("://", 1)[-1].rstrip("/")
    argv = [module.params["crane"], "push"]
    if module.params["registry"].startswith("http://"):
        argv.append("--insecure")
    cli.run(argv + [os.path.join(module.params["root"], image["file"]), "%s/%s:%s" % (host, image["path"], image["tag"])])


def run(module):
    """Compare, report, and push unless in check mode."""
    params = module.params
    text = read_or_none(os.path.join(params["root"], MANIFEST))
    if text is None:
        if module.check_mode:
            return dict(changed=True, pushed=[], diff=dict(before="", after="all images of the bundle\n"))
        raise IronrackError("there is no bundle in %s: mirror_sync brings it" % params["root"])
    images = images_of(parse_manifest(text.decode("utf-8"), os.path.join(params["root"], MANIFEST)))
    registry = Registry(HttpClient(ca_file=params["ca_file"]), params["registry"])
    if not module.check_mode:
        wait_for(registry.answers, "the registry to answer", params["timeout"])
        found = [registry.digest(image) for image in images]
    else:
        there = registry.answers()[0]
        found = [registry.digest(image) if there else None for image in images]
        images += [dict(file=name, path=name, tag="", digest="") for name in params["pending"] if name.startswith("images/")]
        found += [None] * (len(images) - len(found))
    missing = [(image, digest) for image, digest in zip(images, found) if not is_right(image, digest)]
    if not module.check_mode:
        cli = Cli(module, env={"SSL_CERT_FILE": params["ca_file"]} if params["ca_file"] else None)
        for image, dummy in missing:
            push(module, cli, image)
            after = registry.digest(image)
            if not is_right(image, after):
                raise IronrackError("%s was pushed, and the registry has %s for it, but the bundle's manifest says %s: build the bundle again" % (
                    image["file"], after, image["digest"]))
    return dict(
        changed=bool(missing), pushed=[label(image) for image, dummy in missing],
        diff=dict(
            before="".join("%s %s\n" % (label(image), digest) for image, digest in missing if digest),
            after="".join("%s %s\n" % (label(image), image["digest"]) for image, dummy in missing)))


def main():
    """Ansible's entry point."""
    module = AnsibleModule(
        argument_spec=dict(
            root=dict(type="path", default="/srv/ironrack/bundle"),
            registry=dict(type="str", required=True),
            ca_file=dict(type="path"),
            crane=dict(type="path", default="/usr/local/bin/crane"),
            pending=dict(type="list", elements="str", default=[]),
            timeout=dict(type="int", default=60),
        ),
        supports_check_mode=True,
    )
    conclude(module, lambda: run(module))


if __name__ == "__main__":
    main()
