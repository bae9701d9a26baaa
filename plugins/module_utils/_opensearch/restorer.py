# Copyright (c) 2026, ironrack.cluster contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Carries out a restore: looks, asks restoring for the next step, writes down what it is about to do, and does it.

This is a private module_utils package: it may change in any release.
"""
from __future__ import annotations

import json
import time

from .._common.errors import IronrackError
from .._common.refusal import problem, refuse
from .._common.waiting import wait_for
from . import alias_moves, autocreate, disk, foreseeing, manifest, moments, recalling, recovering, restore_checks, restoring
from .hashing import canonical, sha256
from .records import RESTORE, Lease

LEASE = "restore of a snapshot"
#: Seconds between two looks.
INTERVAL = 1
#: Phases in which there may be nothing to do.
_OVER = (restoring.SWAPPED, restoring.DONE, restoring.FAILED)
#: Steps that only look.
_LOOKS = (restoring.WAIT, restoring.WAIT_COPIES, restoring.COMPARE)


class Turned(IronrackError):
    """Something was found that the restore turns back for."""


class Restorer:
    """One restore.

    :param api: a BackupApi. :param records: the Records. :param wish: a :class:`~.restore_checks.Wish`.
    :param options: late, copies, confirmed and abort as of :class:`~.restoring.Plan`; aliases: index -> names, where they are not those of the old
        index or the manifest; checksum: whether all documents are read; timeout: seconds for each wait.
    :param holder: of :func:`.holding.holder`.
    """

    def __init__(self, api, records, wish, options, holder, clock=time.monotonic, sleep=time.sleep):
        self._api, self._records, self._wish, self._options = api, records, wish, options
        self._clock, self._sleep = clock, sleep
        self._holder, self._lease = holder, Lease(api, records, LEASE, holder, clock)
        self._snapshot, self._sheets, self._record, self._plan = None, None, None, None
        self.done, self._recalled = [], False

    def look(self):
        """Look at all there is.

        :returns: what is seen now.
        :raises Refused: with all that speaks against the restore; nothing was changed.
        """
        there = self._there()
        if self._record is None or self._record["phase"] == restoring.FORWARD and not self._options["abort"]:
            self._refuse(there)
        seen = self._planned(there, self._wish.indices)
        if self._options["abort"]:
            return self._aborted(seen)
        if self._over(seen):
            self._record = None
            self._refuse(there._replace(own=()))
        if self._record is None:
            refuse(self._aliased(seen, there))
            self._record = restoring.begun(self._plan, seen, (there.settings.get("persistent") or {}).get(autocreate.SETTING))
        else:
            self._plan = restoring.planned(self._record, self._plan)
        return seen

    def _refuse(self, there):
        """:raises Refused: with all that speaks against the restore."""
        problems = restore_checks.problems_of(self._wish, there)
        if problems and self._record is None and self._snapshot:
            # Of those of its indices that the snapshot has, so that a person does not meet the rest of the reasons in a second run.
            problems += self._aliased(self._planned(there, set(self._wish.indices) & set(self._snapshot.indices)), there)
        refuse(problems)

    def _planned(self, there, indices):
        """Plan the restore of some indices, without the aliases that they get. :returns: what is seen of them."""
        items = [restoring.Item(index, restore_checks.target_name(index, self._snapshot), {}) for index in sorted(indices)]
        self._plan = restoring.Plan(items, self._options["late"], self._options["copies"], self._options["confirmed"], self._options["abort"],
                                    self._snapshot.started)
        return self._seen(there.names, there.aliases, there.settings)

    def _aliased(self, seen, there):
        """Plan which aliases the indices get. :returns: what speaks against them."""
        self._plan = self._plan._replace(items=[self._with_aliases(item, seen, there) for item in self._plan.items])
        return restore_checks.alias_problems(restoring.moves(self._plan, seen), there.aliases)

    def _aborted(self, seen):
        phase = self._record["phase"] if self._record else restoring.FAILED
        if phase in (restoring.SWAPPED, restoring.DONE):
            refuse([problem("abort", "the aliases have moved", "a restore that is under way",
                            "Move them back with opensearch_alias; the old indices are there until they are signed off.")])
        if self._record is None:
            self._record = dict(restoring.begun(self._plan, seen, None), phase=restoring.FAILED, why="it was never begun")
        self._plan = restoring.planned(self._record, self._plan)
        return seen

    def _over(self, seen):
        """:returns: whether what is written down is about an earlier restore: one that turned back, or one whose indices are gone."""
        phase = self._record and self._record["phase"]
        return phase == restoring.FAILED or (phase == restoring.DONE and None in seen.targets.values())

    def _there(self):
        wish = self._wish
        self._snapshot = None
        registered = self._api.repository(wish.repository) is not None
        if registered:
            self._snapshot = self._api.snapshot(wish.repository, wish.snapshot)
        names = self._api.names()[0]
        damage, self._sheets = "", restore_checks.Sheets(None, None, None)
        if self._snapshot:
            try:
                sheets = self._records.manifest(wish.repository, self._snapshot)
                self._sheets = restore_checks.Sheets(*sheets, self._records.passed(wish.repository, self._snapshot))
            except manifest.ManifestError as error:
                damage = str(error)
            found = self._records.get(self._identity())
            self._record = json.loads(found["_source"]["body"]) if found else None
        own = [entry["target"] for entry in self._record["items"].values()] if self._record else []
        return restore_checks.There(
            registered, self._snapshot, self._sheets, damage, self._api.running(), [node["version"] for node in self._api.nodes().values()], names,
            self._api.aliases(), self._api.disks(), self._api.cluster_settings(), own, self._recallable(damage))

    def _recallable(self, damage):
        return not damage and not self._recalled and self._snapshot is not None and self._sheets.opening is None and recalling.can_be(self._snapshot)

    def lacks_manifest(self):
        """:returns: whether it has yet to come from the snapshot itself. Of a restore that was begun it was there."""
        return self._recallable("") and self._record["phase"] == restoring.FORWARD

    def recall(self, token):
        """Have the manifest of the snapshot, where the cluster does not have it: after its loss it is in the snapshot alone.

        :param token: eight random digits of base 16.
        """
        if self.lacks_manifest():
            recalling.recall(self._api, self._records, self._wish.repository, self._snapshot, token, self._holder, self._options["timeout"],
                             self._clock, self._sleep)
            self._recalled = True
            self.done.append("recall: the manifests came back from snapshot %s" % self._snapshot.name)

    def _identity(self):
        return "%s-%s" % (RESTORE, sha256(canonical([self._wish.repository, self._snapshot.uuid, sorted(self._wish.indices)]))[:40])

    def _with_aliases(self, item, seen, there):
        old, sheet = seen.olds[item.index], self._sheets.opening
        listed = ((sheet or {}).get("indices") or {}).get(item.index, {}).get("aliases") or {}
        has = {alias: entries[old.name] for alias, entries in there.aliases.items() if old and old.name in entries}
        known = has if old and not restoring.is_late(self._plan, old) else dict(listed, **has)
        names = self._options["aliases"].get(item.index, known)
        return item._replace(aliases={alias: known.get(alias) or listed.get(alias) or {} for alias in names})

    def _seen(self, names, aliases, settings):
        targets, complete, olds = {}, {}, {}
        for item in self._plan.items:
            there = names.get(item.target) is not None
            targets[item.index] = recovering.look(self._api, item.target) if there else None
            complete[item.index] = there and (self._api.health(item.target) or {}).get("status") == "green"
            olds[item.index] = self._old(item, names, aliases)
        return restoring.Seen(targets, complete, olds, {item.index: names.get(item.index) for item in self._plan.items}, aliases,
                              disk.setting(settings, autocreate.SETTING))

    def _old(self, item, names, aliases):
        known = ((self._record or {"items": {}})["items"].get(item.index) or {}).get("replaces")
        candidates = [known, item.index] + (list(aliases.get(item.index) or {}) if names.get(item.index) == "alias" else [])
        name = next((one for one in candidates if one and names.get(one) == "index" and one != item.target), None)
        return self._api.old(name) if name else None

    def see(self):
        """:returns: what is seen now."""
        return self._seen(self._api.names()[0], self._api.aliases(), self._api.cluster_settings())

    def foresee(self, seen):
        """:returns: (the steps that a run would do now, what would be seen then)."""
        return foreseeing.foreseen(self._plan, self._record, seen)

    def run(self, seen):
        """Do all steps, up to the end or to where a person is waited for.

        :param seen: of :meth:`look`, which comes first.
        :returns: what is seen at the end.
        :raises IronrackError: where it turned back, with why; where a wait is over, it can be gone on with.
        """
        if self._record["phase"] in _OVER and restoring.next_step(self._plan, self._record, seen).kind in (
                restoring.FINISH, restoring.PAUSE, restoring.GIVE_UP):
            return seen
        self._records.ensure()
        self._lease.take()
        self._api.beat = self._lease.keep
        try:
            self.look()  # once more: another run may have come between the first look and the lease
            self._write()
            while True:
                seen = self.see()
                step = restoring.next_step(self._plan, self._record, seen)
                if step.kind in (restoring.FINISH, restoring.PAUSE, restoring.GIVE_UP):
                    return self._end(step, seen)
                lacks = restoring.unmet(step, self._plan, self._record, seen)
                if lacks:
                    raise IronrackError("the restore stops before '%s': %s. Put it right, then run this again; it goes on where it is" % (
                        step.kind, "; ".join(lacks)))
                self._api.beat()
                self._do(step, seen)
        finally:
            self._lease.give_back()

    def _end(self, step, seen):
        if step.kind == restoring.FINISH:
            self._record["phase"] = restoring.DONE
        elif step.kind == restoring.GIVE_UP:
            self._record["phase"] = restoring.FAILED
        self._write()
        if step.kind == restoring.GIVE_UP and not self._options["abort"]:
            raise IronrackError("nothing was restored, no alias has moved, and what was begun was taken back: %s" % self._record["why"], steps=self.done)
        return seen

    def _write(self):
        fields = {"kind": RESTORE, "repository": self._wish.repository, "snapshot": self._wish.snapshot, "uuid": self._snapshot.uuid}
        self._records.put(self._identity(), dict(fields, time=moments.text(moments.now()), body=canonical(self._record)))

    def _do(self, step, seen):
        item = next((one for one in self._plan.items if one.index == step.index), None)
        if step.kind not in _LOOKS:
            self.done.append("%s: %s" % (step.kind, step.why))
        # Optimistic: what the step leads to is written first, so that a run after a kill knows what may have happened. What only a success tells is
        # written after it.
        meant, _later = foreseeing.effect(step, self._plan, self._record, seen)
        if step.kind in (restoring.BLOCK, restoring.FENCE, restoring.TURN_BACK):
            self._record = meant
            self._write()
        try:
            getattr(self, "_do_" + step.kind)(item, seen)
        except Turned as error:
            self._record.update(phase=restoring.BACK, why=str(error))
        else:
            if step.kind in (restoring.SWAP, restoring.UNBLOCK, restoring.UNFENCE):
                self._record = meant
        self._write()

    def _do_block(self, _item, seen):
        names = [name for name in self._record["blocked"] if not autocreate.is_blocked(seen.autocreate, name)]
        self._api.put_cluster_setting(autocreate.SETTING, autocreate.blocked(seen.autocreate, names))

    def _do_unblock(self, _item, seen):
        kept = self._record["autocreate"]
        self._api.put_cluster_setting(autocreate.SETTING, autocreate.unblocked(
            seen.autocreate, self._record["blocked"], kept["persistent"], kept["effective"]))

    def _do_restore(self, item, _seen):
        self._api.restore(self._wish.repository, self._wish.snapshot, recovering.body(item.index, item.target, scratch=False))

    def _wait(self, item, what, condition):
        wait_for(condition, "%s of %s. The restore can be gone on with, or be aborted" % (what, item.target), self._options["timeout"], INTERVAL,
                 self._clock, self._sleep)

    def _do_wait(self, item, _seen):
        def over():
            self._api.beat()
            state, words = recovering.look(self._api, item.target)
            return state != recovering.RUNNING, words
        self._wait(item, "the primaries", over)

    def _do_wait_copies(self, item, _seen):
        def whole():
            self._api.beat()
            health = self._api.health(item.target) or {}
            return health.get("status") == "green", "%s, %s shards unassigned" % (health.get("status"), health.get("unassigned_shards"))
        self._wait(item, "all copies (or set wait_for to yellow)", whole)

    def _do_compare(self, item, _seen):
        self._api.refresh([item.target])
        documents, checksum = self._api.count(item.target), None
        if self._options["checksum"]:
            read = self._api.checksum(item.target, self._clock() + self._options["timeout"], self._clock)
            if read is None:
                raise IronrackError("not all documents of %s could be read in %d s; give it a longer timeout, or set checksum to false" % (
                    item.target, self._options["timeout"]))
            documents, checksum = read
        wanted = restore_checks.expected(item.index, self._sheets)
        wrong = manifest.mismatches(wanted, documents, checksum) if wanted else []
        if wrong:
            raise Turned("%s: %s" % (item.index, "; ".join(wrong)))
        self._record["items"][item.index]["compared"] = {
            "documents": documents, "checksum": checksum, "checksum_compared": bool(wanted and checksum and wanted.checksum and documents == wanted.least),
            "basis": wanted.basis if wanted else "nothing: there is no manifest"}

    def _do_fence(self, item, seen):
        self._api.put_index_settings(seen.olds[item.index].name, {"index.blocks.write": True})

    def _do_unfence(self, item, seen):
        self._api.put_index_settings(seen.olds[item.index].name, {"index.blocks.write": None})

    def _do_merge(self, item, seen):
        source = seen.olds[item.index].name
        self._api.refresh([source])
        count = self._api.count(source)
        response = self._reindexed(source, item.target) if count else {}
        moved = response.get("created", 0) + response.get("updated", 0)
        if response.get("failures") or moved != count:
            raise Turned("%d of %d late documents of %s came into %s: %s" % (
                moved, count, source, item.target, json.dumps((response.get("failures") or ["no reason was given"])[0])[:400]))
        self._record["items"][item.index]["merged"] = {"documents": count, "replaced": response.get("updated", 0), "from": source}

    def _reindexed(self, source, target):
        task = self._api.reindex(source, target)

        def over():
            self._api.beat()
            found = self._api.task(task)
            if found is None or found.get("error"):
                raise Turned("merging %s into %s ended: %s" % (source, target, json.dumps((found or {}).get("error") or "nobody knows of it any more")[:400]))
            status = (found.get("task") or {}).get("status") or {}
            return found.get("completed", False), "%s of %s" % (status.get("created", 0), status.get("total", "?")), found.get("response") or {}

        return wait_for(over, "%s to be merged into %s" % (source, target), self._options["timeout"], INTERVAL, self._clock, self._sleep)

    def _do_swap(self, _item, seen):
        actions = alias_moves.actions(restoring.moves(self._plan, seen), seen.aliases)
        if actions:
            self._api.change_aliases(actions)

    def _do_sign_off(self, _item, seen):
        self._api.change_aliases(alias_moves.sign_off([
            (item.index, seen.olds[item.index].name, item.target) for item in self._plan.items if seen.olds[item.index]]))

    @staticmethod
    def _do_turn_back(_item, _seen):
        """It is written down by now, and that is all."""

    def _do_discard(self, item, _seen):
        self._api.delete_index(item.target)

    def result(self, seen):
        """:returns: where the restore stands, as modules give it back."""
        items = self._record["items"]
        return {
            "phase": self._record["phase"], "steps": self.done,
            "restored": {index: {"target": entry["target"], "compared": entry["compared"], "merged": entry["merged"]} for index, entry in items.items()},
            "old_indices": sorted(old.name for old in seen.olds.values() if old),
            "aliases": {alias: sorted(entries) for alias, entries in seen.aliases.items() if any(
                one["target"] in entries or alias in one["aliases"] for one in items.values())}}
