# Copyright (c) 2026, ironrack.cluster contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Where site.yml is killed: rising points of every kind, within their budget, and never a chain that proves nothing."""
from __future__ import annotations

import json
import time

import pytest
from ansible_collections.ironrack.cluster.tests.scenarios import kill_points as points
from hypothesis import given
from hypothesis import strategies as st

# (name, action, seconds on fresh hosts, seconds without work), about as the small lab has them.
TASKS = [
    ("model", "ironrack.cluster.cluster_model", 0.4, 0.4), ("probe", "ironrack.cluster.preflight_probe", 0.9, 0.9),
    ("verdict", "ironrack.cluster.preflight_verdict", 0.8, 0.8), ("bundle", "ironrack.cluster.pki_bundle", 2.0, 0.6),
    ("synced", "ironrack.cluster.mirror_sync", 4.0, 0.8), ("configured", "ironrack.cluster.files", 0.8, 0.6),
    ("registry", "ironrack.cluster.packages", 3.0, 0.4), ("nginx", "ironrack.cluster.components", 1.2, 0.4),
    ("mirror runs", "ironrack.cluster.units", 1.0, 0.4), ("images", "ironrack.cluster.mirror_images", 3.0, 0.4),
    ("settings", "ironrack.cluster.files", 0.8, 0.6), ("packages", "ironrack.cluster.packages", 6.0, 0.6),
    ("kernel", "ironrack.cluster.host_settings", 0.6, 0.5), ("own keys", "ironrack.cluster.files", 0.7, 0.6),
    ("containerd", "ironrack.cluster.components", 3.0, 0.5), ("configured", "ironrack.cluster.files", 0.6, 0.5),
    ("containerd runs", "ironrack.cluster.units", 1.5, 0.5), ("preload", "ironrack.cluster.image_preload", 0.7, 0.5),
    ("etcd", "ironrack.cluster.components", 1.4, 0.4), ("member", "ironrack.cluster.etcd_member", 0.9, 0.7),
    ("founded", "ironrack.cluster.etcd_member", 2.2, 0.1), ("answers", "ironrack.cluster.etcd_cluster_info", 0.6, 0.5),
    ("kubernetes", "ironrack.cluster.components", 4.0, 0.5), ("kubeadm configured", "ironrack.cluster.files", 0.7, 0.6),
    ("node", "ironrack.cluster.kubeadm_node", 9.0, 0.1), ("kubelet", "ironrack.cluster.units", 0.6, 0.4),
    ("network", "ironrack.cluster.kube_apply", 2.0, 1.0), ("access", "ironrack.cluster.kube_apply", 1.0, 0.8),
    ("token", "ironrack.cluster.kubeadm_token", 0.6, 0.5), ("node", "ironrack.cluster.kubeadm_node", 0.2, 0.6),
    ("worker", "ironrack.cluster.kubeadm_node", 3.0, 0.6), ("addons", "ironrack.cluster.kube_apply", 1.5, 1.0),
    ("asked", "ironrack.cluster.etcd_cluster_info", 0.6, 0.6), ("healthy", "ironrack.cluster.cluster_health_info", 6.0, 1.0),
    ("checked", "ironrack.cluster.network_check", 5.0, 4.0), ("summary", "ironrack.cluster.cluster_summary", 0.1, 0.1),
]


def record(column, tasks=None, end=True):
    tasks = TASKS if tasks is None else tasks
    at, lines = 1000.0, [{"event": "begin", "at": 1000.0}]
    for task in tasks:
        lines.append({"event": "task", "at": at, "name": task[0], "action": task[1]})
        at += task[column]
        if column == 2 and task[2] - task[3] >= 0.5:
            lines.append({"event": "changed", "at": at, "host": "h", "task": task[0]})
    return "".join(json.dumps(line) + "\n" for line in lines + ([{"event": "end", "at": at}] if end else []))


FRESH, AGAIN = points.steps(record(2)), points.steps(record(3))


def test_the_steps_of_a_record():
    assert [(step.name, step.number) for step in FRESH if step.name == "node"] == [("node", 1), ("node", 2)]
    assert FRESH[1].at == pytest.approx(0.4)
    assert FRESH[-1].lasted == pytest.approx(0.1)


def test_a_line_that_a_kill_cut_off_is_left_out():
    assert len(points.steps(record(2, end=False) + '{"event": "ta')) == len(TASKS)


@pytest.mark.parametrize("text", ["", '{"event": "begin", "at": 1}\n'])
def test_a_record_without_a_task_is_none(text):
    with pytest.raises(points.NoPoints):
        points.steps(text)


def test_the_first_kubeadm_founds_the_cluster():
    kinds = [(kind, step.name) for kind, step in points.working(FRESH, AGAIN) if kind in (points.INIT, points.JOIN)]
    assert kinds == [(points.INIT, "node"), (points.JOIN, "worker")]


def test_a_task_that_only_took_long_is_no_work():
    """On the lab, the look at a member without data once took longer than the founding of the cluster after it."""
    slow = [(*task[:2], 4.0, task[3]) if task[0] == "member" else task for task in TASKS]
    text = "".join(line + "\n" for line in record(2, slow).splitlines() if json.loads(line).get("task") != "member")
    assert [step.name for kind, step in points.working(points.steps(text), AGAIN) if kind == points.ETCD] == ["founded"]


def test_a_chain_has_its_number_rises_and_has_every_kind():
    chain = points.chain(FRESH, AGAIN, 25, 480)
    assert len(chain) == len(set(chain)) == 25
    places = {(step.name, step.number): place for place, step in enumerate(FRESH)}
    order = [(places[point.name, point.number], point.delay) for point in chain]
    assert order == sorted(order)
    assert {point.kind for point in chain} == {*points.CHAIN, points.BOUNDARY}
    assert sum(points.seconds(chain, FRESH, AGAIN)) <= 480


def test_inside_points_lie_inside_of_their_task():
    lasted = {(step.name, step.number): step.lasted for step in FRESH}
    for point in points.inside(FRESH, AGAIN, points.EVERYWHERE):
        assert 0 < point.delay < lasted[point.name, point.number]


def test_a_small_budget_moves_boundaries_to_the_front():
    wide = points.chain(FRESH, AGAIN, 25, 480)
    cost = sum(points.seconds(wide, FRESH, AGAIN))
    narrow = points.chain(FRESH, AGAIN, 25, cost - 20)
    assert len(narrow) == 25
    assert sum(points.seconds(narrow, FRESH, AGAIN)) <= cost - 20
    assert {point.kind for point in narrow} == {point.kind for point in wide}


def test_a_slow_machine_gets_the_cheapest_chain():
    cheapest = points.chain(FRESH, AGAIN, 25, 1)
    assert len(cheapest) == 25
    assert {point.kind for point in cheapest} == {*points.CHAIN, points.BOUNDARY}
    places = [step.name for step in FRESH]
    assert max(places.index(point.name) for point in cheapest if point.kind == points.BOUNDARY) <= len(places) // 2
    assert sum(points.seconds(cheapest, FRESH, AGAIN)) < sum(points.seconds(points.chain(FRESH, AGAIN, 25, 4800), FRESH, AGAIN))


def test_more_points_than_there_are_is_refused():
    with pytest.raises(points.NoPoints, match="are wanted"):
        points.chain(FRESH, AGAIN, 99, 4800)


@pytest.mark.parametrize("fresh, again", [(AGAIN, AGAIN), (AGAIN, FRESH)])
def test_a_record_of_built_hosts_proves_nothing(fresh, again):
    with pytest.raises(points.NoPoints, match="fresh hosts"):
        points.chain(fresh, again, 25, 480)


def test_a_boundary_is_a_task_that_both_runs_come_to():
    without = [step for step in AGAIN if step.name != "token"]
    assert "token" in {point.name for point in points.boundaries(FRESH, AGAIN)}
    assert "token" not in {point.name for point in points.boundaries(FRESH, without)}
    assert "model" not in {point.name for point in points.boundaries(FRESH, AGAIN)}


def test_what_a_run_costs():
    # two tasks of 10 s of work, each passed in 1 s afterwards
    fresh = points.steps(record(2, [("one", "a", 10, 1), ("two", "a", 10, 1)]))
    again = points.steps(record(3, [("one", "a", 10, 1), ("two", "a", 10, 1)]))
    chain = [points.Point("one", 1, "x", 5.0), points.Point("two", 1, points.BOUNDARY, 0.0), points.Point("two", 1, "x", 5.0)]
    begin = points.BEGINNING
    # killed in the middle of one; one done anew and killed at the start of two; past one and into two; past one, and two to the end
    assert points.seconds(chain, fresh, again) == pytest.approx([begin + 5, begin + 10, begin + 1 + 5, begin + 1 + 10])


@given(st.integers(0, 40), st.integers(0, 40))
def test_a_spread_keeps_its_number_and_order(length, number):
    found = points.spread(list(range(length)), number)
    assert found == sorted(set(found))
    assert len(found) == min(length, number)


def test_how_far_a_run_is():
    text = record(2, end=False)
    assert points.reached(text, points.Point("node", 2, "x", 0.0))[1:] == (True, False)
    assert points.reached(text, points.Point("node", 3, "x", 0.0)) == (None, False, False)
    assert points.reached(text, points.Point("summary", 1, "x", 0.0))[1:] == (False, False)
    assert points.reached(record(2), points.Point("summary", 1, "x", 0.0))[2]
    assert points.reached("", points.Point("summary", 1, "x", 0.0)) == (None, False, False)


def test_a_task_that_nothing_includes_was_passed_where_a_later_one_begins():
    point, tasks = points.Point("node", 1, "x", 1.0), [task for task in TASKS if task[0] != "node"]
    assert points.reached(record(2, tasks), point, points.following(point, FRESH))[:2] == (None, True)
    place = [task[0] for task in TASKS].index("node")
    assert points.reached(record(2, TASKS[:place], end=False), point, points.following(point, FRESH)) == (None, False, False)


def test_what_no_later_run_includes_is_work_and_costs_nothing_later():
    founded = [("node, by found", "ironrack.cluster.kubeadm_node", 9.0, 0)] + TASKS
    fresh = points.steps(record(2, founded))
    assert [step.name for kind, step in points.working(fresh, AGAIN) if kind == points.INIT] == ["node, by found"]
    assert points.seconds([points.Point("model", 1, "x", 0.1)], fresh, AGAIN)[0] == pytest.approx(points.BEGINNING + 9.1)


def test_the_second_of_a_name_is_not_the_first():
    first = points.reached(record(2), points.Point("node", 1, "x", 0.0))[0]
    assert first < points.reached(record(2), points.Point("node", 2, "x", 0.0))[0]


def test_a_family_is_everything_below():
    assert points.family({2: 1, 3: 2, 4: 3, 9: 1}, 2) == {2, 3, 4}


def test_failures_that_are_ignored_are_none():
    lines = [{"event": "failed", "at": 1, "host": "cp1", "task": "t", "message": "m", "ignored": ignored} for ignored in (True, False)]
    assert points.failures("".join(json.dumps(line) + "\n" for line in lines)) == [("cp1", "t", "m")]


def test_a_kind_that_was_only_passed_is_not_hit():
    hits = [(points.Point("a", 1, points.INIT, 1.0), False), (points.Point("b", 1, points.ETCD, 1.0), True)]
    assert points.without_hit((points.INIT, points.ETCD), hits) == [points.INIT]


def test_what_was_not_hit_is_aimed_at_early_in_its_task():
    chain = points.chain(FRESH, AGAIN, 25, 480)
    assert points.aims(points.ETCD, chain, FRESH) == [points.Point("founded", 1, points.ETCD, delay) for delay in (0.66, 0.26)]


def test_a_long_run_is_planned_at_once():
    tasks = [("task %d" % number, "ironrack.cluster.files", 2.0, 0.5) for number in range(400)] + TASKS
    begun = time.monotonic()
    assert len(points.chain(points.steps(record(2, tasks)), points.steps(record(3, tasks)), 25, 100000)) == 25
    assert time.monotonic() - begun < 10
