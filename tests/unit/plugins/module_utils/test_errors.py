# Copyright (c) 2026, ironrack.cluster contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""How every module ends: with its result, with what an operator has to know, or with what the file system said; never with a traceback alone."""
from __future__ import annotations

import errno

import pytest
from ansible_collections.ironrack.cluster.plugins.module_utils._common.errors import IronrackError, conclude


class Module:
    """What a module's end is told to."""

    def exit_json(self, **result):
        self.result = result
        raise SystemExit(0)

    def fail_json(self, **result):
        self.result = result
        raise SystemExit(1)


@pytest.mark.parametrize(("error", "msg"), [
    (None, None),
    (IronrackError("it is so", place=1), "it is so"),
    (OSError(errno.ENOSPC, "No space left on device", "/opt/ironrack/etcd"), "/opt/ironrack/etcd: No space left on device"),
    (OSError(errno.EROFS, "Read-only file system"), "Read-only file system"),
    (OSError("told in words"), "told in words"),
])
def test_every_end_is_one_clear_answer(error, msg):
    def work():
        if error:
            raise error
        return {"changed": True}

    module = Module()
    with pytest.raises(SystemExit):
        conclude(module, work)
    assert module.result.get("msg") == msg
    assert module.result.get("place") == (1 if isinstance(error, IronrackError) else None)
    assert ("Traceback" in module.result.get("exception", "")) is isinstance(error, OSError)


def test_our_own_mistakes_keep_their_traceback():
    with pytest.raises(KeyError):
        conclude(Module(), lambda: {}["missing"])
