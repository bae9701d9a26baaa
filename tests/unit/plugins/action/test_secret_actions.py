# Copyright (c) 2026, ironrack.cluster contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The actions pki_bundle, pki_authority and encryption_keyring: an error is shown although the task is no_log."""
from __future__ import annotations

from types import SimpleNamespace

import pytest
from ansible_collections.ironrack.cluster.plugins.action import encryption_keyring, pki_authority, pki_bundle
from ansible_collections.ironrack.cluster.plugins.plugin_utils._secret import failure


@pytest.mark.parametrize("plugin, name", ((pki_bundle, "pki_bundle"), (pki_authority, "pki_authority"), (encryption_keyring, "encryption_keyring")))
@pytest.mark.parametrize("no_log, failed, shown", ((True, True, 1), (False, True, 0), (True, False, 0)))
def test_the_error_is_shown_once(monkeypatch, plugin, name, no_log, failed, shown):
    lines = []
    monkeypatch.setattr(failure.display, "error", lambda text, wrap_text=True: lines.append(text))
    monkeypatch.setattr(plugin.ActionBase, "run", lambda self, tmp=None, task_vars=None: {})
    action = object.__new__(plugin.ActionModule)
    action._task = SimpleNamespace(no_log=no_log, args={})
    action._execute_module = lambda **options: {"failed": failed, "msg": "the key is lost"}
    assert action.run()["msg"] == "the key is lost"
    assert lines == ["%s: the key is lost" % name] * shown
