# Copyright (c) 2026, ironrack.cluster contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The role llm_service: who may reach pods, what the balancers keep, and that they are given every option."""
from __future__ import annotations

from pathlib import Path

import yaml
from ansible_collections.ironrack.cluster.plugins.modules import nginx_upstream

ROLE = Path(__file__).resolve().parents[3] / "roles" / "llm_service"
CLUSTER = {"groups": {"load_balancers": ["lb1", "lb2"], "monitoring": ["ops1", "lb2"]}, "endpoint": {"port": 6443},
           "hosts": {name: {"address": "192.0.2.%d" % number} for number, name in enumerate(("lb1", "lb2", "ops1"), 1)}}


def test_the_balancers_and_monitoring_hosts_may_reach_the_pods_and_who_was_named(expression):
    found = expression("llm_service", CLUSTER, "{{ __llm_service_networks }}", llm_service_peers=["198.51.100.0/24"])
    assert found == ["192.0.2.1", "192.0.2.2", "192.0.2.3", "198.51.100.0/24"]


def test_the_ports_that_balancers_need_are_taken(expression):
    assert [one["port"] for one in expression("llm_service", CLUSTER, "{{ __llm_service_taken }}")] == [6443, 8080, 9100, 9145]


def test_the_balancer_is_given_every_option():
    tasks = yaml.safe_load((ROLE / "tasks" / "service.yml").read_text())
    given = tasks[-1]["ironrack.cluster.nginx_upstream"]
    # The record's, not the description's.
    assert "__llm_service_record.record.serve" in given.pop("note")
    assert given == {name: "{{ __llm_service_upstream.%s }}" % name for name in given} and set(given) == set(nginx_upstream.SPEC) - {"state", "note"}
