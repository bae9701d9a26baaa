# Copyright (c) 2026, ironrack.cluster contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What several files of real tests need."""
from __future__ import annotations

import re

import pytest


@pytest.fixture(name="site")
def site_fixture(tmp_path):
    from tests.real.nginx_site import Site  # here, because only the tests of NGINX are told where its binary is

    site = Site(tmp_path)
    site.cluster.pods("blue", 1, 2)
    site.cluster.pods("green", 3, 4)
    site.start()
    yield site
    site.stop()
    assert not [line for line in (tmp_path / "log-error.log").read_text().splitlines() if re.search(r"\[(alert|crit)\]", line)]
