# Copyright (c) 2026, ironrack.cluster contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a built node lacks, when it may be touched, and what a kill at every step of a rollout leaves to the next run."""
from __future__ import annotations

import hashlib
import itertools
import json

import pytest

from ansible_collections.ironrack.cluster.plugins.module_utils._common import fs
from ansible_collections.ironrack.cluster.plugins.module_utils._common.errors import IronrackError
from ansible_collections.ironrack.cluster.plugins.module_utils._common.waiting import WaitTimeout
from ansible_collections.ironrack.cluster.plugins.module_utils._kubeadm import rollout
from ansible_collections.ironrack.cluster.plugins.module_utils._kubeadm.node import BuiltNode
from ansible_collections.ironrack.cluster.plugins.module_utils._kubeadm.plan import KUBELET_CONFIG, MANIFESTS
from ansible_collections.ironrack.cluster.plugins.module_utils._kubeadm.record import Record

OLD = [{"kind": "InitConfiguration"}, {"kind": "ClusterConfiguration", "kubernetesVersion": "v1.36.4"}, {"kind": "KubeletConfiguration"},
       {"kind": "KubeProxyConfiguration"}, {"kind": "JoinConfiguration"}]
PATHS = rollout.files_of("control_plane")
SERVERS = [{"name": "cp%d" % number, "address": "192.0.2.%d" % number, "port": 6443} for number in (1, 2, 3)]


def changed(kind, **fields):
    return [dict(document, **fields) if document["kind"] == kind else document for document in OLD]


def hashed(content):
    return hashlib.sha256(content).hexdigest()


class Killed(BaseException):
    pass


@pytest.fixture(autouse=True)
def no_disk(monkeypatch):
    """A power loss is no subject here, and there are thousands of records."""
    monkeypatch.setattr(fs.os, "fsync", lambda handle: None)


class World:
    """One control plane: its files, what runs of them, and what the cluster keeps. It dies before its step number ``dies_at``."""

    def __init__(self, role="control_plane"):
        self.role = role
        self.read_at_start = {}
        self.disk = self.render(role, OLD, "")
        self.running = dict(self.disk)
        self.kept, self.proxy, self.invocation = [OLD[1], OLD[2]], rollout.sums(OLD, "")["proxy"], 1
        self.ready = {"192.0.2.2": "", "192.0.2.3": ""}
        self.broken = b"no such content"
        self.steps, self.dies_at, self.log = 0, None, []

    def _step(self, words):
        self.steps += 1
        if self.steps == self.dies_at:
            raise Killed(words)
        self.log.append(words)

    # the host
    def api_ready(self, address, port):
        if address == "192.0.2.1":
            return self.broken not in self.running[PATHS[0]], "it crashes"
        return not self.ready[address], self.ready[address]

    # its files
    def contents(self):
        return dict(self.read_at_start)

    def render(self, role, documents, contents):
        by_kind = {document["kind"]: document for document in documents}
        made = {path: ("%s %s" % (path, by_kind["ClusterConfiguration"])).encode() for path in MANIFESTS}
        made[PATHS[0]] += contents.encode()
        made.update({KUBELET_CONFIG: str(by_kind["KubeletConfiguration"]).encode(), rollout.KUBELET_FLAGS: str(by_kind["InitConfiguration"]).encode()})
        return {path: made[path] for path in rollout.files_of(role)}

    def hashes(self, paths):
        return {path: hashed(self.disk[path]) for path in paths}

    def read(self, path):
        return self.disk[path]

    def write(self, path, content):
        self._step("write " + path)
        self.disk[path] = content
        if path in MANIFESTS:
            self.running[path] = content    # the kubelet does, whoever wrote it was killed or not

    def age(self, path):
        return 5.0

    def process_age(self, name):
        return 1.0

    def component_ready(self, address, port):
        return True, ""

    def restart_kubelet(self):
        self._step("restart kubelet")
        self.running.update({path: self.disk[path] for path in rollout.KUBELET_FILES})
        self.invocation += 1
        return self.invocation - 1

    def kubelet_invocation(self):
        return "" if self.broken in self.running[KUBELET_CONFIG] else self.invocation

    def kubelet_words(self):
        return "unknown field"

    def kubelet_ready(self, *asked):
        return True, ""

    def upload(self, documents):
        self._step("upload")
        self.kept = [document for document in documents if document["kind"] in ("ClusterConfiguration", "KubeletConfiguration")]

    def roll_proxy(self, documents, proxy_sum):
        self._step("proxy")
        self.proxy = proxy_sum


def wait_once(condition, what, timeout, interval=1):
    answer = condition()
    if not answer[0]:
        raise WaitTimeout("waited for %s; last seen: %s" % (what, answer[1]), last_seen=answer[1])


class DyingRecord(Record):
    def __init__(self, path, world):
        super().__init__(path)
        self._world = world

    def write(self, record):
        self._world._step("record")
        super().write(record)


def built(world, tmp_path, documents, role="control_plane"):
    params = {"role": role, "documents": documents, "api_servers": SERVERS if role == "control_plane" else [], "address": "192.0.2.1", "port": 6443,
              "endpoint": "192.0.2.10:6443", "node_name": "cp1"}
    return BuiltNode(params, world, world, DyingRecord(str(tmp_path / "kubeadm.json"), world), wait_once)


def adopted(tmp_path, role="control_plane"):
    world = World(role)
    Record(str(tmp_path / "kubeadm.json")).write({"state": "done"})
    node = built(world, tmp_path, OLD, role)
    node.look()
    node.adopt(built=True)
    assert node.look() == rollout.NOTHING
    world.steps, world.log = 0, []
    return world


EVERYTHING = [dict(document, new=1) for document in OLD]
CASES = {
    "an API server's flag": (changed("ClusterConfiguration", flag=1), ["record"] + ["write " + path for path in MANIFESTS] + ["upload", "record"]),
    "a field of the kubelet": (changed("KubeletConfiguration", maxPods=40),
                               ["record", "write " + KUBELET_CONFIG, "restart kubelet", "upload", "record"]),
    "a flag of one kubelet": (changed("InitConfiguration", labels=1), ["record", "write " + rollout.KUBELET_FLAGS, "restart kubelet", "record"]),
    "a field of kube-proxy": (changed("KubeProxyConfiguration", mode="iptables"), ["record", "proxy", "record"]),
    "all at once": (EVERYTHING, ["record"] + ["write " + path for path in PATHS] + ["restart kubelet", "upload", "proxy", "record"]),
}


@pytest.mark.parametrize("name", CASES)
def test_a_change_takes_its_steps_and_no_other(tmp_path, name):
    documents, log = CASES[name]
    world = adopted(tmp_path)
    node = built(world, tmp_path, documents)
    assert rollout.reasons(node.look())
    node.roll_out()
    assert world.log == log
    assert built(world, tmp_path, documents).look() == rollout.NOTHING
    assert all(world.running[path] == world.disk[path] for path in PATHS)


def test_a_name_in_the_certificate_restarts_nothing(tmp_path):
    world = adopted(tmp_path)
    # The API server reads its certificate again by itself; only what the cluster keeps is older. kubeadm renders no manifest with it.
    world.render = lambda role, documents, contents: World.render(world, role, OLD, contents)
    assert built(world, tmp_path, changed("ClusterConfiguration", certSANs=["a.example"])).look() == rollout.Steps((), (), True, False)


@pytest.mark.parametrize("name", CASES)
def test_killed_at_every_step_the_next_run_finishes(tmp_path, name):
    documents, log = CASES[name]
    for dies_at in range(1, len(log) + 1):
        world = adopted(tmp_path)
        world.dies_at = dies_at
        node = built(world, tmp_path, documents)
        node.look()
        with pytest.raises(Killed):
            node.roll_out()
        assert Record(str(tmp_path / "kubeadm.json")).read()["state"] == "done", "a finished node is never reset for a rollout"
        world.dies_at = None
        again = built(world, tmp_path, documents)
        assert again.look() != rollout.NOTHING
        again.roll_out()
        assert built(world, tmp_path, documents).look() == rollout.NOTHING
        wanted = world.render("control_plane", documents, "")
        assert (world.disk, world.running, world.proxy) == (wanted, wanted, rollout.sums(documents, "")["proxy"])
        assert world.kept == [document for document in documents if document["kind"] in ("ClusterConfiguration", "KubeletConfiguration")]


@pytest.mark.parametrize("first, second", [(first, second) for first in CASES for second in (*CASES, "back") if first != second])
def test_killed_and_then_asked_for_something_else(tmp_path, first, second):
    documents = OLD if second == "back" else CASES[second][0]
    for dies_at in range(1, len(CASES[first][1]) + 1):
        world = adopted(tmp_path)
        world.dies_at = dies_at
        node = built(world, tmp_path, CASES[first][0])
        node.look()
        with pytest.raises(Killed):
            node.roll_out()
        world.dies_at = None
        again = built(world, tmp_path, documents)
        if again.look() != rollout.NOTHING:
            again.roll_out()
        assert world.disk == world.running == world.render("control_plane", documents, "")


def test_contents_of_the_files_that_it_reads_are_another_api_server(tmp_path):
    world = adopted(tmp_path)
    world.read_at_start = {"audit-policy.yaml": "1"}
    node = built(world, tmp_path, OLD)
    assert node.look() == rollout.Steps((MANIFESTS[0],), (), False, False)
    node.roll_out()
    world.read_at_start["encryption.yaml"] = "2"
    assert built(world, tmp_path, OLD).look() == rollout.NOTHING
    # A check run sees that they would have been written by now.
    assert built(world, tmp_path, OLD).look(pending=["/etc/kubernetes/ironrack/audit-policy.yaml"]).manifests == (MANIFESTS[0],)
    assert built(world, tmp_path, OLD).look(pending=["/etc/kubernetes/ironrack/encryption.yaml", "/etc/hosts"]) == rollout.NOTHING


def test_a_manifest_that_was_edited_by_hand_is_put_right(tmp_path):
    world = adopted(tmp_path)
    world.disk[MANIFESTS[2]] = b"edited"
    assert built(world, tmp_path, OLD).look().manifests == (MANIFESTS[2],)


def test_a_control_plane_is_left_alone_while_another_one_is_not_ready(tmp_path):
    world = adopted(tmp_path)
    world.ready["192.0.2.3"] = "etcd failed"
    node = built(world, tmp_path, EVERYTHING)
    node.look()
    with pytest.raises(IronrackError, match="cp1 was left as it is.*API server of cp3 is not ready: etcd failed"):
        node.roll_out()
    assert world.log == []


def test_its_own_api_server_may_be_the_broken_one(tmp_path):
    world = adopted(tmp_path)
    world.running[MANIFESTS[0]] = world.broken
    node = built(world, tmp_path, EVERYTHING)
    node.look()
    node.roll_out()
    assert world.api_ready("192.0.2.1", 6443)[0]


@pytest.mark.parametrize("ready", list(itertools.product(("", "down"), repeat=3)))
@pytest.mark.parametrize("steps, touches", [
    (rollout.Steps((MANIFESTS[0],), (), False, False), True), (rollout.Steps((), (KUBELET_CONFIG,), True, True), True),
    (rollout.Steps((), (), True, True), False)])
def test_the_guard_over_all_states_of_the_others(ready, steps, touches):
    servers = {"cp%d" % number: said for number, said in enumerate(ready)}
    assert len(rollout.guard(steps, servers)) == (sum(said != "" for said in ready) if touches else 0)


@pytest.mark.parametrize("kind, path", [("ClusterConfiguration", MANIFESTS[0]), ("KubeletConfiguration", KUBELET_CONFIG)])
def test_what_does_not_come_to_life_is_put_back(tmp_path, kind, path):
    world = adopted(tmp_path)
    old = dict(world.disk)
    node = built(world, tmp_path, changed(kind, flag=world.broken.decode()))
    node.look()
    with pytest.raises(IronrackError, match="did not come to life.*%s was put back, and no other host gets it" % path):
        node.roll_out()
    assert world.disk[path] == old[path] and world.running[path] == old[path]
    assert built(world, tmp_path, OLD).look() == rollout.NOTHING


def test_a_worker_has_a_kubelet_only(tmp_path):
    world = adopted(tmp_path, "worker")
    node = built(world, tmp_path, EVERYTHING, "worker")
    assert node.look() == rollout.Steps((), rollout.KUBELET_FILES, False, False)
    node.roll_out()
    assert world.log == ["record", *["write " + path for path in rollout.KUBELET_FILES], "restart kubelet", "record"]


def test_kubeadm_that_renders_nothing_changes_nothing(tmp_path):
    world = adopted(tmp_path)
    world.render = lambda role, documents, contents: {path: b"" for path in PATHS}
    with pytest.raises(IronrackError, match="rendered nothing"):
        built(world, tmp_path, EVERYTHING).look()


def test_patches_reach_what_kubeadm_writes_itself():
    assert json.loads(rollout.annotation_patch("ab")) == {"metadata": {"annotations": {rollout.ANNOTATION: "ab"}}}
    patched = rollout.with_patches(OLD, "/run/x")
    assert [document.get("patches") for document in patched] == [{"directory": "/run/x"}, None, None, None, {"directory": "/run/x"}]
    assert rollout.with_patches(OLD, "") == OLD
    assert rollout.with_patches([{"kind": "InitConfiguration", "patches": {"directory": "/own"}}], "/run/x")[0]["patches"]["directory"] == "/own"


@pytest.mark.parametrize("name, flags, endpoint", [
    ("kube-scheduler", "", ("127.0.0.1", 10259)), ("kube-controller-manager", "    - --bind-address=::1\n", ("::1", 10257)),
    ("kube-controller-manager", "    - --bind-address=0.0.0.0\n    - --secure-port=11257\n", ("127.0.0.1", 11257))])
def test_the_health_check_of_the_other_components(name, flags, endpoint):
    assert rollout.component_endpoint("metadata:\n  name: %s\n  namespace: kube-system\n%s" % (name, flags)) == endpoint


@pytest.mark.parametrize("text, endpoint", [
    ("healthzBindAddress: 127.0.0.1\nhealthzPort: 10248\n", ("127.0.0.1", 10248)), ("healthzBindAddress: '::1'\nhealthzPort: 0\n", ("::1", 0)),
    ("", ("127.0.0.1", 10248))])
def test_the_kubelets_own_health_check(text, endpoint):
    assert rollout.health_endpoint(text) == endpoint
