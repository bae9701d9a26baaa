# Copyright (c) 2026, ironrack.cluster contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import subprocess
import sys
from dataclasses import replace

from ansible_collections.ironrack.cluster.lab import check, settings

GOOD = check.Facts(uid=0, os_id="debian", os_version="12", architecture="x86_64", memory_gib=23.5, disks=(("/var", 75.0, 0.0),))


def test_a_good_machine_has_no_reason_against_it():
    assert check.reasons(GOOD) == []


def test_all_reasons_come_at_once():
    bad = check.Facts(uid=1000, os_id="fedora", os_version="41", architecture="aarch64", memory_gib=7.8, disks=(("/var", 3.0, 0.0),))
    text = check.message(check.reasons(bad))
    for part in ("not root", "fedora 41", "aarch64", "7.8 GiB of memory; these hosts need 12.0 GiB", "3.0 GiB free at /var", "Nothing was installed"):
        assert part in text
    assert len(check.reasons(bad)) == 5


def test_a_small_topology_needs_less_memory():
    assert check.reasons(replace(GOOD, memory_gib=7.8), memory_gib=5.0) == []


def test_a_machine_sold_with_12_gib_is_enough():
    assert check.reasons(replace(GOOD, memory_gib=11.67)) == []


def test_what_the_lab_has_built_needs_no_room_again():
    assert check.reasons(replace(GOOD, disks=(("/var", 8.0, 14.0),))) == []
    assert "beside 4.0 GiB" in check.reasons(replace(GOOD, disks=(("/var", 8.0, 4.0),)))[0]


def test_two_folders_on_one_disk_ask_once(tmp_path):
    assert len(check.gather([tmp_path / "cache", tmp_path / "state" / "deep"]).disks) == 1


def test_it_runs_as_a_script_without_any_package(tmp_path):
    done = subprocess.run([sys.executable, "-S", "-I", str(settings.REPOSITORY / "lab" / "check.py")], capture_output=True, text=True, check=False,
                          env={"IRONRACK_CACHE": str(tmp_path), "IRONRACK_LAB_STATE": str(tmp_path), "PATH": "/usr/bin:/bin"})
    assert "Traceback" not in done.stderr
