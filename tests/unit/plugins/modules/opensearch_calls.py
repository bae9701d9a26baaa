# Copyright (c) 2026, ironrack.cluster contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""How the tests call a module of OpenSearch: as Ansible does, against an engine of the test."""
from __future__ import annotations

import json

import pytest
from ansible.module_utils.testing import patch_module_args

from ansible_collections.ironrack.cluster.tests.unit.plugins.opensearch_engine import Engine

NOBODY = "http://127.0.0.1:1"


@pytest.fixture(name="engine")
def engine_fixture():
    made = Engine()
    yield made
    made.stop()


@pytest.fixture(name="call")
def call_fixture(engine, capsys, monkeypatch):
    """:returns: a callable that runs a module and gives back what it printed."""
    # Where another test has loaded what a controller loads, warnings would be shown and not returned.
    monkeypatch.setattr("ansible.module_utils._internal.is_controller", False)

    def call(module, check=False, urls=None, **arguments):
        capsys.readouterr()
        # A module is a process of its own, and does not know what another one has warned of.
        monkeypatch.setattr("ansible.module_utils.common.warnings._global_warnings", {})
        with patch_module_args(dict(arguments, urls=urls or [engine.url], request_timeout=5, _ansible_check_mode=check, _ansible_diff=True)), (
                pytest.raises(SystemExit)):
            module.main()
        return json.loads(capsys.readouterr().out)

    return call


def settles(engine, call, module, **arguments):
    """Have a module bring something about: a check run changes nothing and predicts it, a run does it, and a second one has nothing to do.

    :returns: the result of the run.
    """
    before = len(engine.writes())
    predicted = call(module, check=True, **arguments)
    assert not predicted.get("failed"), predicted
    assert len(engine.writes()) == before
    done = call(module, **arguments)
    assert done["changed"] and len(engine.writes()) == before + 1
    assert {name: predicted[name] for name in ("changed", "diff")} == {name: done[name] for name in ("changed", "diff")}
    assert done["diff"]["before"] != done["diff"]["after"]
    settled = done["diff"]["after"].replace(',\n "password": "(another one)"', "")
    for check in (False, True):
        again = call(module, check=check, **arguments)
        assert not again["changed"] and again["diff"]["before"] == again["diff"]["after"] == settled
    assert len(engine.writes()) == before + 1
    return done


def absent_without_a_cluster(call, module, **arguments):
    """:returns: the results of a check run and of a run where nobody answers yet."""
    return call(module, check=True, urls=[NOBODY], **arguments), call(module, urls=[NOBODY], **arguments)
