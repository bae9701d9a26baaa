# Copyright (c) 2026, ironrack.cluster contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the model refuses. Each check is a small generator with a name; all of them run, and a person gets all problems at once.

To add one: write a function under ``@check`` in the file of its subject, and a case in tests/unit/cases/preflight_inventory.yml that turns it
red (a test counts that every check has one).
"""
from __future__ import annotations

from ..problems import Problem
from . import dashboards, hosts, networks, opensearch, settings, zones
from .registry import CHECKS

__all__ = ("CHECKS", "dashboards", "hosts", "networks", "opensearch", "run_checks", "settings", "zones")


def run_checks(plan, releases):
    """:returns: the problems of a :class:`settle.Settled` inventory."""
    return [
        Problem(one.name, *found) for one in CHECKS if not plan.bad.intersection(one.needs) and (plan.kubernetes or not one.kubernetes)
        for found in one.run(plan, releases)]
