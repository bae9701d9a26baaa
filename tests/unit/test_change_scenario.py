# Copyright (c) 2026, ironrack.cluster contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The copy of the inventory that the scenario `changes` works on, and what counts as a proof there."""
from __future__ import annotations

from pathlib import Path

import pytest
import yaml

from tests.scenarios import changes
from tests.scenarios.common import NotProved

LAB = Path(__file__).resolve().parents[2] / "inventories" / "lab"


def test_changes_add_up_in_the_copy_and_leave_the_inventory_alone(tmp_path):
    before = {path: path.read_bytes() for path in LAB.rglob("*") if path.is_file()}
    copy = changes.Copy(LAB, tmp_path / "copy")
    for kind in changes.KINDS:
        copy.apply(kind)
    values = yaml.safe_load((copy.path / "group_vars" / "all" / "zz-changes.yml").read_text())
    # A dictionary of the inventory keeps what it has.
    assert values["cluster_kubelet_extra_config"]["failCgroupV1"] is False and values["cluster_kubelet_extra_config"]["maxPods"] == 115
    hosts = yaml.safe_load((copy.path / "hosts.yml").read_text())
    assert changes.LEAVES not in changes.workers(hosts) and changes.workers(hosts)[changes.MOVES]["zone"] == changes.ZONE
    copy.host_back()
    assert changes.LEAVES in changes.workers(yaml.safe_load((copy.path / "hosts.yml").read_text()))
    assert {path: path.read_bytes() for path in LAB.rglob("*") if path.is_file()} == before


def test_there_are_fifteen_kinds_with_the_worker_that_comes_back():
    assert len({kind.name for kind in changes.KINDS}) == len(changes.KINDS) == 14
    assert all(kind.proof and (kind.values or kind.hosts) for kind in changes.KINDS)


@pytest.mark.parametrize("seen, told", [({}, True), ({"cp1": 1, "cp2": 2}, True), ({"cp1": 1}, False)])
def test_nothing_to_see_is_no_proof(seen, told):
    assert bool(changes.lacking(seen, lambda value: value == 1)) is told


def test_what_does_not_follow_is_told(monkeypatch):
    monkeypatch.setattr(changes, "SOON", -1)
    with pytest.raises(NotProved, match="zone: it was made, and what runs does not follow: seen"):
        changes.follows(changes.Kind("zone", proof=lambda: "seen"))
    changes.follows(changes.Kind("zone", proof=lambda: ""))
