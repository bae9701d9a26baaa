# Copyright (c) 2026, ironrack.cluster contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""kubeadm_node with a host that is made up: what is recorded before what is done, and what a kill leaves."""
from __future__ import annotations

import hashlib

import pytest

from ansible_collections.ironrack.cluster.plugins.module_utils._common.errors import IronrackError
from ansible_collections.ironrack.cluster.plugins.module_utils._kubeadm.modes import loose
from ansible_collections.ironrack.cluster.plugins.module_utils._kubeadm.plan import BOOTSTRAP_CONF, KUBELET_CONFIG, MANIFESTS, required
from ansible_collections.ironrack.cluster.plugins.module_utils._kubeadm.record import Record
from ansible_collections.ironrack.cluster.plugins.module_utils._kubeadm.rollout import files_of
from ansible_collections.ironrack.cluster.plugins.modules import kubeadm_node

DOCUMENTS = [{"kind": "InitConfiguration"}, {"kind": "JoinConfiguration"}]


class Module:
    def __init__(self, check_mode=False, **params):
        self.check_mode = check_mode
        self.warnings = []
        self.params = dict(
            {"state": "present", "role": "control_plane", "node_name": "cp1", "documents": DOCUMENTS, "kubernetes_version": "1.36.4", "initialise": False,
             "cluster_state": "unknown", "address": "10.77.0.21", "port": 6443, "endpoint": "10.77.0.10:6443",
             "token": "abcdef.0123456789abcdef", "ca_hash": "sha256:00", "registered": None, "image_wait": 1, "timeout": 1, "roll_out": True,
             "pending": [], "api_servers": []}, **params)

    def warn(self, text):
        self.warnings.append(text)


class Host:
    """A host whose kubeadm leaves what the real one leaves; ``dies_in`` raises where a SIGKILL would end the run."""

    def __init__(self, role="control_plane", dies_in=None):
        self.role, self.dies_in = role, dies_in
        self.files, self.calls, self.running, self.open = set(), [], False, set()

    def _step(self, name):
        self.calls.append(name)
        if self.dies_in == name:
            raise KeyboardInterrupt(name)

    def present(self):
        return frozenset(self.files)

    def modes(self):
        return {path: (0o644 if path in self.open else 0o600, 0, 0) for path in self.files}

    def tighten(self, paths):
        self.open.difference_update(paths)

    def unit_active(self, unit):
        return self.running

    def api_ready(self, address, port):
        return self.running, "seen"

    def node_ready(self, endpoint, name, token):
        return False, "no Node"

    def other_kubeadm(self):
        return []

    def preloads(self):
        self._step("preloads")
        return []

    def try_lock(self):
        return True

    def reset(self, node, timeout):
        self.calls.append("reset")
        self.files, self.running = set(), False

    def run_kubeadm(self, verb, documents, node, timeout, **discovery):
        self.calls.append((verb, sorted(discovery)))
        assert self.record.read()["state"] == "running", "the record comes before the deed"
        self.files.update((MANIFESTS[0], BOOTSTRAP_CONF))
        self._step("middle")
        self.files, self.running, self.open = set(required(self.role)), True, {KUBELET_CONFIG}
        self._step("end")


class Files:
    """Files of a host whose kubeadm renders ``wanted``; the files are ``wanted`` too once a kubeadm run has come to its end."""

    def __init__(self, host):
        self.host, self.disk, self.rendered = host, {}, 0

    def contents(self):
        return {}

    def patches(self, contents):
        return ""

    def render(self, role, documents, contents):
        self.rendered += 1
        return {path: ("%s %s" % (path, documents)).encode() for path in files_of(role)}

    def hashes(self, paths):
        for path in paths:
            if path not in self.disk and self.host.running:
                self.disk[path] = ("%s %s" % (path, DOCUMENTS)).encode()
        return {path: hashlib.sha256(self.disk[path]).hexdigest() if path in self.disk else None for path in paths}

    def read(self, path):
        return self.disk[path]

    def write(self, path, content):
        self.disk[path] = content
        self.host.calls.append("write " + path.rpartition("/")[2])

    def age(self, path):
        return 1.0

    def process_age(self, name):
        return 0.5

    def component_ready(self, address, port):
        return True, ""

    def restart_kubelet(self):
        self.host.calls.append("restart kubelet")
        return "old"

    def kubelet_invocation(self):
        return "new"

    def kubelet_ready(self, *asked):
        return True, ""

    def upload(self, documents):
        self.host.calls.append("upload")

    def roll_proxy(self, documents, proxy_sum):
        self.host.calls.append("proxy")


def node(tmp_path, module, host):
    record = host.record = Record(str(tmp_path / "kubeadm.json"))
    host.node_files = getattr(host, "node_files", None) or Files(host)
    return kubeadm_node.Node(module, host, record, host.node_files)


def test_init_then_nothing(tmp_path):
    host = Host()
    result = node(tmp_path, Module(initialise=True, cluster_state="absent", token=""), host).run()
    assert (result["changed"], result["action"], result["before"]["state"], result["after"]["state"]) == (True, "init", "fresh", "done")
    assert host.calls == ["preloads", ("init", []), "middle", "end"]
    again = Module(cluster_state="complete", token="")
    result = node(tmp_path, again, host).run()
    assert (result["changed"], result["action"], again.warnings) == (False, "none", [])


def test_what_kubeadm_leaves_open_is_closed_in_the_same_run_and_after_a_kill(tmp_path):
    host = Host()
    result = node(tmp_path, Module(), host).run()
    assert (result["action"], result["tightened"], host.open) == ("join", [KUBELET_CONFIG], set())
    host.open = {KUBELET_CONFIG, MANIFESTS[0]}
    told = node(tmp_path, Module(check_mode=True, token=""), host).run()
    assert (told["changed"], told["action"], told["tightened"], len(host.open)) == (True, "tighten", [MANIFESTS[0], KUBELET_CONFIG], 2)
    assert (told["diff"]["before"]["open_files"], told["diff"]["after"]["open_files"]) == (told["tightened"], [])
    assert node(tmp_path, Module(token=""), host).run()["changed"] and not host.open
    assert node(tmp_path, Module(token=""), host).run()["changed"] is False


@pytest.mark.parametrize("seen, expected", [((0o600, 0, 0), False), ((0o400, 0, 0), False), ((0o640, 0, 0), True), ((0o700, 0, 0), True),
                                            ((0o600, 1000, 0), True), ((0o600, 0, 50), True)])
def test_only_root_reads_what_kubeadm_writes(seen, expected):
    assert loose({"/x": seen}) == (["/x"] if expected else [])


def test_join_gets_its_discovery(tmp_path):
    host = Host("worker")
    result = node(tmp_path, Module(role="worker"), host).run()
    assert result["action"] == "join" and ("join", ["ca_hash", "endpoint", "token"]) in host.calls


@pytest.mark.parametrize("dies_in, action", [("preloads", "join"), ("middle", "reset_then_join"), ("end", "reset_then_join")])
def test_a_join_that_was_killed_anywhere_comes_to_its_end(tmp_path, dies_in, action):
    host = Host(dies_in=dies_in)
    with pytest.raises(KeyboardInterrupt):
        node(tmp_path, Module(), host).run()
    host.dies_in = None
    assert node(tmp_path, Module(), host).run()["action"] == action
    assert node(tmp_path, Module(token=""), host).run()["changed"] is False


def test_a_join_that_was_killed_after_its_end_is_only_recorded(tmp_path):
    host = Host(dies_in="end")
    with pytest.raises(KeyboardInterrupt):
        node(tmp_path, Module(), host).run()
    result = node(tmp_path, Module(registered=True, token=""), host).run()
    assert (result["action"], result["changed"], "reset" in host.calls) == ("finish", True, False)
    assert node(tmp_path, Module(registered=True, token=""), host).run()["changed"] is False


@pytest.mark.parametrize("params, action", [({"initialise": True, "cluster_state": "absent", "token": ""}, "init"), ({"token": ""}, "join")])
def test_check_mode_says_what_would_happen_and_does_nothing(tmp_path, params, action):
    host = Host()
    result = node(tmp_path, Module(check_mode=True, **params), host).run()
    assert (result["changed"], result["action"], host.calls) == (True, action, [])
    assert not (tmp_path / "kubeadm.json").exists()


CHANGED = DOCUMENTS + [{"kind": "KubeletConfiguration", "maxPods": 40}]
ROLLED = ["write kube-apiserver.yaml", "write kube-controller-manager.yaml", "write kube-scheduler.yaml", "write config.yaml",
          "write kubeadm-flags.env", "restart kubelet", "upload"]


def test_a_changed_configuration_is_rolled_out_once(tmp_path):
    host = Host()
    node(tmp_path, Module(initialise=True, cluster_state="absent", token=""), host).run()
    host.calls.clear()
    result = node(tmp_path, Module(documents=CHANGED), host).run()
    assert (result["changed"], result["action"], result["rollout"]["open"]) == (True, "roll_out", False)
    assert host.calls == ROLLED
    # What was rolled out is on record, so that nothing is rendered again.
    rendered = host.node_files.rendered
    assert node(tmp_path, Module(documents=CHANGED), host).run()["changed"] is False
    assert host.node_files.rendered == rendered


@pytest.mark.parametrize("params, changed", [({"roll_out": False}, False), ({"check_mode": True}, True)])
def test_what_would_be_rolled_out_is_said_and_left(tmp_path, params, changed):
    host = Host()
    node(tmp_path, Module(initialise=True, cluster_state="absent", token=""), host).run()
    host.calls.clear()
    result = node(tmp_path, Module(documents=CHANGED, **params), host).run()
    assert (result["changed"], result["rollout"]["open"], host.calls) == (changed, True, [])
    assert result["rollout"]["files"] == list(files_of("control_plane"))
    assert [part["after_header"] for part in result["diff"][1:]] == list(files_of("control_plane"))


def test_a_host_that_joins_a_cluster_with_older_settings_gets_the_new_ones_at_once(tmp_path):
    host = Host()
    result = node(tmp_path, Module(documents=CHANGED, roll_out=False), host).run()
    assert (result["action"], result["rollout"]["open"]) == ("join", True)


def test_a_refusal_names_the_host(tmp_path):
    with pytest.raises(IronrackError, match="^cp1: .*no bootstrap token"):
        node(tmp_path, Module(token=""), Host()).run()


def test_a_host_leaves_and_may_come_back(tmp_path):
    host = Host()
    assert node(tmp_path, Module(state="absent"), host).run()["changed"] is False
    node(tmp_path, Module(), host).run()
    assert node(tmp_path, Module(state="absent", check_mode=True), host).run()["changed"] and host.running
    assert node(tmp_path, Module(state="absent"), host).run()["action"] == "reset"
    assert "reset" in host.calls and not (tmp_path / "kubeadm.json").exists()
    assert node(tmp_path, Module(), host).run()["action"] == "join"
