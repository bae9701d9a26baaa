# Copyright (c) 2026, ironrack.cluster contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What is wrong with a description of traffic, all at once, and who gets which share."""
from __future__ import annotations

import pytest
from ansible_collections.ironrack.cluster.plugins.module_utils._nginx.traffic import BOUNDS, FALLBACK, BadTraffic, Routing, parse, shares
from ansible_collections.ironrack.cluster.plugins.modules.nginx_upstream import SPEC
from hypothesis import given
from hypothesis import strategies as st

BLUE = {"name": "blue", "host": "blue.llm.svc.cluster.local", "port": 8080}
GREEN = {"name": "green", "host": "green.llm.svc.cluster.local", "port": 8080}
GOOD = dict(((name, option.get("default")) for name, option in SPEC.items()), name="web", generation=3, releases=[BLUE, GREEN], stable="blue")


def problems(**changes):
    try:
        parse(dict(GOOD, **changes))
    except BadTraffic as error:
        return error.details["problems"]
    return []


def test_the_defaults_and_an_ordinary_description_are_fine():
    assert problems() == [] and problems(candidate="green", weight=5) == []
    traffic = parse(GOOD)
    assert traffic.settings["health_listen"] == "8080" and traffic.settings["access_log"] == "/var/log/nginx/service-web.log"
    assert traffic.settings["error_log"] == "/var/log/nginx/service-web-error.log"
    assert parse(dict(GOOD, health_url="http://[::1]:8080")).settings["health_listen"] == "[::]:8080"


@pytest.mark.parametrize("changes, words", [
    ({"name": "Web"}, "name is 'Web', expected a DNS label"),
    ({"name": "web\n"}, "expected a DNS label"),
    ({"generation": 0}, "generation is 0"),
    ({"releases": []}, "releases has 0 entries"),
    ({"releases": [dict(BLUE, name="r%d" % number) for number in range(9)], "stable": "r1"}, "releases has 9 entries, expected 1 to 8"),
    ({"releases": [BLUE, dict(GREEN, name="blue")]}, "releases names blue 2 times"),
    ({"releases": [dict(BLUE, name="fallback")], "stable": "fallback"}, "what the fallback servers are called"),
    ({"releases": [dict(BLUE, host="192.0.2.1")]}, "expected the DNS name of its headless Service"),
    ({"releases": [dict(BLUE, port=0)]}, "release blue has the port 0"),
    ({"stable": None}, "stable is '', expected one of the releases (blue, green)"),
    ({"candidate": "red"}, "candidate is 'red'"),
    ({"candidate": "blue"}, "candidate and stable are both 'blue'"),
    ({"weight": 5}, "weight is 5 without a candidate"),
    ({"candidate": "green", "weight": 101}, "weight is 101, expected 0 to 100"),
    ({"candidate": "green", "weight": -1}, "weight is -1"),
    ({"serve": "fallback"}, "fallback has no server"),
    ({"keepalive_idle": 5}, "a server that closes first breaks the request"),
    ({"client_burst": 5}, "client_burst is 5 without client_rate"),
    ({"client_key": ""}, "client_key is ''"),
    ({"client_key": "header:"}, "expected address, header:NAME or cookie:NAME"),
    ({"sticky_key": "cookie:a-b"}, "sticky_key is 'cookie:a-b'"),
    ({"fallback": [{"host": "a b", "port": 80}]}, "fallback has the host 'a b'"),
    ({"fallback": [{"host": "::1", "port": 70000}]}, "fallback ::1 has the port 70000"),
    ({"resolver": "dns.example"}, "resolver is 'dns.example'"),
    ({"tester_networks": ["everybody"], "tester_header": "X-R"}, "tester_networks has 'everybody'"),
    ({"tester_header": "X-R"}, "belong together"),
    ({"tester_networks": ["192.0.2.0/24"]}, "belong together"),
    ({"trusted_proxies": ["192.0.2.1/24"]}, "trusted_proxies has '192.0.2.1/24'"),
    ({"server_names": ["*.*.org"]}, "server_names has '*.*.org'"),
    ({"probe_path": "health"}, "probe_path is 'health'"),
    ({"health_url": "https://127.0.0.1:8080"}, "health_url is"),
    ({"health_url": "http://localhost:8080"}, "health_url is"),
    ({"access_log": "syslog:x"}, "access_log is"),
    ({"mirror_share": 5}, "expected both or neither"),
    ({"mirror_share": 5, "mirror_release": "red"}, "mirror_release is 'red'"),
    ({"certificate": "/a"}, "certificate and certificate_key belong together"),
    ({"certificate": "/a b", "certificate_key": "/c"}, "certificate is '/a b'"),
])
def test_each_problem_is_said(changes, words):
    found = problems(**changes)
    assert [line for line in found if words in line], found


@pytest.mark.parametrize("option, least, most, unit", BOUNDS)
def test_bounds_are_said_with_their_unit(option, least, most, unit):
    for value in (least - 1, most + 1):
        assert [line for line in problems(**{option: value}) if line.startswith("%s is %d, expected %d to %d (%s)" % (option, value, least, most, unit))]


def test_all_problems_are_said_at_once():
    found = problems(name="-", generation=-1, stable="x", weight=300, client_key="y", port=0, mirror_share=1, certificate="/a", probe_path="")
    assert len(found) == 9
    with pytest.raises(BadTraffic, match="the traffic of - cannot be meant: name is .*; generation is "):
        parse(dict(GOOD, name="-", generation=-1))


TEXTS = [name for name, option in SPEC.items() if option["type"] in ("str", "path") and "choices" not in option
         and name not in ("folder", "config", "nginx", "unit", "pid_file", "health_url", "resolver")]


@given(st.sampled_from(TEXTS), st.text(max_size=8), st.sampled_from(";{}\"'$\\# \n\t"), st.text(max_size=8))
def test_nothing_that_nginx_would_read_as_syntax_gets_through(option, before, sign, after):
    value = before + sign + after
    assert problems(**{option: value})
    assert problems(releases=[dict(BLUE, host=value)]) and problems(releases=[dict(BLUE, name=value)], stable=value)
    assert problems(server_names=[value]) and problems(client_key="header:" + value) and problems(client_key="cookie:" + value)
    assert problems(tester_header="X-R", tester_networks=[value]) and problems(fallback=[{"host": value, "port": 80}])


@given(st.integers(0, 100))
def test_shares_are_whole_and_the_candidates_comes_first(weight):
    found = shares(Routing("releases", "blue", "green", weight))
    assert sum(percent for dummy, percent in found) == 100 and all(percent > 0 for dummy, percent in found)
    assert dict(found).get("green", 0) == weight and (not weight or found[0][0] == "green")


def test_shares_of_a_service_without_its_releases():
    assert shares(Routing("nobody", "blue", "green", 5)) == ()
    assert shares(Routing("fallback", "blue", "green", 5)) == ((FALLBACK, 100),)
