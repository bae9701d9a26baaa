# Copyright (c) 2026, ironrack.cluster contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import shutil
import subprocess
import sys

import pytest
from ansible_collections.ironrack.cluster.lab import image, mounts
from ansible_collections.ironrack.cluster.lab.shell import LabError

DEB822 = """\
Types: deb
# http://snapshot.example/archive
URIs: http://mirror.example/debian
Suites: bookworm bookworm-updates
Components: main
Signed-By: /usr/share/keyrings/debian-archive-keyring.gpg

Types: deb
URIs: http://mirror.example/debian-security
Suites: bookworm-security
Components: main

Enabled: no
Types: deb
URIs: http://off.example/debian
Suites: bookworm
Components: main
"""
ONE_LINE = """\
# deb http://old.example/debian bookworm main
deb-src http://src.example/debian bookworm main
deb cdrom:[Debian]/ bookworm main
deb [arch=amd64 signed-by=/k.gpg] https://two.example/debian bookworm main contrib
"""


def test_the_mirror_is_read_from_deb822():
    assert image.mirrors(DEB822, "bookworm", deb822=True) == ["http://mirror.example/debian"]


def test_the_mirror_is_read_from_one_line_sources():
    assert image.mirrors(ONE_LINE, "bookworm", deb822=False) == ["https://two.example/debian"]


def test_no_source_is_an_error_that_says_where_it_looked(tmp_path):
    with pytest.raises(LabError, match=f"no source of bookworm main .looked into {tmp_path}"):
        image.debian_mirror(tmp_path)


def test_the_key_follows_everything_in_the_definition(tmp_path):
    copy = tmp_path / "image"
    shutil.copytree(image.DEFINITION, copy)
    first = image.key(copy)
    assert first == image.key(image.DEFINITION)
    assert image.key(copy, codename="trixie") != first
    for name in ("packages.txt", "Containerfile", "shim", "open_files.c", "files/etc/sudoers.d/operator"):
        before = image.key(copy)
        with (copy / name).open("a") as handle:
            handle.write("# changed\n")
        assert image.key(copy) != before


def test_what_the_roles_install_is_not_in_the_image():
    listed = set(image.packages())
    assert {"systemd-sysv", "openssh-server", "python3-apt", "sudo", "nftables"} <= listed
    assert not listed & {"runc", "iptables", "ipset", "conntrack", "socat", "ethtool", "ebtables", "keepalived", "docker-registry", "libpcre2-8-0", "nginx"}


def test_podman_never_inherits_a_users_settings(monkeypatch, tmp_path):
    monkeypatch.setenv("CONTAINER_HOST", "ssh://elsewhere")
    monkeypatch.setenv("STORAGE_DRIVER", "vfs")
    env = image.podman_environment(tmp_path / "c", tmp_path / "s", tmp_path / "t")
    assert "CONTAINER_HOST" not in env and "STORAGE_DRIVER" not in env
    assert env["CONTAINERS_CONF"] == str(tmp_path / "c")


@pytest.mark.parametrize("soft, hard", [(256, 512), (512, 512)])
def test_a_program_is_told_of_enough_open_files_and_has_no_more(tmp_path, soft, hard):
    library = tmp_path / image.OPEN_FILES
    image.compile_library(image.DEFINITION / "open_files.c", library)
    script = "import resource; print(resource.getrlimit(resource.RLIMIT_NOFILE), open('/proc/self/limits').read())"
    limited = ["prlimit", f"--nofile={soft}:{hard}", "env", f"LD_PRELOAD={library}", sys.executable, "-c", script]
    done = subprocess.run(limited, capture_output=True, text=True, check=True)
    assert done.stdout.startswith("(65535, 65535) ")
    assert ["Max", "open", "files", str(soft), str(hard), "files"] in [line.split() for line in done.stdout.splitlines()]


def test_the_library_is_loaded_where_it_is_put():
    dropin = image.DEFINITION / "files/etc/systemd/system/opensearch.service.d/lab.conf"
    assert f"LD_PRELOAD=/{image.OPEN_FILES}\n" in dropin.read_text()


def test_mounts_below_come_deepest_first_and_only_from_below(tmp_path):
    info = "\n".join(f"{n} 1 0:{n} / {point} rw - tmpfs tmpfs rw" for n, point in enumerate(
        ["/", "/a", "/ab", "/a/b", "/a/b/c\\040d"]))
    assert mounts.mounts_below(tmp_path.__class__("/a"), info) == ["/a/b/c d", "/a/b", "/a"]
