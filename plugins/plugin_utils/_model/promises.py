# Copyright (c) 2026, ironrack.cluster contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a cluster of this shape promises, and in plain sentences what it does not."""
from __future__ import annotations

from collections import Counter

from .dashboards import GROUP as DASHBOARDS
from .opensearch import DATA, INGEST, MANAGERS, data_zones, is_spread, managers_survive_a_zone


def policy_engine(plan):
    """:returns: the DaemonSet that enforces NetworkPolicies, as namespace/name; empty with IPv6, at whose addresses kube-router 1.5 and 1.6 panic."""
    return "" if plan.values["cluster_address_family"] == "ipv6" else "kube-system/kube-router"


def is_open(host):
    """:returns: whether a node's taints of the inventory let pods in that tolerate none of them."""
    return not any(taint["effect"] in ("NoSchedule", "NoExecute") for taint in host.values["cluster_node_taints"])


def promises(plan, endpoint, colocated, mirrored):
    """:returns: {kept: [sentences], not_kept: [sentences]}."""
    kept, not_kept = [], []

    def promise(holds, sentence, otherwise):
        (kept if holds else not_kept).append(sentence if holds else otherwise)

    def names(group):
        return plan.groups[group]

    if plan.kubernetes:
        _kubernetes(plan, endpoint, colocated, promise, names)
    if names(MANAGERS) or names(DATA):
        _opensearch(plan, promise, names)
    if names(DASHBOARDS):
        _dashboards(plan, promise, names(DASHBOARDS))
    if mirrored:
        not_kept.append("While %s is away no host fetches new images or packages: it is the only mirror. What runs goes on." % (
            names("mirror")[0]))
    return {"kept": kept, "not_kept": not_kept}


def _kubernetes(plan, endpoint, colocated, promise, names):
    def never(sentence):
        promise(False, "", sentence)

    planes, members, balancers, workers = names("control_plane"), names("etcd"), names("load_balancers"), names("workers")
    promise(len(planes) > 1, "The Kubernetes API goes on while any one of %s is away." % ", ".join(planes),
            "The API is away while %s is: it is the only control plane." % planes[0])
    promise(len(members) > 2, "No data and no write is lost for good while any %d of the %d etcd members %s away." % (
        len(members) // 2, len(members), "is" if len(members) // 2 == 1 else "are"),
        "The API is away while %s is, and the cluster's data with its disk: it is the only etcd member." % members[0])
    promise(colocated, "An API server uses the etcd member of its own host only: a silently lost host costs no request of the others.",
            "etcd does not stand on the control planes' own hosts: a silently lost etcd host can make requests of any API server wait "
            "until its connection is given up.")
    if balancers and endpoint["vip"]:
        promise(len(balancers) > 1, "The endpoint %s moves to another load balancer when its holder is lost." % endpoint["address"],
                "The endpoint %s is away while %s is: it is the only load balancer." % (endpoint["address"], balancers[0]))
    elif endpoint["kind"] == "external":
        never("The endpoint %s is the site's own: how long it is away when something is lost is not in our hands." % (
            endpoint["address"]))
    else:
        never("There is no balancer that could fail over: the endpoint %s is one host's own address, and away while it is." % (
            endpoint["address"]))
    _zones(plan, promise)
    if not workers:
        never("There are no workers: pods that do not tolerate the control planes' taint have no place.")
    else:
        if not any(is_open(host) for host in plan.group("workers")):
            never("All workers are tainted: pods that tolerate none of that, metrics-server among them, have no place.")
        promise(len(workers) > 1, "Pods of a lost worker find a place on another one.",
                "Pods of %s have no other place while it is away: it is the only worker." % workers[0])
    if not policy_engine(plan):
        never("NetworkPolicies have no effect, unless the site brings an engine of its own: the one of this release knows IPv4 only.")


def _opensearch(plan, promise, names):
    managers, replicas = names(MANAGERS), plan.values["opensearch_index_replicas"]
    promise(len(managers) > 2, "OpenSearch elects another manager while any %d of %s %s away." % (
        (len(managers) - 1) // 2, ", ".join(managers), "is" if (len(managers) - 1) // 2 == 1 else "are"),
        "OpenSearch takes no write while any one of its managers (%s) is away." % ", ".join(managers))
    ingest = names(INGEST)
    if ingest:
        promise(len(ingest) > 1, "Documents go through OpenSearch's pipelines while any one of %s is away." % ", ".join(ingest),
                "No document goes through a pipeline of OpenSearch while %s is away: it is the only ingest node." % ingest[0])
    promise(replicas > 0, "No acknowledged document is lost with one data node.", "Documents are lost with the data node that holds them: "
            "opensearch_index_replicas is 0.")
    promise(is_spread(plan) and replicas > 0 and managers_survive_a_zone(plan), "OpenSearch goes on without any one zone, with all documents.",
            "The loss of a zone can stop OpenSearch or take documents: its data nodes stand in %d zone%s, and its managers %s their majority without any "
            "one zone." % (len(data_zones(plan)), "" if len(data_zones(plan)) == 1 else "s", "keep" if managers_survive_a_zone(plan) else "do not keep"))


def _dashboards(plan, promise, instances):
    here = "" if plan.groups["load_balancers"] else " (users go to another one's address themselves: no balancer stands before them)"
    promise(len(instances) > 1, "OpenSearch Dashboards is there while any one of %s is away%s." % (", ".join(instances), here),
            "OpenSearch Dashboards is away while %s is: it is the only instance." % instances[0])


def _zones(plan, promise):
    def zones(group):
        return Counter(host.values["zone"] for host in plan.group(group))

    members = zones("etcd")
    largest, count = members.most_common(1)[0]
    quorum = sum(members.values()) // 2 + 1
    survives = "" not in members and sum(members.values()) - count >= quorum and len(zones("control_plane")) > 1
    promise(survives, "The loss of a whole zone leaves etcd its quorum and the API a control plane.",
            "The loss of a zone can stop the cluster: etcd %s, and only three zones with a member each survive the loss of any one." % (
                "has members without a zone" if "" in members else "and the API stand in %d zone%s; %s holds %d of %d members" % (
                    len(members), "" if len(members) == 1 else "s", largest, count, sum(members.values()))))
    if plan.groups["load_balancers"]:
        balancers = zones("load_balancers")
        promise(len(balancers) > 1 and "" not in balancers, "The load balancers stand in different zones.",
                "The load balancers do not stand in zones apart: with that zone the endpoint is lost.")
    if len(plan.groups["workers"]) > 1:
        workers = zones("workers")
        promise(len(workers) > 1 and "" not in workers, "The workers stand in %d zones." % len(workers),
                "The workers do not stand in zones apart: with that zone all pods are lost.")
