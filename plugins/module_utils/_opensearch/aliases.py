# Copyright (c) 2026, ironrack.cluster contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Where an alias points, and the one call that moves it. Pure.

This is a private module_utils package: it may change in any release.
"""
from __future__ import annotations

from .._common.errors import IronrackError

#: What makes a name stand for several indices, or for all but one.
SPECIAL = ("*", "?", ",", " ")


def normal(entry):
    """:returns: an alias of one index without what the engine takes for the same as nothing.

    :param entry: its ``is_write_index``, ``filter``, ``routing``, ``index_routing`` and ``search_routing``, as far as there are any.
    """
    routing = entry.get("routing")
    found = {"is_write_index": entry.get("is_write_index"), "filter": entry.get("filter") or None,
             "index_routing": entry.get("index_routing") or routing, "search_routing": entry.get("search_routing") or routing}
    return {name: value for name, value in found.items() if value is not None}


def current(answer, alias):
    """:returns: index -> its alias as of :func:`normal`.

    :param answer: that of ``_alias/NAME``, or None where there is none.
    """
    return {index: normal(found["aliases"][alias]) for index, found in sorted((answer or {}).items()) if alias in found.get("aliases", {})}


def wanted(entries):
    """:returns: index -> its alias as of :func:`normal`.

    :param entries: each with ``index`` and what :func:`normal` takes.
    :raises IronrackError: with all the reasons why it cannot be.
    """
    problems = ["%r stands for several indices: name each" % entry["index"] for entry in entries
                if entry["index"].startswith(("-", "_")) or any(sign in entry["index"] for sign in SPECIAL)]
    problems += [] if entries else ["it would point nowhere: name an index, or use state=absent"]
    names = [entry["index"] for entry in entries]
    problems += ["%s is there twice: keep one" % name for name in sorted(set(names)) if names.count(name) > 1]
    writes = writers({entry["index"]: entry for entry in entries})
    if len(writes) > 1:
        problems.append("%s are write indices, and an alias has at most one: choose where writes go" % ", ".join(writes))
    if problems:
        raise IronrackError("the alias cannot be set so:\n- %s" % "\n- ".join(problems), problems=problems)
    return {entry["index"]: normal(entry) for entry in entries}


def writers(entries):
    """:returns: names of those that are marked as the alias's write index."""
    return sorted(index for index, entry in entries.items() if entry.get("is_write_index"))


def actions(alias, before, after):
    """The actions of one ``_aliases`` call, which all happen or none.

    :param before: of :func:`current`. :param after: of :func:`wanted`; empty where the alias is to go.
    :returns: a list, empty where nothing differs.
    """
    # must_exist makes the whole call fail where somebody else took it away meanwhile, instead of half of it being for nothing
    gone = [{"remove": {"index": index, "alias": alias, "must_exist": True}} for index in sorted(before) if index not in after]
    return gone + [{"add": dict(entry, index=index, alias=alias)} for index, entry in sorted(after.items()) if before.get(index) != entry]
