# Copyright (c) 2026, ironrack.cluster contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which old indices may go, and why each of the others stays. Pure.

An index goes only where it is old by a rule, enough newer ones of that rule stay, no write goes to it, nothing else manages it, and the newest snapshot
of the series that a scratch restore has proved holds it as it is now: by its uuid, and by the mark that each write changes. So what goes can be had
back for as long as that snapshot is kept. A rule may do without the last of these.

What a restore brought back carries the date on which it was first made. It counts as made when it was restored, or it would go again at once.

This is a private module_utils package: it may change in any release.
"""
from __future__ import annotations

import re
from collections import namedtuple

from .._common.refusal import problem
from . import aliases, manifest, moments, restoring

#: What a rule has that does not say otherwise.
DEFAULTS = {"min_count": 1, "without_snapshot": False}
KEYS = ("pattern", "max_age", "min_count", "without_snapshot")
#: Signs of a pattern's beginning that has to be there: fewer would take in what nobody thought of.
LEAST = 3
#: Begins the names of what backups and their proofs are made of.
OURS = "ironrack-"
_BEGINNING = re.compile(r"[a-z0-9][a-z0-9._-]*")

#: Why an index stays, in a word, in the order in which the first one counts.
HIDDEN, STREAM, RESTORE, FUTURE, WRITE_INDEX, YOUNG, NEEDED = "hidden", "data_stream", "restore", "future", "write_index", "young", "needed"
MANAGED, UNKNOWN, UNREADABLE, NOT_HELD, STOPPED = "managed", "unknown", "unreadable", "not_in_snapshot", "stopped"
#: That it goes; and that it was another one at the last moment.
DUE, CHANGED = "due", "changed"
#: Words of what ought to go, and cannot.
LACKS = (UNKNOWN, UNREADABLE, NOT_HELD, STOPPED, CHANGED)

#: pattern: a beginning and a ``*``; max_age: seconds; min_count: how many of the newest stay; without_snapshot: whether it goes although nobody has it.
Rule = namedtuple("Rule", KEYS)
#: since: aware, when it was made or restored; stream: the data stream that it belongs to, or empty; writes: aliases whose writes go to it;
#: restoring: whether a restore that nobody has signed off needs it.
Index = namedtuple("Index", ("name", "uuid", "since", "is_open", "hidden", "stream", "writes", "restoring"))
#: late: seconds beyond max_age, negative where it is younger.
Verdict = namedtuple("Verdict", ("index", "rule", "word", "why", "late"))
#: Lists of :class:`Verdict`, the oldest first.
Decision = namedtuple("Decision", ("expire", "keep"))
#: stops: why nothing may go now; busy: names of indices that a restore needs; since: index -> when it was restored.
Restores = namedtuple("Restores", ("stops", "busy", "since"))


# Rules

def problems_of(entries, where="rules"):
    """:returns: all that is wrong with rules.

    :param entries: dictionaries with the names of :data:`KEYS`. :param where: what they are called there.
    """
    found, beginnings = [], []
    for number, entry in enumerate(entries, 1):
        at = "%s, number %d" % (where, number)
        found += [problem(at, "it has a key %s" % key, "the keys %s" % ", ".join(KEYS), "Remove it.") for key in sorted(set(entry) - set(KEYS))]
        found += _pattern_problems(at, entry.get("pattern"))
        found += _number_problems(at, dict(DEFAULTS, **entry))
        if isinstance(entry.get("pattern"), str):
            beginnings.append((number, entry["pattern"].rstrip("*")))
    for place, (number, beginning) in enumerate(beginnings):
        found += [problem(where, "numbers %d and %d are both for %s*" % (earlier, number, max(beginning, other, key=len)), "one rule for each index",
                          "Make their beginnings differ, or leave one out.")
                  for earlier, other in beginnings[:place] if beginning.startswith(other) or other.startswith(beginning)]
    return found


def _pattern_problems(at, pattern):
    at += ", pattern"
    expected = "a beginning of at least %d small letters, digits, dots, dashes and underscores, and one * at its end" % LEAST
    if not isinstance(pattern, str) or not pattern.endswith("*") or "*" in pattern[:-1]:
        return [problem(at, "it is %r" % (pattern,), expected, "Such as logs-app-*.")]
    beginning = pattern[:-1]
    if len(beginning) < LEAST:
        return [problem(at, "%r stands for too much" % pattern, expected, "Name more of it, such as logs-app-*.")]
    if beginning.startswith("."):
        return [problem(at, "%r is of the engine, a plugin or a data stream" % pattern, "indices of your own", "Leave them to the engine and to ISM.")]
    if not _BEGINNING.fullmatch(beginning):
        return [problem(at, "%r can be no beginning of an index's name" % pattern, expected, "Such as logs-app-*.")]
    if OURS.startswith(beginning) or beginning.startswith(OURS):
        return [problem(at, "%r takes in %s*, of which backups and their proofs are made" % (pattern, OURS), "indices of your own", "Name more of it.")]
    return []


def _number_problems(at, entry):
    found = []
    for name, least, mend in (("max_age", 1, "Such as 1209600 for two weeks."), ("min_count", 1, "Leave it out for 1.")):
        number = entry.get(name)
        if not isinstance(number, int) or isinstance(number, bool) or number < least:
            found.append(problem("%s, %s" % (at, name), "it is %r" % (number,), "%s, a whole number from %d" % (
                "seconds" if name == "max_age" else "how many of the newest stay", least), mend))
    if not isinstance(entry["without_snapshot"], bool):
        found.append(problem("%s, without_snapshot" % at, "it is %r" % (entry["without_snapshot"],), "true or false", "Leave it out for false."))
    return found


def rules_of(entries):
    """:returns: each :class:`Rule` of dictionaries that have no problem."""
    return [Rule(**dict(DEFAULTS, **entry)) for entry in entries]


def matches(rule, name):
    """:returns: whether a rule is for an index."""
    return name.startswith(rule.pattern[:-1])


# What is seen

def read(resolved, settings, aliased, restores):
    """:returns: each :class:`Index` of the answers about some patterns.

    :param resolved: of ``_resolve/index/*``. :param settings: of ``_settings``, flat. :param aliased: of ``_alias``. :param restores: :class:`Restores`.
    """
    there = {one["name"]: one for one in resolved.get("indices") or []}
    members = {one["name"]: one["indices"] if isinstance(one["indices"], list) else [one["indices"]] for one in resolved.get("aliases") or []}
    found = []
    for name, answer in settings.items():
        if name in there:
            one = answer["settings"]
            made = moments.of_millis(int(one["index.creation_date"]))
            options = (aliased.get(name) or {}).get("aliases") or {}
            found.append(Index(
                name, one["index.uuid"], max(made, restores.since.get(name, made)), "open" in there[name].get("attributes", ()),
                str(one.get("index.hidden")).lower() == "true", there[name].get("data_stream") or "",
                sorted(alias for alias, entry in options.items() if _takes_writes(name, entry, members.get(alias, [name]))), name in restores.busy))
    return found


def _takes_writes(name, entry, members):
    # The only index of an alias is its write index without being called so.
    return bool(aliases.writers({name: entry})) or (members == [name] and entry.get("is_write_index") is not False)


def of_restores(found):
    """:returns: :class:`Restores`.

    :param found: (snapshot, aware time, record) of each restore that is written down, the record as of restoring.
    """
    stops, busy, since = [], set(), {}
    for snapshot, time, record in found:
        entries = record["items"].values()
        if record["phase"] in (restoring.FORWARD, restoring.BACK):
            stops.append("a restore of %s from %s is under way; go on with it, or abort it" % (", ".join(sorted(record["items"])), snapshot))
        if record["phase"] == restoring.SWAPPED:
            busy.update(name for entry in entries for name in (entry["target"], entry["replaces"]) if name)
        if record["phase"] in (restoring.SWAPPED, restoring.DONE):
            since.update({entry["target"]: max(time, since.get(entry["target"], time)) for entry in entries})
    return Restores(stops, busy, since)


def lack(index, snapshot, entry, seen):
    """:returns: why a proved snapshot could not bring an index back as it is, in words; empty where it could.

    :param snapshot: its name. :param entry: of the index, in the opening sheet of its manifest, or None.
    :param seen: ``uuid``, ``seq_nos`` and ``documents`` of the index now.
    """
    # The mark of before the snapshot: where it still is the one of now, nobody has written to it in between either.
    if entry is None:
        return "the newest proved snapshot, %s, does not have it" % snapshot
    if not entry["uuid"] == index.uuid == seen["uuid"]:
        return "the newest proved snapshot, %s, has another index of its name" % snapshot
    if entry["writes"] != manifest.writes(seen["seq_nos"], seen["documents"]):
        return "it was written to since %s, the newest proved snapshot, was taken" % snapshot
    return ""


# What goes

def decide(indices, rules, lacks, stopped, now, tolerance):
    """Say what goes and what stays.

    :param indices: each :class:`Index`. :param rules: each :class:`Rule`; an index without a rule is not in the decision.
    :param lacks: name -> (word, why) of what stays although it is old, as far as that is known.
    :param stopped: why nothing goes at all, in words; empty where something may.
    :param now: aware time. :param tolerance: seconds that clocks may differ.
    :returns: :class:`Decision`.
    """
    expire, keep = [], []
    for rule in rules:
        newer = 0
        for one in sorted((one for one in indices if matches(rule, one.name)), key=order, reverse=True):
            late = moments.seconds_between(one.since, now) - rule.max_age
            word, why = _judge(one, rule, late, newer, now, tolerance)
            if word == DUE and one.name in lacks:
                word, why = lacks[one.name]
            if word == DUE and stopped:
                word, why = STOPPED, "nothing goes now: %s; otherwise: %s" % ("; ".join(stopped), why)
            (expire if word == DUE else keep).append(Verdict(one, rule, word, why, late))
            # Nobody reads a closed one, and one of the future has no place in the order.
            newer += one.is_open and word not in (HIDDEN, STREAM, FUTURE)
    return Decision(expire[::-1], keep[::-1])


def order(index):
    """:returns: what indices are put in order by, the oldest first."""
    return index.since, index.name


def _judge(one, rule, late, newer, now, tolerance):
    """:returns: (word, why) of an index that nothing is known to be lacking of."""
    told = "%d s old (limit %d s), and %d newer ones are there (%d have to stay)" % (late + rule.max_age, rule.max_age, newer, rule.min_count)
    said = (
        (one.hidden, HIDDEN, "it is hidden, which indices of the engine's parts are"),
        (one.stream, STREAM, "it belongs to the data stream %s, which is cut by its own means" % one.stream),
        (one.restoring, RESTORE, "a restore that is not signed off has it"),
        (moments.seconds_between(now, one.since) > tolerance, FUTURE, "it was made in the future, by some clock (%s)" % moments.text(one.since)),
        (one.writes, WRITE_INDEX, "writes to %s go to it" % ", ".join(one.writes)),
        (late <= tolerance, YOUNG, "too young: it is " + told),
        (newer < rule.min_count, NEEDED, "needed: it is " + told))
    return next(((word, why) for holds, word, why in said if holds), (DUE, "it is " + told))


def overdue(verdicts, grace):
    """:returns: names of what ought to have gone some seconds ago, and has not.

    :param grace: seconds.
    """
    return sorted(one.index.name for one in verdicts if one.word in LACKS + (DUE,) and one.late > grace)
