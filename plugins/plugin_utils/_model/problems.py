# Copyright (c) 2026, ironrack.cluster contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""One problem of an inventory, and how all of them are told to a person."""
from __future__ import annotations

import difflib
from collections import namedtuple

#: check: the name of the check that found it; where: variable, host or group; what: what was seen; mend: what to do.
Problem = namedtuple("Problem", ("check", "where", "what", "expected", "mend"))


def did_you_mean(word, known):
    """:returns: 'did you mean X?' or an empty string."""
    close = difflib.get_close_matches(word, list(known), n=1, cutoff=0.75)
    return "did you mean %s?" % close[0] if close else ""


def sentence(problem):
    """:returns: the problem as text of one line."""
    text = "%s: %s. Expected: %s." % (problem.where, problem.what.rstrip("."), problem.expected.rstrip("."))
    return "%s To mend it: %s." % (text, problem.mend.rstrip(".?")) if problem.mend else text


def report(problems):
    """:returns: all problems as the text of one error."""
    lines = ["The inventory cannot become a cluster yet; nothing was changed. %d %s to mend:" % (
        len(problems), "thing" if len(problems) == 1 else "things")]
    lines += ["  %d. %s" % (number, sentence(problem)) for number, problem in enumerate(problems, 1)]
    return "\n".join(lines)
