# Copyright (c) 2026, ironrack.cluster contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""ironrack.cluster.image_preload: argv by argv."""
from __future__ import annotations

import json

import pytest
from ansible.module_utils.testing import patch_module_args

from ansible_collections.ironrack.cluster.plugins.module_utils._host import images as parts
from ansible_collections.ironrack.cluster.plugins.modules import image_preload

PAUSE = "registry.k8s.io/pause:3.10.2"
DNS = "registry.k8s.io/coredns/coredns:v1"


class Node:
    """A node with containerd: images that it has, pulls under way and what they end in."""

    def __init__(self, present=(), running=(), broken=(), ctr=True):
        self.present, self.under_way, self.broken, self.ctr, self.ran = list(present), list(running), broken, ctr, []

    def command(self, argv):
        self.ran.append(argv)
        if argv[0].endswith("ctr") and not self.ctr:
            return 257, "", "[Errno 2] No such file"
        if argv[-2:] == ["ls", "-q"]:
            return 0, "".join(image + "\n" for image in self.present), ""
        if argv[0] == "systemd-run":
            self.under_way.append(argv[-1])
        if argv[0] == "systemctl":
            states = ["active" if any(parts.unit_of(image) == unit for image in self.under_way) else "inactive" for unit in argv[4:]]
            # a pull takes until it was asked for twice
            self.present += [image for image in self.under_way if image not in self.broken]
            self.under_way = []
            return 0, "\n\n".join("ActiveState=" + state for state in states), ""
        if argv[0] == "journalctl":
            return 0, "ctr: not found\nMain process exited\n", ""
        return 0, "", ""

    def started(self):
        return [argv[-1] for argv in self.ran if argv[0] == "systemd-run"]

    def pinned(self):
        return [argv[-2] for argv in self.ran if "label" in argv]


@pytest.fixture
def run(capsys, monkeypatch):
    def call(node, check=False, **params):
        monkeypatch.setattr(image_preload.AnsibleModule, "run_command", lambda module, argv, **dummy: node.command(argv))
        monkeypatch.setattr("time.sleep", lambda seconds: None)
        with patch_module_args(dict(dict(images=[PAUSE, DNS, DNS]), _ansible_check_mode=check, **params)):
            with pytest.raises(SystemExit):
                image_preload.main()
        return json.loads(capsys.readouterr().out)
    return call


def test_what_is_missing_is_started(run):
    node = Node(present=[PAUSE])
    assert run(node, check=True)["pulled"] == [DNS] and not node.started()
    assert run(node)["pulled"] == [DNS] and node.started() == [DNS] and node.pinned() == [PAUSE]
    argv = next(argv for argv in node.ran if argv[0] == "systemd-run")
    assert "--collect" in argv and "--unit=" + parts.unit_of(DNS) in argv
    assert argv[argv.index("/usr/local/bin/ctr"):] == [
        "/usr/local/bin/ctr", "--namespace", "k8s.io", "images", "pull", "--hosts-dir", "/etc/containerd/certs.d", DNS]


def test_a_pull_under_way_is_not_started_again(run):
    node = Node(present=[PAUSE], running=[DNS])
    assert not run(node)["changed"] and not node.started()


def test_waited_starts_waits_and_pins(run):
    node = Node()
    assert run(node, state="waited")["changed"]
    assert set(node.present) == {PAUSE, DNS} and node.pinned() == [PAUSE]
    assert not run(node, state="waited")["changed"]


def test_what_could_not_be_pulled_is_named_with_the_reason(run):
    result = run(Node(broken=[DNS]), state="waited")
    assert result["failed"] and result["missing"] == [DNS] and "ctr: not found" in result["msg"]


def test_a_fresh_host_in_check_mode_pulls_everything_once(run):
    assert run(Node(ctr=False), check=True)["pulled"] == [PAUSE, DNS]
    assert not run(Node(ctr=False), check=True, state="waited")["changed"]
    assert "containerd" in run(Node(ctr=False))["msg"]


def test_only_pause_is_pinned():
    listed = "a/pause:1\nsite:5000/pause@sha256:1\na/pauser:1\n"
    assert parts.to_pin(["a/pause:1", "site:5000/pause@sha256:1", "a/pauser:1", "b/pause:2"], listed)[0] == "a/pause:1"
    assert "a/pauser:1" not in parts.to_pin(["a/pauser:1"], listed)
