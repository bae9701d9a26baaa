# Copyright (c) 2026, ironrack.cluster contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The module pki_bundle as Ansible calls it."""
from __future__ import annotations

import json

import pytest
from ansible.module_utils.testing import patch_module_args
from ansible_collections.ironrack.cluster.plugins.modules import pki_bundle


def call(capsys, **args):
    with patch_module_args(args), pytest.raises(SystemExit):
        pki_bundle.main()
    return json.loads(capsys.readouterr().out)


def test_check_run_run_and_failure(tmp_path, capsys):
    args = {"store": str(tmp_path / "pki"), "authorities": [{"name": "ca", "common_name": "ca"}], "keypairs": [{"name": "sa"}],
            "certificates": [{"name": "leaf", "authority": "ca", "common_name": "leaf", "usages": ["client"]}]}
    check = call(capsys, _ansible_check_mode=True, **args)
    first = call(capsys, **args)
    second = call(capsys, **args)
    assert (check["changed"], first["changed"], second["changed"]) == (True, True, False)
    assert check["changes"] == first["changes"] and second["files"] == first["files"]
    assert "leaf: it is missing" in first["diff"]["after"] and "PRIVATE" not in json.dumps(first["diff"])
    (tmp_path / "pki" / "ca.key").unlink()
    failed = call(capsys, **args)
    assert failed["failed"] and "from the backup" in failed["msg"] and "PRIVATE" not in json.dumps(failed)
