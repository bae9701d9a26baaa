#!/usr/bin/python
# Copyright (c) 2026, ironrack.cluster contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

DOCUMENTATION = r"""
---
module: llm_release
short_description: Have one release of an LLM service in the cluster
version_added: "0.1.0"
description:
  - Has the objects of one release as its service is described - one Deployment, or one a zone, with probes, spread and anti-affinity, a headless
    Service, a PodDisruptionBudget, autoscalers and its configuration.
  - Everything is applied on the server's side with the field manager C(ironrack.cluster), and owns only what the description says. The number of
    pods is set by the scale alone, so that it is never taken back from an autoscaler.
  - All of a release is owned by its Deployments and goes with them, in one request that names the version that was seen.
author:
  - ironrack.cluster contributors (@ironrack)
extends_documentation_fragment:
  - ironrack.cluster.kube_auth
  - ironrack.cluster.kube_auth.timeout
  - ironrack.cluster.attributes.predicts
options:
  service:
    description: The description of the service, as the role llm_service documents it.
    type: dict
    required: true
  release:
    description: The release.
    type: str
    required: true
  state:
    description: V(scaled_down) leaves it without pods, and all else in place.
    type: str
    choices: [present, scaled_down, absent]
    default: present
  replicas:
    description: Its pods, which are also the least for its autoscaler. Those of the description where left out.
    type: int
  least:
    description: The least pods for its autoscaler, where that is another number.
    type: int
  generation:
    description:
      - The number of this change from the record of rollouts. A release that carries a newer one is left alone, and the task fails.
      - Where left out, the release keeps the one that it carries, and a new one gets 1.
    type: int
  zones:
    description: Zone to pods, for a release that is to have a Deployment in each zone. A release keeps the form that it was made with.
    type: dict
  zone_order:
    description: All zones in their order, for a release that has such Deployments and is deployed without O(zones).
    type: list
    elements: str
    default: []
  peers:
    description:
      - Addresses or networks of the balancers and monitoring hosts. Where given, the namespace and what all releases of the service share are
        brought about as well - an account without rights, a NetworkPolicy that lets in these and the tenants, and a role by which balancers read
        the record of rollouts.
    type: list
    elements: str
  precondition:
    description:
      - What the release has to be still to be taken away - V(uid) and V(resource_version) as RV(ironrack.cluster.llm_release_info#module:releases) has them.
    type: dict
    default: {}
  wait:
    description: Whether to wait until all pods run what is described and are ready.
    type: bool
    default: false
  wait_timeout:
    description: Seconds to wait; where left out, those that the model may load, and two minutes.
    type: int
attributes:
  diff_mode:
    description: Shows each object that changes.
    support: full
"""

EXAMPLES = r"""
- name: The first release of chat runs
  ironrack.cluster.llm_release:
    kubeconfig: "{{ cluster.kubeconfig }}"
    service: "{{ llm_services[0] }}"
    release: v1
    peers: [192.0.2.11, 192.0.2.12]
    wait: true

- name: The old release is gone
  ironrack.cluster.llm_release:
    kubeconfig: "{{ cluster.kubeconfig }}"
    service: "{{ llm_services[0] }}"
    release: v0
    state: absent
"""

RETURN = r"""
objects:
  description: The objects that changed, or would change, as kind/namespace/name.
  returned: success
  type: list
  elements: str
  sample: [Deployment/inference/chat-v1]
releases:
  description: What there is of the service now, as RV(ironrack.cluster.llm_release_info#module:releases).
  returned: success
  type: dict
"""

import json

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.ironrack.cluster.plugins.module_utils._common.errors import IronrackError, conclude
from ansible_collections.ironrack.cluster.plugins.module_utils._common.refusal import Refused, problem
from ansible_collections.ironrack.cluster.plugins.module_utils._common.waiting import wait_for
from ansible_collections.ironrack.cluster.plugins.module_utils._kube.client import ARGUMENT_SPEC, KubeClient
from ansible_collections.ironrack.cluster.plugins.module_utils._service import spec
from ansible_collections.ironrack.cluster.plugins.module_utils._service.releases import Releases

INTERVAL = 2


def run(params, request, check_mode):
    """:returns: the module's result."""
    service, release = described(params)
    releases = Releases(request, service, params["zone_order"], check_mode)
    {"present": present, "scaled_down": scale_down, "absent": delete}[params["state"]](params, releases, service, release)
    if params["state"] == "present" and params["wait"] and not check_mode:
        timeout = service["pod"]["load_seconds"] + 120 if params["wait_timeout"] is None else params["wait_timeout"]
        wait_for(lambda: releases.progress(release), "all pods of release %s of %s to be ready" % (release, service["name"]), timeout, INTERVAL)
    return {"changed": bool(releases.changes), "objects": list(dict.fromkeys(name for name, _before, _after in releases.changes)),
            "releases": releases.look(), "diff": [diff_of(*one) for one in releases.changes]}


def described(params):
    """:returns: (the complete description, the release). :raises Refused: with all that is wrong with the description."""
    found, name = spec.problems(params["service"], ""), params["release"]
    if found:
        raise Refused(found)
    service = spec.complete(params["service"])
    if params["state"] == "present" and name not in service["releases"]:
        raise Refused([problem("release", "release %s is unknown" % name, "one of %s" % ", ".join(sorted(service["releases"])),
                               "Describe the release or correct its name.")])
    return service, name


def present(params, releases, service, release):
    """Have it."""
    if params["peers"] is not None:
        releases.prepare(params["peers"])
    there = releases.look().get(release, {})
    generation = params["generation"] or there.get("generation") or 1
    least = params["least"] if params["least"] is not None or params["replicas"] is not None else service["autoscaling"]["min_replicas"]
    releases.deploy(release, params["replicas"] or service["replicas"], generation, params["zones"], least)


def scale_down(params, releases, service, release):
    """Have none of its pods."""
    done(releases, release, releases.scale_down(release, params["precondition"]), lambda seen: not seen["replicas"])


def delete(params, releases, service, release):
    """Have nothing of it."""
    done(releases, release, releases.delete(release, params["precondition"]), lambda seen: False)


def done(releases, release, changed, satisfied):
    """:raises IronrackError: where a release was left as it is, because it is not what was seen."""
    seen = None if changed else releases.look().get(release)
    if seen and not satisfied(seen):
        raise IronrackError("release %s is another one than was seen, and was left alone: uid %s, version %s. Look at it again" % (
            release, seen["uid"], seen["resource_version"]))


def diff_of(name, before, after):
    """:returns: an object before and after."""
    texts = [json.dumps(one, indent=1, sort_keys=True) + "\n" if one else "" for one in (before, after)]
    return {"before_header": name, "after_header": name, "before": texts[0], "after": texts[1]}


def main():
    """Ansible's entry point."""
    module = AnsibleModule(
        argument_spec=dict(
            ARGUMENT_SPEC,
            service={"type": "dict", "required": True},
            release={"type": "str", "required": True},
            state={"type": "str", "choices": ["present", "scaled_down", "absent"], "default": "present"},
            replicas={"type": "int"},
            least={"type": "int"},
            generation={"type": "int"},
            zones={"type": "dict"},
            zone_order={"type": "list", "elements": "str", "default": []},
            peers={"type": "list", "elements": "str"},
            precondition={"type": "dict", "default": {}},
            wait={"type": "bool", "default": False},
            wait_timeout={"type": "int"}),
        supports_check_mode=True)
    params = module.params
    conclude(module, lambda: run(params, KubeClient(params["kubeconfig"], params["request_timeout"]).request, module.check_mode))


if __name__ == "__main__":
    main()
