# Copyright (c) 2026, ironrack.cluster contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The model: everything that roles need from the whole inventory, derived once. The cost is O(hosts)."""
from __future__ import annotations

from collections import Counter, namedtuple
from urllib.parse import urlsplit

from . import pki
from .addresses import host_port, is_address, nth, split_host_port, url
from .checks import run_checks
from .dashboards import dashboards
from .firewall import firewall
from .opensearch import MANAGERS, NODES, object_store, opensearch
from .problems import Problem
from .promises import is_open, policy_engine, promises
from .settle import settle
from .variables import GROUPS

Derived = namedtuple("Derived", ("model", "problems", "warnings"))

ETCD_CLIENT_PORT, ETCD_PEER_PORT = 2379, 2380
MIRROR_HTTPS_PORT, REGISTRY_PORT = 8443, 5000
PROMETHEUS_PORT = 9090
ZONE_LABEL = "topology.kubernetes.io/zone"
CONTROL_PLANE_TAINT = {"key": "node-role.kubernetes.io/control-plane", "value": "", "effect": "NoSchedule"}
#: Where the control plane's own pods and flannel's run: they need the host. (The health check's pods are content with 'restricted'.)
POD_SECURITY_EXEMPT = ["kube-system", "kube-flannel"]
NETWORK_DEFAULTS = {
    "ipv4": {"cluster_pod_cidr": "10.244.0.0/16", "cluster_service_cidr": "10.96.0.0/16", "cluster_vip_prefix": 24},
    "ipv6": {"cluster_pod_cidr": "fd00:10:244::/56", "cluster_service_cidr": "fd00:10:96::/112", "cluster_vip_prefix": 64},
}


def derive(hosts, groups, variables, releases, limit=None, inventory_dir="", unreadable=None, sources=None):
    """Derive the model of a cluster.

    :param hosts: host name -> {variable: value} for every host of the groups that the model knows.
    :param groups: group name -> [host names], as Ansible's ``groups``.
    :param variables: cluster-wide variables as the task sees them.
    :param releases: Kubernetes version -> content of its release file.
    :param limit: names of the hosts that this run may touch; None for all.
    :param inventory_dir: the folder of the inventory, for the default place of the kubeconfig.
    :param unreadable: variable (with its host, where it is a host's) -> why its template could not be evaluated.
    :param sources: path -> text of the inventory's files, for what only they tell.
    :returns: :class:`Derived`; its model is None where there are problems.
    """
    plan, problems = settle(hosts, groups, variables)
    plan.limit, plan.sources = limit, sources or {}
    for name, reason in (unreadable or {}).items():
        plan.bad.add(name)
        problems.insert(0, Problem(
            "template", name, "its template cannot be evaluated: %s" % reason, "a value, or a template of defined variables",
            "define what it refers to; the model reads inventory and extra variables, and there are no facts yet"))
    for name, value in NETWORK_DEFAULTS[plan.values["cluster_address_family"]].items():
        plan.values[name] = plan.values[name] or value
    plan.values["cluster_source"] = plan.values["cluster_source"] or ("mirror" if plan.groups["mirror"] else "upstream")
    problems += run_checks(plan, releases)
    warnings = list(_warnings(plan))
    if problems:
        return Derived(None, problems, warnings)
    return Derived(_build(plan, releases, limit, inventory_dir), [], warnings)


def _warnings(plan):
    if plan.ignored:
        yield "These hosts are in no group of the cluster and are left alone: %s." % ", ".join(plan.ignored)
    if len(plan.groups["mirror"]) > 1:
        yield "Group mirror has %d hosts; nodes use the first, %s." % (len(plan.groups["mirror"]), plan.groups["mirror"][0])
    if len(plan.groups["object_store"]) > 1:
        yield "Group object_store has %d hosts; nodes use the first, %s." % (len(plan.groups["object_store"]), plan.groups["object_store"][0])


def _build(plan, releases, limit, inventory_dir):
    values = plan.values
    name = values["cluster_name"]
    mirrored = values["cluster_source"] == "mirror"
    endpoint = _endpoint(plan)
    etcd = _etcd(plan)
    mirror = _mirror(plan, mirrored)
    registry = _registry(plan, mirror)
    sans = pki.apiserver_sans(plan, endpoint) if plan.kubernetes else []
    pki_host = values["cluster_pki_host"] or (plan.groups["mirror"] or plan.groups["etcd"] or plan.groups[MANAGERS] or list(plan.hosts))[0]
    release, kubeconfig = releases[values["cluster_kubernetes_version"]], values["cluster_kubeconfig"] or "~/.ironrack/%s/kubeconfig" % name
    return {
        "name": name,
        "kubernetes": plan.kubernetes,
        "profile": values["cluster_profile"],
        "kubernetes_version": values["cluster_kubernetes_version"],
        "domain": values["cluster_domain"],
        "client_host": values["cluster_client_host"],
        "kubeconfig": kubeconfig,
        "source": values["cluster_source"],
        "packages_from_mirror": mirrored and values["cluster_packages_from_mirror"],
        "limited": limit is not None and not set(plan.hosts).issubset(limit),
        "left_out": _left_out(plan, limit, endpoint, mirror),
        "release": release,
        "hosts": {host.name: _host(host, values["cluster_encryption_at_rest"], values["cluster_pod_access"]) for host in plan.hosts.values()},
        "groups": _groups(plan),
        "zones": sorted({host.values["zone"] for host in plan.hosts.values() if host.values["zone"]}),
        "endpoint": endpoint,
        "api_servers": [
            {"name": host.name, "address": host.address, "port": values["cluster_api_port"]} for host in plan.group("control_plane")],
        "api_server_addresses": [host_port(host.address, values["cluster_api_port"]) for host in plan.group("control_plane")],
        "fixed": _fixed(plan, name),
        "kubelet_servers": _kubelet_servers(plan, endpoint),
        "etcd": etcd,
        "network": _network(plan),
        "firewall": firewall(plan, endpoint),
        "pod_access": values["cluster_pod_access"],
        "mirror": mirror,
        "registry": registry,
        "monitoring": _monitoring(plan),
        "opensearch": dict(opensearch(plan, release, kubeconfig), dashboards=dashboards(plan, mirror)),
        "object_store": object_store(plan, release),
        "proxy": _proxy(plan, endpoint, mirror, registry),
        "ntp_servers": values["cluster_ntp_servers"],
        "dns_servers": values["cluster_dns_servers"],
        "args": {
            "apiserver": values["cluster_apiserver_extra_args"],
            "controller_manager": values["cluster_controller_manager_extra_args"],
            "scheduler": values["cluster_scheduler_extra_args"],
            "etcd": values["cluster_etcd_extra_args"],
            "kubelet": values["cluster_kubelet_extra_config"],
            "feature_gates": values["cluster_feature_gates"],
        },
        "security": {
            "tls_min_version": values["cluster_tls_min_version"],
            "tls_cipher_suites": values["cluster_tls_cipher_suites"],
            "audit_rules": values["cluster_audit_rules"],
            "pod_security": values["cluster_pod_security"],
            "pod_security_warn": values["cluster_pod_security_warn"],
            "pod_security_exempt_namespaces": list(dict.fromkeys(POD_SECURITY_EXEMPT + values["cluster_pod_security_exempt_namespaces"])),
            "default_deny_namespaces": list(dict.fromkeys(values["cluster_default_deny_namespaces"])),
        },
        "encryption": {"enabled": values["cluster_encryption_at_rest"] and plan.kubernetes, "resources": values["cluster_encryption_resources"],
                       "path": "%s/%s" % (pki.APISERVER_FOLDER, pki.ENCRYPTION)},
        "apiserver_sans": sans,
        "pki": pki.bundle(plan, pki_host, sans, mirrored),
        "hosts_file": _hosts_file(plan, endpoint),
        "hooks": values["cluster_hooks"],
        "promises": promises(plan, endpoint, etcd["colocated"], mirrored),
    }


def _left_out(plan, limit, endpoint, mirror):
    """What a bare host of a limited run needs from hosts that the limit leaves out: it works where those live, which the host itself sees.

    :returns: [{name, hosts, servers: any of these host:port will do, parts: groups of the hosts that need it}].
    """
    if limit is None or set(plan.hosts).issubset(limit):
        return []
    needs, inside = [], set(limit)

    def need(name, hosts, servers, parts):
        needs.append({"name": name, "hosts": hosts, "servers": list(dict.fromkeys(servers)), "parts": list(parts)})

    members, planes = plan.group("etcd"), plan.group("control_plane")
    absent = [host.name for host in members if host.name not in inside]
    if absent:
        # Members of this run count too: one of them may be the living one that the others join.
        need("etcd", absent, [host_port(host.address, ETCD_CLIENT_PORT) for host in members], ("etcd", "control_plane"))
    if plan.kubernetes and not any(host.name in inside for host in planes):
        port = plan.values["cluster_api_port"]
        need("api", [host.name for host in planes], [endpoint["address"]] + [host_port(host.address, port) for host in planes], ("workers",))
    if mirror["enabled"] and mirror["host"] not in inside:
        need("mirror", [mirror["host"]], [host_port(mirror["address"], MIRROR_HTTPS_PORT)], GROUPS)
    return needs


def _groups(plan):
    groups = {name: list(members) for name, members in plan.groups.items()}
    groups["nodes"] = list(dict.fromkeys(groups["control_plane"] + groups["workers"]))
    # Where the addons' pods go: they tolerate a control plane, and no taint of the site.
    groups["open_nodes"] = [name for name in groups["nodes"] if is_open(plan.hosts[name])]
    return groups


def _host(host, encrypted, pod_access):
    is_control_plane, is_worker = host.is_in("control_plane"), host.is_in("workers")
    zone = host.values["zone"]
    labels = dict({ZONE_LABEL: zone} if zone else {}, **host.values["cluster_node_labels"])
    # A control plane that is a worker too takes pods, so it goes without kubeadm's taint.
    taints = [CONTROL_PLANE_TAINT] if is_control_plane and not is_worker else []
    is_node = is_control_plane or is_worker
    return {
        "name": host.name, "address": host.address, "zone": zone, "node_name": host.name, "groups": host.groups,
        "interface": host.values["cluster_node_interface"],
        "is_etcd": host.is_in("etcd"), "is_control_plane": is_control_plane, "is_worker": is_worker, "is_node": is_node,
        "is_load_balancer": host.is_in("load_balancers"), "is_mirror": host.is_in("mirror"),
        "is_opensearch": host.is_in(*NODES), "is_object_store": host.is_in("object_store"),
        "is_opensearch_dashboards": host.is_in("opensearch_dashboards"),
        "reaches_pods": pki.reaches_pods(host, pod_access),
        "labels": labels if is_node else {}, "taints": taints + host.values["cluster_node_taints"] if is_node else [],
        "pki_files": pki.host_files(host, encrypted, pod_access),
        "fixed": {"cluster_node_address": host.address, "node name": host.name} if is_node else {},
    }


def _endpoint(plan):
    values = plan.values
    balancers, vip, port = plan.group("load_balancers"), values["cluster_vip"], values["cluster_api_port"]
    if not plan.kubernetes:
        return {"host": "", "port": port, "address": "", "url": "", "kind": "none", "vip": "", "vip_prefix": values["cluster_vip_prefix"]}
    if values["cluster_endpoint"]:
        host, port = split_host_port(values["cluster_endpoint"], port)
        kind = "vip" if vip else "external"
    elif vip:
        host, kind = vip, "vip"
    else:
        host, kind = (balancers or plan.group("control_plane"))[0].address, "host"
    return {"host": host, "port": port, "address": host_port(host, port), "url": url(host, port), "kind": kind, "vip": vip,
            "vip_prefix": values["cluster_vip_prefix"]}


def _fixed(plan, name):
    """:returns: what no run changes on a built cluster, for the preflight to compare with what was built. What a site's own flag says is left out."""
    values = plan.values
    fixed = {"cluster_name": name, "cluster_domain": values["cluster_domain"], "cluster_pod_cidr": values["cluster_pod_cidr"],
             "cluster_service_cidr": values["cluster_service_cidr"], "cluster_api_port": str(values["cluster_api_port"])}
    flags = {"cluster-name": "cluster_name", "cluster-cidr": "cluster_pod_cidr", "service-cluster-ip-range": "cluster_service_cidr",
             "secure-port": "cluster_api_port"}
    for flag in list(values["cluster_controller_manager_extra_args"]) + list(values["cluster_apiserver_extra_args"]):
        fixed.pop(flags.get(str(flag).lstrip("-")), None)
    if "clusterDomain" in values["cluster_kubelet_extra_config"]:
        fixed.pop("cluster_domain")
    return fixed


def _kubelet_servers(plan, endpoint):
    """host:port that a kubelet of this cluster may point to: the endpoint, and on a control plane its own API server (kubeadm's local mode)."""
    if not plan.kubernetes:
        return []
    port = plan.values["cluster_api_port"]
    own = [host_port(host.address, port) for host in plan.group("control_plane")]
    return list(dict.fromkeys([endpoint["address"]] + own + [host_port(pki.loopback(plan), port)]))


def _etcd(plan):
    members = [{"name": host.name, "address": host.address, "client_url": url(host.address, ETCD_CLIENT_PORT),
                "peer_url": url(host.address, ETCD_PEER_PORT)} for host in plan.group("etcd")]
    colocated = set(plan.groups["control_plane"]).issubset(plan.groups["etcd"])
    endpoints = [member["client_url"] for member in members]
    return {
        "members": members, "endpoints": endpoints, "token": plan.values["cluster_name"] + "-etcd", "colocated": colocated,
        "initial_cluster": ",".join("%s=%s" % (member["name"], member["peer_url"]) for member in members),
        # Own member only: with all listed, a silently lost one makes requests of every API server wait (measured: 23 of 600 reads).
        "apiserver_endpoints": [url(pki.loopback(plan), ETCD_CLIENT_PORT)] if colocated else endpoints,
        "extra_args": plan.values["cluster_etcd_extra_args"],
    }


def _network(plan):
    values = plan.values
    interfaces = {host.values["cluster_node_interface"] for host in plan.group("control_plane") + plan.group("workers")}
    return {
        "pod_cidr": values["cluster_pod_cidr"], "service_cidr": values["cluster_service_cidr"],
        "dns_ip": nth(values["cluster_service_cidr"], 10) if plan.kubernetes else "",
        "api_ip": nth(values["cluster_service_cidr"], 1) if plan.kubernetes else "",
        "mtu": values["cluster_mtu"], "family": values["cluster_address_family"], "policy_engine": policy_engine(plan),
        # For what is told once for all nodes (flannel): empty where nodes differ, which lets each find it by its address.
        "interface": interfaces.pop() if len(interfaces) == 1 else "",
    }


def _mirror(plan, mirrored):
    if not mirrored:
        return {"enabled": False, "host": "", "address": "", "files_url": "", "apt_url": "", "manifest_url": "", "registry": "", "ca_file": ""}
    host = plan.group("mirror")[0]

    def https(path):
        return url(host.address, MIRROR_HTTPS_PORT, path)

    return {
        "enabled": True, "host": host.name, "address": host.address, "files_url": https("/files"), "apt_url": https("/apt"),
        "manifest_url": https("/manifest.json"), "registry": host_port(host.address, REGISTRY_PORT), "ca_file": pki.SERVICE_CA,
    }


def _monitoring(plan):
    """:returns: where Prometheus answers; an empty url where nobody monitors."""
    hosts = plan.group("monitoring")
    return {"url": url(hosts[0].address, PROMETHEUS_PORT) if hosts else ""}


def _registry(plan, mirror):
    own = plan.values["cluster_registry"]
    if own.get("url"):
        location = own["url"] if "://" in own["url"] else "https://" + own["url"]
        return {"url": location.rstrip("/"), "ca_file": own.get("ca_file", ""), "username": own.get("username", "")}
    if mirror["enabled"]:
        return {"url": "https://" + mirror["registry"], "ca_file": mirror["ca_file"], "username": ""}
    return {"url": "", "ca_file": "", "username": ""}


def _proxy(plan, endpoint, mirror, registry):
    own = plan.values["cluster_proxy"]
    if not own.get("http") and not own.get("https"):
        return {"http": "", "https": "", "downloads": "", "no_proxy": []}
    asked = own.get("no_proxy") or []
    asked = [part.strip() for part in asked.split(",") if part.strip()] if isinstance(asked, str) else list(asked)
    # Workers' addresses are left out: nothing on a host talks HTTP to another worker, and the line would grow with every host.
    ours = ["localhost", "127.0.0.1", "::1", ".svc", "." + plan.values["cluster_domain"], plan.values["cluster_pod_cidr"],
            plan.values["cluster_service_cidr"], endpoint["host"], endpoint["vip"], mirror["address"], urlsplit(registry["url"]).hostname]
    ours += [host.address for host in plan.group("control_plane") + plan.group("etcd") + plan.group("load_balancers")]
    # The mirror stands in the site: only a vendor's files come through the proxy.
    downloads = "" if mirror["enabled"] else own.get("https", "")
    return {"http": own.get("http", ""), "https": own.get("https", ""), "downloads": downloads,
            "no_proxy": [entry for entry in dict.fromkeys(asked + ours) if entry]}


def _hosts_file(plan, endpoint):
    """Lines of /etc/hosts: every host by its name, and by its short one where no other host has that; the endpoint's name needs no DNS where it
    is the VIP's. All hosts get the same, so it is text already: to render it once for each of 300 hosts took a tenth of a run.
    """
    short = Counter(name.partition(".")[0] for name in plan.hosts)
    lines = []
    for host in plan.hosts.values():
        first = host.name.partition(".")[0]
        names = [host.name] + ([first] if first != host.name and short[first] == 1 and first not in plan.hosts else [])
        lines.append(" ".join([host.address] + names))
    if endpoint["vip"] and not is_address(endpoint["host"]):
        lines.append("%s %s" % (endpoint["vip"], endpoint["host"]))
    return "".join(line + "\n" for line in lines)
