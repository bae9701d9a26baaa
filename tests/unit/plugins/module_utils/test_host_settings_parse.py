# Copyright (c) 2026, ironrack.cluster contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Parsers of what a kernel and its files say."""
from __future__ import annotations

import pytest

from ansible_collections.ironrack.cluster.plugins.module_utils._host import settings


def test_modules_that_are_built_in_or_loaded_are_not_loaded_again():
    builtin = settings.builtin_modules("kernel/fs/overlayfs/overlay.ko\nkernel/drivers/net/nf-conntrack.ko.xz\n\n")
    assert builtin == {"overlay", "nf_conntrack"}
    assert settings.missing_modules(["overlay", "br_netfilter", "nf-conntrack", "ip_vs"], {"br_netfilter"}.__contains__, builtin) == ["ip_vs"]


@pytest.mark.parametrize("key, path", [
    ("net.ipv4.ip_forward", "net/ipv4/ip_forward"),
    ("net/ipv4/conf/eth0.1/rp_filter", "net/ipv4/conf/eth0.1/rp_filter"),
    ("net.ipv4.conf.eth0/1.rp_filter", "net/ipv4/conf/eth0.1/rp_filter"),
])
def test_sysctl_path(key, path):
    assert settings.sysctl_path(key) == path


def test_same_value():
    assert settings.same_value("4096\t131072\t6291456", "4096 131072 6291456")
    assert settings.same_value(1, "1") and not settings.same_value("10", "1")


def test_swap_devices():
    assert settings.swap_devices("Filename Type Size Used Priority\n/dev/sda2 partition 1 0 -2\n/swap file 1 0 -3\n") == ["/dev/sda2", "/swap"]
    assert settings.swap_devices("") == []


def test_swap_leaves_fstab_once():
    fstab = "UUID=1 / ext4 defaults 0 1\n/dev/sda2 none swap sw 0 0\n# /x none swap sw\n/swap.d /mnt ext4 defaults 0 0\n"
    once = settings.without_swap(fstab)
    assert once.count(settings.OFF) == 1 and "\n%s/dev/sda2" % settings.OFF in once
    assert settings.without_swap(once) == once


def test_useradd():
    assert settings.useradd({"name": "etcd", "home": "/var/lib/etcd"}) == [
        "useradd", "--system", "--no-create-home", "--home-dir", "/var/lib/etcd", "--shell", "/usr/sbin/nologin", "--user-group", "--", "etcd"]
    assert settings.useradd({"name": "a", "group": "b", "shell": "/bin/sh", "comment": "c"})[6:] == ["/bin/sh", "--gid", "b", "--comment", "c", "--", "a"]
