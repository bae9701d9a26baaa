# Copyright (c) 2026, ironrack.cluster contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Every refusal of the model is turned red by one small change to a good inventory."""
from __future__ import annotations

import copy
import socket
import time
from pathlib import Path

import pytest
import yaml

from ansible_collections.ironrack.cluster.plugins.plugin_utils._model.checks import CHECKS
from ansible_collections.ironrack.cluster.plugins.plugin_utils._model.model import derive
from ansible_collections.ironrack.cluster.plugins.plugin_utils._model.opensearch import placeable
from ansible_collections.ironrack.cluster.plugins.plugin_utils._model.problems import report
from ansible_collections.ironrack.cluster.plugins.plugin_utils._model.settle import settle
from ansible_collections.ironrack.cluster.plugins.plugin_utils._model.variables import BY_NAME

OPENSEARCH = {"opensearch-" + version: {"version": version, "files": [], "plugins": plugins} for version, plugins in (
    ("3.4.0", ["repository-s3"]), ("2.19.4", []))}
RELEASES = {"1.36.4": {"version": "1.36.4", "components": OPENSEARCH, "images": []}, "1.35.4": {"version": "1.35.4"}}
HOSTS = {
    "ops1": ("10.77.0.5", "a", ["mirror"]), "lb1": ("10.77.0.11", "a", ["load_balancers"]), "lb2": ("10.77.0.12", "b", ["load_balancers"]),
    "cp1": ("10.77.0.21", "a", ["etcd", "control_plane"]), "cp2": ("10.77.0.22", "b", ["etcd", "control_plane"]),
    "cp3": ("10.77.0.23", "c", ["etcd", "control_plane"]), "gpu1": ("10.77.0.31", "a", ["workers", "gpu_workers"]),
    "gpu2": ("10.77.0.32", "b", ["workers", "gpu_workers"]), "gpu3": ("10.77.0.33", "c", ["workers", "gpu_workers"]),
}


class Inventory:
    """A good inventory that a case makes a bad one of."""

    def __init__(self):
        self.hosts = {name: {"ansible_host": address, "zone": zone} for name, (address, zone, dummy) in HOSTS.items()}
        self.groups = {"all": list(HOSTS)}
        for name, (dummy, dummy2, groups) in HOSTS.items():
            for group in groups:
                self.groups.setdefault(group, []).append(name)
        self.variables = {"cluster_vip": "10.77.0.10"}
        self.options = {}

    def drop(self, *names):
        for members in self.groups.values():
            members[:] = [name for name in members if name not in names]
        return self

    def set(self, **variables):
        self.variables.update(variables)
        return self

    def host(self, name, **variables):
        self.hosts[name].update(variables)
        return self

    def rename(self, old, new):
        self.hosts[new] = self.hosts.pop(old)
        for members in self.groups.values():
            members[:] = [new if name == old else name for name in members]
        return self

    def add(self, group, *names):
        self.groups.setdefault(group, []).extend(names)
        return self

    def files(self, text):
        self.options["sources"] = {"hosts.yml": text}
        return self

    def derive(self):
        return derive(copy.deepcopy(self.hosts), copy.deepcopy(self.groups), self.variables, RELEASES, **self.options)


CASES = yaml.safe_load((Path(__file__).resolve().parents[2] / "cases" / "preflight_inventory.yml").read_text())
SECRET = "hunter2"


@pytest.fixture(autouse=True)
def fixture_no_connection(monkeypatch):
    """An inventory is judged while any host is away: nothing here may even try."""
    def refuse(*dummy, **dummies):
        raise AssertionError("a connection was tried")

    monkeypatch.setattr(socket, "socket", refuse)
    monkeypatch.setattr(socket, "getaddrinfo", refuse)


def spoilt(*changes):
    """:returns: the good inventory with the changes of cases."""
    inventory = Inventory()
    for change in changes:
        inventory.drop(*change.get("drop", ())).set(**change.get("set", {}))
        inventory.groups.update(copy.deepcopy(change.get("groups", {})))
        for name, variables in change.get("host", {}).items():
            inventory.host(name, **variables)
        for old, new in change.get("rename", {}).items():
            inventory.rename(old, new)
        for group, names in change.get("add", {}).items():
            inventory.add(group, *names)
        if "limit" in change:
            inventory.options["limit"] = change["limit"]
        inventory.options.setdefault("sources", {}).update(change.get("files", {}))
    return inventory


def fits(problem, case):
    return problem.check == case["check"] and all(
        words in told for words, told in zip(case["says"], (problem.where, problem.what, problem.expected, problem.mend)))


@pytest.mark.parametrize("case", CASES, ids=[case["name"] for case in CASES])
def test_a_bad_inventory_is_refused(case):
    derived = spoilt(case["change"]).derive()
    assert derived.model is None
    assert len(case["says"]) == 4
    assert any(fits(problem, case) for problem in derived.problems), report(derived.problems)
    assert SECRET not in report(derived.problems)


def test_cases_differ_and_every_check_has_one():
    assert len({case["name"] for case in CASES}) == len({str(case["change"]) for case in CASES}) == len(CASES)
    found_while_reading = {"types", "unknown_variable", "one_value", "host_address"}
    assert {check.name for check in CHECKS} | found_while_reading == {case["check"] for case in CASES}


def test_refusals_do_not_hide_each_other():
    cases = {case["name"]: case for case in CASES}
    chosen = [cases[name] for name in (
        "two etcd members", "a port that is a word", "a zone with a space", "a group of kubespray", "a mistyped variable", "pods and services overlap",
        "a release that is not there", "a proxy without a scheme", "the registry's password", "a private key", "an authority without its key")]
    derived = spoilt(*[case["change"] for case in chosen]).derive()
    assert [case["name"] for case in chosen if not any(fits(problem, case) for problem in derived.problems)] == []
    assert "%d things to mend" % len(derived.problems) in report(derived.problems)


def test_all_that_is_wrong_with_dashboards_is_told_at_once():
    archive = {"url": "https://me:%s@files.example.org/opensearch-dashboards-2.19.4.tar.gz" % SECRET}
    inventory = Inventory().add("opensearch_dashboards", "lb1").set(cluster_profile="production", cluster_opensearch_dashboards_archive=archive)
    problems = inventory.derive().problems
    assert [(problem.check, problem.where) for problem in problems] == [
        ("dashboards_have_opensearch", "group opensearch_dashboards"), ("dashboards_archive_given", "cluster_opensearch_dashboards_archive, url"),
        ("dashboards_archive_given", "cluster_opensearch_dashboards_archive, sha256"), ("dashboards_version_fits", "cluster_opensearch_dashboards_archive"),
        ("dashboards_beside_no_balancer", "hosts lb1"), ("production_dashboards_redundant", "group opensearch_dashboards")]
    assert SECRET not in report(problems)


def test_a_named_endpoint_needs_no_port():
    inventory = Inventory().set(cluster_endpoint="api.example.org")
    assert inventory.derive().problems == []
    assert [problem.check for problem in inventory.set(cluster_endpoint="cp1").derive().problems] == ["endpoint_name_free"]


@pytest.mark.parametrize("text", [
    "cluster_registry: {url: x, password: !vault '$ANSIBLE_VAULT;1.1;AES256 61'}", "ansible_password: '{{ lookup(\"env\", \"SUDO\") }}'",
    "cluster_registry:\n  password: '{{ vault_password }}'", "ansible_become_pass:", "ansible_become_pass: ''", "# ansible_password: x",
    "$ANSIBLE_VAULT;1.1;AES256\n616e7369626c655f70617373776f7264", "site_note: the ansible_password is asked for", "cluster_registry: {username: me}",
    "[all:vars]\nansible_password=\"{{ lookup('env', 'SUDO') }}\"", "[all:vars]\n# ansible_password=x", "cp1 ansible_password=''"])
def test_what_is_no_secret_in_clear_text(text):
    assert Inventory().files(text).derive().problems == []


def test_a_host_in_several_groups_has_one_address():
    text = "etcd: {hosts: {cp1: {ansible_host: 1.1.1.1}}}\nworkers: {hosts: {cp1: , cp2: {ansible_host: 1.1.1.2}}}\nx: {hosts: {cp1: {ansible_host: 1.1.1.1}}}"
    assert Inventory().files(text).derive().problems == []


@pytest.mark.parametrize("zones, told", [
    ("abc", False), ("abcab", False), ("aaabc", True), ("aab", True), ("aaa", True), ("ab", True), ("a", True)])
def test_production_survives_the_loss_of_any_zone_or_says_which(zones, told):
    check = next(one for one in CHECKS if one.name == "production_etcd_survives_a_zone")
    found = list(check.run(plan_of(zones), {}))
    survivors = [len(zones) - zones.count(zone) >= len(zones) // 2 + 1 for zone in set(zones)]
    assert bool(found) == (not all(survivors)) == told


@pytest.mark.parametrize("zones, replicas, placed", [
    ("abc", 1, 2), ("abc", 2, 3), ("abc", 3, 3), ("aab", 1, 2), ("aab", 2, 3), ("aaab", 3, 3), ("aabb", 3, 4), ("aaa", 2, 3), ("a", 1, 1), ("abccc", 4, 4)])
def test_copies_find_a_place_where_forced_awareness_lets_them(zones, replicas, placed):
    names = ["o%d" % number for number in range(len(zones))]
    raw = {name: {"ansible_host": "192.0.2.%d" % (number + 1), "zone": zones[number]} for number, name in enumerate(names)}
    plan = settle(raw, {"opensearch_data": names, "opensearch_managers": names}, {"opensearch_index_replicas": replicas})[0]
    assert placeable(plan) == placed


def plan_of(zones):
    names = ["e%d" % number for number in range(len(zones))]
    raw = {name: {"ansible_host": "192.0.2.%d" % (number + 1), "zone": zones[number]} for number, name in enumerate(names)}
    return settle(raw, {"etcd": names}, {"cluster_profile": "production"})[0]


def test_other_profiles_leave_zones_alone():
    assert spoilt({"host": {name: {"zone": "a"} for name in HOSTS}}).derive().problems == []
    assert Inventory().set(cluster_profile="production").derive().problems == []


def test_a_thousand_hosts_are_judged_in_seconds():
    inventory = Inventory().set(cluster_pod_cidr="10.128.0.0/13")
    lines = ["workers:", "  hosts:"]
    for number in range(1000):
        name, address = "w%d" % number, "10.77.%d.%d" % (16 + number // 250, number % 250 + 1)
        inventory.hosts[name] = {"ansible_host": address, "zone": "abc"[number % 3], "cluster_node_labels": {"example.com/rack": "r%d" % (number // 40)}}
        inventory.add("all", name).add("workers", name)
        lines += ["    %s:" % name, "      ansible_host: %s" % address, "      ansible_become_pass: '{{ vault }}'"]
    inventory.files("\n".join(lines)).host("w999", zone="no zone")
    began = time.process_time()
    problems = inventory.derive().problems
    assert time.process_time() - began < 10
    assert [problem.where for problem in problems] == ["host w999, zone"]


def test_checks_need_variables_that_exist():
    assert {name for check in CHECKS for name in check.needs} <= set(BY_NAME)


def test_a_good_inventory_has_no_problem():
    derived = Inventory().derive()
    assert (derived.problems, derived.warnings) == ([], [])


def test_all_problems_come_at_once():
    inventory = Inventory().set(cluster_vip="nonsense", cluster_mtu="big", cluster_pod_cidr="10.96.0.0/12")
    inventory.groups["etcd"].pop()
    derived = inventory.derive()
    assert {problem.where for problem in derived.problems} >= {"cluster_vip", "cluster_mtu", "group etcd"}
    assert "4 things to mend" in report(derived.problems)


def test_a_wrong_value_raises_no_second_problem():
    assert len(Inventory().set(cluster_vip="10.77.0.300").derive().problems) == 1


@pytest.mark.parametrize("name", [
    "lonely_variable", "cluster_of_another_collection", "cluster_state", "cluster_exists", "cluster_summary", "cluster_health_wait",
    "cluster_addons_coredns_replicas"])
def test_other_variables_are_left_alone(name):
    assert Inventory().set(**{name: 1}).derive().problems == []


def test_hosts_of_no_group_are_told():
    derived = Inventory().add("all", "printer").derive()
    assert derived.problems == []
    assert "printer" in derived.warnings[0]
    assert "printer" not in derived.model["hosts"]


def test_text_of_surveys_is_read():
    model = Inventory().set(cluster_api_port="7443", cluster_packages_from_mirror="no", cluster_extra_sans="a.example.com, 192.0.2.9").derive().model
    assert model["endpoint"]["port"] == 7443
    assert model["packages_from_mirror"] is False
    assert {"a.example.com", "192.0.2.9"} <= set(model["apiserver_sans"])
