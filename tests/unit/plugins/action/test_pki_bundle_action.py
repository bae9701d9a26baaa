# Copyright (c) 2026, ironrack.cluster contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The action pki_bundle: an error is shown although the task is no_log."""
from __future__ import annotations

from types import SimpleNamespace

import pytest
from ansible_collections.ironrack.cluster.plugins.action import pki_bundle


@pytest.mark.parametrize("no_log, failed, shown", ((True, True, 1), (False, True, 0), (True, False, 0)))
def test_the_error_is_shown_once(monkeypatch, no_log, failed, shown):
    lines = []
    monkeypatch.setattr(pki_bundle.display, "error", lambda text, wrap_text=True: lines.append(text))
    monkeypatch.setattr(pki_bundle.ActionBase, "run", lambda self, tmp=None, task_vars=None: {})
    action = object.__new__(pki_bundle.ActionModule)
    action._task = SimpleNamespace(no_log=no_log, args={})
    action._execute_module = lambda **options: {"failed": failed, "msg": "the key is lost"}
    assert action.run()["msg"] == "the key is lost"
    assert lines == ["pki_bundle: the key is lost"] * shown
