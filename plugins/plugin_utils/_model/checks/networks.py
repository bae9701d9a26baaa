# Copyright (c) 2026, ironrack.cluster contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What is refused of the networks, of the endpoint and of the ports."""
from __future__ import annotations

import ipaddress

from ..addresses import network_of, split_host_port
from ..settle import some
from .registry import check

#: Ports of the nodes that an API server may not take: etcd, kubelet, controller-manager, scheduler, kube-proxy, mirror.
TAKEN_PORTS = {2379: "etcd", 2380: "etcd", 2381: "etcd's metrics", 5000: "the mirror's registry", 8443: "the mirror's files",
               10248: "kubelet", 10249: "kube-proxy", 10250: "kubelet", 10256: "kube-proxy", 10257: "kube-controller-manager",
               10259: "kube-scheduler"}


def _networks(plan):
    for name in ("cluster_pod_cidr", "cluster_service_cidr"):
        yield name, ipaddress.ip_network(plan.values[name])


def _vip_network(plan):
    vip = plan.values["cluster_vip"]
    return network_of(vip, min(plan.values["cluster_vip_prefix"], ipaddress.ip_address(vip).max_prefixlen))


@check("cluster_pod_cidr", "cluster_service_cidr", kubernetes=True)
def pod_and_service_networks_apart(plan, releases):
    (dummy, pods), (dummy, services) = _networks(plan)
    if pods.overlaps(services):
        yield ("cluster_pod_cidr, cluster_service_cidr", "%s and %s overlap" % (pods, services), "two networks apart",
               "give one of them another range")


@check("cluster_pod_cidr", "cluster_service_cidr", "cluster_vip", "cluster_vip_prefix", kubernetes=True)
def host_networks_apart(plan, releases):
    for name, network in _networks(plan):
        inside = [host.name for host in plan.hosts.values() if host.address and ipaddress.ip_address(host.address) in network]
        if inside:
            yield (name, "%s holds the addresses of %s" % (network, some(inside)), "a network that no host has an address in",
                   "give it another range")
        elif plan.values["cluster_vip"] and _vip_network(plan).overlaps(network):
            yield (name, "%s overlaps the VIP's network %s" % (network, _vip_network(plan)), "a network apart from the hosts'",
                   "give it another range, or correct cluster_vip_prefix")


@check("cluster_pod_cidr", "cluster_controller_manager_extra_args", kubernetes=True)
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


@check("cluster_service_cidr", kubernetes=True)
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
