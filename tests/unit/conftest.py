# Copyright (c) 2026, ironrack.cluster contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Of all unit tests: a property is judged by what it finds, and not by how long a busy machine takes for one example."""
from __future__ import annotations

from hypothesis import settings

settings.register_profile("ironrack", deadline=None)
settings.load_profile("ironrack")
