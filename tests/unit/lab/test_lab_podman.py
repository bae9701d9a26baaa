# Copyright (c) 2026, ironrack.cluster contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import json
from pathlib import Path

import pytest

from ansible_collections.ironrack.cluster.lab import disks, hosts, inventory, podman, settings

PATHS = settings.Paths(Path("/state"), Path("/cache"))
TOPOLOGY = inventory.load(settings.REPOSITORY / "inventories" / "lab")


def test_a_host_has_its_fixed_address_and_its_volumes():
    host = TOPOLOGY.hosts["cp1"]
    words = podman.run_arguments(host, TOPOLOGY, "net", "abc", "ssh-ed25519 KEY", disks.volumes(host, PATHS))
    assert "--ip=10.77.0.21" in words and "--mac-address=02:00:0a:4d:00:15" in words
    assert [word for word in words if word.startswith("--volume=")] == [
        "--volume=cp1-containerd:/var/lib/containerd", "--volume=cp1-kubelet:/var/lib/kubelet",
        "--volume=/run/ironrack-lab/disks/cp1/etcd:/var/lib/etcd"]
    assert "--pull=never" in words and words[-1] == "localhost/ironrack-lab:abc"


def test_only_an_etcd_host_has_a_disk_of_its_own():
    assert set(disks.volumes(TOPOLOGY.hosts["gpu1"], PATHS).values()) == {"gpu1-containerd", "gpu1-kubelet", "gpu1-etcd"}


@pytest.mark.parametrize("name, weight", [("lb1", 8192), ("cp1", 4096), ("gpu1", 1024)])
def test_a_host_has_the_weight_of_what_must_not_be_late(name, weight):
    host = TOPOLOGY.hosts[name]
    assert f"--cpu-shares={weight}" in podman.run_arguments(host, TOPOLOGY, "net", "abc", "ssh-ed25519 KEY", disks.volumes(host, PATHS))


def test_podman_works_in_the_labs_folders_only():
    text = podman.containers_conf(PATHS, Path("/state/podman")) + podman.storage_conf(PATHS, Path("/state/podman"), "abc")
    assert 'lock_type = "file"' in text
    assert 'additionalimagestores = ["/cache/lab-image/abc/store"]' in text
    for value in (line.split('"')[1] for line in text.splitlines() if '"/' in line):
        assert value.startswith(("/state/", "/cache/", "/run/ironrack-lab/"))


def test_the_network_has_a_bridge_that_down_can_find():
    assert podman.network("net", TOPOLOGY)["network_interface"] == settings.BRIDGE
    assert podman.network("net", TOPOLOGY)["subnets"] == [{"subnet": "10.77.0.0/24", "gateway": "10.77.0.1"}]


def test_the_network_of_a_lab_keeps_its_name_and_another_lab_has_another(tmp_path):
    names = []
    for folder in ("first", "second"):
        mine = podman.Podman(settings.Paths(tmp_path / folder, tmp_path / "cache", tmp_path / "run"))
        mine.configure("abc", TOPOLOGY)
        before = mine.networks()
        mine.configure("abc", TOPOLOGY)
        assert mine.networks() == before and len(before) == 1
        names += before
    assert names[0] != names[1]


def test_containers_are_parsed():
    listing = json.dumps([{"Names": ["cp1"], "State": "running", "Pid": 42, "StartedAt": 100}, {"Names": ["cp2"], "State": "exited", "Pid": 0}])
    found = podman.parse_containers(listing)
    assert found["cp1"].is_running and found["cp1"].pid == 42
    assert not found["cp2"].is_running
    assert podman.parse_containers("null\n") == {}


def test_ssh_config_serves_names_addresses_and_a_jump():
    text = hosts.ssh_config(TOPOLOGY, PATHS)
    assert "Host lb1 10.77.0.11\n  HostName 10.77.0.11" in text
    assert "Host *\n  User operator\n  IdentityFile /state/id_ed25519" in text


def test_folders_come_from_the_environment():
    paths = settings.Paths.from_environment({"IRONRACK_LAB_STATE": "/s", "IRONRACK_CACHE": ""})
    assert (str(paths.key), str(paths.images)) == ("/s/id_ed25519", "/var/cache/ironrack/lab-image")
