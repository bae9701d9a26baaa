# Copyright (c) 2026, ironrack.cluster contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Settings of the cluster, of an index or of a template, whatever way they are written. Pure.

The engine keeps every value as text, and takes names with dots and names one below the other for the same.

This is a private module_utils package: it may change in any release.
"""
from __future__ import annotations

import fnmatch

from .._common.errors import IronrackError


def as_text(value):
    """:returns: a value as the engine keeps it: text, None, or a list joined by commas, which it takes for the same as the list."""
    if value is None or isinstance(value, str):
        return value
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, (list, tuple)):
        return ",".join(str(as_text(one)) for one in value)
    return str(value)


def flat(document, prefix=""):
    """:returns: name with dots -> value as text, or None, of settings that are written in any way.

    :param document: a dictionary, of dictionaries or not.
    :raises IronrackError: where one setting is there twice with two values.
    """
    found = {}
    for name, value in (document or {}).items():
        whole = prefix + str(name)
        for one, text in (flat(value, whole + ".") if isinstance(value, dict) else {whole: as_text(value)}).items():
            if found.get(one, text) != text:
                raise IronrackError("the setting %s is there twice, as %r and as %r: keep one" % (one, found[one], text))
            found[one] = text
    return found


def index_settings(document):
    """:returns: as :func:`flat`, of settings of an index, whose names may lack ``index.`` in front."""
    named = flat(document)
    doubled = {}
    for name, text in named.items():
        doubled.setdefault(name if name.startswith("index.") else "index." + name, set()).add(text)
    twice = sorted(name for name, texts in doubled.items() if len(texts) > 1)
    if twice:
        raise IronrackError("with and without index. in front there are two values of %s: keep one each" % ", ".join(twice))
    return {name: texts.pop() for name, texts in doubled.items()}


def changes(current, wanted):
    """What has to be sent.

    :param current: flat settings that are there. :param wanted: flat settings; None takes one away, and a name with ``*`` then stands for several.
    :returns: flat settings of which each differs from what is there.
    """
    found = {}
    for name, value in sorted(wanted.items()):
        if value is not None:
            if current.get(name) != value:
                found[name] = value
            continue
        found.update((one, None) for one in sorted(current) if fnmatch.fnmatchcase(one, name) and wanted.get(one) is None)
    return found


def after(current, changed):
    """:returns: flat settings once ``changed`` was sent."""
    return {name: value for name, value in dict(current, **changed).items() if value is not None}


def shadows(transient, wanted):
    """:returns: sentences about transient settings that win over the persistent ones that are wanted.

    :param transient: flat. :param wanted: flat.
    """
    found = [(name, text, value) for name, text in sorted(transient.items()) for value in _matching(wanted, name) if value != text]
    return ["the transient setting %s=%s wins over %s until the cluster restarts or it is set to null" % (
        name, text, "the default" if value is None else "the persistent %s" % value) for name, text, value in found]


def _matching(wanted, name):
    if name in wanted:
        return [wanted[name]]
    return [None] if any(value is None and fnmatch.fnmatchcase(name, pattern) for pattern, value in wanted.items()) else []
