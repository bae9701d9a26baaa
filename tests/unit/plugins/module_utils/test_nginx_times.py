# Copyright (c) 2026, ironrack.cluster contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import pytest

from ansible_collections.ironrack.cluster.plugins.module_utils._nginx.times import seconds


@pytest.mark.parametrize("text, expected", [
    ("600s", 600), ("600", 600), (600, 600), ("1h 30m", 5400), ("1h30m", 5400), ("500ms", 0.5), ("1M", 30 * 86400), ("2m", 120), ("0", 0),
])
def test_a_time_is_read(text, expected):
    assert seconds(text) == expected


@pytest.mark.parametrize("text", ["", "soon", "10x", "1h soon", "-1s", "1.5s"])
def test_what_is_no_time_is_nothing(text):
    assert seconds(text) is None
