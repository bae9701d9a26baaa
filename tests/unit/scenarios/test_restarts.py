# Copyright (c) 2026, ironrack.cluster contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A restart that a plan did not say, or one that it said and that was none, is red."""
from __future__ import annotations

import pytest
from ansible_collections.ironrack.cluster.tests.scenarios import common, restarts

TOLD = {"hosts": [
    {"name": "cp1", "changes": [
        {"kind": "unit", "units": {"containerd.service": "restart", "kubelet.service": "none", "chrony.service": "reload"}},
        {"kind": "etcd", "etcd": "restart"}, {"kind": "node", "rollout": ["/x/kube-apiserver.yaml", "/var/lib/kubelet/config.yaml"]}]},
    {"name": "lb1", "changes": []},
]}
SAID = {("cp1", name) for name in ("containerd.service", "etcd.service", "kube-apiserver", "kubelet.service")}
BEFORE = {**dict.fromkeys(SAID, "a"), ("lb1", "keepalived.service"): "a"}
AFTER = {**dict.fromkeys(SAID, "b"), ("lb1", "keepalived.service"): "a"}


def test_what_a_plan_says():
    assert restarts.planned(TOLD) == SAID


def test_a_plan_that_was_kept():
    assert restarts.compare("it", TOLD, BEFORE, AFTER) == 4


def test_what_only_starts_or_has_gone_did_not_restart():
    assert restarts.restarted({("a", "x"): "1"}, {("b", "y"): "2"}) == set()


@pytest.mark.parametrize("before, after, words", [
    (BEFORE, {**AFTER, ("lb1", "keepalived.service"): "b"}, "did not say: .*keepalived"),
    (BEFORE, {**AFTER, ("cp1", "etcd.service"): "a"}, "were none: .*etcd"),
    ({}, {}, "nothing was seen"),
])
def test_a_plan_that_was_not_kept(before, after, words):
    with pytest.raises(common.NotProved, match=words):
        restarts.compare("it", TOLD, before, after)
