# Copyright (c) 2026, ironrack.cluster contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""ironrack.cluster.packages: argv by argv."""
from __future__ import annotations

import json

import pytest
from ansible.module_utils.testing import patch_module_args

from ansible_collections.ironrack.cluster.plugins.module_utils._host import packages as parts
from ansible_collections.ironrack.cluster.plugins.modules import packages


class Host:
    """A host with dpkg: what is installed, and what apt-get can install."""

    def __init__(self, **installed):
        self.installed, self.ran, self.answers = installed, [], {}

    def command(self, argv):
        self.ran.append(argv)
        key = " ".join(argv[:2])
        if self.answers.get(key):
            return self.answers[key].pop(0)
        if argv[0] == "dpkg-query":
            names = argv[3:]
            lines = ["%s\t%s\t1.0\n" % (name, self.installed[name]) for name in names if name in self.installed]
            return int(len(lines) < len(names)), "".join(lines), ""
        if key == "apt-get install":
            self.installed.update((name, "installed") for name in argv[argv.index("--") + 1:] if not name.startswith("virtual"))
        return 0, "", ""

    def verbs(self):
        return [" ".join(argv[:2]) for argv in self.ran if argv[0] != "dpkg-query"]


@pytest.fixture
def run(capsys, monkeypatch):
    def call(host, names, check=False, **params):
        monkeypatch.setattr(packages.AnsibleModule, "run_command", lambda module, argv, **more: host.command(argv))
        monkeypatch.setattr(packages.AnsibleModule, "get_bin_path", lambda module, name, **dummy: name if name == "dpkg-query" else None)
        monkeypatch.setattr("time.sleep", lambda seconds: None)
        with patch_module_args(dict(params, names=names, _ansible_check_mode=check)):
            with pytest.raises(SystemExit):
                packages.main()
        return json.loads(capsys.readouterr().out)
    return call


def test_nothing_missing_asks_nobody(run):
    host = Host(curl="installed", man="triggers-pending")
    assert not run(host, ["curl", "man"])["changed"] and host.verbs() == []


def test_only_what_is_missing_is_installed(run):
    for check in (True, False):
        host = Host(curl="installed", runc="config-files")
        result = run(host, ["curl", "runc", "socat"], check=check)
        assert result["installed"] == ["runc", "socat"]
        assert host.verbs() == ([] if check else ["apt-get update", "apt-get install"])
    assert host.ran[-2][-3:] == ["--", "runc", "socat"]


def test_only_the_named_source_is_updated(run, tmp_path):
    (tmp_path / "a.list").write_text("")
    host = Host()
    run(host, ["curl"], source_file=str(tmp_path / "a.list"))
    assert "Dir::Etc::sourcelist=%s/a.list" % tmp_path in host.ran[1] and "APT::Get::List-Cleanup=0" in host.ran[1]
    host = Host()
    run(host, ["curl"], source_file=str(tmp_path / "none.list"))
    assert host.ran[1] == ["apt-get", "update", "-q"]


def test_a_killed_dpkg_is_mended_first(run):
    host = Host(curl="half-configured")
    assert run(host, ["curl"])["changed"] and host.verbs()[0] == "dpkg --configure"


def test_a_killed_dpkg_of_others_is_mended_when_apt_says_so(run):
    host = Host()
    host.answers["apt-get install"] = [(100, "", "E: dpkg was interrupted, you must manually run 'dpkg --configure -a'")]
    assert run(host, ["curl"])["changed"]
    assert host.verbs() == ["apt-get update", "apt-get install", "dpkg --configure", "apt-get install"]


def test_a_locked_list_is_waited_for(run):
    host = Host()
    host.answers["apt-get update"] = [(100, "", "E: Could not get lock /var/lib/apt/lists/lock. It is held by process 7")] * 2
    assert run(host, ["curl"])["changed"] and host.verbs().count("apt-get update") == 3


@pytest.mark.parametrize("verb", ["apt-get update", "apt-get install"])
def test_any_other_failure_is_shown(run, verb):
    host = Host()
    host.answers[verb] = [(100, "", "E: Unable to locate package curl")]
    result = run(host, ["curl"])
    assert result["failed"] and "Unable to locate" in result["msg"] and result["rc"] == 100


def test_a_virtual_package_is_refused(run):
    assert "virtual" in run(Host(), ["virtual-mta"])["msg"]


def test_rpm_sentences_are_no_packages():
    assert parts.parse_rpm("curl\t8.0-1\npackage socat is not installed\n") == {"curl": "8.0-1"}
