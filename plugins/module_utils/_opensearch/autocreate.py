# Copyright (c) 2026, ironrack.cluster contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The setting that keeps a client from bringing a deleted index into being by writing to its name. Pure.

This is a private module_utils package: it may change in any release.
"""
from __future__ import annotations

SETTING = "action.auto_create_index"
_ALL, _NONE = ("true", ""), "false"


def _parts(value):
    words = "true" if value is None else str(value).lower() if isinstance(value, bool) else str(value)
    return ["+*"] if words.strip() in _ALL else [part.strip() for part in words.split(",") if part.strip()]


def is_blocked(value, name):
    """:returns: whether nobody can bring an index of this name into being by writing to it.

    :param value: of the setting; None where it is not set.
    """
    parts = _parts(value)
    return parts == [_NONE] or "-" + name in parts


def blocked(value, names):
    """:returns: the value that keeps these names from coming into being, and all others as they are: the first that matches counts."""
    fresh = ["-" + name for name in names if not is_blocked(value, name)]
    return ",".join(fresh + _parts(value)) if fresh else value


def unblocked(value, names, before, effective):
    """:returns: the value to set for good again; None takes it back.

    :param value: of now. :param names: that were blocked.
    :param before: what was set for good before, or None. :param effective: the value that held before.
    """
    parts = [part for part in _parts(value) if part not in {"-" + name for name in names}]
    if parts == _parts(effective):
        return before
    # Somebody else changed it meanwhile: what is theirs stays.
    return "true" if parts == ["+*"] else ",".join(parts)
