# Copyright (c) 2026, ironrack.cluster contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What to do with one host, from what was seen on it. Pure: no I/O, nothing of Ansible.

This is a private module_utils package: it may change in any release.
"""
from __future__ import annotations

from collections import namedtuple

from .state import ABSENT, COMPLETE, PARTIAL, UNKNOWN

CONTROL_PLANE, WORKER = "control_plane", "worker"
RUNNING, DONE = "running", "done"

NONE, FINISH, INIT, JOIN, REFUSE = "none", "finish", "init", "join", "refuse"
RESET_THEN_INIT, RESET_THEN_JOIN = "reset_then_init", "reset_then_join"

KUBELET_CONF = "/etc/kubernetes/kubelet.conf"
BOOTSTRAP_CONF = "/etc/kubernetes/bootstrap-kubelet.conf"
KUBELET_CONFIG = "/var/lib/kubelet/config.yaml"
MANIFESTS = tuple("/etc/kubernetes/manifests/%s.yaml" % name for name in ("kube-apiserver", "kube-controller-manager", "kube-scheduler"))
COMPONENT_CONFS = ("/etc/kubernetes/controller-manager.conf", "/etc/kubernetes/scheduler.conf")
# kubeadm deletes these two itself or lets an operator do so: they show that it was here, not that it came to its end.
ADMIN_CONFS = ("/etc/kubernetes/admin.conf", "/etc/kubernetes/super-admin.conf")
TRACES = (KUBELET_CONF, BOOTSTRAP_CONF, KUBELET_CONFIG) + MANIFESTS + COMPONENT_CONFS + ADMIN_CONFS

# role: control_plane or worker. initialise: whether this host was picked to create the cluster. cluster_state: see state.py.
# token: whether a join is possible. registered: whether the API has this host's Node (None: nobody asked). record: "", "running"
# or "done". present: the members of TRACES that exist. kubelet_active, api_ready: as it says.
Observation = namedtuple("Observation", "role initialise cluster_state token registered record present kubelet_active api_ready")
Plan = namedtuple("Plan", "action reason")


def required(role):
    """:returns: the files that a node of this role has once kubeadm has come to its end."""
    return (KUBELET_CONF, KUBELET_CONFIG) + (MANIFESTS + COMPONENT_CONFS if role == CONTROL_PLANE else ())


def plan(seen):
    """Decide.

    A host that was finished is never reset, whatever it looks like now: a manifest that an operator moved aside for a moment must
    not cost a control plane.

    :param seen: an :class:`Observation`.
    :returns: a :class:`Plan` whose reason is a sentence; for "none" it may be empty, else it is a warning.
    """
    present = frozenset(seen.present)
    missing = [path for path in required(seen.role) if path not in present]
    complete = not missing and BOOTSTRAP_CONF not in present
    if seen.role == WORKER and present.intersection(MANIFESTS):
        return Plan(REFUSE, "the inventory calls this host a worker, but it runs a control plane (%s). Put it into the group "
                            "control_plane, or take it out of the cluster with reset.yml first" % ", ".join(sorted(present.intersection(MANIFESTS))))
    if present:
        kept = _keep(seen, complete, missing)
        if kept:
            return kept
    step = _enter(seen)
    if not present or step.action == REFUSE:
        return step
    return Plan(RESET_THEN_INIT if step.action == INIT else RESET_THEN_JOIN,
                "an earlier run was cut off (%s is there); its traces are removed first. %s" % (sorted(present)[0], step.reason))


def _keep(seen, complete, missing):
    """:returns: the plan for a host that stays as it is, or None where kubeadm has to run."""
    serving = seen.kubelet_active or seen.api_ready
    if seen.record == DONE and missing:
        return Plan(REFUSE, "this host is a finished node, but %s is missing. Put it back (an operator may have moved it aside), or take "
                            "the host out with reset.yml and run site.yml again" % ", ".join(missing))
    if seen.record == "" and not complete and KUBELET_CONF in seen.present and serving:
        return Plan(REFUSE, "this host serves in a cluster that was not built here: its kubelet or API server runs, but %s"
                            ". Reset it by hand if it may go" % ("%s is missing" % ", ".join(missing) if missing else "%s is there" % BOOTSTRAP_CONF))
    if seen.record == "" and complete and not serving:
        return Plan(REFUSE, "kubeadm came to its end here and left no record of ours, and neither the kubelet nor an API server runs. "
                            "Start the kubelet (systemctl start kubelet), or take the host out with reset.yml")
    if seen.record == DONE or (seen.record == "" and complete):
        return _finished(seen)
    if (seen.record == RUNNING and complete and seen.kubelet_active and seen.registered
            and seen.cluster_state in (COMPLETE, UNKNOWN)):
        return Plan(FINISH, "kubeadm came to its end, only the record of it was cut off")
    return None


def _finished(seen):
    """:returns: the plan for a host on which kubeadm came to its end."""
    if seen.cluster_state == ABSENT:
        return Plan(REFUSE, "this host is a finished node, but etcd holds no cluster, or did not answer. Look at etcd's health first; if it "
                            "was emptied, restore its newest snapshot; to begin anew, run reset.yml on all nodes")
    if seen.cluster_state == PARTIAL and seen.initialise:
        return Plan(NONE, "etcd lacks some of the objects that kubeadm init creates; on this host, `kubeadm init phase addon all "
                          "--config /etc/kubernetes/kubeadm.yaml` and `kubeadm init phase bootstrap-token` bring them back")
    if seen.registered is False:
        return Plan(NONE, "the API has no Node of this host, or one without its role's label, although it was joined; "
                          "`systemctl restart kubelet` registers it again")
    return Plan(NONE, "")


def _enter(seen):
    """:returns: how a host becomes a member: by init or by join, or why it cannot."""
    if seen.initialise and seen.cluster_state != COMPLETE:
        if seen.role != CONTROL_PLANE:
            return Plan(REFUSE, "only a control plane host can create the cluster, and this one is a worker")
        if seen.cluster_state == UNKNOWN:
            return Plan(REFUSE, "whether etcd already holds a cluster is not known, so none is created")
        return Plan(INIT, "etcd holds no cluster yet" if seen.cluster_state == ABSENT else "etcd holds a part of a cluster, kubeadm init completes it")
    if not seen.token:
        return Plan(REFUSE, "this host is not in the cluster and there is no bootstrap token to join with. Its Node is in the API "
                            "already: if that is a leftover, `kubectl delete node` it and run again")
    return Plan(JOIN, "this host is not in the cluster yet")
