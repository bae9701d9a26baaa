# Copyright (c) 2026, ironrack.cluster contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A record and what is seen go in, the next record and the next intent come out. Pure.

Whoever drives a rollout writes the record first and carries the intent out then. An intent is over when it is seen to be carried out, so after
a kill at any point the record and the world are all that is needed: the same intent is given once more (every effect can be repeated), or
the next one. Each intent has a generation. It only rises, whoever acts on an old one is refused by balancers that have seen a newer, and a
new tenure of the lock gives an intent that is under way a new one.

A rollout goes forward, or turns back once: by an abort, a gate that failed, an effect that was not seen in time, a candidate without a ready pod,
or balancers that somebody moved without the record. Its way back gives the traffic back first. It ends when the old release goes.

While the service is switched off, or a pool beside its releases answers, a rollout holds where it is, because no gate can tell anything then.
An undo and a way back go on: what they lead to is served when somebody switches the service on again.

This is a private module_utils package: it may change in any release.
"""
from __future__ import annotations

import copy
from collections import namedtuple

from .._common.errors import IronrackError
from .._common.refusal import Refused, problem
from . import confirm, record as records, serving, traffic as split
from .observation import FAIL
from .plan import BACK, DELETE, EFFECTS, FORWARD, GATE, KEEP, PROMOTE, REMOVE_UPSTREAM, ROLL_BACK, SCALE_DOWN, SET_WEIGHT, TRAFFIC, WAIT_READY, current, spell
from .settings import UNDO

#: Intents that are no operation: wait for a person, look again, nothing is left.
PAUSE, OBSERVE, FINISHED = "pause", "observe", "done"
PROMOTED, ROLLED_BACK = "promoted", "rolled_back"
ABORT = "abort"

#: record: to be written before anything is done; intent: to be carried out then.
Step = namedtuple("Step", ("record", "intent"))


class StaleOwner(IronrackError):
    """Somebody else has had the lock since."""


def begin(record, plan, descriptions, seen, now, who, why):
    """:returns: the record of a rollout that begins.

    :param descriptions: release -> what it is; those of the plan are kept for an undo.
    :param seen: the :class:`.observation.Observation` of before.
    :param now: seconds since 1970.
    :param why: the reason that a person gave, an override of the error budget with it.
    :raises Refused: with all that stands against it.
    """
    record = copy.deepcopy(record)
    serving.taken_over(record, seen, now)
    found = []
    if record["rollout"]:
        found.append(problem("rollout", "rollout %d of %s to %s is under way" % (
            record["rollout"]["number"], record["service"], record["rollout"]["plan"]["candidate"]), "none", "Let it end, or abort it."))
    for name, one in sorted(seen.balancers.items()):
        if split.differs(one, record["traffic"]):
            found.append(problem("balancer " + name, "it serves %s" % split.shown(one["weights"]),
                                 "what is on record: %s" % split.shown(split.effective(record["traffic"])),
                                 "Bring the balancers to the record first: the traffic was moved without it."))
    if record["traffic"]["serve"] != split.RELEASES and plan["strategy"] != UNDO:
        found.append(problem("serve", serving.told(record), "the releases: a gate sees nothing of one that gets no request",
                             "Enable the service first; where its release is what is wrong, undo."))
    if found:
        raise Refused(found)
    newest = seen.newest()
    if newest > record["traffic"]["generation"]:
        # The balancers were set up before the first rollout, or the record is an older one than theirs: what they serve was compared above.
        record["traffic"]["generation"] = newest
        record["generation"] = max(newest, record["generation"])
    record["rollouts"] += 1
    record["rollout"] = {"number": record["rollouts"], "plan": plan, "phase": FORWARD, "position": 0, "pending": None, "promoted": False,
                         "released": False, "turned": None, "by_hand": False, "why": why}
    wanted = {record["stable"], record["previous"], plan["candidate"]}
    known = dict(record["releases"], **{name: one for name, one in descriptions.items() if name in wanted})
    record["releases"] = {name: one for name, one in known.items() if name in wanted}
    records.note(record, now, who, "begin rollout %d: %s to %s by %s" % (record["rollouts"], plan["stable"], plan["candidate"], plan["strategy"]), why)
    return record


def promote(record, full, seen, now, who, why):
    """:returns: the record of a rollout whose gate or keeping a person ends now; where full, all that are left are ended.

    The candidate is deployed in its full size and gets ready all the same, and a gate that failed is not overridden.

    :param seen: the :class:`.observation.Observation`.
    :param why: the reason that the person gave.
    :raises Refused: where there is nothing to promote.
    """
    record = copy.deepcopy(record)
    rollout = record["rollout"]
    here = current(rollout) if rollout and rollout["phase"] == FORWARD else None
    if here is None or not full and (here["kind"] not in (GATE, KEEP) or not rollout["pending"]):
        raise Refused([problem("promote", where(record), "a rollout that goes forward%s" % (
            "" if full else " and stands at a gate, or keeps the old release warm"), "Look at its status first.")])
    if rollout["pending"] and seen.verdict(rollout["pending"]["generation"])[0] == FAIL:
        raise Refused([problem("promote", "%s failed" % confirm.named(here), "nothing that failed", "Go on, which turns the rollout back.")])
    at = rollout["position"]
    rest = rollout["plan"][FORWARD][at:]
    # Out of the plan, and not only passed over: a run that is killed now must not come back to them.
    kept = [op for op in rest if not _is_skipped(op)] if full else rest[1:]
    if kept[0] is not here:
        rollout["pending"] = None
    rollout["plan"][FORWARD][at:] = kept
    records.note(record, now, who, "promote in full" if full else "promote: %s is ended" % confirm.named(here), why)
    return record


def _is_skipped(op):
    return op["kind"] in (GATE, KEEP) or op["kind"] == SET_WEIGHT and op["weight"] < 100


def where(record):
    """:returns: one sentence on where a service's rollouts stand."""
    rollout = record["rollout"]
    if not rollout:
        return "no rollout of %s is under way, %s has all of the traffic%s" % (record["service"], record["stable"], serving.aside(record))
    op = current(rollout)
    return "rollout %d of %s to %s goes %s and is at: %s%s%s" % (
        rollout["number"], record["service"], rollout["plan"]["candidate"], rollout["phase"], confirm.named(op) if op else "its end",
        "" if rollout["pending"] else ", not begun", serving.aside(record))


def advance(record, flags, seen, now, who, fence):
    """Go on with the rollout that is under way.

    :param record: as it was read; it is not changed.
    :param flags: pause and abort, each with the rollout that it is for, who and why. They are set without the lock.
    :param seen: the :class:`.observation.Observation`.
    :param now: seconds since 1970.
    :param who: the holder of the lock.
    :param fence: its tenure.
    :returns: :class:`Step`. Its intent has a kind, and what :meth:`_Engine.intent` says.
    :raises StaleOwner: where a later tenure has written the record.
    :raises IronrackError: where the balancers were moved without the record and nothing is left to turn back to.
    """
    if fence < record["fence"]:
        raise StaleOwner("the rollout of %s is in other hands: the record was written under tenure %d of the lock, and this run has tenure %d. "
                         "Nothing was changed; see rollout_record_info for who holds it" % (record["service"], record["fence"], fence))
    engine = _Engine(copy.deepcopy(record), flags, seen, now, who)
    if record["rollout"] is None:
        return Step(engine.record, dict(record["last"] or {}, kind=FINISHED, service=record["service"]))
    # First: a tenure that begins may take the very generation that somebody gave the balancers without the record.
    engine.follow_who_serves()
    engine.take_over(fence)
    engine.turn_back_where_needed()
    return Step(engine.record, engine.next())


class _Engine:
    """One step of a rollout. It changes the record that it was given."""

    def __init__(self, record, flags, seen, now, who):
        self.record, self._seen, self._now, self._who = record, seen, int(now), who
        self._rollout = record["rollout"]
        mine = {name: flag for name, flag in flags.items() if self._rollout and flag.get("rollout") == self._rollout["number"]}
        self._abort, self._paused, self._foreign = mine.get(ABORT), PAUSE in mine, False

    def _note(self, what, why=""):
        records.note(self.record, self._now, self._who, what, why)

    def _can_turn_back(self):
        return self._rollout["phase"] == FORWARD and not self._rollout["released"]

    def take_over(self, fence):
        """An intent that another tenure began gets a generation of this one, so that whoever comes back late with the old one is refused."""
        if fence == self.record["fence"]:
            return
        self.record["fence"] = fence
        self._note("the lock is taken, tenure %d" % fence, where(self.record))
        op, pending = current(self._rollout), self._rollout["pending"]
        if pending and op["kind"] in EFFECTS + (WAIT_READY,):
            # Nobody drove it meanwhile, and the candidate is not to blame for that: its time begins anew.
            self.record["generation"] += 1
            pending.update(spell(op, self._now), generation=self.record["generation"])
            if op["kind"] in TRAFFIC:
                self.record["traffic"]["generation"] = self.record["generation"]
        elif pending:
            # A gate that ended meanwhile gets a look before it is inconclusive.
            pending["until"] = max(pending["until"], self._now)

    def follow_who_serves(self):
        """The service may have been switched off, or on again, while no API could record it. That is no reason to turn back; another split is."""
        self._foreign = serving.taken_over(self.record, self._seen, self._now)

    def _held(self):
        """:returns: whether the rollout waits until the releases are served again."""
        return (self.record["traffic"]["serve"] != split.RELEASES and self._rollout["phase"] == FORWARD
                and self._rollout["plan"]["strategy"] != UNDO)

    def _hold(self, op):
        first = serving.told(self.record) + ": enable it, then " if self._held() else "resume, then "
        return self._repair() or self.intent({"kind": PAUSE, "release": self._rollout["plan"]["candidate"]},
                                             {"generation": self.record["generation"]}, awaits=first + confirm.named(op))

    def turn_back_where_needed(self):
        """What stands against going on, whatever the operation is."""
        plan, traffic, newest = self._rollout["plan"], self.record["traffic"], self._seen.newest()
        foreign = self._foreign
        if foreign:
            if not self._can_turn_back() and self._rollout["phase"] == FORWARD:
                raise IronrackError(
                    "the balancers of %s serve generation %d, and the record's newest is %d: somebody moved the traffic while the old release %s is going. "
                    "Nothing was changed. Bring the balancers to the record's traffic, %s, before this goes on" % (
                        self.record["service"], newest, self.record["generation"], plan["stable"], split.shown(traffic["weights"])))
            self.record["generation"] = max(newest, self.record["generation"])
            if self._rollout["phase"] == BACK:
                # Whatever was done of the way back, the balancers no longer serve it.
                self._rollout.update(position=0, pending=None)
        if not self._can_turn_back():
            return
        if self._abort:
            self._turn_back("aborted by %s: %s" % (self._abort.get("who"), self._abort.get("why") or "no reason was given"), by_hand=True)
        elif foreign:
            self._turn_back("the balancers serve generation %d, which is not of this record: somebody moved the traffic without it" % newest, by_hand=True)
        elif split.effective(traffic).get(plan["candidate"]) and self._seen.ready(plan["candidate"]) == 0:
            self._turn_back("no pod of %s is ready, and it has %d %% of the traffic" % (plan["candidate"], traffic["weights"][plan["candidate"]]))

    def _turn_back(self, why, by_hand=False):
        self._rollout.update(phase=BACK, position=0, pending=None, promoted=False, turned=self._now, by_hand=by_hand, why=why)
        self.record["stable"] = self._rollout["plan"]["stable"]
        self._note("roll back", why)

    def next(self):
        """:returns: the next intent, which is on record then."""
        while True:
            op = current(self._rollout)
            if op is None:
                return self._repair() or self._finish()
            pending = self._rollout["pending"]
            intent = self._go_on(op, pending) if pending else self._begin(op)
            if intent:
                return intent

    def _go_on(self, op, pending):
        """:returns: the intent that is on record, once more; None where it is over."""
        held = self._held()
        found = confirm.judge(op, pending, self.record["traffic"], self._seen, self._now, self._paused or held)
        if found.state == confirm.DONE:
            self._complete(op, found.why)
            return None
        if found.state == confirm.FAILED and self._can_turn_back():
            self._turn_back(found.why)
            return None
        if found.state == confirm.EXTENDED:
            pending.update(until=self._now + op["timeout"], extended=pending["extended"] + 1)
            self._note("%s is extended, %d of %d" % (confirm.named(op), pending["extended"], pending["extensions"]), found.why)
        if held and op["kind"] in (GATE, KEEP):
            return self._hold(op)
        repair = None if op["kind"] in TRAFFIC else self._repair()
        return repair or self._blind(op) or self.intent(op, pending, awaits=found.why, overdue=found.state == confirm.FAILED)

    def _repair(self):
        """:returns: the intent that brings a balancer that came back to what is on record, under the generation of then; None where all have it."""
        traffic, plan = self.record["traffic"], self._rollout["plan"]
        late = split.behind(traffic, self._seen)
        if not late:
            return None
        return self.intent({"kind": SET_WEIGHT, "release": plan["candidate"], "weight": traffic["weights"].get(plan["candidate"], 0)},
                           {"generation": traffic["generation"]}, awaits="balancers that came back", repairs=late)

    def _told(self):
        """:returns: the traffic on record, with the candidate's weight by itself."""
        traffic = self.record["traffic"]
        return dict(traffic, weight=traffic["weights"].get(traffic["candidate"], 0))

    def _begin(self, op):
        """:returns: the intent of an operation that begins now; None where there is nothing to do, or something else comes first."""
        plan = self._rollout["plan"]
        if self._held() or self._paused and self._rollout["phase"] == FORWARD and op["kind"] != GATE:
            return self._hold(op)
        if op["kind"] == SET_WEIGHT and not (self._seen.ready(op["release"]) or 0) >= op["replicas"]:
            ops = plan[FORWARD][:self._rollout["position"]]
            self._rollout["position"] = max(number for number, earlier in enumerate(ops) if earlier["kind"] == WAIT_READY)
            return None
        if op["kind"] == ROLL_BACK and self._waits_for_stable():
            since = self._rollout["turned"]
            return self.intent({"kind": WAIT_READY, "release": plan["stable"], "replicas": 1},
                               {"generation": self.record["generation"], "since": since, "until": since + plan["effect_timeout"]},
                               awaits="%s has no ready pod to go back to" % plan["stable"])
        wanted = split.after(op, plan, self.record["traffic"])
        if confirm.satisfied(op, wanted, self.record["traffic"], self._seen):
            self._complete(op, "", quiet=True)
            return None
        if op["kind"] in (SCALE_DOWN, DELETE):
            # Nobody may still be sent there, by a balancer that came back just now either.
            first = self._repair() or self._blind(op)
            if first:
                return first
            self._guard(op)
        self.record["generation"] += 1
        self._rollout["pending"] = dict(spell(op, self._now), generation=self.record["generation"])
        if op["kind"] == GATE:
            self._rollout["pending"].update(extended=0, extensions=plan["extensions"])
        if op["kind"] in TRAFFIC:
            self.record["traffic"] = dict(wanted, generation=self.record["generation"])
        if op["kind"] == REMOVE_UPSTREAM and self._rollout["phase"] == FORWARD:
            self._rollout["released"] = True
        self._note(confirm.named(op))
        return self.intent(op, self._rollout["pending"])

    def _blind(self, op):
        """:returns: the intent to look again, where something is to be taken away and the API does not say what there is; else None."""
        if op["kind"] not in (SCALE_DOWN, DELETE) or self._seen.there(op["release"]) is not None:
            return None
        return self.intent({"kind": OBSERVE, "release": op["release"]}, {"generation": self.record["generation"]}, awaits="an answer of the API")

    def _waits_for_stable(self):
        """A stable release without a pod serves nobody: unless a person decided, it is given some time before it gets the traffic back."""
        plan = self._rollout["plan"]
        return (not self._rollout["by_hand"] and self._now < self._rollout["turned"] + plan["effect_timeout"]
                and self._seen.ready(plan["stable"]) == 0 and bool(self._seen.ready(plan["candidate"])))

    def _guard(self, op):
        """What no plan may ask for, whatever it was made from."""
        if self.record["traffic"]["weights"].get(op["release"]):
            raise IronrackError("release %s has %d %% of the traffic of %s and is not taken away" % (
                op["release"], self.record["traffic"]["weights"][op["release"]], self.record["service"]))

    def _complete(self, op, why, quiet=False):
        self._rollout["pending"] = None
        self._rollout["position"] += 1
        if op["kind"] == PROMOTE:
            self._rollout["promoted"] = True
            self.record["stable"] = self._rollout["plan"]["candidate"]
        if op["kind"] == GATE:
            self._note("%s passed" % confirm.named(op), why)
        elif not quiet:
            self._note("%s: done" % confirm.named(op), why)

    def _finish(self):
        rollout, plan = self._rollout, self._rollout["plan"]
        result = PROMOTED if rollout["phase"] == FORWARD else ROLLED_BACK
        if result == PROMOTED:
            self.record["previous"] = plan["stable"]
        self.record["last"] = {"rollout": rollout["number"], "strategy": plan["strategy"], "result": result, "stable": self.record["stable"],
                               "candidate": plan["candidate"], "why": rollout["why"]}
        self.record["rollout"] = None
        self._note("end rollout %d: %s" % (rollout["number"], result), rollout["why"])
        return dict(self.record["last"], kind=FINISHED, service=self.record["service"])

    def intent(self, op, pending, **more):
        """:returns: what is to be done.

        kind, release and whatever else the operation has; rollout, service, stable, candidate, phase; generation, since, until; replicas of the stable as
        stable_replicas, below which nobody may scale it; awaits (what was seen to be missing); why it turned back; overdue where a way back takes longer
        than planned and nothing is left but to go on; paused; traffic, for the balancers; precondition, for what is taken away; repairs, the
        balancers that came back with an older generation.
        """
        plan = self._rollout["plan"]
        found = dict(op, rollout=self._rollout["number"], service=plan["service"], stable=plan["stable"], candidate=plan["candidate"],
                     phase=self._rollout["phase"], stable_replicas=plan["replicas"], paused=self._paused, why=self._rollout["why"], awaits="",
                     overdue=False, **pending)
        if op["kind"] in TRAFFIC:
            found["traffic"] = self._told()
        if op["kind"] in (SCALE_DOWN, DELETE):
            found["precondition"] = self._seen.precondition(op["release"])
        return dict(found, **more)
