# Copyright (c) 2026, ironrack.cluster contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What kubeadm writes is root's alone, from its first byte; and what an older run left open is found."""
from __future__ import annotations

import os
import pathlib
import stat

import pytest

from ansible_collections.ironrack.cluster.plugins.module_utils._common.errors import IronrackError
from ansible_collections.ironrack.cluster.plugins.module_utils._kubeadm import host as host_module
from ansible_collections.ironrack.cluster.plugins.module_utils._kubeadm.host import NodeHost

DOCUMENTS = [{"kind": "InitConfiguration"}]


class Module:
    """Stands for kubeadm: it writes a file as kubeadm does, with mode 0644 in mind."""

    def __init__(self, folder, rc=0):
        self.folder, self.rc = folder, rc

    def run_command(self, argv, **dummy):
        written = pathlib.Path(argv[-1])
        assert stat.S_IMODE(written.stat().st_mode) == 0o600 and "InitConfiguration" in written.read_text()
        handle = os.open(str(self.folder / "config.yaml"), os.O_WRONLY | os.O_CREAT, 0o644)
        os.close(handle)
        return self.rc, "", "said"


@pytest.mark.parametrize("rc", [0, 1])
def test_kubeadm_writes_for_root_alone_and_leaves_nothing_of_ours(tmp_path, rc):
    before = os.umask(0o022)
    try:
        host = NodeHost(Module(tmp_path, rc), run_dir=str(tmp_path))
        if rc:
            with pytest.raises(IronrackError):
                host.run_kubeadm("init", DOCUMENTS, "cp1", 10)
        else:
            host.run_kubeadm("init", DOCUMENTS, "cp1", 10)
        assert stat.S_IMODE((tmp_path / "config.yaml").stat().st_mode) == 0o600
        assert os.umask(0o022) == 0o022, "the module's own umask is as it was"
        assert [path.name for path in tmp_path.iterdir()] == ["config.yaml"]
    finally:
        os.umask(before)


def test_modes_are_those_of_plain_files_that_are_there(tmp_path, monkeypatch):
    (tmp_path / "open").write_text("")
    (tmp_path / "open").chmod(0o644)
    (tmp_path / "link").symlink_to(tmp_path / "open")
    monkeypatch.setattr(host_module, "PATHS", tuple(str(tmp_path / name) for name in ("open", "link", "missing", "open/below")))
    host = NodeHost(Module(tmp_path))
    assert {path: seen[0] for path, seen in host.modes().items()} == {str(tmp_path / "open"): 0o644}
    monkeypatch.setattr(os, "chown", lambda *dummy: None)
    host.tighten([str(tmp_path / "open")])
    assert host.modes()[str(tmp_path / "open")][0] == 0o600
