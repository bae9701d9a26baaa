# Copyright (c) 2026, ironrack.cluster contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Whether pods can be placed, and what is short."""
from __future__ import annotations

from collections import Counter
from fractions import Fraction

import pytest
from ansible_collections.ironrack.cluster.plugins.module_utils._service import cluster, placement
from ansible_collections.ironrack.cluster.tests.unit.plugins.module_utils.service_world import complete, node, pod
from hypothesis import given
from hypothesis import strategies as st

GPU = {"pod__gpus": 1}
THREE = [node("n1", "a", gpus=2), node("n2", "b", gpus=2), node("n3", "c", gpus=2)]


def short(wanted, nodes, pods=(), **more):
    return "; ".join(placement.place(complete(**more), "v1", wanted, nodes, list(pods)).short)


@pytest.mark.parametrize(("text", "wanted"), [
    ("1", 1), (2, 2), ("500m", Fraction(1, 2)), ("1.5", Fraction(3, 2)), (".5", Fraction(1, 2)), ("1Ki", 1024), ("2Gi", 2**31), ("1k", 1000), ("1e3", 1000),
    ("1E", 10**18), ("100u", Fraction(1, 10**4)), ("5.", 5)])
def test_quantities(text, wanted):
    assert placement.quantity(text) == wanted


@pytest.mark.parametrize("text", ["", "1 Gi", "x", "1GiB", "--1", "1e", None, True])
def test_what_is_no_quantity(text):
    with pytest.raises(ValueError, match="no quantity"):
        placement.quantity(text)


def test_a_pod_asks_for_what_the_scheduler_counts():
    def one(cpu, **more):
        return dict({"resources": {"requests": {"cpu": cpu}}}, **more)

    assert placement.requests_of({"containers": [one(1), one("500m")]})["cpu"] == Fraction(3, 2)
    assert placement.requests_of({"containers": [one(1)], "initContainers": [one(3)]})["cpu"] == 3
    assert placement.requests_of({"containers": [one(1)], "initContainers": [one(1, restartPolicy="Always"), one(3)], "overhead": {"cpu": "1"}})["cpu"] == 5
    assert placement.requests_of({"containers": [{"resources": {"limits": {"nvidia.com/gpu": "2"}}}]}) == {"nvidia.com/gpu": 2}


def test_what_fits_is_no_problem():
    assert short(6, THREE, **GPU) == "" and short(0, []) == ""
    running = [pod("p%d" % number, "n%d" % (number % 3 + 1), {"nvidia.com/gpu": 1}, "v1") for number in range(6)]
    assert short(6, THREE, running, **GPU) == ""


def test_it_says_how_many_gpus_are_short():
    assert short(8, THREE, **GPU).startswith("2 of 8 pods cannot be placed; 2 GPUs short: 8 GPUs asked for, 6 GPUs free")
    stable = [pod("p%d" % number, "n%d" % (number % 3 + 1), {"nvidia.com/gpu": 1}, "v0") for number in range(4)]
    # The other release stays: it has the traffic.
    assert "4 GPUs short: 6 GPUs asked for, 2 GPUs free" in short(6, THREE, stable, **GPU)


def test_it_says_how_much_memory_and_how_many_cpus_are_short():
    found = short(3, [node("n1", "a", cpu="1500m", memory="10Gi")], pod__resources={"requests": {"cpu": 1, "memory": "4Gi"}})
    assert "1.5 CPUs short: 3 CPUs asked for, 1.5 CPUs free" in found and "2 GiB of memory short" in found


def test_nodes_that_take_none_are_named():
    nodes = [node("n1", unschedulable=True), node("n2", taints=[{"key": "gpu", "value": "x", "effect": "NoSchedule"}]), node("n3"), node("n4", zone="")]
    nodes[2]["status"]["conditions"][0]["status"] = "Unknown"
    found = short(1, nodes)
    for words in ("no node takes its pods", "n1 takes none: it is cordoned", "n2 takes none: its taint gpu is not tolerated", "n3 takes none: it is not ready",
                  "n4 takes none: it has no label topology.kubernetes.io/zone"):
        assert words in found
    assert short(1, nodes[3:], spread={"zone": "preferred"}) == ""
    assert short(1, nodes[1:2], pod__tolerations=[{"key": "gpu", "operator": "Exists"}]) == ""
    assert short(1, nodes[1:2], pod__tolerations=[{"key": "gpu", "value": "x", "effect": "NoSchedule"}]) == ""
    assert short(1, nodes[1:2], pod__tolerations=[{"operator": "Exists"}]) == ""
    assert "not tolerated" in short(1, nodes[1:2], pod__tolerations=[{"key": "gpu", "value": "y"}])
    assert "lacks a label" in short(1, [node("n1")], pod__node_selector={"disk": "fast"})


def test_anti_affinity_that_is_required_takes_a_node_for_each_pod():
    assert "3 nodes short: with spread.host required" in short(6, THREE, spread={"host": "required"})
    assert short(6, THREE) == ""


def test_a_full_zone_holds_up_the_others_where_the_spread_is_required():
    nodes = [node("n1", "a", gpus=1), node("n2", "b", gpus=8)]
    # One in a, two in b: a third in b would be two more than a has.
    found = short(4, nodes, **GPU)
    assert "1 of 4 pods cannot be placed" in found and "a zone is full, and spread.zone is required" in found
    assert short(4, nodes, spread={"zone": "preferred"}, **GPU) == ""


def test_pieces_are_told_from_what_is_short():
    nodes = [node("n%d" % number, "a", cpu="1") for number in range(3)]
    assert "in pieces: no node has enough for one pod more" in short(1, nodes, pod__resources={"requests": {"cpu": 2}}, spread={"zone": "preferred"})


@given(st.integers(0, 12), st.lists(st.tuples(st.sampled_from("abc"), st.integers(0, 4)), max_size=5), st.sampled_from(["required", "preferred"]))
def test_what_is_placed_has_room_and_keeps_the_spread(wanted, sizes, zone):
    nodes = [node("n%d" % number, where, gpus=gpus) for number, (where, gpus) in enumerate(sizes)]
    found = placement.place(complete(spread={"zone": zone}, **GPU), "v1", wanted, nodes, [])
    room = Counter()
    for where, gpus in sizes:
        room[where] += gpus
    if zone == "preferred":
        most = sum(room.values())
    else:
        least = min((room[where] for where, _gpus in sizes), default=0)
        most = sum(min(gpus, least + 1) for gpus in room.values())
    assert found.placed == min(wanted, most) and bool(found.short) == (found.placed < wanted)


# What is told of it

def test_the_pods_of_a_restart_need_room_too():
    (one,) = cluster.room_problems(complete(replicas=5, **GPU), "v1", 5, THREE, [])
    assert one["where"] == "llm_services.chat.releases.v1" and "1 GPUs short" in one["what"] and "5 pods and 2 more" in one["expected"]
    assert cluster.room_problems(complete(replicas=4, **GPU), "v1", 4, THREE, []) == []


def test_what_kubernetes_cannot_read_is_told():
    service = complete(pod__resources={"requests": {"memory": "8GB"}})
    (one,) = cluster.quantity_problems(service, ["v1"])
    assert one["where"].endswith("v1.resources.requests.memory") and "8GB" in one["what"]


@pytest.mark.parametrize(("labels", "default", "profile", "bad"), [
    (None, "baseline", "production", True), (None, "restricted", "production", False), ({"pod-security.kubernetes.io/enforce": "privileged"}, "restricted",
                                                                                        "production", True),
    ({"pod-security.kubernetes.io/enforce": "restricted"}, "baseline", "production", False), (None, "baseline", "standard", False)])
def test_a_namespace_that_lets_more_in_is_told_in_production(labels, default, profile, bad):
    found = cluster.namespace_problems(complete(), {"metadata": {"name": "inference", "labels": labels}}, default, profile)
    assert bool(found) == bad and cluster.namespace_problems(complete(), None, default, profile) == []
