# Copyright (c) 2026, ironrack.cluster contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The role's variables and templates, rendered by Ansible's own templating."""
from __future__ import annotations

import json
import pathlib

import pytest
from ansible.parsing.dataloader import DataLoader
from ansible.template import Templar, trust_as_template

ROLE = pathlib.Path(__file__).parents[3] / "roles" / "load_balancer"


def model(balancers=2, **changes):
    names = ["lb%d" % number for number in range(1, balancers + 1)]
    hosts = {name: {"name": name, "address": "10.77.0.%d" % (10 + index)} for index, name in enumerate(names, 1)}
    value = {
        "source": "mirror",
        "hosts": hosts,
        "groups": {"load_balancers": names},
        "endpoint": {"host": "10.77.0.10", "port": 6443, "kind": "vip", "vip": "10.77.0.10", "vip_prefix": 24},
        "api_servers": [{"name": "cp%d" % number, "address": "10.77.0.2%d" % number, "port": 6443} for number in (1, 2, 3)],
        "network": {"family": "ipv4", "interface": "eth0"},
    }
    value.update(changes)
    return value


def templar(cluster=None, host="lb1", **variables):
    loader = DataLoader()
    cluster = cluster or model()
    known = {"inventory_hostname": host, "cluster": cluster, "this_host": cluster["hosts"][host], "ansible_facts": {}}
    for part in ("defaults", "vars"):
        known.update(loader.load_from_file(str(ROLE / part / "main.yml"), trusted_as_template=True))
    known.update(variables)
    return Templar(loader=loader, variables=known)


def render(name, **options):
    return templar(**options).template(
        trust_as_template((ROLE / "templates" / name).read_text()), overrides={"trim_blocks": True, "lstrip_blocks": False})


def value(expression, **options):
    return templar(**options).template(trust_as_template("{{ %s }}" % expression))


def test_nginx_forwards_the_endpoint_to_the_servers_of_the_include_file():
    text = render("nginx.conf.j2")
    assert "listen 6443 backlog=4096" in text
    assert "include /etc/ironrack/nginx/api-servers.conf;" in text
    assert "proxy_connect_timeout 200ms;" in text
    assert "worker_shutdown_timeout 600s;" in text
    assert "modules-enabled" not in text
    assert text.count("{") == text.count("}")


def test_the_distributions_nginx_loads_its_stream_module():
    text = render("nginx.conf.j2", cluster=model(source="upstream"))
    assert "include /etc/nginx/modules-enabled/*.conf;" in text
    assert value("__load_balancer_test", cluster=model(source="upstream"))[0] == "/usr/sbin/nginx"


def test_the_health_daemon_starts_before_nginx_which_needs_its_file():
    assert [unit["name"] for unit in value("__load_balancer_units")] == ["ironrack-balancer-health.service", "ironrack-nginx.service"]


def test_ipv6_listens_on_ipv6():
    text = render("nginx.conf.j2", cluster=model(network={"family": "ipv6", "interface": "eth0"}))
    assert "listen [::]:6443 " in text
    assert "listen [::]:8080;" in text


def test_the_daemons_settings_are_json_with_numbers():
    settings = json.loads(render("balancer-health.json.j2"))
    assert settings["interval"] == 0.5
    assert settings["servers"][2] == {"name": "cp3", "address": "10.77.0.23", "port": 6443}
    assert settings["test"] == ["/usr/local/sbin/nginx", "-t", "-q", "-c", "/etc/ironrack/nginx/nginx.conf"]


def test_passive_avoidance_outlasts_detection():
    settings = json.loads(render("balancer-health.json.j2"))
    detection = settings["interval"] + settings["fall"] * settings["timeout"] + settings["debounce"]
    assert detection < value("load_balancer_fail_timeout")


@pytest.mark.parametrize("balancers", [1, 2, 3, 7, 40])
def test_priorities_are_distinct_and_valid_for_any_number_of_balancers(balancers):
    priorities = []
    for number in range(1, balancers + 1):
        text = render("keepalived.conf.j2", cluster=model(balancers), host="lb%d" % number)
        priorities.append(int(text.split("    priority ")[1].split()[0]))
    assert len(set(priorities)) == balancers
    assert priorities == sorted(priorities, reverse=True)
    assert min(priorities) >= 1 and max(priorities) <= 254


def test_keepalived_speaks_to_the_other_balancers_only():
    text = render("keepalived.conf.j2", host="lb2")
    assert "unicast_src_ip 10.77.0.12" in text
    assert text.split("unicast_peer {")[1].split("}")[0].split() == ["10.77.0.11"]
    assert "10.77.0.10/24 dev eth0" in text
    assert "vrrp_version 3" in text and "advert_int 0.1\n" in text
    assert "nopreempt" in text
    assert text.count("{") == text.count("}")


def test_a_lone_balancer_has_no_peers():
    assert "unicast" not in render("keepalived.conf.j2", cluster=model(1))


def test_the_guard_of_generations_has_its_page_and_its_word_where_pods_are_reached():
    for switched_on in (False, True):
        cluster = model(pod_access=switched_on)
        keepalived, nginx = render("keepalived.conf.j2", cluster=cluster), render("nginx.conf.j2", cluster=cluster)
        assert ("location = /balancer-traffic.json {" in nginx) is switched_on
        # Without a weight it means FAULT, as that of NGINX does; a quoted mark of exclamation begins no comment of keepalived's.
        assert ('script "/usr/bin/test ! -e /run/ironrack/vip-left-to-others"' in keepalived) is switched_on
        tracked = keepalived.split("track_script {")[1].split("}")[0].split()
        assert tracked == ["nginx_answers"] + ["not_left_to_others"] * switched_on
        assert keepalived.count("{") == keepalived.count("}") and nginx.count("{") == nginx.count("}")


def test_the_interface_is_found_by_the_hosts_address():
    facts = {
        "interfaces": ["lo", "eno1", "eno2"],
        "default_ipv4": {"interface": "eno1", "address": "192.0.2.7"},
        "eno1": {"device": "eno1", "ipv4": {"address": "192.0.2.7"}},
        "eno2": {"device": "eno2", "ipv4": {"address": "10.77.0.11"}},
        "lo": {"device": "lo", "ipv4": {"address": "127.0.0.1"}},
    }
    unnamed = model(network={"family": "ipv4", "interface": ""})
    assert value("__load_balancer_vip_interface", cluster=unnamed, ansible_facts=facts) == "eno2"
    behind_nat = dict(facts, eno2={"device": "eno2"})
    assert value("__load_balancer_vip_interface", cluster=unnamed, ansible_facts=behind_nat) == "eno1"
    assert value("__load_balancer_vip_interface", cluster=unnamed, ansible_facts=facts, load_balancer_interface="bond0") == "bond0"


def test_documented_defaults_are_the_defaults():
    loader = DataLoader()
    options = loader.load_from_file(str(ROLE / "meta" / "argument_specs.yml"))["argument_specs"]["main"]["options"]
    documented = {name: option["default"] for name, option in options.items() if "default" in option}
    assert documented == loader.load_from_file(str(ROLE / "defaults" / "main.yml"))


def test_every_file_has_its_template_or_source():
    for entry in value("__load_balancer_files + __load_balancer_vip_files"):
        if entry.get("state") != "directory":
            folder = "templates" if "template" in entry else "files"
            assert (ROLE / folder / entry.get("template", entry.get("src"))).is_file()
            if "template" in entry:
                assert render(entry["template"])
