# Copyright (c) 2026, ironrack.cluster contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The record of a service's rollouts: one document, written before each effect, and all that a later run has to know. Pure.

version      of this schema
service      the service's name
generation   the last one that was given; it only rises
fence        the tenure of the lock that wrote this last, see :mod:`.lease`
stable       the release that is the baseline
previous     the one before it, which an undo goes back to; None where there is none
releases     name -> description, for stable, previous and candidate: what an undo deploys. It is not read here and holds no secret
traffic      what the balancers are told, see :mod:`.traffic`
serve        since when somebody else than the releases answers, or they do again: mode and chain as in the traffic, who, why, when (RFC 3339)
rollouts     number of rollouts that were begun; the number of one is its name
rollout      None, or the one that is under way: number, plan, phase (forward, back), position in that list of the plan, pending, promoted,
             released (the old one is going: no way back), turned (seconds since 1970 when it turned back, or None), by_hand (whether a person turned it), why
pending      None, or the intent that is on record: generation, since and until (seconds since 1970); for a gate extended and extensions
last         how the last rollout ended: rollout, strategy, result (promoted, rolled_back), stable, candidate, why
history      when (RFC 3339), who, what, why and generation, oldest first

This is a private module_utils package: it may change in any release.
"""
from __future__ import annotations

import json
import time

from .._common.errors import IronrackError
from . import traffic

#: 1 knew no ``serve``: the releases answered, always.
VERSION = 2
RECORD, HISTORY = "record", "history"
#: An object of the API holds at most 1 MiB (etcd's own limit is 1.5); the rest is for the record itself.
HISTORY_ENTRIES, HISTORY_BYTES = 400, 640 * 1024
#: Bytes of an entry beside its texts, and of one letter at most: JSON writes one beyond the first 65536 as two escapes of six.
ENTRY_BYTES, LETTER_BYTES = 200, 12
#: Letters of one reason that are kept: a message of an API or a tool can be of any length.
WHY_LETTERS = 500
WHY_BYTES = 1500
_PARTS = ("version", "service", "generation", "fence", "stable", "previous", "releases", "traffic", "serve", "rollouts", "rollout", "last")
_ROLLOUT = ("number", "plan", "phase", "position", "pending", "promoted", "released", "turned", "by_hand", "why")


class RecordError(IronrackError):
    """A record that cannot be built on."""


def new(service, stable, description=None):
    """:returns: the record of a service that has one release, and has had no rollout.

    :param description: what the release is, for an undo.
    """
    return {"version": VERSION, "service": service, "generation": 0, "fence": 0, "stable": stable, "previous": None,
            "releases": {stable: description or {}}, "traffic": traffic.only(stable, 0), "serve": served_by(traffic.RELEASES),
            "rollouts": 0, "rollout": None, "last": None, "history": []}


def served_by(mode, chain=(), who="", why="", when=""):
    """:returns: the part of a record that says who answers, and who wanted that."""
    return {"mode": mode, "chain": list(chain), "who": who, "why": why, "when": when}


def stamp(now):
    """:returns: seconds since 1970 as RFC 3339, in UTC."""
    return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(now))


def note(record, now, who, what, why=""):
    """Add to the history of a record, in place; the oldest entries go when it grows too large."""
    history = record["history"]
    entry = {"when": stamp(now), "who": who, "what": what, "generation": record["generation"]}
    if why:
        entry["why"] = shortened(why)
    history.append(entry)
    del history[:-HISTORY_ENTRIES]
    size = 0
    for number in range(len(history) - 1, -1, -1):
        one = history[number]
        size += ENTRY_BYTES + LETTER_BYTES * sum(len(one.get(part, "")) for part in ("who", "what", "why"))
        if size > HISTORY_BYTES:
            del history[:number + 1]
            break


def shortened(why, most=WHY_BYTES):
    """:returns: a text of bounded length, which balancers keep as one line.

    :param most: bytes that it may take as JSON, where a letter beyond ASCII takes six.
    """
    kept = why[:WHY_LETTERS]
    while len(json.dumps(kept)) > most:
        kept = kept[:-10]
    return why if kept == why else kept + " ..."


def encode(record):
    """:returns: the data of a ConfigMap: the record as one document, and its history as one line an entry, for a person with kubectl."""
    state = {name: record[name] for name in _PARTS}
    lines = [json.dumps(entry, sort_keys=True) + "\n" for entry in record["history"]]
    return {RECORD: json.dumps(state, indent=1, sort_keys=True) + "\n", HISTORY: "".join(lines)}


def decode(data, where):
    """:returns: the record of a ConfigMap's data.

    :param where: the ConfigMap's name, for the error.
    :raises RecordError: where it is none that can be built on.
    """
    try:
        record = json.loads(data[RECORD])
        record["history"] = [json.loads(line) for line in data.get(HISTORY, "").splitlines()]
        record = _of_now(record)
        version, rollout = record.get("version"), record.get("rollout")
        good = isinstance(version, int) and (version > VERSION or set(record) == set(_PARTS) | {HISTORY})
        good = good and (version > VERSION or rollout is None or set(rollout) == set(_ROLLOUT) and rollout["phase"] in rollout["plan"])
        good = good and (version > VERSION or sum(record["traffic"]["weights"].values()) == 100 and record["traffic"]["serve"] in traffic.MODES)
    except (ValueError, KeyError, TypeError, AttributeError):
        good, version = False, None
    if not good:
        raise RecordError("%s holds no record of a rollout, so nobody knows what was under way. Nothing was changed. Put its key '%s' back from a "
                          "backup of etcd. Where there is none: see to it that all of the traffic is with one release, then delete the ConfigMap; "
                          "the next rollout begins a new one" % (where, RECORD))
    if version > VERSION:
        raise RecordError("%s is of version %d, and this collection knows %d: a newer one wrote it. Use that one" % (where, version, VERSION))
    return record


def _of_now(record):
    """:returns: a record of an earlier version as one of this."""
    if record.get("version") != 1 or "serve" in record:
        return record
    return dict(record, version=VERSION, serve=served_by(traffic.RELEASES), traffic=dict(record["traffic"], serve=traffic.RELEASES, chain=[]))
