# Copyright (c) 2026, ironrack.cluster contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What is refused of the settings: the release, and what is spoken to, encrypted and shut out."""
from __future__ import annotations

import ipaddress
import re

from ..problems import did_you_mean
from ..promises import policy_engine
from ..settle import some
from .registry import check

#: A plural of the API, and its group where it has one.
RESOURCE = re.compile(r"[a-z][a-z0-9-]*(\.[a-z0-9][a-z0-9.-]*)?\Z")
#: Go's HTTP/2 server refuses to start without one of these.
HTTP2_SUITES = ("TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256", "TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256")
STRONG_SUITES = HTTP2_SUITES + (
    "TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384", "TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384",
    "TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256", "TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305_SHA256")
OWN_NAMESPACES = ("kube-system", "kube-flannel", "kube-public", "kube-node-lease")


@check("cluster_kubernetes_version")
def release_known(plan, releases):
    version = plan.values["cluster_kubernetes_version"]
    if version not in releases:
        yield ("cluster_kubernetes_version", "there is no release file for %s" % version, "one of %s" % ", ".join(sorted(releases)),
               did_you_mean(version, releases) or "take one of them, or add playbooks/vars/releases/%s.yml" % version)


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


@check("cluster_encryption_resources")
def encrypted_resources_named(plan, releases):
    named = plan.values["cluster_encryption_resources"]
    for name in named:
        if not RESOURCE.match(name):
            yield ("cluster_encryption_resources", "'%s' is no kind of object" % name, "plurals as in the API, such as secrets or deployments.apps",
                   "name each kind; patterns such as *.* are not taken, because each kind is written again when its key is rotated")
    if "secrets" not in named:
        yield ("cluster_encryption_resources", "it lacks secrets", "secrets, and what the site wants beside them",
               "add secrets, or set cluster_encryption_at_rest to false")


@check("cluster_encryption_at_rest", "cluster_apiserver_extra_args")
def one_encryption_configuration(plan, releases):
    taken = sorted(name for name in plan.values["cluster_apiserver_extra_args"] if name.startswith("encryption-provider-config"))
    if taken and plan.values["cluster_encryption_at_rest"]:
        yield ("cluster_apiserver_extra_args", "it sets %s, which cluster_encryption_at_rest sets too" % " and ".join(taken),
               "one configuration of encryption", "take it out; or, for one that the site keeps itself, set cluster_encryption_at_rest to false")
