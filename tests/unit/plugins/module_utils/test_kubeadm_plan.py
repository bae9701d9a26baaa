# Copyright (c) 2026, ironrack.cluster contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What kubeadm_node decides, over all observations that there are."""
from __future__ import annotations

import itertools

import pytest

from ansible_collections.ironrack.cluster.plugins.module_utils._kubeadm import plan as planning
from ansible_collections.ironrack.cluster.plugins.module_utils._kubeadm.plan import (
    ADMIN_CONFS, BOOTSTRAP_CONF, FINISH, INIT, JOIN, KUBELET_CONF, KUBELET_CONFIG, MANIFESTS, NONE, REFUSE, RESET_THEN_INIT, RESET_THEN_JOIN,
    Observation, plan, required)
from ansible_collections.ironrack.cluster.plugins.module_utils._kubeadm.state import STATE_KEYS, cluster_state

ROLES = ("control_plane", "worker")
STATES = ("absent", "partial", "complete", "unknown")


def seen(role="worker", initialise=False, cluster_state="complete", token=True, registered=None, record="", present=(),
         kubelet_active=False, api_ready=False):
    return Observation(role, initialise, cluster_state, token, registered, record, frozenset(present), kubelet_active, api_ready)


def present_sets(role):
    whole = frozenset(required(role))
    yield frozenset()
    yield whole
    yield whole | {BOOTSTRAP_CONF}
    yield frozenset((BOOTSTRAP_CONF, KUBELET_CONFIG))
    yield frozenset((KUBELET_CONF,))
    yield frozenset(ADMIN_CONFS)
    if role == "control_plane":
        yield whole - {MANIFESTS[0]}
        yield frozenset((KUBELET_CONF,) + MANIFESTS)


def everything():
    for role in ROLES:
        for values in itertools.product((True, False), STATES, (True, False), (None, True, False), ("", "running", "done"),
                                        present_sets(role), (True, False), (True, False)):
            yield Observation(role, *values)


def test_properties_over_all_observations():
    for case in everything():
        chosen = plan(case)
        complete = set(required(case.role)) <= case.present and BOOTSTRAP_CONF not in case.present
        context = (case, chosen)
        assert chosen.action == NONE or chosen.reason, context
        if not case.present:
            assert chosen.action in (INIT, JOIN, REFUSE), context
        if case.record == "done" and case.present:
            assert chosen.action in (NONE, REFUSE), context
        if chosen.action in (INIT, RESET_THEN_INIT):
            assert case.initialise and case.role == "control_plane" and case.cluster_state in ("absent", "partial"), context
        if chosen.action in (JOIN, RESET_THEN_JOIN):
            assert case.token and not (case.initialise and case.cluster_state in ("absent", "partial")), context
        if chosen.action in (RESET_THEN_INIT, RESET_THEN_JOIN):
            assert case.present and (case.record == "running" or not complete), context
            assert not (case.record == "" and case.kubelet_active and KUBELET_CONF in case.present), context
        if chosen.action == FINISH:
            assert case.record == "running" and complete and case.registered and case.kubelet_active, context
        if chosen.action == NONE:
            assert set(required(case.role)) <= case.present, context
            assert case.cluster_state != "absent", context


@pytest.mark.parametrize("case, action", [
    (seen("control_plane", initialise=True, cluster_state="absent", token=False), INIT),
    (seen("control_plane", initialise=True, cluster_state="partial", token=False), INIT),
    (seen("control_plane", initialise=True, cluster_state="complete"), JOIN),
    (seen("control_plane", initialise=True, cluster_state="unknown"), REFUSE),
    (seen("worker", initialise=True, cluster_state="absent"), REFUSE),
    (seen("worker"), JOIN),
    (seen("worker", token=False), REFUSE),
    (seen("worker", record="done"), JOIN),
    (seen("worker", record="running"), JOIN),
    (seen("worker", record="running", present=(BOOTSTRAP_CONF,)), RESET_THEN_JOIN),
    (seen("control_plane", initialise=True, cluster_state="absent", record="running", present=MANIFESTS), RESET_THEN_INIT),
    (seen("control_plane", record="running", present=required("control_plane"), kubelet_active=True, api_ready=True), RESET_THEN_JOIN),
    (seen("control_plane", record="running", present=required("control_plane"), kubelet_active=True, registered=True), FINISH),
    (seen("control_plane", record="running", present=required("control_plane"), kubelet_active=True, registered=False), RESET_THEN_JOIN),
    (seen("control_plane", initialise=True, cluster_state="partial", record="running", present=required("control_plane"),
          kubelet_active=True, registered=True), RESET_THEN_INIT),
    (seen("worker", record="done", present=required("worker"), token=False), NONE),
    (seen("worker", record="done", present=required("worker"), cluster_state="absent"), REFUSE),
    (seen("worker", present=required("worker"), kubelet_active=True), NONE),
    (seen("worker", present=required("worker"), cluster_state="unknown"), REFUSE),
    (seen("worker", present=MANIFESTS), REFUSE),
    (seen("control_plane", record="done", present=set(required("control_plane")) - {MANIFESTS[0]}, kubelet_active=True), REFUSE),
])
def test_cases(case, action):
    assert plan(case).action == action


def test_a_finished_node_whose_manifest_was_moved_aside_is_told_which():
    case = seen("control_plane", record="done", present=set(required("control_plane")) - {MANIFESTS[0]})
    assert MANIFESTS[0] in plan(case).reason


def test_traces_hold_all_that_is_required():
    assert {path for role in ROLES for path in required(role)} <= set(planning.TRACES)


@pytest.mark.parametrize("found, word", [
    ([], "absent"), ({}, "absent"), (STATE_KEYS, "complete"), (STATE_KEYS[:1], "partial"), (STATE_KEYS[1:], "partial"),
    ({key: False for key in STATE_KEYS}, "absent"), ({key: True for key in STATE_KEYS}, "complete"),
    (dict({key: True for key in STATE_KEYS}, **{STATE_KEYS[-1]: False}), "partial"),
])
def test_cluster_state(found, word):
    assert cluster_state(found) == word


def test_cluster_state_takes_no_unasked_question_for_a_no():
    with pytest.raises(ValueError, match="not looked for: %s" % STATE_KEYS[0]):
        cluster_state({key: True for key in STATE_KEYS[1:]})
