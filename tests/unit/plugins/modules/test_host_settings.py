# Copyright (c) 2026, ironrack.cluster contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""ironrack.cluster.host_settings: what it runs and what it predicts."""
from __future__ import annotations

import json

import pytest
from ansible.module_utils.testing import patch_module_args

from ansible_collections.ironrack.cluster.plugins.modules import host_settings


@pytest.fixture
def run(capsys, monkeypatch):
    """Run the module on a host of files, with the commands that it ran."""
    def call(params, files, check=False, users=(), fail=()):
        ran, wrote = [], {}

        def command(self, argv, **dummy):
            ran.append(argv)
            return (1, "", "no such module") if argv[-1] in fail else (0, "", "")

        def name_of(name):
            if name not in users:
                raise KeyError(name)

        monkeypatch.setattr(host_settings.AnsibleModule, "run_command", command)
        monkeypatch.setattr(host_settings, "read_or_none", lambda path: files.get(path, b"kernel/overlay.ko\n" if "builtin" in path else None))
        monkeypatch.setattr(host_settings, "_write", wrote.__setitem__)
        monkeypatch.setattr(host_settings, "atomic_write", wrote.__setitem__)
        monkeypatch.setattr(host_settings.os.path, "realpath", lambda path: path)
        monkeypatch.setattr(host_settings.pwd, "getpwnam", name_of)
        with patch_module_args(dict(params, _ansible_check_mode=check)):
            with pytest.raises(SystemExit):
                host_settings.main()
        return json.loads(capsys.readouterr().out), ran, wrote
    return call


WANTED = {
    "modules": ["overlay", "no_such_module_x"], "sysctl": {"net.ipv4.ip_forward": True, "net.bridge.x": 1}, "swap": False, "users": [{"name": "etcd"}]}
FRESH = {
    "/proc/sys/net/ipv4/ip_forward": b"0\n", "/proc/swaps": b"Filename\n/dev/sda2 partition\n", "/etc/fstab": b"/dev/sda2 none swap sw 0 0\n"}


def test_a_fresh_host_is_predicted_without_a_change(run):
    result, ran, wrote = run(WANTED, FRESH, check=True)
    assert set(result["after"]) == {
        "user etcd", "module no_such_module_x", "sysctl net.ipv4.ip_forward", "sysctl net.bridge.x", "swap", "swap in /etc/fstab"}
    assert not ran and not wrote


def test_a_fresh_host_is_set(run):
    result, ran, wrote = run(WANTED, FRESH)
    assert result["changed"]
    assert [argv[0] for argv in ran] == ["useradd", "modprobe", "swapoff"]
    assert wrote["/proc/sys/net/ipv4/ip_forward"] == "1" and wrote["/etc/fstab"].startswith(b"# switched off")


def test_a_host_that_is_right_is_left_alone(run):
    right = {"/proc/sys/net/ipv4/ip_forward": b"1\n", "/proc/sys/net/bridge/x": b"1\n", "/proc/swaps": b"Filename\n", "/etc/fstab": b""}
    result, ran, wrote = run(dict(WANTED, modules=["overlay"]), right, users=["etcd"])
    assert not result["changed"] and not ran and not wrote


def test_swap_is_left_alone_unless_asked(run):
    assert not run({"swap": True}, FRESH)[0]["changed"] and not run({}, FRESH)[0]["changed"]


def test_all_that_failed_is_named(run):
    result = run(WANTED, FRESH, fail=["no_such_module_x", "etcd"])[0]
    assert result["failed"] and len(result["problems"]) == 2 and "no such module" in result["msg"]
