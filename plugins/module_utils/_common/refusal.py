# Copyright (c) 2026, ironrack.cluster contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Reasons not to begin, all of them at once. Pure.

This is a private module_utils package: it may change in any release.
"""
from __future__ import annotations

from .errors import IronrackError


class Refused(IronrackError):
    """Something that cannot be done as it was asked for. Its details carry ``problems``, each with where, what, expected and mend."""

    def __init__(self, problems):
        lines = ["%(where)s: %(what)s; expected %(expected)s. %(mend)s" % one for one in problems]
        super().__init__("nothing was changed:\n- %s" % "\n- ".join(lines), problems=problems)


def problem(where, what, expected, mend):
    """:returns: one reason to refuse, as all of this collection's checks give it."""
    return {"where": where, "what": what, "expected": expected, "mend": mend}


def refuse(problems):
    """Do nothing where there is no problem.

    :raises Refused: with all the problems, where there are any.
    """
    if problems:
        raise Refused(problems)
