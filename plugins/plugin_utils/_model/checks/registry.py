# Copyright (c) 2026, ironrack.cluster contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a check is, and where all of them are found."""
from __future__ import annotations

from collections import namedtuple

#: kubernetes: whether it is about nothing where there is no Kubernetes.
Check = namedtuple("Check", ("name", "needs", "run", "kubernetes"))
CHECKS = []


def check(*needs, kubernetes=False):
    """Make a check of a generator of (where, what, expected, mend); it is left out where a variable it needs was already wrong."""
    def register(function):
        CHECKS.append(Check(function.__name__, needs, function, kubernetes))
        return function
    return register
