# Copyright (c) 2026, ironrack.cluster contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Who answers for a service: its releases, a pool of servers beside them, or nobody. Pure.

A change takes a new generation and goes into the record beside the rollout, which keeps its split. It needs no lock, as a flag needs none: a stop
that has to wait for whoever drives a rollout is none. The record is written as the successor of the one that was read, so that the driver, whose
next write meets a newer version, decides anew; and what it has in hand is refused by balancers that have seen the newer generation.

Without an answer of the API the balancers alone are changed, under a generation far above all that they have. The next look that has both finds
them ahead of the record, and takes who answers over into it.

This is a private module_utils package: it may change in any release.
"""
from __future__ import annotations

import copy
from collections import namedtuple

from .._common.refusal import Refused, problem
from . import record as records
from .plan import BACK, FORWARD, GATE, KEEP, ROLL_BACK, TRAFFIC, current, spell
from .traffic import NOBODY, POOL, RELEASES, after, differs, effective, mode_of, shown

#: Without the record a generation is this much above the balancers': more than a rollout takes between two changes of the traffic.
STRIDE = 1000
#: Of a name, as JSON.
WHO_BYTES = 400
#: Who is said to have done what nobody left a name for.
UNKNOWN = "somebody without the record"
_WORDS = {RELEASES: "its releases answer", POOL: "the fallback pool answers", NOBODY: "nobody answers"}

#: mode: one of MODES of :mod:`.traffic`; chain: names of the pool in the order to try, empty where the order is left alone; pool: the names that the
#: service's description has, in its order; who asks, and why.
Wish = namedtuple("Wish", ("mode", "chain", "pool", "who", "why"))


def chain_of(wish, mode, chain):
    """:returns: the names of the pool in the order in which a wish has them tried.

    :param mode: who answers now.
    :param chain: in which order, where it is the pool.
    """
    if wish.mode != POOL:
        return []
    # Names that the description has lost are left out, and those that it got come last.
    wanted = wish.chain or (chain if mode == POOL else [])
    return [name for name in wanted if name in wish.pool] + [name for name in wish.pool if name not in wanted]


def told(record):
    """:returns: one sentence on who answers."""
    serve = record["serve"]
    chain = " (%s)" % ", then ".join(serve["chain"]) if serve["chain"] else ""
    by = ", by %s since %s: %s" % (serve["who"], serve["when"], serve["why"] or "no reason was given") if serve["who"] else ""
    return _WORDS[serve["mode"]] + chain + by


def aside(record):
    """:returns: what a status adds where it is not the releases that answer; else nothing."""
    return "" if record["traffic"]["serve"] == RELEASES else "; " + told(record)


def taken_over(record, seen, now, note=None):
    """Where the balancers are ahead of a record, take over who answers, in place.

    :param seen: the :class:`.observation.Observation`.
    :param note: what was left on the balancers with the newest generation: chain, who, why, when, and the split of before.
    :returns: whether they are ahead by more than that: somebody has moved the split between the releases, or it is not known what they serve.
    """
    newest, traffic = seen.newest(), record["traffic"]
    if newest <= traffic["generation"]:
        return False
    ahead = [one for one in seen.balancers.values() if one.get("generation") == newest]
    modes = {mode_of(one.get("weights")) for one in ahead}
    mode = modes.pop()
    if modes or mode is None or mode == traffic["serve"] == RELEASES:
        return True
    found = {"chain": traffic["chain"] if mode == traffic["serve"] else [], "who": UNKNOWN,
             "why": "the balancers were found with generation %d, and the record had %d" % (newest, traffic["generation"])}
    _change(record, mode, dict(found, **(note or {})), newest, now)
    return any(differs(one, traffic) for one in ahead)


def followed(record, wish, seen, now, note=None):
    """:returns: the record after a wish; an equal one where it is fulfilled already.

    :param record: it is not changed.
    :param note: see :func:`taken_over`.
    :raises Refused: where the releases are to answer, and they do by another split than the one on record.
    """
    record = copy.deepcopy(record)
    newest, moved_before = seen.newest(), _moved_before(record["traffic"], seen.newest(), note)
    moved, traffic = taken_over(record, seen, now, note), record["traffic"]
    chain = chain_of(wish, traffic["serve"], traffic["chain"])
    split_moved = moved and any(one.get("weights") is None or differs(one, traffic) for one in seen.balancers.values() if one.get("generation") == newest)
    wished = (traffic["serve"], traffic["chain"]) == (wish.mode, chain)
    if moved_before or split_moved and not wished:
        # Else the releases would get the split of the record again with the next change of who answers, which somebody took from them.
        _turn_back(record, newest, now)
    if not wished or moved and not split_moved:
        _change(record, wish.mode, {"chain": chain, "who": wish.who, "why": wish.why}, newest, now)
    elif split_moved:
        ahead = max(seen.balancers.items(), key=lambda pair: pair[1].get("generation") or 0)
        raise Refused([problem(
            "balancer " + ahead[0], "it serves %s under generation %d, which the record never gave" % (
                shown(ahead[1].get("weights") or {}), ahead[1]["generation"]),
            "what is on record: %s" % shown(effective(traffic)), "Somebody moved the traffic without it: let the rollout go on, or undo.")])
    return record


def _moved_before(traffic, newest, note):
    """:returns: whether the split was another one already when somebody without the record had others answer, as he left it on the balancers."""
    split = (note or {}).get("split")
    # A split of the record itself may be older than the newest on record: that comes before its effect.
    return bool(split) and newest > traffic["generation"] < split["generation"] and split["weights"] != _parts(traffic["weights"])


def _parts(weights):
    return {name: weight for name, weight in weights.items() if weight}


def _turn_back(record, newest, now):
    """Turn a rollout back whose traffic somebody moved without the record, as whoever drives it does where he sees that."""
    rollout, traffic = record["rollout"], record["traffic"]
    if not rollout or rollout["phase"] != FORWARD or rollout["released"]:
        return
    why = "the balancers had generation %d: somebody moved the traffic without the record" % newest
    rollout.update(phase=BACK, position=0, pending=None, promoted=False, turned=int(now), by_hand=True, why=why)
    record["stable"] = rollout["plan"]["stable"]
    traffic.update(after({"kind": ROLL_BACK}, rollout["plan"], traffic))
    records.note(record, now, UNKNOWN, "roll back", why)


def _change(record, mode, note, newest, now):
    before, generation = record["traffic"]["serve"], max(record["generation"], newest) + 1
    chain, who, why = note["chain"] if mode == POOL else [], note["who"], note["why"]
    record["generation"] = generation
    record["traffic"].update(generation=generation, serve=mode, chain=list(chain))
    record["serve"] = records.served_by(mode, chain, records.shortened(who, WHO_BYTES), records.shortened(why), note.get("when") or records.stamp(now))
    _renew(record, now, before != RELEASES and mode == RELEASES)
    records.note(record, now, who, "serve: %s%s" % (_WORDS[mode], " (%s)" % ", then ".join(chain) if chain else ""), why)


def _renew(record, now, resumed):
    """What the balancers are told now has the newest generation; what was measured while the releases had no request proves nothing."""
    rollout = record["rollout"]
    if not rollout or not rollout["pending"]:
        return
    op = current(rollout)
    if op["kind"] in TRAFFIC or resumed and op["kind"] in (GATE, KEEP):
        rollout["pending"].update(spell(op, now), generation=record["generation"])


# The balancers by themselves

def newest_of(statuses):
    """:returns: the newest of what balancers say that names a stable release; None where there is none."""
    known = [one for one in statuses if one and one.get("stable")]
    return max(known, key=lambda one: one["generation"]) if known else None


def split_of(status):
    """:returns: a balancer's own split as traffic, whoever answers now."""
    candidate, weight = status.get("candidate") or None, status.get("weight") or 0
    weights = dict({name: 0 for name in status["releases"]}, **{status["stable"]: 100 - weight})
    if candidate:
        weights[candidate] = weight
    return {"generation": status["generation"], "stable": status["stable"], "candidate": candidate, "weights": weights, "serve": RELEASES, "chain": []}


def first(service, stable, statuses):
    """:returns: the record of a service that had none: its traffic is the one that the balancers have."""
    status = newest_of(statuses)
    record = records.new(service, status["stable"] if status else stable)
    if status:
        record.update(traffic=split_of(status), generation=status["generation"])
        if status["serve"] != RELEASES:
            # Older than what they have, so that it is taken over with who did it.
            record["traffic"]["generation"] = 0
    return record


def without_record(statuses, wish, now):
    """What the balancers are told where no API answers.

    :param statuses: what balancers run or have on disk: generation, serve, stable, candidate, weight, releases and note.
    :returns: (traffic, note): the traffic as the engine hands it out, and what is left on the balancers for the record.
    :raises Refused: where none says what it serves.
    """
    status = newest_of(statuses)
    if status is None:
        raise Refused([problem("balancers", "no API answers, and no balancer says what it serves", "one that knows the service",
                               "Look at nginx_upstream_info of the balancers.")])
    note, newest = status.get("note") or {}, max(one["generation"] for one in statuses if one)
    present = list(note.get("chain") or [])
    chain = chain_of(wish, status["serve"], present)
    traffic = dict(split_of(status), serve=wish.mode, chain=chain)
    if (status["serve"], status["generation"]) == (wish.mode, newest) and (wish.mode != POOL or present == chain):
        return traffic, note
    # With the split: whoever has the record again learns from it what the releases had when others began to answer.
    split = note.get("split") if status["serve"] != RELEASES else None
    note = dict(records.served_by(wish.mode, chain, records.shortened(wish.who, WHO_BYTES), records.shortened(wish.why), records.stamp(now)),
                split=split or {"generation": status["generation"], "weights": _parts(traffic["weights"])})
    return dict(traffic, generation=newest + STRIDE), note
