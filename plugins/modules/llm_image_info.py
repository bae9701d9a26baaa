#!/usr/bin/python
# Copyright (c) 2026, ironrack.cluster contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

DOCUMENTATION = r"""
---
module: llm_image_info
short_description: Say whether the registry has the images of an LLM service
version_added: "0.1.0"
description:
  - Asks the registry for the manifest of each release's image, without pulling it. Run it on a host that pulls images, because that one has the
    way to the registry and its CA.
  - What is missing is told in RV(problems) and is no failure of the task, so that M(ironrack.cluster.llm_service_check) can tell it with all else.
author:
  - ironrack.cluster contributors (@ironrack)
options:
  services:
    description: Descriptions of services, as the role llm_service documents them. What is wrong with one of them is not told here.
    type: raw
    required: true
  service:
    description: The one service to look at; all where empty.
    type: str
    default: ""
  releases:
    description: The releases to look at; where empty, the stable one that is described.
    type: list
    elements: str
    default: []
  registry:
    description:
      - URL of the registry that all images are pulled from, as with C(cluster_registry) or a mirror.
      - Where empty, each image is asked for where its name says.
    type: str
    default: ""
  ca_file:
    description: PEM file of the registry's CA on this host; the system's where not given.
    type: path
  username:
    description: The account, where the registry asks for one.
    type: str
  password:
    description: Its password.
    type: str
  request_timeout:
    description: Seconds for one request.
    type: int
    default: 10
attributes:
  check_mode:
    description: Only reads.
    support: full
extends_documentation_fragment:
  - ironrack.cluster.attributes.no_diff
"""

EXAMPLES = r"""
- name: Are the images there
  ironrack.cluster.llm_image_info:
    services: "{{ llm_services }}"
    registry: https://192.0.2.9:5000
    ca_file: /etc/ironrack/pki/service-ca.crt
  register: images
"""

RETURN = r"""
images:
  description: Image to the status of the registry's answer; 0 where none came.
  returned: success
  type: dict
  sample: {"registry.example.org/chat:1": 200}
problems:
  description: What is wrong, each with C(where), C(what), C(expected) and C(mend).
  returned: success
  type: list
  elements: dict
"""

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.ironrack.cluster.plugins.module_utils._common.errors import conclude
from ansible_collections.ironrack.cluster.plugins.module_utils._common.http import HttpError
from ansible_collections.ironrack.cluster.plugins.module_utils._common.refusal import problem
from ansible_collections.ironrack.cluster.plugins.module_utils._service import images
from ansible_collections.ironrack.cluster.plugins.module_utils._service.registry import Registry
from ansible_collections.ironrack.cluster.plugins.module_utils._service.spec import place_of


def wanted(services, only, releases):
    """:returns: (where, image's text) of what can be asked for, of descriptions that may be anything."""
    found = []
    for service in services if isinstance(services, list) else ():
        if not isinstance(service, dict) or only and service.get("name") != only or not isinstance(service.get("releases"), dict):
            continue
        for name in releases or [service.get("stable")]:
            release = service["releases"].get(name)
            if isinstance(release, dict) and isinstance(release.get("image"), str):
                found.append(("%s.releases.%s.image" % (place_of(service), name), release["image"]))
    return found


def run(params, registry):
    """:returns: the module's result."""
    statuses, problems = {}, []
    for where, text in wanted(params["services"], params["service"], params["releases"]):
        image = images.parse(text)
        if image is None:
            continue  # the check of the description tells it
        try:
            if text not in statuses:
                statuses[text] = registry.status(image)
            wrong = images.verdict(text, statuses[text])
        except HttpError as error:
            statuses[text] = 0
            wrong = str(error), "an answer of the registry", "See to the registry, or to the way there and its CA."
        if wrong:
            problems.append(problem(where, *wrong))
    return {"changed": False, "images": statuses, "problems": problems}


def main():
    """Ansible's entry point."""
    module = AnsibleModule(
        argument_spec={
            "services": {"type": "raw", "required": True}, "service": {"type": "str", "default": ""},
            "releases": {"type": "list", "elements": "str", "default": []}, "registry": {"type": "str", "default": ""}, "ca_file": {"type": "path"},
            "username": {"type": "str"}, "password": {"type": "str", "no_log": True}, "request_timeout": {"type": "int", "default": 10}},
        supports_check_mode=True)
    params = module.params
    conclude(module, lambda: run(params, Registry(params["registry"], params["ca_file"], params["username"], params["password"], params["request_timeout"])))


if __name__ == "__main__":
    main()
