# Copyright (c) 2026, ironrack.cluster contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Recorded probes of hosts and what they lead to, from the probe's values to the verdict's words."""
from __future__ import annotations

import copy
import time
from pathlib import Path

import pytest
import yaml

from ansible_collections.ironrack.cluster.plugins.module_utils._preflight.decide import CHECKS, Wants, decide, ports
from ansible_collections.ironrack.cluster.plugins.plugin_utils._preflight.verdict import COMPARED, judge

DATA = yaml.safe_load((Path(__file__).resolve().parents[2] / "cases" / "preflight_hosts.yml").read_text())
CASES, PARTS = DATA["cases"], DATA["parts"]
ADDRESSES = {host: "192.0.2.%d" % number for number, host in enumerate(PARTS, 1)}
SERVERS = ("192.0.2.10:7443", "192.0.2.1:6443")
AUTHORITY = {"name": "etcd-ca", "cert": "/etc/site/ca.crt", "key": "/etc/site/ca.key", "chain": "", "missing": [], "unreadable": "", "is_ca": True,
             "key_fits": True, "ended": "", "begins": "", "issuer": "", "leads_to_root": True, "other_than_store": False}


def merged(good, change):
    for key, value in change.items():
        good[key] = merged(good[key], value) if isinstance(value, dict) and isinstance(good.get(key), dict) else value
    return good


def probe(host, **change):
    good = dict(copy.deepcopy(DATA["recorded"]), machine_id="id-of-" + host, addresses=["127.0.0.1", ADDRESSES[host], "::1"])
    good["store"] = True if "pki" in PARTS[host] else None
    made = merged(good, change)
    made["authorities"] = [dict(AUTHORITY, **authority) for authority in made["authorities"]]
    return made


def wants(host, **change):
    return Wants(ADDRESSES[host], tuple(PARTS[host]), "standard", 6443, 7443, SERVERS, False, "1.36.4")._replace(**change)


def results(*cases):
    """:returns: host -> what preflight_probe returns for it, with the changes of the cases."""
    found = {}
    for host in PARTS:
        change, asked = {}, {}
        for case in cases:
            change.update(case.get("change", {}).get(host, {}))
            asked.update(case.get("wants", {}).get(host, {}))
        seen = probe(host, **copy.deepcopy(change))
        seen["time"] = 1000.0 + sum(case.get("ahead", {}).get(host, 0) for case in cases)
        found[host] = {"probe": seen, "controller_time": [999.9, 1000.1], "problems": decide(seen, wants(host, **asked))}
        if any(host in case.get("nothing", ()) for case in cases):
            found[host] = None
    return found


def fits(told, case):
    host, problem = told
    return (host, problem["check"]) == (case["host"], case["check"]) and all(
        words in problem[name] for words, name in zip(case["says"], ("what", "expected", "mend")))


@pytest.mark.parametrize("case", CASES, ids=[case["name"] for case in CASES])
def test_a_bad_host_is_refused(case):
    verdict = judge(results(case))
    assert not verdict.ok
    assert len(case["says"]) == 3
    assert any(fits(told, case) for told in verdict.problems), verdict.text
    told = next(problem for told in verdict.problems for problem in told[1:] if fits(told, case))
    assert "%s:\n" % case["host"] in verdict.text
    assert "%s [%s]. Expected: %s. To mend it: %s" % (told["what"], told["check"], told["expected"], told["mend"]) in verdict.text


def test_good_hosts_have_no_problem():
    verdict = judge(results())
    assert (verdict.ok, verdict.problems, verdict.warnings, verdict.text) == (True, [], [], "6 hosts are fit for their parts")


def test_cases_differ_and_every_check_has_one():
    assert len({case["name"] for case in CASES}) == len(CASES)
    # The bundle's cases need files: test_preflight_bundle.py.
    assert {check.__name__ for check in CHECKS} | set(COMPARED) - {"bundle"} | {"not_probed"} == {case["check"] for case in CASES}


def test_refusals_do_not_hide_each_other():
    chosen = [case for case in CASES if case["name"] in (
        "no root", "too little memory", "etcd's port is taken", "an old Python", "too small a disk for the mirror", "a clock behind by hours",
        "few files for a service", "a kernel without VXLAN", "an authority that expired", "a downgrade of the API server",
        "an empty store beside a built cluster")]
    found = results(*chosen)
    found["w2"] = {"silent": "No route to host"}
    verdict = judge(found, bundle=[("it is damaged", "a whole one", "copy it")])
    assert [case["name"] for case in chosen if not any(fits(told, case) for told in verdict.problems)] == []
    assert verdict.unreachable == {"w2": "No route to host"}
    assert "w2:\n  - it cannot be reached: No route to host" in verdict.text and "the bundle:\n  - it is damaged" in verdict.text
    assert "5 of 7 hosts cannot take their part yet" in verdict.text


def test_all_unreachable_hosts_are_told():
    verdict = judge(dict(results(), **{"w%d" % number: {"silent": "timed out"} for number in range(2, 40)}))
    assert verdict.text.count("it cannot be reached: timed out") == 38


def test_a_thousand_hosts_are_judged_in_seconds():
    def made(number):
        seen = dict(probe("w1"), machine_id="id-%d" % number, time=1000.0, versions={"kubelet": "1.36.4"}, addresses=["192.0.2.3"])
        if number == 999:
            seen["memory_mib"] = 100
        return {"probe": seen, "controller_time": [999.9, 1000.1], "problems": decide(seen, wants("w1"))}

    began = time.process_time()
    verdict = judge({"h%d" % number: made(number) for number in range(1000)})
    assert time.process_time() - began < 10
    assert [host for host, dummy in verdict.problems] == ["h999"]


def test_a_built_cluster_passes():
    built = {}
    for host, parts in PARTS.items():
        held = [{"port": port, "address": "0.0.0.0", "process": names[0], "pid": "9"} for port, names in ports(wants(host)).items()]
        built[host] = {"listening": held, "etcd_formed": "etcd" in parts}
        if {"control_plane", "workers"}.intersection(parts):
            built[host].update(kubelet_server=SERVERS[0], versions={"api": "1.36.4" if "control_plane" in parts else "", "kubelet": "1.36.4"})
    assert judge(results({"change": built})).text == "6 hosts are fit for their parts"


@pytest.mark.parametrize("api, kubelets", [("1.35.4", "1.35.4"), ("1.35.4", "1.33.0"), ("1.36.4", "1.35.4"), ("1.36.4", "1.33.9"), ("1.36.3", "1.36.4")])
def test_an_upgrade_by_one_minor_is_no_problem_whatever_stage_it_is_in(api, kubelets):
    change = {host: {"kubelet_server": SERVERS[0], "versions": {"api": api if host[:2] == "cp" else "", "kubelet": kubelets}} for host in ("cp1", "cp2", "w1")}
    found = judge(results({"change": change}), accept=["another_minor"])
    assert found.problems == []
    # site.yml, which accepts nothing, makes no such step.
    assert bool(found.accepted) == (api < "1.36" or kubelets < "1.36")


@pytest.mark.parametrize("built, asked", [("fd00:77::21", "fd00:77:0::21"), ("10.244.0.0/16", "10.244.0.0/16"), ("ironrack", "ironrack")])
def test_what_is_only_spelt_differently_is_the_same(built, asked):
    assert decide(probe("w1", built={"cluster_node_address": built}), wants("w1", fixed={"cluster_node_address": asked})) == []


def test_a_host_of_another_cluster_is_not_taken_for_one_that_trusts_ours():
    verdict = judge(results({"change": {"ops1": {"store": False}, "w1": {"kubelet_server": "198.51.100.1:6443"}}}))
    assert [problem["check"] for dummy, problem in verdict.problems] == ["foreign_cluster"]


def test_who_may_not_look_into_the_store_is_not_told_that_it_is_empty():
    verdict = judge(results({"change": {"ops1": {"store": False, "uid": 1000}, "cp1": {"etcd_formed": True}}}))
    assert [problem["check"] for dummy, problem in verdict.problems] == ["root"]


def test_a_balancer_needs_no_node():
    bare = probe("lb1", cgroup={"version": 1, "controllers": []}, features={"overlay": False}, runtimes=["dockerd"], openssl="", memory_mib=800,
                 kubelet_server="198.51.100.1:6443", listening=[{"port": 10250, "address": "::", "process": "x", "pid": "1"}])
    assert decide(bare, wants("lb1")) == []


@pytest.mark.parametrize("system", [("debian", "13"), ("ubuntu", "22.04"), ("ubuntu", "24.04"), ("rhel", "9.6"), ("almalinux", "9")])
def test_known_systems(system):
    assert decide(probe("cp1", os={"ID": system[0], "VERSION_ID": system[1]}), wants("cp1")) == []


def test_the_lab_is_content_with_less():
    small = probe("cp1", memory_mib=2000, disks={"/var/lib/etcd": {"size_mib": 3000, "free_mib": 300}}, files={"limit": 20000})
    assert {problem["check"] for problem in decide(small, wants("cp1"))} == {"memory", "disk", "file_handles"}
    assert decide(small, wants("cp1", profile="lab")) == []


def test_cgroup_v1_where_the_kubelet_is_told_to_take_it():
    old = probe("w1", cgroup={"version": 1})
    assert decide(old, wants("w1", cgroup_v1=True)) == []


def test_what_the_kernel_does_not_tell_is_no_problem():
    assert decide(probe("w1", files={"limit": None, "free": None}, features={"vxlan": None}), wants("w1")) == []
