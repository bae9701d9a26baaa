# Copyright (c) 2026, ironrack.cluster contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the traffic of a service should be, and everything that is wrong with a description of it. Pure.

This is a private module_utils package: it may change in any release.
"""
from __future__ import annotations

import ipaddress
import re
from collections import namedtuple
from urllib.parse import urlsplit

from .._common.errors import IronrackError

# host: the DNS name whose answer holds the ready pods; port: theirs.
Release = namedtuple("Release", ("name", "host", "port"))
# Who gets the requests. serve: releases, fallback or nobody; weight: the candidate's whole percents.
Routing = namedtuple("Routing", ("serve", "stable", "candidate", "weight"))
# settings: the options that concern all releases, as the module nginx_upstream documents them.
Traffic = namedtuple("Traffic", ("service", "generation", "releases", "routing", "settings"))

NOBODY = Routing("nobody", "", "", 0)
# What the fallback servers are called where a release would be named, in variables, logs and metrics.
FALLBACK = "fallback"
# One word of NGINX's configuration is at most 4096 bytes, and a service's status is one: 8 DNS names of full length fit.
MOST_RELEASES = 8

LABEL = re.compile(r"[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?\Z")
DNS_NAME = re.compile(r"(?=.{1,253}\Z)[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?(\.[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?)*\Z")
SERVER_NAME = re.compile(r"(\*\.)?%s" % DNS_NAME.pattern)
HEADER = re.compile(r"[A-Za-z][A-Za-z0-9-]*\Z")
COOKIE = re.compile(r"[A-Za-z0-9_]+\Z")
URL_PATH = re.compile(r"/[A-Za-z0-9._~/?&=-]*\Z")
FILE = re.compile(r"/[A-Za-z0-9._/@+-]+\Z")

# Whole numbers: option, least, most, unit.
BOUNDS = (
    ("port", 1, 65535, "a TCP port"),
    ("connect_timeout_ms", 10, 60000, "milliseconds"),
    ("response_timeout", 1, 86400, "seconds"),
    ("tries", 1, 20, "servers in all"),
    ("max_fails", 0, 100, "failures, 0 for never"),
    ("fail_timeout", 1, 3600, "seconds"),
    ("keepalive", 1, 10000, "connections of one worker"),
    ("keepalive_idle", 1, 3600, "seconds"),
    ("server_keepalive_idle", 2, 86400, "seconds"),
    ("client_keepalive_idle", 1, 86400, "seconds"),
    ("client_keepalive_min", 0, 3600, "seconds"),
    ("client_rate", 0, 1000000, "requests a second, 0 for no limit"),
    ("client_burst", 0, 1000000, "requests"),
    ("key_rate", 0, 1000000, "requests a second, 0 for no limit"),
    ("key_burst", 0, 1000000, "requests"),
    ("connections", 0, 1000000, "requests in flight, 0 for no limit"),
    ("retry_after", 1, 3600, "seconds"),
    ("mirror_share", 0, 100, "percent"),
    ("mirror_timeout", 1, 3600, "seconds"),
    ("max_body_mb", 1, 10240, "MiB"),
)


class BadTraffic(IronrackError):
    """The description cannot be meant. Its details carry ``problems``, one sentence for each."""


def parse(params):
    """Read a description of a service's traffic.

    :param params: the options of the module nginx_upstream.
    :returns: :class:`Traffic`.
    :raises BadTraffic: with every problem at once.
    """
    releases = tuple(Release(entry["name"], entry["host"], entry["port"]) for entry in params["releases"])
    routing = Routing(params["serve"], params["stable"] or "", params["candidate"] or "", params["weight"])
    found = (_names(params, releases) + _routing(releases, routing, params["fallback"]) + _numbers(params) + _keys(params)
             + _addresses(params) + _testers(params) + _mirror(params, releases) + _tls(params))
    if found:
        raise BadTraffic("the traffic of %s cannot be meant: %s" % (params["name"], "; ".join(found)), problems=found)
    health = urlsplit(params["health_url"])
    log = params["access_log"] or "/var/log/nginx/service-%s.log" % params["name"]
    derived = {"health_listen": "%s%d" % ("[::]:" if ":" in health.hostname else "", health.port or 80),
               "access_log": log, "error_log": re.sub(r"(\.log)?\Z", "-error.log", log, count=1)}
    return Traffic(params["name"], params["generation"], releases, routing, dict(params, **derived))


def shares(routing):
    """Who gets which part of the requests.

    The candidate comes first: its part is then the beginning of one range, so that a rising weight takes keys from the stable only.

    :returns: (release, whole percents above 0) pairs; empty where nobody serves.
    """
    if routing.serve == "nobody":
        return ()
    if routing.serve == "fallback":
        return ((FALLBACK, 100),)
    pairs = ((routing.candidate, routing.weight), (routing.stable, 100 - routing.weight))
    return tuple((release, percent) for release, percent in pairs if release and percent)


def is_address(host):
    """:returns: whether a host is an IP address and no name."""
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return False
    return True


def _names(params, releases):
    found = []
    if not LABEL.match(params["name"]):
        found.append("name is %r, expected a DNS label (lower-case letters, digits, hyphens; at most 63)" % params["name"])
    if params["generation"] < 1:
        found.append("generation is %d, expected a number from 1 on: take it from the rollout's record" % params["generation"])
    if not 1 <= len(releases) <= MOST_RELEASES:
        found.append("releases has %d entries, expected 1 to %d: leave out those that nobody needs any more" % (len(releases), MOST_RELEASES))
    names = [release.name for release in releases]
    for name in sorted(set(names)):
        if names.count(name) > 1:
            found.append("releases names %s %d times, expected once" % (name, names.count(name)))
    for release in releases:
        if not LABEL.match(release.name):
            found.append("releases has %r, expected a DNS label as a name" % release.name)
        if release.name == FALLBACK:
            found.append("releases has %r, which is what the fallback servers are called: give the release another name" % FALLBACK)
        if is_address(release.host) or not DNS_NAME.match(release.host):
            found.append("release %s has the host %r, expected the DNS name of its headless Service" % (release.name, release.host))
        if not 1 <= release.port <= 65535:
            found.append("release %s has the port %d, expected 1 to 65535" % (release.name, release.port))
    return found


def _routing(releases, routing, fallback):
    found = []
    names = [release.name for release in releases]
    known = ", ".join(names) or "none"
    if routing.stable not in names:
        found.append("stable is %r, expected one of the releases (%s)" % (routing.stable, known))
    if routing.candidate and routing.candidate not in names:
        found.append("candidate is %r, expected one of the releases (%s) or nothing" % (routing.candidate, known))
    if routing.candidate and routing.candidate == routing.stable:
        found.append("candidate and stable are both %r, expected two releases: after a promotion leave the candidate out" % routing.stable)
    if not 0 <= routing.weight <= 100:
        found.append("weight is %d, expected 0 to 100 whole percents" % routing.weight)
    elif routing.weight and not routing.candidate:
        found.append("weight is %d without a candidate, expected 0: name the candidate" % routing.weight)
    if routing.serve == "fallback" and not fallback:
        found.append("serve is fallback and fallback has no server: name one, or serve nobody")
    return found


def _numbers(params):
    found = ["%s is %d, expected %d to %d (%s)" % (option, params[option], least, most, unit)
             for option, least, most, unit in BOUNDS if not least <= params[option] <= most]
    if params["keepalive_idle"] >= params["server_keepalive_idle"]:
        found.append(
            "keepalive_idle is %d s and server_keepalive_idle %d s, expected less: a server that closes first breaks the request that is just sent"
            % (params["keepalive_idle"], params["server_keepalive_idle"]))
    for kind in ("client", "key"):
        if params[kind + "_burst"] and not params[kind + "_rate"]:
            found.append("%s_burst is %d without %s_rate: give the rate" % (kind, params[kind + "_burst"], kind))
    return found


def _keys(params):
    found = []
    for option in ("client_key", "sticky_key"):
        value = params[option] or ""
        kind, dummy, name = value.partition(":")
        fits = value == "address" or kind == "header" and HEADER.match(name) or kind == "cookie" and COOKIE.match(name)
        if not fits and (value or option == "client_key"):
            found.append("%s is %r, expected address, header:NAME or cookie:NAME" % (option, value))
    return found


def _addresses(params):
    found = []
    for entry in params["fallback"]:
        if not (is_address(entry["host"]) or DNS_NAME.match(entry["host"])):
            found.append("fallback has the host %r, expected an address or a DNS name" % entry["host"])
        if not 1 <= entry["port"] <= 65535:
            found.append("fallback %s has the port %d, expected 1 to 65535" % (entry["host"], entry["port"]))
    host, dummy, port = params["resolver"].rpartition(":")
    if not is_address(host.strip("[]")) or not port.isdigit():
        found.append("resolver is %r, expected an address and a port, as in 127.0.0.1:5353 or [::1]:5353" % params["resolver"])
    for option in ("tester_networks", "trusted_proxies"):
        for network in params[option]:
            try:
                ipaddress.ip_network(network)
            except ValueError as error:
                found.append("%s has %r, expected a network as in 192.0.2.0/24: %s" % (option, network, error))
    for name in params["server_names"]:
        if not SERVER_NAME.match(name):
            found.append("server_names has %r, expected a DNS name, with *. before it at most" % name)
    health = urlsplit(params["health_url"])
    if health.scheme != "http" or not is_address(health.hostname or ""):
        found.append("health_url is %r, expected http, an address and a port, as in http://127.0.0.1:8080" % params["health_url"])
    if params["access_log"] and not FILE.match(params["access_log"]):
        found.append("access_log is %r, expected an absolute path of letters, digits and ._/@+-" % params["access_log"])
    if not URL_PATH.match(params["probe_path"]):
        found.append("probe_path is %r, expected a path as in /health" % params["probe_path"])
    return found


def _testers(params):
    found = []
    header, networks = params["tester_header"] or "", params["tester_networks"]
    if header and not HEADER.match(header):
        found.append("tester_header is %r, expected the name of a header" % header)
    if bool(header) != bool(networks):
        found.append("tester_header and tester_networks belong together: a header without networks would let nobody choose, or anybody")
    return found


def _mirror(params, releases):
    release, share = params["mirror_release"] or "", params["mirror_share"]
    if bool(release) != bool(share):
        return ["mirror_release is %r and mirror_share %d, expected both or neither" % (release, share)]
    if release and release not in [entry.name for entry in releases]:
        return ["mirror_release is %r, expected one of the releases" % release]
    return []


def _tls(params):
    certificate, key = params["certificate"] or "", params["certificate_key"] or ""
    if bool(certificate) != bool(key):
        return ["certificate and certificate_key belong together, expected both or neither"]
    return ["%s is %r, expected an absolute path of letters, digits and ._/@+-" % (option, value)
            for option, value in (("certificate", certificate), ("certificate_key", key)) if value and not FILE.match(value)]
