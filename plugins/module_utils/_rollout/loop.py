# Copyright (c) 2026, ironrack.cluster contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The loop: look, ask the engine, carry out, look again, until somebody else is needed.

The balancers are told by whoever called, since that needs their hosts. What has to be known at the next call travels in the memory, a dictionary
that JSON can hold. Without it, as after a kill, the record and the world are enough.

This is a private module_utils package: it may change in any release.
"""
from __future__ import annotations

from .._common.errors import IronrackError
from .._common.refusal import Refused
from .._release import flags as flagging, machine
from .._release.driver import Driver
from .._release.lease import Held
from .._release.request import GO_ON
from .._release.store import settled
from . import emergency, events, opening, progress
from .doing import Doer
from .emergency import is_moved
from .world import is_silent, seen_by_engine

#: What the caller has to do: tell the balancers, ask pods, run a site's own tasks, call again (the time of this call is over), nothing any more.
BALANCERS, PODS, HOOKS, TIME, NOTHING = "balancers", "pods", "hooks", "time", "nothing"
#: Seconds between two looks where nothing is measured.
SHORT = 2


class Loop:
    """One call.

    :param wish: the parameters of rollout_advance.
    :param world: the :class:`.world.World`.
    :param store: the engine's store.
    :param journal: the :class:`.journal.Journal`.
    :param memory: of the call before; changed in place.
    :param lives: says whether whoever called is still there.
    """

    def __init__(self, wish, world, store, journal, memory, check_mode=False, lives=lambda: True):
        self._wish, self._world, self._store, self._journal = wish, world, store, journal
        self._check_mode, self._lives, self.memory = check_mode, lives, memory
        self._clock, self._sleep = world.clock, world.sleep
        self._interval = world.service["look_interval"]
        self._events, self.remarks, self._changed, self._line, self._intent, self._record = [], [], False, "", {}, None
        self._doer, self._silence = Doer(self), None

    # what the parts use ----------------------------------------------------------------------------------------------------------------

    wish = property(lambda self: self._wish)
    world = property(lambda self: self._world)
    interval = property(lambda self: self._interval)
    store = property(lambda self: self._store)
    record = property(lambda self: self._record)
    check_mode = property(lambda self: self._check_mode)

    def found(self, record, changed=False):
        """Take over what was read before the engine is asked."""
        self._record, self._changed = record, self._changed or changed

    def unheard(self, error):
        """No API heard what was asked for: it is said to the balancers now, and to the API later."""
        self.memory["unasked"], self._silence = str(error), error

    def give_back(self):
        """This run ends before the rollout: the lock is free for the next one."""
        if self.memory.get("fence") is not None:
            self._drive(self._world.look(), give_back=True)
            self.say()

    def answer(self, need, **more):
        """:returns: the result of this call."""
        record, number = self._record, self._number()
        if need != TIME:
            self.memory["turns"] = self.memory.get("turns", 0) + 1
        return dict({
            "changed": self._changed, "need": need, "progress": self._line, "intent": self._intent, "events": self._handed(), "state": self.memory,
            "where": machine.where(record) if record else "", "rollout": number, "journal": self._journal.path(number) if number else "",
            "result": "under way", "why": "", "remarks": self.remarks,
            "turns": self.memory.get("turns", 0)}, **more)

    def _handed(self):
        return [event for event in self._events if "on_" + event["event"] in self._wish["handled"]]

    def _number(self):
        record = self._record or {}
        return (record.get("rollout") or {}).get("number") or (record.get("last") or {}).get("rollout")

    def say(self, verdict="", why=""):
        """Put where the rollout stands in words, for whoever reads along."""
        self._line = progress.line(self._record, self._clock(), self._intent, verdict, why)

    def note(self, kind, **content):
        """Add to the journal."""
        problem = "" if self._check_mode or not self._number() else self._journal.write(self._number(), self._clock(), kind, **content)
        if problem and problem not in self.remarks:
            self.remarks.append(problem)

    # the loop -------------------------------------------------------------------------------------------------------------------------

    def run(self):
        """:returns: the result of this call."""
        end = self._clock() + self._wish["stint"]
        try:
            early = opening.opened(self)
            if early:
                return early
            # The looks of a gate are counted, so that a call more is none more.
            self._sleep(max(0.0, min(self.memory.pop("due", 0.0) - self._clock(), self._interval)))
            while True:
                found = self._look()
                if isinstance(found, dict):
                    return found
                if self._handed():
                    return self.answer(HOOKS)
                if not self._lives():
                    return self.answer(TIME)
                due = self._clock() + found
                if due > end and not self._world.probes.busy():
                    self.memory["due"] = due
                    return self.answer(TIME)
                self._sleep(found)
        finally:
            self._world.probes.stop()
            self._world.gates.forget_running(self.memory.get("gate") or {})

    def _look(self):
        """:returns: the result of this call, or seconds until the next look."""
        silence, self._silence = self._silence, None
        if silence:
            # It was silent a moment ago: to ask it twice more before the traffic moves would cost two time-outs.
            return self._blind(silence, self._world.look(releases=False))
        seen = self._world.look()
        try:
            try:
                early = opening.asked_late(self) if self.memory.get("unasked") else None
                if early:
                    return early
                self._drive(seen)
            except Held as error:
                return self._held(error, seen)
        except IronrackError as error:
            if not is_silent(error):
                raise
            return self._blind(error, seen)
        self.memory.pop("silent_since", None)
        return self._act(seen)

    def _act(self, seen):
        intent = self._intent
        if intent["kind"] == machine.FINISHED:
            return self._ended()
        if self._check_mode:
            self.say()
            return self.answer(NOTHING, result="predicted")
        if intent["kind"] == machine.PAUSE:
            return self._paused(seen)
        if intent.get("overdue") and self._clock() - intent["until"] > self._wish["patience"]:
            raise IronrackError("%s. It was begun %d s ago and is waited for no longer; the same command goes on. Last seen: %s" % (
                machine.where(self._record), self._clock() - intent["since"], intent["awaits"]))
        try:
            return self._doer.carry_out(intent, seen)
        except IronrackError as error:
            if not is_silent(error):
                raise
            return SHORT

    # the engine -----------------------------------------------------------------------------------------------------------------------

    def _drive(self, seen, give_back=False):
        """Ask the engine once. The lock is taken or renewed by that."""
        memory, outcome = self.memory, self.memory.get("outcome")
        request, reason = memory["request"], memory["reason"]
        if memory.get("promote"):
            request, reason = memory["promote"]
        driver = Driver(dict(
            memory["plan"], service=self._world.service["name"], releases=self._world.service["releases"], request=request, reason=reason,
            holder=memory["holder"], fence=memory.get("fence"), give_back=give_back, lock_wait=0, lease_duration=self._wish["lease_duration"],
            observation=seen_by_engine(seen, outcome)), self._store, self._check_mode, self._clock)
        try:
            result = driver.run()
        except Refused as error:
            if not memory.get("promote"):
                raise
            # What was promoted failed, or is over: the rollout goes on as if nobody had asked.
            self.remarks.append(str(error))
            self._forget_promote()
            self._drive(seen, give_back)
            return
        self._record, self._intent = driver.after, result["intent"]
        self._changed = self._changed or result["changed"]
        memory["fence"] = result["fence"]
        memory["outcome"] = outcome if _is_kept(outcome, driver.after) else None
        if memory.get("promote"):
            self._forget_promote()
        elif request != GO_ON:
            memory.update(request=GO_ON, reason="")
        if not self._check_mode:
            self._tell(events.between(driver.before, driver.after))
            self._follow_promote(result["flags"])

    def _follow_promote(self, flags):
        asked = flagging.promoted(self._record, flags)
        if asked:
            flag = flags[flagging.PROMOTE]
            self.memory["promote"] = [asked, "%s: %s" % (flag["who"], flag["why"] or "no reason was given")]
        elif asked == "":
            self._forget_promote()

    def _forget_promote(self):
        self.memory.pop("promote", None)

        def forget():
            stored = self._store.read()
            if flagging.PROMOTE in stored.flags:
                self._store.flag(flagging.PROMOTE, None, stored.version)

        settled(forget)

    def _tell(self, found):
        for event in found:
            told = dict(event, where=machine.where(self._record))
            self.note("event", **told)
            self.remarks += events.notify(self._world.service["hooks"].get("notify") or [], told)
            self._events.append(told)

    # where nothing is driven ------------------------------------------------------------------------------------------------------------

    def _held(self, error, seen):
        """Somebody else drives. What was asked for by a flag is his to do; all else waits for the lock."""
        memory, now = self.memory, self._clock()
        since = memory.setdefault("held_since", now)
        stored = self._store.read()
        self._record = stored.record
        if opening.is_obeyed(memory, stored, seen):
            self._line = "%s follows it; %s" % (error.details["holder"], progress.line(stored.record, now))
            return self.answer(NOTHING, result="followed")
        if memory.get("urgent") and not memory.get("moved") and now - since > 2 * self._interval + 10:
            told = self._doer.move_without_record(seen, "%s has the lock and did not follow" % error.details["holder"])
            if told:
                return told
        if now - since >= self._wish["lock_wait"]:
            if memory.get("moved"):
                self._line = "the balancers give all of the traffic to %s; the record follows when the next run has the lock" % memory["moved"]["stable"]
                return self.answer(NOTHING, result="moved")
            raise error
        self._line = "waits for the lock: %s" % error
        return SHORT

    def _blind(self, error, seen):
        """The API does not answer, so nothing can be recorded. An abort or undo moves the traffic all the same, and so does a gate that fails."""
        memory, now = self.memory, self._clock()
        since = memory.setdefault("silent_since", now)
        self._line = "no API answers since %s: %s" % (progress.spoken(now - since), error)
        if memory.get("urgent"):
            emergency.refuse_while_off(seen.statuses)
            told = self._doer.move_without_record(seen, str(error))
            if told:
                return told
            if memory.get("moved") and all(is_moved(one, memory["moved"]["stable"]) for one in seen.statuses.values() if one):
                self._line = "%s has all of the traffic on every balancer that answers; the record follows when the API is back: run this again then" % (
                    memory["moved"]["stable"])
                return self.answer(NOTHING, result="moved")
        elif self._doer.has_failed_blindly(now):
            told = self._doer.move_without_record(seen, "its gate failed while no API answered")
            if told:
                return told
        if now - since > self._wish["patience"]:
            raise error
        return SHORT

    def _paused(self, seen):
        self._drive(seen, give_back=True)
        if self._intent["kind"] != machine.PAUSE:
            return 0  # resumed just now
        if not self.memory.get("paused"):
            self.memory["paused"] = True
            self._tell([events.paused(self._record, self._intent["awaits"])])
        self.say()
        return self.answer(NOTHING, result="paused", why=self._intent["awaits"])

    def _ended(self):
        record = self._record
        last = record["last"] or {}
        self.say()
        if not self._check_mode:
            try:
                self._world.settle(record)
            except IronrackError as error:
                self.remarks.append("the autoscaler of %s keeps the least of the rollout: %s" % (record["stable"], error))
        return self.answer(NOTHING, result=last.get("result", "nothing"), why=last.get("why", ""))


def _is_kept(outcome, record):
    """:returns: whether a verdict is given again: that of a smoke test, which is over before its gate may end."""
    pending = (record["rollout"] or {}).get("pending")
    return bool(outcome and outcome.get("kept") and pending and pending["generation"] == outcome["generation"])
