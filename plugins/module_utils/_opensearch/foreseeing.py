# Copyright (c) 2026, ironrack.cluster contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a restore would do, step by step, if all went well. Pure.

This is a private module_utils package: it may change in any release.
"""
from __future__ import annotations

import copy

from . import alias_moves, autocreate, recovering, restoring

#: More steps than any plan takes: a machine that goes round in circles must not hang a check run.
MOST = 10000


def applied(aliases, actions):
    """:returns: aliases after the actions of one call. :param aliases: alias -> index -> options."""
    found = copy.deepcopy(aliases)
    for action in actions:
        (kind, what), = action.items()
        if kind == "remove_index":
            found = {alias: {index: options for index, options in entries.items() if index != what["index"]} for alias, entries in found.items()}
        elif kind == "remove":
            del found[what["alias"]][what["index"]]
        else:
            found.setdefault(what["alias"], {})[what["index"]] = {name: value for name, value in what.items() if name not in ("index", "alias")}
    return {alias: entries for alias, entries in found.items() if entries}


def effect(step, plan, record, seen):
    """:returns: (what is written down, what is seen) after a step that went well."""
    record, seen = copy.deepcopy(record), copy.deepcopy(seen)
    entry = record["items"].get(step.index)
    if step.kind == restoring.BLOCK:
        names = [item.index for item in plan.items if seen.names[item.index] is None and not autocreate.is_blocked(seen.autocreate, item.index)]
        record["blocked"] += names
        seen = seen._replace(autocreate=autocreate.blocked(seen.autocreate, names))
    elif step.kind in (restoring.RESTORE, restoring.WAIT):
        seen.targets[step.index] = (recovering.READY, "it is there")
        seen.complete[step.index] = True
    elif step.kind == restoring.COMPARE:
        entry["compared"] = {"documents": 0}
    elif step.kind == restoring.FENCE:
        old = seen.olds[step.index]
        entry.update(fenced=entry["fenced"] or not old.write_block, old=old.uuid)
        seen.olds[step.index] = old._replace(write_block=True)
    elif step.kind == restoring.MERGE:
        entry["merged"] = {"documents": 0}
    elif step.kind == restoring.WAIT_COPIES:
        seen.complete[step.index] = True
    elif step.kind == restoring.SWAP:
        aliases = applied(seen.aliases, alias_moves.actions(restoring.moves(plan, seen), seen.aliases))
        seen = seen._replace(aliases=aliases, names={name: kind or ("alias" if name in aliases else None) for name, kind in seen.names.items()})
        record["phase"] = restoring.SWAPPED
    elif step.kind == restoring.SIGN_OFF:
        replaced = [(item.index, seen.olds[item.index].name, item.target) for item in plan.items if seen.olds[item.index]]
        seen = seen._replace(aliases=applied(seen.aliases, alias_moves.sign_off(replaced)), olds={index: None for index in seen.olds},
                             names={index: "alias" for index in seen.names})
    else:
        _backwards(step, record, seen)
    if step.kind == restoring.UNBLOCK:
        kept = record["autocreate"]
        value = autocreate.unblocked(seen.autocreate, record["blocked"], kept["persistent"], kept["effective"])
        seen = seen._replace(autocreate=kept["effective"] if value is None else value)
        record["blocked"] = []
    return record, seen


def _backwards(step, record, seen):
    entry = record["items"].get(step.index)
    if step.kind == restoring.TURN_BACK:
        record.update(phase=restoring.BACK, why=step.why)
    elif step.kind == restoring.DISCARD:
        seen.targets[step.index] = None
    elif step.kind == restoring.UNFENCE:
        entry["fenced"] = False
        seen.olds[step.index] = seen.olds[step.index]._replace(write_block=False)


def foreseen(plan, record, seen):
    """:returns: (each :class:`~.restoring.Step` up to the end or to where a person is waited for, what is seen then)."""
    steps = []
    for _number in range(MOST):
        step = restoring.next_step(plan, record, seen)
        steps.append(step)
        if step.kind in (restoring.FINISH, restoring.PAUSE, restoring.GIVE_UP):
            return steps, seen
        record, seen = effect(step, plan, record, seen)
    raise AssertionError("the restore goes round in circles at %s" % (steps[-1],))
