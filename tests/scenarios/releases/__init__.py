# Copyright (c) 2026, ironrack.cluster contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What is promised of releases, proved on the lab of inventories/lab-releases under clients that count and never retry.

    IRONRACK_RELEASES=long python3 -m tests.scenarios.prove --inventory inventories/lab-releases release-switches

Each step finds out by itself which release is the stable one, and leaves one stable release behind, so that any of them can be run alone once
``release-up`` was. Clients ask the lab's balancers and nothing else; their number, rate and time are bounded by :mod:`.size`.
"""
