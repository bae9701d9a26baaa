# Copyright (c) 2026, ironrack.cluster contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Values for the roles are judged by the roles' own argument specs, all of them, before any host is reached."""
from __future__ import annotations

from pathlib import Path

import pytest
import yaml
from ansible_collections.ironrack.cluster.plugins.plugin_utils._model import role_options

ROOT = Path(__file__).resolve().parents[4]
SPECS = {path.parent.parent.name: yaml.safe_load(path.read_text())["argument_specs"] for path in (ROOT / "roles").glob("*/meta/argument_specs.yml")}
OPTIONS = role_options.documented(SPECS)


def judged(values, near=None):
    return role_options.problems(values, near or {}, OPTIONS)


def test_the_options_of_every_role_are_there_and_the_models_are_not():
    assert {"host_sysctl", "load_balancer_idle_timeout", "etcd_quota_backend_bytes", "mirror_bundle", "cluster_health_wait"} <= set(OPTIONS)
    assert not {"cluster_registry", "pki_bundle_files", "cluster"}.intersection(OPTIONS)


@pytest.mark.parametrize(("name", "value", "what", "expected"), [
    ("load_balancer_missed_adverts", "five", "unable to convert to int", "a value of type int"),
    ("host_packages", {"a": 1}, "unable to convert to list", "list of str"),
    ("host_sysctl", "a", "dictionary requested", "a value of type dict"),
    ("host_limits", [{"domain": "*", "item": "nofile"}], "missing required arguments: value", "list of dict"),
    ("host_limits", [{"domain": "*", "item": "nofile", "value": "1", "sort": "soft"}], "sort", "list of dict"),
    ("cluster_health_enforce", "sometimes", "value of cluster_health_enforce must be one of", "one of "),
])
def test_a_wrong_value_is_told_with_what_is_expected(name, value, what, expected):
    (problem,) = judged({"lb1": {name: value}, "lb2": {name: value}})
    assert (problem.check, problem.where) == ("role_options", "%s (lb1, lb2)" % name)
    assert what in problem.what and expected in problem.expected and problem.mend


def test_all_are_told_at_once_and_hosts_apart_where_they_differ():
    found = judged({"lb1": {"load_balancer_missed_adverts": "x", "host_swap": "perhaps"}, "lb2": {"load_balancer_missed_adverts": "y"}})
    assert sorted(problem.where for problem in found) == [
        "host_swap (lb1)", "load_balancer_missed_adverts (lb1)", "load_balancer_missed_adverts (lb2)"]


def test_what_ansible_itself_would_convert_is_no_problem():
    assert judged({"lb1": {"load_balancer_missed_adverts": "5", "host_swap": "no", "host_packages": "a,b", "load_balancer_advert_interval": "0.2"}}) == []


def test_a_secret_is_not_repeated():
    options = {"x_key": {"type": "int", "no_log": True}}
    (problem,) = role_options.problems({"a": {"x_key": "geheim"}}, {}, options)
    assert "geheim" not in " ".join(problem) and problem.what == "the value is of another form"


@pytest.mark.parametrize(("name", "option"), [
    ("load_balancer_idle_timout", "load_balancer_idle_timeout"), ("host_sysctls", "host_sysctl"), ("etcd_elektion_timeout", "etcd_election_timeout"),
    ("host_sysctl", ""), ("host_name", ""), ("etcd_version", ""), ("worker_shifts", ""), ("ansible_host", ""), ("host_firewall_rules_extra", ""),
    ("cluster_registry", ""),
])
def test_a_mistyped_name_is_told_and_a_sites_own_is_not(name, option):
    assert role_options.meant(name, SPECS, OPTIONS) == option


def test_a_mistyped_name_is_a_problem():
    (problem,) = judged({}, {"lb1": {"host_sysctls": "host_sysctl"}})
    assert (problem.check, problem.where, problem.mend) == ("unknown_variable", "host_sysctls (lb1)", "did you mean host_sysctl?")
