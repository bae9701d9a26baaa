# Copyright (c) 2026, ironrack.cluster contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Times as NGINX writes them (https://nginx.org/en/docs/syntax.html)."""
from __future__ import annotations

import re

_UNITS = {"ms": 0.001, "s": 1, "m": 60, "h": 3600, "d": 86400, "w": 7 * 86400, "M": 30 * 86400, "y": 365 * 86400, "": 1}
_PART = re.compile(r"\s*([0-9]+)(ms|[smhdwMy]?)")


def seconds(text):
    """Read a time such as C(1h 30m) or C(600s); a number alone is seconds.

    :returns: seconds, as a number; None where it is no time, of which NGINX itself says what is wrong.
    """
    total, at = 0, 0
    text = str(text).strip()
    while at < len(text):
        part = _PART.match(text, at)
        if part is None:
            return None
        total, at = total + int(part.group(1)) * _UNITS[part.group(2)], part.end()
    return total if text else None
