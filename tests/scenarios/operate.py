# Copyright (c) 2026, ironrack.cluster contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What is done to a running lab cluster in a scenario: faults, a join without cp1, a jump host, reset."""
from __future__ import annotations

import json
import re
import subprocess
import sys
import time

from kubernetes import client, config

from .common import OUTPUT, ROOT, NotProved, hosts_of, on, playbook, say

KUBECONFIG = OUTPUT / "kubeconfig"
# How long a host stays away in a fault test, in seconds.
AWAY = 20
#: Seconds after its start in which kube-proxy has read its rules and written what differs.
READ_BACK = 5


def lab(inventory, *words):
    """Run a command of the lab."""
    subprocess.run([sys.executable, "-m", "lab", "--inventory", str(inventory), *words], cwd=ROOT, check=True, timeout=300, stdout=subprocess.DEVNULL)


def nodes():
    """:returns: {name: ready} of the cluster's nodes."""
    found = client.CoreV1Api(config.new_client_from_config(str(KUBECONFIG))).list_node(_request_timeout=10)
    return {node.metadata.name: any(part.type == "Ready" and part.status == "True" for part in node.status.conditions or []) for node in found.items}


def wait_ready(name, seconds):
    """Wait until a node is Ready. :raises NotProved: when it is not in time."""
    end = time.monotonic() + seconds
    while not nodes().get(name):
        if time.monotonic() > end:
            raise NotProved("%s is not Ready after %d s: %s" % (name, seconds, nodes()))
        time.sleep(1)


def one_fault(inventory, kind, target, *words):
    """One fault under the counting client. :raises NotProved: where a promise is broken or nothing could be said."""
    record = OUTPUT / ("fault-%s-%s.json" % (kind, target))
    done = subprocess.run([sys.executable, "-m", "tests.faults.run", "--kubeconfig", str(KUBECONFIG), "--inventory", str(inventory), "--kind", kind,
                           "--target", target, "--seconds", str(AWAY), "--json", str(record), *words],
                          cwd=ROOT, capture_output=True, text=True, timeout=420, check=False)
    lines = done.stdout.splitlines()
    begin = next((number for number, line in enumerate(lines) if line.startswith("fault ")), 0)
    for line in lines[begin:]:
        say("  " + line)
    if done.returncode:
        raise NotProved("%s of the %s: status %d\n%s\n%s" % (kind, target, done.returncode, done.stderr[-1000:], "\n".join(lines[begin:])))


def faults(inventory):
    """A control-plane host, the etcd leader's host and a balancer are lost, by SIGKILL and by a silent cut."""
    for target in ("follower", "leader", "balancer"):
        for kind in ("kill", "cut"):
            one_fault(inventory, kind, target)
    say("six faults, every promise kept")


def faults_measured(inventory):
    """The same where etcd has hosts of its own: measured, since more is not promised there."""
    for target in ("follower", "leader"):
        for kind in ("kill", "cut"):
            one_fault(inventory, kind, target, "--measure")


def join_without_cp1(inventory):
    """A worker joins while cp1 is off: no control plane is special."""
    playbook(inventory, "reset", "-e", "reset_confirm=lab", "--limit", "gpu3", record="leave")
    client.CoreV1Api(config.new_client_from_config(str(KUBECONFIG))).delete_node("gpu3")
    lab(inventory, "kill", "cp1")
    try:
        seconds, counts = playbook(inventory, "site", "--limit", "gpu3", record="join-without-cp1")
        wait_ready("gpu3", 60)
    finally:
        lab(inventory, "start", "cp1")
    if not any(host == "gpu3" and "worker of the cluster" in task for host, task in counts["changed"]):
        raise NotProved("gpu3 did not join: %s" % counts["changed"])
    wait_ready("cp1", 180)
    say("gpu3 joined in %.0f s while cp1 was off; cp1 came back by itself" % seconds)


def services_read_back(inventory):
    """kube-proxy finds its own rules when it starts anew, and keeps them: what it reads back every hour, and when a node's zone changes."""
    name = next(name for name, entry in sorted(hosts_of(inventory).items()) if "workers" in entry["groups"])
    api = client.CoreV1Api(config.new_client_from_config(str(KUBECONFIG)))

    def services():
        return set(re.findall(r"goto service-\w+-([^\s,]+)", on(name, "sudo", "nft", "list", "map", "ip", "kube-proxy", "service-ips")))

    def ready():
        """:returns: namespace/service of those that have a pod that is ready: kube-proxy takes the others out."""
        slices = client.DiscoveryV1Api(api.api_client).list_endpoint_slice_for_all_namespaces(_request_timeout=10).items
        return {"%s/%s" % (one.metadata.namespace, one.metadata.labels["kubernetes.io/service-name"]) for one in slices
                if any(endpoint.conditions.ready for endpoint in one.endpoints or [])}

    def pod():
        found = api.list_namespaced_pod("kube-system", label_selector="k8s-app=kube-proxy", field_selector="spec.nodeName=%s" % name, _request_timeout=10)
        return next((one for one in found.items if one.metadata.deletion_timestamp is None), None)

    before, old = services(), pod()
    if not before:
        raise NotProved("kube-proxy has no service on %s" % name)
    api.delete_namespaced_pod(old.metadata.name, "kube-system", _request_timeout=10)
    end = time.monotonic() + 60
    while True:
        new = pod()
        if new and new.metadata.uid != old.metadata.uid and any(one.type == "Ready" and one.status == "True" for one in new.status.conditions or []):
            break
        if time.monotonic() > end:
            raise NotProved("kube-proxy on %s is not Ready 60 s after its pod was deleted" % name)
        time.sleep(1)
    time.sleep(READ_BACK)
    after, serving = services(), ready()
    lost = {one for one in before - after if one.rsplit("/", 2)[0] in serving}
    if lost:
        raise NotProved("kube-proxy on %s had %d ports of services, and lost %s when it started anew" % (name, len(before), ", ".join(sorted(lost))))
    say("kube-proxy on %s, started anew, kept the %d ports of services that it had written%s" % (
        name, len(before & after), " (%s went, without a pod)" % ", ".join(sorted(before - after)) if before - after else ""))


def through_jump_host(inventory):
    """Every host is reached through lb1, as through a site's jump host."""
    seconds, counts = playbook(inventory, "site", "-e", "@lab/jump.yml", record="jump")
    if counts["changed"]:
        raise NotProved("the run through the jump host changed: %s" % counts["changed"])
    say("a run through the jump host lb1: %.0f s, changed=0" % seconds)


def reset_refused(inventory):
    """Without its confirmation reset.yml touches nothing."""
    try:
        playbook(inventory, "reset", record="reset-refused")
    except NotProved as refusal:
        if "Nothing was touched" not in str(refusal) and "Nothing was touched" not in (OUTPUT / "reset-refused.log").read_text():
            raise
        if json.loads((OUTPUT / "reset-refused.json").read_text())["changed"]:
            raise NotProved("reset.yml changed something although it was not confirmed") from refusal
        say("reset without a confirmation: refused, changed=0")
        return
    raise NotProved("reset.yml ran without its confirmation")


#: What is moved aside, where it lies, and the groups of the hosts that have it.
ASIDE = {"etcd's data": ("/var/lib/etcd", "data.removed-", {"etcd"}),
         "OpenSearch's data": ("/var/lib/opensearch", "nodes.removed-", {"opensearch_managers", "opensearch_data", "opensearch_ingest"})}


def moved_aside(inventory):
    """:returns: (what, host) -> how often it has been moved aside there."""
    found = {}
    for what, (folder, beginning, groups) in ASIDE.items():
        for name in [name for name, entry in hosts_of(inventory).items() if groups & set(entry["groups"])]:
            found[what, name] = sum(line.startswith(beginning) for line in on(name, "sudo", "ls", folder).split())
    return found


def reset(inventory):
    """reset.yml takes the cluster apart and keeps the data of etcd and OpenSearch aside; once more it changes nothing."""
    before = moved_aside(inventory)
    seconds, counts = playbook(inventory, "reset", "-e", "reset_confirm=lab")
    after = moved_aside(inventory)
    _again, again = playbook(inventory, "reset", "-e", "reset_confirm=lab", record="reset-again")
    problems = ["reset changed nothing"] if not counts["changed"] else []
    problems += ["there is nothing that a reset would keep"] if not after else []
    problems += ["%s was not moved aside on %s" % place for place, count in after.items() if count != before[place] + 1]
    problems += ["once more it changed %s" % again["changed"]] if again["changed"] else []
    problems += ["once more it moved data"] if moved_aside(inventory) != after else []
    if problems:
        raise NotProved("reset: %s" % "; ".join(problems))
    say("reset: %.0f s, moved aside: %s; once more: nothing changed" % (seconds, ", ".join("%s on %s" % place for place in after)))
