# Copyright (c) 2026, ironrack.cluster contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The configuration of a service for NGINX 1.28: its upstreams, its split, its limits, its server, its status. Pure.

Every name in the http context carries the service, so that services do not know of each other.

This is a private module_utils package: it may change in any release.
"""
from __future__ import annotations

from .generation import MARK, UNSIGNED, Status, note_line, sign, status_json
from .traffic import FALLBACK, is_address, shares

ZONE = "256k"
# Room for about 16,000 clients in 1 MiB (64 bytes each; nginx.org, ngx_http_limit_req_module).
LIMIT_ZONE = "10m"
# What a client may send as the ID of its request; anything else is replaced, because it goes into headers and logs.
REQUEST_ID = "~^[A-Za-z0-9._-]{1,128}$"
# One line for each request, written when it ends. upstream_addr, upstream_status and the times hold every try, separated by commas.
# completion is empty where the client went away. It says OK of a stream that the pod broke off: that stands in the error log alone, as
# "upstream prematurely closed connection" behind an asterisk and the number of the connection.
LOG_FIELDS = (
    ("time", "$msec"), ("service", ""), ("generation", ""), ("release", ""), ("direct", ""), ("remote_addr", "$remote_addr"), ("method", "$request_method"),
    ("host", "$host"), ("path", "$uri"), ("protocol", "$server_protocol"), ("status", "$status"), ("bytes_sent", "$bytes_sent"),
    ("request_time", "$request_time"), ("completion", "$request_completion"), ("upstream_addr", "$upstream_addr"),
    ("upstream_status", "$upstream_status"), ("upstream_connect_time", "$upstream_connect_time"), ("upstream_header_time", "$upstream_header_time"),
    ("upstream_response_time", "$upstream_response_time"), ("limit_req", "$limit_req_status"), ("limit_conn", "$limit_conn_status"),
    ("connection", "$connection"), ("request_id", ""), ("traceparent", "$http_traceparent"),
    # a stream is told by it: how long one lasts says nothing of how slow the service is
    ("content_type", "$sent_http_content_type"))


def render(traffic, served=None, releases=None, certificate=""):
    """The whole configuration of a service.

    :param traffic: a :class:`Traffic`.
    :param served: the :class:`Routing` that is in force, where it is not yet the one of ``traffic``.
    :param releases: the releases to have upstreams of, where they are not those of ``traffic``.
    :param certificate: the SHA-256 of certificate and key, so that a renewed one is a change.
    :returns: text.
    """
    served = served or traffic.routing
    releases = releases or traffic.releases
    status = status_json(Status(traffic.service, traffic.generation, traffic.routing, served, releases, UNSIGNED))
    names = Names(traffic)
    blocks = [
        [MARK + status, "# Replaced as a whole by each run; the first line says what it is."] + ["# certificate: %s" % certificate] * bool(certificate)
        + note_line(traffic.settings.get("note")),
        *[upstream(traffic, names, release) for release in releases], fallback(traffic, names), keys(traffic, names),
        split(traffic, names, served), choice(traffic, names, releases), mirrored(traffic, names), refusals(traffic, names), limit_zones(traffic, names),
        log_format(traffic, names), server(traffic, names), status_server(traffic, names, releases, status)]
    return sign("\n\n".join("\n".join(block) for block in blocks if block) + "\n")


class Names:
    """What the parts of a service are called in NGINX.

    A DNS label has neither a dot nor an underscore, so that no two services or releases come to the same name.
    """

    def __init__(self, traffic):
        self.service = traffic.service
        self._stem = "$service_%s_" % traffic.service.replace("-", "_")

    def variable(self, name):
        """:returns: a variable of this service."""
        return self._stem + name

    def upstream(self, release):
        """:returns: the upstream of a release."""
        return "%s.%s" % (self.service, release)

    def limit_zone(self, kind):
        """:returns: a zone of a limit."""
        return "limit.%s.%s" % (self.service, kind)


def block(head, lines):
    """:returns: the lines of ``head { lines }``."""
    return [head + " {"] + ["    " + line for line in lines] + ["}"]


def upstream(traffic, names, release):
    """One upstream, with one method: NGINX only warns of a second one and takes the last."""
    settings = traffic.settings
    sticky = settings["sticky_key"]
    server = "server %s:%d resolve max_fails=%d fail_timeout=%ds;" % (release.host, release.port, settings["max_fails"], settings["fail_timeout"])
    # `backup` cannot stand beside `hash`.
    backups = [] if sticky else [fallback_server(settings, entry) + " backup;" for entry in settings["fallback"]]
    return block("upstream " + names.upstream(release.name), [
        "zone upstream.%s %s;" % (names.upstream(release.name), ZONE),
        "hash %s;" % names.variable("sticky") if sticky else "least_conn;",
    ] + resolver(settings) + [server] + backups + keepalive(settings))


def fallback(traffic, names):
    """The upstream of the fallback servers, for when they are asked for and not only a backup."""
    settings = traffic.settings
    if not settings["fallback"]:
        return []
    # The first one that answers, and the next only where it does not: a chain.
    servers = [fallback_server(settings, entry) + (" backup;" if position else ";") for position, entry in enumerate(settings["fallback"])]
    return block("upstream " + names.upstream(FALLBACK), [
        "zone upstream.%s %s;" % (names.upstream(FALLBACK), ZONE), "least_conn;"] + resolver(settings) + servers + keepalive(settings))


def fallback_server(settings, entry):
    """:returns: one server without its semicolon; only a name can be resolved again."""
    host = "[%s]" % entry["host"] if ":" in entry["host"] else entry["host"]
    resolve = "" if is_address(entry["host"]) else " resolve"
    return "server %s:%d%s max_fails=%d fail_timeout=%ds" % (host, entry["port"], resolve, settings["max_fails"], settings["fail_timeout"])


def resolver(settings):
    """Within the upstream, so that no other file of the host has a say in it."""
    family = {"ipv4": " ipv6=off", "ipv6": " ipv4=off", "both": ""}[settings["address_family"]]
    return ["resolver %s valid=1s%s;" % (settings["resolver"], family), "resolver_timeout 2s;"]


def keepalive(settings):
    """Idle connections, closed by us before the server would."""
    return ["keepalive %d;" % settings["keepalive"], "keepalive_timeout %ds;" % settings["keepalive_idle"]]


def source(key):
    """:returns: the variable that a key of a client comes from."""
    kind, dummy, name = key.partition(":")
    return {"address": "$remote_addr", "header": "$http_" + name.lower().replace("-", "_"), "cookie": "$cookie_" + name}[kind]


def keys(traffic, names):
    """Who a client is, where its requests stay, and what its request is called."""
    settings = traffic.settings
    lines = block("map %s %s" % (source(settings["client_key"]), names.variable("client")), [
        '"" $remote_addr;', "default %s;" % source(settings["client_key"])])
    if settings["sticky_key"]:
        # A request without the key may go anywhere; an empty key would send all such requests to one pod.
        lines += block("map %s %s" % (source(settings["sticky_key"]), names.variable("sticky")), [
            '"" $request_id;', "default %s;" % source(settings["sticky_key"])])
    return lines + block("map $http_x_request_id %s" % names.variable("request_id"), [
        '"%s" $http_x_request_id;' % REQUEST_ID, "default $request_id;"])


def split(traffic, names, served):
    """Which release a client's key belongs to.

    The candidate's name is part of what is hashed: the next candidate is met by other clients first.
    """
    lines = ["%s %s;" % ("%d%%" % percent, release) for release, percent in shares(served)[:-1]]
    last = shares(served)[-1][0] if shares(served) else '""'
    text = "%s/%s/%s" % (traffic.service, served.candidate, names.variable("client"))
    return block('split_clients "%s" %s' % (text, names.variable("split")), lines + ["* %s;" % last])


def choice(traffic, names, releases):
    """The release of a request: the split's, or the one that a tester asked for by a header."""
    settings = traffic.settings
    if not settings["tester_header"]:
        return block("map %s %s" % (names.variable("split"), names.variable("release")), ["default %s;" % names.variable("split")]) + \
            block("map %s %s" % (names.variable("split"), names.variable("direct")), ["default 0;"])
    asked = '"%s:%s"' % (names.variable("tester"), source("header:" + settings["tester_header"]))
    return block("geo %s" % names.variable("tester"), ["default 0;"] + ["%s 1;" % network for network in settings["tester_networks"]]) + \
        block("map %s %s" % (asked, names.variable("release")),
              ['"1:%s" %s;' % (release.name, release.name) for release in releases] + ["default %s;" % names.variable("split")]) + \
        block("map %s %s" % (asked, names.variable("direct")), ['"1:%s" 1;' % release.name for release in releases] + ["default 0;"])


def mirrored(traffic, names):
    """Which requests a release is sent a copy of."""
    if not traffic.settings["mirror_release"]:
        return []
    part = traffic.settings["mirror_share"]
    lines = ["* 1;"] if part == 100 else ["%d%% 1;" % part, '* "";']
    return block('split_clients "mirror/$request_id" %s' % names.variable("mirrored"), lines)


def refusals(traffic, names):
    """When a refused client may come again: spread over one, two and four times the wait, so that not all of them come back at once."""
    wait = traffic.settings["retry_after"]
    spread, own = names.variable("spread"), names.variable("retry_after")
    # What follows the colon is the upstream's own Retry-After, which stays as it is.
    return block('split_clients "retry/$request_id" %s' % spread, ["25%% %d;" % wait, "25%% %d;" % (2 * wait), "* %d;" % (4 * wait)]) + \
        block('map "$status:$upstream_http_retry_after" %s' % own, ['"429:" %s;' % spread, '"503:" %s;' % spread, 'default "";'])


def limits(traffic, names):
    """The rates that are limited.

    A reload refuses a zone whose key is another one than before, and `nginx -t` does not see it: the keys are the same variables whatever the
    options say.

    :returns: (key, zone, rate, burst) of each.
    """
    settings = traffic.settings
    kinds = (("client", "$binary_remote_addr"), ("key", names.variable("client")))
    return [(key, names.limit_zone(kind), settings[kind + "_rate"], settings[kind + "_burst"]) for kind, key in kinds if settings[kind + "_rate"]]


def limit_zones(traffic, names):
    """Zones of rates and of requests in flight."""
    lines = ["limit_req_zone %s zone=%s:%s rate=%dr/s;" % (key, zone, LIMIT_ZONE, rate) for key, zone, rate, dummy in limits(traffic, names)]
    if traffic.settings["connections"]:
        lines.append("limit_conn_zone %s zone=%s:1m;" % (names.service, names.limit_zone("all")))
    return lines


def log_format(traffic, names):
    """One JSON object a line."""
    own = {"service": names.service, "generation": str(traffic.generation)}
    fields = ", ".join('"%s": "%s"' % (name, value or own.get(name) or names.variable(name)) for name, value in LOG_FIELDS)
    return ["log_format %s escape=json '{%s}';" % (names.service, fields)]


def listens(traffic):
    """The addresses that the service listens on."""
    settings = traffic.settings
    tls = " ssl" if settings["certificate"] else ""
    hosts = {"ipv4": [""], "ipv6": ["[::]:"], "both": ["", "[::]:"]}[settings["address_family"]]
    return ["listen %s%d%s;" % (host, settings["port"], tls) for host in hosts]


def server(traffic, names):
    """What clients talk to."""
    settings = traffic.settings
    lines = listens(traffic) + ["server_name %s;" % " ".join(settings["server_names"])] * bool(settings["server_names"])
    if settings["certificate"]:
        lines += ["http2 on;", "ssl_protocols TLSv1.3;", "ssl_certificate %s;" % settings["certificate"],
                  "ssl_certificate_key %s;" % settings["certificate_key"], "ssl_session_timeout 1h;"]
    if settings["trusted_proxies"]:
        lines += ["set_real_ip_from %s;" % network for network in settings["trusted_proxies"]] + ["real_ip_header X-Forwarded-For;", "real_ip_recursive on;"]
    lines += ["access_log %s %s;" % (settings["access_log"], names.service),
              "error_log %s error;" % settings["error_log"],
              "keepalive_timeout %ds;" % settings["client_keepalive_idle"],
              # An idle connection outlives a reload by this: without it a request that is just on its way meets a closed socket.
              "keepalive_min_timeout %ds;" % settings["client_keepalive_min"],
              "client_max_body_size %dm;" % settings["max_body_mb"],
              "add_header X-Request-Id %s always;" % names.variable("request_id"),
              "add_header Retry-After %s always;" % names.variable("retry_after")]
    for dummy, zone, dummy, burst in limits(traffic, names):
        lines.append("limit_req zone=%s%s;" % (zone, " burst=%d nodelay" % burst if burst else ""))
    if settings["connections"]:
        lines.append("limit_conn %s %d;" % (names.limit_zone("all"), settings["connections"]))
    lines += ["limit_req_status 429;", "limit_conn_status 503;",
              # Who is refused stands in the access log; the error log is for what is broken.
              "limit_req_log_level notice;", "limit_conn_log_level notice;"]
    return block("server", lines + location(traffic, names) + mirror_location(traffic, names))


def location(traffic, names):
    """All requests."""
    release = names.variable("release")
    refusal = '{"error": {"message": "%s is switched off for now", "type": "unavailable"}}' % names.service
    lines = ["default_type application/json;"] + block('if (%s = "")' % release, ["return 503 '%s\\n';" % refusal])
    if traffic.settings["mirror_release"]:
        lines.append("mirror /.ironrack/mirror;")
    return block("location /", lines + proxy(traffic, names, "http://%s.%s" % (names.service, release)))


def mirror_location(traffic, names):
    """Copies of requests. Their answers are dropped, and their time is bounded, because the next request on the client's connection waits for them."""
    settings = traffic.settings
    if not settings["mirror_release"]:
        return []
    target = "http://%s$request_uri" % names.upstream(settings["mirror_release"])
    return block("location = /.ironrack/mirror", ["internal;"] + block('if (%s = "")' % names.variable("mirrored"), ["return 204;"])
                 + headers(traffic, names) + [
                     "proxy_pass %s;" % target, "proxy_next_upstream off;",
                     "proxy_connect_timeout %dms;" % settings["connect_timeout_ms"],
                     "proxy_read_timeout %ds;" % settings["mirror_timeout"]])


def headers(traffic, names):
    """What a pod is told of the client. Every other header, traceparent among them, passes as it came."""
    settings = traffic.settings
    # Without a trusted proxy in front, what a client says of its own address is not passed on.
    forwarded = "$proxy_add_x_forwarded_for" if settings["trusted_proxies"] else "$remote_addr"
    pairs = [("Host", "$host"), ("Connection", '""'), ("X-Real-IP", "$remote_addr"), ("X-Forwarded-For", forwarded), ("X-Forwarded-Proto", "$scheme"),
             ("X-Forwarded-Host", "$host"), ("X-Forwarded-Port", "$server_port"), ("X-Request-Id", names.variable("request_id"))]
    return ["proxy_http_version 1.1;"] + ["proxy_set_header %s %s;" % pair for pair in pairs]


def proxy(traffic, names, target):
    """How a request is passed on. Without `non_idempotent` a POST that was sent is never sent again, whatever became of it."""
    settings = traffic.settings
    return headers(traffic, names) + [
        "proxy_pass %s;" % target,
        "proxy_connect_timeout %dms;" % settings["connect_timeout_ms"],
        "proxy_send_timeout %ds;" % settings["response_timeout"],
        "proxy_read_timeout %ds;" % settings["response_timeout"],
        "proxy_next_upstream error timeout;",
        "proxy_next_upstream_tries %d;" % settings["tries"],
        "proxy_hide_header X-Request-Id;",
        # A stream reaches the client token by token.
        "proxy_buffering off;"]


def status_server(traffic, names, releases, status):
    """On the health port, under a name of its own: what the running workers have read, and a way to ask whether a release can be reached."""
    settings = traffic.settings
    lines = ["listen %s;" % settings["health_listen"], "server_name %s;" % status_host(names.service), "access_log off;"]
    lines += block("location = /upstream.json", ["default_type application/json;", "return 200 '%s';" % status])
    for release in releases:
        lines += block("location = /upstream/%s" % release.name, [
            "allow 127.0.0.1;", "allow ::1;", "deny all;", "proxy_http_version 1.1;", 'proxy_set_header Connection "";', "proxy_set_header Host $host;",
            "proxy_pass http://%s%s;" % (names.upstream(release.name), settings["probe_path"]),
            "proxy_connect_timeout %dms;" % settings["connect_timeout_ms"], "proxy_read_timeout 5s;", "proxy_next_upstream error timeout;",
            "proxy_next_upstream_timeout 1s;",
            "add_header X-Upstream-Addr $upstream_addr always;"])
    return block("server", lines + block("location /", ["return 404;"]))


def status_host(service):
    """:returns: the Host under which the health port answers for a service."""
    return "%s.upstream.ironrack" % service
