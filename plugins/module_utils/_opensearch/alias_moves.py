# Copyright (c) 2026, ironrack.cluster contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Aliases that move from old indices to restored ones, in one call that happens as a whole or not at all. Pure.

Who could write through an alias before can afterwards, to one index and no other. An alias of a single index is written to without a mark; as soon as
it has a second one it is not, so what was written to without a mark gets one.

This is a private module_utils package: it may change in any release.
"""
from __future__ import annotations

from collections import namedtuple
from .._common.refusal import problem


WRITE = "is_write_index"

#: old: name of the index that an alias moves away from, or None; target: the restored one; aliases: alias -> its options, that it is to have.
Move = namedtuple("Move", ("old", "target", "aliases"))


def writer(entries):
    """:returns: the index that one writes to through an alias, or None.

    :param entries: index -> options of the alias.
    """
    marked = _marked(entries)
    if marked:
        return marked[0]
    alone = list(entries.items())
    return alone[0][0] if len(alone) == 1 and alone[0][1].get(WRITE) is not False else None


def _marked(entries):
    return [index for index, options in entries.items() if options.get(WRITE)]


def problems_of(moves, aliases):
    """:returns: which aliases would have several write indices.

    :param moves: each a :class:`Move`. :param aliases: alias -> index -> options, as they are now.
    """
    found = []
    for alias in _names(moves):
        before = aliases.get(alias, {})
        marked = sorted(move.target for move in moves if move.aliases.get(alias, {}).get(WRITE) and move.old not in before and not _marked(before))
        if len(marked) > 1:
            found.append(problem("alias %s" % alias, "%s would all be its write index" % ", ".join(marked), "one at most",
                                 "Restore them one after the other, or say with aliases which of them has it."))
    return found


def _names(moves):
    return sorted({alias for move in moves for alias in move.aliases})


def wanted(moves, alias, before):
    """:returns: index -> options that an alias has afterwards.

    :param before: the same of now.
    """
    after = {index: dict(options) for index, options in before.items()}
    replaced, fresh = {}, []
    for move in moves:
        if alias not in move.aliases or move.target in before:
            continue
        options = after.pop(move.old, None) if move.old else None
        if options is not None:
            replaced[move.old] = move.target
        else:
            fresh.append(move)
        after[move.target] = {name: value for name, value in (options or move.aliases[alias]).items() if name != WRITE}
    if not replaced and not fresh:
        return after
    written = _written(before, replaced, fresh, alias)
    added = set(replaced.values()) | {move.target for move in fresh}
    for index, options in after.items():
        if index == written:
            options[WRITE] = True
        elif index in added:
            options[WRITE] = False
    return after


def _written(before, replaced, fresh, alias):
    """:returns: the index that is written to afterwards, or None.

    What is marked now stays, or its successor does. Then comes what was marked when the snapshot was taken: an index that was deleted may have
    been the one that all writes went to. What is written to only because it stands alone comes last.
    """
    marked = [move.target for move in fresh if move.aliases[alias].get(WRITE)]
    if _marked(before) or not marked and before:
        return replaced.get(writer(before), writer(before))
    if marked:
        return marked[0]
    return fresh[0].target if len(fresh) == 1 and fresh[0].aliases[alias].get(WRITE) is not False else None


def actions(moves, aliases):
    """:returns: the actions of one ``_aliases`` call; none where all of it is done.

    :param moves: each a :class:`Move`. :param aliases: alias -> index -> options, as they are now.
    """
    found = []
    for alias in _names(moves):
        before = aliases.get(alias, {})
        after = wanted(moves, alias, before)
        # Without must_exist the engine would take a move that somebody else has made meanwhile for done.
        found += [{"remove": {"index": index, "alias": alias, "must_exist": True}} for index in sorted(before) if index not in after]
        found += [{"add": dict(options, index=index, alias=alias)} for index, options in sorted(after.items()) if before.get(index) != options]
    return found


def sign_off(replaced):
    """:returns: the actions that delete old indices, and have their names mean the restored ones from that moment on.

    :param replaced: (name of the index as it was asked for, name of the old index, target).
    """
    found = []
    for index, old, target in replaced:
        found.append({"remove_index": {"index": old}})
        if old == index:
            found.append({"add": {"index": target, "alias": index, WRITE: True}})
    return found
