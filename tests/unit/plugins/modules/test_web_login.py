# Copyright (c) 2026, ironrack.cluster contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""ironrack.cluster.web_login: one password, made once, known to nobody but its file."""
from __future__ import annotations

import json
import os
import pwd
import stat

import pytest
from ansible.module_utils.testing import patch_module_args

from ansible_collections.ironrack.cluster.plugins.module_utils._common.errors import IronrackError
from ansible_collections.ironrack.cluster.plugins.module_utils._monitoring import login
from ansible_collections.ironrack.cluster.plugins.modules import web_login


@pytest.fixture(name="run")
def run_fixture(tmp_path, capsys):
    def call(check=False, diff=True, **changes):
        params = dict(path=str(tmp_path / "web.yml"), password_file=str(tmp_path / "password"), username="ironrack", cert_file="/s.crt", key_file="/s.key",
                      owner=pwd.getpwuid(os.getuid()).pw_name, _ansible_check_mode=check, _ansible_diff=diff)
        with patch_module_args(dict(params, **changes)), pytest.raises(SystemExit):
            web_login.main()
        return json.loads(capsys.readouterr().out)

    return call


def test_the_password_is_made_once_and_fits_its_hash(run, tmp_path):
    first = run()
    password, config = (tmp_path / "password").read_text(), (tmp_path / "web.yml").read_text()
    assert first["changed"] and first["readable"] and len(password.strip()) == 43
    assert login.fits(password.strip(), login.hash_in(config, "ironrack"))
    assert [stat.S_IMODE((tmp_path / name).stat().st_mode) for name in ("password", "web.yml")] == [0o600] * 2
    assert not run()["changed"] and (tmp_path / "password").read_text() == password
    assert password.strip() not in json.dumps(first) and login.hash_in(config, "ironrack") not in json.dumps(first)


def test_another_password_gets_another_hash(run, tmp_path):
    run()
    old = (tmp_path / "web.yml").read_text()
    (tmp_path / "password").write_text("chosen\n")
    assert run()["changed_paths"] == [str(tmp_path / "web.yml")]
    assert login.fits("chosen", login.hash_in((tmp_path / "web.yml").read_text(), "ironrack")) and (tmp_path / "web.yml").read_text() != old


def test_another_certificate_keeps_the_hash(run, tmp_path):
    run()
    old = login.hash_in((tmp_path / "web.yml").read_text(), "ironrack")
    result = run(cert_file="/other.crt")
    assert result["changed"] and login.hash_in((tmp_path / "web.yml").read_text(), "ironrack") == old
    assert "/other.crt" in result["diff"]["after"] and old not in json.dumps(result)


def test_a_mode_that_somebody_opened_is_closed(run, tmp_path):
    run()
    (tmp_path / "password").chmod(0o644)
    assert run()["changed_paths"] == [str(tmp_path / "password")]
    assert stat.S_IMODE((tmp_path / "password").stat().st_mode) == 0o600


def test_a_check_run_writes_nothing_and_needs_no_account(run, tmp_path):
    result = run(check=True, owner="nobody-has-this-name")
    assert result["changed"] and not result["readable"] and not list(tmp_path.iterdir())
    refused = run(owner="nobody-has-this-name")
    assert refused["failed"] and "install the package" in refused["msg"]


def test_hashes_are_salted_and_judged():
    one, two = login.hash_of("secret"), login.hash_of("secret")
    assert one != two and one.startswith("$2b$05$") and len(one) == 60
    assert login.fits("secret", one) and not login.fits("Secret", one) and not login.fits("secret", "plain")


def test_a_host_without_libcrypt_is_told(monkeypatch):
    def absent(name):
        raise OSError(name)

    monkeypatch.setattr(login.ctypes, "CDLL", absent)
    with pytest.raises(IronrackError, match="libcrypt1"):
        login.hash_of("secret")
