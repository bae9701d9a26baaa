# Copyright (c) 2026, ironrack.cluster contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What opensearch_node does to a host and what it leaves alone; systemd is scripted."""
from __future__ import annotations

import pytest

from ansible_collections.ironrack.cluster.plugins.module_utils._common.errors import IronrackError
from ansible_collections.ironrack.cluster.plugins.module_utils._opensearch.local_node import LocalNode
from ansible_collections.ironrack.cluster.plugins.module_utils._systemd import client as systemd_client
from ansible_collections.ironrack.cluster.plugins.modules import opensearch_node

UNFORMED = {"os1": False, "os2": False, "os3": False}


class World:
    """A scripted systemd."""

    def __init__(self, state="active", enabled="enabled", restarts="0"):
        self.state, self.enabled, self.restarts = state, enabled, restarts
        self.invocation = 1
        self.did = []

    def show(self, names):
        return {names[0]: {"LoadState": "loaded", "ActiveState": self.state, "SubState": "running", "InvocationID": str(self.invocation),
                           "UnitFileState": self.enabled, "NRestarts": self.restarts, "ExecMainStatus": "78"}}

    def started(self, _shown):
        return 1.0

    def enable(self, _name, _wanted):
        self.did.append("enable")
        self.enabled = "enabled"

    def queue(self, action, _name):
        self.did.append(action)
        self.state = "active"
        self.invocation += 1

    def daemon_reload(self):
        self.did.append("daemon-reload")

    def last_words(self, _name):
        return "max file descriptors [20000] is too low"


@pytest.fixture(name="host")
def host_fixture(tmp_path, monkeypatch):
    monkeypatch.setattr(systemd_client, "RECORDS", str(tmp_path / "records"))
    settings = tmp_path / "opensearch.yml"
    settings.write_text("node.name: os1\n")

    def make(world, check=False, fresh=True, formed=True, listens=True, **params):
        if fresh:
            systemd_client.write_record("opensearch.service", {
                "invocation": "1", "watch": {str(settings): systemd_client.look(str(settings)).sha256}, "reload_watch": {}})
        if formed:
            (tmp_path / "formed").touch()
        values = dict(name="os1", managers=["os1", "os2", "os3"], known=None, restart=False, address="192.0.2.51", port=9200, unit="opensearch.service",
                      watch=[str(settings)], pending=[], formed_file=str(tmp_path / "formed"), first_start_file=str(tmp_path / "first-start.env"), wait=0)
        return LocalNode(dict(values, **params), world, check, lambda address, port: listens)

    make.folder, make.settings = tmp_path, settings
    return make


def test_a_running_current_node_is_left_alone(host):
    world = World()
    result = host(world).converge()
    assert not result["changed"] and result["action"] == "none" and not world.did and result["formed"]


def test_a_stale_node_says_so_and_waits_for_its_turn(host):
    world = World()
    result = host(world, fresh=False).converge()
    assert (result["changed"], result["restart_needed"], result["action"], world.did) == (False, True, "wait", [])
    # It has not learnt what it does not run: a second look, of a run after one that was killed, sees it again.
    assert host(world, fresh=False).converge()["restart_needed"]
    assert host(world, fresh=False, restart=True).converge()["action"] == "restart" and world.did == ["restart"]
    after = host(world, fresh=False).converge()
    assert (after["action"], after["restart_needed"], world.did) == ("none", False, ["restart"])


def test_a_node_that_runs_since_before_a_moment_is_to_be_restarted(host):
    world = World()
    result = host(world, since=2.0).converge()
    assert (result["restart_needed"], world.did) == (True, []) and "since before" in result["reasons"][0]
    assert host(world, since=2.0, restart=True).converge()["action"] == "restart" and world.did == ["restart"]
    assert not host(World(), since=0.5).converge()["restart_needed"]


def test_a_node_that_was_stopped_starts_and_is_started_at_boot(host):
    world = World(state="inactive", enabled="disabled")
    assert host(world).converge()["action"] == "start" and world.did == ["enable", "start"]


def test_a_new_host_does_nothing_before_the_others_were_asked(host):
    world = World(state="inactive", enabled="disabled")
    result = host(world, formed=False, fresh=False).converge()
    assert (result["agreement_needed"], result["changed"], result["formed"], world.did) == (True, False, False, [])


def test_a_founder_is_told_so_and_who_joins_is_not(host):
    first_start = host.folder / "first-start.env"
    world = World(state="inactive")
    assert host(world, formed=False, known=UNFORMED).converge()["action"] == "found" and world.did == ["start"]
    assert "initial_cluster_manager_nodes=os1,os2,os3" in first_start.read_text()
    world = World(state="failed")
    assert host(world, formed=False, known=dict(UNFORMED, os2=True)).converge()["action"] == "start"
    assert not first_start.exists()


def test_a_check_run_predicts_and_does_nothing(host):
    world = World(state="inactive", enabled="disabled")
    result = host(world, check=True, formed=False, known=UNFORMED).converge()
    assert (result["action"], result["changed"], result["after"], world.did) == ("found", True, {"state": "active"}, [])
    assert not (host.folder / "first-start.env").exists()
    assert host(World(), check=True, pending=[str(host.settings)]).converge()["restart_needed"]
    assert host(World(), check=True, pending=[str(host.settings)], restart=True).converge()["changed"]


def test_a_node_that_does_not_come_is_an_error_with_its_last_words(host):
    with pytest.raises(IronrackError, match="(?s)to listen on port 9200.*nothing listens yet.*too low"):
        host(World(state="inactive"), listens=False).converge()
    with pytest.raises(IronrackError, match="(?s)os1 did not start: its process ended with status 78.*too low"):
        host(World(state="inactive", restarts="1")).converge()


def test_managers_without_memory_beside_data_are_refused(host):
    world = World(state="inactive")
    with pytest.raises(IronrackError, match="OpenSearch on os1 was left as it is: d1 has been part of a cluster"):
        host(world, formed=False, known=dict(UNFORMED, d1=True)).converge()
    assert world.did == []


def test_the_module_shows_what_it_did(host, monkeypatch):
    class Module:
        """What run() needs of an AnsibleModule."""

        params = {"name": "os1", "wait": 0}
        check_mode = True

    monkeypatch.setattr(opensearch_node, "LocalNode", lambda params, systemd, check: host(World(state="inactive"), check=check))
    result = opensearch_node.run(Module())
    assert result["diff"] == {"before_header": "OpenSearch node os1", "after_header": "OpenSearch node os1", "before": "inactive\n",
                              "after": "active\n  because: it is inactive\n"}
