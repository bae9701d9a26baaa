# Copyright (c) 2026, ironrack.cluster contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What is refused of the hosts: their names, groups and addresses, and who is in a run."""
from __future__ import annotations

import ipaddress

from ..addresses import is_address, split_host_port
from ..problems import did_you_mean
from ..settle import some
from ..sources import clear_secrets, twice
from ..types import is_dns_name
from .registry import check


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
    name = split_host_port(plan.values["cluster_endpoint"], plan.values["cluster_api_port"])[0]
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


@check(kubernetes=True)
def control_plane_present(plan, releases):
    if not plan.groups["control_plane"]:
        yield ("group control_plane", "it has no host", "1 host, or 3 for a cluster that survives the loss of one",
               "put the hosts that run the Kubernetes API into it")


@check(kubernetes=True)
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


@check("cluster_pki_host")
def pki_host_known(plan, releases):
    name = plan.values["cluster_pki_host"]
    if name and name not in plan.hosts:
        yield ("cluster_pki_host", "%s is no host of this cluster" % name, "the inventory name of one of its hosts",
               did_you_mean(name, plan.hosts) or "name one of %s, or leave it out" % some(list(plan.hosts)))


@check("cluster_profile")
def monitoring_outside(plan, releases):
    if plan.values["cluster_profile"] != "production":
        return
    for host in plan.group("monitoring"):
        inside = [group for group in ("etcd", "control_plane", "workers", "load_balancers") if host.is_in(group)]
        if inside:
            yield ("host %s" % host.name, "it is in group monitoring and in %s: with that host goes the word that it is gone" % " and ".join(inside),
                   "a monitoring host outside of the cluster that it watches", "take another host, such as the mirror's, or another cluster_profile")


@check("cluster_source")
def mirror_present(plan, releases):
    if plan.values["cluster_source"] == "mirror" and not plan.groups["mirror"]:
        yield ("cluster_source", "it is 'mirror', and group mirror has no host", "a host that serves the bundle",
               "put a host into group mirror, or set cluster_source to upstream")
