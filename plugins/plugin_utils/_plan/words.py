# Copyright (c) 2026, ironrack.cluster contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What one changed result is in words: a sentence and what it names. Pure.

This is a private plugin_utils package: it may change in any release.
"""
from __future__ import annotations

ETCD = {
    "start": "etcd starts with the data that it has",
    "restart": "etcd restarts",
    "bootstrap": "etcd is founded, with this host as one of its first members",
    "join": "etcd takes this host in: as a learner first, then as a voting member",
    "promote": "etcd promotes this host's learner to a voting member",
}
OPENSEARCH = {
    "start": "OpenSearch starts",
    "found": "OpenSearch is founded, with this host as one of its first managers",
    "restart": "OpenSearch restarts, in this host's turn and only while all other nodes are well",
}
KUBEADM = {
    "init": "kubeadm init creates the cluster on this host",
    "join": "kubeadm join brings this host into the cluster",
    "tighten": "files that kubeadm left open are made readable by root alone; nothing runs",
    "finish": "the record of a finished kubeadm run is completed; nothing runs",
    "reset_then_init": "the traces of a run that was cut off go, then kubeadm init creates the cluster on this host",
    "roll_out": "the node gets its changed configuration",
    "reset_then_join": "the traces of a run that was cut off go, then kubeadm join brings this host into the cluster",
}
UNITS = {"start": "starts", "restart": "restarts", "reload": "reloads", "stop": "stops"}


def count(number, one, many=None):
    """:returns: a number with its noun."""
    return "%d %s" % (number, one if number == 1 else many or one + "s")


def describe(line, certificates=()):
    """Say what one line of the journal would change.

    :param line: see :func:`.record.entry`.
    :param certificates: what pki_bundle would issue: its own result is hidden, as it holds keys.
    :returns: {kind, words, items}.
    """
    kind, sentence = BY_ACTION.get(line["action"], ("other", _other))
    words, items = sentence(line["details"], certificates)
    return {"kind": kind, "words": words, "items": items}


def _packages(details, _certificates):
    names = details.get("installed", [])
    return "%s would be installed" % count(len(names), "package"), list(names)


def _files(details, _certificates):
    paths = details.get("changed_paths", [])
    return "%s would change" % count(len(paths), "file, folder or link", "files, folders or links"), list(paths)


def _components(details, _certificates):
    switched = details.get("switched", {})
    items = ["install %s" % one for one in details.get("installed", [])]
    items += ["%s: %s" % (link, "%s, was %s" % (of["after"], of["before"]) if of["before"] else of["after"]) for link, of in sorted(switched.items())]
    return "%s would be installed and %s switched" % (
        count(len(details.get("installed", [])), "component version"), count(len(switched), "link")), items


def _settings(details, _certificates):
    before, after = details.get("before", {}), details.get("after", {})
    return "%s of the running system would change" % count(len(after), "setting"), [
        "%s: %s, was %s" % (name, value, before.get(name, "unknown")) for name, value in after.items()]


def _units(details, _certificates):
    units = {name: unit for name, unit in details.get("units", {}).items() if unit["reasons"]}
    items = ["%s %s (%s)" % (name, UNITS.get(unit["action"], "stays as it is"), "; ".join(unit["reasons"])) for name, unit in units.items()]
    actions = [unit["action"] for unit in units.values()]
    parts = ["%s would %s" % (count(actions.count(action), "unit"), action) for action in UNITS if action in actions]
    if "none" in actions:
        parts.append("%s would only be enabled or disabled" % count(actions.count("none"), "unit"))
    return ", ".join(parts), items


def _etcd(details, _certificates):
    return ETCD.get(details.get("action"), "etcd would be set to start at boot"), list(details.get("reasons", []))


def _opensearch(details, _certificates):
    return OPENSEARCH.get(details.get("action"), "OpenSearch would be set to start at boot"), list(details.get("reasons", []))


def _keystore(_details, _certificates):
    return "secret settings of OpenSearch would be written into its keystore", []


def _truststore(_details, _certificates):
    return "the trust store of OpenSearch's JVM would be written", []


def _indices(details, _certificates):
    names = details.get("changed_indices", [])
    return "settings of %s of OpenSearch would change" % count(len(names), "index", "indices"), list(names)


def _cluster_settings(details, _certificates):
    changed = details.get("changed_settings", {})
    return "%s of OpenSearch's cluster would change" % count(len(changed), "setting"), [
        "%s: %s" % (name, "back to its default" if value is None else value) for name, value in sorted(changed.items())]


def _exclusion(details, _certificates):
    names = details.get("excluded", [])
    return "OpenSearch would place no shard on %s" % count(len(names), "node") if names else "OpenSearch would place shards on all nodes", list(names)


def _operation(details, _certificates):
    until = details.get("until")
    return "the cluster would be told that nodes of OpenSearch are taken out of service%s" % (
        ", until %s at the latest" % until if until else " no more"), []


def _repository(_details, _certificates):
    return "the repository of OpenSearch's snapshots would be registered", []


def _user(_details, _certificates):
    return "a user of OpenSearch would be made, or get another password", []


def _role(_details, _certificates):
    return "a role of OpenSearch would get other rights, or go", []


def _mapping(_details, _certificates):
    return "a role of OpenSearch would be given to other users", []


def _kubeadm(details, _certificates):
    rollout = details.get("rollout") or {}
    items = list(rollout.get("steps", [])) + list(rollout.get("files", []))
    if details.get("reason") and details.get("action") != "roll_out":
        items.insert(0, details["reason"])
    return KUBEADM.get(details.get("action"), "kubeadm would change this host"), items


def _images(verb):
    def sentence(details, _certificates):
        names = details.get("pulled") or details.get("pushed") or []
        return "%s would be %s" % (count(len(names), "image") if names else "all images of the bundle", verb), list(names)

    return sentence


def _bundle(details, _certificates):
    sent, removed = details.get("sent", []), details.get("removed", [])
    return "%s of the bundle (%d MiB) would be sent and %s removed" % (
        count(len(sent), "file"), details.get("bytes", 0) >> 20, count(len(removed), "file")), list(sent) + ["remove %s" % one for one in removed]


def _objects(details, _certificates):
    names = details.get("objects", [])
    return "%s of the cluster would be created or changed" % count(len(names), "object"), list(names)


def _nodes(details, _certificates):
    told = details.get("nodes", {})
    return "labels or taints of %s would change" % count(len(told), "node"), ["%s: %s" % (name, "; ".join(told[name])) for name in sorted(told)]


def _kubeconfig(details, _certificates):
    return "the administrator's kubeconfig would be written", [details["path"]] if details.get("path") else []


def _login(details, _certificates):
    return "the login of Prometheus and Alertmanager would be written", list(details.get("changed_paths", []))


def _token(_details, _certificates):
    return "a bootstrap token would be made for the nodes that are missing", []


def _certificates(_details, certificates):
    return "%s or keys would be issued, renewed or imported" % count(len(certificates), "certificate"), [
        "%s: %s" % (one["name"], one["reason"]) for one in certificates]


def _other(_details, _certificates):
    return "a task of the site's own would change something", []


#: action -> (kind, what makes the sentence). An action that is missing here is still counted and named by its task.
BY_ACTION = {
    "ironrack.cluster.components": ("component", _components),
    "ironrack.cluster.etcd_member": ("etcd", _etcd),
    "ironrack.cluster.files": ("file", _files),
    "ironrack.cluster.host_settings": ("setting", _settings),
    "ironrack.cluster.image_preload": ("image", _images("pulled in the background")),
    "ironrack.cluster.kube_apply": ("object", _objects),
    "ironrack.cluster.kube_nodes": ("object", _nodes),
    "ironrack.cluster.kubeadm_node": ("node", _kubeadm),
    "ironrack.cluster.kubeadm_token": ("token", _token),
    "ironrack.cluster.kubeconfig": ("kubeconfig", _kubeconfig),
    "ironrack.cluster.mirror_images": ("image", _images("pushed into the mirror's registry")),
    "ironrack.cluster.mirror_sync": ("bundle", _bundle),
    "ironrack.cluster.java_truststore": ("file", _truststore),
    "ironrack.cluster.opensearch_cluster_settings": ("opensearch", _cluster_settings),
    "ironrack.cluster.opensearch_index_settings": ("opensearch", _indices),
    "ironrack.cluster.opensearch_node_exclusion": ("opensearch", _exclusion),
    "ironrack.cluster.opensearch_operation": ("opensearch", _operation),
    "ironrack.cluster.opensearch_keystore": ("file", _keystore),
    "ironrack.cluster.opensearch_node": ("opensearch", _opensearch),
    "ironrack.cluster.opensearch_repository": ("opensearch", _repository),
    "ironrack.cluster.opensearch_security_role": ("opensearch", _role),
    "ironrack.cluster.opensearch_security_role_mapping": ("opensearch", _mapping),
    "ironrack.cluster.opensearch_security_user": ("opensearch", _user),
    "ironrack.cluster.packages": ("package", _packages),
    "ironrack.cluster.pki_bundle": ("certificate", _certificates),
    "ironrack.cluster.units": ("unit", _units),
    "ironrack.cluster.web_login": ("file", _login),
}
