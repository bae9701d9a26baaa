# Copyright (c) 2026, ironrack.cluster contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The inventory model: one pure way from an inventory to everything that roles need from the whole of it.

Read in this order: variables (what a person may set), settle (values, defaults, types), checks (what is refused), model (what roles
read). Nothing here imports Ansible or does I/O. Private to this collection: it may change in any release.
"""
from __future__ import annotations
