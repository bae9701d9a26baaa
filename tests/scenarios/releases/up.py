# Copyright (c) 2026, ironrack.cluster contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The service comes up from its description: as the check run said, once, and spread over the zones. Its requests are counted, each once, also
while a log is rotated.
"""
from __future__ import annotations

import re
import subprocess
import urllib.request
from collections import Counter

from kubernetes import client, config

from ...traffic import tally

from ..common import NotProved, compare, hosts_of, on, playbook, say
from ..operate import KUBECONFIG
from . import runs, service, verdicts
from .load import Load

ZONE_LABEL = "topology.kubernetes.io/zone"
#: Requests that each balancer answers before it counts as serving, and again after its log was rotated.
FEW = 200
EXPORTER, ROTATION = "http://%s:9145/metrics", "/etc/logrotate.d/ironrack-nginx"


def objects():
    """:returns: {kind: [names]} of what belongs to the service. A namespace that is not there has nothing."""
    api = config.new_client_from_config(str(KUBECONFIG))
    lists = {
        "Deployment": client.AppsV1Api(api).list_namespaced_deployment, "Service": client.CoreV1Api(api).list_namespaced_service,
        "ServiceAccount": client.CoreV1Api(api).list_namespaced_service_account,
        "PodDisruptionBudget": client.PolicyV1Api(api).list_namespaced_pod_disruption_budget,
        "NetworkPolicy": client.NetworkingV1Api(api).list_namespaced_network_policy}
    return {kind: sorted(one.metadata.name for one in ask(service.NAMESPACE, label_selector=service.SELECTOR, _request_timeout=10).items)
            for kind, ask in lists.items()}


def zones(release):
    """:returns: {zone: ready pods of a release}."""
    where = {node.metadata.name: node.metadata.labels.get(ZONE_LABEL, "") for node in service.core().list_node(_request_timeout=10).items}
    return dict(Counter(where[pod.spec.node_name] for pod in service.pods(release) if service.is_ready(pod)))


def uneven(spread, wanted):
    """Whether so many pods stand in zones that differ by one at most."""
    if sum(spread.values()) != wanted:
        return ["%d pods are ready, expected %d: %s" % (sum(spread.values()), wanted, spread)]
    if len(spread) < 3 or max(spread.values()) - min(spread.values()) > 1:
        return ["the zones have %s, expected three that differ by one at most" % spread]
    return []


def reaches(host, pod, port):
    """:returns: whether a host gets an answer of a pod."""
    try:
        on(host, "curl", "--silent", "--max-time", "3", "--output", "/dev/null", "http://%s:%d/health" % (pod.status.pod_ip, port))
    except subprocess.CalledProcessError:
        return False
    return True


def reached_by(inventory, release, port):
    """Whether balancers and the monitoring host reach the pods, and a control plane, which has no business with them, does not.

    :returns: (problems, who reaches them).
    """
    groups = {name: entry["groups"] for name, entry in hosts_of(inventory).items()}
    pods = [pod for pod in service.pods(release) if service.is_ready(pod)]
    wanted = {name: bool({"load_balancers", "monitoring"} & set(groups[name])) for name in sorted(groups)
              if {"load_balancers", "monitoring", "control_plane"} & set(groups[name])}
    found = {name: [reaches(name, pod, port) for pod in pods] for name in wanted}
    wrong = ["%s reaches %d of %d pods, expected %s" % (name, sum(seen), len(seen), "all" if wanted[name] else "none")
             for name, seen in found.items() if not seen or set(seen) != {wanted[name]}]
    return wrong, [name for name in wanted if wanted[name]]


def release_up(inventory):
    """A check run changes nothing, the run makes what it said, the next one changes nothing, and clients of each balancer are answered."""
    moved = {name: seen[0] for name, seen in service.served(inventory).items() if (seen[0] or 0) > 1}
    if moved and not service.record():
        raise NotProved("the traffic was moved without a record (%s): this step comes before release-switches, or after a rollout" % moved)
    description = service.described(inventory)
    words = runs.words(override=None)
    before = objects()
    _seconds, predicted = playbook(inventory, "llm_service", "--check", *words, record="release-up-check")
    if objects() != before:
        raise NotProved("the check run made %s of %s" % (objects(), before))
    seconds, counts = playbook(inventory, "llm_service", *words, record="release-up")
    compare("the check run", predicted["changed"], counts["changed"])
    again, counts = playbook(inventory, "llm_service", *words, record="release-up-again")
    if counts["changed"]:
        raise NotProved("the second run changed: %s" % counts["changed"])
    made = objects()
    missing = sorted(kind for kind, names in made.items() if not names)
    if missing:
        raise NotProved("the service has no %s: %s" % (", ".join(missing), made))
    stable = description["stable"]
    spread = zones(stable)
    wrong, who = reached_by(inventory, stable, description["pod"]["port"])
    service.proved([uneven(spread, description["replicas"]), wrong], "pods of %s" % stable)
    asked = {name: _answered(inventory, description["balancer"]["port"], name, stable) for name in service.balancers(inventory)}
    say("release-up: %.0f s, changed=0 again in %.0f s; %s; pods by zone %s, reached by %s and by no control plane; answered by %s "
        "alone: %s, each counted once although the logs were rotated meanwhile" % (
            seconds, again, ", ".join("%d %s" % (len(names), kind) for kind, names in sorted(made.items())), spread, ", ".join(who), stable,
            ", ".join("%d of %d requests at %s" % (part["sent"] - part["failed"], part["sent"], name) for name, part in sorted(asked.items()))))


def counted(address):
    """:returns: how many requests of the service a balancer's exporter has counted. :raises OSError: where it does not answer."""
    with urllib.request.build_opener(urllib.request.ProxyHandler({})).open(EXPORTER % address, timeout=10) as answer:
        return count_of(answer.read().decode())


def count_of(text):
    """:param text: what an exporter says. :returns: the requests of the service in it."""
    lines = re.findall(r'^ironrack_requests_total\{([^}]*)\} (\S+)$', text, re.MULTILINE)
    return int(sum(float(number) for labels, number in lines if 'service="%s"' % service.NAME in labels.split(",")))


def _answered(inventory, port, name, release):
    """Ask one balancer, and rotate its logs meanwhile."""
    address = service.balancers(inventory)[name]
    before = counted(address)
    with Load(inventory, port, 100, only=(name,)) as load:
        service.until("%d answers of %s" % (FEW, name), 60, lambda: len(load.answers) >= FEW)
        on(name, "sudo", "logrotate", "--force", ROTATION)
        service.until("%d more answers of %s" % (FEW, name), 60, lambda: len(load.answers) >= 2 * FEW)
    sent = len(load.answers)
    service.until("a count of %d requests on %s" % (sent, name), 30, lambda: counted(address) - before == sent)
    lines = on(name, "sudo", "cat", "/var/log/nginx/service-%s.log" % service.NAME).count("\n")
    service.proved([
        verdicts.failures(load.answers, FEW), verdicts.only(load.answers, release, load.begun, FEW),
        [] if 0 < lines < sent else ["after the rotation the log has %d of %d lines" % (lines, sent)]], "clients of %s" % name)
    return tally.summarise(load.answers)
