# Copyright (c) 2026, ironrack.cluster contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""No scenario is forgotten by the gates, and each one that takes turns has its turn."""
from __future__ import annotations

import importlib.util
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture(name="gates")
def _gates(monkeypatch):
    for name in ("IRONRACK_CACHE", "IRONRACK_TEST_VENV", "IRONRACK_DOCS_VENV", "ANSIBLE_COLLECTIONS_PATH"):
        monkeypatch.setenv(name, "/nowhere")
    spec = importlib.util.spec_from_file_location("gates_run", ROOT / "tests" / "gates" / "run.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_every_scenario_belongs_to_one_gate(gates):
    there = sorted(path.parent.name for path in (ROOT / "molecule").glob("*/molecule.yml"))
    assert sorted(gates.SCENARIOS + gates.BY_TURNS + gates.LONG) == there


def test_each_has_its_turn(gates):
    assert {gates.turn(number) for number in range(100, 100 + len(gates.BY_TURNS))} == set(gates.BY_TURNS)


def test_the_long_gate_leaves_out_none_that_takes_turns(gates):
    assert {"molecule:" + name for name in gates.BY_TURNS + gates.LONG} == {name for name, _gate in gates.chosen("long")}
