# Copyright (c) 2026, ironrack.cluster contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which keys a description may have, of which type and with which default; and what is wrong with one that is no such thing. Pure.

This is a private module_utils package: it may change in any release.
"""
from __future__ import annotations

import difflib
import ipaddress
import re
from collections import namedtuple

from .._common.refusal import problem
from .._release.settings import LABEL

REQUIRED = object()
UNKNOWN = "there is no such key"

# expected: what a value has to be, in words; fits: whether it is; default: REQUIRED, or what stands where it is left out (None fits always
# where it is the default); fields: name -> Field of what is inside.
Field = namedtuple("Field", ("expected", "fits", "default", "fields"))


def _field(expected, fits, default, fields=None):
    return Field(expected, fits, default, fields)


def is_whole(value):
    """:returns: whether a value is a whole number. True is one for Python, and a mistake here."""
    return isinstance(value, int) and not isinstance(value, bool)


def is_label(value):
    """:returns: whether a value is a DNS label."""
    return isinstance(value, str) and bool(LABEL.fullmatch(value))


def is_network(value):
    """:returns: whether a text is an address or a network."""
    try:
        ipaddress.ip_network(value)
    except (ValueError, TypeError):
        return False
    return True


def whole(least, most, unit, default=REQUIRED):
    """:returns: a whole number."""
    return _field("a whole number from %d to %d: %s" % (least, most, unit), lambda value: is_whole(value) and least <= value <= most, default)


def label(default=REQUIRED):
    """:returns: a DNS label."""
    return _field("a DNS label: at most 63 lower-case letters, digits and dashes", is_label, default)


def text(expected, pattern=".+", default=REQUIRED):
    """:returns: a text of a form."""
    form = re.compile(pattern, re.DOTALL)
    return _field(expected, lambda value: isinstance(value, str) and bool(form.fullmatch(value)), default)


def truth(default):
    """:returns: true or false."""
    return _field("true or false", lambda value: isinstance(value, bool), default)


def choice(choices, default=REQUIRED):
    """:returns: one of some texts."""
    return _field("one of %s" % ", ".join(choices), lambda value: isinstance(value, str) and value in choices, default)


def listed(expected, fits, default=()):
    """:returns: a list of things that fit."""
    return _field("a list of %s" % expected, lambda value: isinstance(value, list) and all(fits(one) for one in value), list(default))


def mapped(expected, fits, default=()):
    """:returns: a dictionary of texts to things that fit."""
    return _field("a dictionary of %s" % expected,
                  lambda value: isinstance(value, dict) and all(isinstance(name, str) and fits(one) for name, one in value.items()),
                  default if default is REQUIRED else dict(default))


def inside(fields, default=()):
    """:returns: a dictionary with fields of its own."""
    return _field("a dictionary with some of %s" % ", ".join(sorted(fields)), lambda value: isinstance(value, dict), dict(default), fields)


def anything(kind, expected):
    """:returns: what another part judges: a list or a dictionary."""
    return _field(expected, lambda value: isinstance(value, kind), kind())


def share(default=REQUIRED):
    """:returns: a number of pods, or a percentage of them."""
    def fits(value):
        return is_whole(value) and value >= 0 or isinstance(value, str) and bool(re.fullmatch(r"(100|[1-9]?[0-9])%", value))

    return _field("a number of pods or a percentage such as 25%", fits, default)


def check(where, value, fields):
    """Judge a dictionary.

    :param where: its name in messages.
    :returns: problems: unknown keys with the nearest known one, what is missing, and what does not fit.
    """
    found = [unknown(where, str(name), fields) for name in sorted(set(value) - set(fields), key=str)]
    for name, field in fields.items():
        place = "%s.%s" % (where, name)
        if name not in value:
            if field.default is REQUIRED:
                found.append(problem(place, "it is missing", field.expected, "Set it."))
        elif value[name] is None and field.default is None:
            continue
        elif not field.fits(value[name]):
            found.append(problem(place, "it is %r" % (value[name],), field.expected, "Correct it."))
        elif field.fields:
            found += check(place, value[name], field.fields)
    return found


def unknown(where, name, known):
    """:returns: the problem of a key that nobody reads."""
    near = difflib.get_close_matches(name, list(known), 1, 0.6)
    return problem("%s.%s" % (where, name), UNKNOWN, "one of %s" % ", ".join(sorted(known)),
                   "Did you mean %s?" % near[0] if near else "Correct its name or leave it out.")


def filled(value, fields):
    """:returns: a dictionary with the defaults of what it leaves out. What is no dictionary stays what it is."""
    if not isinstance(value, dict):
        return value
    result = dict(value)
    for name, field in fields.items():
        if name not in result and field.default is not REQUIRED:
            result[name] = field.default
        if field.fields and name in result:
            result[name] = filled(result[name], field.fields)
    return result
