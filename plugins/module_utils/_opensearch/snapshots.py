# Copyright (c) 2026, ironrack.cluster contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Snapshots: their names, what may be in them, and what an answer of the engine says of one. Pure.

The name of a scheduled snapshot is its prefix and its time slot, and nothing else: of several hosts that want to take it only one can, whoever is
alive, because the engine refuses a name that is taken. A manual one carries a random end, so that two in the same second are two.

This is a private module_utils package: it may change in any release.
"""
from __future__ import annotations

import re
from collections import namedtuple

from .._common.refusal import problem
from . import moments

SUCCESS, PARTIAL, FAILED, IN_PROGRESS, INCOMPATIBLE = "SUCCESS", "PARTIAL", "FAILED", "IN_PROGRESS", "INCOMPATIBLE"
SCHEDULED, MANUAL = "scheduled", "manual"

PREFIX = re.compile(r"[a-z0-9][a-z0-9._-]{0,63}")
_SLOT, _SECOND = "%Y%m%dt%H%Mz", "%Y%m%dt%H%M%Sz"
_NAMES = (
    (SCHEDULED, _SLOT, re.compile(r"(?P<prefix>%s)-(?P<time>\d{8}t\d{4}z)" % PREFIX.pattern)),
    (MANUAL, _SECOND, re.compile(r"(?P<prefix>%s)-(?P<time>\d{8}t\d{6}z)-(?P<end>[0-9a-f]{8})" % PREFIX.pattern)),
)
#: What the engine takes as the name of a repository, and of a snapshot that is not ours.
_ENGINE_NAME = re.compile(r'[^\s,#\\/*?"<>|_-][^\s,#\\/*?"<>|]*')
#: What makes a name of an index stand for several, or for all but one.
_SPECIAL = re.compile(r'[*?,<>|"\\/#\s]')
#: Begins the names of indices that belong to the engine or to a plugin. The backing indices of data streams do so as well.
_DOT = "."
#: How many names one line of a request takes: the engine reads 4096 bytes of it.
LINE = 2000

#: prefix, kind (scheduled or manual), and the aware time that its name says.
Named = namedtuple("Named", ("prefix", "kind", "time"))
#: name, uuid, state, version, indices and data_streams; started and ended are aware, or None; shards has total, failed and successful; failures each
#: have index, shard, node and reason; metadata is what its creator wrote on it.
Snapshot = namedtuple("Snapshot", (
    "name", "uuid", "state", "version", "indices", "data_streams", "started", "ended", "shards", "failures", "metadata"))


def scheduled_name(prefix, now, slot_seconds):
    """:returns: the name of the scheduled snapshot of a moment's time slot."""
    return "%s-%s" % (prefix, moments.slot(now, slot_seconds).strftime(_SLOT))


def manual_name(prefix, now, end):
    """:returns: the name of a manual snapshot.

    :param end: eight random digits of base 16.
    """
    return "%s-%s-%s" % (prefix, moments.aware(now).strftime(_SECOND), end)


def parse(name):
    """:returns: :class:`Named`, or None where the name is none of ours."""
    for kind, form, pattern in _NAMES:
        found = pattern.fullmatch(name)
        if found:
            try:
                time = moments.datetime.strptime(found.group("time"), form).replace(tzinfo=moments.timezone.utc)
            except ValueError:
                return None
            return Named(found.group("prefix"), kind, time)
    return None


def engine_name_problems(where, name):
    """:returns: why the engine would not take a name of a repository or a snapshot."""
    if isinstance(name, str) and _ENGINE_NAME.fullmatch(name) and (where != "snapshot" or name == name.lower()) and len(name.encode()) <= 255:
        return []
    small = ", in small letters" if where == "snapshot" else ""
    return [problem(where, "%r" % (name,), "a name without blanks, commas and signs of paths and patterns, a letter or a digit first" + small, "Rename it.")]


def schedule_problems(prefix, slot_seconds):
    """:returns: why scheduled snapshots cannot be named so."""
    found = []
    if not PREFIX.fullmatch(prefix):
        found.append(problem("prefix", "%r" % prefix, "at most 64 small letters, digits, dots, dashes and underscores, a letter or a digit first",
                             "Rename it."))
    if slot_seconds is not None and (slot_seconds < 60 or slot_seconds % 60):
        found.append(problem("slot", "%s seconds" % slot_seconds, "whole minutes, one at least: a name tells minutes", "Set it to 3600 for one an hour."))
    return found


def is_system(name):
    """:returns: whether an index belongs to the engine, a plugin or a data stream."""
    return name.startswith(_DOT)


def index_problems(names):
    """:returns: why a list of indices is not an explicit one."""
    found = [] if names else [problem("indices", "the list is empty, which the engine takes for all there are", "names of indices", "Name each.")]
    for name in names:
        if name == "_all" or name.startswith(("-", "_", "+")) or _SPECIAL.search(name):
            found.append(problem("indices", "%r stands for several indices, or for none" % name, "the name of one index", "Name each."))
        elif is_system(name):
            found.append(problem("indices", "%s is an index of the engine, a plugin or a data stream" % name, "indices of your own",
                                 "Leave it out. What the security plugin holds is exported through its own API."))
    found += [problem("indices", "%s is there twice" % name, "each index once", "Keep one.") for name in sorted(set(names)) if names.count(name) > 1]
    return found


def presence_problems(names, there):
    """:returns: why indices cannot be taken into a snapshot.

    :param there: name -> one of ``index``, ``closed``, ``alias`` and ``data_stream``, for all that the cluster has.
    """
    told = {
        None: ("there is none", "Correct the name, or take it out of the list."),
        "closed": ("it is closed, so nobody can count what is in it", "Open it, or take it out of the list."),
        "alias": ("it is an alias, which points somewhere else tomorrow", "Name the indices that it points at."),
        "data_stream": ("it is a data stream; those cannot be restored in the safe order", "Snapshot it by itself, with the engine's own API."),
    }
    return [problem("index %s" % name, told[there.get(name)][0], "an open index", told[there.get(name)][1])
            for name in names if there.get(name) != "index"]


def create_body(indices, metadata, partial):
    """:returns: the body that creates a snapshot of these indices and of nothing else.

    :param partial: whether the engine may go on without a shard that is not there.
    """
    return {"indices": ",".join(indices), "ignore_unavailable": False, "include_global_state": False, "partial": partial, "metadata": metadata}


def read(entry):
    """:returns: the :class:`Snapshot` of one entry of the engine's answer."""
    shards = entry.get("shards") or {}
    return Snapshot(
        entry["snapshot"], entry.get("uuid"), entry.get("state"), entry.get("version"), sorted(entry.get("indices") or []),
        sorted(entry.get("data_streams") or []), _moment(entry.get("start_time_in_millis")), _moment(entry.get("end_time_in_millis")),
        {name: shards.get(name, 0) for name in ("total", "failed", "successful")},
        [{"index": one.get("index"), "shard": one.get("shard_id"), "node": one.get("node_id"), "reason": one.get("reason")}
         for one in entry.get("failures") or []],
        entry.get("metadata") or {})


def _moment(millis):
    # One that runs has an end of 0.
    return moments.of_millis(millis) if millis else None


def shortcomings(snapshot):
    """:returns: why a snapshot is not a whole one; nothing where it is SUCCESS without a failed shard."""
    found = []
    if snapshot.state != SUCCESS:
        found.append("its state is %s" % snapshot.state)
    if not snapshot.shards["total"]:
        found.append("it has no shard at all")
    if snapshot.shards["failed"] or snapshot.failures:
        found.append("%d of %d shards failed%s" % (snapshot.shards["failed"] or len(snapshot.failures), snapshot.shards["total"], _first(snapshot.failures)))
    return found


def _first(failures):
    return ", the first: %(index)s shard %(shard)s: %(reason)s" % failures[0] if failures else ""


def told(snapshot):
    """:returns: a snapshot as modules give it back; times are RFC 3339 in UTC."""
    named = parse(snapshot.name)
    return {
        "snapshot": snapshot.name, "uuid": snapshot.uuid, "state": snapshot.state, "version": snapshot.version, "indices": snapshot.indices,
        "data_streams": snapshot.data_streams, "shards": snapshot.shards, "failures": snapshot.failures,
        "started": snapshot.started and moments.text(snapshot.started), "ended": snapshot.ended and moments.text(snapshot.ended),
        "seconds": moments.seconds_between(snapshot.started, snapshot.ended) if snapshot.started and snapshot.ended else None,
        "kind": named.kind if named else None, "prefix": named.prefix if named else None}


def batches(names):
    """:returns: names in lists that fit into the first line of a request."""
    found, size = [], LINE
    for name in names:
        if size + len(name) + 1 > LINE:
            found.append([])
            size = 0
        found[-1].append(name)
        size += len(name) + 1
    return found


def ages(listed, proved, now):
    """How old the newest snapshots are that one could go back to.

    A snapshot holds what there was when it began, so that is what its age is counted from.

    :param listed: :class:`Snapshot` of one series.
    :param proved: uuids of those that a scratch restore has proved.
    :returns: ``success`` and ``proved``, each (snapshot, seconds) or None, and ``states``, state -> count.
    """
    whole = [one for one in listed if not shortcomings(one) and one.started]
    found = {"states": {state: sum(one.state == state for one in listed) for state in (SUCCESS, PARTIAL, FAILED, IN_PROGRESS)}}
    for name, chosen in (("success", whole), ("proved", [one for one in whole if one.uuid in proved])):
        newest = max(chosen, key=lambda one: one.started) if chosen else None
        found[name] = newest and (newest, max(0.0, moments.seconds_between(newest.started, now)))
    return found
