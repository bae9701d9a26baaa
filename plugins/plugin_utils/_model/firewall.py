# Copyright (c) 2026, ironrack.cluster contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Who may speak to whom, for the hosts' own packet filter: the port matrix of docs/architecture.md in addresses."""
from __future__ import annotations

import ipaddress

from .addresses import network_of
from .dashboards import GROUP as DASHBOARDS
from .opensearch import nodes as opensearch_nodes


def firewall(plan, endpoint):
    """:returns: the part ``firewall`` of the model. What each host opens follows from its groups; here stands only what is the same for all.

    The cluster's hosts are named by their networks, not one by one: so a new worker is let in by hosts that its run does not touch, and the
    rules stay short. etcd alone knows its clients by their addresses.
    """
    values, client = plan.values, plan.hosts.get(plan.values["cluster_client_host"])
    networks = [ipaddress.ip_network(entry) for entry in values["cluster_host_firewall_networks"]]
    if not networks:
        networks = [network_of(host.address, min(values["cluster_vip_prefix"], ipaddress.ip_address(host.address).max_prefixlen))
                    for host in plan.hosts.values()]
    return {
        "enabled": values["cluster_host_firewall"],
        "networks": [str(network) for network in ipaddress.collapse_addresses(networks)],
        "pods_and_services": [values["cluster_pod_cidr"], values["cluster_service_cidr"]],
        "control_planes": [host.address for host in plan.group("control_plane")],
        "etcd": [host.address for host in plan.group("etcd")],
        "balancers": [host.address for host in plan.group("load_balancers")],
        "monitoring": [host.address for host in plan.group("monitoring")],
        "opensearch": [host.address for host in opensearch_nodes(plan)],
        "dashboards": [host.address for host in plan.group(DASHBOARDS)],
        # Where the API is called from by somebody who is no host of the cluster, nobody knows by which address: then TLS and a login have to do.
        "client": [client.address] if client else [],
        "api_port": values["cluster_api_port"],
        "endpoint_port": endpoint["port"],
    }
