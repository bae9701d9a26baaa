# Copyright (c) 2026, ironrack.cluster contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A restore in the safe order, as a machine of small steps. Pure.

A plan, what is written down and what is seen go in, the next step comes out. A step is over when it is seen to be, so after a kill at any point the
same run goes on where it was. What is decided before the aliases move can be taken back: what was restored is nobody's yet. Afterwards there is
no way back by itself, and the old indices stay, without taking writes, until somebody signs off.

The order, and what each step is for:
1. a deleted name is kept from coming into being, so that no client makes an empty index of it with a mapping of its own making;
2. each index is restored under another name, and waited for; one damaged file is found here, before anything depends on it;
3. it is compared with the manifest;
4. an old index that came into being after the snapshot holds late documents: it takes no more, and they are merged into the restored one;
5. all aliases move at once;
6. old indices take no more writes, so that nobody goes on with one unnoticed; the deleted name may come into being again, since it is an alias now;
7. signed off, the old indices go, and their names become aliases in the same call.

This is a private module_utils package: it may change in any release.
"""
from __future__ import annotations

from collections import namedtuple

from . import alias_moves, autocreate, recovering

FORWARD, BACK, SWAPPED, DONE, FAILED = "forward", "back", "swapped", "done", "failed"
BLOCK, RESTORE, WAIT, COMPARE, FENCE, MERGE, WAIT_COPIES, SWAP = "block", "restore", "wait", "compare", "fence", "merge", "wait_copies", "swap"
UNBLOCK, SIGN_OFF, PAUSE, FINISH = "unblock", "sign_off", "pause", "finish"
TURN_BACK, DISCARD, UNFENCE, GIVE_UP = "turn_back", "discard", "unfence", "give_up"
AUTO, ALWAYS, NEVER = "auto", "always", "never"

#: index: its name in the snapshot; target: what it is restored as; aliases: alias -> options that the target gets.
Item = namedtuple("Item", ("index", "target", "aliases"))
#: items; late: when documents of an old index are merged; copies: whether all copies have to be there before the aliases move; confirmed: whether the old
#: indices may go; abort: whether to turn back; began: when the snapshot began.
Plan = namedtuple("Plan", ("items", "late", "copies", "confirmed", "abort", "began"))
#: name, uuid, created (aware), write_block of the index that an item replaces.
Old = namedtuple("Old", ("name", "uuid", "created", "write_block"))
#: targets: index -> (state, words), None where its target is not there; complete: index -> whether all copies are there; olds: index -> Old or None;
#: names: index -> what its name is now, None for nothing; aliases: alias -> index -> options; autocreate: the value that holds.
Seen = namedtuple("Seen", ("targets", "complete", "olds", "names", "aliases", "autocreate"))
#: kind; index: whose, or None; why: in words.
Step = namedtuple("Step", ("kind", "index", "why"))


def begun(plan, seen, persistent):
    """:returns: what is written down before anything is done.

    :param persistent: the value of the auto-creation setting that is set for good, or None.
    """
    return {"phase": FORWARD, "why": "", "blocked": [], "autocreate": {"persistent": persistent, "effective": seen.autocreate},
            "items": {item.index: {"target": item.target, "aliases": item.aliases, "replaces": _name_of(seen.olds[item.index]), "compared": None,
                                   "merged": None, "fenced": False, "old": None} for item in plan.items}}


def _name_of(old):
    return old.name if old else None


def planned(record, plan):
    """:returns: a plan with the items that are written down: after the aliases have moved nobody could tell any more what they were to be."""
    items = [Item(index, entry["target"], entry["aliases"]) for index, entry in sorted(record["items"].items())]
    return plan._replace(items=items)


def moves(plan, seen):
    """:returns: each item's :class:`~.alias_moves.Move`; a deleted name becomes an alias of what was restored."""
    found = []
    for item in plan.items:
        old, aliases = seen.olds[item.index], dict(item.aliases)
        if seen.names[item.index] is None:
            aliases[item.index] = {}
        found.append(alias_moves.Move(old.name if old else None, item.target, aliases))
    return found


def is_late(plan, old):
    """:returns: whether the documents of an old index came after the snapshot: it came into being after it began, so it is another one than that."""
    return plan.late == ALWAYS or (plan.late == AUTO and old.created > plan.began)


def next_step(plan, record, seen):
    """:returns: the next :class:`Step`."""
    if record["phase"] == FORWARD:
        if _has_moved(plan, record, seen):
            return Step(SWAP, None, "the aliases have moved; a run that was killed did not write it down any more")
        return Step(TURN_BACK, None, "it was aborted") if plan.abort else _forward(plan, record, seen)
    if record["phase"] == BACK:
        return _back(plan, record, seen)
    if record["phase"] == SWAPPED:
        return _swapped(plan, record, seen)
    return Step(GIVE_UP if record["phase"] == FAILED else FINISH, None, record["why"])


def _has_moved(plan, record, seen):
    return all(entry["compared"] for entry in record["items"].values()) and any(_aliased(item.target, seen) for item in plan.items) and \
        not alias_moves.actions(moves(plan, seen), seen.aliases)


def _forward(plan, record, seen):
    open_names = [item.index for item in plan.items if seen.names[item.index] is None and not autocreate.is_blocked(seen.autocreate, item.index)]
    if open_names:
        return Step(BLOCK, None, "%s must not come into being by a write" % ", ".join(open_names))
    for item in plan.items:
        if seen.targets[item.index] is None:
            return Step(RESTORE, item.index, "%s is not there yet" % item.target)
    states = {item.index: seen.targets[item.index] for item in plan.items}
    for index, (state, words) in sorted(states.items()):
        if state == recovering.BROKEN:
            return Step(TURN_BACK, index, "%s cannot be restored: %s" % (index, words))
    for index, (state, words) in sorted(states.items()):
        if state != recovering.READY:
            return Step(WAIT, index, words)
    for item in plan.items:
        if not record["items"][item.index]["compared"]:
            return Step(COMPARE, item.index, "%s is to be compared with the manifest" % item.target)
    return _late(plan, record, seen) or _copies(plan, seen) or Step(SWAP, None, "all that was restored is what it has to be")


def _late(plan, record, seen):
    for item in plan.items:
        old = seen.olds[item.index]
        if old is None or not is_late(plan, old):
            continue
        if not old.write_block:
            return Step(FENCE, item.index, "%s holds late documents, and more might come" % old.name)
        if not record["items"][item.index]["merged"]:
            return Step(MERGE, item.index, "the late documents of %s belong into %s" % (old.name, item.target))
    return None


def _copies(plan, seen):
    for item in plan.items:
        if plan.copies and not seen.complete[item.index]:
            return Step(WAIT_COPIES, item.index, "not all copies of %s are there" % item.target)
    return None


def _swapped(plan, record, seen):
    if _still_blocked(record, seen):
        return Step(UNBLOCK, None, "%s is an alias now, or an index" % ", ".join(record["blocked"]))
    olds = [(item, seen.olds[item.index]) for item in plan.items if seen.olds[item.index]]
    for item, old in olds:
        if not old.write_block or record["items"][item.index]["old"] is None:
            return Step(FENCE, item.index, "%s was replaced, and a write to it would be lost when it goes" % old.name)
    if not olds:
        return Step(FINISH, None, "no old index is left")
    names = ", ".join(old.name for _item, old in olds)
    return Step(SIGN_OFF, None, "%s may go" % names) if plan.confirmed else Step(PAUSE, None, "%s stays until it is signed off" % names)


def _back(plan, record, seen):
    for item in plan.items:
        if seen.targets[item.index] is not None:
            return Step(DISCARD, item.index, "%s was restored by this, and nothing uses it" % item.target)
    for item in plan.items:
        old = seen.olds[item.index]
        if old and old.write_block and record["items"][item.index]["fenced"]:
            return Step(UNFENCE, item.index, "%s took writes before" % old.name)
    if _still_blocked(record, seen):
        return Step(UNBLOCK, None, "%s could come into being before" % ", ".join(record["blocked"]))
    return Step(GIVE_UP, None, record["why"])


def _still_blocked(record, seen):
    # A setting of "false" blocks all names, and none of that is ours.
    return [name for name in record["blocked"] if "-" + name in str(seen.autocreate).split(",")]


def unmet(step, plan, record, seen):
    """:returns: what has to hold before a step, and does not, in words. Whoever carries one out asks this first, of what is seen at that moment."""
    checks = {
        RESTORE: lambda: _unless(seen.targets[step.index] is None, "%s is there already" % _target(plan, step)) + _unless(
            seen.names[step.index] is not None or autocreate.is_blocked(seen.autocreate, step.index), "the name %s may come into being" % step.index),
        MERGE: lambda: _unless(seen.olds[step.index] and seen.olds[step.index].write_block, "the old index takes writes still") + _unless(
            record["items"][step.index]["compared"], "%s was not compared yet" % _target(plan, step)),
        SWAP: lambda: [words for item in plan.items for words in _swappable(item, plan, record, seen)],
        DISCARD: lambda: _unless(not _aliased(_target(plan, step), seen), "an alias points at %s" % _target(plan, step)),
        SIGN_OFF: lambda: [words for item in plan.items for words in _removable(item, plan, record, seen)],
    }
    return checks[step.kind]() if step.kind in checks else []


def _target(plan, step):
    return next(item.target for item in plan.items if item.index == step.index)


def _unless(holds, words):
    return [] if holds else [words]


def _aliased(target, seen):
    return any(target in entries for entries in seen.aliases.values())


def _swappable(item, plan, record, seen):
    state, old = seen.targets[item.index], seen.olds[item.index]
    late = old is not None and is_late(plan, old)
    return _unless(state is not None and state[0] == recovering.READY, "%s is not there as a whole" % item.target) + _unless(
        record["items"][item.index]["compared"], "%s was not compared" % item.target) + _unless(
        not late or (old.write_block and record["items"][item.index]["merged"]), "the late documents of %s were not merged" % item.index)


def _removable(item, plan, record, seen):
    old, state = seen.olds[item.index], seen.targets[item.index]
    if old is None:
        return []
    return _unless(plan.confirmed, "nobody signed off") + _unless(record["phase"] == SWAPPED, "the aliases have not moved") + _unless(
        old.uuid == record["items"][item.index]["old"], "%s is another index than the one that was replaced" % old.name) + _unless(
        state is not None and state[0] == recovering.READY, "%s is not there as a whole" % item.target) + _unless(
        not any(old.name in entries for entries in seen.aliases.values()), "an alias points at %s still" % old.name)
