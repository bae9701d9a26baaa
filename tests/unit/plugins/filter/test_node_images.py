# Copyright (c) 2026, ironrack.cluster contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The filter node_images."""
from __future__ import annotations

import pytest

from ansible_collections.ironrack.cluster.plugins.filter.node_images import FilterModule

IMAGES = [{"name": "site/%s" % part, "tag": "1", "on": part} for part in ("control_plane", "all", "workers", "any", "mirror")]


@pytest.mark.parametrize("control_plane, worker, expected", [
    (True, False, ["site/control_plane:1", "site/all:1", "site/any:1"]),
    (False, True, ["site/all:1", "site/workers:1", "site/any:1"]),
    (True, True, ["site/control_plane:1", "site/all:1", "site/workers:1", "site/any:1"]),
])
def test_a_node_gets_what_its_parts_run(control_plane, worker, expected):
    made = FilterModule().filters()["node_images"](IMAGES, {"is_control_plane": control_plane, "is_worker": worker})
    assert made == expected
