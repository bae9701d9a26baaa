# Copyright (c) 2026, ironrack.cluster contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The documentation gate names what a page speaks of and what is not there, and lets the rest be."""
from __future__ import annotations

import importlib.util
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture(name="gate")
def _gate(tmp_path):
    """The gate over this collection's code and a docs folder of its own."""
    spec = importlib.util.spec_from_file_location("docs_gate", ROOT / "tests" / "gates" / "docs.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    for folder in ("plugins", "roles", "playbooks", "molecule"):
        (tmp_path / folder).symlink_to(ROOT / folder)
    (tmp_path / "docs" / "playbooks").mkdir(parents=True)
    module.ROOT = tmp_path
    return module


@pytest.mark.parametrize("text, absent", [
    ("`cluster_vipp: 192.0.2.10`", "cluster_vipp"),
    ("`etcd_wayt`", "etcd_wayt"),
    ("```console\n$ ansible-playbook ironrack.cluster.sight -e reset_confirmed=x\n```", "reset_confirmed"),
    ("`ironrack.cluster.sight`", "sight"),
])
def test_what_is_not_there_is_named(gate, text, absent):
    (gate.ROOT / "docs" / "playbooks" / "page.md").write_text("# Page\n\n%s\n" % text)
    assert "docs/playbooks/page.md names %s, which is not there" % absent in gate.unknown_names()


@pytest.mark.parametrize("text", [
    "`cluster_vip: 192.0.2.10`", "`etcd_wait`", "`ironrack.cluster.site -e reset_confirm=x`", "`etcd_member`", "scenario `etcd_apart`",
    "`etcd_healthy`", "`/etc/host_something/x`", "a word like cluster_something in the text", "`kube_version`", "`cluster_*_extra_args`",
])
def test_what_is_there_is_let_be(gate, text):
    (gate.ROOT / "docs" / "page.md").write_text("# Page\n\n%s\n" % text)
    assert gate.unknown_names() == []


def test_the_first_cell_of_the_guide_from_kubespray_holds_names_of_theirs(gate):
    page = gate.ROOT / "docs" / gate.FOREIGN
    page.write_text("| theirs | ours |\n| --- | --- |\n| `etcd_extra_vars` | `cluster_etcd_extra_args` |\n")
    assert gate.unknown_names() == []
    page.write_text("| theirs | ours |\n| --- | --- |\n| `etcd_extra_vars` | `cluster_etcd_extra_vars` |\n")
    assert len(gate.unknown_names()) == 1


def test_a_dead_link_of_a_page_below_docs_is_named(gate):
    (gate.ROOT / "README.md").write_text("")
    (gate.ROOT / "docs" / "playbooks" / "page.md").write_text("[there](../nowhere.md)\n")
    assert gate.dead_links() == ["docs/playbooks/page.md links to ../nowhere.md, which is not there"]
