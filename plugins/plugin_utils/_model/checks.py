# Copyright (c) 2026, ironrack.cluster contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the model refuses. Each check is a small generator with a name; all of them run, and a person gets all problems at once.

To add one: write a function under ``@check``, and a case in tests/unit/cases/preflight_inventory.yml that turns it red (a test counts
that every check has one).
"""
from __future__ import annotations

import ipaddress
from collections import namedtuple

from .addresses import is_address, network_of, split_host_port
from .problems import Problem, did_you_mean
from .promises import policy_engine
from .settle import some
from .sources import clear_secrets, twice
from .types import is_dns_name

Check = namedtuple("Check", ("name", "needs", "run"))
CHECKS = []
#: Ports of the nodes that an API server may not take: etcd, kubelet, controller-manager, scheduler, kube-proxy, mirror.
TAKEN_PORTS = {2379: "etcd", 2380: "etcd", 2381: "etcd's metrics", 5000: "the mirror's registry", 8443: "the mirror's files",
               10248: "kubelet", 10249: "kube-proxy", 10250: "kubelet", 10256: "kube-proxy", 10257: "kube-controller-manager",
               10259: "kube-scheduler"}
#: Go's HTTP/2 server refuses to start without one of these.
HTTP2_SUITES = ("TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256", "TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256")
STRONG_SUITES = HTTP2_SUITES + (
    "TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384", "TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384",
    "TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256", "TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305_SHA256")
OWN_NAMESPACES = ("kube-system", "kube-flannel", "kube-public", "kube-node-lease")


def check(*needs):
    """Make a check of a generator of (where, what, expected, mend); it is left out where a variable it needs was already wrong."""
    def register(function):
        CHECKS.append(Check(function.__name__, needs, function))
        return function
    return register


def run_checks(plan, releases):
    """:returns: the problems of a :class:`settle.Settled` inventory."""
    return [
        Problem(one.name, *found) for one in CHECKS if not plan.bad.intersection(one.needs) for found in one.run(plan, releases)]


def _networks(plan):
    for name in ("cluster_pod_cidr", "cluster_service_cidr"):
        yield name, ipaddress.ip_network(plan.values[name])


def _vip_network(plan):
    vip = plan.values["cluster_vip"]
    return network_of(vip, min(plan.values["cluster_vip_prefix"], ipaddress.ip_address(vip).max_prefixlen))


@check()
def host_names(plan, releases):
    for name in plan.hosts:
        if not is_dns_name(name) or len(name) > 63:
            mend = "name it %s and put its address into ansible_host" % (
                name.lower().replace("_", "-") if not is_address(name) else "after its place or its part, such as cp1,")
            yield ("host %s" % name, "the inventory name becomes the node's name, and this is no DNS name",
                   "lower-case letters, digits, '-' and '.', at most 63", mend)


@check()
def group_names(plan, releases):
    for group, ours, hosts in plan.near_groups:
        yield ("group %s" % group, "no such group here, so %s would be left out of the cluster" % some(hosts),
               "the group %s" % ours, "rename it, or make it a child of %s" % ours)


@check("cluster_address_family")
def address_family(plan, releases):
    wanted = 6 if plan.values["cluster_address_family"] == "ipv6" else 4
    mend = "set it, or cluster_address_family, so that both agree"
    for host in plan.hosts.values():
        if host.address and ipaddress.ip_address(host.address).version != wanted:
            yield "host %s" % host.name, "its address is %s" % host.address, "an IPv%d address" % wanted, mend
    for name in ("cluster_pod_cidr", "cluster_service_cidr", "cluster_vip"):
        value = plan.values[name]
        if name not in plan.bad and value and ipaddress.ip_network(value).version != wanted:
            yield name, "it is %s" % value, "IPv%d, as cluster_address_family says" % wanted, mend


@check()
def addresses_unique(plan, releases):
    owners = {}
    for host in plan.hosts.values():
        if host.address:
            owners.setdefault(host.address, []).append(host.name)
    for address, names in owners.items():
        if len(names) > 1:
            yield ("hosts %s" % some(names), "they share the address %s" % address, "one address each",
                   "correct ansible_host or cluster_node_address of all but one")


@check("cluster_endpoint", "cluster_vip")
def endpoint_name_free(plan, releases):
    if not plan.values["cluster_endpoint"] or not plan.values["cluster_vip"]:
        return
    name = split_host_port(plan.values["cluster_endpoint"], 0)[0]
    # Both stand in every host's /etc/hosts: the name would lead to the VIP on some look-ups and to the host on others.
    if name in plan.hosts:
        yield ("cluster_endpoint", "%s is the name of a host too" % name, "a name of its own for the VIP %s" % plan.values["cluster_vip"],
               "take another one, such as api.%s" % name)


@check()
def one_address_for_a_name(plan, releases):
    for host, addresses in twice(plan.sources):
        yield ("host %s" % host, "it is written down with several addresses: %s" % some(addresses), "one ansible_host for each name",
               "these are two hosts under one name, or an old line: rename one or remove it; a host in a second group needs its name only")


@check()
def secrets_kept(plan, releases):
    for path, text in plan.sources.items():
        for found in clear_secrets(path, text):
            if found.name == "a private key":
                mend = "take it out of the inventory and name the path of its file; make a new key, since this one was readable"
            else:
                mend = "ansible-vault encrypt_string, or encrypt the file; and change the secret, since it was readable"
            yield ("%s line %d, %s" % (found.path, found.line, found.name), "a secret stands there in clear text",
                   "a value under ansible-vault, or a template that looks it up", mend)


@check()
def limit_leaves_a_host(plan, releases):
    if plan.limit is not None and plan.hosts and not set(plan.hosts).intersection(plan.limit):
        yield ("--limit", "it leaves no host of this cluster (%s)" % (some(sorted(plan.limit)) or "none at all"),
               "at least one of %s" % some(list(plan.hosts)), "name hosts or groups of the cluster, or run without --limit")


@check()
def control_plane_present(plan, releases):
    if not plan.groups["control_plane"]:
        yield ("group control_plane", "it has no host", "1 host, or 3 for a cluster that survives the loss of one",
               "put the hosts that run the Kubernetes API into it")


@check()
def etcd_odd(plan, releases):
    size = len(plan.groups["etcd"])
    if size == 0:
        yield ("group etcd", "it has no host", "1, 3 or 5 hosts", "put hosts into it; those of control_plane will do")
    elif size == 2:
        yield ("group etcd", "it has 2 hosts: the loss of either one stops both, so that 2 are less safe than 1",
               "1, 3 or 5 hosts", "add a third or take one out")
    elif size % 2 == 0:
        yield ("group etcd", "it has %d hosts: the last one adds no safety, only work (a quorum of %d is %d)" % (size, size, size // 2 + 1),
               "an odd number of hosts: 1, 3 or 5", "add one or take one out")


@check("cluster_kubernetes_version")
def release_known(plan, releases):
    version = plan.values["cluster_kubernetes_version"]
    if version not in releases:
        yield ("cluster_kubernetes_version", "there is no release file for %s" % version, "one of %s" % ", ".join(sorted(releases)),
               did_you_mean(version, releases) or "take one of them, or add playbooks/vars/releases/%s.yml" % version)


@check("cluster_pod_cidr", "cluster_service_cidr")
def pod_and_service_networks_apart(plan, releases):
    (dummy, pods), (dummy, services) = _networks(plan)
    if pods.overlaps(services):
        yield ("cluster_pod_cidr, cluster_service_cidr", "%s and %s overlap" % (pods, services), "two networks apart",
               "give one of them another range")


@check("cluster_pod_cidr", "cluster_service_cidr", "cluster_vip", "cluster_vip_prefix")
def host_networks_apart(plan, releases):
    for name, network in _networks(plan):
        inside = [host.name for host in plan.hosts.values() if host.address and ipaddress.ip_address(host.address) in network]
        if inside:
            yield (name, "%s holds the addresses of %s" % (network, some(inside)), "a network that no host has an address in",
                   "give it another range")
        elif plan.values["cluster_vip"] and _vip_network(plan).overlaps(network):
            yield (name, "%s overlaps the VIP's network %s" % (network, _vip_network(plan)), "a network apart from the hosts'",
                   "give it another range, or correct cluster_vip_prefix")


@check("cluster_pod_cidr", "cluster_controller_manager_extra_args")
def pod_network_size(plan, releases):
    network = ipaddress.ip_network(plan.values["cluster_pod_cidr"])
    arguments = plan.values["cluster_controller_manager_extra_args"]
    default = 24 if network.version == 4 else 64
    mask = arguments.get("node-cidr-mask-size") or arguments.get("node-cidr-mask-size-ipv%d" % network.version) or default
    mask = int(mask) if str(mask).isdigit() else default
    nodes = len({host.name for host in plan.group("control_plane") + plan.group("workers")})
    room = 2 ** (mask - network.prefixlen) if mask >= network.prefixlen else 0
    if room < nodes:
        yield ("cluster_pod_cidr", "%s has room for %d nodes with a /%d each, and there are %d" % (network, room, mask, nodes),
               "a /%d for each node" % mask, "make it larger")
    elif mask - network.prefixlen > 16:
        yield ("cluster_pod_cidr", "%s is larger than Kubernetes takes with a /%d for each node" % (network, mask),
               "a prefix of at least /%d" % (mask - 16), "make it smaller")


@check("cluster_service_cidr")
def service_network_size(plan, releases):
    network = ipaddress.ip_network(plan.values["cluster_service_cidr"])
    bits = network.max_prefixlen - network.prefixlen
    if not 4 <= bits <= 20:
        yield ("cluster_service_cidr", "%s has %d addresses" % (network, network.num_addresses),
               "from 16 to 1048576 addresses (kubeadm's limits; the 10th is CoreDNS's)", "take a prefix from /%d to /%d" % (
                   network.max_prefixlen - 20, network.max_prefixlen - 4))


@check("cluster_vip", "cluster_vip_prefix")
def vip_prefix_fits(plan, releases):
    vip, prefix = plan.values["cluster_vip"], plan.values["cluster_vip_prefix"]
    longest = ipaddress.ip_address(vip).max_prefixlen - 2 if vip else 0
    if vip and prefix > longest:
        yield "cluster_vip_prefix", "it is %d" % prefix, "at most %d with the VIP %s" % (longest, vip), "take the prefix of its network"


@check("cluster_vip", "cluster_vip_prefix")
def vip_free(plan, releases):
    vip = plan.values["cluster_vip"]
    if not vip:
        return
    for host in plan.hosts.values():
        if host.address == vip:
            yield ("cluster_vip", "%s is the address of host %s" % (vip, host.name), "an address that no machine has",
                   "give the VIP a free address")
    network = _vip_network(plan)
    if network.version == 4 and network.prefixlen < 31 and vip in (str(network.network_address), str(network.broadcast_address)):
        yield ("cluster_vip", "%s is the network's or the broadcast address of %s" % (vip, network), "an address of a host in it",
               "take another address, or correct cluster_vip_prefix")


@check("cluster_vip", "cluster_vip_prefix", "cluster_address_family")
def vip_in_balancers_network(plan, releases):
    vip = plan.values["cluster_vip"]
    if not vip:
        return
    network = _vip_network(plan)
    outside = [host.name for host in plan.group("load_balancers") if host.address and ipaddress.ip_address(host.address) not in network]
    if outside:
        yield ("cluster_vip", "%s does not lie in the network of %s (%s)" % (vip, some(outside), network),
               "a VIP in the load balancers' own network: VRRP moves it from one to the other there",
               "correct the address, or cluster_vip_prefix")


@check("cluster_vip")
def vip_has_balancers(plan, releases):
    if plan.values["cluster_vip"] and not plan.groups["load_balancers"]:
        yield ("cluster_vip", "there is a VIP, but group load_balancers has no host that could hold it", "both or neither",
               "put hosts into load_balancers; for a balancer of the site's own set cluster_endpoint instead")


@check("cluster_vip", "cluster_endpoint")
def several_control_planes_have_an_endpoint(plan, releases):
    size = len(plan.groups["control_plane"])
    if size > 1 and not plan.groups["load_balancers"] and not plan.values["cluster_endpoint"]:
        yield ("group control_plane", "it has %d hosts and nothing in front of them" % size,
               "hosts in load_balancers with a cluster_vip, or a cluster_endpoint of the site's own", "name one of the two")


@check("cluster_vip", "cluster_endpoint")
def several_balancers_have_a_vip(plan, releases):
    size = len(plan.groups["load_balancers"])
    if size > 1 and not plan.values["cluster_vip"] and not plan.values["cluster_endpoint"]:
        yield ("cluster_vip", "there are %d load balancers and no address that moves between them" % size,
               "a free address in their network", "set cluster_vip; or cluster_endpoint, a name that leads to all of them")


@check("cluster_api_port", "cluster_endpoint")
def balancer_port_free(plan, releases):
    port = plan.values["cluster_api_port"]
    front = split_host_port(plan.values["cluster_endpoint"], port)[1] if plan.values["cluster_endpoint"] else port
    both = [host.name for host in plan.group("load_balancers") if host.is_in("control_plane")]
    if both and front == port:
        yield ("hosts %s" % some(both), "load balancer and API server would both listen on port %d" % port,
               "load balancers on hosts of their own, or on another port",
               "move one of the two, or name another port in cluster_endpoint, such as VIP:8443")


@check("cluster_api_port")
def api_port_free(plan, releases):
    port = plan.values["cluster_api_port"]
    if port in TAKEN_PORTS:
        yield "cluster_api_port", "%d is the port of %s" % (port, TAKEN_PORTS[port]), "a port that nothing here uses", "take 6443"


@check("cluster_pki_host")
def pki_host_known(plan, releases):
    name = plan.values["cluster_pki_host"]
    if name and name not in plan.hosts:
        yield ("cluster_pki_host", "%s is no host of this cluster" % name, "the inventory name of one of its hosts",
               did_you_mean(name, plan.hosts) or "name one of %s, or leave it out" % some(list(plan.hosts)))


@check("cluster_source")
def mirror_present(plan, releases):
    if plan.values["cluster_source"] == "mirror" and not plan.groups["mirror"]:
        yield ("cluster_source", "it is 'mirror', and group mirror has no host", "a host that serves the bundle",
               "put a host into group mirror, or set cluster_source to upstream")


@check("cluster_proxy")
def proxy_readable(plan, releases):
    for key in ("http", "https"):
        value = plan.values["cluster_proxy"].get(key, "")
        if not isinstance(value, str) or value and not value.startswith(("http://", "https://")):
            yield ("cluster_proxy.%s" % key, "it is no URL", "http://proxy.example.com:3128", "write the scheme and the port")
        elif "@" in value:
            yield ("cluster_proxy.%s" % key, "it holds a login, and the proxy's URL stands in unit files and in results that are shown",
                   "a URL without login", "let the proxy know the hosts by their addresses")


@check("cluster_registry")
def registry_readable(plan, releases):
    registry = plan.values["cluster_registry"]
    if not registry:
        return
    url = registry.get("url")
    if not isinstance(url, str) or not url:
        yield "cluster_registry.url", "it is missing", "https://registry.example.com", "name the registry, or remove cluster_registry"
    elif "@" in url:
        yield ("cluster_registry.url", "it holds a login", "a URL without login", "put the login into username and password")
    for key in ("username", "ca_file"):
        if not isinstance(registry.get(key, ""), str):
            yield "cluster_registry.%s" % key, "it is no string", "a string", "put it in quotes"


@check("cluster_tls_cipher_suites")
def cipher_suites_strong(plan, releases):
    suites = plan.values["cluster_tls_cipher_suites"]
    for name in suites:
        if name not in STRONG_SUITES:
            yield ("cluster_tls_cipher_suites", "%s is no suite with forward secrecy and authenticated encryption that Kubernetes knows" % name,
                   "some of %s" % ", ".join(STRONG_SUITES), did_you_mean(name, STRONG_SUITES) or "remove it")
    if suites and not set(suites).intersection(HTTP2_SUITES):
        yield ("cluster_tls_cipher_suites", "none of them is one that HTTP/2 demands, so the API server would not start",
               "%s among them" % " or ".join(HTTP2_SUITES), "add it")


@check("cluster_default_deny_namespaces", "cluster_address_family")
def default_deny_enforced(plan, releases):
    namespaces = plan.values["cluster_default_deny_namespaces"]
    if namespaces and not policy_engine(plan):
        yield ("cluster_default_deny_namespaces", "nothing here enforces NetworkPolicies with IPv6, so %s would be open all the same" % some(namespaces),
               "a policy engine", "leave it out, and have the site's own engine bring the policies")
    ours = [name for name in namespaces if name in OWN_NAMESPACES]
    if ours:
        yield ("cluster_default_deny_namespaces", "without connections the cluster's own parts in %s do not work" % some(ours),
               "namespaces of workloads", "take %s out" % some(ours))


@check("cluster_host_firewall", "cluster_host_firewall_networks", "cluster_address_family")
def firewall_lets_hosts_in(plan, releases):
    networks = [ipaddress.ip_network(entry) for entry in plan.values["cluster_host_firewall_networks"]]
    if not plan.values["cluster_host_firewall"] or not networks:
        return
    outside = [host.name for host in plan.hosts.values()
               if host.address and not any(ipaddress.ip_address(host.address) in network for network in networks)]
    if outside:
        yield ("cluster_host_firewall_networks", "the addresses of %s are in none of them, and the other hosts would not hear them" % some(outside),
               "networks that hold every host's address", "add theirs, or leave the variable out")
    wanted = 6 if plan.values["cluster_address_family"] == "ipv6" else 4
    if any(network.version != wanted for network in networks):
        yield ("cluster_host_firewall_networks", "one of them is not of the family that the cluster has", "IPv%d networks" % wanted, "take it out")


@check("cluster_pki_kubernetes_ca", "cluster_pki_etcd_ca")
def own_authorities_complete(plan, releases):
    for name in ("cluster_pki_kubernetes_ca", "cluster_pki_etcd_ca"):
        given = plan.values[name]
        missing = [key for key in ("cert", "key") if given and not given.get(key)]
        if missing:
            yield name, "%s is missing" % " and ".join(missing), "paths of both cert and key on the PKI host", "name both"


def _zones(plan, group):
    """:returns: (zone -> names of its hosts, names of those without a zone) of a group."""
    zones = {}
    for host in plan.group(group):
        zones.setdefault(host.values["zone"], []).append(host.name)
    return zones, zones.pop("", [])


@check("cluster_profile", "zone")
def production_zones_named(plan, releases):
    if plan.values["cluster_profile"] == "production":
        names = [name for group in ("etcd", "control_plane", "load_balancers") for name in _zones(plan, group)[1]]
        if names:
            yield ("hosts %s" % some(list(dict.fromkeys(names))), "they have no zone, so nobody can say what fails together",
                   "a zone for each host of etcd, control_plane and load_balancers (cluster_profile: production)",
                   "set zone to the host's room, row or power feed")


@check("cluster_profile", "zone")
def production_etcd_survives_a_zone(plan, releases):
    zones, unknown = _zones(plan, "etcd")
    size = len(plan.groups["etcd"])
    if plan.values["cluster_profile"] != "production" or unknown or not size:
        return
    quorum = size // 2 + 1
    for zone, names in zones.items():
        if size - len(names) < quorum:
            what = "zone %s holds %d of its %d members (%s): without that zone %d are left, and a quorum is %d" % (
                zone, len(names), size, some(names), size - len(names), quorum)
            yield ("group etcd", what,
                   "members that keep their quorum without any one zone (cluster_profile: production)",
                   "spread 3 members over 3 zones, or 5 over at least 3 with at most 2 in one")


@check("cluster_profile", "zone")
def production_control_plane_survives_a_zone(plan, releases):
    zones, unknown = _zones(plan, "control_plane")
    if plan.values["cluster_profile"] == "production" and not unknown and len(zones) == 1:
        zone, names = zones.popitem()
        yield ("group control_plane", "all of it (%s) stands in zone %s: without that zone there is no API" % (some(names), zone),
               "control planes in two zones or more (cluster_profile: production)", "put one into another zone")


@check("cluster_profile", "zone")
def production_balancers_survive_a_zone(plan, releases):
    zones, unknown = _zones(plan, "load_balancers")
    if plan.values["cluster_profile"] == "production" and not unknown and len(zones) == 1:
        zone, names = zones.popitem()
        yield ("group load_balancers", "all of it (%s) stands in zone %s: without that zone the endpoint is away" % (some(names), zone),
               "load balancers in two zones or more (cluster_profile: production)",
               "put one into another zone, or name a balancer of the site's own in cluster_endpoint")
