# Copyright (c) 2026, ironrack.cluster contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The lock that keeps two runs apart: held by one, given back by its end, also by a kill."""
from __future__ import annotations

import subprocess
import sys

import pytest

from ansible_collections.ironrack.cluster.plugins.module_utils._common.lock import locked
from ansible_collections.ironrack.cluster.plugins.module_utils._common.waiting import WaitTimeout

HOLDER = "import fcntl, sys, time; lock = open(sys.argv[1], 'w'); fcntl.flock(lock, fcntl.LOCK_EX); print('held', flush=True); time.sleep(60)"


def test_it_waits_for_the_other_and_gets_it_when_that_is_killed(tmp_path):
    path = str(tmp_path / ".lock")
    with subprocess.Popen([sys.executable, "-c", HOLDER, path], stdout=subprocess.PIPE, text=True) as other:
        try:
            assert other.stdout.readline() == "held\n"
            with pytest.raises(WaitTimeout, match="another run holds it"):
                with locked(path, timeout=0.2):
                    raise AssertionError("two hold it")
        finally:
            other.kill()
    with locked(path, timeout=5):
        pass
    with locked(path, timeout=0.2):
        pass
