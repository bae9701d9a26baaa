# Copyright (c) 2026, ironrack.cluster contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The configuration of a service. What NGINX makes of it is shown on a real one, in tests/real/test_nginx.py."""
from __future__ import annotations

import json
import re

import pytest
from ansible_collections.ironrack.cluster.plugins.module_utils._nginx.generation import is_intact, status_of
from ansible_collections.ironrack.cluster.plugins.module_utils._nginx.render import render
from ansible_collections.ironrack.cluster.plugins.module_utils._nginx.traffic import NOBODY, parse
from ansible_collections.ironrack.cluster.plugins.modules.nginx_upstream import SPEC
from hypothesis import given
from hypothesis import strategies as st

RELEASES = [{"name": name, "host": name + ".llm.svc.cluster.local", "port": 8080} for name in ("blue", "green")]
GOOD = dict(((name, option.get("default")) for name, option in SPEC.items()), name="web", generation=3, releases=RELEASES, stable="blue")


def text_of(served=None, **changes):
    return render(parse(dict(GOOD, **changes)), served)


def body_of(text, head):
    """:returns: the lines of the first block whose head starts so."""
    found = re.search(r"(?ms)^ *%s[^{\n]*\{\n(.*?)^\}" % re.escape(head), text)
    return [line.strip() for line in found.group(1).splitlines()]


def release_at(text, position):
    """What split_clients answers for a key that hashes to a position of 0 to 100: ranges in the order of its lines."""
    end = 0
    for line in body_of(text, 'split_clients "web/'):
        percent, release = line.rstrip(";").split()
        end = 100 if percent == "*" else end + int(percent.rstrip("%"))
        if position < end:
            return release
    raise AssertionError("nobody at %s" % position)


@given(st.integers(0, 100), st.integers(0, 100), st.floats(0, 100, exclude_max=True))
def test_rising_weights_send_nobody_back(one, other, position):
    lower, higher = [text_of(candidate="green", weight=weight) for weight in sorted((one, other))]
    if release_at(lower, position) == "green":
        assert release_at(higher, position) == "green"
    assert (release_at(lower, position) == "green") == (position < min(one, other))


def test_the_split_is_hashed_with_the_candidates_name_and_the_clients_key():
    assert 'split_clients "web/green/$service_web_client" $service_web_split {' in text_of(candidate="green", weight=5)
    assert "map $http_x_client_id $service_web_client {" in text_of(client_key="header:X-Client-Id")
    assert "map $cookie_user $service_web_client {" in text_of(client_key="cookie:user")


def test_an_upstream_has_one_method_a_zone_and_names_that_are_resolved_again():
    lines = body_of(text_of(), "upstream web.green")
    assert lines == [
        "zone upstream.web.green 256k;", "least_conn;", "resolver 127.0.0.1:5353 valid=1s ipv6=off;", "resolver_timeout 2s;",
        "server green.llm.svc.cluster.local:8080 resolve max_fails=1 fail_timeout=2s;", "keepalive 32;", "keepalive_timeout 2s;"]
    sticky = body_of(text_of(sticky_key="cookie:talk", fallback=[{"host": "192.0.2.1", "port": 80}]), "upstream web.green")
    assert "hash $service_web_sticky;" in sticky and "least_conn;" not in sticky and not [line for line in sticky if "backup" in line or "consistent" in line]


def test_fallback_servers_are_backups_and_a_chain_of_their_own():
    text = text_of(fallback=[{"host": "spare.example", "port": 80}, {"host": "2001:db8::1", "port": 81}])
    assert "server spare.example:80 resolve max_fails=1 fail_timeout=2s backup;" in body_of(text, "upstream web.blue")
    assert [line for line in body_of(text, "upstream web.fallback") if line.startswith("server")] == [
        "server spare.example:80 resolve max_fails=1 fail_timeout=2s;", "server [2001:db8::1]:81 max_fails=1 fail_timeout=2s backup;"]
    assert "web.fallback" not in text_of()


def test_a_request_that_was_sent_is_repeated_only_where_it_is_idempotent():
    for options in ({}, {"mirror_release": "green", "mirror_share": 5}, {"sticky_key": "address"}):
        text = text_of(**options)
        assert "proxy_next_upstream error timeout;" in text and "non_idempotent" not in text and "http_5" not in text


def test_streams_are_not_buffered_and_idle_connections_outlive_a_reload():
    lines = [line.strip() for line in text_of().splitlines()]
    assert "proxy_buffering off;" in lines and "keepalive_min_timeout 5s;" in lines and "proxy_connect_timeout 300ms;" in lines


def test_tls_is_1_3_with_http_2_and_a_renewed_certificate_is_another_configuration():
    traffic = parse(dict(GOOD, certificate="/etc/a.crt", certificate_key="/etc/a.key"))
    text = render(traffic, certificate="1")
    assert "listen 443 ssl;" in text and "ssl_protocols TLSv1.3;" in text and "http2 on;" in text
    assert text != render(traffic, certificate="2")
    assert "http2" not in text_of() and "listen 443;" in text_of()


def test_a_client_is_believed_only_behind_a_trusted_proxy():
    assert "proxy_set_header X-Forwarded-For $remote_addr;" in text_of() and "real_ip_header" not in text_of()
    behind = text_of(trusted_proxies=["192.0.2.0/24"])
    assert "proxy_set_header X-Forwarded-For $proxy_add_x_forwarded_for;" in behind and "set_real_ip_from 192.0.2.0/24;" in behind


def test_limits_keep_the_keys_of_their_zones_whatever_a_client_is_known_by():
    zones = {tuple(re.findall(r"(?m)^limit_req_zone .*", text_of(key_rate=1, client_rate=9, client_key=key))) for key in ("address", "cookie:user")}
    assert len(zones) == 1 and len(set.union(*map(set, zones))) == 2
    rates = text_of(key_rate=1, key_burst=4, client_rate=9, connections=7)
    assert "limit_req zone=limit.web.key burst=4 nodelay;" in rates and "limit_req zone=limit.web.client;" in rates and "limit_conn limit.web.all 7;" in rates
    assert "limit_req " not in text_of() and "limit_conn " not in text_of()


def test_a_log_line_is_json_with_every_field_once():
    text = text_of(candidate="green", weight=5)
    line = json.loads(re.search(r"log_format web escape=json '(.*)';", text).group(1))
    assert line["service"] == "web" and line["generation"] == "3" and line["release"] == "$service_web_release"
    assert line["upstream_status"] == "$upstream_status" and line["completion"] == "$request_completion"
    assert "$request_uri" not in json.dumps(line) and "$args" not in json.dumps(line)


def test_the_status_stands_in_the_first_line_and_on_the_health_port():
    text = text_of(served=NOBODY, candidate="green", weight=5)
    known = status_of(text)
    assert known.asked.weight == 5 and known.served == NOBODY and is_intact(text)
    answer = re.search(r"return 200 '(.*)';", text).group(1)
    assert json.loads(answer)["digest"] == known.digest and json.loads(answer)["weights"] == {}
    assert "server_name web.upstream.ironrack;" in text and "listen 8080;" in text


@pytest.mark.parametrize("changes", [{}, {"serve": "nobody"}, {"tester_header": "X-Release", "tester_networks": ["192.0.2.0/24"]},
                                     {"mirror_release": "green", "mirror_share": 100}, {"mirror_release": "green", "mirror_share": 7}])
def test_blocks_are_closed_and_every_variable_is_defined(changes):
    text = text_of(candidate="green", weight=5, **changes)
    plain = re.sub(r"'[^']*'|\"[^\"]*\"|#.*", "", text)
    assert plain.count("{") == plain.count("}")
    defined = set(re.findall(r"(?m)^(?:map|split_clients|geo) .*?(\$service_\w+) \{$", text))
    assert set(re.findall(r"\$service_\w+", text)) <= defined


def test_services_with_names_alike_share_nothing():
    one, other = [set(re.findall(r"(?m)^(?:upstream (\S+)|.* (\$service_\w+) \{$|log_format (\S+))", render(
        parse(dict(GOOD, name=name))))) for name in ("web", "web-blue")]
    assert one and not one & other


def test_a_configuration_fits_into_what_nginx_reads_as_one_word():
    label = "a" * 61
    releases = [{"name": "%s%d" % (label, number), "host": ".".join([label] * 4)[:252], "port": 65535} for number in range(8)]
    text = text_of(releases=releases, stable=releases[0]["name"], candidate=releases[1]["name"], weight=50, name="s" * 63)
    assert max(len(line) for line in text.splitlines()) < 4096
