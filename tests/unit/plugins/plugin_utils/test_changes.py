# Copyright (c) 2026, ironrack.cluster contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Every documented variable says what its change does to a built cluster, and what is said to be refused is."""
from __future__ import annotations

import re
from pathlib import Path

import pytest
import yaml

from ansible_collections.ironrack.cluster.plugins.module_utils._preflight.decide import FIXED
from ansible_collections.ironrack.cluster.plugins.module_utils._preflight.decide import NAMES as CHECKS
from ansible_collections.ironrack.cluster.plugins.plugin_utils._model import changes
from ansible_collections.ironrack.cluster.plugins.plugin_utils._model.variables import BY_NAME
from ansible_collections.ironrack.cluster.plugins.plugin_utils._preflight.verdict import COMPARED

ROOT = Path(__file__).resolve().parents[4]
KINDS = {changes.ROLLED_OUT, changes.REFUSED, changes.NO_EFFECT, changes.BY_HAND}
EVERY = {**changes.CLUSTER, **changes.ROLES, **{what: (kind, how) for what, kind, how in changes.HOSTS}}


def of_roles():
    """:returns: every option of every role's argument specs."""
    found = set()
    for specs in (ROOT / "roles").glob("*/meta/argument_specs.yml"):
        for spec in yaml.safe_load(specs.read_text())["argument_specs"].values():
            found.update(spec.get("options") or {})
    assert len(found) > 40
    return found


def test_every_variable_has_an_entry_and_none_is_left_over():
    assert set(changes.CLUSTER) == set(BY_NAME)
    assert set(changes.ROLES) == of_roles() - set(changes.GIVEN) - set(BY_NAME)
    assert set(changes.GIVEN) <= of_roles()


@pytest.mark.parametrize("name", EVERY)
def test_an_entry_says_how_or_why(name):
    kind, how = EVERY[name]
    assert kind in KINDS and len(how) > 10
    named = re.findall(r"preflight: ([a-z_, ]+)\)", how)
    checks = {word for words in named for word in words.split(", ")}
    assert checks <= set(CHECKS) | set(COMPARED)
    # A refusal names the check that makes it.
    assert kind != changes.REFUSED or checks


def test_what_is_fixed_is_said_to_be_refused():
    names = {name for name in FIXED if name in EVERY}
    assert len(names) == 7
    assert {name: EVERY[name][0] for name in names} == dict.fromkeys(names, changes.REFUSED)
