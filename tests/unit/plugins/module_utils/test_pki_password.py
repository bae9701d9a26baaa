# Copyright (c) 2026, ironrack.cluster contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A password of the store is made anew in two steps, also when it is cut off anywhere, and nobody is told it."""
from __future__ import annotations

import json
import os
import stat

import pytest
from ansible.module_utils.testing import patch_module_args

from ansible_collections.ironrack.cluster.plugins.module_utils._common import fs
from ansible_collections.ironrack.cluster.plugins.module_utils._common.errors import IronrackError
from ansible_collections.ironrack.cluster.plugins.module_utils._monitoring import login
from ansible_collections.ironrack.cluster.plugins.module_utils._pki import password
from ansible_collections.ironrack.cluster.plugins.module_utils._pki.bundle import Bundle
from ansible_collections.ironrack.cluster.plugins.modules import pki_password

NAME = "opensearch-admin"


def bundle(store, check=False):
    made = Bundle(str(store), None, check=check)
    made.converge([], [], [], passwords=[NAME])
    return made


def go(store, stage, check=False):
    return password.Password(str(store), NAME, check).go(stage)


def held(store):
    """:returns: every file of the store with its content."""
    return {path.name: path.read_text() for path in sorted(store.iterdir()) if path.is_file() and path.name != ".lock"}


@pytest.fixture
def store(tmp_path):
    folder = tmp_path / "pki"
    bundle(folder)
    return folder


def test_the_next_one_counts_behind_the_second_step(store):
    first = held(store)
    assert go(store, "introduced", check=True) == {"before": False, "after": True, "changed": True} and held(store) == first
    assert go(store, "introduced")["changed"]
    prepared = held(store)
    assert {name: text for name, text in prepared.items() if ".next" not in name} == first
    assert not go(store, "introduced")["changed"] and held(store) == prepared
    told = bundle(store)
    assert not told.changes and told.files[NAME + ".password"] == first[NAME + ".password"] and "is being rotated" in told.warnings[0]
    assert told.files[NAME + ".next.password"] == prepared[NAME + ".next.password"]
    assert go(store, "retired", check=True)["changed"] and held(store) == prepared
    assert go(store, "retired") == {"before": True, "after": False, "changed": True}
    turned = held(store)
    assert set(turned) == set(first) and turned[NAME + ".password"] == prepared[NAME + ".next.password"] != first[NAME + ".password"]
    assert login.fits(turned[NAME + ".password"].strip(), turned[NAME + ".bcrypt"].strip())
    assert not go(store, "retired")["changed"] and held(store) == turned
    assert not bundle(store).changes and not bundle(store).warnings and NAME + ".next.password" not in bundle(store).files
    assert {stat.S_IMODE((store / name).stat().st_mode) for name in turned if name.startswith(NAME)} == {0o600}


@pytest.mark.parametrize("stage", ("introduced", "retired"))
def test_a_store_without_it_is_named_and_a_check_run_of_a_new_one_is_not_stopped(tmp_path, stage):
    with pytest.raises(IronrackError, match="has no password opensearch-admin: run site.yml first"):
        go(tmp_path, stage)
    assert not go(tmp_path, stage, check=True)["changed"] and not list(tmp_path.iterdir())


class Killed(BaseException):
    """The process is gone."""


class Cut:
    """Lets some writes through, and is gone before the one behind them. :param left: how many."""

    def __init__(self, left):
        self._left = left

    def before(self, function):
        """:returns: the function, cut off."""
        def write(*arguments, **options):
            if not self._left:
                raise Killed
            self._left -= 1
            return function(*arguments, **options)
        return write


@pytest.mark.parametrize("again", ("retired", "introduced"))
def test_cut_off_at_every_write_it_goes_on_and_a_next_rotation_is_one(tmp_path, monkeypatch, again):
    cuts = 0
    for stage, writes in (("introduced", 1), ("retired", 3)):
        for left in range(writes):
            folder = tmp_path / ("%s-%d" % (stage, left))
            bundle(folder)
            old = held(folder)[NAME + ".password"]
            if stage == "retired":
                go(folder, "introduced")
            with monkeypatch.context() as patched:
                cut = Cut(left)
                patched.setattr(password, "atomic_write", cut.before(fs.atomic_write))
                patched.setattr(password.os, "unlink", cut.before(os.unlink))
                with pytest.raises(Killed):
                    go(folder, stage)
                cuts += 1
            bundle(folder)
            counted = held(folder)[NAME + ".password"]
            if again == "introduced":
                go(folder, "introduced")
            assert stage == "introduced" or again == "retired" or held(folder)[NAME + ".next.password"] != counted
            go(folder, "retired")
            now = held(folder)
            assert NAME + ".next.password" not in now and not bundle(folder).changes
            assert (now[NAME + ".password"] != old) is (stage == "retired" or again == "introduced")
    assert cuts == 4


def test_the_module_says_what_it_does_and_never_a_password(store, capsys):
    for stage, prepared in (("introduced", True), ("retired", False)):
        with patch_module_args({"store": str(store), "name": NAME, "stage": stage}), pytest.raises(SystemExit):
            pki_password.main()
        said = capsys.readouterr().out
        told = json.loads(said)
        assert told["changed"] and told["prepared"] is prepared and told["diff"]["before"] != told["diff"]["after"]
        assert not [text for text in held(store).values() if text.strip() and text.strip() in said]
