# Copyright (c) 2026, ironrack.cluster contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The host's own packet filter: what each kind of host opens, and to whom."""
from __future__ import annotations

import pathlib

import pytest
import yaml

from ansible_collections.ironrack.cluster.plugins.plugin_utils._model.model import derive

ROOT = pathlib.Path(__file__).resolve().parents[3]
RELEASE = yaml.safe_load((ROOT / "playbooks/vars/releases/1.36.4.yml").read_text())
HOSTS = {"ops1": "10.77.0.5", "lb1": "10.77.0.11", "lb2": "10.77.0.12", "cp1": "10.77.0.21", "e1": "10.77.1.41", "gpu1": "10.77.0.31", "gpu2": "10.78.0.32"}
GROUPS = {"mirror": ["ops1"], "load_balancers": ["lb1", "lb2"], "etcd": ["e1"], "control_plane": ["cp1"], "workers": ["gpu1", "gpu2"]}


def model(groups=None, **variables):
    hosts = {name: {"ansible_host": address} for name, address in HOSTS.items()}
    values = dict({"cluster_vip": "10.77.0.10", "cluster_host_firewall": True}, **variables)
    derived = derive(hosts, dict(GROUPS, **(groups or {})), values, {"1.36.4": RELEASE})
    assert not derived.problems, derived.problems
    return derived.model


@pytest.fixture
def rules(expression):
    """The rules of a host's input chain, without comments."""
    def rendered(cluster, host, **variables):
        text = expression("host", cluster, (ROOT / "roles/host/templates/firewall.nft.j2").read_text(), host, **variables)
        assert text.count("{") == text.count("}")
        # One transaction, on a table of our own: nothing of kube-proxy's or the pod network's goes with it.
        lines = [line for line in text.splitlines() if line and not line.startswith("#")]
        assert lines[:3] == ["table inet ironrack_host", "delete table inet ironrack_host", "table inet ironrack_host {"]
        assert "flush ruleset" not in text and text.count("hook ") == 1 and "hook input" in text
        return [line.strip() for line in lines[5:-2] if not line.strip().startswith("#")]

    return rendered


INTERNAL = "ip saddr { 10.77.0.0/23, 10.78.0.0/24 }"


@pytest.mark.parametrize("host, opened", [
    ("ops1", [INTERNAL + " tcp dport { 8443, 5000 } accept"]),
    ("lb1", ["tcp dport { 6443, 8080 } accept", "ip saddr { 10.77.0.11, 10.77.0.12 } meta l4proto 112 accept # VRRP"]),
    ("cp1", [INTERNAL + " tcp dport 6443 accept", INTERNAL + " tcp dport { 10250, 10256 } accept", INTERNAL + " udp dport 8472 accept",
             "tcp dport 30000-32767 accept", "udp dport 30000-32767 accept"]),
    ("e1", ["ip saddr { 10.77.0.21, 10.77.1.41 } tcp dport 2379 accept", "ip saddr { 10.77.1.41 } tcp dport 2380 accept"]),
    ("gpu1", [INTERNAL + " tcp dport { 10250, 10256 } accept", INTERNAL + " udp dport 8472 accept", "tcp dport 30000-32767 accept",
              "udp dport 30000-32767 accept"])])
def test_a_host_opens_what_its_groups_need(rules, host, opened):
    found = rules(model(), host)
    assert found[:7] == [
        "ct state established,related accept", "ct state invalid drop", "iif lo accept", "meta l4proto { icmp, ipv6-icmp } accept",
        "tcp dport { 22 } accept", "udp dport { 68, 546 } accept", "ip saddr { 10.244.0.0/16, 10.96.0.0/16 } accept"]
    assert found[7:] == opened


def test_the_port_that_ansible_comes_by_stays_open(rules):
    assert "tcp dport { 22, 2222 } accept" in rules(model(), "gpu1", ansible_port=2222)


def test_without_balancers_the_api_is_for_everybody(rules):
    assert "tcp dport 6443 accept" in rules(model({"load_balancers": []}, cluster_vip="", cluster_endpoint="10.77.0.21"), "cp1")


def test_a_site_adds_rules_and_names_its_networks(rules):
    own = "ip saddr 192.0.2.0/24 tcp dport 9100 accept"
    found = rules(model(cluster_host_firewall_networks=["10.64.0.0/10"]), "gpu1", host_firewall_rules=[own])
    assert found[-1] == own and "ip saddr { 10.64.0.0/10 } udp dport 8472 accept" in found


def test_a_new_worker_changes_no_rule_of_the_others(rules):
    few, more = model({"workers": ["gpu2"]}), model()
    assert few["firewall"] == more["firewall"]


@pytest.mark.parametrize("probe, units", [({"firewall": False}, []), ({"firewall": True}, ["stopped"]), ({}, ["stopped"])],
                         ids=["never on", "switched off", "not looked at"])
def test_it_is_off_by_default_and_switched_off_where_it_was_on(expression, probe, units):
    looked = {"preflight_host": {"probe": probe}} if probe else {}
    found = expression("host", model(cluster_host_firewall=False), "{{ __host_units }}", "gpu1", **looked)
    assert [unit["state"] for unit in found] == units
    on = expression("host", model(), "{{ __host_units }}", "gpu1", **looked)
    assert [(unit["name"], unit.get("state")) for unit in on] == [("ironrack-firewall.service", None)]
