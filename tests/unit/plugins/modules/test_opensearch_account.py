# Copyright (c) 2026, ironrack.cluster contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Two users take turns: over HTTP against an engine of the test, which knows who may log in."""
from __future__ import annotations

import json
import os
import stat

import pytest

from ansible_collections.ironrack.cluster.plugins.module_utils._opensearch import accounts
from ansible_collections.ironrack.cluster.plugins.modules import opensearch_account, opensearch_security_user
from ansible_collections.ironrack.cluster.tests.unit.plugins.modules.opensearch_calls import NOBODY, call_fixture, engine_fixture
from ansible_collections.ironrack.cluster.tests.unit.plugins.opensearch_engine import SECURITY

FIXTURES = (call_fixture, engine_fixture)
USERS = SECURITY + "internalusers/"


@pytest.fixture(name="account")
def account_fixture(engine, call, tmp_path):
    """:returns: a callable that asks for a state of one account."""
    def ask(state="turned", check=False, **arguments):
        return call(opensearch_account, check=check, name="shipper", state=state, path=str(tmp_path / "shipper.json"), security_roles=["logs_writer"],
                    **arguments)
    return ask


def kept(tmp_path, ending=""):
    path = tmp_path / ("shipper.json" + ending)
    return json.loads(path.read_text()) if path.exists() else None


def may_log_in(engine):
    """:returns: the users of the account that the engine has."""
    return sorted(path[len(USERS):] for path in engine.documents if path.startswith(USERS))


def test_a_new_account_then_a_turn_then_its_end(engine, account, tmp_path):
    assert account(check=True)["changed"] and not may_log_in(engine)
    made = account()
    assert (made["changed"], made["username"], made["users"], made["turning"]) == (True, "shipper-1", ["shipper-1"], False)
    first = kept(tmp_path)
    assert first["username"] == "shipper-1" and engine.passwords["shipper-1"] == first["password"] and len(first["password"]) >= 40
    assert stat.S_IMODE(os.stat(tmp_path / "shipper.json").st_mode) == 0o600
    assert engine.documents[USERS + "shipper-1"][0]["opendistro_security_roles"] == ["logs_writer"]

    turned = account()
    assert (turned["changed"], turned["username"], turned["users"], turned["turning"]) == (True, "shipper-2", ["shipper-1", "shipper-2"], True)
    second = kept(tmp_path)
    assert engine.passwords == {"shipper-1": first["password"], "shipper-2": second["password"]}  # nobody is cut off
    assert not account()["changed"] and kept(tmp_path) == second

    assert account("retired", check=True)["changed"] and len(may_log_in(engine)) == 2
    assert account("retired")["users"] == ["shipper-2"] == may_log_in(engine)
    assert not account("retired")["changed"]
    assert account()["username"] == "shipper-1"
    for told in (made, turned):
        assert first["password"] not in json.dumps(told) and second["password"] not in json.dumps(told)


def test_cut_off_before_the_user_is_made_the_password_stays(engine, account, tmp_path, monkeypatch):
    account()
    engine.answers[("PUT", USERS + "shipper-2")] = (500, {"error": "gone"})
    assert account()["failed"] and kept(tmp_path)["username"] == "shipper-1"
    word = kept(tmp_path, ".next")["password"]
    del engine.answers[("PUT", USERS + "shipper-2")]
    assert "cut off" not in json.dumps(account("retired", check=True))  # there is one user, and nothing to take away
    assert account()["username"] == "shipper-2" and kept(tmp_path)["password"] == word and kept(tmp_path, ".next") is None


def test_cut_off_behind_the_user_it_is_not_retired_and_goes_on(engine, account, tmp_path, monkeypatch):
    account()

    class Killed(BaseException):
        """As by SIGKILL."""

    def killed(source, target, rename=os.rename):
        if target == str(tmp_path / "shipper.json"):
            raise Killed
        rename(source, target)

    with monkeypatch.context() as patched:
        patched.setattr(accounts.os, "rename", killed)
        with pytest.raises(Killed):
            account()
    assert len(may_log_in(engine)) == 2 and kept(tmp_path)["username"] == "shipper-1"
    failed = account("retired")
    assert failed["failed"] and "the turn to shipper-2 was cut off" in failed["msg"] and len(may_log_in(engine)) == 2
    assert account()["username"] == "shipper-2"
    assert account("retired")["users"] == ["shipper-2"]


def test_where_nobody_can_tell_which_user_is_in_use_nothing_is_touched(engine, account, tmp_path):
    account()
    account()
    path = tmp_path / "shipper.json"
    text = path.read_text()
    before = len(engine.writes())
    path.unlink()
    for state in ("turned", "retired"):
        assert "which says which one is in use" in account(state)["msg"]
    path.write_text(json.dumps(dict(json.loads(text), password="another")))
    assert "cannot log in with the password" in account("retired")["msg"]
    path.write_text(json.dumps(dict(json.loads(text), username="somebody")))
    assert "no file of the account shipper" in account("retired")["msg"]
    path.write_text("{")
    assert account()["failed"]
    assert len(engine.writes()) == before


def test_a_check_run_before_there_is_a_cluster(account):
    told = account(check=True, urls=[NOBODY])
    assert not told.get("failed") and told["changed"]
    assert account(urls=[NOBODY])["failed"]


def test_users_that_it_has_not_made_are_left_alone(engine, account, call):
    call(opensearch_security_user, name="shipper-1", user_password="of another application")
    for state in ("turned", "retired"):
        assert "shipper-1 is there and was not made for the account shipper" in account(state)["msg"]
    assert may_log_in(engine) == ["shipper-1"] and engine.passwords["shipper-1"] == "of another application"
