# Copyright (c) 2026, ironrack.cluster contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""From a service and its traffic to the options of the module nginx_upstream. Pure.

This is a private module_utils package: it may change in any release.
"""
from __future__ import annotations

from .._common.refusal import problem
from .._nginx import traffic as splits
from .._release import traffic as split

#: What a rollout decides, or the description says elsewhere.
GIVEN = ("name", "state", "generation", "releases", "stable", "candidate", "weight", "serve", "fallback", "note")
#: The other options with their defaults, as the module has them; a unit test compares.
DEFAULTS = {
    "port": 443, "server_names": [], "certificate": None, "certificate_key": None, "trusted_proxies": [], "client_key": "address", "sticky_key": None,
    "address_family": "ipv4", "resolver": "127.0.0.1:5353", "connect_timeout_ms": 300, "response_timeout": 300, "tries": 10, "max_fails": 1,
    "fail_timeout": 2, "keepalive": 32, "keepalive_idle": 2, "server_keepalive_idle": 5, "client_keepalive_idle": 75, "client_keepalive_min": 5,
    "client_rate": 0, "client_burst": 0, "key_rate": 0, "key_burst": 0, "connections": 0, "retry_after": 2, "tester_header": None,
    "tester_networks": [], "mirror_release": None, "mirror_share": 0, "mirror_timeout": 10, "max_body_mb": 16, "probe_path": "/health",
    "access_log": None, "config": "/etc/ironrack/nginx/nginx.conf", "folder": "/etc/ironrack/nginx/http.d", "nginx": "/usr/local/sbin/nginx",
    "unit": "ironrack-nginx.service", "pid_file": "/run/ironrack-nginx.pid", "health_url": "http://127.0.0.1:8080", "wait": 30, "address_wait": 60,
}
#: What stands for None, which the table above cannot tell the type of.
_TEXTS = [name for name, value in DEFAULTS.items() if value is None]


def type_problems(where, options):
    """:returns: a problem for each known option of another type than the module's."""
    found = []
    for name in sorted(set(options) & set(DEFAULTS)):
        kind = str if name in _TEXTS else type(DEFAULTS[name])
        value = options[name]
        if value is None and name in _TEXTS:
            continue
        if not isinstance(value, kind) or isinstance(value, bool) or kind is list and not all(isinstance(one, str) for one in value):
            found.append(problem("%s.%s" % (where, name), "it is %r" % (value,), {
                int: "a whole number", str: "a text", list: "a list of texts"}[kind], "Correct it."))
    return found


def host_of(service, release, domain):
    """:returns: the DNS name of a release's headless Service."""
    return "%s-%s.%s.svc.%s" % (service["name"], release, service["namespace"], domain)


def options(service, traffic, domain):
    """:returns: all options of nginx_upstream.

    :param service: a complete description.
    :param traffic: generation, stable, candidate and weights, as a rollout's record and its intents have it; serve (who answers) and chain (the order
        of the fallback's servers, by name) where it says so.
    :param domain: cluster_domain.
    """
    weights, candidate = traffic["weights"], traffic.get("candidate")
    # In one order always: the balancers compare the whole file.
    names = sorted(weights, key=lambda name: (name != traffic["stable"], name))
    releases = [{"name": name, "host": host_of(service, name, domain), "port": service["pod"]["port"]} for name in names]
    pool = {server["name"]: server for server in service["fallback"]}
    chain = [name for name in traffic.get("chain") or [] if name in pool]
    servers = [pool[name] for name in chain + [name for name in pool if name not in chain]]
    return dict(DEFAULTS, **dict(
        service["balancer"], name=service["name"], generation=max(1, traffic["generation"]), releases=releases, stable=traffic["stable"],
        candidate=candidate, weight=weights.get(candidate, 0) if candidate else 0, serve=traffic.get("serve") or "releases",
        fallback=[{"host": server["host"], "port": server["port"]} for server in servers]))


def first(service, generation=1):
    """:returns: the traffic of a service that has had no rollout."""
    return split.only(service["stable"], generation)


def judge(service):
    """:raises BadTraffic: with all that nginx_upstream would refuse of a description."""
    splits.parse(options(service, first(service), "cluster.local"))
