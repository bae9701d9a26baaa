# Copyright (c) 2026, ironrack.cluster contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What tests of several roles need."""
from __future__ import annotations

import json
import pathlib
import subprocess
import sys

import ansible_collections
import pytest

ROOT = pathlib.Path(__file__).resolve().parents[3]


@pytest.fixture(scope="module")
def expression():
    """Template a text as a task of a role would."""
    collections = str(pathlib.Path(list(ansible_collections.__path__)[0]).parent)
    with subprocess.Popen([sys.executable, str(pathlib.Path(__file__).with_name("render.py")), collections, str(ROOT / "roles")],
                          stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:

        def ask(role, cluster, text, host="cp1", **variables):
            known = {"cluster": cluster, "this_host": cluster["hosts"].get(host, {}), "inventory_hostname": host}
            request = {"role": role, "text": text, "variables": dict(variables, **known)}
            process.stdin.write(json.dumps(request) + "\n")
            process.stdin.flush()
            answer = json.loads(process.stdout.readline())
            assert "error" not in answer, answer["error"]
            return answer["value"]

        yield ask
        process.stdin.close()
