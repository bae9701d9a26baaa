# Copyright (c) 2026, ironrack.cluster contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""At least twenty switches between two releases under clients and streams, with a pod deleted, a node drained and a pod crashed in between.

The traffic is moved as a rollout moves it, by nginx_upstream on all balancers under rising generations, without the engine: what is proved here is
that moving it costs nobody anything. What the engine does of it is proved by the other steps.
"""
from __future__ import annotations

import json
import os
import subprocess
import time
from statistics import median

from ansible_collections.ironrack.cluster.plugins.module_utils._kube.client import KubeClient
from ansible_collections.ironrack.cluster.plugins.module_utils._service import balancing
from ansible_collections.ironrack.cluster.plugins.module_utils._service.releases import Releases
from ansible_collections.ironrack.cluster.plugins.module_utils._service.spec import complete
from kubernetes import client
from kubernetes.client.exceptions import ApiException
from kubernetes.stream import stream

from ..common import OUTPUT, ROOT, NotProved, say
from ..operate import KUBECONFIG
from . import service, verdicts
from .load import Load
from .size import chosen

#: Seconds around a crash whose failures are counted and allowed: NGINX has to find out by itself.
CRASH_BEFORE, CRASH_AFTER = 1.0, 10.0
DRAIN_LIMIT, READY_LIMIT = 150, 180
PAUSE = 0.5
DOMAIN = "cluster.local"


class Both:
    """Both releases of the service, ready, and the balancers as their traffic is switched.

    :param description: of the service.
    """

    def __init__(self, inventory, description):
        self._inventory, self._description, self._options = inventory, complete(description), None
        self.stable, self.other = service.next_release()
        self._releases = Releases(KubeClient(str(KUBECONFIG)).request, self._description)
        self._generation = max([generation or 0 for generation, _weights in service.served(inventory).values()] + [service.record().get("generation") or 0])

    def deploy(self):
        """The other release beside the stable one, in full size."""
        replicas = self._description["replicas"]
        self._generation += 1
        self._releases.deploy(self.other, replicas, self._generation)
        service.until("%d ready pods of %s" % (replicas, self.other), READY_LIMIT,
                      lambda: service.deployments().get(self.other, {}).get("ready", 0) >= replicas)

    def split(self, weight, alone=False):
        """Have all balancers give the other release a weight. :returns: seconds that the call took. :raises NotProved: where a balancer did not.

        :param alone: whether they forget the other release.
        """
        self._generation += 1
        weights = {self.stable: 100} if alone else {self.stable: 100 - weight, self.other: weight}
        traffic = {"generation": self._generation, "stable": self.stable, "candidate": None if alone else self.other, "weights": weights}
        # The same options as a rollout's, so that nothing but the traffic changes.
        self._options = balancing.options(self._description, traffic, DOMAIN)
        return self.again()

    def again(self):
        """The last call once more, which finds nothing to do. :returns: seconds. :raises NotProved: where a balancer did not answer."""
        # The connections of the playbooks, which stand already.
        environment = dict(os.environ, ANSIBLE_NOCOLOR="1", ANSIBLE_SSH_CONTROL_PATH_DIR=str(OUTPUT.parent / "connections"))
        begun = time.monotonic()
        done = subprocess.run(["ansible", "load_balancers", "-i", str(self._inventory), "--become", "-m", "ironrack.cluster.nginx_upstream",
                               "-a", json.dumps(self._options)], cwd=ROOT, env=environment, capture_output=True, text=True, timeout=120, check=False,
                              stdin=subprocess.DEVNULL)
        if done.returncode:
            raise NotProved("generation %d: %s" % (self._generation, (done.stdout + done.stderr)[-2000:]))
        return time.monotonic() - begun

    def away(self):
        """All of the traffic with the stable release, and the other one gone."""
        self.split(0, alone=True)
        self._releases.delete(self.other, {})
        service.until("the end of %s" % self.other, READY_LIMIT, lambda: self.other not in service.deployments())


def delete_pod(release):
    """Delete a pod as anybody may. :returns: what was done, in words."""
    pod = _ready(release)
    service.core().delete_namespaced_pod(pod.metadata.name, service.NAMESPACE, _request_timeout=10)
    _whole(release, pod.metadata.name)
    return "pod %s deleted" % pod.metadata.name


def drain(release):
    """Cordon a node and evict the service's pods from it, as kubectl drain does; then let it take pods again. :returns: what was done."""
    node = _ready(release).spec.node_name
    core = service.core()
    core.patch_node(node, {"spec": {"unschedulable": True}}, _request_timeout=10)
    begun, evicted = time.monotonic(), 0
    try:
        while True:
            left = [pod for pod in service.pods() if pod.spec.node_name == node]
            if not left:
                break
            if time.monotonic() - begun > DRAIN_LIMIT:
                raise NotProved("%s is not empty %d s after it was cordoned, %d pods of the service are left: does the budget of disruptions block it?" % (
                    node, DRAIN_LIMIT, len(left)))
            evicted += sum(_evicted(core, pod.metadata.name) for pod in left)
            time.sleep(1)
    finally:
        core.patch_node(node, {"spec": {"unschedulable": None}}, _request_timeout=10)
    if not evicted:
        raise NotProved("nothing of the service was on %s: nothing was drained" % node)
    _whole(release)
    return "%s drained of %d pods in %.0f s" % (node, evicted, time.monotonic() - begun)


def _evicted(core, pod):
    body = client.V1Eviction(metadata=client.V1ObjectMeta(name=pod, namespace=service.NAMESPACE))
    try:
        core.create_namespaced_pod_eviction(pod, service.NAMESPACE, body, _request_timeout=10)
    except ApiException as error:
        if error.status in (404, 429):  # it has gone, or the budget of disruptions says not now
            return 0
        raise
    return 1


def crash(release):
    """Have a pod's process die without a word. :returns: what was done."""
    pod = _ready(release)
    restarts = _restarts(pod)
    stream(service.core().connect_get_namespaced_pod_exec, pod.metadata.name, service.NAMESPACE, command=["llm", "faults", "die_after_seconds=0.2"],
           stdout=True, stderr=True, stdin=False, tty=False, _request_timeout=10)
    service.until("the restart of %s" % pod.metadata.name, 60, lambda: any(
        _restarts(one) > restarts for one in service.pods(release) if one.metadata.name == pod.metadata.name))
    _whole(release)
    return "pod %s crashed" % pod.metadata.name


def _restarts(pod):
    return sum(one.restart_count for one in pod.status.container_statuses or [])


def _ready(release):
    found = [pod for pod in service.pods(release) if service.is_ready(pod)]
    if not found:
        raise NotProved("no pod of %s is ready: nothing can be taken away" % release)
    return found[0]


def _whole(release, without=None):
    """Wait until a release has all of its pods, and none of a name."""
    def condition():
        seen = service.deployments().get(release, {"replicas": 0, "ready": 0})
        names = [pod.metadata.name for pod in service.pods(release)]
        return without not in names and 0 < seen["replicas"] <= seen["ready"]

    service.until("all pods of %s" % release, READY_LIMIT, condition)


def release_switches(inventory):
    """No request and no stream is lost over the switches, a deletion and a drain; a crash's losses are counted."""
    size = chosen()
    description = service.described(inventory)
    both = Both(inventory, description)
    both.deploy()
    events, calls, excused = [], [], []
    begun = time.monotonic()
    with Load(inventory, description["balancer"]["port"], size.rate, streams=size.streams + 10) as load:
        load.warm(size.streams)
        both.split(0)
        before = time.time()
        # An even number of them, so that the stable release has the traffic again.
        while len(calls) < size.switches or len(load.answers) < size.requests or len(calls) % 2:
            if time.monotonic() - begun > size.seconds:
                raise NotProved("after %d s there were %d switches and %d requests, and %d and %d are needed" % (
                    size.seconds, len(calls), len(load.answers), size.switches, size.requests))
            to_other = len(calls) % 2 == 0
            # A switch says something with streams open only; those that a crash has cut begin again.
            service.until("%d open streams" % size.streams, 90, lambda: load.open_streams() >= size.streams, 0.1)
            calls.append(both.split(100 if to_other else 0))
            serving = both.other if to_other else both.stable
            if len(calls) == size.switches // 4:
                events.append(delete_pod(serving))
            elif len(calls) == size.switches // 2:
                events.append(drain(serving))
            elif len(calls) == 3 * size.switches // 4:
                moment = time.time()
                events.append(crash(serving))
                excused.append((moment - CRASH_BEFORE, moment + CRASH_AFTER))
            time.sleep(PAUSE)
    both.away()
    samples = [sample for sample in load.samples if sample.at >= before]
    seen = verdicts.switches(samples, list(load.balancers))
    crashed = [one for one in [*load.answers, *load.streams] if one.error and verdicts.within(one, excused)]
    service.keep("switches", {"requests": load.summary(), "switches": [one._asdict() for one in seen], "calls": calls, "events": events,
                              "streams": len(load.streams), "lost by the crash": len(crashed)})
    service.proved([
        verdicts.failures(load.answers, size.requests, excused),
        verdicts.streams_whole(load.streams, [one.begun for one in seen], size.streams, excused),
        [] if len(seen) >= size.switches else ["%d switches were seen on both balancers, at least %d are needed" % (len(seen), size.switches)],
    ], "switches")
    times = [one.ended - one.begun for one in seen]
    say("release-switches: %d requests over %d switches, 0 failed; %d streams, at least %d open at each switch, all whole; %s: lost by the crash %d, by the "
        "others 0. From the first balancer to the last %.2f s median, %.2f s at most; a call %.1f s median" % (
            len(load.answers), len(seen), len(load.streams), size.streams, ", ".join(events), len(crashed), median(times), max(times), median(calls)))
