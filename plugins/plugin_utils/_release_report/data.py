# Copyright (c) 2026, ironrack.cluster contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a rollout's report says, as plain data: the record's history, and what was seen on the way. Pure.

This is a private plugin_utils package: it may change in any release.
"""
from __future__ import annotations

import calendar
import re
import time

from ansible_collections.ironrack.cluster.plugins.module_utils._rollout import progress

BEGIN, END = re.compile(r"begin rollout (\d+): (\S+) to (\S+) by (\S+)"), re.compile(r"end rollout (\d+): (\S+)")
WEIGHT = re.compile(r"set weight of \S+ to (\d+) %: done")
#: Points of one line in the picture.
MOST = 600
#: What of the history is a decision, and not a step of its being carried out.
DECISIONS = ("begin", "end", "roll back", "promote", "gate", "serve")


def seconds(stamp):
    """:returns: seconds since 1970 of an RFC 3339 time in UTC."""
    return calendar.timegm(time.strptime(stamp, "%Y-%m-%dT%H:%M:%SZ"))


def number_of(known, wanted=0):
    """:returns: the rollout to report; None where there was none.

    :param known: the result of rollout_record_info.
    :param wanted: a number, or 0 for the one under way or else the last.
    """
    record = known.get("record") or {}
    return wanted or (record.get("rollout") or {}).get("number") or (record.get("last") or {}).get("rollout")


def entries_of(history, number):
    """:returns: the history's entries of one rollout. What is older than the history is not there."""
    found, inside = [], False
    for entry in history:
        begun, ended = BEGIN.match(entry["what"]), END.match(entry["what"])
        if begun:
            inside = int(begun.group(1)) == number
        if inside:
            found.append(entry)
        if ended:
            inside = False
    return found


def thinned(points, most=MOST):
    """:returns: at most so many of a line's points, its last one among them."""
    if len(points) <= most:
        return points
    step = -(-len(points) // most)
    return points[:-1:step] + points[-1:]


def collect(service, known, number, lines, now):
    """Bring record and journal together.

    :param known: the result of rollout_record_info.
    :param number: of the rollout; it was one.
    :param lines: of its journal, oldest first.
    :param now: seconds since 1970.
    :returns: the data that page, text and the JSON report are made of.
    """
    record, entries = known["record"], entries_of(known["history"], number)
    rollout, last = record["rollout"] or {}, record["last"] or {}
    under_way = rollout.get("number") == number
    plan = rollout.get("plan") or {}
    begun = BEGIN.match(entries[0]["what"]) if entries else None
    events = [line for line in lines if line["kind"] == "event"]
    first = events[0] if events else {}
    names = begun.groups()[1:] if begun else (first.get("stable", "?"), first.get("candidate", "?"), first.get("strategy", "?"))
    if under_way:
        names = (plan["stable"], plan["candidate"], plan["strategy"])
    looks = [line for line in lines if line["kind"] == "look"]
    times = [seconds(entry["when"]) for entry in entries] + [line["at"] for line in lines]
    result, why = _result(known, number, entries, under_way, last)
    data = {
        "service": service, "number": number, "stable": names[0], "candidate": names[1], "strategy": names[2], "result": result, "why": why,
        "reason": (entries[0].get("why") or "") if begun else first.get("why", ""), "who": entries[0]["who"] if begun else "",
        "began": min(times) if times else now, "ended": None if under_way else max(times) if times else now,
        "stable_now": record["stable"], "weights_now": record["traffic"]["weights"], "pause": (known.get("flags") or {}).get("pause"),
        "lock": known.get("lock"), "line": progress.line(record, now, None, *_so_far(looks, rollout)) if under_way else "",
        "left": progress.left(record, now) if under_way else None, "steps": _steps(looks), "asked": _asked(entries, looks, names[1]),
        "measured": thinned([[line["at"], line["measured"].get(names[1], 0.0)] for line in looks if line.get("measured")]),
        "decisions": [dict(at=seconds(entry["when"]), who=entry["who"], what=entry["what"], why=entry.get("why", "")) for entry in entries
                      if entry["what"].startswith(DECISIONS)],
        "timeline": [dict(at=seconds(entry["when"]), who=entry["who"], what=entry["what"], why=entry.get("why", "")) for entry in entries]}
    return dict(data, until=data["ended"] or now)


def _result(known, number, entries, under_way, last):
    """:returns: (promoted, rolled_back, under way, paused or unknown; why)."""
    if under_way:
        rollout = known["record"]["rollout"]
        if rollout["phase"] == "back":
            return "going back", rollout["why"]
        pause = (known.get("flags") or {}).get("pause") or {}
        return ("paused", pause.get("why", "")) if pause.get("rollout") == number else ("under way", "")
    if last.get("rollout") == number:
        found = last["result"], last["why"]
    else:
        ended = END.match(entries[-1]["what"]) if entries else None
        found = (ended.group(2), entries[-1].get("why", "")) if ended else None
    if found:
        # The reason of a rollout that was promoted is why it was begun, and stands there.
        return found[0], "" if found[0] == "promoted" else found[1]
    return "unknown", "its end is not in the history any more"


def _so_far(looks, rollout):
    """:returns: (verdict, why) of the gate that the rollout stands at; nothing where it stands at none."""
    if not looks or not looks[-1].get("gate") or not rollout.get("pending"):
        return "", ""
    return (looks[-1]["verdict"], looks[-1]["why"]) if looks[-1]["at"] >= rollout["pending"]["since"] else ("", "")


def _steps(looks):
    """:returns: each gate with its last look: what was measured against which limits."""
    found = []
    for line in looks:
        if not line.get("gate"):
            continue
        if not found or found[-1]["gate"] != line["gate"]:
            found.append({"gate": line["gate"], "began": line["at"], "looks": 0, "weight": line["weights"].get(line.get("candidate"), 0)})
        found[-1].update(ended=line["at"], looks=found[-1]["looks"] + 1, verdict=line["verdict"], why=line["why"], gates=line.get("gates") or [],
                         at_end=bool(line.get("end")))
    return found


def _asked(entries, looks, candidate):
    """:returns: [time, percent] whenever another weight was asked for."""
    points = [[seconds(entry["when"]), int(found.group(1))] for entry, found in ((entry, WEIGHT.match(entry["what"])) for entry in entries) if found]
    points += [[seconds(entry["when"]), 0] for entry in entries if entry["what"] == "roll back"]
    points += [[line["at"], line["weights"].get(candidate, 0)] for line in looks if "weights" in line]
    kept = []
    for at, weight in sorted(points):
        if not kept or kept[-1][1] != weight:
            kept.append([at, weight])
    return kept
