#!/usr/bin/python
# Copyright (c) 2026, ironrack.cluster contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

DOCUMENTATION = r"""
---
module: llm_service_check
short_description: Refuse descriptions of LLM services that cannot be brought about, with all reasons at once
version_added: "0.1.0"
description:
  - Judges descriptions of services, each for itself and beside the others, and then in the cluster as it is, whether the pods of the release have
    room on ready nodes that take them, with the pods that a restart has beside them.
  - It fails with everything that is wrong; nothing is changed.
author:
  - ironrack.cluster contributors (@ironrack)
extends_documentation_fragment:
  - ironrack.cluster.kube_auth
  - ironrack.cluster.kube_auth.timeout
  - ironrack.cluster.attributes.no_diff
options:
  services:
    description: All descriptions, as the role llm_service documents them.
    type: raw
    required: true
  service:
    description: The one that is meant; all where empty. All are judged by their texts, because two of them may clash.
    type: str
    default: ""
  release:
    description: The release that has to have room; the stable one of each service where empty.
    type: str
    default: ""
  profile:
    description: C(cluster_profile). V(production) wants images by digest, and namespaces of the Pod Security level 'restricted'.
    type: str
    default: standard
  zones:
    description: The cluster's zones.
    type: list
    elements: str
    default: []
  taken_ports:
    description: Ports of the balancers that no service may have.
    type: list
    elements: dict
    default: []
    suboptions:
      port:
        description: The port.
        type: int
        required: true
      taken_by:
        description: Who has it, in words.
        type: str
        required: true
  reload_timeout:
    description:
      - How long balancers keep connections that are open when NGINX reloads, in NGINX's notation (C(load_balancer_worker_shutdown_timeout)).
      - A longer stream would be cut by any change of traffic. Where empty, streams are not compared with it.
    type: str
    default: ""
  pod_security:
    description: The Pod Security level of namespaces without a label.
    type: str
    default: baseline
  namespaces:
    description: Further namespaces that have to be there, for what no service makes one, each with C(name) and C(where), the setting that names it.
    type: list
    elements: dict
    default: []
    suboptions:
      name:
        description: The namespace.
        type: str
        required: true
      where:
        description: The setting that names it.
        type: str
        required: true
  found:
    description: Problems that were found elsewhere, to be told with these.
    type: list
    elements: dict
    default: []
  cluster_exists:
    description: Whether the cluster is looked at too.
    type: bool
    default: true
attributes:
  check_mode:
    description: Only reads.
    support: full
"""

EXAMPLES = r"""
- name: The services can be brought about
  ironrack.cluster.llm_service_check:
    kubeconfig: "{{ cluster.kubeconfig }}"
    services: "{{ llm_services }}"
    profile: "{{ cluster.profile }}"
    taken_ports:
      - {port: 6443, taken_by: the Kubernetes API}
"""

RETURN = r"""
services:
  description: The descriptions that are meant, with their defaults.
  returned: success
  type: list
  elements: dict
problems:
  description: What is wrong, each with C(where), C(what), C(expected) and C(mend).
  returned: failure
  type: list
  elements: dict
"""

from urllib.parse import urlencode

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.ironrack.cluster.plugins.module_utils._common.errors import conclude
from ansible_collections.ironrack.cluster.plugins.module_utils._common.refusal import Refused, problem
from ansible_collections.ironrack.cluster.plugins.module_utils._kube.client import ARGUMENT_SPEC, KubeClient
from ansible_collections.ironrack.cluster.plugins.module_utils._nginx.times import seconds
from ansible_collections.ironrack.cluster.plugins.module_utils._service import cluster as clusters, spec
from ansible_collections.ironrack.cluster.plugins.module_utils._service.api import ServiceApi
from ansible_collections.ironrack.cluster.plugins.module_utils._service.checks import smallest
from ansible_collections.ironrack.cluster.plugins.module_utils._service.surroundings import NAMESPACE

RUNNING = "/api/v1/pods?" + urlencode({"fieldSelector": "status.phase!=Succeeded,status.phase!=Failed"})


def chosen(services, only):
    """:returns: (descriptions that are meant, problems with the choice)."""
    known = [one for one in services if isinstance(one, dict)] if isinstance(services, list) else []
    names = [str(one.get("name")) for one in known]
    if services == []:
        return [], [problem("llm_services", "it is empty", "a service or more", "Describe the service.")]
    if only and only not in names:
        return [], [problem("rollout_service", "service %s is unknown" % only, "one of %s" % ", ".join(sorted(names)) if names else
                            "a service that llm_services describes, and none is", "Describe it or correct its name.")]
    return [one for one in known if not only or one.get("name") == only], []


def room_of(services, params, client):
    """:returns: the problems that the cluster as it is has with sound descriptions."""
    api, found = ServiceApi(client().request, ""), []
    nodes, pods = api.listed("/api/v1/nodes"), api.listed(RUNNING)
    for service in services:
        release = params["release"] or service["stable"]
        if release not in service["releases"]:
            found.append(problem("%s.releases" % spec.place_of(service), "release %s is unknown" % release,
                                 "one of %s" % ", ".join(sorted(service["releases"])), "Describe the release or correct its name."))
            continue
        wrong = clusters.quantity_problems(service, sorted(service["releases"]))
        namespace = api.get(api.path(NAMESPACE, service["namespace"]))
        found += wrong or clusters.room_problems(service, release, max(smallest(service), service["replicas"]), nodes, pods)
        found += clusters.namespace_problems(service, namespace, params["pod_security"], params["profile"])
    return found


def missing_namespaces(wanted, client):
    """:returns: the problems of namespaces that are named and not there."""
    api = ServiceApi(client().request, "")
    return [problem(one["where"], "there is no namespace %s" % one["name"], "one that is there", "Make it: kubectl create namespace %s" % one["name"])
            for one in wanted if not api.get(api.path(NAMESPACE, one["name"]))]


def cut_streams(services, reload_timeout):
    """:returns: the problems of services whose streams outlive the balancers' patience with old connections.

    :param reload_timeout: in NGINX's notation.
    """
    limit = seconds(reload_timeout)
    if limit is None:
        return []
    return [problem(
        spec.place_of(service) + ".pod.stream_seconds",
        "a stream may last %s s, and a balancer cuts it %s s after a reload" % (service["pod"]["stream_seconds"], limit),
        "at most load_balancer_worker_shutdown_timeout (%s)" % reload_timeout, "Raise that, run site.yml with the tag load_balancer, or lower this.")
        for service in services if service["pod"]["stream_seconds"] > limit]


def run(params, client):
    """:returns: the module's result. :raises Refused: with everything that is wrong."""
    meant, found = chosen(params["services"], params["service"])
    taken = [(one["port"], one["taken_by"]) for one in params["taken_ports"]]
    found += spec.problems_of_all(params["services"], params["profile"], taken, params["zones"])
    # One description that is wrong does not keep the others from being placed.
    sound = [spec.complete(one) for one in meant if not spec.problems(one, "")]
    found += cut_streams(sound, params["reload_timeout"])
    if params["cluster_exists"] and sound:
        found += room_of(sound, params, client)
    if params["cluster_exists"] and params["namespaces"]:
        found += missing_namespaces(params["namespaces"], client)
    found += params["found"]
    if found:
        raise Refused(found)
    return {"changed": False, "services": sound}


def main():
    """Ansible's entry point."""
    taken = {"port": {"type": "int", "required": True}, "taken_by": {"type": "str", "required": True}}
    module = AnsibleModule(
        argument_spec=dict(
            ARGUMENT_SPEC,
            services={"type": "raw", "required": True},
            service={"type": "str", "default": ""},
            release={"type": "str", "default": ""},
            profile={"type": "str", "default": "standard"},
            zones={"type": "list", "elements": "str", "default": []},
            taken_ports={"type": "list", "elements": "dict", "default": [], "options": taken},
            reload_timeout={"type": "str", "default": ""},
            pod_security={"type": "str", "default": "baseline"},
            namespaces={"type": "list", "elements": "dict", "default": [], "options": {
                "name": {"type": "str", "required": True}, "where": {"type": "str", "required": True}}},
            found={"type": "list", "elements": "dict", "default": []},
            cluster_exists={"type": "bool", "default": True}),
        supports_check_mode=True)
    params = module.params
    conclude(module, lambda: run(params, lambda: KubeClient(params["kubeconfig"], params["request_timeout"])))


if __name__ == "__main__":
    main()
