# Copyright (c) 2026, ironrack.cluster contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the changes of a plan mean for quorum and for traffic. Pure.

Each sentence says what the roles and modules really do, and where they do nothing for the traffic it says that. Whoever changes how a unit
is restarted changes its sentence here.

This is a private plugin_utils package: it may change in any release.
"""
from __future__ import annotations

NGINX, HEALTH, KEEPALIVED = "ironrack-nginx.service", "ironrack-balancer-health.service", "keepalived.service"
INITS = ("init", "reset_then_init")

#: (unit, action) -> what that costs. Units are watched by the roles load_balancer, pod_access, containerd, worker, control_plane, mirror, host,
#: monitoring, object_store and opensearch_dashboards.
COSTS = {
    (NGINX, "start"): "NGINX starts: this balancer begins to serve.",
    (NGINX, "reload"): "NGINX reloads: no connection is cut; its old workers keep the open ones, at most for load_balancer_worker_shutdown_timeout.",
    (NGINX, "restart"): "NGINX restarts: every connection through this balancer is cut and new ones are refused until it listens again. "
                        "Nothing moves them to another balancer first.",
    (HEALTH, "restart"): "The balancer's health daemon restarts: NGINX goes on with the API servers that it has, and for that moment nobody "
                         "notices one that fails.",
    (KEEPALIVED, "reload"): "keepalived reads its configuration again. Where that moves the virtual address, the connections through it are cut.",
    (KEEPALIVED, "restart"): "keepalived restarts: where this balancer holds the virtual address, another one takes it over, and the connections "
                             "through it are cut.",
    ("ironrack-pod-dns.service", "restart"): "The names of pods are away for a moment: NGINX keeps the addresses that it has.",
    ("ironrack-pod-routes.service", "restart"): "The daemon of the routes to pods restarts: every route stays.",
    ("ironrack-balancer-traffic.service", "restart"): "The guard of generations restarts: what is open or held stays so.",
    ("containerd.service", "restart"): "containerd restarts: running containers stay; none is started or stopped meanwhile.",
    ("kubelet.service", "restart"): "The kubelet restarts without a drain: pods go on; for some seconds nobody starts, stops or probes them.",
    ("ironrack-csr-approver.service", "restart"): "The certificate approver restarts: a kubelet that asks for a certificate waits for a moment.",
    ("docker-registry.service", "restart"): "The mirror's registry restarts: an image that is being pulled is asked for again; running pods do not notice.",
    ("ironrack-mirror.service", "reload"): "The mirror reloads: no download is cut.",
    ("ironrack-mirror.service", "restart"): "The mirror restarts: a download that takes longer than five seconds more is cut; running pods do not notice.",
    ("ironrack-firewall.service", "restart"): "The host's packet filter is loaded anew, all rules at once: no connection is cut that they allow.",
    ("ironrack-firewall.service", "reload"): "The host's packet filter is loaded anew, all rules at once: no connection is cut that they allow.",
    ("chrony.service", "restart"): "The time service restarts: the clock goes on.",
    ("ironrack-object-store.service", "restart"): "The object store restarts: a snapshot that is being taken may fail; the next one is taken in its turn.",
    ("opensearch-dashboards.service", "restart"): "This instance of OpenSearch Dashboards restarts: connections through it are cut, and the balancers lead new "
                                                  "ones to the others; logins stay.",
    ("prometheus-node-exporter.service", "restart"): "The node exporter restarts: a scrape or two of this host is missing.",
    ("ironrack-balancer-exporter.service", "restart"): "The counters of requests are not there for a moment; what is logged meanwhile is counted after it.",
    ("ironrack-opensearch-exporter.service", "restart"): "OpenSearch's exporter restarts: a scrape or two of this node is missing.",
    ("ironrack-pod-targets.service", "restart"): "Prometheus keeps the pods that it knows until their daemon is back.",
    ("prometheus.service", "restart"): "Prometheus restarts: nothing is measured for some seconds, and a gate under way is inconclusive.",
    ("prometheus.service", "reload"): "Prometheus reads its configuration again: nothing is missed.",
    ("prometheus-alertmanager.service", "restart"): "Alertmanager restarts: an alert is told some seconds later.",
    ("prometheus-alertmanager.service", "reload"): "Alertmanager reads its configuration again: nothing is missed.",
}
#: A component of a built node that gets a changed configuration -> what that costs.
ROLLED_OUT = {
    "kube-apiserver": "The API server restarts: it says at its /readyz that it goes, and serves on until the balancers have left it.",
    "kube-controller-manager": "The controller manager restarts; another control plane's takes over where this one led.",
    "kube-scheduler": "The scheduler restarts; another control plane's takes over where this one led.",
    "kubelet": "The kubelet restarts without a drain: pods go on; for some seconds nobody starts, stops or probes them.",
}
#: Restarted on all nodes of a run in one task: as many at a time as Ansible has forks.
TOGETHER = {"containerd.service": "containerd", "kubelet.service": "the kubelet"}


def unit_actions(changes):
    """:returns: (unit, action) of all changes of one host, in their order."""
    return [(name, action) for change in changes for name, action in change.get("units", {}).items()]


def rolled_out(change):
    """:returns: the components of one node that a change gives a new configuration, in the order in which they get it."""
    found = [path.rpartition("/")[2].partition(".")[0] for path in change.get("rollout", [])]
    return list(dict.fromkeys(name if name in ROLLED_OUT else "kubelet" for name in found))


def of_host(changes):
    """:returns: what the changes of one host mean, a sentence for each unit that does not just start."""
    sentences = []
    for name, action in unit_actions(changes):
        known = COSTS.get((name, action))
        if not known and action in ("restart", "reload", "stop"):
            known = "%s %ss. Nothing takes traffic away from it first." % (name, "stop" if action == "stop" else action)
        if known:
            sentences.append(known)
    return sentences + [ROLLED_OUT[name] for change in changes for name in rolled_out(change)]


def quorum(model, hosts, view):
    """What the plan means for etcd.

    :param hosts: {host: its changes}.
    :param view: the best result of etcd_cluster_info.
    :returns: sentences.
    """
    acts = {}
    for host, changes in hosts.items():
        for change in changes:
            if change.get("etcd"):
                acts.setdefault(change["etcd"], []).append(host)
    voters = [member["name"] for member in view.get("members", []) if not member.get("learner")] if view.get("reachable") else []
    sick = {member["name"]: member.get("error") or "it does not answer" for member in view.get("members", []) if not member.get("healthy")}
    sentences = []
    if acts.get("bootstrap"):
        size = len(model["etcd"]["members"])
        sentences.append("A new etcd cluster of %d is founded (%s); it needs %d of them, so it can lose %d." % (
            size, ", ".join(acts["bootstrap"]), size // 2 + 1, size - size // 2 - 1))
    if acts.get("start"):
        sentences.append("etcd starts on %s, with the data that is there: a member that was away comes back." % ", ".join(acts["start"]))
    sentences += _restarts(acts.get("restart", []), voters, sick, bool(view.get("reachable")), model)
    sentences += _joins(acts.get("join", []), voters, sick)
    if acts.get("promote"):
        sentences.append("The learner on %s becomes a voting member once it is in sync." % ", ".join(acts["promote"]))
    if not any(acts.get(name) for name in ("bootstrap", "start", "restart", "join", "promote")):
        sentences.append("No etcd member restarts, joins or leaves: quorum is as it was.")
    return sentences


def _restarts(names, voters, sick, known, model):
    if not names:
        return []
    size = len(voters) or len(model["etcd"]["members"])
    if size == 1:
        return ["etcd has one member, %s: while it restarts neither etcd nor the API answers." % names[0]]
    if size == 2:
        return ["etcd has two members and cannot spare one: the run refuses to restart %s and stops there. Add a third member first." % " and ".join(names)]
    sentences = ["etcd restarts on %s, one member at a time: %d of %d stay and %d are needed, so quorum is kept. Each restart waits until all "
                 "other members answer, or is refused; a leader hands its leadership over first." % (", ".join(names), size - 1, size, size // 2 + 1)]
    if not known:
        sentences.append("No member answered just now: as long as that is so, the run refuses these restarts.")
    for name in names:
        others = ["%s (%s)" % (one, sick[one]) for one in sorted(sick) if one != name]
        if others:
            sentences.append("As it is now, the run refuses to restart etcd on %s, because of %s." % (name, ", ".join(others)))
    if model["etcd"].get("colocated"):
        sentences.append("The API server beside a member uses that member alone. %s" % (
            "While the member restarts it refuses new connections, and a balancer goes on to the next server; a request on a connection that "
            "stands, such as a kubelet's, waits for some seconds." if len(model["groups"].get("control_plane", ())) > 1
            else "It is the only one: who asks it while the member restarts waits or fails."))
    return sentences


def _joins(names, voters, sick):
    if not names:
        return []
    before, after = len(voters), len(voters) + len(names)
    size = "from %d to %d voting members, of which %d are needed" % (before, after, after // 2 + 1) if before else "as a learner first"
    sentences = ["%s joins etcd one after the other, %s. A learner does not vote until it is in sync." % (", ".join(names), size)]
    if sick:
        sentences.append("As it is now, the run refuses to add a member, because of %s." % ", ".join("%s (%s)" % pair for pair in sorted(sick.items())))
    return sentences


def traffic(model, hosts):
    """What the plan means for those who use the cluster.

    :param hosts: {host: its changes}.
    :returns: sentences.
    """
    if any(change.get("kubeadm") in INITS for changes in hosts.values() for change in changes):
        return ["There is no cluster yet: nobody is served, and nothing is interrupted."]
    doing = {}
    for host, changes in hosts.items():
        for name, action in unit_actions(changes):
            doing.setdefault((name, action), []).append(host)
    sentences = _balancers(model, doing)
    for unit, word in TOGETHER.items():
        names = doing.get((unit, "restart"), [])
        if len(names) > 1:
            sentences.append("On %d nodes %s restarts in one task, as many at a time as Ansible has forks; no node is drained." % (len(names), word))
    sentences += _rollouts(model, hosts)
    joining = [host for host, changes in hosts.items() for change in changes
               if change.get("kubeadm") in ("join", "reset_then_join") and model["hosts"].get(host, {}).get("is_control_plane")]
    if joining:
        sentences.append("The API servers of %s are new: a balancer sends them requests only when their own /readyz says ok." % ", ".join(joining))
    if not sentences and not any(action in ("restart", "reload", "stop") for _unit, action in doing):
        sentences.append("No service of a host is restarted, reloaded or stopped.")
    return sentences or ["Only what is said at each host: no service restarts on several hosts at once."]


def _rollouts(model, hosts):
    """:returns: how built nodes get a changed configuration of Kubernetes."""
    doing = {}
    for host, changes in hosts.items():
        for change in changes:
            for name in rolled_out(change):
                part = "api" if name == "kube-apiserver" else "control_plane" if model["hosts"].get(host, {}).get("is_control_plane") else "worker"
                doing.setdefault(part, []).append(host)
    sentences = []
    if doing.get("api"):
        everyone = [name for name, host in model["hosts"].items() if host.get("is_control_plane")]
        sentences.append("There is one API server, on %s: while it restarts the API does not answer." % everyone[0] if len(everyone) == 1 else
                         "The API servers of %s restart one at a time, each only while all others are ready; a balancer leaves each before it "
                         "stops." % ", ".join(doing["api"]))
    elif doing.get("control_plane"):
        sentences.append("The control planes %s get their configuration one at a time." % ", ".join(dict.fromkeys(doing["control_plane"])))
    if doing.get("worker"):
        sentences.append("On %s the kubelet restarts in batches (worker_max_unavailable), never in two zones at once; one that is not well ends "
                         "the rollout." % ("%d workers" % len(doing["worker"]) if len(doing["worker"]) > 1 else doing["worker"][0]))
    return sentences


def _balancers(model, doing):
    everyone = model["groups"].get("load_balancers", [])
    sentences = []
    for unit, word in ((NGINX, "NGINX"), (KEEPALIVED, "keepalived")):
        names = doing.get((unit, "restart"), [])
        staying = [name for name in everyone if name not in names]
        if names and not staying:
            advice = " To have one serve at any time, run site.yml with --limit %s first, then with the next." % names[0] if len(names) > 1 else ""
            sentences.append("%s restarts on every balancer (%s) in one task: for a moment the API's endpoint may not answer, and established "
                             "connections are cut.%s" % (word, ", ".join(names), advice))
        elif names:
            sentences.append("%s restarts on %s; %s stays as it is." % (word, ", ".join(names), ", ".join(staying)))
    if doing.get((NGINX, "reload")):
        sentences.append("NGINX reloads on %s: no established connection is cut." % ", ".join(doing[NGINX, "reload"]))
    return sentences
