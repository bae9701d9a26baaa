# Copyright (c) 2026, ironrack.cluster contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""ironrack.cluster.units on a systemd that is played here: argv by argv, with real files and records."""
from __future__ import annotations

import json

import pytest
from ansible.module_utils.testing import patch_module_args

from ansible_collections.ironrack.cluster.plugins.module_utils._systemd import client
from ansible_collections.ironrack.cluster.plugins.modules import units

NAME = "x.service"


class Host:
    """A host with one unit."""

    def __init__(self, **shown):
        self.shown = dict({"LoadState": "loaded", "ActiveState": "inactive", "SubState": "dead", "UnitFileState": "disabled", "Type": "notify",
                           "CanReload": "yes", "InvocationID": "", "Result": "success", "Job": "0", "NeedDaemonReload": "no"}, **shown)
        self.ran, self.comes_up, self.valid, self.starts = [], True, True, 0

    def command(self, argv):
        """:returns: rc, stdout, stderr."""
        if argv[:2] != ["systemctl", "show"]:
            self.ran.append(" ".join(word for word in argv if word not in ("systemctl", "--", "--no-block", NAME)))
        if argv[:2] == ["systemctl", "show"]:
            return 0, "".join("%s=%s\n" % pair for pair in self.shown.items()), ""
        if argv[0] == "journalctl":
            return 0, "cannot read its configuration\n", ""
        if argv[0] == "true-or-false":
            return int(not self.valid), "", "line 3: what is this"
        if "enable" in argv:
            self.shown["UnitFileState"] = "enabled"
        if "daemon-reload" in argv:
            self.shown.update(LoadState="loaded", NeedDaemonReload="no")
        if "start" in argv or "restart" in argv:
            self.starts += 1
            self.shown.update(ActiveState="active" if self.comes_up else "failed", SubState="running",
                              Result="success" if self.comes_up else "exit-code", InvocationID="i%d" % self.starts)
        if "stop" in argv:
            self.shown["ActiveState"] = "inactive"
        return 0, "", ""


@pytest.fixture
def run(capsys, monkeypatch, tmp_path):
    """Run the module as Ansible does."""
    monkeypatch.setattr(client, "RECORDS", str(tmp_path / "records"))
    monkeypatch.setattr(client, "DEFINITIONS", str(tmp_path / "system"))
    monkeypatch.setattr("time.sleep", lambda seconds: None)
    (tmp_path / "x.conf").write_text("one")

    def call(host, check=False, pending=(), **unit):
        host.ran = []
        monkeypatch.setattr(units.AnsibleModule, "run_command", lambda module, argv, **dummy: host.command(argv))
        wanted = dict({"name": NAME, "watch": [str(tmp_path / "x.conf")], "validate": ["true-or-false"]}, **unit)
        with patch_module_args({"units": [wanted], "pending": list(pending), "_ansible_check_mode": check, "_ansible_diff": True}):
            with pytest.raises(SystemExit):
                units.main()
        return json.loads(capsys.readouterr().out)
    return call


def test_started_enabled_and_then_left_alone(run):
    host = Host()
    predicted = run(host, check=True)
    assert predicted["changed"] and host.ran == []
    done = run(host)
    assert host.ran == ["true-or-false", "enable", "reset-failed", "start"]
    assert done["units"][NAME] == predicted["units"][NAME] == {
        "action": "start", "reasons": ["to be enabled at boot", "is inactive"],
        "before": {"state": "inactive", "enabled": "disabled"}, "after": {"state": "active", "enabled": "enabled"}}
    assert not run(host)["changed"] and host.ran == []


def test_a_changed_file_restarts_it_once(run, tmp_path):
    host = Host()
    run(host)
    (tmp_path / "x.conf").write_text("two")
    assert run(host, check=True)["units"][NAME]["action"] == "restart" and host.ran == []
    assert run(host)["units"][NAME]["action"] == "restart" and host.ran == ["true-or-false", "reset-failed", "restart"]
    assert not run(host)["changed"]


def test_a_run_that_died_before_the_restart_is_finished_by_the_next(run, tmp_path, monkeypatch):
    host = Host()
    run(host)
    (tmp_path / "x.conf").write_text("two")

    def killed(*_args):
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(client.Systemd, "queue", killed)
        with pytest.raises(KeyboardInterrupt):
            units.Manager(mock_module(host, tmp_path)).run()
    assert run(host)["units"][NAME]["action"] == "restart"
    assert not run(host)["changed"]


def mock_module(host, tmp_path):
    """:returns: what Manager needs of an AnsibleModule."""
    unit = {"name": NAME, "state": "started", "enabled": True, "watch": [str(tmp_path / "x.conf")], "reload_watch": [], "validate": [],
            "no_block": False}
    return type("Module", (), {"params": {"units": [unit], "pending": [], "timeout": 5}, "check_mode": False,
                               "run_command": staticmethod(lambda argv, **dummy: host.command(argv))})()


def test_pending_paths_count_in_check_mode_only(run, tmp_path):
    host = Host()
    run(host)
    pending = [str(tmp_path / "x.conf")]
    assert run(host, check=True, pending=pending)["units"][NAME]["action"] == "restart"
    assert not run(host, pending=pending)["changed"]


def test_what_does_not_validate_leaves_alone_what_runs(run, tmp_path):
    host = Host()
    run(host)
    host.valid = False
    (tmp_path / "x.conf").write_text("two")
    result = run(host)
    assert result["failed"] and "line 3: what is this" in result["msg"] and "was left as it is" in result["msg"]
    assert host.ran == ["true-or-false"]


def test_a_unit_that_does_not_come_up_shows_its_journal(run):
    host = Host()
    host.comes_up = False
    result = run(host)
    assert result["failed"] and "x.service failed" in result["msg"] and "cannot read its configuration" in result["msg"]


def test_a_unit_that_is_not_there_yet_is_predicted_but_not_started(run):
    host = Host(LoadState="not-found", UnitFileState="")
    assert run(host, check=True)["units"][NAME]["action"] == "start"
    host.command = lambda argv, known=host.command: (0, "", "") if "daemon-reload" in argv else known(argv)
    assert "there is no unit x.service" in run(host)["msg"]
    assert "is masked" in run(Host(LoadState="masked"))["msg"]


def test_stopped(run):
    host = Host(ActiveState="active", UnitFileState="disabled")
    assert run(host, state="stopped", enabled=False)["units"][NAME]["action"] == "stop" and host.ran == ["stop"]
    assert not run(host, state="stopped", enabled=False)["changed"]


def test_the_first_drop_in_of_a_unit_is_seen_although_systemd_does_not_look_for_it(run, tmp_path):
    host = Host()
    run(host)
    path = tmp_path / "system" / (NAME + ".d") / "proxy.conf"
    assert run(host, check=True, pending=[str(path)])["units"][NAME]["action"] == "restart"
    path.parent.mkdir(parents=True)
    (path.parent / "notes.txt").write_text("no drop-in")
    assert not run(host)["changed"]
    path.write_text("[Service]\n")
    assert run(host, check=True)["units"][NAME]["action"] == "restart" and host.ran == []
    done = run(host)["units"][NAME]
    assert done["action"] == "restart" and done["reasons"] == ["%s changed since it was started" % path]
    assert host.ran == ["daemon-reload", "true-or-false", "reset-failed", "restart"]
    host.shown["DropInPaths"] = str(path)
    assert not run(host)["changed"]
    path.unlink()
    host.shown.update(DropInPaths="", NeedDaemonReload="yes")
    assert run(host)["units"][NAME]["action"] == "restart"
    assert not run(host)["changed"]
