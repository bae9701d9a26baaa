# Copyright (c) 2026, ironrack.cluster contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What LocalMember does to a host, in which order, and what it leaves alone; etcd and systemd are scripted."""
from __future__ import annotations

import pytest
from ansible_collections.ironrack.cluster.plugins.module_utils._common.errors import IronrackError
from ansible_collections.ironrack.cluster.plugins.module_utils._etcd.client import Listing
from ansible_collections.ironrack.cluster.plugins.module_utils._etcd.decide import Member
from ansible_collections.ironrack.cluster.plugins.module_utils._etcd.drain import Drain, Nobody, drain_of
from ansible_collections.ironrack.cluster.plugins.module_utils._etcd.member import LocalMember
from ansible_collections.ironrack.cluster.plugins.module_utils._systemd import client as systemd_client

OWN = "https://127.0.0.1:2379"
MODEL = [{"name": "cp%d" % n, "peer_url": "https://10.0.0.%d:2380" % n, "client_url": "https://10.0.0.%d:2379" % n} for n in (1, 2, 3)]


def listed(*numbers, **learner):
    return [Member("a%d" % n, "cp%d" % n, ("https://10.0.0.%d:2380" % n,), ("https://10.0.0.%d:2379" % n,), n == learner.get("learner"))
            for n in numbers]


class World:
    """A scripted etcd and systemd, with one list of what was asked of them."""

    def __init__(self, members=(), sick=(), state="active", leader="a2", here=True):
        self.list = list(members)
        self.sick = sick
        self.state = state
        self.leader = leader
        self.here = here
        self.did = []
        self.invocation = 1

    def lacking(self):
        return [] if self.here else ["/usr/local/bin/etcdctl"]

    def members(self, endpoints):
        return Listing("c", 1, list(self.list))

    def health(self, endpoints):
        return dict((url, "no answer" if url in self.sick or not self.list else "") for url in endpoints)

    def status(self, endpoints):
        return dict(("https://10.0.0.%s:2379" % m.id[1:], {"id": m.id, "leader": self.leader, "learner": m.learner}) for m in self.list)

    def move_leader(self, endpoints, member_id):
        self.did.append("move-leader to %s at %s" % (member_id, endpoints[0]))

    def add_learner(self, endpoints, name, peer_url):
        self.did.append("add %s" % name)
        self.list += [Member("a1", "", (peer_url,), (), True)]

    def promote(self, endpoints, member_id):
        self.did.append("promote %s" % member_id)
        return ""

    def show(self, names):
        return {names[0]: {"LoadState": "loaded", "ActiveState": self.state, "InvocationID": str(self.invocation), "UnitFileState": "enabled"}}

    def started(self, shown):
        return 1.0

    def enable(self, name, wanted):
        self.did.append("enable")

    def queue(self, action, name):
        self.did.append(action)
        self.state = "active"
        self.invocation += 1

    def last_words(self, name):
        return "its last words"


@pytest.fixture
def host(tmp_path, monkeypatch):
    monkeypatch.setattr(systemd_client, "RECORDS", str(tmp_path / "records"))
    (tmp_path / "etcd.env").write_text("ETCD_NAME=cp1\n")

    def make(world, check=False, data=True, fresh=True, open_ports=True, drain=Nobody(), **params):
        if data:
            (tmp_path / "data" / "member" / "wal").mkdir(parents=True, exist_ok=True)
            (tmp_path / "data" / "member" / "wal" / "0.wal").touch()
        if fresh:
            systemd_client.write_record("etcd.service", {"invocation": "1", "watch": {
                str(tmp_path / "etcd.env"): systemd_client.look(str(tmp_path / "etcd.env")).sha256}, "reload_watch": {}})
        values = dict(name="cp1", peer_url=MODEL[0]["peer_url"], client_url=OWN, members=MODEL, token="t", unformed=None,
                      data_dir=str(tmp_path / "data"), initial_file=str(tmp_path / "initial.env"), formed_file=str(tmp_path / "formed"),
                      unit="etcd.service", watch=[str(tmp_path / "etcd.env")], pending=[], wait=0, guard_wait=0)
        values.update(params)
        return LocalMember(values, world, world, drain, check, lambda url: open_ports)

    make.folder = tmp_path
    return make


def test_a_running_current_member_is_left_alone(host):
    world = World(listed(1, 2, 3))
    result = host(world).converge()
    assert not result["changed"] and not world.did and result["formed"]


def test_a_stale_follower_is_restarted(host):
    world = World(listed(1, 2, 3))
    local = host(world, fresh=False)
    assert local.converge()["changed"] and world.did == ["restart"]
    assert not local.converge()["changed"]


def test_a_stale_leader_hands_over_first(host):
    world = World(listed(1, 2, 3), leader="a1")
    host(world, fresh=False).converge()
    assert world.did == ["move-leader to a2 at " + OWN, "restart"]


def test_leadership_is_not_handed_to_a_learner(host):
    world = World(listed(1, 2, 3, 4, learner=2), leader="a1")
    host(world, fresh=False).converge()
    assert world.did[0].startswith("move-leader to a3")


@pytest.mark.parametrize("members, sick", ((listed(1, 2, 3), [MODEL[1]["client_url"]]), (listed(1, 2), ()), (listed(1, 2, 3), [MODEL[2]["client_url"]])))
def test_a_stale_member_that_cannot_be_spared_is_left_as_it_is(host, members, sick):
    world = World(members, sick)
    with pytest.raises(IronrackError, match="left as it is"):
        host(world, fresh=False).converge()
    assert world.did == []


def test_a_stale_single_member_is_restarted_with_a_warning(host):
    world = World(listed(1), leader="a1")
    local = host(world, fresh=False, members=MODEL[:1])
    local.converge()
    assert world.did == ["restart"] and "one member" in local.warnings[0]


def test_a_stale_member_that_serves_nobody_is_restarted_without_asking(host):
    world = World((), state="activating")
    host(world, fresh=False).converge()
    assert world.did == ["restart"]


def test_check_mode_predicts_a_restart_from_a_pending_file(host):
    world = World(listed(1, 2, 3))
    result = host(world, check=True, pending=[str(host.folder / "etcd.env")]).converge()
    assert result["action"] == "restart" and not world.did


def test_a_stopped_member_with_data_is_started(host):
    world = World((), state="inactive")
    assert host(world).converge()["action"] == "start" and world.did == ["start"]


def test_joining_adds_writes_starts_and_promotes_in_this_order(host):
    world = World(listed(2, 3), state="inactive")
    real_queue = world.queue

    def queue(action, name):
        assert "cp1=https://10.0.0.1:2380" in (host.folder / "initial.env").read_text()
        assert "STATE=existing" in (host.folder / "initial.env").read_text()
        real_queue(action, name)

    world.queue = queue
    host(world, data=False, wait=5).converge()
    assert world.did == ["add cp1", "start", "promote a1"]


def test_nobody_joins_a_cluster_that_is_not_well(host):
    world = World(listed(2, 3), [MODEL[2]["client_url"]], state="inactive")
    with pytest.raises(IronrackError, match="cp3 .* is not healthy"):
        host(world, data=False).converge()
    assert not world.did


def test_a_lost_data_folder_changes_nothing(host):
    world = World(listed(1, 2, 3), state="inactive")
    with pytest.raises(IronrackError, match="etcdctl member remove a1"):
        host(world, data=False).converge()
    assert not world.did and not (host.folder / "initial.env").exists()


def test_founding_takes_two_passes(host):
    world = World((), state="inactive")
    first = host(world, data=False, open_ports=False).converge()
    assert first["bootstrap_needed"] and not first["changed"] and not first["formed"] and not world.did
    with pytest.raises(IronrackError, match="whether cp3"):
        host(world, data=False, open_ports=False, unformed=["cp1", "cp2"]).converge()
    result = host(world, data=False, open_ports=False, unformed=["cp1", "cp2", "cp3"]).converge()
    assert result["changed"] and world.did == ["start"]
    assert (host.folder / "initial.env").read_text().splitlines()[1] == "ETCD_INITIAL_CLUSTER_STATE=new"


def test_check_mode_on_a_host_that_has_nothing(host):
    world = World((), state="inactive", here=False)
    first = host(world, check=True, data=False, open_ports=False).converge()
    assert first["bootstrap_needed"] and not first["changed"]
    assert host(world, check=True, data=False, open_ports=False, unformed=["cp1", "cp2", "cp3"]).converge()["action"] == "bootstrap"
    assert host(world, check=True, data=False).converge()["action"] == "join"
    assert not world.did and not (host.folder / "initial.env").exists()


def test_a_host_without_etcdctl_is_an_error_in_a_real_run(host):
    with pytest.raises(IronrackError, match="cannot be asked"):
        host(World(here=False), data=False).converge()


def test_a_wait_that_ends_says_what_it_saw(host):
    world = World(listed(1, 2, 3, learner=1))
    world.promote = lambda endpoints, member_id: "not in sync"
    with pytest.raises(IronrackError, match="(?s)in sync and promoted; last seen: not in sync.*its last words"):
        host(world).converge()


SERVER = {"name": "cp1", "address": "10.0.0.1", "port": 6443, "others": [
    {"name": "cp2", "address": "10.0.0.2", "port": 6443}, {"name": "cp3", "address": "10.0.0.3", "port": 6443}]}


class Rules:
    """A scripted nft and API servers; what is done is noted among what etcd does."""

    def __init__(self, did, ready=True, sick=(), recovers=True):
        self.did = did
        self.ready = ready
        self.sick = sick
        self.recovers = recovers
        self.cleared = 0

    def run(self, argv, data="", hint="", ok=(0,)):
        if 1 in ok:
            assert argv == ["nft", "delete", "table", "inet", "ironrack_drain"] and not self.did
            self.cleared += 1
            return
        self.did.append(argv[1] if argv[1] == "delete" else "refuse")
        self.text = data or self.text

    def api_ready(self, address, port):
        assert port == 6443
        if address == "10.0.0.1":
            return self.ready and (self.recovers or "restart" not in self.did), "not ready"
        return address not in self.sick, "%s is sick" % address

    def drain(self):
        return Drain(self, SERVER, self.api_ready, 0, 300, sleep=lambda seconds: self.did.append("settle"))


@pytest.fixture
def soon(monkeypatch):
    monkeypatch.setattr("ansible_collections.ironrack.cluster.plugins.module_utils._etcd.drain.READY_WAIT", 0)


def test_the_api_server_beside_a_member_stands_aside_while_it_restarts(host):
    world = World(listed(1, 2, 3), leader="a1")
    rules = Rules(world.did)
    assert host(world, fresh=False, drain=rules.drain()).converge()["changed"]
    assert world.did == ["refuse", "settle", "move-leader to a2 at %s" % OWN, "restart", "delete"]
    # It has to end by itself where this run is killed, and later than the longest restart.
    assert "6443 timeout 420s" in rules.text and "iif lo accept" in rules.text and "ct state established,related accept" in rules.text


def test_a_member_whose_api_server_is_not_ready_or_that_need_not_restart_is_not_drained(host):
    world = World(listed(1, 2, 3))
    assert host(world, fresh=False, drain=Rules(world.did, ready=False).drain()).converge()["changed"] and world.did == ["restart"]
    world = World(listed(1, 2, 3))
    rules = Rules(world.did)
    assert not host(world, drain=rules.drain()).converge()["changed"] and world.did == []
    # What a run left that was killed behind the restart must not refuse the balancers until it ends by itself.
    assert rules.cleared == 1


def test_no_member_restarts_while_another_api_server_could_not_answer(host):
    world = World(listed(1, 2, 3))
    with pytest.raises(IronrackError, match="cp3: 10.0.0.3 is sick"):
        host(world, fresh=False, drain=Rules(world.did, sick=("10.0.0.3",)).drain()).converge()
    assert world.did == []


def test_an_api_server_that_does_not_come_back_is_told_and_refuses_nobody_for_longer(host, soon):
    world = World(listed(1, 2, 3))
    with pytest.raises(IronrackError, match="the API server of this host to be ready again; last seen: not ready"):
        host(world, fresh=False, drain=Rules(world.did, recovers=False).drain()).converge()
    assert world.did == ["refuse", "settle", "restart", "delete"]


def test_check_mode_refuses_nobody(host):
    world = World(listed(1, 2, 3))
    rules = Rules(world.did)
    assert host(world, check=True, fresh=False, drain=rules.drain()).converge()["changed"] and world.did == [] and not rules.cleared


def test_the_only_api_server_goes_on():
    assert isinstance(drain_of(None, dict(SERVER, others=[]), None, 0, 0), Nobody) and isinstance(drain_of(None, None, None, 0, 0), Nobody)
    assert isinstance(drain_of(None, SERVER, None, 0, 0), Drain)
