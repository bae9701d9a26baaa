# Copyright (c) 2026, ironrack.cluster contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""An authority is rotated with the real openssl command: what is issued and trusted at each stage, also when it is cut off anywhere."""
from __future__ import annotations

import json
import os
import subprocess

import pytest
from ansible.module_utils.testing import patch_module_args

from ansible_collections.ironrack.cluster.plugins.module_utils._common import fs
from ansible_collections.ironrack.cluster.plugins.module_utils._common.cli import Cli
from ansible_collections.ironrack.cluster.plugins.module_utils._common.errors import IronrackError
from ansible_collections.ironrack.cluster.plugins.module_utils._pki import rotation, turning
from ansible_collections.ironrack.cluster.plugins.module_utils._pki.bundle import Bundle
from ansible_collections.ironrack.cluster.plugins.module_utils._pki.spec import parse_specs
from ansible_collections.ironrack.cluster.plugins.modules import pki_authority

NAME = "opensearch-ca"
AUTHORITIES = [{"name": NAME, "common_name": "lab opensearch"}, {"name": "service-ca", "common_name": "lab services"}]
CERTIFICATES = [{"name": "os1", "authority": NAME, "common_name": "os1", "sans": ["IP:127.0.0.1"], "usages": ["server", "client"]},
                {"name": "mirror", "authority": "service-ca", "common_name": "ops1", "sans": ["IP:127.0.0.1"], "usages": ["server"]}]


class Host:
    """What Cli needs of an AnsibleModule."""

    def run_command(self, argv, data=None, environ_update=None, cwd=None, handle_exceptions=True):
        done = subprocess.run(argv, input=data, capture_output=True, text=True, check=False, cwd=cwd)
        return done.returncode, done.stdout, done.stderr


def bundle(store, check=False):
    authorities, certificates = parse_specs(AUTHORITIES, [], CERTIFICATES)
    made = Bundle(str(store), Cli(Host()), 60, check)
    made.converge(authorities, [], certificates)
    return made


def go(store, stage, check=False, delivered=False):
    return turning.Turn(str(store), NAME, Cli(Host()), check=check).go(stage, delivered)


def done(store, stage):
    """:returns: what a stage says that is brought to its end."""
    told = go(store, stage)
    assert go(store, stage, delivered=True)["changed"] and not go(store, stage, delivered=True)["changed"]
    return told


def vouches(trusted, cert, folder):
    """:returns: whether a file of authorities vouches for a certificate."""
    paths = [folder / name for name in ("trusted.pem", "one.pem")]
    for path, text in zip(paths, (trusted, cert)):
        path.write_text(text)
    return subprocess.run(["openssl", "verify", "-CAfile", *map(str, paths)], capture_output=True, check=False).returncode == 0


@pytest.fixture(name="store")
def store_fixture(tmp_path):
    store = tmp_path / "store"
    bundle(store)
    return store


def test_old_and_new_are_trusted_together_and_nothing_is_cut(store, tmp_path):
    old = bundle(store).files
    begun = done(store, "introduced")
    assert (begun["changed"], begun["stage"], begun["active"]) == (True, "introduced", True)
    both = bundle(store)
    assert not both.changes and both.files["os1.crt"] == old["os1.crt"]
    assert both.files[NAME + "-chain.crt"] == old[NAME + ".crt"] + begun["authority"]
    assert vouches(both.files[NAME + "-chain.crt"], begun["probe"]["cert"], tmp_path) and not vouches(old[NAME + ".crt"], begun["probe"]["cert"], tmp_path)

    switched = done(store, "switched")
    assert (switched["changed"], switched["stage"], switched["authority"], switched["old_probe"]) == (True, "switched", begun["authority"], {})
    new = bundle(store)
    assert [one["name"] for one in new.changes] == ["os1"]  # those of another authority stay
    assert new.files["os1.key"] == old["os1.key"] and new.files[NAME + ".crt"] == begun["authority"]
    # A client that got both before goes on, and so does a server that is shown a certificate of the old one.
    assert vouches(both.files[NAME + "-chain.crt"], new.files["os1.crt"], tmp_path) and vouches(new.files[NAME + "-chain.crt"], old["os1.crt"], tmp_path)
    assert not vouches(old[NAME + ".crt"], new.files["os1.crt"], tmp_path)

    retired = go(store, "retired")
    end = bundle(store)
    assert retired["stage"] == "retired" and end.files[NAME + "-chain.crt"] == begun["authority"] and not end.changes
    assert vouches(begun["authority"], retired["probe"]["cert"], tmp_path) and vouches(old[NAME + ".crt"], retired["old_probe"]["cert"], tmp_path)
    assert go(store, "retired")["old_probe"]  # as long as it has not been seen everywhere
    go(store, "retired", delivered=True)
    assert not bundle(store).warnings and rotation.Rotation(str(store), NAME).stage() == ""
    assert sorted(name for name in os.listdir(store) if name.startswith(NAME)) == [NAME + ".crt", NAME + ".key"]


def test_the_new_one_has_the_name_of_the_old(store):
    go(store, "introduced")
    subjects = [subprocess.run(["openssl", "x509", "-noout", "-subject", "-in", str(store / (NAME + end))], capture_output=True, text=True, check=True).stdout
                for end in (".crt", ".next.crt")]
    assert subjects[0] == subjects[1] and "lab opensearch" in subjects[0]


def test_each_stage_once(store):
    first = go(store, "introduced")
    again = go(store, "introduced")
    assert (again["changed"], again["active"], again["authority"]) == (False, True, first["authority"]) and again["probe"]["key"] != first["probe"]["key"]
    done(store, "introduced")
    assert not go(store, "introduced")["changed"] and rotation.Rotation(str(store), NAME).is_delivered()
    assert [go(store, "switched")["changed"], done(store, "switched")["changed"]] == [True, False]
    assert [go(store, "retired")["changed"], done(store, "retired")["changed"]] == [True, False]
    assert not go(store, "retired")["changed"] and not go(store, "retired", delivered=True)["changed"]


def test_no_stage_is_left_out_and_none_begins_before_the_last_is_everywhere(store):
    with pytest.raises(IronrackError, match="begin the rotation first"):
        go(store, "switched")
    go(store, "introduced")
    with pytest.raises(IronrackError, match="does not sign yet"):
        go(store, "retired")
    for check in (True, False):
        with pytest.raises(IronrackError, match="not all servers were seen to have it"):
            go(store, "switched", check)
    assert json.loads((store / (NAME + ".rotation.json")).read_text()) == {"stage": "introduced", "delivered": False}
    with pytest.raises(IronrackError, match="is not at the stage switched"):
        go(store, "switched", delivered=True)
    done(store, "introduced")
    go(store, "switched")
    with pytest.raises(IronrackError, match="not all servers were seen to have it"):
        go(store, "retired")
    done(store, "switched")
    go(store, "retired")
    for stage in ("introduced", "switched"):
        with pytest.raises(IronrackError, match="finish that rotation first"):
            go(store, stage)


def test_an_operator_is_told_of_one_that_is_under_way(store):
    for stage, words in (("introduced", "does not sign yet"), ("switched", "still trusted"), ("retired", "not all servers were seen to know")):
        go(store, stage)
        assert [words in one for one in bundle(store).warnings] == [True]
        go(store, stage, delivered=True)


def test_a_check_run_says_the_next_stage_and_moves_nothing(store):
    before = {name: (store / name).read_bytes() for name in os.listdir(store)}
    told = go(store, "introduced", check=True)
    assert (told["changed"], told["stage"], told["probe"]) == (True, "introduced", {})
    assert {name: (store / name).read_bytes() for name in os.listdir(store)} == before
    assert go(store, "introduced", check=True, delivered=True)["changed"] is False  # there is nothing under way yet
    done(store, "introduced")
    assert go(store, "switched", check=True)["stage"] == "switched" and rotation.Rotation(str(store), NAME).stage() == "introduced"


def test_a_store_that_is_not_there(tmp_path):
    with pytest.raises(IronrackError, match="has no authority"):
        go(tmp_path / "none", "introduced")
    assert go(tmp_path / "none", "introduced", check=True)["active"] is False


def test_a_record_that_cannot_be_read_is_no_settled_authority(store):
    (store / (NAME + ".rotation.json")).write_text("{")
    with pytest.raises(IronrackError, match="put it back"):
        bundle(store)


class Cut:
    """Ends everything before a write.

    :param point: how many come before it.
    """

    def __init__(self, point):
        self._left = point

    def before(self, original):
        """:returns: a function that writes, until it is the one that is cut off."""
        def write(*arguments, **options):
            if not self._left:
                raise KeyboardInterrupt
            self._left -= 1
            return original(*arguments, **options)
        return write


def test_cut_off_at_every_write_it_goes_on(store, monkeypatch, tmp_path):
    """Whatever is written last before a kill: an ordinary run and the same stage bring it to its end, and no key is lost."""
    first = bundle(store).files
    cuts = 0
    for stage, end in (("introduced", "introduced"), ("switched", "switched"), ("retired", "")):  # each, and that it is everywhere
        point = 0
        while True:
            cut = Cut(point)
            monkeypatch.setattr(rotation, "atomic_write", cut.before(fs.atomic_write))
            monkeypatch.setattr(rotation.os, "unlink", cut.before(os.unlink))
            try:
                go(store, stage)
                go(store, stage, delivered=True)
                break
            except KeyboardInterrupt:
                cuts += 1
            finally:
                monkeypatch.undo()
            made = bundle(store)  # any run in between
            assert vouches(made.files[NAME + "-chain.crt"], made.files["os1.crt"], tmp_path)
            point += 1
        assert rotation.Rotation(str(store), NAME).stage() == end
        made = bundle(store)
        assert vouches(made.files[NAME + "-chain.crt"], made.files["os1.crt"], tmp_path)
        assert vouches(made.files[NAME + "-chain.crt"], first["os1.crt"], tmp_path) is (stage != "retired")
    assert cuts >= 12


def test_the_module_shows_the_stage_and_never_a_key(store, capsys):
    def call(stage, check=False):
        with patch_module_args({"store": str(store), "name": NAME, "stage": stage, "_ansible_check_mode": check, "_ansible_diff": True}):
            with pytest.raises(SystemExit):
                pki_authority.main()
        return json.loads(capsys.readouterr().out)

    assert "begin the rotation first" in call("switched")["msg"]
    predicted, done, again = call("introduced", check=True), call("introduced"), call("introduced")
    assert predicted["diff"] == done["diff"] and (predicted["changed"], done["changed"], again["changed"]) == (True, True, False)
    assert done["diff"]["after"] == "opensearch-ca: introduced\n" and "KEY" not in json.dumps(done["diff"]) + done["authority"]
