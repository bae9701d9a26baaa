# Copyright (c) 2026, ironrack.cluster contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import io
from pathlib import Path

import pytest
from ansible_collections.ironrack.cluster.lab import cli, footprint, hosts, inventory, settings
from ansible_collections.ironrack.cluster.lab.podman import Container
from ansible_collections.ironrack.cluster.lab.shell import LabError, Progress


@pytest.mark.parametrize("words", [["--inventory", "x", "up", "cp1"], ["up", "--inventory", "x", "cp1"]])
def test_the_inventory_may_stand_before_or_behind_the_command(words):
    options = cli.parser().parse_args(words)
    assert (options.inventory, options.hosts) == (Path("x"), ["cp1"])
    assert not hasattr(cli.parser().parse_args(["up"]), "inventory")


def test_ssh_hands_every_word_on():
    assert cli.parser().parse_args(["ssh", "cp1", "sudo", "-n", "ls", "--all"]).words == ["sudo", "-n", "ls", "--all"]


def test_the_table_shows_state_and_faults():
    text = cli.table([hosts.Status("cp1", "10.77.0.21", "a", ("etcd", "control_plane"), "running", ("cut", "partition from cp2"), 75),
                      hosts.Status("cp2", "10.77.0.22", "b", ("etcd",), "absent", (), 0)])
    assert "cp1   10.77.0.21  a     running  75 s  cut, partition from cp2  etcd control_plane" in text
    assert len(text.splitlines()) == 3


@pytest.fixture
def lab(tmp_path):
    made = hosts.Lab(settings.Paths(tmp_path / "state", tmp_path / "cache", tmp_path / "run"), Progress(io.StringIO()))
    made.paths.state.mkdir()
    return made


def test_another_inventory_beside_a_running_lab_is_refused(lab):
    inventories = settings.REPOSITORY / "inventories"
    lab.paths.record.write_text(f'{{"inventory": "{inventories}/lab-small/hosts.yml"}}')
    assert len(lab.topology(None, inventories / "lab").hosts) == 3
    with pytest.raises(LabError, match="was started from .*lab-small.*lab down"):
        lab.topology(inventories / "lab", inventories / "lab")


def test_faults_need_a_running_host_and_say_what_to_do(lab, monkeypatch):
    host = inventory.load(settings.REPOSITORY / "inventories" / "lab").hosts["cp1"]
    monkeypatch.setattr(lab.podman, "containers", lambda: {})
    with pytest.raises(LabError, match="cp1 does not exist. Run `python3 -m lab up cp1`"):
        lab.kill(host)
    monkeypatch.setattr(lab.podman, "containers", lambda: {"cp1": Container("cp1", "exited", 0, 0)})
    with pytest.raises(LabError, match="cp1 is exited, not running. Run `python3 -m lab start cp1`"):
        lab.pause(host)
    with pytest.raises(LabError, match="parted from itself"):
        lab.partition(host, host, None)


def test_footprint_adds_up():
    text = footprint.render({"disk": {"cache bundle": 2 * 1024 ** 3, "state podman": 1024 ** 3}, "disk_total": 3 * 1024 ** 3,
                             "limit": 25 * 1024 ** 3, "memory": 1024 ** 3})
    assert "disk, all of it     3.00 GiB of 25.00 GiB at most" in text
